"""Planned maintenance. Left to right: F its forecast, M it begins, E it ends; O, C: a breaker opens, closes."""

import pytest

from schemas.fields import BreakerState
from schemas.wfm import DurationSource, ImpactCause
from tests.staffing_bench import (
    METERED,
    MINUTE,
    SECOND,
    START,
    Bench,
    carried,
    human_contacts,
    impact,
    people,
    rows,
    snapshot_of,
    tick,
)

OPEN, CLOSED, FORCED_OPEN = BreakerState.OPEN, BreakerState.CLOSED, BreakerState.FORCED_OPEN
NOW = START + 5 * MINUTE
BEGINS, ENDS = NOW + 15 * MINUTE, NOW + 75 * MINUTE
ONE, TWO = carried("billing", 10.0, "two"), carried("billing", 7.0, "one")


def alone(rate=10.0):
    return carried("billing", rate)


def planned(at, epoch, *displaced, state=FORCED_OPEN, **changes):
    """Word of maintenance: ahead, or in its time."""
    stated = {
        "cause": ImpactCause.MAINTENANCE, "starts_at": BEGINS, "ends_at": ENDS, "confidence": 0.8,
        "duration_source": DurationSource.PLAN, "expected_seconds_p50": 3600.0, "expected_seconds_p90": 3600.0,
    }  # fmt: skip
    return impact(at, state, epoch, *displaced, **{**stated, **changes})


def busy(*events):
    bench = Bench()
    bench.feed(*human_contacts(60, START, NOW), *events)
    return bench


def lost(told):
    return {queue: row.ai_contacts_per_minute_lost for queue, row in told.capacity.items()}


def test_what_is_planned_is_told_ahead_and_nothing_is_out():
    #  F
    bench = busy()
    told = bench.told(planned(NOW, 1, alone()))
    signal, requirement = told.capacity["billing"], told.staffing["billing"]
    assert (signal.ai_contacts_per_minute_lost, signal.endpoints_out) == (10, ("one",))
    assert requirement.human_contacts_per_minute_after - requirement.human_contacts_per_minute_before == 10
    assert requirement.agents_required_after > requirement.agents_required_before > 0
    assert requirement.since is None
    for row in (signal, requirement):
        assert (row.starts_at, row.ends_at) == (BEGINS, ENDS)
        assert (row.confidence, row.duration_source, row.expected_seconds_p50) == (0.8, DurationSource.PLAN, 3600)
        assert (row.cause_endpoint, row.cause_state, row.cause_epoch) == ("one", FORCED_OPEN, 1)
    assert bench.state.get("out", []) == []
    assert rows(bench.ticks(NOW, NOW + MINUTE)) == []


def test_when_it_begins_it_is_an_outage_until_it_ends():
    #  F ... M ... E
    bench = busy(planned(NOW, 1, alone()))
    bench.feed(*human_contacts(180, NOW, BEGINS))
    begun = bench.told(planned(BEGINS, 2, alone(12.0)))
    ended = bench.told(planned(ENDS, 3, alone(12.0), state=CLOSED))
    assert [lost(told) for told in (begun, ended)] == [{"billing": 12}, {"billing": 0}]
    assert [told.staffing["billing"].since for told in (begun, ended)] == [BEGINS, None]
    assert [told.staffing["billing"].starts_at for told in (begun, ended)] == [None, None]
    assert begun.staffing["billing"].ends_at == ENDS
    assert begun.staffing["billing"].human_contacts_per_minute_before == pytest.approx(12, rel=0.05)
    assert begun.capacity["billing"].revision == 2


def test_word_that_is_read_late_is_still_a_forecast():
    told = busy().told(planned(NOW, 1, alone()), now=BEGINS + MINUTE)
    assert told.capacity["billing"].starts_at == BEGINS


