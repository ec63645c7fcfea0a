"""People needed in the intervals of an outage: the basis of the load, the chance that AI is still out, and the band."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.staffing.logic import weekdays
from processors.staffing.logic.erlang import agents_required
from processors.staffing.logic.forecast import MOST_INTERVALS, Outage, Outlook
from processors.staffing.logic.weekdays import INTERVAL_MICROS, PER_DAY
from runtime.plans import Plans
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas.control import PlannedInterval, QueuePlan
from schemas.topics import PLANS
from schemas.wfm import IntervalRequirement, LoadBasis
from tests.staffing_bench import BILLING, MINUTE, SECOND, START, human_contacts

OUTAGE = Outage(starts_at=START, lost_per_minute=6.0, p50_seconds=1800.0, p90_seconds=7200.0, contacts_counted=100)


def plan(*contacts: float, starts_at: int = START, **changes: object) -> QueuePlan:
    """Billing's plan, 15 minutes each."""
    fields = {"aht_seconds": 240.0, "agents": 20.0}
    intervals = tuple(PlannedInterval(contacts=each, **fields) for each in contacts)
    base = {"tenant": "acme", "queue": "billing", "starts_at": starts_at, "intervals": intervals, "occurred_at": START}
    return QueuePlan(**{**base, **changes})


def said(*plans: QueuePlan) -> Snapshot:
    made = Snapshot()
    for number, each in enumerate(plans):
        made = made.with_record(PLANS, PLANS.key_of(each), each, number)
    return made


def outlook(snapshot: Snapshot = Snapshot(), state: DictState | None = None, present: float = 12.0) -> Outlook:  # noqa: B008 - frozen
    return Outlook("acme", BILLING, present, 300.0, state or DictState(), snapshot, Plans())


def needed(contacts_per_minute: float, aht_seconds: float = 300.0) -> int:
    return agents_required(
        contacts_per_minute,
        aht_seconds,
        BILLING.service_level_target,
        BILLING.service_level_seconds,
        BILLING.max_occupancy,
    ).agents


def test_with_no_plan_and_no_past_the_load_of_the_moment_stands_for_every_interval() -> None:
    found = outlook().required(OUTAGE, START)
    assert len(found) == 8  # 7,200 s
    assert [each.starts_at for each in found] == [START + n * INTERVAL_MICROS for n in range(8)]
    assert {each.basis for each in found} == {LoadBasis.PRESENT}
    assert {(each.agents_required_before, each.agents_required_after) for each in found} == {(needed(12), needed(18))}
    assert all(each.agents_planned is None for each in found)


def test_a_plan_comes_before_past_weeks_and_moves_the_loss_with_it() -> None:
    found = outlook(said(plan(150.0, 300.0, 75.0))).required(OUTAGE, START)
    planned = found[:3]
    assert [each.basis for each in found[:4]] == [LoadBasis.PLAN] * 3 + [LoadBasis.PRESENT]
    assert [each.contacts_per_minute_before for each in planned] == [10.0, 20.0, 5.0]
    assert [each.contacts_per_minute_after for each in planned] == [16.0, 32.0, 8.0]
    assert [each.agents_required_after for each in planned] == [needed(rate, 240.0) for rate in (16.0, 32.0, 8.0)]
    assert {each.agents_planned for each in planned} == {20.0}
    assert found[3].contacts_per_minute_after == 18.0, "another basis: nothing to take a proportion of"


def test_the_mean_of_past_weeks_stands_where_there_is_no_plan() -> None:
    state = DictState()
    begins = START - 7 * PER_DAY * INTERVAL_MICROS
    for n, contacts in enumerate((90, 180, 45, 1, 1)):
        for each in human_contacts(contacts, begins + n * INTERVAL_MICROS, begins + (n + 1) * INTERVAL_MICROS):
            weekdays.observe(each, state, each.occurred_at)
    found = outlook(state=state).required(OUTAGE, START)
    assert [each.basis for each in found[:4]] == [LoadBasis.WEEKDAY] * 3 + [LoadBasis.PRESENT]
    assert [each.contacts_per_minute_after for each in found[:3]] == [12.0, 24.0, 6.0]


def test_of_two_plans_that_overlap_the_one_said_last_counts() -> None:
    long, short = plan(*[150.0] * 8), plan(300.0, starts_at=START + INTERVAL_MICROS, occurred_at=START + SECOND)
    found = outlook(said(short, long)).required(OUTAGE, START)
    assert [each.contacts_per_minute_before for each in found[:4]] == [10.0, 20.0, 10.0, 10.0]


def test_plans_of_half_an_hour_hold_for_both_quarters() -> None:
    found = outlook(said(plan(300.0, 600.0, interval_seconds=1800))).required(OUTAGE, START)
    assert [each.contacts_per_minute_before for each in found[:4]] == [10.0, 10.0, 20.0, 20.0]


