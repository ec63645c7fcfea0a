"""The figures of a day, by queue and by interval or hour. Pure."""

from __future__ import annotations

import datetime as dt
import enum
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple
from zoneinfo import ZoneInfo

from runtime.plans import by_queue, ends_at
from schemas.analytics import HandleTimeRow
from schemas.control import QueuePlan
from schemas.fields import CONTAINED, MICROS_PER_SECOND, Handling
from schemas.wfm import INTERVAL_MICROS, VolumeRow
from wfm_bridge.history.kept import Kept, Span
from wfm_bridge.people import PeopleLoad, people_load
from wfm_bridge.report.outages import Outage
from wfm_bridge.report.plans import Expected, expected, mean, together

_WEEK = dt.timedelta(days=7)


class Grain(enum.StrEnum):
    """How fine a day is told."""

    HOUR = "hour"
    INTERVAL = "interval"


class Basis(enum.StrEnum):
    """What the contacts of a day are compared with."""

    PLAN = "plan"
    WEEK_BEFORE = "week_before"
    NOTHING = "nothing"


class Figures(NamedTuple):
    """Contacts offered over some time, by what became of them. `left_ai`: of those abandoned, whom AI had had."""

    offered: int = 0
    states: Mapping[Handling, int] = {}
    left_ai: int = 0
    people: PeopleLoad = PeopleLoad()

    @property
    def aht_seconds(self) -> float | None:
        """Talk and wrap of a contact that people finished, null where there was none."""
        return self.people.seconds / self.people.handled if self.people.handled else None

    @property
    def containment(self) -> float | None:
        """Share of AI's contacts that no person had to finish (docs/containment.md), null where AI had none."""
        kept = sum(self.states.get(state, 0) for state in CONTAINED)
        by_ai = kept + self.states.get(Handling.AI_ESCALATED, 0) + self.left_ai
        return kept / by_ai if by_ai else None


def added(parts: Iterable[Figures]) -> Figures:
    """Return the figures of all together."""
    offered = left_ai = 0
    states: Counter[Handling] = Counter()
    people = PeopleLoad()
    for part in parts:
        offered += part.offered
        left_ai += part.left_ai
        states.update(part.states)
        people = people.plus(part.people)
    return Figures(offered, states, left_ai, people)


class Bucket(NamedTuple):
    """An hour or an interval of a queue. `required`: people that staffing said were needed. `out`: agents away."""

    start: int
    end: int
    actual: Figures
    planned: Expected
    required: float | None
    out: tuple[str, ...]


class Errors(NamedTuple):
    """How far a plan was from the contacts that came: over the buckets that are over and had a plan.

    `wape`: sum of the absolute differences / contacts that came. `mape`: mean of the absolute differences, each divided
    by the contacts that came, where some did. `bias`: (planned - came) / came; above 0: too many were planned. Null
    where no contact came.
    """

    buckets: int
    wape: float | None
    mape: float | None
    bias: float | None


class QueueDay(NamedTuple):
    """A queue's day, and what its planned contacts are: WFM's plan, or what came a week before."""

    queue: str
    basis: Basis
    buckets: Sequence[Bucket]

    @property
    def total(self) -> Figures:
        """Figures of the whole day."""
        return added(bucket.actual for bucket in self.buckets)

    @property
    def planned(self) -> Expected:
        """Plan of all buckets that have one of contacts."""
        return together([bucket.planned for bucket in self.buckets if bucket.planned.contacts is not None])

    def errors(self, now: int) -> Errors:
        """Return how far the plan was from what came until `now` (UTC microseconds)."""
        pairs = [
            (bucket.planned.contacts, bucket.actual.people.offered)
            for bucket in self.buckets
            if bucket.planned.contacts is not None and bucket.end <= now
        ]
        came = sum(actual for _, actual in pairs)
        shares = [abs(planned - actual) / actual for planned, actual in pairs if actual]
        return Errors(
            buckets=len(pairs),
            wape=sum(abs(planned - actual) for planned, actual in pairs) / came if came else None,
            mape=sum(shares) / len(shares) if shares else None,
            bias=(sum(planned for planned, _ in pairs) - came) / came if came else None,
        )


class Day(NamedTuple):
    """A tenant's day in a time zone. `now`: until when anything can be known, UTC microseconds."""

    tenant: str
    date: dt.date
    zone: ZoneInfo
    grain: Grain
    now: int
    queues: Sequence[QueueDay]
    outages: Sequence[Outage]


