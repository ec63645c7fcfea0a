"""The fold of supervisors: key tenant, inbox `supervision.events`.

A contact that needs a supervisor gets the one with the fewest contacts, of several the first by name, or is told that
nobody is free; then it goes to people, so it is not queued. Who goes gives their contacts to others, in the order in
which they got them. Any repetition of the same events gives the same entries and the same answers.

Answers bear the instant of the event that they answer. Their `sequence` counts the answers of the tenant, so it grows
with each word on a contact, also on one that was forgotten meanwhile.
"""

from __future__ import annotations

import msgspec

from processors.supervisors.logic.book import (
    CONTACT,
    SUPERVISOR,
    Contact,
    Supervisor,
    forget,
    load_contact,
    load_desk,
    load_supervisor,
    save_contact,
    save_desk,
    save_supervisor,
    was_told,
    with_told,
)
from processors.supervisors.logic.memory import KEPT_MICROS, Memory, Remembered, is_over
from processors.supervisors.logic.room import Room
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas.errors import RecordError
from schemas.fields import Event
from schemas.supervision import SupervisionEnded, SupervisionWanted, SupervisorGiven, SupervisorPresence
from schemas.topics import INTERACTION_EVENTS, SUPERVISION_EVENTS, Effect

AHEAD_MICROS = 5 * 60 * 1_000_000
"""How far a desktop's clock may be ahead, 5 min, as with offers: the latest presence stands, so one of next year would
keep all others out."""
_FORGOTTEN_AT_ONCE = 4
"""An event adds one to the memory at most: taking four out keeps it within its bound, and no event is long."""
_FIRST_SEQUENCE = 1


