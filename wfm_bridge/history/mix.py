"""What became of a span's contacts, by queue and intent: who had them, and for how long. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from schemas.analytics import HandleTimeRow
from schemas.fields import CONTAINED, Handling
from schemas.wfm import VolumeRow
from wfm_bridge.history.kept import Kept
from wfm_bridge.people import PeopleLoad, people_load

_BY_AI = CONTAINED | {Handling.AI_ESCALATED, Handling.ABANDONED}


class Times(NamedTuple):
    """Of a queue: people's part, the contacts that AI had and was timed for with its seconds, and who left.

    `left_ai`: of those who left, whom AI had had.
    """

    people: PeopleLoad = PeopleLoad()
    ai_timed: int = 0
    ai_seconds: float = 0.0
    left: int = 0
    left_ai: int = 0

    @property
    def mean_ai_seconds(self) -> float | None:
        """How long AI had a contact, null where none was timed."""
        return self.ai_seconds / self.ai_timed if self.ai_timed else None

    @property
    def aht_seconds(self) -> float | None:
        """Talk and wrap of a contact that people finished, null where none was timed."""
        return self.people.seconds / self.people.handled if self.people.seconds else None


class Mix(NamedTuple):
    """Contacts of a queue and intent that are over, by what became of them.

    The rows of handle times, which know whom AI had had, tell intents not apart: of those who left, each intent has its
    queue's share.
    """

    contained: int = 0
    assisted: int = 0
    escalated: int = 0
    human_only: int = 0
    left_ai: float = 0.0
    left_people: float = 0.0
    in_progress: int = 0

    @property
    def ai(self) -> float:
        """Contacts that AI had."""
        return self.contained + self.assisted + self.escalated + self.left_ai

    @property
    def alone(self) -> float:
        """Contacts that came to people without AI."""
        return self.human_only + self.left_people

    @property
    def containment(self) -> float:
        """Share of AI's that no person had to finish (docs/containment.md); 0 where AI had none."""
        return (self.contained + self.assisted) / self.ai if self.ai else 0.0

    @property
    def reaching(self) -> float:
        """Share of those whom AI did not contain that came to people; 1 where it contained all."""
        escaped = self.escalated + self.left_ai
        return self.escalated / escaped if escaped else 1.0

    @property
    def watched(self) -> float:
        """Share of AI's that a person watched, by those that AI finished."""
        finished = self.contained + self.assisted
        return self.assisted / finished if finished else 0.0


def times_by_queue(kept: Kept) -> dict[str, Times]:
    """Return the times of each queue that had contacts end."""
    parts: dict[str, list[HandleTimeRow]] = defaultdict(list)
    for row in kept.times.values():
        parts[row.queue].append(row)
    return {queue: _times(rows) for queue, rows in parts.items()}


def mix_by_cell(kept: Kept, times: dict[str, Times]) -> dict[tuple[str, str], Mix]:
    """Return what became of the contacts of each queue and intent."""
    parts: dict[tuple[str, str], list[VolumeRow]] = defaultdict(list)
    for row in kept.volumes.values():
        parts[row.queue, row.intent].append(row)
    return {cell: _mix(rows, times.get(cell[0], Times())) for cell, rows in parts.items()}


def _times(rows: Iterable[HandleTimeRow]) -> Times:
    people, timed, seconds, left, left_ai = PeopleLoad(), 0, 0.0, 0, 0
    for row in rows:
        had = row.contacts - row.ai.zeros
        people = people.plus(people_load(row))
        if row.handling in _BY_AI:
            timed += had
            seconds += row.ai.sum_seconds
        if row.handling is Handling.ABANDONED:
            left += row.contacts
            left_ai += had
    return Times(people, timed, seconds, left, left_ai)


def _mix(rows: Iterable[VolumeRow], times: Times) -> Mix:
    found = Mix()
    left = 0
    for row in rows:
        left += row.abandoned
        found = Mix(
            contained=found.contained + row.ai_contained,
            assisted=found.assisted + row.ai_assisted,
            escalated=found.escalated + row.ai_escalated,
            human_only=found.human_only + row.human_only,
            in_progress=found.in_progress + row.in_progress,
        )
    of_ai = left * times.left_ai / times.left if times.left else 0.0
    return found._replace(left_ai=of_ai, left_people=left - of_ai)
