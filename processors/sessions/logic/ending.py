"""The end of a contact: closed exactly once, kept for what comes late, then forgotten."""

from __future__ import annotations

from processors.sessions.logic import effects, feedback, health, outcomes, transfer, turns
from processors.sessions.logic.book import HELD, PROGRESS, SESSION, STORY, UNTOLD, Wait, turn_name
from processors.sessions.logic.case import Case
from schemas.fields import FinishedBy
from schemas.interactions import Completed
from schemas.topics import Effect

_MINUTE = 60 * 1_000_000

EXPIRY_MICROS = 24 * 60 * _MINUTE
"""From the decision to the end of a contact that nobody completes. A closed session is kept as
long, since an offer that comes again within 24 h is a repeat, also when Redis could not say so."""
GRACE_MICROS = 60 * _MINUTE
"""Least time, 1 h, that a closed session is kept for late turns and duplicates."""


def completed(case: Case, event: Completed) -> None:
    """Take the end of a contact: it waits for the turns that it counts."""
    progress = case.progress
    if progress.closed is not None or progress.completed is not None:
        return
    progress.completed = event
    case.wait(Wait.TURNS, case.now + outcomes.TURNS_WAIT_MICROS)
    close_if_complete(case)


def close_if_complete(case: Case) -> None:
    """Close a contact that has ended and has all its turns."""
    ended = case.progress.completed
    if ended is not None and case.progress.turns_seen >= ended.ai_turns:
        close(case, ended)


def close(case: Case, ended: Completed) -> None:
    """Close a contact: it stays to recognise what comes late.

    A session that closes early keeps the timer that it has, which saves a record per contact. Whether AI had the
    contact is what the completion says of AI turns, so that late ones do not change the answer.
    """
    turns.finish(case)
    progress, session = case.progress, case.session
    transfer.end_supervision(case, ended.occurred_at)
    case.let_go(ended.occurred_at)
    if ended.ai_turns == 0:
        progress.had = -1
    progress.closed = effects.handling_of(session, ended)
    case.out += effects.closed(session, progress, case.story, ended)
    case.out += health.contact_outcome(session, progress, case.story, ended)
    feedback.at_the_end(case)
    expiry = session.decided_at + EXPIRY_MICROS
    late = ended.occurred_at > expiry - GRACE_MICROS
    progress.waits = {wait: at for wait, at in progress.waits.items() if wait == Wait.TURNS and progress.untold}
    progress.waits[Wait.EXPIRY] = expiry + GRACE_MICROS if late else expiry
    progress.completed = None
    progress.failures = 0
    progress.tone = []
    case.view(ended.occurred_at)


def abandoned(case: Case, at: int) -> Completed:
    """Return the completion of a contact that nobody completed: the customer has left."""
    return Completed(
        interaction_id=case.interaction_id,
        tenant=case.session.tenant,
        finished_by=FinishedBy.CUSTOMER,
        ai_turns=case.progress.turns_seen,
        occurred_at=at,
    )


def woken(case: Case, at: int) -> list[Effect]:
    """Do what the timer of a contact that has ended was for: outcomes that waited are told, or it is forgotten."""
    outcomes.give_up(case)
    if case.progress.waits[Wait.EXPIRY] <= at:
        return [*case.out, *forget(case)]
    case.wait_no_more(Wait.TURNS)
    return case.settle(None)


def forget(case: Case) -> list[Effect]:
    """Remove a contact that has been closed for long enough."""
    for epoch, number in case.progress.turns():
        case.state.delete(turn_name(epoch, number))
    for name in (SESSION, PROGRESS, STORY, HELD, UNTOLD):
        case.state.delete(name)
    return [effects.no_timer(case.interaction_id), *effects.no_views(case.interaction_id, case.progress)]
