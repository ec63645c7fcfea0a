"""Moves of a contact: to people with a warm transfer, and to another AI agent by a decision of the router.

Whoever loses a contact is fenced: the session's epoch grows, and answers of a lower epoch are refused. A packet is sent
again until the ACD acknowledges it, and is an alert after the last attempt.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from processors.sessions.logic import effects
from processors.sessions.logic.book import Agent, Kept, Stage, Wait, agent_of
from processors.sessions.logic.case import Case, cut
from schemas.conversations import Alert, AlertKind, Handoff, HandoffAck
from schemas.fields import MICROS_PER_SECOND, Pool, Supervision
from schemas.interactions import Classification, Customer, Decision, Fact, Handover, Offered
from schemas.topics import ALERTS, HANDOFFS, OFFERED, Effect
from schemas.triggers import Trigger, Triggered
from schemas.views import Exchange

HANDOVERS_MOST = 2
"""From AI to AI in one contact: who was sent on twice and is still not helped wants a person."""
AGENT_SECONDS = 30
"""Longest wait for the router's word on another agent: it takes some 0.1 s, and 12 s where a router is lost."""
TRIGGERS_KEPT = 64
DETAIL_KEPT = 250
"""Characters of a trigger's detail that are kept."""
FINDINGS_SENT = 32
"""Facts of a packet, and things that were tried: the latest."""
PACKET_BYTES = 900_000
"""Of a packet as JSON, which Avro is shorter than: a record may have 1,000,000. What is no history has 860,000 at the
very most. Beyond, the oldest turns are left out, and the packet says how many."""
_STANDARD = Customer()


def triggered(case: Case, trigger: Trigger, detail: str, at: int, turn: int = 0) -> Triggered:
    """Return a trigger that is met now, in the present epoch."""
    told = cut(detail, DETAIL_KEPT)
    return Triggered(trigger=trigger, detail=told, epoch=case.progress.epoch, turn=turn, occurred_at=at)


def to_people(case: Case, hits: list[Triggered]) -> None:
    """Give a contact to people: one packet, whose trigger is the first of `hits`."""
    left_ai = _left(case) is not None
    _people_have(case, hits)
    if left_ai:
        case.session = msgspec.structs.replace(case.session, was_escalated=True)
    story = case.write_story()
    story.handoff, story.attempts, story.acked_by, story.acked_at = hits[0], 1, None, None
    case.wait(Wait.ACK, case.now + _micros(case.transfer.ack_seconds))
    case.out.append(Effect(HANDOFFS, _packet(case, hits[0])))


def to_claimant(case: Case, hit: Triggered) -> None:
    """Give a contact to the person who won the race for it: no packet, they have it already."""
    _people_have(case, [hit])


def _people_have(case: Case, hits: list[Triggered]) -> None:
    before, left = case.session, _left(case)
    _fence(case, hits)
    case.progress.stage = Stage.PEOPLE
    case.session = msgspec.structs.replace(
        before, agents=(*before.agents, None), pool_now=Pool.HUMAN_EXCLUSIVE, supervision=None
    )
    case.wait_no_more(Wait.AGENT, Wait.DURATION)
    case.out.append(effects.moved(case.interaction_id, before, case.session, case.progress.epoch, hits[0], left))


def seek_agent(case: Case, hit: Triggered, intent: str, confidence: float, excluded: tuple[str, ...]) -> None:
    """Ask the router for another agent; meanwhile nobody has the contact."""
    before = case.session
    _fence(case, [hit])
    case.progress.stage = Stage.MOVING
    case.session = msgspec.structs.replace(before, agents=(*before.agents, None), intent_now=intent)
    case.write_story().moving = hit
    case.wait_no_more(Wait.DURATION)
    case.wait(Wait.AGENT, case.now + AGENT_SECONDS * MICROS_PER_SECOND)
    customer = before.customer or _STANDARD
    offer = Offered(
        interaction_id=case.interaction_id,
        tenant=before.tenant,
        channel=case.channel,
        text="",
        occurred_at=hit.occurred_at,
        language=before.language,
        segment=before.segment,
        customer_id=customer.customer_id,
        classification=Classification(intent=intent, confidence=confidence, model="handover"),
        region=customer.region,
        flags=customer.flags,
        direction=customer.direction,
        age_years=customer.age_years,
        handover=Handover(epoch=case.progress.epoch, excluded=excluded, reason=hit.trigger),
    )
    case.out.append(Effect(OFFERED, offer))


