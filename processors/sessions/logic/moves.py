"""Moves that somebody asks for, and those that a lost agent makes necessary."""

from __future__ import annotations

import msgspec

from processors.sessions.logic import effects, oversight, transfer
from processors.sessions.logic.book import Stage
from processors.sessions.logic.case import Case
from schemas.conversations import AgentLost, MoveRequest
from schemas.errors import RecordError
from schemas.fields import Pool, Supervision
from schemas.topics import endpoint_key
from schemas.triggers import Trigger, Triggered

EPOCHS_MOST = 32
"""Epochs of one contact, each of which is remembered: some ten times to AI and back. Beyond, people keep it."""


def asked(case: Case, event: MoveRequest) -> None:
    """Move a contact where a person wants it. A request about an epoch that is over counts no more."""
    progress = case.progress
    there = event.to is case.session.pool_now and progress.stage is not Stage.MOVING
    if event.epoch != progress.epoch or progress.closed is not None or there:
        return
    told = f"{event.by}: {event.why}" if event.why else event.by
    hit = transfer.triggered(case, Trigger.REQUESTED, told, event.occurred_at)
    if event.to is Pool.HUMAN_EXCLUSIVE:
        transfer.to_people(case, [hit])
    elif progress.stage is Stage.PEOPLE:
        _check_epochs(case)
        case.write_story().move_to = event.to
        transfer.seek_agent(case, hit, event.intent or case.session.intent_now, 1.0, ())
    elif progress.stage is Stage.AI and event.occurred_at > case.story.asked_at:
        case.write_story().asked_at = event.occurred_at
        _watch(case, event, hit, watched=event.to is Pool.AI_ASSISTED)


def _check_epochs(case: Case) -> None:
    """Raise RecordError (`moved_too_often`) where a contact can go to no further agent."""
    if case.progress.epoch >= EPOCHS_MOST:
        raise RecordError(
            "moved_too_often",
            f"request to move contact {case.interaction_id} to AI: it moved {case.progress.epoch} times, {EPOCHS_MOST} "
            "is the most; let people finish it",
        )


def _watch(case: Case, event: MoveRequest, hit: Triggered, *, watched: bool) -> None:
    """Have the agent that has the contact watched from now on, or no more."""
    before = case.session
    approve = case.approval(before.intent_now) if watched and before.approve is None else before.approve
    case.session = msgspec.structs.replace(
        before,
        pool_now=event.to,
        supervision=Supervision.SEMI if watched else Supervision.AUTONOMOUS,
        approve=approve,
        was_watched=before.was_watched or watched,
    )
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
