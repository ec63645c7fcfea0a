"""What the parts of a simulated world share: the open contacts, what is due, what was counted, what is to be told."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable

from schemas.fields import Event, FinishedBy
from schemas.interactions import Turn
from schemas.topics import INTERACTION_EVENTS, Effect, Topic
from simulator.agenda import Agenda, Happening
from simulator.contact import Contact, Phase
from simulator.fleet import Answer
from simulator.report import Tally
from simulator.stint import Stint


class Ledger:
    """The books of a world. `rng` is for handling: whatever depends on decisions.

    `after_close` is called with each contact that has ended, when, and who ended it.
    """

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.agenda = Agenda()
        self.tally = Tally()
        self.contacts: dict[str, Contact] = {}
        self.phases: Counter[Phase] = Counter()
        self.after_close: Callable[[int, Contact, FinishedBy], None] = lambda _at, _contact, _by: None
        self._effects: list[Effect] = []

    def open(self, contact: Contact) -> None:
        """Begin with a contact."""
        self.contacts[contact.name] = contact
        self.phases[contact.phase] += 1

    def move(self, contact: Contact, phase: Phase) -> None:
        """Note where a contact is now."""
        self.phases[contact.phase] -= 1
        self.phases[phase] += 1
        contact.phase = phase

    def plan(self, contact: Contact, at: int, happening: Happening) -> None:
        """Let this happen to a contact next, in place of what was planned for it."""
        self.agenda.cancel(contact.due)
        contact.due = self.agenda.push(at, happening, contact)

    def report(self, at: int, contact: Contact, stint: Stint, answer: Answer) -> Turn:
        """Tell of a turn that has just ended, and return it."""
        turn = contact.turn(at, stint, answer, self.rng)
        self.tally.turns += 1
        self.emit(INTERACTION_EVENTS, turn)
        return turn

    def close(self, at: int, contact: Contact, by: FinishedBy) -> None:
        """End a contact."""
        self.agenda.cancel(contact.due)
        self.phases[contact.phase] -= 1
        del self.contacts[contact.name]
        self.tally.completed[by] += 1
        self.emit(INTERACTION_EVENTS, contact.completed(at, by))
        self.after_close(at, contact, by)

    def emit(self, topic: Topic, event: Event) -> None:
        """Have an event written."""
        self._effects.append(Effect(topic, event))

    def taken(self) -> list[Effect]:
        """Return what is to be written, once."""
        effects, self._effects = self._effects, []
        return effects