def to_other_agent(case: Case, hit: Triggered, intent: str, confidence: float) -> None:
    """Send a contact on to another agent, or to people where it was sent on often enough."""
    agent = case.session.agent
    if case.story.handovers >= HANDOVERS_MOST:
        limit = f"{HANDOVERS_MOST} handovers already, now for {intent}"
        to_people(case, [triggered(case, Trigger.HANDOVER_LIMIT, limit, hit.occurred_at, hit.turn), hit])
        return
    case.write_story().handovers += 1
    seek_agent(case, hit, intent, confidence, (agent.endpoint,) if agent else ())


def adopted(case: Case, decision: Decision) -> bool:
    """Take the router's word on another agent; return whether AI has the contact now."""
    progress = case.progress
    if progress.stage is not Stage.MOVING or decision.session_epoch != progress.epoch or progress.closed is not None:
        _came_late(case, decision)
        return False
    agent = agent_of(decision)
    if agent is None or decision.pool is None:
        case.session = msgspec.structs.replace(
            case.session, intent_now=decision.intent, queue_now=decision.queue, decision_now=decision.decision_id
        )
        why = ", ".join(reason.code for reason in decision.reasons)
        to_people(case, [triggered(case, Trigger.NO_AGENT, why, decision.decided_at)])
        return False
    story, before, left = case.write_story(), case.session, _left(case)
    asked, said = story.move_to, decision.instructions
    watch = asked is Pool.AI_ASSISTED and decision.supervision is Supervision.AUTONOMOUS
    approve = said.approve if said else None
    case.session = msgspec.structs.replace(
        before,
        agents=(*before.agents[:-1], agent),
        pool_now=Pool.AI_ASSISTED if watch else decision.pool,
        supervision=Supervision.SEMI if watch else decision.supervision,
        intent_now=decision.intent,
        queue_now=decision.queue,
        decision_now=decision.decision_id,
        escalate=said.escalate if said else None,
        approve=case.approval(decision.intent) if watch else approve,
        was_watched=before.was_watched or watch or decision.pool is Pool.AI_ASSISTED,
    )
    progress.stage = Stage.AI
    case.wait_no_more(Wait.AGENT)
    moving = story.moving or triggered(case, Trigger.REQUESTED, "", decision.decided_at)
    story.move_to = story.moving = None
    moved = effects.moved(case.interaction_id, before, case.session, progress.epoch, moving, left)
    case.out.append(moved)
    case.view(decision.decided_at)
    return True


def _came_late(case: Case, decision: Decision) -> None:
    """Tell an agent that it has lost a contact before it had it, and know it: what it says is refused."""
    agent, epoch, before, progress = agent_of(decision), decision.session_epoch, case.session, case.progress
    over = epoch < progress.epoch or (epoch == progress.epoch and progress.stage is Stage.MOVING)
    if agent is None or not over or before.agents[epoch] is not None:
        return
    late = msgspec.structs.replace(agent, late=True)
    case.session = msgspec.structs.replace(before, agents=(*before.agents[:epoch], late, *before.agents[epoch + 1 :]))
    case.changed = True
    hit = triggered(case, Trigger.NO_AGENT, f"the decision for {agent.endpoint} came too late", decision.decided_at)
    case.out.append(effects.moved(case.interaction_id, before, before, progress.epoch, hit, agent))


def no_agent_came(case: Case, at: int) -> None:
    """The router has not answered in time."""
    if case.progress.stage is Stage.MOVING and case.progress.closed is None:
        to_people(case, [triggered(case, Trigger.NO_AGENT, f"no decision within {AGENT_SECONDS} s", at)])


def acknowledged(case: Case, event: HandoffAck) -> None:
    """Take note that a packet arrived, or that the person who claimed the contact has it. The first word stands."""
    story = case.story
    if event.epoch != case.progress.epoch or case.progress.stage is not Stage.PEOPLE or story.acked_by is not None:
        return
    story = case.write_story()
    story.acked_by, story.acked_at = event.by, event.occurred_at
    case.wait_no_more(Wait.ACK, Wait.CLAIM)
    case.view(event.occurred_at)


