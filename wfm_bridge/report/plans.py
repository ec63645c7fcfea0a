"""WFM's interval plans laid over an interval of ours, and people required as staffing told them. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from schemas.control import QueuePlan
from schemas.fields import MICROS_PER_SECOND
from schemas.wfm import INTERVAL_MICROS, StaffingRequirement

_MINUTE_MICROS = 60 * MICROS_PER_SECOND


class Planned(NamedTuple):
    """What was to be: contacts for people, their handle time, people in seats; null where the plan does not say."""

    contacts: float
    aht_seconds: float | None = None
    agents: float | None = None


def mean(pairs: Iterable[tuple[float, float | None]]) -> float | None:
    """Return the mean of (weight, value) where there is a value; of weights that are all 0 the plain mean."""
    known = [(weight, value) for weight, value in pairs if value is not None]
    weights = sum(weight for weight, _ in known)
    if weights:
        return sum(weight * value for weight, value in known) / weights
    return sum(value for _, value in known) / len(known) if known else None


def together(parts: Sequence[Planned]) -> Planned:
    """Return the plan of intervals that follow each other: contacts add up, people are the mean."""
    return Planned(
        sum(part.contacts for part in parts),
        mean((part.contacts, part.aht_seconds) for part in parts),
        mean((1.0, part.agents) for part in parts),
    )


class Plans:
    """Plans of a tenant's queues. Where two overlap, the one that was said last counts."""

    def __init__(self, plans: Iterable[QueuePlan]) -> None:
        self._of: dict[str, list[QueuePlan]] = defaultdict(list)
        for plan in sorted(plans, key=lambda plan: (plan.occurred_at, plan.starts_at), reverse=True):
            self._of[plan.queue].append(plan)

    def queues(self, start: int, end: int) -> set[str]:
        """Return the queues of which something is planned between two instants, UTC microseconds."""
        return {queue for queue in self._of if self._between(queue, start, end)}

    def of(self, queue: str, start: int) -> Planned | None:
        """Return the plan of the 15 minutes from `start` (UTC microseconds) on, None where none covers all of them.

        Taken minute by minute: a plan's own intervals may be of any length, and begin at any minute.
        """
        plans = self._between(queue, start, start + INTERVAL_MICROS)
        parts = [_at(plans, at) for at in range(start, start + INTERVAL_MICROS, _MINUTE_MICROS)]
        known = [part for part in parts if part is not None]
        return together(known) if len(known) == len(parts) else None

    def _between(self, queue: str, start: int, end: int) -> list[QueuePlan]:
        return [plan for plan in self._of.get(queue, ()) if plan.starts_at < end and start < _end(plan)]


def _end(plan: QueuePlan) -> int:
    return plan.starts_at + len(plan.intervals) * plan.interval_seconds * MICROS_PER_SECOND


def _at(plans: Iterable[QueuePlan], at: int) -> Planned | None:
    """Return the plan of a minute, by the first that says how many contacts there are in it."""
    for plan in plans:
        if plan.starts_at <= at < _end(plan):
            found = plan.intervals[(at - plan.starts_at) // (plan.interval_seconds * MICROS_PER_SECOND)]
            if found.contacts is not None:
                return Planned(found.contacts * 60 / plan.interval_seconds, found.aht_seconds, found.agents)
    return None


def required_people(told: Iterable[StaffingRequirement]) -> dict[tuple[str, int], int]:
    """Return people needed by queue and interval start: as staffing told them last, with what AI did not take."""
    found: dict[tuple[str, int], int] = {}
    for row in sorted(told, key=lambda row: (row.occurred_at, row.revision)):
        for interval in row.intervals:
            if row.occurred_at < interval.starts_at + INTERVAL_MICROS:
                found[row.queue, interval.starts_at] = interval.agents_required_after
    return found