def test_half_of_the_outages_last_longer_than_the_median_and_a_tenth_longer_than_the_last_decile() -> None:
    assert OUTAGE.chance_out(START + 1800 * SECOND, START) == pytest.approx(0.5)
    assert OUTAGE.chance_out(START + 7200 * SECOND, START) == pytest.approx(0.1, rel=1e-5)
    assert OUTAGE.chance_out(START - SECOND, START) == 0.0
    even = Outage(START, 6.0, 600.0, 600.0)
    assert even.chance_out(START + 600 * SECOND, START) == pytest.approx(0.5)


def test_an_outage_that_has_lasted_is_likely_to_last_on() -> None:
    later = START + 3600 * SECOND
    assert OUTAGE.chance_out(later, START) < 0.3
    assert OUTAGE.chance_out(later, later) == 1.0
    assert OUTAGE.chance_out(later + 600 * SECOND, later) > OUTAGE.chance_out(START + 600 * SECOND, START) - 0.1
    ancient = START + 10**6 * 3600 * SECOND
    assert OUTAGE.chance_out(ancient, ancient) == 1.0


def test_planned_maintenance_ends_when_it_is_planned_to() -> None:
    away = Outage(START + 30 * MINUTE, 6.0, 1.0, 1.0, ends_at=START + 60 * MINUTE)
    found = outlook().required(away, START)
    assert [(each.starts_at - START) // MINUTE for each in found] == [30, 45]
    assert [each.chance_out for each in found] == [1.0, 1.0]


def test_the_band_is_of_the_chance_that_it_lasts_and_of_what_was_counted() -> None:
    found = outlook().required(OUTAGE, START)
    likely, open_, last = found[0], found[2], found[-1]
    assert likely.chance_out > 0.9 > open_.chance_out > 0.1
    assert needed(12) < likely.agents_low < likely.agents_required_after < likely.agents_high
    assert open_.agents_low == needed(12), "it may be over"
    assert open_.agents_high == likely.agents_high == needed(12 + 6 * (1 + 1.281552 / 10))
    assert last.agents_low == needed(12)
    blind = outlook().required(Outage(START, 6.0, 1800.0, 7200.0), START)[0]
    assert (blind.agents_low, blind.agents_high) == (needed(15), needed(21))


def test_no_loss_needs_no_intervals() -> None:
    assert outlook().required(Outage(START, 0.0, 1800.0, 7200.0), START) == ()


def test_an_outage_of_a_week_is_told_for_a_shift() -> None:
    found = outlook().required(Outage(START, 6.0, 604_800.0, 604_800.0), START)
    assert len(found) == MOST_INTERVALS


@given(
    p50=st.floats(0.0, 1e6),
    times=st.floats(1.0, 100.0),
    now=st.integers(0, 10**7),
    ahead=st.lists(st.integers(0, 10**7), min_size=2, max_size=6),
    rate=st.floats(0.0, 200.0),
    lost=st.floats(0.001, 200.0),
)
def test_chances_never_rise_and_people_are_in_order(
    p50: float, times: float, now: int, ahead: list[int], rate: float, lost: float
) -> None:
    outage = Outage(START, lost, p50, p50 * times, contacts_counted=50)
    at = START + now * SECOND
    chances = [outage.chance_out(at + seconds * SECOND, at) for seconds in sorted(ahead)]
    assert all(0.0 <= chance <= 1.0 for chance in chances)
    assert chances == sorted(chances, reverse=True) or math.isclose(max(chances), min(chances), abs_tol=1e-9)
    rows: tuple[IntervalRequirement, ...] = outlook(present=rate).required(outage, at)
    assert 1 <= len(rows) <= MOST_INTERVALS
    for row in rows:
        assert row.agents_required_before <= row.agents_low <= row.agents_high
        assert (
            row.agents_required_before <= row.agents_required_after <= max(row.agents_high, row.agents_required_after)
        )


def test_a_plan_of_people_alone_leaves_the_load_to_what_else_is_known() -> None:
    people = QueuePlan(
        tenant="acme", queue="billing", starts_at=START, occurred_at=START + 1,
        intervals=tuple(PlannedInterval(agents=20.0) for _ in range(4)),
    )  # fmt: skip
    assert {each.basis for each in outlook(said(people)).required(OUTAGE, START)} == {LoadBasis.PRESENT}
    forecast = plan(150.0, 150.0, 150.0, 150.0, starts_at=START - INTERVAL_MICROS)
    plans = said(forecast, people)
    assert Plans().at(plans, "acme", "billing", START) == (10.0, 240.0, 20.0)
    first, *_ = outlook(plans).required(OUTAGE, START)
    assert first.basis is LoadBasis.PLAN


def test_contacts_and_people_are_each_by_the_plan_that_said_them_last() -> None:
    forecast = plan(intervals=(PlannedInterval(contacts=150.0, aht_seconds=240.0),))
    newer = plan(
        starts_at=START - INTERVAL_MICROS, occurred_at=START + 2,
        intervals=(PlannedInterval(contacts=300.0), PlannedInterval(agents=7.0)),
    )  # fmt: skip
    assert Plans().at(said(forecast, newer), "acme", "billing", START) == (10.0, 240.0, 7.0)
    assert Plans().at(said(forecast, newer), "acme", "billing", START - INTERVAL_MICROS) == (20.0, None, None)
