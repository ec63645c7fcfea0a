"""The decision: a pure function of the offer, of the world at its epochs, and of the load.

The order of the steps is the order of the reasons on the record. Whatever is missing or unwell,
the contact goes to people: there is no path on which it is dropped.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from router.decide.agents import Agent, Agents
from router.decide.people import People
from router.decide.rules import NOT_RULED, Oversight, Ruled, instructions_of
from router.decide.world import Cut, Route, TenantWorld, World
from schemas.control import KillSwitch
from schemas.fields import MICROS_PER_SECOND, Channel, Direction, Disposition, Pool, Supervision
from schemas.interactions import (
    DEFAULT_THRESHOLDS,
    Classification,
    Customer,
    Decision,
    Instructions,
    Load,
    Offered,
    Reason,
)
from schemas.rules import Answer, ComplianceEffect
from schemas.topics import kill_key

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


class Contact(msgspec.Struct, frozen=True, gc=False):
    """An offer with the place it was read from and its intent."""

    offered: Offered
    partition: int
    offset: int
    classification: Classification


class Choice(NamedTuple):
    """What becomes of a contact. Without an agent it is for people, and `answer` says what they do with it."""

    agent: Agent | None
    supervision: Supervision | None
    reasons: tuple[Reason, ...]
    answer: Answer = Answer.PEOPLE
    instructions: Instructions | None = None


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


def decide(contact: Contact, world: World, load: Load, now: int) -> Decision:
    """Return the decision record of a contact.

    load.probe_permits: endpoint -> permits left for the contact's partition, for those in HALF_OPEN.
    load.full: endpoints without room; load.limited: limits that the contact is above.
    """
    offered, classification = contact.offered, contact.classification
    tenant = world.tenant(offered.tenant, now)
    if tenant is None:
        thresholds, queue = DEFAULT_THRESHOLDS, FALLBACK_QUEUE
        choice = _people("no_policy", offered.tenant)
    else:
        route = tenant.route(classification.intent, offered)
        rules = tenant.compliance
        ruled = NOT_RULED if rules is None else rules.ruled(offered, classification.intent)
        people = route.people if ruled.queue is None else tenant.queues.named(ruled.queue)
        cut = tenant.cut(classification.intent, offered, people.queue)
        thresholds, queue = cut.thresholds, people.queue
        choice = _choose(contact, tenant, cut, route, load, ruled)
        if ruled.reasons:
            choice = choice._replace(reasons=(*ruled.reasons, *choice.reasons))
        if choice.agent is None and people.reasons:
            choice = _in_queue(choice, people)
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
        reasons=(Reason(code="repeat", detail=f"decided first as {first}"),),
        first_decision_id=first,
    )


def _people(code: str, detail: str = "", answer: Answer = Answer.PEOPLE) -> Choice:
    return Choice(None, None, (Reason(code=code, detail=detail),), answer)


def _in_queue(choice: Choice, people: People) -> Choice:
    """Return a choice for people, with why this queue; where it is closed its own answer stands, if no other does."""
    answer = people.answer if choice.answer is Answer.PEOPLE else choice.answer
    return choice._replace(reasons=(*choice.reasons, *people.reasons), answer=answer)


def _choose(contact: Contact, tenant: TenantWorld, cut: Cut, route: Route, load: Load, ruled: Ruled) -> Choice:
    """Take the steps in their order: what keeps the contact from AI, then how sure we are, then which agent."""
    if ruled.reasons or load.limited or contact.offered.flags:
        kept = _kept_from_ai(contact, tenant, load, ruled)
        if kept is not None:
            return kept
    if tenant.killed:
        return _stopped(contact, tenant, cut, route, tenant.killed)
    if route.kept:
        return Choice(None, None, route.kept)
    confidence = contact.classification.confidence
    if not route.whatever and confidence < cut.thresholds.assisted:
        below = Reason(code="confidence_below_assisted", detail=f"{confidence:.4f} < {cut.assisted_text}")
        return Choice(None, None, (*cut.named, below))
    agents, offered = route.agents, contact.offered
    if load.full:
        agents = agents.without(load.full, "at_capacity", contact.classification.intent, offered)
    if offered.handover is not None:
        agents = agents.without(offered.handover.excluded, "handed_over", contact.classification.intent, offered)
    choice = _among(contact, cut, route, agents, load.probe_permits)
    if choice.agent is None:
        return _spilled(choice, tenant, route, contact.offered.channel)
    return _overseen(choice, route.oversight, ruled) if route.oversight or ruled.reasons else choice


def _stopped(contact: Contact, tenant: TenantWorld, cut: Cut, route: Route, order: KillSwitch) -> Choice:
    """Return what becomes of a contact while no AI agent of the tenant gets any."""
    choice = _people("kill_switch", f"{kill_key(order)}: {order.reason}")
    sure = route.whatever or contact.classification.confidence >= cut.thresholds.assisted
    return _spilled(choice, tenant, route, contact.offered.channel) if sure and not route.kept else choice


def _kept_from_ai(contact: Contact, tenant: TenantWorld, load: Load, ruled: Ruled) -> Choice | None:
    """Return what becomes of a contact that AI must not have for what it is itself; None where it may."""
    if ruled.effect is ComplianceEffect.HOLD:
        return Choice(None, None, (), Answer.HOLD)
    for limit in tenant.policy.limits:
        if limit.limit in load.limited:
            told = f"{limit.limit}: over {limit.contacts} in {limit.seconds:g} s by {limit.by}"
            return _people("limit", told, limit.answer)
    if ruled.effect is ComplianceEffect.PEOPLE:
        return Choice(None, None, ())
    for flag in contact.offered.flags:
        if flag in tenant.human_only_flags:
            return _people("human_only_flag", flag)
    return None


def _among(contact: Contact, cut: Cut, route: Route, agents: Agents, permits: Mapping[str, int]) -> Choice:
    """Choose among the agents of the intent by the state of their breakers.

    A probe comes first, or a recovering agent would wait for ever; a person watches it, as one
    watches a degraded agent.
    """
    for agent in agents.recovering:
        if permits.get(agent.endpoint.endpoint, 0) > 0:
            reason = Reason(code="probe", detail=agent.endpoint.endpoint)
            return Choice(agent, Supervision.SEMI, (*agents.unwell, reason))
    among = agents.well if agents.well.agents else agents.degraded
    reasons = (*agents.unwell, *among.reasons)
    if not among.agents:
        none = Reason(code="all_ai_unavailable")
        missing = Reason(code="no_endpoint_for_intent", detail=contact.classification.intent)
        return Choice(None, None, (*reasons, none if agents.every else missing))
    agent = among.agents[zlib.crc32(contact.offered.interaction_id.encode()) % len(among.agents)]
    if not agents.well.agents:
        return Choice(agent, Supervision.SEMI, (*reasons, Reason(code="degraded_needs_watching")))
    return _as_sure(agent, contact, cut, route, reasons)


def _as_sure(agent: Agent, contact: Contact, cut: Cut, route: Route, reasons: tuple[Reason, ...]) -> Choice:
    """Return an agent that is well, alone or watched by how sure we are."""
    confidence = contact.classification.confidence
    if route.whatever:
        return Choice(agent, Supervision.AUTONOMOUS, (*reasons, Reason(code="intent_to_ai")))
    if confidence >= cut.thresholds.contained:
        reason = Reason(code="confidence_contained", detail=f"{confidence:.4f} >= {cut.contained_text}")
        return Choice(agent, Supervision.AUTONOMOUS, (*reasons, *cut.named, reason))
    reason = Reason(code="confidence_assisted", detail=f"{confidence:.4f} >= {cut.assisted_text}")
    return Choice(agent, Supervision.SEMI, (*reasons, *cut.named, reason))


def _overseen(choice: Choice, oversight: Oversight | None, ruled: Ruled) -> Choice:
    """Return a choice of an agent, watched as closely as supervision and compliance ask for, with its instructions."""
    least = Supervision.AUTONOMOUS if oversight is None else oversight.least
    supervision = choice.supervision or Supervision.FULL
    if ruled.effect is ComplianceEffect.WATCH or least is Supervision.FULL:
        supervision = Supervision.FULL
    elif least is Supervision.SEMI:
        supervision = Supervision.SEMI
    why = () if oversight is None else oversight.reasons
    return Choice(
        choice.agent,
        supervision,
        (*choice.reasons, *why),
        instructions=instructions_of(oversight, supervision, ruled.say),
    )


def _spilled(choice: Choice, tenant: TenantWorld, route: Route, channel: Channel) -> Choice:
    """Return what becomes of a contact that AI would have had, where the people of its queue are short."""
    queue = route.people.queue
    answer = next((each.answer for each in tenant.policy.spillover.channels if each.channel is channel), None)
    if answer is None or not route.agents.allowed or not tenant.short_people(queue):
        return choice
    said = tenant.queues.said[queue]
    told = f"{queue} has {said.agents_available:g} of {said.agents_required:g}: {answer}"
    return choice._replace(reasons=(*choice.reasons, Reason(code="spillover", detail=told)), answer=answer)
