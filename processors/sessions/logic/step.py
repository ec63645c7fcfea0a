"""The fold of sessions: key `interaction_id`, inbox `interactions.events`.

A contact is opened by its first decision in log order, takes its turns by number, moves between AI and people, and is
closed once. What comes ahead of its decision is parked; a completion waits for the turns that it counts. Any order and
any repetition of the same events gives the same entries and the same records, views in between and timers apart; the
log decides where people or services decide: whose claim, which verdict, was first.

One timer stands per contact, the first of what is waited for (`book.Wait`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from processors.sessions.logic import effects, ending, feedback, hold, moves, oversight, race, transfer, turns, waits
from processors.sessions.logic.book import (
    PARKED,
    Parked,
    Progress,
    Session,
    Stage,
    Wait,
    load,
)
from processors.sessions.logic.case import Case
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas.conversations import AgentLost, ChannelSwitched, Claim, HandoffAck, MoveRequest
from schemas.errors import RecordError
from schemas.fields import MICROS_PER_SECOND, Disposition, Event, Pool
from schemas.interactions import Completed, Decision, Feedback, Released, TimerDue, Turn
from schemas.supervision import SupervisorGiven, Verdict
from schemas.topics import INTERACTION_EVENTS, Effect


def step(event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    """Apply one event of a contact.

    Args:
        event: Decision, TimerDue, or what is reported of the contact whose entries `state` holds; texts redacted.
        state: the contact's entries.
        snapshot: control topics: the tenant's policy says how long transfers, claims and verdicts are waited for.
        now: UTC microseconds; bounds waits only, and is in no record but TimerSet.

    Returns:
        Outcomes, what became of an agent's contact, grades, findings, volume deltas, contacts held, Closed, transfers,
        moves, requests of supervision, views, timers; parked events that must be refused go back to the inbox, where
        they are refused under their own name.

    Raises:
        RecordError: the event cannot be used. Reasons: `no_decision` (a repeat, or without a
            pool), `no_provider`, `wrong_tenant`, `wrong_endpoint`, `turn_number`, `epoch_ahead`, `held_full`,
            `parked_full`, `orphan` (its decision never came), `wrong_claimant`, `no_such_answer`,
            `moved_too_often`, `feedback_full`, `unexpected_type`.
    """
    case = Case.load(event.interaction_id, state, snapshot, now) if hasattr(event, "interaction_id") else None
    if isinstance(event, Decision):
        return _decided(event, case, state, snapshot, now)
    if isinstance(event, waits.Reported):
        return waits.park(event, state, now) if case is None else _applied(case, event)
    if isinstance(event, TimerDue):
        return waits.give_up(event, state) if case is None else waits.woken(case, event)
    if isinstance(event, SupervisorGiven | AgentLost | Released):
        return [] if case is None else _told(case, event)
    raise RecordError("unexpected_type", f"{type(event).__name__} is no event of a session: send it to its own topic")


def _decided(decision: Decision, case: Case | None, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    """Open the session; take the word on another agent; or flag a decision that comes after the first."""
    pool = _pool_of(decision)
    if case is not None:
        standing = case.progress.due_at
        if decision.session_epoch:
            if transfer.adopted(case, decision):
                _begin(case, decision.decided_at)
        elif decision.decision_id != case.session.decision_id:
            case.changed = case.progress.note_repeat(decision.decision_id)
        return case.settle(standing)
    if decision.session_epoch:
        return []
    return _opened(decision, pool, state, snapshot, now)


def _opened(decision: Decision, pool: Pool, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    session = Session.of(decision, pool)
    progress = Progress(waits={Wait.EXPIRY: decision.decided_at + ending.EXPIRY_MICROS})
    progress.stage = Stage.PEOPLE if session.agent is None else Stage.AI
    case = Case.opened(decision.interaction_id, session, progress, state, snapshot, now)
    case.out.append(effects.opened(decision.interaction_id, session))
    case.view(decision.decided_at)
    hold.begin(case)
    if session.agent is not None:
        _begin(case, decision.decided_at)
        if decision.parallel:
            race.begin(case)
    parked = load(state, PARKED, Parked)
    if parked is None:
        return case.settle(None)
    for event in waits.in_turn(parked):
        try:
            _take(case, event)
        except RecordError:
            # Raising here would dead-letter the decision. Behind it in the log, the event is refused by itself.
            case.out.append(Effect(INTERACTION_EVENTS, event))
    turns.drain(case)
    state.delete(PARKED)
    return case.settle(parked.due_at)


def _begin(case: Case, at: int) -> None:
    """An AI agent has the contact from now on: for so long, and watched so closely."""
    escalate = case.session.escalate
    if escalate is not None and escalate.seconds_over is not None:
        case.wait(Wait.DURATION, case.session.decided_at + round(escalate.seconds_over * MICROS_PER_SECOND))
    oversight.begin(case, at)


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


def _applied(case: Case, event: waits.Reported) -> list[Effect]:
    standing = case.progress.due_at
    _take(case, event)
    turns.drain(case)
    return case.settle(standing)


def _take(case: Case, event: Event) -> None:
    """Apply what is reported of a contact."""
    tenant = getattr(event, "tenant", case.session.tenant)
    if tenant != case.session.tenant:
        raise RecordError(
            "wrong_tenant",
            f"{type(event).__name__} of contact {case.interaction_id} is of tenant {tenant}, the contact of "
            f"{case.session.tenant}: interaction ids must be unique across tenants",
        )
    _TAKERS[type(event)](case, event)


def _turn(case: Case, event: Turn) -> None:
    turns.reported(case, event)
    ending.close_if_complete(case)


def _switched(case: Case, event: ChannelSwitched) -> None:
    case.switch(event.to, event.occurred_at)


_TAKERS: dict[type[Event], Callable[[Case, Any], None]] = {
    Turn: _turn,
    Completed: ending.completed,
    ChannelSwitched: _switched,
    Claim: race.claimed,
    HandoffAck: transfer.acknowledged,
    Verdict: oversight.judged,
    MoveRequest: moves.asked,
    Feedback: feedback.given,
}


def _told(case: Case, event: SupervisorGiven | AgentLost | Released) -> list[Effect]:
    """Apply what a service of ours tells of a contact."""
    standing = case.progress.due_at
    if isinstance(event, SupervisorGiven):
        oversight.given(case, event)
    elif isinstance(event, Released):
        hold.released(case, event)
    else:
        moves.lost(case, event)
    turns.drain(case)
    return case.settle(standing)
