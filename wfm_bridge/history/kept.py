"""The rows that stand of a span of time: the latest of each cell, whatever the order they come in. Pure."""

from __future__ import annotations

from typing import NamedTuple, TypeVar

from runtime.errors import SettingsError
from schemas.analytics import HandleTimeRow
from schemas.envelope import iso_time
from schemas.fields import LATEST, Event
from schemas.wfm import INTERVAL_MICROS, VolumeRow

VolumeCell = tuple[str, str, str, str, str]
"""Tenant, queue, intent, channel, language."""
TimesCell = tuple[str, str, str, str]
"""Tenant, queue, channel, handling."""

R = TypeVar("R", VolumeRow, HandleTimeRow)
C = TypeVar("C", VolumeCell, TimesCell)


class Span(NamedTuple):
    """From one interval's start until another's, which is not in it; UTC microseconds."""

    start: int
    end: int

    def intervals(self) -> range:
        """Return the starts of its 15-minute intervals."""
        return range(self.start, self.end, INTERVAL_MICROS)


def whole_intervals(start: int, end: int, now: int) -> Span:
    """Return the span between two instants; all in UTC microseconds.

    Raises SettingsError where an end is no interval's start, no time is between, or some of it is not over at `now`.
    """
    for option, at in (("--from", start), ("--to", end)):
        if not 0 <= at <= LATEST:
            raise SettingsError(f"{option} is not between the years 1970 and 9999")
        if at % INTERVAL_MICROS:
            near = at - at % INTERVAL_MICROS
            raise SettingsError(
                f"{option} {iso_time(at)} is within a 15-minute interval: give {iso_time(near)} or "
                f"{iso_time(near + INTERVAL_MICROS)}"
            )
    if start >= end:
        raise SettingsError(f"--to {iso_time(end)} is not after --from {iso_time(start)}: --to itself is not exported")
    if end > now:
        last = iso_time(now - now % INTERVAL_MICROS)
        raise SettingsError(f"--to {iso_time(end)} is to come, and zeros for it would be untrue: give {last} at most")
    return Span(start, end)


class Kept:
    """Rows of one tenant, or of all, whose interval is in a span. Totals of what came too late are of no interval."""

    def __init__(self, span: Span, tenant: str | None = None) -> None:
        self._span = span
        self._tenant = tenant
        self.volumes: dict[tuple[int, VolumeCell], VolumeRow] = {}
        self.times: dict[tuple[int, TimesCell], HandleTimeRow] = {}

    def take(self, event: Event) -> None:
        """Keep a row, unless it is of another time or tenant, or one of a higher revision is there."""
        if isinstance(event, VolumeRow):
            cell = (event.tenant, event.queue, event.intent, event.channel.value, event.language)
            self._keep(self.volumes, cell, event)
        elif isinstance(event, HandleTimeRow):
            times_cell = (event.tenant, event.queue, event.channel.value, event.handling.value)
            self._keep(self.times, times_cell, event)

    def _keep(self, rows: dict[tuple[int, C], R], cell: C, row: R) -> None:
        if row.late or not self._span.start <= row.interval_start < self._span.end:
            return
        if self._tenant is not None and row.tenant != self._tenant:
            return
        known = rows.get((row.interval_start, cell))
        if known is None or row.revision >= known.revision:
            rows[row.interval_start, cell] = row
