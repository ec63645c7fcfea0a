"""Moves that somebody asks for, and those that a lost agent makes necessary."""

from __future__ import annotations

import msgspec

from processors.sessions.logic import effects, oversight, transfer
from processors.sessions.logic.book import Stage
from processors.sessions.logic.case import Case
from schemas.conversations import AgentLost, MoveRequest, Trigger
from schemas.fields import Pool, Supervision
from schemas.topics import endpoint_key


def asked(case: Case, event: MoveRequest) -> None:
    """Move a contact where a person wants it. A request about an epoch that is over counts no more."""
    progress = case.progress
    if event.epoch != progress.epoch or progress.closed is not None or event.to is case.session.pool_now:
        return
    told = f"{event.by}: {event.why}" if event.why else event.by
    hit = transfer.triggered(case, Trigger.REQUESTED, told, event.occurred_at)
    if event.to is Pool.HUMAN_EXCLUSIVE:
        transfer.to_people(case, [hit])
    elif progress.stage is Stage.PEOPLE:
        case.write_story().move_to = event.to
        transfer.seek_agent(case, hit, event.intent or case.session.intent_now, 1.0, ())
    elif progress.stage is Stage.AI:
        _watch(case, event, watched=event.to is Pool.AI_ASSISTED)


def _watch(case: Case, event: MoveRequest, *, watched: bool) -> None:
    """Have the agent that has the contact watched from now on, or no more."""
    before = case.session
    case.session = msgspec.structs.replace(
        before,
        pool_now=event.to,
        supervision=Supervision.SEMI if watched else Supervision.AUTONOMOUS,
        was_watched=before.was_watched or watched,
    )
    told = f"{event.by}: {event.why}" if event.why else event.by
    hit = transfer.triggered(case, Trigger.REQUESTED, told, event.occurred_at)
    left = before.agent
    case.out.append(effects.moved(case.interaction_id, before, case.session, case.progress.epoch, hit, left))
    case.view(event.occurred_at)
    if watched:
        oversight.begin(case, event.occurred_at)
    else:
        transfer.end_supervision(case, event.occurred_at)


def lost(case: Case, event: AgentLost) -> None:
    """The breaker of an agent has opened: where it still has the contact, and the policy says so, people take it."""
    session, agent = case.session, case.session.agent
    if agent is None or case.progress.closed is not None or session.escalate is None:
        return
    if endpoint_key(session.tenant, agent.endpoint) != event.agent or event.breaker_epoch <= agent.breaker_epoch:
        return
    if session.escalate.breaker_opens:
        told = f"{agent.endpoint}, epoch {event.breaker_epoch}"
        transfer.to_people(case, [transfer.triggered(case, Trigger.BREAKER_OPEN, told, event.occurred_at)])