def unacknowledged(case: Case, at: int) -> None:
    """Send the packet again, or raise an alert."""
    story = case.write_story()
    if story.handoff is None or case.progress.closed is not None:
        return
    if story.attempts < case.transfer.attempts:
        story.attempts += 1
        case.wait(Wait.ACK, case.now + _micros(case.transfer.ack_seconds))
        case.out.append(Effect(HANDOFFS, _packet(case, story.handoff)))
        case.view(at)
        return
    detail = (
        f"the warm transfer of contact {case.interaction_id} to {case.session.queue_now} was sent {story.attempts} "
        "times and never acknowledged: see that the ACD follows conversations.handoffs"
    )
    alert = Alert(
        tenant=case.session.tenant,
        alert=AlertKind.HANDOFF_UNACKNOWLEDGED,
        interaction_id=case.interaction_id,
        detail=detail,
        occurred_at=at,
    )
    case.out.append(Effect(ALERTS, alert))


def end_supervision(case: Case, at: int) -> None:
    """Free the supervisor, where there is one."""
    if case.story.wanted:
        story = case.write_story()
        story.wanted, story.supervisor = False, None
        case.out.append(effects.supervision_ended(case.interaction_id, case.session, at))


def _left(case: Case) -> Agent | None:
    """Return the AI agent that a contact leaves: that which has it, or had it before another was sought."""
    agents = case.session.agents
    return agents[-2] if case.progress.stage is Stage.MOVING else agents[-1]


def _fence(case: Case, hits: list[Triggered]) -> None:
    """Begin an epoch: what the agent that has the contact answers from now on is refused."""
    progress, story, at = case.progress, case.write_story(), hits[0].occurred_at
    progress.seen.append("0")
    progress.applied = progress.failures = 0
    progress.tone, progress.answer = [], 0
    story.triggers = [*story.triggers, *hits][-TRIGGERS_KEPT:]
    story.waiting = []
    case.wait_no_more(Wait.VERDICT, Wait.CLAIM, Wait.ACK)
    case.let_go(at)
    end_supervision(case, at)
    case.view(at)


def _packet(case: Case, trigger: Triggered) -> Handoff:
    session, progress, story = case.session, case.progress, case.story
    turns = [(at, kept) for at in progress.turns() if (kept := case.kept_turn(*at)) is not None]
    spoken = [(at, kept) for at, kept in turns if not kept.fenced]
    last = session.last_agent
    packet = Handoff(
        handoff_id=effects.handoff_id(case.interaction_id, progress.epoch),
        interaction_id=case.interaction_id,
        tenant=session.tenant,
        epoch=progress.epoch,
        attempt=story.attempts,
        decision_id=session.decision_now,
        trigger=trigger,
        queue=session.queue_now,
        channel=case.channel,
        language=session.language,
        segment=session.segment,
        customer=session.customer,
        intent=session.intent_now,
        confidence=session.confidence,
        endpoint=last.endpoint if last else None,
        endpoint_version=last.version if last else None,
        assessment=next((kept.assessment for _, kept in reversed(spoken) if kept.assessment), ""),
        tried=tuple(dict.fromkeys(each for _, kept in spoken for each in kept.tried))[-FINDINGS_SENT:],
        facts=_facts(kept for _, kept in spoken),
        triggers=tuple(story.triggers),
        overrides=tuple(story.overrides),
        offered_at=session.offered_at,
        occurred_at=trigger.occurred_at,
    )
    history = _recent(spoken, PACKET_BYTES - len(msgspec.json.encode(packet)))
    return msgspec.structs.replace(packet, history=history, history_cut=len(spoken) - len(history))


def _recent(spoken: list[tuple[tuple[int, int], Kept]], room: int) -> tuple[Exchange, ...]:
    """Return the latest turns that fit into so many bytes: mostly all."""
    chosen: list[Exchange] = []
    for (epoch, number), kept in reversed(spoken):
        exchange = kept.exchange(epoch, number)
        room -= len(msgspec.json.encode(exchange)) + 1
        if room < 0:
            break
        chosen.append(exchange)
    return tuple(reversed(chosen))


def _facts(turns: Iterable[Kept]) -> tuple[Fact, ...]:
    """Return what was found out, the last word on each name."""
    return tuple({fact.name: fact for kept in turns for fact in kept.facts}.values())[-FINDINGS_SENT:]


def _micros(seconds: float) -> int:
    return round(seconds * MICROS_PER_SECOND)
