"""The tables of our own that are exported: their columns, types and meaning. docs/export.md shows them."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, NamedTuple

from schemas.analytics import HandleTimeRow
from schemas.fields import Handling
from wfm_bridge.handle_time import COMPONENTS
from wfm_bridge.history.grid import Grid


class Kind(enum.Enum):
    """Type of a column's values."""

    TEXT = "text"
    COUNT = "integer"
    SECONDS = "seconds"
    INTERVAL = "instant, whole seconds"
    INSTANT = "instant"


class Column(NamedTuple):
    """A column. `of`: its value in a row; of instants UTC microseconds. `nullable`: it may be None."""

    name: str
    kind: Kind
    about: str
    of: Callable[[Any], Any]
    nullable: bool = False


class Table(NamedTuple):
    """A table. `rows`: those that a grid gives."""

    name: str
    columns: tuple[Column, ...]
    rows: Callable[[Grid], Iterator[Any]]


def _named(name: str, kind: Kind, about: str) -> Column:
    return Column(name, kind, about, attrgetter(name))


_STATES = {
    Handling.IN_PROGRESS: "not over yet",
    Handling.AI_CONTAINED: "AI alone finished them",
    Handling.AI_ASSISTED: "AI finished them, a person watched or approved",
    Handling.AI_ESCALATED: "AI spoke, a person finished them",
    Handling.HUMAN_ONLY: "people alone finished them",
    Handling.DEFLECTED: "sent to self-service or a call later",
    Handling.ABANDONED: "the customer left before anyone finished them",
}
_WHOSE = (_named("tenant", Kind.TEXT, "tenant"), _named("queue", Kind.TEXT, "queue of people, of the first decision"))
_INTERVAL = _named("interval_start", Kind.INTERVAL, "15 minutes in which they were offered")
_WRITTEN = (
    _named("revision", Kind.COUNT, "grows with every correction of the row; 0: nothing came"),
    Column(
        "updated_at", Kind.INSTANT, "when it was told; null: never", lambda row: row.updated_at or None, nullable=True
    ),
)

VOLUME = Table(
    "volume",
    (
        *_WHOSE,
        _named("intent", Kind.TEXT, "intent of the first decision"),
        _named("channel", Kind.TEXT, "channel"),
        _named("language", Kind.TEXT, "language; empty: not known"),
        _INTERVAL,
        _named("offered", Kind.COUNT, "contacts offered: the sum of the seven that follow"),
        *(_named(handling.value, Kind.COUNT, about) for handling, about in _STATES.items()),
        *_WRITTEN,
    ),
    Grid.volumes,
)


def _contacts_with(component: str) -> Column:
    def of(row: HandleTimeRow) -> int:
        return row.contacts - int(getattr(row, component).zeros)

    return Column(f"{component}_contacts", Kind.COUNT, f"contacts with any `{component}` time", of)


def _seconds_of(component: str) -> Column:
    about = f"`{component}` time of all of them together"
    return Column(f"{component}_seconds", Kind.SECONDS, about, attrgetter(f"{component}.sum_seconds"))


HANDLE_TIME = Table(
    "handle_time",
    (
        *_WHOSE,
        _named("channel", Kind.TEXT, "channel"),
        _named("handling", Kind.TEXT, "how the contacts ended: one of the seven states of `volume`, but `in_progress`"),
        _INTERVAL,
        _named("contacts", Kind.COUNT, "contacts that ended so"),
        *(make(component) for component in COMPONENTS for make in (_contacts_with, _seconds_of)),
        Column(
            "aht_seconds",
            Kind.SECONDS,
            "`handle_seconds` / `contacts`; null: none",
            attrgetter("handle.mean_seconds"),
            nullable=True,
        ),
        *_WRITTEN,
    ),
    Grid.handle_times,
)

TABLES = {table.name: table for table in (VOLUME, HANDLE_TIME)}
