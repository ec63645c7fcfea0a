"""What a session tells others. All of it comes from events, none from the time of processing.

So the same events give the same bytes in whatever order they came.
"""

from __future__ import annotations

import hashlib

from processors.sessions.logic.book import Agent, Grade, Progress, Session, Stage, Story
from schemas.conversations import Moved, Side
from schemas.fields import MAX_ID, Disposition, FinishedBy, Handling, Pool
from schemas.interactions import Closed, Completed, TimerSet
from schemas.supervision import SupervisionEnded, SupervisionWanted
from schemas.topics import (
    ASSIGNMENTS,
    CLOSED,
    SESSION_VIEWS,
    SUPERVISION_EVENTS,
    TIMERS,
    WFM_EVENTS,
    Effect,
    turn_key,
    view_key,
)
from schemas.triggers import Trigger, Triggered
from schemas.views import Exchange, SessionView, Transferred, TurnView
from schemas.wfm import INTERVAL_MICROS, Finding, Held, VolumeDelta


def handling_of(session: Session, completed: Completed) -> Handling:
    """Return the final handling of a contact.

    A customer who leaves has abandoned, unless the contact was deflected: then leaving is what
    was asked for. The AI turns are those that the completion counts, so that late ones do not
    change the answer.
    """
    match completed.finished_by:
        case FinishedBy.CUSTOMER:
            return Handling.DEFLECTED if session.disposition is Disposition.DEFLECT else Handling.ABANDONED
        case FinishedBy.SELF_SERVICE:
            return Handling.DEFLECTED
        case FinishedBy.HUMAN:
            without_ai = session.pool_now is Pool.HUMAN_EXCLUSIVE and not session.was_escalated
            alone = without_ai and completed.ai_turns == 0
            return Handling.HUMAN_ONLY if alone else Handling.AI_ESCALATED
        case FinishedBy.AI:
            return Handling.AI_ASSISTED if session.was_watched or completed.watched else Handling.AI_CONTAINED


def opened(interaction_id: str, session: Session) -> Effect:
    """Return the volume delta of a contact that was just decided."""
    return Effect(
        WFM_EVENTS,
        VolumeDelta(
            tenant=session.tenant,
            interaction_id=interaction_id,
            queue=session.queue,
            intent=session.intent,
            channel=session.channel,
            language=session.language,
            interval_start=session.offered_at - session.offered_at % INTERVAL_MICROS,
            pool=session.pool,
            from_handling=None,
            to_handling=Handling.IN_PROGRESS,
            occurred_at=session.decided_at,
            displaced=session.displaced,
        ),
    )


def held(interaction_id: str, session: Session, at: int, *, over: bool = False) -> Effect:
    """Return what tells that a contact waits for room among people, or waits no more."""
    assert session.hold_until is not None  # noqa: S101 - nothing else is held
    told = Held(
        tenant=session.tenant,
        interaction_id=interaction_id,
        queue=session.queue,
        priority=session.priority,
        offered_at=session.offered_at,
        hold_until=session.hold_until,
        over=over,
        occurred_at=at,
    )
    return Effect(WFM_EVENTS, told)


def trigger_of(progress: Progress, story: Story) -> Trigger | None:
    """Return why people have a contact from AI; None where they do not have it, or had it from the beginning."""
    if progress.stage is not Stage.PEOPLE:
        return None
    if story.handoff is not None:
        return story.handoff.trigger
    return Trigger.PERSON_CLAIMED if story.claimed is Side.PEOPLE else None


def closed(session: Session, progress: Progress, story: Story, completed: Completed) -> list[Effect]:
    """Return what tells of a close: the contact's last record, and its move to the final volume."""
    handling, agent = handling_of(session, completed), session.last_agent
    record = Closed(
        interaction_id=completed.interaction_id,
        tenant=session.tenant,
        decision_id=session.decision_id,
        channel=session.channel,
        language=session.language,
        segment=session.segment,
        intent=session.intent,
        queue=session.queue,
        handling=handling,
        endpoint=agent.endpoint if agent else None,
        endpoint_version=agent.version if agent else None,
        ai_turns=completed.ai_turns,
        resolved=completed.resolved,
        ai_seconds=completed.ai_seconds,
        wait_seconds=completed.wait_seconds,
        talk_seconds=completed.talk_seconds,
        wrap_seconds=completed.wrap_seconds,
        offered_at=session.offered_at,
        closed_at=completed.occurred_at,
        pool=session.pool,
        confidence=session.confidence,
    )
    move = VolumeDelta(
        tenant=session.tenant,
        interaction_id=completed.interaction_id,
        queue=session.queue,
        intent=session.intent,
        channel=session.channel,
        language=session.language,
        interval_start=session.offered_at - session.offered_at % INTERVAL_MICROS,
        pool=session.pool,
        from_handling=Handling.IN_PROGRESS,
        to_handling=handling,
        ai_seconds=completed.ai_seconds,
        wait_seconds=completed.wait_seconds,
        talk_seconds=completed.talk_seconds,
        wrap_seconds=completed.wrap_seconds,
        occurred_at=completed.occurred_at,
        displaced=session.displaced,
        trigger=trigger_of(progress, story),
        ai_cost=progress.cost / 1e6,
        resolved=completed.resolved,
    )
    return [Effect(CLOSED, record), Effect(WFM_EVENTS, move)]


