"""Whether what WFM says makes sense: of a queue that there is, and of a time that is not over. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from schemas.control import Availability, Policy, QueuePlan
from schemas.fields import LATEST, MICROS_PER_SECOND
from wfm_bridge.inbound.errors import InboundError, UnknownQueueError
from wfm_bridge.models import Fault

Said = Availability | QueuePlan
"""What WFM says of a queue."""


def check(said: Iterable[Said], policies: Mapping[str, Policy], now: int) -> None:
    """Raise InboundError, or UnknownQueueError, where some of it makes no sense; now: UTC microseconds."""
    events = list(said)
    unknown = list(_unknown({(event.tenant, event.queue): None for event in events}, policies))
    if unknown:
        raise UnknownQueueError("nothing was taken: no policy has such a queue", unknown)
    faults = [
        fault
        for event in events
        for fault in (_of_availability(event, now) if isinstance(event, Availability) else _of_plan(event))
    ]
    if faults:
        raise InboundError("nothing was taken: its times make no sense", faults)


def _unknown(queues: Iterable[tuple[str, str]], policies: Mapping[str, Policy]) -> Iterator[Fault]:
    for tenant, queue in queues:
        policy = policies.get(tenant)
        if policy is None:
            yield Fault(
                field="tenant", detail=f"tenant {tenant!r} has no policy", remedy="Apply one: 'trunkline policy apply'"
            )
            return
        known = [each.queue for each in policy.queues]
        if queue not in known:
            yield Fault(
                field="queue",
                detail=f"tenant {tenant!r} has no queue {queue!r}",
                remedy=f"Its queues are: {', '.join(known)}",
            )


def _of_availability(said: Availability, now: int) -> Iterator[Fault]:
    if said.expires_at <= max(now, said.starts_at):
        remedy = "Give a time after now and after starts_at, until which the numbers hold"
        yield Fault(
            field="expires_at", detail=f"what is said of {said.queue!r} would be over before it begins", remedy=remedy
        )


def _of_plan(plan: QueuePlan) -> Iterator[Fault]:
    if plan.starts_at + plan.interval_seconds * len(plan.intervals) * MICROS_PER_SECOND > LATEST:
        yield Fault(
            field="intervals", detail=f"the plan of {plan.queue!r} ends after the year 9999", remedy="Give fewer"
        )
