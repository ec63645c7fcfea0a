"""What a run tells of itself: progress while it runs, a summary when it is over."""

from __future__ import annotations

import dataclasses
from collections import Counter
from typing import Any


@dataclasses.dataclass(slots=True)
class Spill:
    """Contacts that were not routed at once, by their first decision, and what became of them.

    `released`: of those `held`, the ones that sessions had go on to the queue. `called_back`: of the `callbacks` that
    were promised. `notices`: customers who were told something.
    """

    held: int = 0
    released: int = 0
    callbacks: int = 0
    called_back: int = 0
    deflected: int = 0
    notices: int = 0

    def line(self) -> str:
        """Return it as a line for a person; empty where there is nothing."""
        if not any(dataclasses.astuple(self)):
            return ""
        return (
            f"held {self.held}, of which released {self.released}; callbacks {self.callbacks}, of which made "
            f"{self.called_back}; deflected {self.deflected}; notices {self.notices}"
        )


@dataclasses.dataclass(slots=True)
class Grading:
    """What became known of contacts after their end.

    `labels`: of QA, told; `labels_due`: those that the run will tell later, or ended before; `unresolved`: of those
    told. `ratings`: of customers; `satisfied`: those with a 4 or a 5.
    """

    labels: int = 0
    labels_due: int = 0
    unresolved: int = 0
    ratings: int = 0
    satisfied: int = 0

    def line(self) -> str:
        """Return it as a line for a person."""
        return (
            f"labels of QA {self.labels}, of which unresolved {self.unresolved}, still due {self.labels_due}; "
            f"ratings {self.ratings}, of which satisfied {self.satisfied}"
        )


@dataclasses.dataclass(slots=True)
class Tally:
    """What the world has counted so far. `completed`: by who finished; `pools`: by the decisions' pool.

    `transfers`: warm transfers heard of, each once; `acknowledged`: their packets, repeated ones too. `handovers`:
    contacts with which another agent went on. `refused`: answers of agents that had lost their contact. `probes`: calls
    without a customer.
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
    probes: int = 0
    spill: Spill = dataclasses.field(default_factory=Spill)
    grading: Grading = dataclasses.field(default_factory=Grading)
    completed: Counter[str] = dataclasses.field(default_factory=Counter)
    pools: Counter[str] = dataclasses.field(default_factory=Counter)


@dataclasses.dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands at one instant (`now`: virtual, UTC microseconds).

    Open contacts are `undecided`, `with_ai`, `held`, `to_call_back`, `waiting` (by queue) or `with_people`.
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
    held: int = 0
    to_call_back: int = 0

    def line(self) -> str:
        """Return it as one line for a log or a terminal."""
        queues = " ".join(f"{queue}={count}" for queue, count in sorted(self.waiting.items()) if count) or "none"
        spilled = f" held {self.held} to call back {self.to_call_back}" if self.held or self.to_call_back else ""
        return (
            f"offered {self.offered} decided {self.decided} completed {self.completed} | "
            f"undecided {self.undecided} with AI {self.with_ai} with people {self.with_people} waiting: {queues}"
            f"{spilled}"
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
    `started_at` and `ended_at` are virtual, UTC microseconds. `transfers` to `grading` are those of `Tally`.
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
    probes: int
    spill: Spill
    grading: Grading
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
            f"{self.grading.line()}; probes answered {self.probes}",
        ]
        return [*out, *(line for line in (self.spill.line(), self.missing) if line)]


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
                         (waiting, "wait for a person"), (progress.held, "are held"),
                         (progress.to_call_back, "are to be called back")):  # fmt: skip
        if count:
            parts.append(f"{count} contacts {where}")
    return "; ".join(parts)
