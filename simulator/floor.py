"""The people of all queues at work: who waits, who talks, who leaves."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.fields import MICROS_PER_SECOND, FinishedBy
from simulator.agenda import micros
from simulator.centre import Centre
from simulator.contact import Contact, Phase
from simulator.ledger import Ledger
from simulator.people import Desk, Durations


class Floor:
    """Gives contacts to the people of their queues, first come first served, and closes them."""

    def __init__(self, ledger: Ledger, centre: Centre) -> None:
        self._ledger = ledger
        self._centre = centre
        self._durations = Durations(centre.pace)
        self._desks: dict[str, Desk[Contact]] = {}

    def staff(self, queues: Iterable[str]) -> None:
        """Have people for these queues."""
        for queue in queues:
            self._desk(queue)

    def waiting(self) -> dict[str, int]:
        """Return how many wait, by queue."""
        return {queue: desk.waiting for queue, desk in self._desks.items()}

    def receive(self, at: int, contact: Contact, queue: str) -> None:
        """Take a contact that nobody has."""
        contact.queue = queue
        contact.waits_since = at
        if self._desk(queue).arrive(contact.name, contact):
            self._talk(at, contact)
        else:
            ledger = self._ledger
            ledger.move(contact, Phase.WAITING)
            ledger.plan(contact, at + micros(self._durations.patience_seconds(ledger.rng)), self._lose_patience)

    def give_back(self, at: int, contact: Contact) -> None:
        """Let go of a contact that AI goes on with: it leaves the line, or its person takes the next."""
        if contact.phase is Phase.WAITING:
            self._desk(contact.queue).leave(contact.name)
            contact.leave_line(at)
        elif contact.phase is Phase.WITH_PEOPLE:
            contact.talk_seconds += (at - contact.talks_since) / MICROS_PER_SECOND
            self._release(at, contact.queue)

    def _talk(self, at: int, contact: Contact) -> None:
        ledger, durations = self._ledger, self._durations
        ledger.move(contact, Phase.WITH_PEOPLE)
        contact.leave_line(at)
        contact.talks_since = at
        contact.talk_then_wrap = (durations.talk_seconds(ledger.rng), durations.wrap_seconds(ledger.rng))
        ledger.plan(contact, at + micros(sum(contact.talk_then_wrap)), self._finish)

    def _finish(self, at: int, contact: Contact) -> None:
        talk_seconds, wrap_seconds = contact.talk_then_wrap
        contact.talk_seconds += talk_seconds
        contact.wrap_seconds += wrap_seconds
        self._ledger.close(at, contact, FinishedBy.HUMAN)
        self._release(at, contact.queue)

    def _release(self, at: int, queue: str) -> None:
        following = self._desk(queue).release()
        if following is not None:
            self._talk(at, following)

    def _lose_patience(self, at: int, contact: Contact) -> None:
        self._desk(contact.queue).leave(contact.name)
        contact.leave_line(at)
        self._ledger.close(at, contact, FinishedBy.CUSTOMER)

    def _desk(self, queue: str) -> Desk[Contact]:
        desk = self._desks.get(queue)
        if desk is None:
            desk = self._desks[queue] = Desk(self._centre.people.get(queue, self._centre.people_per_queue))
        return desk
