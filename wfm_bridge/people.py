"""What people had of contacts, by how these ended: the load that WFM plans for. Pure."""

from __future__ import annotations

from typing import NamedTuple

from schemas.analytics import HandleTimeRow
from schemas.fields import Handling

_FINISHED = frozenset({Handling.HUMAN_ONLY, Handling.AI_ESCALATED})


class PeopleLoad(NamedTuple):
    """Contacts that came to people, those of them that people finished, and the talk and wrap of these, in seconds."""

    offered: int = 0
    handled: int = 0
    seconds: float = 0.0

    def plus(self, other: PeopleLoad) -> PeopleLoad:
        """Return both together."""
        return PeopleLoad(self.offered + other.offered, self.handled + other.handled, self.seconds + other.seconds)


def people_load(row: HandleTimeRow) -> PeopleLoad:
    """Return people's part of a row.

    Those whom AI never had and who left were waiting for people. Who left after a word with AI counts as AI's: whether
    that was on the way to people, nobody says.
    """
    if row.handling in _FINISHED:
        return PeopleLoad(row.contacts, row.contacts, row.talk.sum_seconds + row.wrap.sum_seconds)
    return PeopleLoad(offered=row.ai.zeros) if row.handling is Handling.ABANDONED else PeopleLoad()
