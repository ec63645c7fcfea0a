"""What becomes of a contact: what keeps it from AI, how sure we are, which agent, and what where there is none. Pure.

The order of the steps is the order of the reasons on the record.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import NamedTuple

from router.decide.agents import Agent, Agents
from router.decide.contact import Contact
from router.decide.people import People
from router.decide.rules import Oversight, Ruled, instructions_of
from router.decide.spillover import Room
from router.decide.tenant import Cut, Route, TenantWorld
from schemas.control import KillSwitch
from schemas.fields import Supervision
from schemas.interactions import Instructions, Load, Reason
from schemas.rules import Answer, ComplianceEffect
from schemas.topics import kill_key


class Choice(NamedTuple):
    """What becomes of a contact. Without an agent it is for people, and `answer` says what they do with it.

    `away`: AI would have it, were an agent available. The last three are as on the record.
    """

    agent: Agent | None
    supervision: Supervision | None
    reasons: tuple[Reason, ...]
    answer: Answer = Answer.PEOPLE
    instructions: Instructions | None = None
    away: bool = False
    priority: int = 0
    notice: str | None = None
    hold_until: int | None = None


def for_people(code: str, detail: str = "", answer: Answer = Answer.PEOPLE) -> Choice:
    """Return the choice of people, for a reason of this code and detail."""
    return Choice(None, None, (Reason(code=code, detail=detail),), answer)


def in_queue(choice: Choice, people: People) -> Choice:
    """Return a choice for people, with why this queue; where it is closed its own answer stands, if no other does."""
    answer = people.answer if choice.answer is Answer.PEOPLE else choice.answer
    return choice._replace(reasons=(*choice.reasons, *people.reasons), answer=answer)


def choose(contact: Contact, tenant: TenantWorld, cut: Cut, route: Route, load: Load, ruled: Ruled, now: int) -> Choice:
    """Take the steps in their order: what keeps the contact from AI, then how sure we are, then which agent."""
    if ruled.reasons or load.limited or contact.offered.flags:
        kept = _kept_from_ai(contact, tenant, load, ruled)
        if kept is not None:
            return kept
    if tenant.killed:
        return _stopped(contact, cut, route, tenant.killed)
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
    if route.agents.ramping:
        held = route.agents.held_back(offered.interaction_id, now)
        agents = agents.without(held, "ramping", contact.classification.intent, offered)
    choice = _among(contact, cut, route, agents, load.probe_permits)
    if choice.agent is not None and (route.oversight or ruled.reasons):
        return _overseen(choice, route.oversight, ruled)
    return choice


def _stopped(contact: Contact, cut: Cut, route: Route, order: KillSwitch) -> Choice:
    """Return what becomes of a contact while no AI agent of the tenant gets any."""
    choice = for_people("kill_switch", f"{kill_key(order)}: {order.reason}")
    sure = route.whatever or contact.classification.confidence >= cut.thresholds.assisted
    return choice._replace(away=True) if sure and not route.kept else choice


def _kept_from_ai(contact: Contact, tenant: TenantWorld, load: Load, ruled: Ruled) -> Choice | None:
    """Return what becomes of a contact that AI must not have for what it is itself; None where it may."""
    if ruled.effect is ComplianceEffect.HOLD:
        return Choice(None, None, (), Answer.HOLD)
    for limit in tenant.policy.limits:
        if limit.limit in load.limited:
            told = f"{limit.limit}: over {limit.contacts} in {limit.seconds:g} s by {limit.by}"
            return for_people("limit", told, limit.answer)
    if ruled.effect is ComplianceEffect.PEOPLE:
        return Choice(None, None, ())
    for flag in contact.offered.flags:
        if flag in tenant.human_only_flags:
            return for_people("human_only_flag", flag)
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
        return Choice(None, None, (*reasons, none if agents.every else missing), away=True)
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


def spilled(
    choice: Choice, contact: Contact, tenant: TenantWorld, people: People, room: Room | None, now: int
) -> Choice:
    """Return what becomes of a contact that AI would have had, while no agent is available."""
    spill = tenant.spilling.spill(contact.offered, people, tenant.short_people(people.queue), room, now)
    return choice._replace(
        reasons=(*choice.reasons, *spill.reasons),
        answer=spill.answer,
        priority=spill.priority,
        notice=spill.notice,
        hold_until=spill.hold_until,
    )
