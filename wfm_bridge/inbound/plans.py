"""Interval plans: made of CSV rows, put on top of what was planned before, and shown interval by interval. Pure."""

from __future__ import annotations

import itertools
import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import msgspec

from runtime.plans import ends_at, interval_at, starts_of
from schemas.control import PLAN_INTERVALS, People, PlannedInterval, QueuePlan
from schemas.fields import MICROS_PER_SECOND, Event, Micros, Name, Seconds
from wfm_bridge.inbound.tables import NAME, Column, Row, name, number_column, read_table, refuse, time_column
from wfm_bridge.models import Fault

INTERVAL_SECONDS = 900
_SHORTEST, _LONGEST = 60, 86_400


def _length(cell: str) -> int:
    seconds = int(cell)
    if not _SHORTEST <= seconds <= _LONGEST:
        raise ValueError(cell)
    return seconds


COLUMNS = (
    Column("queue", name, NAME),
    time_column("starts_at"),
    Column("interval_seconds", _length, f"whole seconds from {_SHORTEST} to {_LONGEST}", INTERVAL_SECONDS),
    number_column("contacts"),
    number_column("aht_seconds"),
    number_column("agents"),
)


class PlanRow(Event, frozen=True, kw_only=True):
    """What is planned for a queue from `starts_at` on, for so long. `said_at`: when WFM said it last."""

    queue: Name
    starts_at: Micros
    interval_seconds: int
    contacts: float | None
    aht_seconds: Seconds | None
    agents: People | None
    said_at: Micros


class _Interval(NamedTuple):
    line: int
    starts_at: int
    seconds: int
    planned: PlannedInterval

    @property
    def ends_at(self) -> int:
        return self.starts_at + self.seconds * MICROS_PER_SECOND


def plans_of_csv(text: str, tenant: str) -> list[QueuePlan]:
    """Return the plans in a CSV, those of a queue by their start; a gap, or another length, begins a plan of its own.

    `occurred_at` is 0: whoever writes them says when. Raises InboundError that names every mistake.
    """
    faults: list[Fault] = []
    by_queue: dict[str, list[_Interval]] = defaultdict(list)
    for row in read_table(text, COLUMNS):
        by_queue[row.values["queue"]].append(_interval(row, faults))
    plans: list[QueuePlan] = []
    for queue, intervals in by_queue.items():
        intervals.sort(key=lambda each: each.starts_at)
        faults += _overlaps(intervals)
        plans += (_plan(tenant, queue, run) for run in _runs(intervals))
    refuse(faults)
    return plans


def _interval(row: Row, faults: list[Fault]) -> _Interval:
    contacts, agents = row.values["contacts"], row.values["agents"]
    if contacts is None and agents is None:
        detail = "neither contacts nor agents are given"
        faults.append(
            Fault(line=row.line, field="contacts", detail=detail, remedy="Give one of the two, or leave the row out")
        )
    planned = PlannedInterval(contacts=contacts, aht_seconds=row.values["aht_seconds"], agents=agents)
    return _Interval(row.line, row.values["starts_at"], row.values["interval_seconds"], planned)


def _overlaps(intervals: Sequence[_Interval]) -> Iterator[Fault]:
    for before, each in itertools.pairwise(intervals):
        if each.starts_at < before.ends_at:
            yield Fault(
                line=each.line,
                field="starts_at",
                detail=f"the interval begins before that of line {before.line} is over",
                remedy="Give each instant of a queue once",
            )


def _runs(intervals: Sequence[_Interval]) -> Iterator[list[_Interval]]:
    """Yield intervals that follow each other without a gap, as many as a plan may have."""
    run: list[_Interval] = []
    for each in intervals:
        if run and (each.starts_at != run[-1].ends_at or each.seconds != run[0].seconds or len(run) == PLAN_INTERVALS):
            yield run
            run = []
        run.append(each)
    yield run


