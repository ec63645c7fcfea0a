"""A day as planners look back at it: sums, errors of the plan, streams, outages, and the page of it."""

from __future__ import annotations

import datetime as dt
import re
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import msgspec
import pytest

from schemas.control import PlannedInterval, QueuePlan
from schemas.fields import BreakerState, Event, Handling
from schemas.wfm import IntervalRequirement, LoadBasis, StaffingRequirement
from tests.flow.steps import transition
from tests.history import DAY, HOUR, at, kept, policy, times, volume
from wfm_bridge.history.kept import Span
from wfm_bridge.report.day import Basis, Day, Errors, Grain, Known, QueueDay, day_of, span_of, week_before
from wfm_bridge.report.outages import Outage, outages
from wfm_bridge.report.page import page
from wfm_bridge.report.plans import Expected, required_people
from wfm_bridge.report.words import COLUMNS, text

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = dt.date(2026, 3, 2)
AFTER = at(0) + 2 * DAY


def plan(interval: int, *contacts: float | None, seconds: int = 900, said: int = 0, **each: Any) -> QueuePlan:
    intervals = tuple(PlannedInterval(contacts=count, **each) for count in contacts)
    return QueuePlan(
        tenant="acme", queue="billing", starts_at=at(interval), interval_seconds=seconds, intervals=intervals,
        occurred_at=said,
    )  # fmt: skip


def a_day(
    rows: list[Event],
    *plans: QueuePlan,
    now: int = AFTER,
    grain: Grain = Grain.INTERVAL,
    zone: ZoneInfo = UTC,
    **more: Any,
) -> Day:
    known: dict[str, Any] = {"required": {}, "outages": (), "queues": ("billing",), **more}
    return day_of(
        "acme", MONDAY, zone, grain, now,
        Known(kept=kept(Span(0, AFTER), rows, "acme"), plans=plans, **known),
    )  # fmt: skip


def billing(*arguments: Any, **options: Any) -> QueueDay:
    (queue,) = a_day(*arguments, **options).queues
    return queue


def people(interval: int, contacts: int, seconds: float = 100.0) -> list[Event]:
    """Contacts that people alone finished."""
    return [volume(interval, human_only=contacts), times(interval, [{"talk": seconds}] * contacts)]


# Actual.


def test_people_have_what_they_finished_and_who_left_before_ai_had_them() -> None:
    rows: list[Event] = [
        volume(36, human_only=2, ai_escalated=1, ai_contained=5, ai_assisted=1, abandoned=3, in_progress=1),
        times(36, [{"talk": 100.0, "wrap": 20.0}] * 2),
        times(36, [{"ai": 60.0, "talk": 30.0}], handling=Handling.AI_ESCALATED),
        times(36, [{"ai": 60.0}, {"wait": 9.0}, {"wait": 8.0}], handling=Handling.ABANDONED),
        times(36, [{"ai": 60.0}] * 5, handling=Handling.AI_CONTAINED),
    ]
    total = billing(rows).total
    assert (total.offered, total.people.offered, total.people.handled) == (13, 5, 3)
    assert total.aht_seconds == pytest.approx(270 / 3)
    assert total.containment == pytest.approx((5 + 1) / (5 + 1 + 1 + 1))  # one left after AI had had it


def test_an_hour_is_the_sum_of_its_intervals() -> None:
    queue = billing([*people(36, 2), *people(39, 3, 50.0), *people(40, 7)], grain=Grain.HOUR)
    assert len(queue.buckets) == 24
    nine = queue.buckets[9]
    assert (nine.start, nine.end, nine.actual.people.offered) == (at(36), at(40), 5)
    assert nine.actual.aht_seconds == pytest.approx((2 * 100 + 3 * 50) / 5)


def test_days_are_those_of_the_time_zone_and_may_have_23_or_25_hours() -> None:
    assert span_of(MONDAY, BERLIN) == (at(-4), at(92))
    for date, hours in ((dt.date(2026, 3, 29), 23), (dt.date(2026, 10, 25), 25)):
        start, end = span_of(date, BERLIN)
        assert (end - start) / HOUR == hours
    queue = billing(people(-1, 4), zone=BERLIN, grain=Grain.HOUR)
    assert [bucket.actual.people.offered for bucket in queue.buckets] == [4, *[0] * 23]


