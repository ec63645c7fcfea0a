"""Handle times by cell: what has ended is added up at each tick, changed cells are told, old ones forgotten.

State of a tenant:

- `times:<JSON list of queue, channel, handling, interval_start>` -> for each of COMPONENTS, of the contacts that ended
  so: microseconds in all, how many had none, and `{bin: contacts}` of the others
- `times-late:<JSON list of queue, channel, handling>` -> the same, of contacts that ended when their cell was forgotten
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any, NamedTuple

import msgspec

from processors.analytics.logic import keeping
from processors.analytics.logic.keeping import Cell, Kind
from runtime.sketches import RELATIVE_ACCURACY, Sketch, micros_of
from runtime.state import KeyedState
from schemas.analytics import HandleTimeRow
from schemas.fields import Channel, Handling
from schemas.topics import HANDLE_TIME, Effect
from schemas.wfm import VolumeDelta

COMPONENTS = ("ai", "wait", "talk", "wrap", "handle")
_CELL = "times:"
_LATE = "times-late:"
_Late = tuple[str, Channel, Handling]
_Own = tuple[str, Channel, Handling, int]


class Handled(NamedTuple):
    """A contact that ended, and where its time went, in microseconds.

    `left`: the final state that it was in before, where this one corrects that; None of a contact that was under way.
    """

    queue: str
    channel: str
    handling: str
    interval_start: int
    left: str | None
    ai: int
    wait: int
    talk: int
    wrap: int

    @property
    def times(self) -> tuple[int, ...]:
        """Its times, by component."""
        return self.ai, self.wait, self.talk, self.wrap, self.ai + self.talk + self.wrap


def times_of(delta: VolumeDelta, left: Handling | None) -> list[Any]:
    """Return what a delta to a final state says of where the time went: the fields of Handled after the queue."""
    return [
        delta.channel.value,
        delta.to_handling.value,
        delta.interval_start,
        None if left is None else left.value,
        micros_of(delta.ai_seconds),
        micros_of(delta.wait_seconds),
        micros_of(delta.talk_seconds),
        micros_of(delta.wrap_seconds),
    ]


def changed_rows(tenant: str, handled: Iterable[Handled], state: KeyedState, now: int, revision: int) -> list[Effect]:
    """Add contacts to their cells, and return a row of each cell that changed, in the order of names; forget old cells.

    A correction moves its contact, which it finds by its times: they are those of the first close. One with other times
    leaves the contact where it is, so none is there twice. now: UTC microseconds.
    """
    cells = _Cells(state, now)
    for contact in handled:
        if contact.left is None or cells.take(contact):
            cells.add(contact)
    told = []
    for name, sketches in sorted(cells.changed.items()):
        state.set(name, [each.stored() for each in sketches])
        told.append(Effect(HANDLE_TIME, _row(tenant, name, sketches, now, revision)))
    for gone in keeping.leaving(state, (Kind.HANDLE_TIME,), now):
        state.delete(_CELL + gone.scope)
    return told


class _Cells:
    """The cells that a tick changes."""

    def __init__(self, state: KeyedState, now: int) -> None:
        self._state = state
        self._now = now
        self.changed: dict[str, list[Sketch]] = {}

    def add(self, contact: Handled) -> None:
        """Add a contact to its own cell, or to the late one where that is forgotten."""
        name, late = _names(contact.queue, contact.channel, contact.handling, contact.interval_start)
        if self._find(name) is None:
            if keeping.is_over(Kind.HANDLE_TIME, contact.interval_start, self._now):
                name = late
            else:
                keeping.keep(self._state, Cell(Kind.HANDLE_TIME, contact.interval_start, name[len(_CELL) :]))
        sketches = self._find(name) or [Sketch() for _ in COMPONENTS]
        for sketch, micros in zip(sketches, contact.times, strict=True):
            sketch.add(micros)
        self.changed[name] = sketches

    def take(self, contact: Handled) -> bool:
        """Take a contact out of the cell that it leaves; return whether it was there."""
        for name in _names(contact.queue, contact.channel, contact.left or "", contact.interval_start):
            sketches = self._find(name) or []
            if sketches and all(each.holds(micros) for each, micros in zip(sketches, contact.times, strict=True)):
                for sketch, micros in zip(sketches, contact.times, strict=True):
                    sketch.add(micros, -1)
                self.changed[name] = sketches
                return True
        return False

    def _find(self, name: str) -> list[Sketch] | None:
        if name in self.changed:
            return self.changed[name]
        stored = self._state.get(name)
        return None if stored is None else [Sketch(*each) for each in stored]


@lru_cache(maxsize=4096)
def _names(queue: str, channel: str, handling: str, interval_start: int) -> tuple[str, str]:
    """Return the names of a contact's own cell and of the late one: many contacts of a tick have the same."""
    late = (queue, channel, handling)
    own = (*late, interval_start)
    return _CELL + msgspec.json.encode(own).decode(), _LATE + msgspec.json.encode(late).decode()


def _row(tenant: str, name: str, sketches: list[Sketch], now: int, revision: int) -> HandleTimeRow:
    late = name.startswith(_LATE)
    if late:
        queue, channel, handling = msgspec.json.decode(name[len(_LATE) :], type=_Late)
        interval_start = 0
    else:
        queue, channel, handling, interval_start = msgspec.json.decode(name[len(_CELL) :], type=_Own)
    return HandleTimeRow(
        tenant=tenant,
        queue=queue,
        channel=channel,
        handling=handling,
        interval_start=interval_start,
        revision=revision,
        contacts=sketches[0].count,
        relative_accuracy=RELATIVE_ACCURACY,
        updated_at=now,
        late=late,
        **{component: each.told() for component, each in zip(COMPONENTS, sketches, strict=True)},
    )
