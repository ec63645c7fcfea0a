"""What becomes of contacts that AI would have had, while it is away: who goes to people, and what the others get. Pure.

Metered, contacts go to people only as fast as staffing says that there is room (`wfm.spare`). What is not metered goes
by the shortage that WFM states.
"""

from __future__ import annotations

from typing import NamedTuple

from router.decide.people import People
from router.decide.permits import Grant
from schemas.fields import MICROS_PER_SECOND
from schemas.interactions import Decision, Load, Offered, Reason
from schemas.rules import Answer, Spillover

SPARE_CODE = "spare"
"""Code of the reason on a decision that spent a permit for people."""


class Room(NamedTuple):
    """Room among the people of a queue: contacts `left` to this partition, of so many that it was given.

    `kept`: the last so many of them are for priorities above 0.
    """

    left: int
    given: int
    kept: int

    @classmethod
    def of(cls, grant: Grant, partition: int, load: Load) -> Room:
        """Return the room that a grant and the load leave to a contact of a partition."""
        return cls(load.spare or 0, grant.of(partition), grant.kept_of(partition))


class Spill(NamedTuple):
    """What a contact gets while AI is away, and why. `hold_until`: it waits in the buffer until then, where it does."""

    answer: Answer
    reasons: tuple[Reason, ...]
    priority: int
    notice: str | None
    hold_until: int | None


class Spilling:
    """What a tenant's policy says of contacts that AI would have had."""

    def __init__(self, said: Spillover) -> None:
        self._answers = {each.channel: each.answer for each in said.channels}
        self._notices = {each.channel: each.notice for each in said.notices}
        self._priorities = {each.segment: each.priority for each in said.priorities}
        self._some_come_first = any(priority > 0 for priority in self._priorities.values())
        self._deflect_below = said.deflect_below
        self._hold = round(said.hold_seconds * MICROS_PER_SECOND)
        self.metered = said.metered

    def least_left(self, offered: Offered, room: Room) -> int:
        """Return how many permits must be left for a contact to have one: more where others come first."""
        comes_first = self._priorities.get(offered.segment, 0) > 0
        return 1 if comes_first or not self._some_come_first else room.kept + 1

    def spill(self, offered: Offered, people: People, shortage: str | None, room: Room | None, now: int) -> Spill:
        """Return what a contact gets. shortage: says that its people are short, where they are.

        room: None where spillover is not metered, or nobody says how much room there is.
        """
        priority = self._priorities.get(offered.segment, 0)
        if room is None:
            answer, reasons = self._by_shortage(offered, shortage)
        else:
            answer, reasons = self._by_room(offered, priority, people, room)
        until = now + self._hold if answer is Answer.HOLD else None
        return Spill(answer, reasons, priority, self._notices.get(offered.channel), until)

    def _by_shortage(self, offered: Offered, shortage: str | None) -> tuple[Answer, tuple[Reason, ...]]:
        answer = self._answers.get(offered.channel)
        if answer is None or shortage is None:
            return Answer.PEOPLE, ()
        return answer, (Reason(code="spillover", detail=f"{shortage}: {answer}"),)

    def _by_room(
        self, offered: Offered, priority: int, people: People, room: Room
    ) -> tuple[Answer, tuple[Reason, ...]]:
        """Return what a contact gets by the room that there is. One that is under way stays with somebody."""
        under_way = offered.handover is not None
        if self._deflect_below is not None and priority < self._deflect_below and not under_way:
            told = f"priority {priority} is below {self._deflect_below}: {Answer.DEFLECT}"
            return Answer.DEFLECT, (Reason(code="spillover", detail=told),)
        is_open = people.answer is Answer.PEOPLE
        if is_open and room.left >= self.least_left(offered, room):
            return Answer.PEOPLE, (Reason(code=SPARE_CODE, detail=f"{people.queue}: {room.left} of {room.given} left"),)
        answer = Answer.PEOPLE if under_way else self._answers.get(offered.channel, Answer.PEOPLE)
        if not is_open:
            why = "is closed"
        elif room.left > 0:
            why = f"keeps {room.left} of {room.given} for priorities above 0"
        else:
            why = "has no room"
        return answer, (Reason(code="spillover", detail=f"{people.queue} {why}: {answer}"),)


def spent_spare(decision: Decision) -> bool:
    """Return whether a decision sent its contact to people by a permit."""
    return decision.endpoint is None and any(reason.code == SPARE_CODE for reason in decision.reasons)
