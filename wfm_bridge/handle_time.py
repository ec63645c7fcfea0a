"""Handle times over any span: rows of intervals merged, their sketches exactly. Pure."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable

from runtime.sketches import Sketch
from schemas.analytics import HandleTimeRow, TimeSketch
from schemas.fields import Channel, Count, Event, Handling, Id, Micros, Probability
from schemas.wfm import INTERVAL_MICROS

COMPONENTS = ("ai", "wait", "talk", "wrap", "handle")


class GroupBy(enum.StrEnum):
    """What handle times are told apart by; by tenant always."""

    INTERVAL = "interval"
    QUEUE = "queue"
    CHANNEL = "channel"
    HANDLING = "handling"


class HandleTimes(Event, frozen=True, kw_only=True):
    """Times of the contacts that arrived from `starts_at` until before `ends_at`, as on HandleTimeRow.

    `queue`, `channel`, `handling`: null for all. The instants are null where all contacts came too late for their
    interval.
    """

    tenant: Id
    queue: str | None
    channel: Channel | None
    handling: Handling | None
    starts_at: Micros | None
    ends_at: Micros | None
    contacts: Count
    relative_accuracy: Probability
    ai: TimeSketch
    wait: TimeSketch
    talk: TimeSketch
    wrap: TimeSketch
    handle: TimeSketch
    updated_at: Micros


class _Group:
    """Rows that are merged."""

    def __init__(self) -> None:
        self.starts: list[int] = []
        self.updated_at = 0
        self.sketches = {component: Sketch() for component in COMPONENTS}

    def add(self, row: HandleTimeRow) -> None:
        """Merge a row."""
        if not row.late:
            self.starts.append(row.interval_start)
        self.updated_at = max(self.updated_at, row.updated_at)
        for component, sketch in self.sketches.items():
            sketch.merge(getattr(row, component))


def merged(rows: Iterable[HandleTimeRow], by: Collection[GroupBy]) -> list[HandleTimes]:
    """Return rows merged, listed by time where they are told apart by it, then tenant, queue, channel and handling."""
    groups: dict[tuple[int, str, str, str, str, float], _Group] = {}
    for row in rows:
        key = (
            row.interval_start if GroupBy.INTERVAL in by and not row.late else -1,
            row.tenant,
            row.queue if GroupBy.QUEUE in by else "",
            row.channel if GroupBy.CHANNEL in by else "",
            row.handling if GroupBy.HANDLING in by else "",
            row.relative_accuracy,  # bins of another accuracy are others
        )
        groups.setdefault(key, _Group()).add(row)
    return [_told(key, group) for key, group in sorted(groups.items(), key=lambda item: item[0])]


def place_of(row: HandleTimes, by: Collection[GroupBy]) -> tuple[int, str, str, str, str, float]:
    """Return what merged rows are listed by."""
    start = row.starts_at if GroupBy.INTERVAL in by and row.starts_at is not None else -1
    return start, row.tenant, row.queue or "", row.channel or "", row.handling or "", row.relative_accuracy


def _told(key: tuple[int, str, str, str, str, float], group: _Group) -> HandleTimes:
    _, tenant, queue, channel, handling, relative_accuracy = key
    return HandleTimes(
        tenant=tenant,
        queue=queue or None,
        channel=Channel(channel) if channel else None,
        handling=Handling(handling) if handling else None,
        starts_at=min(group.starts, default=None),
        ends_at=max(group.starts) + INTERVAL_MICROS if group.starts else None,
        contacts=group.sketches["handle"].count,
        relative_accuracy=relative_accuracy,
        updated_at=group.updated_at,
        **{component: sketch.told() for component, sketch in group.sketches.items()},
    )
