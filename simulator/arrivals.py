"""When contacts arrive: Poisson, at a constant rate or as a file of intervals says.

A schedule is an ascending iterator of instants (UTC microseconds), drawn as it is consumed.
"""

from __future__ import annotations

import csv
import itertools
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from runtime.errors import SettingsError
from schemas.fields import MICROS_PER_SECOND

_DEFAULT_INTERVAL = timedelta(minutes=30)
"""Length of an interval where a day has only one: the usual grain of a call centre's counts."""
_COLUMNS = ("interval_start", "calls")


class Interval(NamedTuple):
    """A stretch of time (UTC microseconds, the end excluded) and the calls expected in it."""

    start: int
    end: int
    calls: float


def midnight(day: date) -> int:
    """Return 00:00 UTC of a day in microseconds."""
    return _micros(datetime(day.year, day.month, day.day, tzinfo=UTC))


def read_intervals(path: Path, day: date) -> list[Interval]:
    """Return a day's intervals from a file of `interval_start,calls`, in order of time.

    Times are ISO 8601, UTC where they carry no offset. An interval lasts until the next may start: the
    smallest step between two rows of the day. Raises SettingsError where the file or the day is of no use.
    """
    rows = _read_rows(path)
    starts = dict(sorted((start, calls) for start, calls in rows if start.date() == day))
    if not starts:
        first, last = min(rows)[0].date(), max(rows)[0].date()
        raise SettingsError(f"{path} has no interval on {day}: it covers {first} to {last}, give --day one of those")
    step = min((b - a for a, b in itertools.pairwise(starts)), default=_DEFAULT_INTERVAL)
    return [Interval(_micros(start), _micros(start + step), calls) for start, calls in starts.items()]


def _read_rows(path: Path) -> list[tuple[datetime, float]]:
    rows: list[tuple[datetime, float]] = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not set(_COLUMNS) <= set(reader.fieldnames or ()):
                raise SettingsError(f"{path} needs the columns interval_start,calls; it has {reader.fieldnames}")
            rows.extend(_row(path, reader.line_num, row) for row in reader)
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"the arrivals file {path} cannot be read: {problem}") from problem
    if not rows:
        raise SettingsError(f"{path} has no rows: give one interval_start,calls per interval")
    return rows


def _row(path: Path, line: int, row: dict[str, str]) -> tuple[datetime, float]:
    try:
        start, calls = datetime.fromisoformat(row["interval_start"]), float(row["calls"])
    except (ValueError, TypeError) as problem:
        raise SettingsError(f"{path} line {line} is not an ISO time and a number: {problem}") from problem
    if not 0 <= calls < float("inf"):
        raise SettingsError(f"{path} line {line}: calls must be 0 or more, not {calls}")
    return (start.replace(tzinfo=UTC) if start.tzinfo is None else start.astimezone(UTC)), calls


def _micros(instant: datetime) -> int:
    return (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


def constant_rate(start: int, per_second: float, rng: random.Random) -> Iterator[int]:
    """Yield the arrivals of a Poisson process from `start` on, without end (per virtual second)."""
    at = float(start)
    while True:
        at += rng.expovariate(per_second) * MICROS_PER_SECOND
        yield int(at)


def by_intervals(intervals: Sequence[Interval], rng: random.Random) -> Iterator[int]:
    """Yield a non-homogeneous Poisson process whose rate is constant within each interval.

    The exponential distribution has no memory, so drawing afresh at each interval's start is exact.
    """
    for start, end, calls in intervals:
        if calls == 0.0:
            continue
        at = float(start)
        while (at := at + rng.expovariate(calls) * (end - start)) < end:
            yield int(at)


def bounded(schedule: Iterator[int], until: int | None, contacts: int | None) -> Iterator[int]:
    """Yield of a schedule what lies before `until`, and no more than `contacts`; None is no bound."""
    if until is not None:
        schedule = itertools.takewhile(lambda at: at < until, schedule)
    return itertools.islice(schedule, contacts)
