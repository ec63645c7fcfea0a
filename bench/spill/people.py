"""The ACD's side: contacts, the people of one queue, its line, and the list of callbacks. No event is planned here."""

from __future__ import annotations

import dataclasses
import enum
import heapq
import math
from collections.abc import Iterator

from bench.spill.day import Brought
from schemas.errors import TrunklineError
from schemas.fields import MICROS_PER_SECOND


class Fate(enum.StrEnum):
    """What became of a contact: exactly one.

    CAME_AGAIN: it was deflected, and its customer comes again as a new contact. DECLINED: a caller who would not be
    called back, and hung up.
    """

    AI = "ai"
    ANSWERED = "answered"
    ABANDONED = "abandoned"
    CALLED_BACK = "called_back"
    DECLINED = "callback_declined"
    RESOLVED = "self_service_resolved"
    CAME_AGAIN = "self_service_came_again"


class Place(enum.StrEnum):
    """Where a contact without a fate is."""

    NOWHERE = "nowhere"
    WITH_AI = "with_ai"
    LINE = "line"
    BUFFER = "buffer"
    CALLBACKS = "callbacks"
    TALKING = "talking"


class LostContactError(TrunklineError):
    """A contact was lost or counted twice: the simulation is wrong, and so are its figures."""


@dataclasses.dataclass(slots=True, eq=False)
class Contact:
    """One contact. Instants are UTC microseconds.

    sought_at: since when it waits for a person, None where it never did. callback_since: since when it is to be called
    back. answered_at: when a person took it, or called back. token: grows with each change of place, so that what was
    planned before is void. displaced: AI would have had it. handed_over: AI had it when AI went out. held: it was in
    the buffer. endpoint: the agent that had it, empty where none did. customer: the id of their first contact.
    """

    id: str
    brought: Brought
    customer: str = ""
    place: Place = Place.NOWHERE
    fate: Fate | None = None
    priority: int = 0
    sought_at: int | None = None
    callback_since: int | None = None
    answered_at: int | None = None
    ended_at: int | None = None
    token: int = 0
    displaced: bool = False
    handed_over: bool = False
    held: bool = False
    endpoint: str = ""

    def move(self, place: Place) -> None:
        """Put it somewhere; raises LostContactError where it has met its fate."""
        if self.fate is not None:
            raise LostContactError(f"contact {self.id} is {self.fate} and was to go to {place}")
        self.place, self.token = place, self.token + 1

    def end(self, fate: Fate, now: int) -> None:
        """Give it its fate; raises LostContactError where it has one."""
        self.move(Place.NOWHERE)
        self.fate, self.ended_at = fate, now

    def waited_seconds(self) -> float | None:
        """Return how long it waited for a person, until answered or gone; None where it did not, or still does."""
        until = self.answered_at if self.answered_at is not None else self.ended_at
        if self.sought_at is None or until is None:
            return None
        return (until - self.sought_at) / MICROS_PER_SECOND


class Line:
    """Contacts by priority, the highest first, then in the order in which they came."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._heap: list[tuple[int, int, int, Contact]] = []
        self._entered = 0

    def __len__(self) -> int:
        """Return how many are in it."""
        return sum(1 for _ in self)

    def __iter__(self) -> Iterator[Contact]:
        return (contact for *_, token, contact in self._heap if contact.token == token)

    def enter(self, contact: Contact) -> None:
        """Put a contact at the end of its priority."""
        contact.move(self._place)
        self._entered += 1
        heapq.heappush(self._heap, (-contact.priority, self._entered, contact.token, contact))

    def first(self) -> Contact | None:
        """Take the first out; None where there is none. Who has left since is passed over."""
        while self._heap:
            *_, token, contact = heapq.heappop(self._heap)
            if contact.token == token:
                return contact
        return None


class People:
    """People in seats and what they do. Who is to go home finishes a contact first."""

    def __init__(self) -> None:
        self.line = Line(Place.LINE)
        self.callbacks = Line(Place.CALLBACKS)
        self.seated = 0
        self.busy = 0

    def idle(self) -> int:
        """Return how many wait for a contact."""
        return max(0, self.seated - self.busy)

    def next(self) -> Contact | None:
        """Return who is served now, and count one more at work; None where nobody waits or nobody is idle."""
        contact = self.line.first() if self.idle() else None
        self.busy += contact is not None
        return contact

    def next_callback(self, reserve: float) -> Contact | None:
        """Return who is called back now: only where nobody waits and a share of the people stays free."""
        free = self.idle() - max(1, math.ceil(reserve * self.seated))
        contact = self.callbacks.first() if free > 0 else None
        self.busy += contact is not None
        return contact
