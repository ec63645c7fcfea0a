"""Plans and schedules as CSV: what becomes of rows, and every mistake named with its line, column and remedy."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from schemas.control import PLAN_INTERVALS, PlannedInterval, QueuePlan
from wfm_bridge.inbound.errors import InboundError
from wfm_bridge.inbound.plans import filled, plans_of_csv, rows_between
from wfm_bridge.inbound.schedules import Activity, people_at, plans_of, stretches_of_csv

EIGHT = 1_796_112_000_000_000  # 2026-12-01T08:00:00Z
MINUTE = 60_000_000
QUARTER = 15 * MINUTE


def csv(*rows: str, header: str = "queue,starts_at,contacts,aht_seconds,agents") -> str:
    return "\n".join((header, *rows)) + "\n"


def plans_of_acme(text: str) -> list[QueuePlan]:
    return plans_of_csv(text, "acme")


def mistakes(text: str, read: Callable[[str], object] = plans_of_acme) -> list[tuple[int | None, str | None]]:
    with pytest.raises(InboundError) as told:
        read(text)
    assert all(fault.remedy and fault.detail for fault in told.value.faults)
    return [(fault.line, fault.field) for fault in told.value.faults]


# Plans.


def test_rows_of_a_queue_in_any_order_are_one_plan() -> None:
    (plan,) = plans_of_csv(
        csv("billing,2026-12-01T08:15:00Z,55,,21", "billing,2026-12-01T09:00:00+01:00,50.5,310,20"), "acme"
    )
    assert plan == QueuePlan(
        tenant="acme", queue="billing", starts_at=EIGHT, interval_seconds=900, occurred_at=0,
        intervals=(
            PlannedInterval(contacts=50.5, aht_seconds=310.0, agents=20.0),
            PlannedInterval(contacts=55.0, aht_seconds=None, agents=21.0),
        ),
    )  # fmt: skip


def test_a_gap_and_another_length_and_another_queue_begin_plans_of_their_own() -> None:
    rows = (
        "billing,2026-12-01T08:00,900,1", "billing,2026-12-01T08:15,900,2", "billing,2026-12-01T09:00,900,3",
        "billing,2026-12-01T09:15,1800,4", "sales,2026-12-01T08:00,,5",
    )  # fmt: skip
    plans = plans_of_csv(csv(*rows, header="queue,starts_at,interval_seconds,contacts"), "acme")
    told = [
        (
            plan.queue,
            (plan.starts_at - EIGHT) // MINUTE,
            plan.interval_seconds,
            [each.contacts for each in plan.intervals],
        )
        for plan in plans
    ]
    assert told == [
        ("billing", 0, 900, [1, 2]),
        ("billing", 60, 900, [3]),
        ("billing", 75, 1800, [4]),
        ("sales", 0, 900, [5]),
    ]


def test_more_intervals_than_a_plan_may_have_are_several_plans() -> None:
    minutes = (f"b,2026-12-{1 + n // 1440:02}T{n // 60 % 24:02}:{n % 60:02}Z,60,{n}" for n in range(PLAN_INTERVALS + 2))
    text = csv(*minutes, header="queue,starts_at,interval_seconds,contacts")
    first, second = plans_of_csv(text, "acme")
    assert (len(first.intervals), len(second.intervals)) == (PLAN_INTERVALS, 2)
    assert second.starts_at == first.starts_at + PLAN_INTERVALS * MINUTE
    assert second.intervals[0].contacts == PLAN_INTERVALS


def test_semicolons_a_mark_of_bytes_empty_lines_and_quotes_do_no_harm() -> None:
    text = '\ufeffqueue;starts_at;agents\r\n"north; south";2026-12-01T08:00Z;3\r\n;;\r\n\r\n'
    (plan,) = plans_of_csv(text, "acme")
    assert (plan.queue, plan.intervals) == ("north; south", (PlannedInterval(agents=3.0),))


def test_every_mistake_is_told_with_its_line_and_column() -> None:
    text = csv(
        "billing,2026-12-01T08:00:00Z,50,300,20",
        "billing,yesterday,-1,nan,20",
        ",2026-12-01T08:30:00Z,50,300,1e999",
        "billing,1969-01-01T00:00:00Z,,,,,",
    )
    assert mistakes(text) == [
        (3, "starts_at"), (3, "contacts"), (3, "aht_seconds"), (4, "queue"), (4, "agents"), (5, None), (5, "starts_at"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", [(1, "queue"), (1, "starts_at")]),
        (csv(), [(1, None)]),
        (csv("a,2026-12-01T08:00Z,1", header="queue,starts_at,contact"), [(1, "contact")]),
        (csv("a,b,c", header="queue,starts_at,queue"), [(1, "queue")]),
        (csv("a,2026-12-01T08:00Z,1,,", "a,2026-12-01T08:10Z,1,,"), [(3, "starts_at")]),
        (csv("a,2026-12-01T08:00Z,,300,"), [(2, "contacts")]),
        (csv("a,2026-12-01T08:00Z,59,1", header="queue,starts_at,interval_seconds,agents"), [(2, "interval_seconds")]),
        ("queue,starts_at\n" + "x" * 200_000, [(2, None)]),
    ],
)
def test_a_file_that_makes_no_sense_is_refused(text: str, wanted: list[tuple[int, str]]) -> None:
    assert mistakes(text) == wanted


def test_a_message_names_the_first_mistakes_and_how_many_more_there_are() -> None:
    with pytest.raises(InboundError, match="nothing was taken: 60 mistakes") as told:
        plans_of_csv(csv(*("a,never,1,1,1" for _ in range(60))), "acme")
    assert str(told.value).endswith("and 10 more")


# What stood before.


def test_a_plan_keeps_what_it_does_not_say_of_the_one_it_replaces() -> None:
    (forecast,) = plans_of_csv(csv("a,2026-12-01T08:00Z,60,300,", "a,2026-12-01T08:15Z,30,,7"), "acme")
    (people,) = plans_of_csv(csv(*(f"a,2026-12-01T08:{m:02}Z,300,{m}" for m in (0, 5, 10)),
                                 header="queue,starts_at,interval_seconds,agents"), "acme")  # fmt: skip
    made = filled(people, forecast)
    assert made.intervals[:3] == tuple(
        PlannedInterval(contacts=20.0, aht_seconds=300.0, agents=float(m)) for m in (0, 5, 10)
    )
    assert made.intervals[3:] == (PlannedInterval(contacts=10.0, agents=7.0),) * 3, "the forecast reaches further"
    assert filled(people, None) == people
    assert filled(forecast, made).intervals[0] == PlannedInterval(contacts=60.0, aht_seconds=300.0, agents=0.0)


def test_rows_put_plans_together_the_one_said_last_first() -> None:
    (forecast,) = plans_of_csv(csv("a,2026-12-01T08:00Z,60,300,1", "a,2026-12-01T08:15Z,30,,2"), "acme")
    (coarse,) = plans_of_csv(
        csv("a,2026-12-01T07:30Z,3600,9", header="queue,starts_at,interval_seconds,agents"), "acme"
    )
    (people,) = plans_of_csv(csv("a,2026-12-01T08:15Z,5", header="queue,starts_at,agents"), "acme")
    rows = rows_between([people, forecast, coarse], EIGHT - 2 * 60 * MINUTE, EIGHT + 60 * MINUTE)
    told = [((row.starts_at - EIGHT) // MINUTE, row.contacts, row.aht_seconds, row.agents) for row in rows]
    assert told == [(-30, None, None, 9.0), (0, 60.0, 300.0, 1.0), (15, 30.0, None, 5.0)]
    assert rows_between([people, forecast], EIGHT, EIGHT + 15 * MINUTE) == rows[1:2]
    (newest, *_) = rows_between([coarse, people, forecast], EIGHT - 2 * 60 * MINUTE, EIGHT + 15 * MINUTE)
    assert (newest.starts_at - EIGHT, newest.agents) == (-30 * MINUTE, 9.0)


# Schedules.

SHIFTS = csv(
    "ann,a,2026-12-01T08:00Z,2026-12-01T09:00Z,on_queue",
    "ann,a,2026-12-01T08:20Z,2026-12-01T08:25Z,break",
    "bob,a,2026-12-01T08:00Z,2026-12-01T09:00Z,",
    "bob,b,2026-12-01T08:00Z,2026-12-01T08:30Z,on_queue",
    "eve,a,2026-12-01T08:30Z,2026-12-01T10:00Z,overtime",
    "kim,b,2026-12-01T08:15Z,2026-12-01T08:45Z,off_phone",
    header="agent,queue,starts_at,ends_at,activity",
)


def test_people_on_a_queue_are_counted_by_interval() -> None:
    #        08:00         08:15                    08:30     08:45
    # ann      1         2/3 (5 min break)             1         1
    # bob    half a, half b                         all a
    plans = {plan.queue: plan for plan in plans_of(stretches_of_csv(SHIFTS), "acme", 900)}
    assert [each.agents for each in plans["a"].intervals] == [1.5, pytest.approx(2 / 3 + 0.5, abs=1e-6), 2.0, 2.0]
    assert [each.agents for each in plans["b"].intervals] == [0.5, 0.5]
    assert {each.contacts for plan in plans.values() for each in plan.intervals} == {None}
    assert {plan.starts_at for plan in plans.values()} == {EIGHT}


def test_people_at_an_instant_are_counted_by_what_they_do() -> None:
    people = people_at(stretches_of_csv(SHIFTS), EIGHT + 22 * MINUTE)
    assert people["a"] == {Activity.ON_QUEUE: 0.5, Activity.BREAK: 1.0, Activity.OFF_PHONE: 0.0, Activity.OVERTIME: 0.0}
    assert people["b"] == {Activity.ON_QUEUE: 0.5, Activity.BREAK: 0.0, Activity.OFF_PHONE: 1.0, Activity.OVERTIME: 0.0}
    nobody = people_at(stretches_of_csv(SHIFTS), EIGHT + 600 * MINUTE)
    assert {count for counts in nobody.values() for count in counts.values()} == {0.0}


def test_a_short_pause_is_an_interval_without_people_and_a_long_one_ends_the_plan() -> None:
    rows = ("ann,a,2026-12-01T08:00Z,2026-12-01T08:15Z", "ann,a,2026-12-01T08:30Z,2026-12-01T08:45Z",
            "ann,a,2026-12-09T08:00Z,2026-12-09T08:15Z")  # fmt: skip
    text = csv(*rows, header="agent,queue,starts_at,ends_at")
    plans = plans_of(stretches_of_csv(text), "acme", 900)
    assert [[each.agents for each in plan.intervals] for plan in plans] == [[1.0, 0.0, 1.0], [1.0]]


def test_mistakes_in_a_schedule_are_told_with_their_lines() -> None:
    text = csv(
        "ann,a,2026-12-01T08:00Z,2026-12-01T08:00Z,on_queue",
        "ann,a,2026-12-01T08:00Z,2027-12-01T08:00Z,on_queue",
        header="agent,queue,starts_at,ends_at,activity",
    )
    assert mistakes(text, stretches_of_csv) == [(2, "ends_at"), (3, "ends_at")]
    text = csv("ann,a,2026-12-01T08:00Z,2026-12-01T09:00Z,asleep", header="agent,queue,starts_at,ends_at,activity")
    assert mistakes(text, stretches_of_csv) == [(2, "activity")]