def _plan(tenant: str, queue: str, run: Sequence[_Interval]) -> QueuePlan:
    return QueuePlan(
        tenant=tenant,
        queue=queue,
        starts_at=run[0].starts_at,
        interval_seconds=run[0].seconds,
        intervals=tuple(each.planned for each in run),
        occurred_at=0,
    )


def filled(plan: QueuePlan, before: QueuePlan | None) -> QueuePlan:
    """Return a plan that replaces another, with what the other says and it does not: schedules leave a forecast be.

    Also what comes after its end, in intervals of its own length, as far as a plan may reach.
    """
    if before is None:
        return plan
    reach = math.ceil(len(before.intervals) * before.interval_seconds / plan.interval_seconds)
    unsaid = (PlannedInterval(),) * (min(reach, PLAN_INTERVALS) - len(plan.intervals))
    longer = msgspec.structs.replace(plan, intervals=(*plan.intervals, *unsaid))
    intervals = (
        _filled(planned, before, plan.interval_seconds, start)
        for start, planned in zip(starts_of(longer), longer.intervals, strict=True)
    )
    return msgspec.structs.replace(plan, intervals=tuple(intervals))


def _filled(planned: PlannedInterval, before: QueuePlan, seconds: int, start: int) -> PlannedInterval:
    old = interval_at(before, start)
    if old is None:
        return planned
    contacts, aht_seconds = planned.contacts, planned.aht_seconds
    if contacts is None and old.contacts is not None:
        contacts, aht_seconds = old.contacts * seconds / before.interval_seconds, old.aht_seconds
    agents = old.agents if planned.agents is None else planned.agents
    return PlannedInterval(contacts=contacts, aht_seconds=aht_seconds, agents=agents)


def is_hidden(plan: QueuePlan, others: Iterable[QueuePlan]) -> bool:
    """Return whether another plan of its queue was said later and has a part of its time."""
    end = ends_at(plan)
    return any(
        (other.tenant, other.queue) == (plan.tenant, plan.queue)
        and other.occurred_at > plan.occurred_at
        and other.starts_at < end
        and plan.starts_at < ends_at(other)
        for other in others
    )


def rows_between(plans: Sequence[QueuePlan], from_micros: int, to_micros: int) -> list[PlanRow]:
    """Return what plans of one queue, the one said last first, say of the intervals that start in [from, to)."""
    shown: dict[int, PlanRow] = {}
    for age, plan in enumerate(plans):
        for start, planned in zip(starts_of(plan), plan.intervals, strict=True):
            if not from_micros <= start < to_micros:
                continue
            known = shown.get(start)
            if known is not None:
                shown[start] = _beneath(known, planned)
            elif all(interval_at(newer, start) is None for newer in plans[:age]):
                shown[start] = _row(plan, start, planned)
    return [shown[start] for start in sorted(shown)]


def _row(plan: QueuePlan, start: int, planned: PlannedInterval) -> PlanRow:
    return PlanRow(
        queue=plan.queue,
        starts_at=start,
        interval_seconds=plan.interval_seconds,
        contacts=planned.contacts,
        aht_seconds=planned.aht_seconds,
        agents=planned.agents,
        said_at=plan.occurred_at,
    )


def _beneath(known: PlanRow, planned: PlannedInterval) -> PlanRow:
    """Return a row with what an earlier plan adds to it."""
    changes: dict[str, float | None] = {}
    if known.contacts is None:
        changes = {"contacts": planned.contacts, "aht_seconds": planned.aht_seconds}
    if known.agents is None:
        changes["agents"] = planned.agents
    return msgspec.structs.replace(known, **changes) if changes else known


def counted(plans: Iterable[QueuePlan]) -> str:
    """Return in words how much plans say."""
    made = list(plans)
    queues = len({plan.queue for plan in made})
    return f"{sum(len(plan.intervals) for plan in made)} intervals of {queues} queue{'s' * (queues != 1)}"
