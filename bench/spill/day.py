"""When contacts arrive and what each brings: the same for every measure, so that they are compared on the same day."""

from __future__ import annotations

import csv
import itertools
import math
import os
import random
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from bench.spill.setting import AI_INTENTS, PEOPLE_INTENT, Setting
from processors.staffing.logic.erlang import agents_required
from runtime.errors import SettingsError
from schemas.control import HumanQueue
from schemas.fields import MICROS_PER_SECOND, Channel
from simulator.arrivals import Interval, by_intervals, midnight, read_intervals

FOLDER = "TRUNKLINE_BENCH_CORPORA"
"""Environment variable: the folder of data that the benches measure on (as in `bench.quality`)."""
FILE = "bank1999_arrivals.csv"
_MADE_DAY = date(2026, 3, 2)
_MADE_PEAKS = ((10.25, 2.4, 90.0), (16.5, 3.2, 90.0))
"""Hour, width in hours and calls per half hour of the two humps of a made-up day: what most centres' days look like."""


class Days(NamedTuple):
    """Two days of arrivals, the first the busiest, and where they are from."""

    intervals: list[Interval]
    source: str


class Brought(NamedTuple):
    """What a contact brings, whatever is done with it. `declines`: 0 to 1, how set its customer is on being called."""

    arrives_at: int
    channel: Channel
    segment: str
    intent: str
    patience_seconds: float
    handle_seconds: float
    ai_seconds: float
    declines: float


def days() -> Days:
    """Return the bank's busiest day and the next, or made-up ones where no folder with the file is named.

    Raises SettingsError where the folder or the file is of no use.
    """
    named = os.environ.get(FOLDER)
    if not named:
        return Days(made_up(), f"made up: name a folder with {FILE} in {FOLDER} for the bank's day")
    path = Path(named) / FILE
    if not path.is_file():
        raise SettingsError(f"{FOLDER} names {named}, where there is no {FILE}: put it there, or unset {FOLDER}")
    day = busiest(path)
    return Days([*read_intervals(path, day), *read_intervals(path, day + timedelta(days=1))], f"{FILE}, {day}")


def busiest(path: Path) -> date:
    """Return the day with the most calls of those of a file that have a next day; raises SettingsError."""
    calls: dict[date, float] = {}
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                day = datetime.fromisoformat(row["interval_start"]).date()
                calls[day] = calls.get(day, 0.0) + float(row["calls"])
    except (OSError, KeyError, ValueError) as problem:
        raise SettingsError(f"{path} is no file of interval_start,calls: {problem!r}") from problem
    found = [day for day in calls if day + timedelta(days=1) in calls]
    if not found:
        raise SettingsError(f"{path} has no two days in a row: give the arrivals of two at least")
    return max(found, key=calls.__getitem__)


def made_up() -> list[Interval]:
    """Return two days of half hours, alike, with a peak in the morning and one in the afternoon."""
    start, half_hour = midnight(_MADE_DAY), 1800 * MICROS_PER_SECOND
    intervals = []
    for number in range(96):
        hour = number % 48 / 2 + 0.25
        calls = sum(high * math.exp(-(((hour - at) / width) ** 2)) for at, width, high in _MADE_PEAKS)
        intervals.append(Interval(start + number * half_hour, start + (number + 1) * half_hour, calls))
    return intervals


def peak(intervals: Sequence[Interval], seconds: float) -> int:
    """Return where the first day's busiest stretch of so long begins: UTC microseconds, an interval's start."""
    first_day = [each for each in intervals if each.start < intervals[0].start + 86_400 * MICROS_PER_SECOND]
    width = max(1, round(seconds * MICROS_PER_SECOND / (first_day[0].end - first_day[0].start)))
    sums = [sum(each.calls for each in first_day[at : at + width]) for at in range(len(first_day) - width + 1)]
    return first_day[sums.index(max(sums))].start


def staffed(intervals: Sequence[Interval], setting: Setting) -> list[tuple[int, int]]:
    """Return (from when, people in seats) for each interval: what Erlang C asks for people's own load."""
    targets = HumanQueue(queue="targets", intents=())
    people = []
    for start, end, calls in intervals:
        minutes = (end - start) / MICROS_PER_SECOND / 60.0
        own = calls * setting.scale * (1.0 - setting.ai_share) / minutes
        required = agents_required(
            own,
            setting.handle_seconds,
            targets.service_level_target,
            targets.service_level_seconds,
            targets.max_occupancy,
        )
        people.append((start, max(1, required.agents)))
    return people


def contacts(intervals: Sequence[Interval], setting: Setting, seed: int, since: int, until: int) -> Iterator[Brought]:
    """Yield what arrives between two instants (UTC microseconds), in order."""
    scaled = [Interval(each.start, each.end, each.calls * setting.scale) for each in intervals]
    arrivals = by_intervals(scaled, random.Random(f"arrivals {seed}"))
    rng = random.Random(f"contacts {seed}")
    for at in itertools.takewhile(lambda at: at < until, arrivals):
        brought = _drawn(at, setting, rng)
        if at >= since:
            yield brought


def _drawn(at: int, setting: Setting, rng: random.Random) -> Brought:
    channel = Channel.VOICE if rng.random() < setting.voice_share else Channel.CHAT
    names, shares, _ = zip(*setting.segments, strict=True)
    for_ai = rng.random() < setting.ai_share
    return Brought(
        arrives_at=at,
        channel=channel,
        segment=rng.choices(names, shares)[0],
        intent=rng.choice(AI_INTENTS) if for_ai else PEOPLE_INTENT,
        patience_seconds=rng.expovariate(1.0 / dict(setting.patience_seconds)[channel]),
        handle_seconds=_lognormal(setting.handle_seconds, setting.handle_deviation, rng),
        ai_seconds=_lognormal(setting.ai_seconds, setting.handle_deviation, rng),
        declines=rng.random(),
    )


def _lognormal(mean: float, deviation: float, rng: random.Random) -> float:
    """Draw from a lognormal distribution of this mean, its standard deviation so many times the mean."""
    variance = math.log1p(deviation**2)
    return rng.lognormvariate(math.log(mean) - variance / 2.0, math.sqrt(variance))


def hour_of(at: int) -> int:
    """Return the hour of the day of an instant, UTC."""
    return datetime.fromtimestamp(at / MICROS_PER_SECOND, UTC).hour
