"""The decision: a pure function of the offer, of the world at its epochs, and of the load.

The order of the steps is the order of the reasons on the record. Whatever is missing or unwell,
the contact goes to people: there is no path on which it is dropped.
"""

from __future__ import annotations

import hashlib

import msgspec

from router.decide.agents import Agent
from router.decide.choice import choose, for_people, in_queue, spilled
from router.decide.contact import Contact
from router.decide.permits import Grant
from router.decide.rules import NOT_RULED
from router.decide.spillover import Room
from router.decide.world import World
from schemas.fields import MICROS_PER_SECOND, Direction, Disposition, Pool, Supervision
from schemas.interactions import DEFAULT_THRESHOLDS, Customer, Decision, Load, Offered, Reason
from schemas.rules import Answer

FALLBACK_QUEUE = "default"
"""Queue of a tenant without a policy."""
AHEAD_MICROS = 5 * 60 * MICROS_PER_SECOND
BEHIND_MICROS = 7 * 24 * 60 * 60 * MICROS_PER_SECOND

_POOLS = {
    Supervision.FULL: Pool.AI_ASSISTED,
    Supervision.SEMI: Pool.AI_ASSISTED,
    Supervision.AUTONOMOUS: Pool.AI_CONTAINED,
    None: Pool.HUMAN_EXCLUSIVE,
}
_DISPOSITIONS = {
    Answer.PEOPLE: Disposition.ROUTE,
    Answer.CALLBACK: Disposition.CALLBACK,
    Answer.DEFLECT: Disposition.DEFLECT,
    Answer.HOLD: Disposition.HOLD,
}


def decision_id(interaction_id: str, partition: int, offset: int) -> str:
    """Return the id of the decision on the offer at this place: the same at every replay."""
    return hashlib.blake2b(f"{interaction_id}|{partition}|{offset}".encode(), digest_size=16).hexdigest()


def offered_at(offered: Offered, now: int) -> int:
    """Return when the contact was offered: `now` where its own time is 5 min ahead or 7 days old."""
    return offered.occurred_at if now - BEHIND_MICROS <= offered.occurred_at <= now + AHEAD_MICROS else now


def eligible_probes(contact: Contact, world: World, now: int) -> tuple[Agent, ...]:
    """Return the agents in HALF_OPEN that this contact could probe: their permits are load."""
    tenant = world.tenant(contact.offered.tenant, now)
    if tenant is None or tenant.killed:
        return ()
    return tenant.route(contact.classification.intent, contact.offered).agents.recovering


def spare_room(contact: Contact, world: World, now: int) -> Grant | None:
    """Return the permits of which this contact may need one, should AI be away: what is left of them is load."""
    offered = contact.offered
    tenant = world.tenant(offered.tenant, now)
    if tenant is None or not tenant.spilling.metered:
        return None
    route = tenant.route(contact.classification.intent, offered)
    return None if route.kept or not route.agents.allowed else world.room(offered.tenant, route.people.queue, now)


def decide(contact: Contact, world: World, load: Load, now: int) -> Decision:
    """Return the decision record of a contact.

    load.probe_permits: endpoint -> permits left for the contact's partition, for those in HALF_OPEN.
    load.full: endpoints without room; load.limited: limits that the contact is above. load.spare: permits left of
    those of `spare_room`.
    """
    offered, classification = contact.offered, contact.classification
    tenant = world.tenant(offered.tenant, now)
    if tenant is None:
        thresholds, queue, displaced = DEFAULT_THRESHOLDS, FALLBACK_QUEUE, False
        choice = for_people("no_policy", offered.tenant)
    else:
        route = tenant.route(classification.intent, offered)
        rules = tenant.compliance
        ruled = NOT_RULED if rules is None else rules.ruled(offered, classification.intent)
        people = route.people if ruled.queue is None else tenant.queues.named(ruled.queue)
        cut = tenant.cut(classification.intent, offered, people.queue)
        thresholds, queue = cut.thresholds, people.queue
        choice = choose(contact, tenant, cut, route, load, ruled, now)
        displaced = choice.away and route.agents.allowed
        if displaced:
            permits = world.room(offered.tenant, route.people.queue, now)
            room = None if permits is None else Room.of(permits, contact.partition, load)
            choice = spilled(choice, contact, tenant, route.people, room, now)
        if ruled.reasons:
            choice = choice._replace(reasons=(*ruled.reasons, *choice.reasons))
        if choice.agent is None and people.reasons:
            choice = in_queue(choice, people)
    arrival, reasons = offered_at(offered, now), choice.reasons
    if arrival != offered.occurred_at:
        reasons = (Reason(code="time_corrected", detail=str(offered.occurred_at)), *reasons)
    if offered.handover is not None:
        reasons = (Reason(code="handover", detail=offered.handover.reason), *reasons)
    agent, supervision = choice.agent, choice.supervision
    endpoint = agent.endpoint if agent else None
    return Decision(
        decision_id=decision_id(offered.interaction_id, contact.partition, contact.offset),
        interaction_id=offered.interaction_id,
        tenant=offered.tenant,
        channel=offered.channel,
        language=offered.language,
        segment=offered.segment,
        intent=classification.intent,
        confidence=classification.confidence,
        runner_up_gap=classification.runner_up_gap,
        model=classification.model,
        pool=_POOLS[supervision],
        supervision=supervision,
        disposition=_DISPOSITIONS[choice.answer],
        queue=queue,
        endpoint=endpoint.endpoint if endpoint else None,
        endpoint_version=endpoint.version if endpoint else None,
        provider=endpoint.provider if endpoint else None,
        breaker_epoch=agent.breaker_epoch if agent else 0,
        thresholds=thresholds,
        reasons=reasons,
        epochs=world.epochs,
        load=load,
        offered_partition=contact.partition,
        offered_offset=contact.offset,
        offered_at=arrival,
        decided_at=now,
        instructions=choice.instructions,
        session_epoch=offered.handover.epoch if offered.handover else 0,
        customer=_customer_of(offered),
        parallel=agent is not None and tenant is not None and tenant.is_parallel(offered, classification.intent),
        priority=choice.priority,
        notice=choice.notice,
        hold_until=choice.hold_until,
        displaced=displaced,
    )


def _customer_of(offered: Offered) -> Customer | None:
    """Return what an offer states of its customer, None where that is nothing."""
    if (
        offered.customer_id is None
        and offered.region is None
        and not offered.flags
        and offered.age_years is None
        and offered.direction is Direction.INBOUND
    ):
        return None
    return Customer(
        customer_id=offered.customer_id,
        region=offered.region,
        flags=offered.flags,
        age_years=offered.age_years,
        direction=offered.direction,
    )


def repeat(contact: Contact, world: World, first_place: tuple[int, int], now: int) -> Decision:
    """Return the record for a contact that was decided before: it names that decision and decides nothing."""
    first = decision_id(contact.offered.interaction_id, *first_place)
    plain = decide(contact, world, Load(), now)
    return msgspec.structs.replace(
        plain,
        pool=None,
        supervision=None,
        disposition=Disposition.REPEAT,
        endpoint=None,
        endpoint_version=None,
        provider=None,
        breaker_epoch=0,
        instructions=None,
        parallel=False,
        priority=0,
        notice=None,
        hold_until=None,
        displaced=False,
        reasons=(Reason(code="repeat", detail=f"decided first as {first}"),),
        first_decision_id=first,
    )