class Known(NamedTuple):
    """What a day is told from. `plans`: all that there are. `required`: people needed by queue and interval start."""

    kept: Kept
    plans: Iterable[QueuePlan]
    required: Mapping[tuple[str, int], int]
    outages: Sequence[Outage]
    queues: Iterable[str]


def span_of(date: dt.date, zone: ZoneInfo) -> Span:
    """Return a day of a time zone: of 23, 24 or 25 hours."""
    return Span(_midnight(date, zone), _midnight(date + dt.timedelta(days=1), zone))


def week_before(at: int, zone: ZoneInfo) -> int:
    """Return the instant a week before by the clock on the wall; UTC microseconds."""
    return round((_local(at, zone) - _WEEK).timestamp()) * MICROS_PER_SECOND


def day_of(tenant: str, date: dt.date, zone: ZoneInfo, grain: Grain, now: int, known: Known) -> Day:
    """Return a day. What is kept has to reach back to a week before it."""
    figures = _by_interval(known.kept)
    span = span_of(date, zone)
    starts = span.intervals()
    seen = {queue for queue, start in figures if start in starts}
    plans = _plans(tenant, span, known.plans)
    queues = sorted(seen | set(known.queues) | plans.keys())
    told = [_queue(queue, starts, zone, grain, figures, plans.get(queue, ()), known) for queue in queues]
    return Day(tenant, date, zone, grain, now, told, known.outages)


def _plans(tenant: str, span: Span, said: Iterable[QueuePlan]) -> Mapping[str, Sequence[QueuePlan]]:
    """Return the plans of a day by queue, the one said last first."""
    of_day = by_queue(plan for plan in said if plan.starts_at < span.end and span.start < ends_at(plan))
    return {queue: plans for (whose, queue), plans in of_day.items() if whose == tenant}


def _queue(
    queue: str,
    starts: range,
    zone: ZoneInfo,
    grain: Grain,
    figures: Mapping[tuple[str, int], Figures],
    plans: Sequence[QueuePlan],
    known: Known,
) -> QueueDay:
    planned = {start: expected(plans, start) for start in starts}
    basis = Basis.PLAN
    if all(each.contacts is None for each in planned.values()):
        before = {start: figures.get((queue, week_before(start, zone))) for start in starts}
        basis = Basis.WEEK_BEFORE if any(before.values()) else Basis.NOTHING
        if basis is Basis.WEEK_BEFORE:
            planned = {start: _as_before(before[start], each.agents) for start, each in planned.items()}
    buckets = []
    for group in _grouped(starts, zone, grain):
        end = group[-1] + INTERVAL_MICROS
        buckets.append(
            Bucket(
                start=group[0],
                end=end,
                actual=added(figures.get((queue, start), Figures()) for start in group),
                planned=together([planned[start] for start in group]),
                required=mean((1.0, known.required.get((queue, start))) for start in group),
                out=tuple(sorted({each.agent for each in known.outages if each.touches(queue, group[0], end)})),
            )
        )
    return QueueDay(queue, basis, buckets)


def _as_before(then: Figures | None, agents: float | None) -> Expected:
    then = then or Figures()
    return Expected(float(then.people.offered), then.aht_seconds, agents)


def _grouped(starts: range, zone: ZoneInfo, grain: Grain) -> list[list[int]]:
    """Return the intervals of each bucket; an hour that comes twice, at the end of summer time, is two."""
    if grain is Grain.INTERVAL:
        return [[start] for start in starts]

    def hour(start: int) -> tuple[int, dt.timedelta | None]:
        local = _local(start, zone)
        return local.hour, local.utcoffset()

    return [list(group) for _, group in itertools.groupby(starts, key=hour)]


def _by_interval(kept: Kept) -> Mapping[tuple[str, int], Figures]:
    parts: dict[tuple[str, int], list[Figures]] = defaultdict(list)
    for volume in kept.volumes.values():
        parts[volume.queue, volume.interval_start].append(_of_volume(volume))
    for times in kept.times.values():
        parts[times.queue, times.interval_start].append(_of_times(times))
    return {place: added(each) for place, each in parts.items()}


def _of_volume(row: VolumeRow) -> Figures:
    return Figures(row.offered, {state: getattr(row, state.value) for state in Handling})


def _of_times(row: HandleTimeRow) -> Figures:
    left_ai = row.contacts - row.ai.zeros if row.handling is Handling.ABANDONED else 0
    return Figures(left_ai=left_ai, people=people_load(row))


def _local(at: int, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(at // MICROS_PER_SECOND, zone)


def _midnight(date: dt.date, zone: ZoneInfo) -> int:
    return round(dt.datetime.combine(date, dt.time(), zone).timestamp()) * MICROS_PER_SECOND
