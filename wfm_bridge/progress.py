"""How far the views have been rebuilt: pure accounting of offsets, by partition."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class Place(NamedTuple):
    """A partition of a topic, by the topic's name on the broker."""

    topic: str
    partition: int


class Behind(NamedTuple):
    """A partition that has not been read to the end that it had at start."""

    place: Place
    end: int
    position: int


class Progress:
    """Ready once every partition has been read, and applied, to the end it had at start.

    ends: partition -> the last stable offset at start. An end may lie behind a transaction marker
    or aborted records, which nobody hands out: so the reader's position decides, not a record's offset.
    """

    def __init__(self, ends: Mapping[Place, int]) -> None:
        self._ends = dict(ends)
        self._waiting = {place: 0 for place, end in ends.items() if end > 0}
        self._handed: dict[Place, int] = {}
        self._applied: dict[Place, int] = {}

    def handed(self, place: Place, last_offset: int) -> None:
        """Note that records up to `last_offset` are on their way to the views."""
        self._handed[place] = max(last_offset, self._handed.get(place, -1))

    def applied(self, place: Place, offset: int) -> None:
        """Note that the record at `offset` is in its view, or was skipped."""
        self._applied[place] = max(offset, self._applied.get(place, -1))
        self._settle(place)

    def at(self, place: Place, position: int) -> None:
        """Note the reader's position, with everything before it handed out."""
        if place in self._waiting:
            self._waiting[place] = max(position, self._waiting[place])
            self._settle(place)

    def is_live(self, place: Place, offset: int) -> bool:
        """Return whether a record was written after start (an older one rebuilds the view)."""
        return offset >= self._ends.get(place, 0)

    @property
    def waiting(self) -> tuple[Place, ...]:
        """Partitions that are still being rebuilt."""
        return tuple(self._waiting)

    @property
    def ready(self) -> bool:
        """Whether the views hold all that the topics held at start."""
        return not self._waiting

    def behind(self) -> list[Behind]:
        """Return the partitions still to be read, in order."""
        return [Behind(place, self._ends[place], position) for place, position in sorted(self._waiting.items())]

    def _settle(self, place: Place) -> None:
        position = self._waiting.get(place)
        if position is None or position < self._ends[place]:
            return
        if self._applied.get(place, -1) >= self._handed.get(place, -1):
            del self._waiting[place]
