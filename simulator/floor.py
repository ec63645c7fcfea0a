"""The people of all queues at work: who is held, who waits, who is called back, who talks, who leaves."""

from __future__ import annotations

from collections.abc import Iterable

from schemas.fields import MICROS_PER_SECOND, FinishedBy
from simulator.agenda import micros
from simulator.centre import Centre
from simulator.contact import Contact, Phase
from simulator.ledger import Ledger
from simulator.people import Desk, Durations

WORD_SECONDS = 30.0
"""So long, in virtual seconds whatever the pace, the ACD waits for the word of sessions: that a transfer comes, that
another agent goes on, that a contact is held no more. Then it gives the contact to people itself."""


class Floor:
    """Gives contacts to the people of their queues, first come first served, and closes them.

    Who waits on the line comes before who is to be called back.
    """

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
            self._ledger.move(contact, Phase.WAITING)
            self._wait(at, contact)

    def hold(self, at: int, contact: Contact, queue: str, until: int) -> None:
        """Have a contact wait before its queue for the word to go on, which comes by `until`."""
        contact.queue = queue
        contact.waits_since = at
        self._ledger.move(contact, Phase.HELD)
        self._wait(at, contact)
        overdue_at = max(at, until) + micros(WORD_SECONDS)
        if overdue_at < contact.patient_until:
            self._ledger.plan(contact, overdue_at, self._overdue)

    def go_on(self, at: int, contact: Contact, queue: str) -> None:
        """Put a contact that was held into the line of its queue: its customer has waited since it was held."""
        contact.queue = queue
        if self._desk(queue).arrive(contact.name, contact):
            self._talk(at, contact)
        else:
            self._ledger.move(contact, Phase.WAITING)
            self._ledger.plan(contact, contact.patient_until, self._lose_patience)

    def call_back(self, at: int, contact: Contact, queue: str) -> None:
        """Have a contact called back when a person is free and nobody waits; its customer does not wait meanwhile."""
        contact.queue = queue
        self._ledger.move(contact, Phase.PROMISED)
        if self._desk(queue).promise(contact.name, contact):
            self._talk(at, contact)
        else:
            seconds = self._centre.callback_seconds * self._centre.pace
            self._ledger.plan(contact, at + micros(seconds), self._lapse)

    def give_back(self, at: int, contact: Contact) -> None:
        """Let go of a contact that AI goes on with: it leaves the line, or its person takes the next."""
        if contact.phase in (Phase.WAITING, Phase.HELD):
            self._desk(contact.queue).leave(contact.name)
            contact.leave_line(at)
        elif contact.phase is Phase.PROMISED:
            self._desk(contact.queue).leave(contact.name)
        elif contact.phase is Phase.WITH_PEOPLE:
            contact.talk_seconds += (at - contact.talks_since) / MICROS_PER_SECOND
            self._release(at, contact.queue)

    def _talk(self, at: int, contact: Contact) -> None:
        ledger, durations = self._ledger, self._durations
        if contact.phase is Phase.PROMISED:
            ledger.tally.spill.called_back += 1
        else:
            contact.leave_line(at)
        ledger.move(contact, Phase.WITH_PEOPLE)
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

    def _wait(self, at: int, contact: Contact) -> None:
        """Let the customer wait for as long as patience lasts."""
        ledger = self._ledger
        contact.patient_until = at + micros(self._durations.patience_seconds(ledger.rng))
        ledger.plan(contact, contact.patient_until, self._lose_patience)

    def _overdue(self, at: int, contact: Contact) -> None:
        """No word came: the ACD has the contact go on by itself."""
        self.go_on(at, contact, contact.queue)

    def _lapse(self, at: int, contact: Contact) -> None:
        """Nobody called back in time."""
        self._desk(contact.queue).leave(contact.name)
        self._ledger.close(at, contact, FinishedBy.CUSTOMER)

    def _lose_patience(self, at: int, contact: Contact) -> None:
        self._desk(contact.queue).leave(contact.name)
        contact.leave_line(at)
        self._ledger.close(at, contact, FinishedBy.CUSTOMER)

    def _desk(self, queue: str) -> Desk[Contact]:
        desk = self._desks.get(queue)
        if desk is None:
            desk = self._desks[queue] = Desk(self._centre.people.get(queue, self._centre.people_per_queue))
        return desk
