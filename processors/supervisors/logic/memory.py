"""When to forget: a queue of contacts and of supervisors who have gone, the oldest first.

`memory` holds the places of the first and of the next to come, and how many are queued; each has an entry of its own.
One that is dropped leaves a gap, which is passed over when its turn comes.
"""

from __future__ import annotations

from typing import NamedTuple

from runtime.state import KeyedState

KEPT_MICROS = 48 * 60 * 60 * 1_000_000
"""For so long a contact is remembered from when it needed a supervisor: the 24 h that a session lasts at most, and 24 h
in which its events may be repeated. One whose end was never told gives its supervisor back then. A supervisor who has
gone is remembered as long."""
MOST_KEPT = 100_000
"""Remembered at once, per tenant: beyond, the oldest contacts that have no supervisor are forgotten. With ids of 40
characters that is some 20 MB."""
_PASSED_AT_ONCE = 16
_QUEUE = "memory"


class Remembered(NamedTuple):
    """What is queued: a supervisor or a contact, and since when (UTC microseconds)."""

    kind: str
    name: str
    since: int


class Memory:
    """The queue of a tenant, as one event finds it."""

    def __init__(self, state: KeyedState) -> None:
        self._state = state
        self._first, self._next, self._count = state.get(_QUEUE, (0, 0, 0))

    def add(self, remembered: Remembered) -> int:
        """Queue a supervisor or a contact; return its place."""
        place: int = self._next
        self._state.set(f"{_QUEUE}\x1f{place}", list(remembered))
        self._next += 1
        self._count += 1
        self._save()
        return place

    def drop(self, place: int) -> None:
        """Take out what was queued."""
        self._state.delete(f"{_QUEUE}\x1f{place}")
        self._count -= 1
        self._save()

    def take(self, now: int) -> Remembered | None:
        """Take out the first, where its time is over or there are too many; return None where there is none such.

        A time that lies far ahead is over too: the clock was set back.
        """
        for _ in range(_PASSED_AT_ONCE):
            if self._first == self._next:
                return None
            stored = self._state.get(f"{_QUEUE}\x1f{self._first}")
            if stored is None:
                self._first += 1
                self._save()
                continue
            first = Remembered(*stored)
            if self._count <= MOST_KEPT and not is_over(first.since, now):
                return None
            self.drop(self._first)
            return first
        return None

    def _save(self) -> None:
        self._state.set(_QUEUE, [self._first, self._next, self._count])


def is_over(since: int, now: int) -> bool:
    """Tell whether what is remembered since an instant is to be forgotten at another (both UTC microseconds)."""
    return abs(now - since) >= KEPT_MICROS
