"""What a service gives the loop: its step, and how it wants to be driven."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from runtime.kafka import Record
from runtime.snapshot import Snapshot
from schemas.envelope import Packed


class Batch(NamedTuple):
    """What a step gets: records of the inbox, in order per partition, and what it needs to judge them.

    The records have no headers: no step reads them.

    `owned`: the partitions of the inbox that are this process's. `caught_up`: each was read to its end once.
    """

    records: Sequence[Record]
    snapshot: Snapshot
    now: int
    owned: frozenset[int] = frozenset()
    caught_up: bool = True


class Step(Protocol):
    """The work of a service: bytes in, bytes out, no broker in sight.

    What a step remembers beyond a transaction must change in `committed` only: what was stepped may be stepped
    again after an abort, and record by record after a failure.
    """

    def begin(self) -> None:
        """Forget what was stepped and not sealed: a transaction, or its repetition, begins."""

    def step(self, batch: Batch) -> list[Packed]:
        """Return what a slice of the transaction makes; raise where a record cannot be used."""

    def kept(self) -> None:
        """Take note that what was stepped since the last time belongs to the transaction."""

    def sealed(self) -> None:
        """Take note that the transaction is complete: what is kept from now on belongs to the next."""

    def committed(self) -> None:
        """Take note that what was sealed stands."""

    def aborted(self) -> None:
        """Forget whatever is not committed."""

    def dropped(self, partitions: frozenset[int]) -> None:
        """Forget what belongs to partitions of the inbox that are no longer ours."""

    def wake_seconds(self, snapshot: Snapshot) -> float | None:
        """Return in how many seconds the step wants an empty batch; None for never."""


@dataclasses.dataclass(frozen=True, slots=True)
class LoopOptions:
    """How the loop batches and how long it may be silent; the time-outs are those of decision 0005.

    `batch_records`: most records of one transaction, for when there is a backlog. `slice_records`: most records of
    one step. `gather_seconds`: while a commit is under way, what has come is stepped this often.
    `overlap`: the next transaction is stepped while one is committed; a step that must see each of them stand before
    the next goes without.
    `from_beginning`: state is rebuilt from the inbox at each assignment; no offsets are kept.
    """

    batch_records: int = 16_000
    slice_records: int = 500
    poll_seconds: float = 0.1
    gather_seconds: float = 0.005
    overlap: bool = True
    transaction_timeout_ms: int = 10_000
    session_timeout_ms: int = 6_000
    most_aborts_in_a_row: int = 20
    from_beginning: bool = False
