"""Opening hours and instants as people write them in a policy. Pure: the time is always given.

Time zones are those of the IANA database, of the system or of the package `tzdata`.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import NamedTuple

from schemas.rules import Opening

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
CLOSED = "closed"
_MICROS = 1_000_000
_LOOK_AHEAD_DAYS = 8
_SPAN = re.compile(r"(\d{2}):(\d{2})-(\d{2}):(\d{2})")
_DAY_MINUTES = 24 * 60

Spans = tuple[tuple[int, int], ...]
"""Minutes of a day from and to; an end at or before its start is on the next day."""


class State(NamedTuple):
    """Whether it is open, and until when that stays so at least (UTC microseconds)."""

    is_open: bool
    until: int


def instant(text: str) -> int:
    """Return an instant, such as 2026-12-01T02:00:00Z, in UTC microseconds; raises ValueError where it is none."""
    moment = dt.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone: end it with Z for UTC, or with an offset such as +01:00")
    return _micros(moment)


def spans_of(hours: str) -> Spans:
    """Return the spans of `08:00-12:00, 13:00-18:00`, or none for `closed`; raises ValueError where it is neither."""
    if hours.strip() == CLOSED:
        return ()
    return tuple(_span(part.strip()) for part in hours.split(","))


def days_of(days: str) -> list[str]:
    """Return the days that are named: `mon` to `sun`, or a date; raises ValueError where it is none."""
    named: list[str] = []
    for part in days.split(","):
        first, _, last = part.strip().partition("-")
        if first in DAYS and last in DAYS:
            start, end = DAYS.index(first), DAYS.index(last)
            named += [DAYS[at % 7] for at in range(start, end + 1 if end >= start else end + 8)]
        elif part.strip() in DAYS:
            named.append(part.strip())
        else:
            named.append(dt.date.fromisoformat(part.strip()).isoformat())
    return named


class Calendar:
    """When something is open. Raises ValueError for hours that make no sense, ZoneInfoNotFoundError for a zone."""

    def __init__(self, openings: Sequence[Opening], time_zone: str) -> None:
        self._zone = zone(time_zone)
        self._spans: dict[str, Spans] = {day: spans_of(each.hours) for each in openings for day in days_of(each.days)}
        self._asked, self._answer = 0, State(is_open=False, until=0)

    def at(self, now: int) -> State:
        """Return whether it is open at a time, UTC microseconds."""
        if not self._asked <= now < self._answer.until:
            self._asked, self._answer = now, self._at(now)
        return self._answer

    def _at(self, now: int) -> State:
        today = dt.datetime.fromtimestamp(now / _MICROS, self._zone).date()
        is_open, until = False, _micros(self._midnight(today + dt.timedelta(days=_LOOK_AHEAD_DAYS)))
        for start, end in self._around(today):
            if start <= now < end:
                is_open = True
            until = min(until, *(edge for edge in (start, end, until) if edge > now))
        return State(is_open, until)

    def _around(self, today: dt.date) -> Iterator[tuple[int, int]]:
        for ahead in range(-1, _LOOK_AHEAD_DAYS):
            day = today + dt.timedelta(days=ahead)
            spans = self._spans.get(day.isoformat(), self._spans.get(DAYS[day.weekday()], ()))
            for start, end in spans:
                last = day if end > start else day + dt.timedelta(days=1)
                yield self._instant(day, start), self._instant(last, end)

    def _instant(self, day: dt.date, minutes: int) -> int:
        on = day + dt.timedelta(days=minutes // _DAY_MINUTES)
        hour, minute = divmod(minutes % _DAY_MINUTES, 60)
        return _micros(dt.datetime.combine(on, dt.time(hour, minute), self._zone))

    def _midnight(self, day: dt.date) -> dt.datetime:
        return dt.datetime.combine(day, dt.time(), self._zone)


@lru_cache(maxsize=10_000)
def calendar(openings: tuple[Opening, ...], time_zone: str) -> Calendar:
    """Return the calendar of some opening hours: many queues have the same. Raises as `Calendar` does."""
    return Calendar(openings, time_zone)


@lru_cache
def zone(name: str) -> zoneinfo.ZoneInfo:
    """Return a time zone; raises ZoneInfoNotFoundError or ValueError where there is none of this name."""
    return zoneinfo.ZoneInfo(name)


def _span(text: str) -> tuple[int, int]:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no span of time: write it as 08:00-18:00, or `closed`")
    hour, minute, end_hour, end_minute = map(int, found.groups())
    start, end = hour * 60 + minute, end_hour * 60 + end_minute
    if max(minute, end_minute) >= 60 or start >= _DAY_MINUTES or end > _DAY_MINUTES:  # noqa: PLR2004 - of an hour
        raise ValueError(f"{text!r}: hours are 00 to 23 (24:00 as an end), minutes 00 to 59")
    return start, end


def _micros(moment: dt.datetime) -> int:
    return round(moment.timestamp()) * _MICROS
