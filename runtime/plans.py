"""WFM's interval plans, as the topic has them: what is planned for a queue at an instant. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from runtime.snapshot import Snapshot
from schemas.control import PlannedInterval, QueuePlan
from schemas.fields import MICROS_PER_SECOND
from schemas.topics import PLANS


class Planned(NamedTuple):
    """What plans say of one instant: contacts per minute for people, their handle time, people in seats."""

    contacts_per_minute: float | None
    aht_seconds: float | None
    agents: float | None


class Plans:
    """Tenant and queue -> plans, the one said last first; worked out when the topic has changed."""

    def __init__(self) -> None:
        self._seen: Mapping[str, QueuePlan] | None = None
        self._of: Mapping[tuple[str, str], Sequence[QueuePlan]] = {}

    def at(self, snapshot: Snapshot, tenant: str, queue: str, at: int) -> Planned | None:
        """Return what is planned for a queue at an instant (UTC microseconds), None where nothing is."""
        return planned_at(self.of(snapshot, tenant, queue), at)

    def said_at(self, snapshot: Snapshot, tenant: str, queue: str) -> int:
        """Return when a plan of a queue was said last, UTC microseconds; -1 where none was."""
        plans = self.of(snapshot, tenant, queue)
        return plans[0].occurred_at if plans else -1

    def of(self, snapshot: Snapshot, tenant: str, queue: str) -> Sequence[QueuePlan]:
        """Return the plans of a queue, the one said last first."""
        said: Mapping[str, QueuePlan] = snapshot.of(PLANS)
        if said is not self._seen:
            self._of = by_queue(said.values())
            self._seen = said
        return self._of.get((tenant, queue), ())


def by_queue(said: Iterable[QueuePlan]) -> Mapping[tuple[str, str], Sequence[QueuePlan]]:
    """Return tenant and queue -> plans, the one said last first."""
    found: dict[tuple[str, str], list[QueuePlan]] = defaultdict(list)
    for plan in said:
        found[plan.tenant, plan.queue].append(plan)
    for plans in found.values():
        plans.sort(key=lambda plan: (plan.occurred_at, plan.starts_at), reverse=True)
    return found


def planned_at(plans: Iterable[QueuePlan], at: int) -> Planned | None:
    """Return what a queue's plans, the one said last first, say of an instant (UTC microseconds), None where nothing.

    Contacts with their handle time, and people, each by the plan that was said last of those that say it.
    """
    load: tuple[float, float | None] | None = None
    agents: float | None = None
    for plan in plans:
        found = interval_at(plan, at)
        if found is None:
            continue
        if load is None and found.contacts is not None:
            load = found.contacts * 60 / plan.interval_seconds, found.aht_seconds
        agents = found.agents if agents is None else agents
        if load is not None and agents is not None:
            break
    if load is None and agents is None:
        return None
    contacts_per_minute, aht_seconds = load or (None, None)
    return Planned(contacts_per_minute, aht_seconds, agents)


def interval_at(plan: QueuePlan, at: int) -> PlannedInterval | None:
    """Return the interval of a plan that an instant (UTC microseconds) is in; None where it is in none."""
    slot = (at - plan.starts_at) // (plan.interval_seconds * MICROS_PER_SECOND)
    return plan.intervals[slot] if 0 <= slot < len(plan.intervals) else None


def starts_of(plan: QueuePlan) -> Iterator[int]:
    """Yield when each interval of a plan starts, UTC microseconds."""
    step = plan.interval_seconds * MICROS_PER_SECOND
    return iter(range(plan.starts_at, plan.starts_at + step * len(plan.intervals), step))


def ends_at(plan: QueuePlan) -> int:
    """Return the end of a plan's last interval, UTC microseconds."""
    return plan.starts_at + len(plan.intervals) * plan.interval_seconds * MICROS_PER_SECOND
