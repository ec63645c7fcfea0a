"""The fold of sessions: key `interaction_id`, inbox `interactions.events`.

A contact is opened by its first decision in log order, takes its turns by number, and is closed
once. What comes ahead of its decision is parked; a completion waits for the turns that it counts.
Any order and any repetition of the same events gives the same entries and the same outcomes,
volume deltas and close.

One timer stands per contact, and its meaning follows from the state: expiry of an open session,
end of a completion's wait, removal of a closed one, end of waiting for a decision.
"""

from __future__ import annotations

import msgspec

from processors.sessions.logic import effects
from processors.sessions.logic.book import (
    PARKED,
    PROGRESS,
    SESSION,
    Parked,
    Progress,
    Session,
    load_parked,
    load_progress,
    load_session,
    save,
)
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas.errors import RecordError
from schemas.fields import Disposition, Event, FinishedBy, Pool
from schemas.interactions import Completed, Decision, TimerDue, Turn
from schemas.topics import INTERACTION_EVENTS, Effect

_MINUTE = 60 * 1_000_000

EXPIRY_MICROS = 24 * 60 * _MINUTE
"""From the decision to the end of a contact that nobody completes. A closed session is kept as
long, since an offer that comes again within 24 h is a repeat, also when Redis could not say so."""
GRACE_MICROS = 60 * _MINUTE
"""Least time, 1 h, that a closed session is kept for late turns and duplicates."""
TURNS_WAIT_MICROS = 30 * 1_000_000
"""Longest wait of a completion for turns that it counts: 30 s, above a platform's usual retries."""
ORPHAN_MICROS = 60 * _MINUTE
"""Wait of a parked event for its decision: 1 h."""
PARKED_LIMIT = 64
"""Events parked per contact."""
TURN_LIMIT = 1_000
"""Highest turn number: a turn every 90 s over the 24 h of a session would give 960."""


