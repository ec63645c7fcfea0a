"""What a run tells of itself: progress while it runs, a summary when it is over."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any


@dataclasses.dataclass(slots=True)
class Tally:
    """What the world has counted so far. `completed`: by who finished; `pools`: by the decisions' pool.

    `transfers`: warm transfers heard of, each once; `acknowledged`: their packets, repeated ones too. `handovers`:
    contacts with which another agent went on. `refused`: answers of agents that had lost their contact.
    """

    offered: int = 0
    repeats: int = 0
    decided: int = 0
    turns: int = 0
    transfers: int = 0
    acknowledged: int = 0
    handovers: int = 0
    refused: int = 0
    verdicts: int = 0
    completed: Counter[str] = dataclasses.field(default_factory=Counter)
    pools: Counter[str] = dataclasses.field(default_factory=Counter)


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands at one instant (`now`: virtual, UTC microseconds).

    Open contacts are `undecided`, `with_ai`, `waiting` (by queue) or `with_people`.
    """

    now: int
    offering: bool
    offered: int
    repeats: int
    decided: int
    completed: int
    undecided: int
    with_ai: int
    with_people: int
    waiting: dict[str, int]
    pools: dict[str, int]
    malformed: int

    def line(self) -> str:
        """Return it as one line for a log or a terminal."""
        queues = " ".join(f"{queue}={count}" for queue, count in sorted(self.waiting.items()) if count) or "none"
        return (
            f"offered {self.offered} decided {self.decided} completed {self.completed} | "
            f"undecided {self.undecided} with AI {self.with_ai} with people {self.with_people} waiting: {queues}"
        )


@dataclasses.dataclass(frozen=True, slots=True)
class AppliedFault:
    """A fault that took effect: `at` is virtual, `real_at` real time, both UTC microseconds."""

    endpoint: str
    kind: str
    severity: float
    at: int
    real_at: int


@dataclasses.dataclass(frozen=True, slots=True)
class Summary:
    """How a run went. `complete`: every contact that was offered has been closed by the simulator.

    `malformed` counts by kind; `completed` by who finished; `missing` says what is still open;
    `started_at` and `ended_at` are virtual, UTC microseconds. `transfers` to `verdicts` are those of `Tally`.
    """

    run_id: str
    tenant: str
    offered: int
    repeats: int
    malformed: dict[str, int]
    decided: int
    turns: int
    transfers: int
    acknowledged: int
    handovers: int
    refused: int
    verdicts: int
    completed: dict[str, int]
    pools: dict[str, int]
    faults: list[AppliedFault]
    open: int
    complete: bool
    stopped: bool
    missing: str
    started_at: int
    ended_at: int
    real_seconds: float

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        return dataclasses.asdict(self)

    def lines(self) -> list[str]:
        """Return it as lines for a person."""
        out = [
            f"run {self.run_id} of tenant {self.tenant}: {self.real_seconds:.1f} s",
            f"offered {self.offered}, of which offered twice {self.repeats}; malformed {sum(self.malformed.values())}",
            f"decided {self.decided}: {_counts(self.pools)}",
            f"completed {sum(self.completed.values())}: {_counts(self.completed)}; AI turns {self.turns}",
            f"warm transfers {self.transfers}, packets acknowledged {self.acknowledged}; handovers {self.handovers}",
            f"answers refused {self.refused}, verdicts {self.verdicts}",
        ]
        return [*out, self.missing] if self.missing else out


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "none"


def describe_missing(progress: Progress, undecided_ids: list[str]) -> str:
    """Return in words what keeps a run from its end; empty when nothing does."""
    waiting = sum(progress.waiting.values())
    parts = []
    if progress.undecided:
        examples = ", ".join(undecided_ids)
        parts.append(
            f"{progress.undecided} contacts have no decision (such as {examples}): does the router run, "
            "with the same bootstrap and prefix?"
        )
    for count, where in ((progress.with_ai, "are with AI"), (progress.with_people, "are with people"),
                         (waiting, "wait for a person")):  # fmt: skip
        if count:
            parts.append(f"{count} contacts {where}")
    return "; ".join(parts)