# Plan.


def test_plans_of_any_length_are_cut_into_intervals_and_the_last_word_counts() -> None:
    said = [plan(36, 40.0, 8.0, seconds=3600, aht_seconds=300.0, agents=6.0), plan(38, 3.0, said=1)]
    planned = {interval: bucket.planned for interval, bucket in enumerate(billing([], *said).buckets)}
    assert planned[36] == (pytest.approx(10.0), pytest.approx(300.0), pytest.approx(6.0))
    assert planned[38] == (pytest.approx(3.0), None, pytest.approx(6.0))
    assert planned[40] == (pytest.approx(2.0), pytest.approx(300.0), pytest.approx(6.0))
    assert planned[44] == Expected()


def test_a_queue_that_is_only_planned_has_a_day_of_its_own() -> None:
    planned = msgspec.structs.replace(plan(36, 5.0), queue="new")
    assert [queue.queue for queue in a_day([], planned).queues] == ["billing", "new"]
    assert [queue.queue for queue in a_day([], msgspec.structs.replace(planned, tenant="other")).queues] == ["billing"]
    assert [queue.queue for queue in a_day([], msgspec.structs.replace(planned, starts_at=at(96))).queues] == [
        "billing"
    ]


def test_a_plan_of_people_alone_stands_beside_the_contacts_of_an_earlier_plan() -> None:
    queue = billing([], plan(36, 10.0, 12.0, aht_seconds=300.0, agents=2.0), plan(36, None, agents=5.0, said=1))
    assert queue.buckets[36].planned == (pytest.approx(10.0), pytest.approx(300.0), pytest.approx(5.0))
    assert queue.buckets[37].planned == (pytest.approx(12.0), pytest.approx(300.0), pytest.approx(2.0))


def test_a_plan_of_people_alone_stands_beside_the_contacts_of_the_week_before() -> None:
    queue = billing([*people(36, 10), *people(36 - 7 * 96, 8, 50.0)], plan(36, None, None, agents=5.0))
    assert queue.basis is Basis.WEEK_BEFORE
    assert queue.buckets[36].planned == (8.0, 50.0, pytest.approx(5.0))
    assert billing([], plan(36, None, agents=5.0)).basis is Basis.NOTHING


def test_people_planned_for_times_to_come_are_told_without_contacts() -> None:
    *_, last = text(a_day(people(36, 10), plan(38, None, agents=5.0), now=at(37)))
    assert last.split() == ["09:30", "-", "-", "5", "-"]


def test_a_plan_that_covers_half_an_interval_is_none_of_it() -> None:
    assert billing([], plan(36, 5.0, seconds=600)).buckets[36].planned == Expected()


def test_errors_of_the_plan_are_over_intervals_that_have_one() -> None:
    rows = [*people(36, 10), *people(37, 20), *people(50, 99)]
    queue = billing(rows, plan(36, 12.0, 15.0, 3.0))
    # |12-10| + |15-20| + |3-0| = 10 of 30; 2/10 and 5/20, nothing came in the third; 30 planned, 30 came.
    errors = queue.errors(AFTER)
    assert errors == Errors(3, pytest.approx(10 / 30), pytest.approx((0.2 + 0.25) / 2), pytest.approx(0.0))
    assert queue.basis is Basis.PLAN
    assert queue.planned == Expected(pytest.approx(30.0), None, None)


def test_intervals_to_come_are_in_no_error() -> None:
    queue = billing(people(36, 10), plan(36, 12.0, 15.0), now=at(37) + 1)
    assert queue.errors(at(37) + 1).buckets == 1
    assert queue.errors(at(36)) == Errors(0, None, None, None)


