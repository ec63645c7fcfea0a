"""What is remembered of a tenant's supervision: a small entry for each supervisor and each contact, and one for all.

`supervisor` and a name, `contact` and an id, `desk`. An event changes a handful of them, however many there are.
"""

from __future__ import annotations

import msgspec

from runtime.state import KeyedState
from schemas.supervision import SupervisorPresence

SUPERVISOR = "supervisor"
CONTACT = "contact"
_DESK = "desk"

TOLD_KEPT = 8
"""Instants kept of a contact's events of one type, the latest: a contact that comes back to AI needs a supervisor once
more each time, and policies allow a few such returns."""


class Supervisor(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One supervisor. Stored as a list: new fields go last, with a default.

    `heard_at`: occurred_at of the presence that stands. `contacts`: in the order in which they were given. `place`: in
    the memory, of one who has gone.
    """

    heard_at: int
    available: bool
    own_limit: int | None = None
    contacts: tuple[str, ...] = ()
    place: int | None = None

    def is_news(self, presence: SupervisorPresence) -> bool:
        """Tell whether a presence is later than the one that stands; of two of an instant, going comes after coming."""
        return (presence.occurred_at, not presence.available) > (self.heard_at, not self.available)

    @property
    def has_room(self) -> bool:
        """Whether they may get another contact by their own limit."""
        return self.available and (self.own_limit is None or len(self.contacts) < self.own_limit)

    def without(self, interaction_id: str) -> Supervisor:
        """Return them without a contact."""
        return msgspec.structs.replace(self, contacts=tuple(c for c in self.contacts if c != interaction_id))

    def having(self, interaction_id: str) -> Supervisor:
        """Return them with one contact more."""
        return msgspec.structs.replace(self, contacts=(*self.contacts, interaction_id))


class Contact(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """One contact that needed a supervisor. Stored as a list: new fields go last, with a default.

    `supervisor`: who has it now. `wanted`, `ended`: occurred_at of the events that were applied, sorted, by which
    repetitions are known. `place`: in the memory.
    """

    place: int
    supervisor: str | None = None
    wanted: tuple[int, ...] = ()
    ended: tuple[int, ...] = ()


class Desk(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """What holds for a whole tenant: the latest limit of contacts per supervisor, and how many answers were given."""

    limit: int = 0
    answers: int = 0


def was_told(told: tuple[int, ...], occurred_at: int) -> bool:
    """Tell whether the event of an instant was applied, or lies before all that are kept."""
    return occurred_at in told or (len(told) == TOLD_KEPT and occurred_at < told[0])


def with_told(told: tuple[int, ...], occurred_at: int) -> tuple[int, ...]:
    """Return the instants with one more, the latest only."""
    return tuple(sorted((*told, occurred_at))[-TOLD_KEPT:])


def load_supervisor(state: KeyedState, name: str) -> Supervisor | None:
    """Return a supervisor, None where nothing is known of them."""
    stored = state.get(f"{SUPERVISOR}\x1f{name}")
    return None if stored is None else msgspec.convert(stored, Supervisor)


def save_supervisor(state: KeyedState, name: str, supervisor: Supervisor) -> None:
    """Store a supervisor."""
    state.set(f"{SUPERVISOR}\x1f{name}", msgspec.to_builtins(supervisor))


def load_contact(state: KeyedState, interaction_id: str) -> Contact | None:
    """Return a contact, None where nothing is known of it."""
    stored = state.get(f"{CONTACT}\x1f{interaction_id}")
    return None if stored is None else msgspec.convert(stored, Contact)


def save_contact(state: KeyedState, interaction_id: str, contact: Contact) -> None:
    """Store a contact."""
    state.set(f"{CONTACT}\x1f{interaction_id}", msgspec.to_builtins(contact))


def load_desk(state: KeyedState) -> Desk:
    """Return what holds for the tenant."""
    stored = state.get(_DESK)
    return Desk() if stored is None else msgspec.convert(stored, Desk)


def save_desk(state: KeyedState, desk: Desk) -> None:
    """Store what holds for the tenant."""
    state.set(_DESK, msgspec.to_builtins(desk))


def forget(state: KeyedState, kind: str, name: str) -> None:
    """Delete the entry of a supervisor or a contact."""
    state.delete(f"{kind}\x1f{name}")
