"""What a session tells the health monitor of AI agents: turn by turn, at its end, and when somebody graded it.

All of it names the agent and is booked to the epoch of its breaker under which it was chosen, for the intent and queue
for which it was.
"""

from __future__ import annotations

from typing import Any

from processors.sessions.logic.book import Agent, Grade, Progress, Session, Story
from processors.sessions.logic.effects import handling_of, trigger_of
from schemas.agents import ContactOutcome, Graded, Outcome
from schemas.interactions import Completed, Turn
from schemas.topics import AGENT_EVENTS, Effect


def agent_that_had(session: Session, progress: Progress) -> Agent | None:
    """Return the AI agent that took the last turn which was not refused; None where none took one."""
    return session.agents[progress.had] if progress.had >= 0 else None


def outcome(turn: Turn, session: Session, agent: Agent, *, looping: bool) -> Outcome:
    """Return the outcome of one AI turn. looping: it brought nothing new."""
    return Outcome(
        tenant=session.tenant,
        provider=agent.provider,
        endpoint=agent.endpoint,
        version=agent.version,
        intent=agent.intent or session.intent,
        queue=agent.queue or session.queue,
        breaker_epoch=agent.breaker_epoch,
        interaction_id=turn.interaction_id,
        turn=turn.number,
        channel=turn.channel or session.channel,
        result=turn.result,
        latency_ms=turn.latency_ms,
        quality=turn.quality,
        occurred_at=turn.occurred_at,
        tokens=turn.tokens,
        cost=turn.cost,
        retry_after_seconds=turn.retry_after_seconds,
        looping=looping,
    )


def contact_outcome(session: Session, progress: Progress, story: Story, completed: Completed) -> list[Effect]:
    """Return what the end of a contact says of the AI agent that had it last; nothing where none had it.

    An agent had it that took a turn which was not refused. So nothing is told of a contact whose customer left before
    the agent's first turn, nor of an agent that lost the race for it; and where the last agent was sent the contact and
    never spoke, the one before it is told of. progress: with `had` as it is at the end.
    """
    agent = agent_that_had(session, progress)
    if agent is None:
        return []
    told = ContactOutcome(
        **_about(session, agent),
        interaction_id=completed.interaction_id,
        channel=session.channel,
        handling=handling_of(session, completed),
        trigger=trigger_of(progress, story),
        ai_turns=completed.ai_turns,
        resolved=completed.resolved,
        occurred_at=completed.occurred_at,
    )
    return [Effect(AGENT_EVENTS, told)]


def graded(interaction_id: str, session: Session, agent: Agent, grade: Grade) -> Effect:
    """Return what somebody found of a contact that an AI agent had."""
    told = Graded(
        **_about(session, agent),
        interaction_id=interaction_id,
        channel=session.channel,
        by=grade.by,
        resolved=grade.resolved,
        csat=grade.csat,
        hallucination=grade.hallucination,
        repeat_contact=grade.repeat_contact,
        handled_at=session.decided_at,
        occurred_at=grade.occurred_at,
    )
    return Effect(AGENT_EVENTS, told)


def _about(session: Session, agent: Agent) -> dict[str, Any]:
    return {
        "tenant": session.tenant,
        "provider": agent.provider,
        "endpoint": agent.endpoint,
        "version": agent.version,
        "intent": agent.intent or session.intent,
        "queue": agent.queue or session.queue,
        "breaker_epoch": agent.breaker_epoch,
    }
