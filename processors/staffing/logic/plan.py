"""People for one queue: what its targets in the policy ask for, without and with the lost AI contacts."""

from __future__ import annotations

import dataclasses

from processors.staffing.logic.erlang import ErlangInputError, Requirement, agents_required, scheduled
from runtime.snapshot import Snapshot
from schemas import topics
from schemas.control import HumanQueue, Policy
from schemas.errors import RecordError


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """Load and people of one queue. `scheduled_after`: `after.agents` with shrinkage."""

    before_per_minute: float
    after_per_minute: float
    aht_seconds: float
    targets: HumanQueue
    before: Requirement
    after: Requirement
    scheduled_after: int


def targets_of(snapshot: Snapshot, tenant: str, queue: str) -> HumanQueue:
    """Return the queue's targets in the tenant's policy, or the defaults of HumanQueue."""
    policy: Policy | None = snapshot.of(topics.POLICY).get(tenant)
    known = policy.queues if policy else ()
    return next((targets for targets in known if targets.queue == queue), HumanQueue(queue=queue, intents=()))


def planned(before_per_minute: float, lost_per_minute: float, aht_seconds: float, targets: HumanQueue) -> Plan:
    """Return the people needed for `before_per_minute` contacts, and with `lost_per_minute` more.

    Raises RecordError (reason `unusable_policy`) where the targets cannot be planned for, such as
    an occupancy of 0.
    """
    after_per_minute = before_per_minute + lost_per_minute
    try:
        before = _requirement(before_per_minute, aht_seconds, targets)
        after = _requirement(after_per_minute, aht_seconds, targets)
        scheduled_after = scheduled(after.agents, targets.shrinkage)
    except ErlangInputError as problem:
        raise unusable(targets, problem) from problem
    return Plan(before_per_minute, after_per_minute, aht_seconds, targets, before, after, scheduled_after)


def unusable(targets: HumanQueue, problem: ErlangInputError) -> RecordError:
    """Return what says that a queue's targets cannot be planned for."""
    return RecordError("unusable_policy", f"no number of agents can be computed for queue {targets.queue}: {problem}")


def _requirement(contacts_per_minute: float, aht_seconds: float, targets: HumanQueue) -> Requirement:
    return agents_required(
        contacts_per_minute,
        aht_seconds,
        targets.service_level_target,
        targets.service_level_seconds,
        targets.max_occupancy,
    )