def step(event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:  # noqa: ARG001 - one shape
    """Apply one event of a contact.

    Args:
        event: Decision, Turn, Completed or TimerDue of the contact whose entries `state` holds.
        state: the contact's entries.
        snapshot: control topics; sessions need none.
        now: UTC microseconds; bounds waits only, and is in no record but TimerSet.

    Returns:
        Outcomes, volume deltas, Closed, timers; parked events that must be refused go back to
        the inbox, where they are refused under their own name.

    Raises:
        RecordError: the event cannot be used. Reasons: `no_decision` (a repeat, or without a
            pool), `no_provider`, `wrong_tenant`, `wrong_endpoint`, `turn_number`, `parked_full`,
            `orphan` (its decision never came), `unexpected_type`.
    """
    match event:
        case Decision():
            return _decided(event, state, now)
        case Turn() | Completed():
            return _reported(event, state, now)
        case TimerDue():
            return _woken(event, state)
    raise RecordError("unexpected_type", f"{type(event).__name__} is no event of a session: send it to its own topic")


def _decided(decision: Decision, state: KeyedState, now: int) -> list[Effect]:
    """Open the session, or flag a decision that comes after the first."""
    pool = _pool_of(decision)
    first = load_session(state)
    if first is not None:
        _flag_repeat(decision, first, state)
        return []
    session = Session.of(decision, pool)
    progress = Progress(due_at=decision.decided_at + EXPIRY_MICROS)
    out = [effects.opened(decision.interaction_id, session)]
    parked = load_parked(state)
    for event in parked.events if parked else ():
        try:
            progress, more = _applied(event, session, progress, now)
        except RecordError:
            # Raising here would dead-letter the decision. Behind it in the log, the event is refused by itself.
            more = [Effect(INTERACTION_EVENTS, event)]
        out += more
    save(state, SESSION, session)
    save(state, PROGRESS, progress)
    if parked:
        state.delete(PARKED)
    return out + effects.timer(decision.interaction_id, progress.due_at, parked.due_at if parked else None)


def _pool_of(decision: Decision) -> Pool:
    """Return the pool of a decision that can open a session."""
    if decision.pool is None or decision.disposition is Disposition.REPEAT:
        raise RecordError(
            "no_decision",
            f"decision {decision.decision_id} has disposition {decision.disposition} and pool {decision.pool}: "
            "write repeats to interactions.routed only, and give every other decision a pool",
        )
    if decision.endpoint is not None and not decision.provider:
        raise RecordError(
            "no_provider",
            f"decision {decision.decision_id} names endpoint {decision.endpoint} without its provider: "
            "set `provider`, or outcomes have no key",
        )
    return decision.pool


def _flag_repeat(decision: Decision, first: Session, state: KeyedState) -> None:
    if decision.decision_id == first.decision_id:
        return
    before = load_progress(state)
    after = before.with_repeat(decision.decision_id)
    if after != before:
        save(state, PROGRESS, after)


def _reported(event: Turn | Completed, state: KeyedState, now: int) -> list[Effect]:
    """Apply what a platform reports, or park it where there is no session yet."""
    session = load_session(state)
    if session is None:
        return _park(event, state, now)
    before = load_progress(state)
    after, out = _applied(event, session, before, now)
    if after is before:
        return []
    save(state, PROGRESS, after)
    return out + effects.timer(event.interaction_id, after.due_at, before.due_at)


def _applied(event: Turn | Completed, session: Session, progress: Progress, now: int) -> tuple[Progress, list[Effect]]:
    """Return the progress after an event (the same object where nothing changed) and what to tell."""
    if event.tenant != session.tenant:
        raise RecordError(
            "wrong_tenant",
            f"{type(event).__name__} of contact {event.interaction_id} is of tenant {event.tenant}, the contact of "
            f"{session.tenant}: interaction ids must be unique across tenants",
        )
    out: list[Effect] = []
    if isinstance(event, Turn):
        provider = _provider_of(event, session)
        if progress.has_turn(event.number):
            return progress, []
        out.append(effects.outcome(event, session, provider))
        progress = progress.with_turn(event.number)
    elif progress.closed or progress.completed is not None:
        return progress, []
    else:
        progress = msgspec.structs.replace(progress, completed=event, due_at=now + TURNS_WAIT_MICROS)
    waiting = progress.completed
    if waiting is not None and progress.turns_seen >= waiting.ai_turns:
        return _closed(progress, session), out + effects.closed(session, waiting)
    return progress, out


def _provider_of(turn: Turn, session: Session) -> str:
    """Return the provider that a turn is booked to, having checked that the turn is the session's."""
    _check_number(turn)
    if session.provider is None or turn.endpoint != session.endpoint:
        raise RecordError(
            "wrong_endpoint",
            f"turn {turn.number} of contact {turn.interaction_id} came from endpoint {turn.endpoint}, but decision "
            f"{session.decision_id} sent the contact to {session.endpoint or 'people'}: report turns of that one only",
        )
    return session.provider


def _check_number(turn: Turn) -> None:
    if turn.number > TURN_LIMIT:
        raise RecordError(
            "turn_number",
            f"turn {turn.number} of contact {turn.interaction_id}: count turns from 1 to {TURN_LIMIT} in each contact",
        )


def _closed(progress: Progress, session: Session) -> Progress:
    """Return the progress of a session that is closed now: it stays to recognise what comes late.

    A session that closes early keeps the timer that it has, which saves a record per contact.
    """
    expiry = session.decided_at + EXPIRY_MICROS
    ended_at = progress.completed.occurred_at if progress.completed else expiry
    late = ended_at > expiry - GRACE_MICROS
    due_at = expiry + GRACE_MICROS if late else expiry
    return msgspec.structs.replace(progress, closed=True, completed=None, due_at=due_at)


def _park(event: Turn | Completed, state: KeyedState, now: int) -> list[Effect]:
    """Keep an event for a decision to come."""
    if isinstance(event, Turn):
        _check_number(event)
    before = load_parked(state)
    parked = before or Parked(due_at=now + ORPHAN_MICROS)
    if event in parked.events:
        return []
    what = f"{type(event).__name__} of contact {event.interaction_id}"
    if parked.orphaned:
        raise RecordError(
            "orphan",
            f"{what}: no decision on the contact came within {ORPHAN_MICROS // _MINUTE} minutes; check the "
            "interaction id, and send the event again once the contact is decided",
        )
    if len(parked.events) >= PARKED_LIMIT:
        raise RecordError(
            "parked_full",
            f"{what}: {PARKED_LIMIT} events wait for a decision already; check the interaction id, and send the "
            "event again once the contact is decided",
        )
    parked = parked.with_event(event)
    save(state, PARKED, parked)
    return effects.timer(event.interaction_id, parked.due_at, before.due_at if before else None)


def _woken(due: TimerDue, state: KeyedState) -> list[Effect]:
    """Do what the timer that stands was for; any other timer is stale."""
    session = load_session(state)
    if session is None:
        return _give_up(due, state)
    progress = load_progress(state)
    if due.due_at != progress.due_at:
        return []
    if progress.closed:
        state.delete(SESSION)
        state.delete(PROGRESS)
        return [effects.no_timer(due.interaction_id)]
    completed = progress.completed or _left(due, session, progress)
    after = _closed(progress, session)
    save(state, PROGRESS, after)
    return [*effects.closed(session, completed), effects.new_timer(due.interaction_id, after.due_at)]


def _left(due: TimerDue, session: Session, progress: Progress) -> Completed:
    """Return the completion of a contact that nobody completed: the customer has left."""
    return Completed(
        interaction_id=due.interaction_id,
        tenant=session.tenant,
        finished_by=FinishedBy.CUSTOMER,
        ai_turns=progress.turns_seen,
        occurred_at=due.due_at,
    )


def _give_up(due: TimerDue, state: KeyedState) -> list[Effect]:
    """Send parked events back to the inbox, where each is now refused as an orphan; then forget.

    The mark that makes them orphans outlives them: the clock learns of the next timer from the
    transaction that sends them back, so the timer lies behind them in the log.
    """
    parked = load_parked(state)
    if parked is None or due.due_at != parked.due_at:
        return []
    if parked.orphaned:
        state.delete(PARKED)
        return [effects.no_timer(due.interaction_id)]
    after = Parked(due_at=due.due_at + ORPHAN_MICROS, orphaned=True)
    save(state, PARKED, after)
    back = [Effect(INTERACTION_EVENTS, event) for event in parked.events]
    return [*back, effects.new_timer(due.interaction_id, after.due_at)]