def test_without_a_plan_the_same_weekday_of_the_week_before_is_what_counts() -> None:
    queue = billing([*people(36, 10), *people(36 - 7 * 96, 8, 50.0)])
    assert queue.basis is Basis.WEEK_BEFORE
    assert queue.buckets[36].planned == Expected(8.0, 50.0, None)
    assert queue.errors(AFTER).wape == pytest.approx(2 / 10)
    assert billing(people(36, 10)).basis is Basis.NOTHING


def test_the_week_before_is_by_the_clock_on_the_wall() -> None:
    nine_in_summer = round(dt.datetime(2026, 3, 30, 9, tzinfo=BERLIN).timestamp()) * 1_000_000
    nine_in_winter = round(dt.datetime(2026, 3, 23, 9, tzinfo=BERLIN).timestamp()) * 1_000_000
    assert week_before(nine_in_summer, BERLIN) == nine_in_winter


def requirement(occurred_at: int, *needed: tuple[int, int]) -> StaffingRequirement:
    intervals = tuple(
        IntervalRequirement(
            starts_at=at(interval), contacts_per_minute_before=1.0, contacts_per_minute_after=2.0,
            basis=LoadBasis.PLAN, chance_out=1.0, agents_required_before=1, agents_required_after=agents,
            agents_low=1, agents_high=9,
        )
        for interval, agents in needed
    )  # fmt: skip
    return StaffingRequirement(
        tenant="acme", queue="billing", revision=1, cause_endpoint="nova", cause_state=BreakerState.OPEN, cause_epoch=1,
        cause_at=0, since=0, human_contacts_per_minute_before=1.0, human_contacts_per_minute_after=2.0,
        aht_seconds=300.0, agents_required_before=1, agents_required_after=2, agents_scheduled_after=3,
        service_level_target=0.8, service_level_seconds=20.0, service_level_after=0.8, occupancy_after=0.8,
        expected_seconds_p50=1.0, expected_seconds_p90=1.0, duration_samples=0, occurred_at=occurred_at,
        intervals=intervals,
    )  # fmt: skip


def test_people_needed_are_those_that_staffing_told_last_in_time() -> None:
    told = [
        requirement(at(36) + 5, (36, 4), (37, 7)),
        requirement(at(36), (36, 3), (37, 5)),
        requirement(at(39), (36, 99)),
    ]
    needed = required_people(told)
    assert needed == {("billing", at(36)): 4, ("billing", at(37)): 7}
    nine = billing(people(36, 1), grain=Grain.HOUR, required=needed).buckets[9]
    assert nine.required == pytest.approx(5.5)


# Outages.


def moved(epoch: int, state: BreakerState, minute: int, **changes: Any) -> Any:
    return transition("acme", state, epoch, occurred_at=at(36) + minute * 60_000_000, **changes)


def test_an_outage_lasts_until_the_agent_is_back_in_normal_traffic() -> None:
    moves = [
        moved(4, BreakerState.CLOSED, 21),
        moved(1, BreakerState.DEGRADED, 1),
        moved(2, BreakerState.OPEN, 5, reason="failure_rate"),
        moved(3, BreakerState.HALF_OPEN, 20),
        moved(2, BreakerState.OPEN, 5, reason="failure_rate"),
        moved(9, BreakerState.FORCED_OPEN, 50, version="8"),
    ]
    found = outages(moves, policy(), at(36), at(40))
    assert found == [
        Outage("nova", at(36) + 300_000_000, at(36) + 21 * 60_000_000, "failure_rate", frozenset({"billing"})),
        Outage("nova 8", at(36) + 50 * 60_000_000, at(40), "test", frozenset({"billing"})),
    ]
    assert outages(moves, None, at(36), at(40))[0].queues is None
    assert outages(moves, policy(), at(41), at(44)) == [found[1]._replace(start=at(41), end=at(44))]


def test_an_outage_is_marked_in_the_intervals_and_queues_that_it_touches() -> None:
    out = Outage("nova", at(36) + 1, at(38), "failure_rate", frozenset({"billing"}))
    day = a_day(people(36, 1), outages=[out], queues=("billing", "sales"))
    marked = {(queue.queue, bucket.start) for queue in day.queues for bucket in queue.buckets if bucket.out}
    assert marked == {("billing", at(36)), ("billing", at(37))}


