"""Up to where the records of each partition are done, whatever order they end in. Pure."""

from __future__ import annotations

from collections import defaultdict, deque

Place = tuple[str, int]
"""A partition of a topic."""


class Ledger:
    """What was taken and is not done; the position of a partition is the first offset that is not done."""

    def __init__(self) -> None:
        self.waiting = 0
        """Records that are not done."""
        self._held: defaultdict[Place, deque[int]] = defaultdict(deque)
        self._done: set[tuple[Place, int]] = set()
        self._ends: dict[Place, int] = {}
        self._told: dict[Place, int] = {}

    @property
    def ahead(self) -> int:
        """How many records are done and not passed by a position: a crash has them done again."""
        return len(self._done)

    def take(self, place: Place, offset: int) -> None:
        """Note a record that is to be done; offsets of a partition grow."""
        self._held[place].append(offset)
        self._ends[place] = offset + 1
        self.waiting += 1

    def skip(self, place: Place, offset: int) -> None:
        """Note a record with which nothing is to be done."""
        self._ends[place] = offset + 1

    def done(self, place: Place, offset: int) -> None:
        """Note that a record which was taken is done."""
        self.waiting -= 1
        self._done.add((place, offset))
        held = self._held[place]
        while held and (place, held[0]) in self._done:
            self._done.remove((place, held.popleft()))

    def positions(self) -> dict[Place, int]:
        """Return the positions that have moved since they were last asked for."""
        moved = {}
        for place, end in self._ends.items():
            held = self._held[place]
            position = held[0] if held else end
            if position != self._told.get(place):
                moved[place] = position
        self._told |= moved
        return moved

    def forget(self) -> None:
        """Forget all: partitions are read again from what was committed."""
        self.waiting = 0
        for kept in (self._held, self._done, self._ends, self._told):
            kept.clear()
