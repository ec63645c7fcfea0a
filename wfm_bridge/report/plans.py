"""WFM's interval plans laid over an interval of ours, and people required as staffing told them. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from runtime.plans import planned_at
from schemas.control import QueuePlan
from schemas.fields import MICROS_PER_SECOND
from schemas.wfm import INTERVAL_MICROS, StaffingRequirement

_MINUTE_MICROS = 60 * MICROS_PER_SECOND


class Expected(NamedTuple):
    """What was to be: contacts for people, their handle time, people in seats; null where nothing says it."""

    contacts: float | None = None
    aht_seconds: float | None = None
    agents: float | None = None


def mean(pairs: Iterable[tuple[float, float | None]]) -> float | None:
    """Return the mean of (weight, value) where there is a value; of weights that are all 0 the plain mean."""
    known = [(weight, value) for weight, value in pairs if value is not None]
    weights = sum(weight for weight, _ in known)
    if weights:
        return sum(weight * value for weight, value in known) / weights
    return sum(value for _, value in known) / len(known) if known else None


def together(parts: Sequence[Expected]) -> Expected:
    """Return what was to be over times that follow each other: contacts add up, people are the mean.

    Contacts and their handle time are told only where all parts say how many contacts; people where any says it.
    """
    agents = mean((1.0, part.agents) for part in parts)
    loads = [(part.contacts, part.aht_seconds) for part in parts if part.contacts is not None]
    if not loads or len(loads) < len(parts):
        return Expected(agents=agents)
    return Expected(sum(contacts for contacts, _ in loads), mean(loads), agents)


def expected(plans: Sequence[QueuePlan], start: int) -> Expected:
    """Return what a queue's plans, the one said last first, say of the 15 minutes from `start` (UTC microseconds) on.

    Taken minute by minute: a plan's own intervals may be of any length, and begin at any minute.
    """
    return together([_minute(plans, at) for at in range(start, start + INTERVAL_MICROS, _MINUTE_MICROS)])


def _minute(plans: Sequence[QueuePlan], at: int) -> Expected:
    found = planned_at(plans, at)
    return Expected() if found is None else Expected(found.contacts_per_minute, found.aht_seconds, found.agents)


def required_people(told: Iterable[StaffingRequirement]) -> dict[tuple[str, int], int]:
    """Return people needed by queue and interval start: as staffing told them last, with what AI did not take."""
    found: dict[tuple[str, int], int] = {}
    for row in sorted(told, key=lambda row: (row.occurred_at, row.revision)):
        for interval in row.intervals:
            if row.occurred_at < interval.starts_at + INTERVAL_MICROS:
                found[row.queue, interval.starts_at] = interval.agents_required_after
    return found