# Words.


def told_day(queue: str = "billing", **more: Any) -> Day:
    rows = [msgspec.structs.replace(row, queue=queue) for row in [*people(36, 10), volume(37, ai_contained=30)]]
    out = Outage("nova", at(36), at(37), "failure_rate", None)
    planned = msgspec.structs.replace(plan(36, *[3.0] * 8, agents=4.0, aht_seconds=120.0), queue=queue)
    more = {"grain": Grain.HOUR, "outages": [out], "queues": (queue,), **more}
    return a_day(rows, planned, required={(queue, at(36)): 5}, **more)


def test_the_text_of_a_day_says_plan_and_actual_and_streams() -> None:
    lines = list(text(told_day()))
    assert lines[:4] == [
        "acme, Monday 2026-03-02, UTC",
        "  AI out: nova 09:00-09:15, failure_rate",
        "  all queues           40  offered; containment 100.0 %",
        "  AI contained         30  75.0 %",
    ]
    assert "  people had 10 of 40 contacts offered; planned 24.0" in lines
    # 12 and 12 planned, 10 and 0 came.
    assert "  difference by hour, over 2: WAPE 140.0 %, MAPE 20.0 %, bias +140.0 %" in lines
    assert "  people's AHT 100 s; planned 120 s" in lines
    nine = next(line for line in lines if line.startswith("  09:00"))
    assert " ".join(nine.split()) == "09:00 12 10 -2 120 100 4 5 40 30 0 0 10 0 0 0 nova"


def test_the_text_says_when_there_is_no_plan_and_when_the_day_is_not_over() -> None:
    lines = list(text(a_day(people(36, 10), now=at(38))))
    assert "  the day is not over: figures until 09:30" in lines
    assert "  no plan of this day's contacts, and nothing came on the same weekday of the week before" in lines
    assert [line.split()[0] for line in lines[-2:]] == ["09:00", "09:15"]  # nothing is known of later


def test_of_times_to_come_the_plan_alone_is_told() -> None:
    *_, before, last = text(a_day(people(36, 10), plan(37, 4.0, 5.0, agents=2.0), now=at(38)))
    assert before.split()[:3] == ["09:15", "4", "0"]
    assert last.split() == ["09:30", "5", "-", "2", "-"]


# The page.


def test_the_page_needs_nothing_from_elsewhere_and_is_well_formed() -> None:
    made = page(told_day())
    assert not re.findall(r"(?:src|href)=|url\(|@import|<script", made)
    plots = re.findall(r"<svg .*?</svg>", made, re.DOTALL)
    assert len(plots) == 4
    for plot in plots:
        ET.fromstring(plot)  # noqa: S314 - ours
    assert "nova out: failure_rate" in made
    assert all(f"<th>{name}</th>" in made for name in COLUMNS)


def test_names_cannot_break_out_of_the_page() -> None:
    made = page(told_day('<script>alert("x")</script>&'))
    assert "<script" not in made
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;" in made
    out = Outage('"><img src=x>', at(36), at(37), "failure_rate", None)
    assert "<img" not in page(told_day(outages=[out]))


def test_a_plot_is_as_high_as_what_it_shows() -> None:
    (bars, *_) = re.findall(r"<svg .*?</svg>", page(told_day()), re.DOTALL)
    root = ET.fromstring(bars)  # noqa: S314 - ours
    rects = [rect for rect in root.iter("rect") if rect.get("fill") == "#009e73"]
    (path,) = [path for path in root.iter("path") if path.get("stroke")]
    top = float(rects[0].get("y"))
    assert len(rects) == 1  # people had contacts in one hour
    planned = float(re.match(r"M[\d.]+ ([\d.]+)H", path.get("d")).group(1))
    # 10 contacts against 12 planned, from the bottom line at y = 206.
    assert (206 - top) / (206 - planned) == pytest.approx(10 / 12, abs=0.01)