def test_a_forecast_leaves_the_present_outage_of_the_queue_as_it_is():
    #  O(two) ... F(one)
    bench = busy(impact(NOW, OPEN, 1, carried("billing", 4.0), endpoint="two"))
    told = bench.told(planned(NOW + MINUTE, 1, alone()))
    assert lost(told) == {"billing": 14}
    assert told.staffing["billing"].since == NOW
    assert bench.state.get("out") == ["two"]
    closed = bench.told(impact(NOW + 2 * MINUTE, CLOSED, 2, endpoint="two"))
    assert lost(closed) == {"billing": 0}


def test_what_is_planned_for_two_that_cover_each_other_at_one_time_is_lost():
    #  F(one), F(two): neither is missed alone
    bench = busy()
    assert lost(bench.told(planned(NOW, 1, ONE))) == {"billing": 0}
    assert lost(bench.told(planned(NOW, 1, TWO, endpoint="two", starts_at=ENDS))) == {"billing": 0}
    overlapping = planned(NOW, 2, TWO, endpoint="two", starts_at=ENDS - SECOND)
    assert lost(bench.told(overlapping)) == {"billing": 17}


def test_maintenance_that_is_called_off_is_taken_back():
    #  F ... E
    bench = busy(planned(NOW, 1, alone()))
    told = bench.told(planned(NOW + MINUTE, 2, state=CLOSED))
    requirement = told.staffing["billing"]
    assert lost(told) == {"billing": 0}
    assert requirement.agents_required_after == requirement.agents_required_before
    assert (requirement.starts_at, requirement.since) == (None, None)
    assert bench.state.get("planned") == []


def test_an_endpoint_is_out_while_its_breaker_or_maintenance_says_so():
    #  O ... M ... C ... E       O ... M ... E ... C
    steps = [
        (OPEN, None, 10), (FORCED_OPEN, "m", 10), (CLOSED, None, 10), (CLOSED, "m", 0),
        (OPEN, None, 10), (FORCED_OPEN, "m", 10), (CLOSED, "m", 10), (CLOSED, None, 0),
    ]  # fmt: skip
    bench = busy()
    for epoch, (state, cause, left) in enumerate(steps):
        at = BEGINS + epoch * MINUTE
        event = planned(at, epoch, alone(), state=state) if cause else impact(at, state, epoch, alone())
        assert lost(bench.told(event)) == {"billing": left}, epoch


def test_maintenance_and_breaker_count_their_epochs_together():
    bench = busy(planned(BEGINS, 5, alone()))
    assert bench.feed(impact(BEGINS + MINUTE, OPEN, 5, alone())) == []
    assert bench.feed(planned(BEGINS + MINUTE, 4, alone(), state=CLOSED)) == []
    assert lost(bench.told(planned(BEGINS + MINUTE, 6, alone(), state=CLOSED))) == {"billing": 0}


def test_a_breaker_that_moves_before_the_time_leaves_the_plan_standing():
    #  F(one) O(one) C(one) F(two): one is planned still
    bench = busy(planned(NOW, 1, ONE), impact(NOW + SECOND, OPEN, 2, ONE), impact(NOW + MINUTE, CLOSED, 3, ONE))
    assert lost(bench.told(planned(NOW + MINUTE, 1, TWO, endpoint="two"))) == {"billing": 17}


def test_contacts_are_metered_while_maintenance_lasts():
    bench = Bench(snapshot_of(METERED, people(120)))
    bench.feed(planned(BEGINS, 1, alone()))
    (row,) = rows(bench.feed(tick(BEGINS + SECOND)))
    assert sum(row.permits) > 0


def test_how_sure_an_impact_is_of_its_figures_is_passed_on():
    told = busy().told(impact(NOW, OPEN, 1, alone(), confidence=0.66, duration_source=DurationSource.PROVIDER))
    for row in (told.capacity["billing"], told.staffing["billing"]):
        assert (row.confidence, row.duration_source) == (0.66, DurationSource.PROVIDER)
        assert (row.starts_at, row.ends_at) == (None, None)