def step(event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:  # noqa: ARG001 - one shape
    """Apply one event of a tenant.

    Args:
        event: SupervisorPresence, SupervisionWanted or SupervisionEnded of the tenant whose entries `state` holds.
        state: the tenant's entries.
        snapshot: control topics; supervisors need none.
        now: UTC microseconds; bounds what is remembered, and is in no record.

    Returns:
        SupervisorGiven for each contact that has another supervisor now, or none any more.

    Raises:
        RecordError: the event cannot be used. Reasons: `ahead_of_time` and `too_old` (a presence that cannot be put
            in order with others), `unexpected_type`.
    """
    _forget(state, now)
    match event:
        case SupervisorPresence():
            return _present(event, state, now)
        case SupervisionWanted():
            return _wanted(event, state, now)
        case SupervisionEnded():
            return _ended(event, state)
    raise RecordError(
        "unexpected_type", f"{type(event).__name__} is no event of {SUPERVISION_EVENTS.name}: send it to its own topic"
    )


def _present(presence: SupervisorPresence, state: KeyedState, now: int) -> list[Effect]:
    """Take note of who comes or goes; nothing where a later word of theirs stands."""
    _check_time(presence, now)
    before = load_supervisor(state, presence.supervisor)
    if before is not None and not before.is_news(presence):
        return []
    if before is not None and before.place is not None:
        Memory(state).drop(before.place)
    contacts = before.contacts if before is not None else ()
    if presence.available:
        come = Supervisor(heard_at=presence.occurred_at, available=True, own_limit=presence.sessions, contacts=contacts)
        _keep(state, presence.supervisor, come)
        return []
    place = Memory(state).add(Remembered(SUPERVISOR, presence.supervisor, now))
    _keep(state, presence.supervisor, Supervisor(heard_at=presence.occurred_at, available=False, place=place))
    return [_given(state, presence, interaction_id) for interaction_id in contacts]


def _check_time(presence: SupervisorPresence, now: int) -> None:
    ahead = presence.occurred_at - now
    if ahead > AHEAD_MICROS:
        raise RecordError(
            "ahead_of_time",
            f"presence of supervisor {presence.supervisor} is {ahead / 1_000_000:.0f} s ahead of time, more than "
            f"{AHEAD_MICROS // 1_000_000}: set the clock of its desktop",
        )
    if -ahead > KEPT_MICROS:
        raise RecordError(
            "too_old",
            f"presence of supervisor {presence.supervisor} is {-ahead / 1_000_000:.0f} s old, more than "
            f"{KEPT_MICROS // 1_000_000}: what came after it may be forgotten, so send their present one",
        )


def _wanted(wanted: SupervisionWanted, state: KeyedState, now: int) -> list[Effect]:
    """Answer a contact that needs a supervisor, once."""
    before = load_contact(state, wanted.interaction_id)
    if before is None and now - wanted.occurred_at > KEPT_MICROS:
        # It may have been answered, ended and forgotten. Nobody watches it, whether or not it comes again.
        return [_answer(wanted, wanted.interaction_id, None, _FIRST_SEQUENCE)]
    if before is not None and was_told(before.wanted, wanted.occurred_at):
        return []
    desk = load_desk(state)
    if desk.limit != wanted.limit:
        save_desk(state, msgspec.structs.replace(desk, limit=wanted.limit))
    told = with_told(before.wanted if before is not None else (), wanted.occurred_at)
    if before is not None and before.supervisor is not None:
        save_contact(state, wanted.interaction_id, msgspec.structs.replace(before, wanted=told))
        return []
    if before is not None:
        Memory(state).drop(before.place)
    place = Memory(state).add(Remembered(CONTACT, wanted.interaction_id, now))
    contact = msgspec.structs.replace(before or Contact(place=place), place=place, wanted=told)
    save_contact(state, wanted.interaction_id, contact)
    return [_given(state, wanted, wanted.interaction_id)]


def _ended(ended: SupervisionEnded, state: KeyedState) -> list[Effect]:
    """Take a contact from its supervisor; nothing where it never was, or where this end is known."""
    before = load_contact(state, ended.interaction_id)
    if before is None or was_told(before.ended, ended.occurred_at):
        return []
    _take_back(state, ended.interaction_id, before.supervisor)
    after = msgspec.structs.replace(before, supervisor=None, ended=with_told(before.ended, ended.occurred_at))
    save_contact(state, ended.interaction_id, after)
    return []


def _given(state: KeyedState, event: SupervisorPresence | SupervisionWanted, interaction_id: str) -> Effect:
    """Give a contact to whoever has room for it, or to nobody, and tell it."""
    desk = load_desk(state)
    name = Room(state).first(desk.limit)
    if name is not None:
        supervisor = load_supervisor(state, name)
        assert supervisor is not None, f"supervisor {name} has room and no entry"  # noqa: S101 - our own index
        _keep(state, name, supervisor.having(interaction_id))
    contact = load_contact(state, interaction_id)
    assert contact is not None, f"contact {interaction_id} is a supervisor's and has no entry"  # noqa: S101
    save_contact(state, interaction_id, msgspec.structs.replace(contact, supervisor=name))
    save_desk(state, msgspec.structs.replace(desk, answers=desk.answers + 1))
    return _answer(event, interaction_id, name, desk.answers + _FIRST_SEQUENCE)


def _answer(
    event: SupervisorPresence | SupervisionWanted, interaction_id: str, supervisor: str | None, sequence: int
) -> Effect:
    return Effect(
        INTERACTION_EVENTS,
        SupervisorGiven(
            interaction_id=interaction_id,
            tenant=event.tenant,
            supervisor=supervisor,
            sequence=sequence,
            occurred_at=event.occurred_at,
        ),
    )


def _keep(state: KeyedState, name: str, supervisor: Supervisor) -> None:
    """Store a supervisor, and whether they have room."""
    save_supervisor(state, name, supervisor)
    if supervisor.has_room:
        Room(state).put(name, len(supervisor.contacts))
    else:
        Room(state).drop(name)


def _take_back(state: KeyedState, interaction_id: str, name: str | None) -> None:
    """Take a contact from its supervisor, if it has one."""
    supervisor = load_supervisor(state, name) if name is not None else None
    if name is not None and supervisor is not None:
        _keep(state, name, supervisor.without(interaction_id))


def _forget(state: KeyedState, now: int) -> None:
    """Forget what is too old or too much, a little at a time."""
    memory = Memory(state)
    for _ in range(_FORGOTTEN_AT_ONCE):
        remembered = memory.take(now)
        if remembered is None:
            return
        contact = load_contact(state, remembered.name) if remembered.kind == CONTACT else None
        if contact is not None and contact.supervisor is not None:
            if not is_over(remembered.since, now):  # it is only one too many: another's turn
                again = msgspec.structs.replace(contact, place=memory.add(remembered))
                save_contact(state, remembered.name, again)
                continue
            _take_back(state, remembered.name, contact.supervisor)
        forget(state, remembered.kind, remembered.name)
