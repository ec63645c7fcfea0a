"""WFM's interval plans, as the topic has them: what is planned for a queue at an instant."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from runtime.snapshot import Snapshot
from schemas.control import QueuePlan
from schemas.fields import MICROS_PER_SECOND
from schemas.topics import PLANS


class Planned(NamedTuple):
    """What a plan says of one instant: contacts per minute for people, their handle time, people in seats."""

    contacts_per_minute: float
    aht_seconds: float | None
    agents: float | None


class Plans:
    """Tenant and queue -> plans, the one said last first; worked out when the topic has changed."""

    def __init__(self) -> None:
        self._seen: Mapping[str, QueuePlan] | None = None
        self._of: Mapping[tuple[str, str], Sequence[QueuePlan]] = {}

    def at(self, snapshot: Snapshot, tenant: str, queue: str, at: int) -> Planned | None:
        """Return what is planned for a queue at an instant (UTC microseconds), None where nothing is."""
        for plan in self._plans(snapshot, tenant, queue):
            slot = (at - plan.starts_at) // (plan.interval_seconds * MICROS_PER_SECOND)
            if 0 <= slot < len(plan.intervals):
                found = plan.intervals[slot]
                return Planned(found.contacts * 60 / plan.interval_seconds, found.aht_seconds, found.agents)
        return None

    def said_at(self, snapshot: Snapshot, tenant: str, queue: str) -> int:
        """Return when a plan of a queue was said last, UTC microseconds; -1 where none was."""
        plans = self._plans(snapshot, tenant, queue)
        return plans[0].occurred_at if plans else -1

    def _plans(self, snapshot: Snapshot, tenant: str, queue: str) -> Sequence[QueuePlan]:
        said: Mapping[str, QueuePlan] = snapshot.of(PLANS)
        if said is not self._seen:
            self._of = _by_queue(said)
            self._seen = said
        return self._of.get((tenant, queue), ())


def _by_queue(said: Mapping[str, QueuePlan]) -> Mapping[tuple[str, str], Sequence[QueuePlan]]:
    found: dict[tuple[str, str], list[QueuePlan]] = defaultdict(list)
    for plan in said.values():
        found[plan.tenant, plan.queue].append(plan)
    for plans in found.values():
        plans.sort(key=lambda plan: (plan.occurred_at, plan.starts_at), reverse=True)
    return found
