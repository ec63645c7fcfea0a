"""What a suite is told from the command line."""

from __future__ import annotations

import dataclasses
from pathlib import Path


@dataclasses.dataclass(frozen=True, slots=True)
class Options:
    """Sizes of a run; a suite reads `contacts` and `quick` as its own kind of size.

    contacts: how many to preload, None for the suite's own number. runs: repetitions of each
    subject. quick: small sizes, to see that everything works: its figures mean nothing.
    """

    contacts: int | None = None
    runs: int = 3
    quick: bool = False
    out: Path = Path("build/bench")

    def contacts_or(self, full: int, quick: int) -> int:
        """Return how many contacts to preload: what was asked for, else the suite's own number."""
        return self.contacts or (quick if self.quick else full)

    def repetitions(self) -> int:
        """Return how often each subject is measured: once where it is quick."""
        return 1 if self.quick else self.runs
