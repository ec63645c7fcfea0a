"""People's schedules as numbers: who is on which queue, interval by interval and at an instant. Pure.

Where an agent's activities overlap, what takes people away goes first: a break, then work off the phone, then the
queue, then overtime. Somebody who is on several queues at once counts in each by an equal share.
"""

from __future__ import annotations

import enum
import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from schemas.control import PLAN_INTERVALS, PlannedInterval, QueuePlan
from schemas.fields import MICROS_PER_SECOND
from wfm_bridge.inbound.tables import NAME, Column, name, read_table, refuse, time_column
from wfm_bridge.models import Fault

_HOUR = 3600 * MICROS_PER_SECOND
_LONGEST_HOURS = 24
"""Longest activity: nobody works on; a longer one is a slip of the year or the month."""
_DIGITS = 6
"""Sums of shares are rounded to these."""


class Activity(enum.StrEnum):
    """What a person is scheduled to do, those first that take precedence."""

    BREAK = "break"
    OFF_PHONE = "off_phone"
    ON_QUEUE = "on_queue"
    OVERTIME = "overtime"
    """Could be asked to work: not in the queue, but to be had."""


_PRECEDENCE = {activity: rank for rank, activity in enumerate(Activity)}
COLUMNS = (
    Column("agent", name, NAME),
    Column("queue", name, NAME),
    time_column("starts_at"),
    time_column("ends_at"),
    Column("activity", Activity, f"one of {', '.join(Activity)}", Activity.ON_QUEUE),
)


class Stretch(NamedTuple):
    """A time in which a share of a person does something for a queue; UTC microseconds."""

    queue: str
    activity: Activity
    starts_at: int
    ends_at: int
    share: float


class _Shift(NamedTuple):
    line: int
    queue: str
    starts_at: int
    ends_at: int
    activity: Activity


def stretches_of_csv(text: str) -> list[Stretch]:
    """Return what the people in a CSV do; raises InboundError that names every mistake."""
    faults: list[Fault] = []
    by_agent: dict[str, list[_Shift]] = defaultdict(list)
    for line, values in read_table(text, COLUMNS):
        given = dict(values)
        by_agent[given.pop("agent")].append(_Shift(line, **given))
        if not 0 < given["ends_at"] - given["starts_at"] <= _LONGEST_HOURS * _HOUR:
            detail = f"it does not last up to {_LONGEST_HOURS} hours from starts_at on"
            faults.append(Fault(line=line, field="ends_at", detail=detail, remedy="Give the end of this activity"))
    refuse(faults)
    return [stretch for shifts in by_agent.values() for stretch in _stretches(shifts)]


def _stretches(shifts: Sequence[_Shift]) -> Iterator[Stretch]:
    """Yield what one person does, from one instant at which something changes to the next."""
    edges = sorted({edge for shift in shifts for edge in (shift.starts_at, shift.ends_at)})
    for start, end in itertools.pairwise(edges):
        there = [shift for shift in shifts if shift.starts_at <= start < shift.ends_at]
        if there:
            activity = min((shift.activity for shift in there), key=_PRECEDENCE.__getitem__)
            queues = dict.fromkeys(shift.queue for shift in there if shift.activity is activity)
            for queue in queues:
                yield Stretch(queue, activity, start, end, 1.0 / len(queues))


def people_at(stretches: Iterable[Stretch], at: int) -> dict[str, dict[Activity, float]]:
    """Return queue -> activity -> people at an instant (UTC microseconds), of every queue that is scheduled at all."""
    people: dict[str, dict[Activity, float]] = {}
    for stretch in stretches:
        counts = people.setdefault(stretch.queue, dict.fromkeys(Activity, 0.0))
        if stretch.starts_at <= at < stretch.ends_at:
            counts[stretch.activity] += stretch.share
    return {queue: {each: round(count, _DIGITS) for each, count in counts.items()} for queue, counts in people.items()}


def plans_of(stretches: Iterable[Stretch], tenant: str, interval_seconds: int) -> list[QueuePlan]:
    """Return the people on each queue, by interval: the mean over each. A day with nobody ends a plan.

    Contacts are left open, and `occurred_at` is 0: whoever writes the plans says when.
    """
    step = interval_seconds * MICROS_PER_SECOND
    on_queue: dict[str, dict[int, float]] = defaultdict(lambda: defaultdict(float))
    for stretch in stretches:
        if stretch.activity is Activity.ON_QUEUE:
            for slot in range(stretch.starts_at // step, math.ceil(stretch.ends_at / step)):
                inside = min(stretch.ends_at, (slot + 1) * step) - max(stretch.starts_at, slot * step)
                on_queue[stretch.queue][slot] += stretch.share * inside / step
    return [plan for queue, counts in on_queue.items() for plan in _plans(tenant, queue, interval_seconds, counts)]


def _plans(tenant: str, queue: str, interval_seconds: int, counts: Mapping[int, float]) -> Iterator[QueuePlan]:
    for first, last in _runs(sorted(counts), 24 * 3600 // interval_seconds):
        yield QueuePlan(
            tenant=tenant,
            queue=queue,
            starts_at=first * interval_seconds * MICROS_PER_SECOND,
            interval_seconds=interval_seconds,
            intervals=tuple(
                PlannedInterval(agents=round(counts.get(slot, 0.0), _DIGITS)) for slot in range(first, last + 1)
            ),
            occurred_at=0,
        )


def _runs(slots: Sequence[int], most_empty: int) -> Iterator[tuple[int, int]]:
    """Yield (first, last) of slots of which at most so many are left out in a row, and no more than a plan has."""
    first = last = slots[0]
    for slot in slots[1:]:
        if slot - last > most_empty or slot - first >= PLAN_INTERVALS:
            yield first, last
            first = slot
        last = slot
    yield first, last
