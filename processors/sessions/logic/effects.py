"""What a session tells others. All of it comes from events, none from the time of processing.

So the same events give the same bytes in whatever order they came.
"""

from __future__ import annotations

from processors.sessions.logic.book import Session
from schemas.agents import Outcome
from schemas.fields import Disposition, FinishedBy, Handling, Pool
from schemas.interactions import Closed, Completed, TimerSet, Turn
from schemas.topics import AGENT_EVENTS, CLOSED, TIMERS, WFM_EVENTS, Effect
from schemas.wfm import VolumeDelta

INTERVAL_MICROS = 15 * 60 * 1_000_000
"""Arrival interval of volumes: 15 minutes, the common grain of WFM."""


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
            alone = session.pool is Pool.HUMAN_EXCLUSIVE and completed.ai_turns == 0
            return Handling.HUMAN_ONLY if alone else Handling.AI_ESCALATED
        case FinishedBy.AI:
            watched = session.pool is Pool.AI_ASSISTED or completed.watched
            return Handling.AI_ASSISTED if watched else Handling.AI_CONTAINED


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
        ),
    )


def outcome(turn: Turn, session: Session, provider: str) -> Effect:
    """Return the outcome of one AI turn, booked to the epoch under which its endpoint was chosen."""
    return Effect(
        AGENT_EVENTS,
        Outcome(
            tenant=session.tenant,
            provider=provider,
            endpoint=turn.endpoint,
            version=session.endpoint_version or "",
            interaction_id=turn.interaction_id,
            turn=turn.number,
            channel=session.channel,
            intent=session.intent,
            queue=session.queue,
            breaker_epoch=session.breaker_epoch,
            result=turn.result,
            latency_ms=turn.latency_ms,
            quality=turn.quality,
            occurred_at=turn.occurred_at,
        ),
    )


def closed(session: Session, completed: Completed) -> list[Effect]:
    """Return what tells of a close: the contact's last record, and its move to the final volume."""
    handling = handling_of(session, completed)
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
        endpoint=session.endpoint,
        endpoint_version=session.endpoint_version,
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
    )
    return [Effect(CLOSED, record), Effect(WFM_EVENTS, move)]


def timer(interaction_id: str, due_at: int, standing: int | None) -> list[Effect]:
    """Return the wish to be woken at `due_at`; nothing where that timer stands already."""
    return [] if due_at == standing else [new_timer(interaction_id, due_at)]


def new_timer(interaction_id: str, due_at: int) -> Effect:
    """Return the wish to be woken at `due_at`, where no timer stands: the last one has rung."""
    return Effect(TIMERS, TimerSet(interaction_id=interaction_id, due_at=due_at))


def no_timer(interaction_id: str) -> Effect:
    """Return the tombstone that takes the wish to be woken back."""
    return Effect(TIMERS, None, interaction_id)
