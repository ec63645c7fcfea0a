"""The hold: a contact that AI cannot have now waits until staffing has room for it among people, or for so long."""

from __future__ import annotations

from processors.sessions.logic import effects, transfer
from processors.sessions.logic.book import Wait
from processors.sessions.logic.case import Case
from schemas.interactions import Released
from schemas.triggers import Trigger, Triggered


def begin(case: Case) -> None:
    """Hold a contact whose decision says until when."""
    session = case.session
    if session.hold_until is not None:
        case.wait(Wait.HOLD, session.hold_until)
        case.out.append(effects.held(case.interaction_id, session, session.decided_at))


def released(case: Case, event: Released) -> None:
    """Send a contact to people, who have room for it. One that is held no more has gone already."""
    if case.let_go(event.occurred_at):
        _to_people(case, transfer.triggered(case, Trigger.RELEASED, event.reason, event.occurred_at))


def ended(case: Case, at: int) -> None:
    """Send a contact to people that has been held for as long as it may be."""
    case.out.append(effects.held(case.interaction_id, case.session, at, over=True))
    _to_people(case, transfer.triggered(case, Trigger.HOLD_ENDED, "no room came in time", at))


def _to_people(case: Case, hit: Triggered) -> None:
    """Nobody loses the contact, so its epoch stands, and there is nothing to hand over."""
    session, story = case.session, case.write_story()
    story.triggers = [*story.triggers, hit][-transfer.TRIGGERS_KEPT :]
    case.out.append(effects.moved(case.interaction_id, session, session, case.progress.epoch, hit, None))
    case.view(hit.occurred_at)
