"""Planned maintenance: told ahead, as it begins and as it ends, whatever the policy says in between."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from schemas.agents import BreakerAction
from schemas.fields import BreakerState, TurnResult
from schemas.rules import Maintenance
from schemas.wfm import DurationSource, Impact, ImpactCause
from tests.endpoints import SECOND, START, Bench

FORCED_OPEN, CLOSED = BreakerState.FORCED_OPEN, BreakerState.CLOSED


def window(starts: float, ends: float) -> Maintenance:
    def text(second: float) -> str:
        return dt.datetime.fromtimestamp((START / SECOND) + second, tz=dt.UTC).isoformat()

    return Maintenance(starts=text(starts), ends=text(ends))


def planned(*windows: tuple[float, float]) -> Bench:
    """A contact a second for a minute, and maintenance to come."""
    bench = Bench(maintenance_ahead_seconds=900.0)
    for second in range(60):
        bench.turn(float(second), turn=1)
    bench.agent(maintenance=tuple(window(*each) for each in windows))
    return bench


def told(impact: Impact) -> tuple[BreakerState, float, float]:
    assert impact.starts_at is not None
    assert impact.ends_at is not None
    assert impact.cause is ImpactCause.MAINTENANCE
    assert impact.duration_source is DurationSource.PLAN
    return impact.state, (impact.starts_at - START) / SECOND, (impact.ends_at - START) / SECOND


def test_it_is_told_ahead_as_it_begins_and_as_it_is_over_once_each() -> None:
    # 60 ... 1100 | 900 s ahead ... 2000 | begins ... 2600 | over
    bench = planned((2000.0, 2600.0))
    for second in range(60, 3000, 10):
        bench.tick(float(second))
    assert [told(impact) for impact in bench.impacts] == [
        (FORCED_OPEN, 2000.0, 2600.0),
        (FORCED_OPEN, 2000.0, 2600.0),
        (CLOSED, 2000.0, 2600.0),
    ]
    assert [(impact.occurred_at - START) / SECOND for impact in bench.impacts] == [1100.0, 2000.0, 2600.0]
    assert [impact.expected_seconds_p50 for impact in bench.impacts] == [600.0, 600.0, 0.0]
    assert [impact.epoch for impact in bench.impacts] == [1, 2, 3]
    assert bench.transitions == []
    assert bench.state.get("planned\x1fnova") is None


def test_it_says_what_the_agent_carries() -> None:
    bench = planned((500.0, 600.0))
    bench.tick(60.0)
    row = bench.impacts[0].displaced[0]
    assert (row.queue, row.intent, row.alternatives) == ("retail", "balance", ("vega",))
    assert row.contacts_per_minute == pytest.approx(60.0, rel=0.05)
    assert bench.impacts[0].contacts_counted == 60
    assert bench.impacts[0].confidence > 0.8


def test_what_is_under_way_when_first_seen_is_told_as_begun_with_the_time_that_is_left() -> None:
    bench = planned((-100.0, 460.0))
    bench.tick(60.0)
    bench.tick(61.0)
    assert [told(impact) for impact in bench.impacts] == [(FORCED_OPEN, -100.0, 460.0)]
    assert bench.impacts[0].expected_seconds_p50 == 400.0


def test_what_is_over_when_first_seen_or_too_far_ahead_is_not_told() -> None:
    bench = planned((-100.0, 10.0), (5000.0, 6000.0))
    bench.tick(60.0)
    assert bench.effects == []


def test_a_restart_tells_nothing_twice() -> None:
    bench = planned((500.0, 600.0))
    for second in range(60, 700, 5):
        bench.restarted()
        bench.tick(float(second))
    assert [impact.state for impact in bench.impacts] == [FORCED_OPEN, FORCED_OPEN, CLOSED]


def test_a_forecast_that_the_policy_calls_off_is_taken_back() -> None:
    bench = planned((500.0, 600.0))
    bench.tick(60.0)
    bench.agent(maintenance=())
    bench.tick(61.0)
    bench.tick(62.0)
    assert [impact.state for impact in bench.impacts] == [FORCED_OPEN, CLOSED]
    gone = planned((500.0, 600.0))
    gone.tick(60.0)
    gone.follow(msgspec.structs.replace(gone.policy, endpoints=gone.policy.endpoints[1:]))
    gone.tick(61.0)
    assert [impact.state for impact in gone.impacts] == [FORCED_OPEN, CLOSED]


def test_a_forecast_for_another_time_takes_the_place_of_the_first() -> None:
    bench = planned((500.0, 600.0))
    bench.tick(60.0)
    bench.agent(maintenance=(window(700.0, 800.0),))
    bench.tick(61.0)
    assert [told(impact)[1:] for impact in bench.impacts] == [(500.0, 600.0), (700.0, 800.0)]
    assert {impact.state for impact in bench.impacts} == {FORCED_OPEN}


def test_a_maintenance_that_lasts_longer_stays_out_and_one_put_off_is_over_first() -> None:
    longer, put_off = planned((100.0, 200.0)), planned((100.0, 200.0))
    for bench in (longer, put_off):
        bench.tick(60.0)
        bench.tick(150.0)
    longer.agent(maintenance=(window(100.0, 400.0),))
    put_off.agent(maintenance=(window(500.0, 600.0),))
    for bench in (longer, put_off):
        bench.tick(160.0)
        bench.tick(201.0)
    assert [told(impact) for impact in longer.impacts[2:]] == [(FORCED_OPEN, 100.0, 400.0)]
    assert [told(impact) for impact in put_off.impacts[2:]] == [(CLOSED, 100.0, 160.0), (FORCED_OPEN, 500.0, 600.0)]


def test_two_in_a_row_are_told_apart() -> None:
    bench = planned((100.0, 200.0), (200.0, 300.0), (2000.0, 2100.0))
    for second in range(60, 2200):
        bench.tick(float(second))
    assert bench.impacts[-1].state is CLOSED
    epochs = [impact.epoch for impact in bench.impacts]
    assert epochs == list(range(1, len(epochs) + 1))
    out = [told(impact)[1] for impact in bench.impacts if impact.state is FORCED_OPEN]
    assert set(out) == {100.0, 200.0, 2000.0}


def test_its_end_is_no_word_on_a_breaker_that_is_out() -> None:
    # Staffing keeps the causes apart: this one is over, the breaker's own stands.
    bench = planned((100.0, 200.0))
    bench.tick(100.0)
    bench.turns_of(5, 150.0, TurnResult.TIMEOUT)
    bench.tick(200.0)
    last = [impact for impact in bench.impacts if impact.cause is ImpactCause.MAINTENANCE][-1]
    assert last.state is CLOSED
    assert max(impact.epoch for impact in bench.impacts) == last.epoch or bench.path[-1] == "half_open"


def test_transitions_and_maintenance_draw_epochs_from_one_count() -> None:
    bench = planned((100.0, 200.0))
    bench.tick(60.0)
    bench.order(BreakerAction.FORCE_OPEN, 70.0)
    bench.tick(100.0)
    bench.order(BreakerAction.CLOSE, 150.0)
    bench.tick(200.0)
    assert [impact.epoch for impact in bench.impacts] == [1, 2, 3, 4, 5]
    assert [transition.epoch for transition in bench.transitions] == [2, 4]


def test_during_an_outage_it_says_what_the_agent_carried_before() -> None:
    bench = planned((100.0, 200.0))
    bench.turns_of(5, 60.0, TurnResult.TIMEOUT)
    bench.tick(61.0)
    assert bench.impacts[-1].cause is ImpactCause.MAINTENANCE
    assert bench.impacts[-1].displaced == bench.impacts[0].displaced
