"""The contacts of one queue that wait for room: highest priority first, then longest waiting.

A binary heap in which each contact is an entry of the state, and knows its place: to join, to leave
and to be taken out write a dozen small entries at most for each thousandfold of contacts, never one
list of all. State of a tenant:

- `line:<queue>` -> contacts in it
- `place:<number>:<queue>` -> [-priority, offered_at, interaction_id, hold_until] (times in micros)
- `held:<interaction_id>` -> [queue, place], or [queue, null] once released, until sessions say that it is over
"""

from __future__ import annotations

from typing import Any

from runtime.state import KeyedState
from schemas.wfm import Held

_Contact = list[Any]
"""[-priority, offered_at, interaction_id, hold_until]: lists compare in the order in which contacts are released."""


class Line:
    """The line of one queue, in the state of its tenant."""

    def __init__(self, state: KeyedState, queue: str) -> None:
        self._state = state
        self._queue = queue

    def __len__(self) -> int:
        return int(self._state.get(f"line:{self._queue}", 0))

    def join(self, held: Held) -> None:
        """Put a contact in its place; one that is known, waiting or released, changes nothing."""
        if self._state.get(f"held:{held.interaction_id}") is not None:
            return
        last = len(self)
        self._state.set(f"line:{self._queue}", last + 1)
        self._up(last, [-held.priority, held.offered_at, held.interaction_id, held.hold_until])

    def release(self, most: int, look: int, now: int) -> list[str]:
        """Take the first contacts out, up to `most`, and return their ids. They are remembered until they are over.

        Those held until `now` or before are dropped on the way, after which sessions send them on by
        themselves. `look`: contacts looked at, at most.
        """
        released: list[str] = []
        while len(self) and look and len(released) < most:
            look -= 1
            _, _, interaction_id, hold_until = self._at(0)
            self._take_out(0)
            if hold_until > now:
                self._state.set(f"held:{interaction_id}", [self._queue, None])
                released.append(interaction_id)
        return released

    def sweep(self, start: int, look: int, now: int) -> int:
        """Drop the expired among the `look` contacts before place `start`; return where to go on.

        Backwards: what takes the place of a contact comes from behind it, and has been looked at; or it is the one
        above it, so the place is looked at again, and what comes above it has been looked at: hence twice as often.
        """
        place = start
        for _ in range(min(look, 2 * len(self))):
            if not len(self):
                return 0
            place = (place if 0 < place <= len(self) else len(self)) - 1
            if self._at(place)[3] <= now:
                self._take_out(place)
                place += 1
        return place

    def leave(self, interaction_id: str, place: int | None) -> None:
        """Forget a contact that waits at `place`, or was released (null)."""
        if place is None:
            self._state.delete(f"held:{interaction_id}")
        else:
            self._take_out(place)

    def _at(self, place: int) -> _Contact:
        return list(self._state.get(f"place:{place}:{self._queue}"))

    def _put(self, place: int, contact: _Contact) -> None:
        self._state.set(f"place:{place}:{self._queue}", contact)
        self._state.set(f"held:{contact[2]}", [self._queue, place])

    def _take_out(self, place: int) -> None:
        """Forget the contact at `place`; the last of the heap goes there, and from there to where it belongs."""
        last = len(self) - 1
        self._state.delete(f"held:{self._at(place)[2]}")
        moved = self._at(last)
        self._state.delete(f"place:{last}:{self._queue}")
        self._state.set(f"line:{self._queue}", last)
        if place == last:
            return
        if place and moved < self._at((place - 1) // 2):
            self._up(place, moved)
        else:
            self._down(place, moved)

    def _up(self, place: int, contact: _Contact) -> None:
        while place and contact < (above := self._at((place - 1) // 2)):
            self._put(place, above)
            place = (place - 1) // 2
        self._put(place, contact)

    def _down(self, place: int, contact: _Contact) -> None:
        size = len(self)
        while (below := 2 * place + 1) < size:
            first = self._at(below)
            if below + 1 < size and (other := self._at(below + 1)) < first:
                below, first = below + 1, other
            if contact < first:
                break
            self._put(place, first)
            place = below
        self._put(place, contact)


def over(state: KeyedState, interaction_id: str) -> None:
    """Forget a contact that is held no more, in whichever line; nothing happens where it is not known."""
    known = state.get(f"held:{interaction_id}")
    if known is not None:
        queue, place = known
        Line(state, queue).leave(interaction_id, place)
