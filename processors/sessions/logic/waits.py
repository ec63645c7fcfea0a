"""Timers: what each wait of a contact ends in, and events that wait for their decision."""

from __future__ import annotations

from processors.sessions.logic import effects, ending, hold, oversight, race, transfer, turns
from processors.sessions.logic.book import PARKED, Parked, Wait, load, save
from processors.sessions.logic.case import Case
from runtime.state import KeyedState
from schemas.conversations import ChannelSwitched, Claim, HandoffAck, MoveRequest
from schemas.errors import RecordError
from schemas.fields import Event
from schemas.interactions import Completed, Feedback, TimerDue, Turn
from schemas.supervision import Verdict
from schemas.topics import INTERACTION_EVENTS, Effect
from schemas.triggers import Trigger

_MINUTE = 60 * 1_000_000

ORPHAN_MICROS = 60 * _MINUTE
"""Wait of a parked event for its decision: 1 h."""
PARKED_LIMIT = 64
"""Events parked per contact."""
PARKED_BYTES = 400_000
"""Bytes parked per contact: as JSON in JSON they stay below what a broker takes."""

Reported = Turn | Completed | ChannelSwitched | Claim | HandoffAck | Verdict | MoveRequest | Feedback
"""What platforms, the ACD, desktops and QA tell of a contact: parked where its decision is not there yet."""


def park(event: Reported, state: KeyedState, now: int) -> list[Effect]:
    """Keep an event for a decision to come."""
    if isinstance(event, Turn):
        turns.check_number(event)
    before = load(state, PARKED, Parked)
    parked = before or Parked(due_at=now + ORPHAN_MICROS)
    if parked.has(event):
        return []
    what = f"{type(event).__name__} of contact {event.interaction_id}"
    if parked.orphaned:
        raise RecordError(
            "orphan",
            f"{what}: no decision on the contact came within {ORPHAN_MICROS // _MINUTE} minutes, and none of the last "
            "24 h is known; check the interaction id, and send the event again once the contact is decided",
        )
    after = parked.with_event(event)
    if len(after.parked) > PARKED_LIMIT or after.size > PARKED_BYTES:
        raise RecordError(
            "parked_full",
            f"{what}: {len(parked.parked)} events wait for a decision already, of {PARKED_LIMIT} with "
            f"{PARKED_BYTES} bytes at most; check the interaction id, and send the event again once the contact is "
            "decided",
        )
    save(state, PARKED, after)
    return [] if before else [effects.timer(event.interaction_id, parked.due_at)]


def woken(case: Case, due: TimerDue) -> list[Effect]:
    """Do what the timer that stands was for; any other timer is stale."""
    progress, at = case.progress, due.due_at
    if at != progress.due_at:
        return []
    if progress.closed is not None:
        return ending.woken(case, at)
    ripe = [wait for wait in Wait if progress.waits.get(wait, at + 1) <= at]
    case.wait_no_more(*ripe)
    for wait in ripe:
        if progress.closed is None:
            _over(case, wait, at)
    turns.drain(case)
    return case.settle(None)


def _over(case: Case, wait: Wait, at: int) -> None:
    """End one wait."""
    match wait:
        case Wait.EXPIRY:
            ending.close(case, case.progress.completed or ending.abandoned(case, at))
        case Wait.TURNS:
            turns.apply_all(case)
            if case.progress.completed is not None:
                ending.close(case, case.progress.completed)
        case Wait.DURATION if case.session.agent is not None:
            told = "the conversation is as long as the policy lets AI have it"
            transfer.to_people(case, [transfer.triggered(case, Trigger.DURATION, told, at)])
        case Wait.VERDICT:
            oversight.waited(case, at)
        case Wait.ACK:
            transfer.unacknowledged(case, at)
        case Wait.CLAIM:
            race.expired(case, at)
        case Wait.AGENT:
            transfer.no_agent_came(case, at)
        case Wait.HOLD:
            hold.ended(case, at)


def give_up(due: TimerDue, state: KeyedState) -> list[Effect]:
    """Send parked events back to the inbox, where each is now refused as an orphan; then forget.

    The mark that makes them orphans outlives them: the clock learns of the next timer from the
    transaction that sends them back, so the timer lies behind them in the log.
    """
    parked = load(state, PARKED, Parked)
    if parked is None or due.due_at != parked.due_at:
        return []
    if parked.orphaned:
        state.delete(PARKED)
        return [effects.no_timer(due.interaction_id)]
    after = Parked(due_at=due.due_at + ORPHAN_MICROS, orphaned=True)
    save(state, PARKED, after)
    back = [Effect(INTERACTION_EVENTS, event) for event in in_turn(parked)]
    return [*back, effects.timer(due.interaction_id, after.due_at)]


def in_turn(parked: Parked) -> list[Event]:
    """Return parked events. Completions last: they then find the turns that they count."""
    return sorted(parked.events, key=lambda event: isinstance(event, Completed))
