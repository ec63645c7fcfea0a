"""What will happen in the simulated world, and when."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from schemas.fields import MICROS_PER_SECOND

Happening = Callable[[int, Any], None]
"""Called with the instant at which it was due and its subject."""


class Due:
    """One thing that will happen at an instant (UTC microseconds), unless it is cancelled."""

    __slots__ = ("at", "happening", "subject")

    def __init__(self, at: int, happening: Happening, subject: Any) -> None:
        self.at = at
        self.happening: Happening | None = happening
        self.subject = subject


class Agenda:
    """A heap of things due, the soonest first; of two of one instant that which was planned first."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Due]] = []
        self._pushed = 0

    def push(self, at: int, happening: Happening, subject: Any = None) -> Due:
        """Let something happen at an instant; return it, for `cancel`."""
        self._pushed += 1  # orders what is due at one instant, so that nothing else is compared
        due = Due(at, happening, subject)
        heapq.heappush(self._heap, (at, self._pushed, due))
        return due

    @staticmethod
    def cancel(due: Due | None) -> None:
        """Let it not happen; nothing changes where it has."""
        if due is not None:
            due.happening = due.subject = None

    def run(self, now: int) -> None:
        """Let everything happen that is due by `now`, also what is planned meanwhile."""
        while self._heap and self._heap[0][0] <= now:
            at, _, due = heapq.heappop(self._heap)
            if due.happening is not None:
                due.happening(at, due.subject)

    def next_at(self) -> int | None:
        """Return when the next thing is due, or None."""
        while self._heap and self._heap[0][2].happening is None:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None


def micros(seconds: float) -> int:
    """Return a duration in microseconds."""
    return int(seconds * MICROS_PER_SECOND)