def finding(interaction_id: str, session: Session, handling: Handling, grade: Grade) -> Effect:
    """Return what somebody found of a contact that has ended so. It is counted where the contact is."""
    told = Finding(
        tenant=session.tenant,
        interaction_id=interaction_id,
        queue=session.queue,
        intent=session.intent,
        channel=session.channel,
        language=session.language,
        pool=session.pool,
        handling=handling,
        by=grade.by,
        resolved=grade.resolved,
        csat=grade.csat,
        hallucination=grade.hallucination,
        repeat_contact=grade.repeat_contact,
        occurred_at=grade.occurred_at,
    )
    return Effect(WFM_EVENTS, told)


def moved(
    interaction_id: str, before: Session, after: Session, epoch: int, triggered: Triggered, left: Agent | None
) -> Effect:
    """Return what tells that a contact went to another pool or agent. left: the AI agent that it leaves."""
    return Effect(
        ASSIGNMENTS,
        Moved(
            interaction_id=interaction_id,
            tenant=before.tenant,
            epoch=epoch,
            from_pool=before.pool_now,
            to_pool=after.pool_now,
            trigger=triggered,
            from_endpoint=left.endpoint if left else None,
            to_endpoint=after.agent.endpoint if after.agent else None,
            queue=after.queue_now,
            occurred_at=triggered.occurred_at,
        ),
    )


def supervision_wanted(interaction_id: str, session: Session, limit: int, at: int) -> Effect:
    """Return the wish for a supervisor."""
    wanted = SupervisionWanted(tenant=session.tenant, interaction_id=interaction_id, limit=limit, occurred_at=at)
    return Effect(SUPERVISION_EVENTS, wanted)


def supervision_ended(interaction_id: str, session: Session, at: int) -> Effect:
    """Return what frees a supervisor."""
    return Effect(
        SUPERVISION_EVENTS, SupervisionEnded(tenant=session.tenant, interaction_id=interaction_id, occurred_at=at)
    )


def timer(interaction_id: str, due_at: int, agent: str | None = None, breaker_epoch: int = 0) -> Effect:
    """Return the wish to be woken at `due_at`, or when the agent is lost."""
    return Effect(
        TIMERS, TimerSet(interaction_id=interaction_id, due_at=due_at, agent=agent, breaker_epoch=breaker_epoch)
    )


def no_timer(interaction_id: str) -> Effect:
    """Return the tombstone that takes the wish to be woken back."""
    return Effect(TIMERS, None, interaction_id)


def turn_view(interaction_id: str, tenant: str, exchange: Exchange, revision: int) -> Effect:
    """Return a turn as others may look it up."""
    return Effect(
        SESSION_VIEWS, TurnView(interaction_id=interaction_id, tenant=tenant, revision=revision, exchange=exchange)
    )


def session_view(interaction_id: str, session: Session, progress: Progress, story: Story, at: int) -> Effect:
    """Return a contact as others may look it up. at: when it became so."""
    agent, handoff = session.agent, story.handoff
    transfer = None
    if handoff is not None:
        transfer = Transferred(
            handoff_id=handoff_id(interaction_id, handoff.epoch + 1),
            attempts=story.attempts,
            acked_by=story.acked_by,
            acked_at=story.acked_at,
        )
    return Effect(
        SESSION_VIEWS,
        SessionView(
            interaction_id=interaction_id,
            tenant=session.tenant,
            revision=progress.revision,
            epoch=progress.epoch,
            decision_id=session.decision_now,
            pool=session.pool_now,
            supervision=session.supervision,
            channel=progress.channel or session.channel,
            language=session.language,
            segment=session.segment,
            intent=session.intent_now,
            confidence=session.confidence,
            queue=session.queue_now,
            endpoint=agent.endpoint if agent else None,
            endpoint_version=agent.version if agent else None,
            customer=session.customer,
            supervisor=story.supervisor,
            turns=progress.turns_seen,
            refused=progress.refused,
            triggers=tuple(story.triggers),
            overrides=tuple(story.overrides),
            transfer=transfer,
            closed=progress.closed,
            offered_at=session.offered_at,
            decided_at=session.decided_at,
            updated_at=at,
        ),
    )


def handoff_id(interaction_id: str, epoch: int) -> str:
    """Return the id of the warm transfer that began an epoch: both in words, or their digest where that is too long."""
    words = f"{interaction_id}/{epoch}"
    return words if len(words) <= MAX_ID else hashlib.blake2b(words.encode(), digest_size=16).hexdigest()


def no_views(interaction_id: str, progress: Progress) -> list[Effect]:
    """Return the tombstones that take a contact and its turns from what others may look up."""
    keys = [view_key(interaction_id), *(turn_key(interaction_id, epoch, number) for epoch, number in progress.turns())]
    return [Effect(SESSION_VIEWS, None, key) for key in keys]
