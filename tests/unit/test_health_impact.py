"""What a breaker's move tells WFM: contacts per minute by queue and intent, and for how long."""

from __future__ import annotations

from typing import Any

import pytest

from processors.health.logic.outlook import expected_duration, remember_outage
from runtime.state import DictState
from schemas import topics
from schemas.agents import BreakerAction
from schemas.fields import TurnResult
from tests.endpoints import START, Bench

TIMEOUT = TurnResult.TIMEOUT


def contacts(bench: Bench, seconds: range, **fields: Any) -> None:
    """One contact a second, of two turns."""
    for second in seconds:
        bench.turn(float(second), turn=1, **fields)
        bench.turn(float(second), turn=2, **fields)


def rates(bench: Bench, index: int = -1) -> dict[tuple[str, str], float]:
    return {(d.queue, d.intent): d.contacts_per_minute for d in bench.impacts[index].displaced}


def test_a_transition_goes_to_both_topics_and_its_impact_to_wfm() -> None:
    bench = Bench().opened()
    assert [e.topic for e in bench.effects] == [topics.TRANSITIONS, topics.BREAKER_STATE, topics.WFM_EVENTS]
    assert bench.effects[0].event == bench.effects[1].event
    transition, impact = bench.transitions[0], bench.impacts[0]
    assert (impact.tenant, impact.provider, impact.endpoint) == ("acme", "north", "nova")
    assert (impact.state, impact.epoch, impact.occurred_at) == (
        transition.to_state,
        transition.epoch,
        transition.occurred_at,
    )


def test_displaced_counts_contacts_by_their_first_turn_per_queue_and_intent() -> None:
    bench = Bench()
    contacts(bench, range(300), queue="retail", intent="balance")
    contacts(bench, range(300, 301), queue="retail", intent="card_lost")
    bench.turns_of(5, 301.0, TIMEOUT)
    found = rates(bench)
    assert found[("retail", "balance")] == pytest.approx(60.0, rel=0.05)
    assert 0.0 < found[("retail", "card_lost")] < 0.5


def test_alternatives_are_the_other_endpoints_that_the_policy_gives_the_intent_to() -> None:
    bench = Bench()
    for intent in ("balance", "card_lost"):
        contacts(bench, range(20), queue="retail", intent=intent)
    bench.turns_of(5, 20.0, TIMEOUT)
    assert {d.intent: d.alternatives for d in bench.impacts[-1].displaced} == {"balance": ("vega",), "card_lost": ()}


def test_when_less_than_five_minutes_were_seen_the_rate_is_over_the_time_that_was() -> None:
    bench = Bench()
    contacts(bench, range(30))
    bench.turns_of(5, 30.0, TIMEOUT)
    assert rates(bench)[("retail", "balance")] == pytest.approx(60.0, rel=0.02)


def test_a_single_contact_is_taken_over_ten_seconds_at_least() -> None:
    bench = Bench()
    bench.turn(0.0, TIMEOUT, turn=1)
    bench.turns_of(4, 0.0, TIMEOUT)
    assert rates(bench) == {("retail", "balance"): 6.0}


def test_contacts_older_than_five_minutes_are_not_in_the_rate() -> None:
    bench = Bench()
    contacts(bench, range(60), queue="retail", intent="card_lost")
    contacts(bench, range(400, 500), queue="retail", intent="balance")
    bench.turns_of(5, 500.0, TIMEOUT)
    assert set(rates(bench)) == {("retail", "balance")}
    assert rates(bench)[("retail", "balance")] == pytest.approx(100 / (290 / 60))


def test_a_steady_load_keeps_its_rate_however_long_it_lasts() -> None:
    bench = Bench()
    contacts(bench, range(900))
    bench.turns_of(5, 900.0, TIMEOUT)
    assert rates(bench)[("retail", "balance")] == pytest.approx(60.0, rel=0.02)


def test_a_close_of_a_degraded_endpoint_by_command_leaves_its_measured_load_alone() -> None:
    bench = Bench()
    contacts(bench, range(300))
    bench.turns_of(10, 300.0, TurnResult.RATE_LIMITED)
    bench.order(BreakerAction.CLOSE, 300.0)
    contacts(bench, range(301, 303))
    assert bench.path == ["degraded", "closed"]
    bench.order(BreakerAction.FORCE_OPEN, 303.0)
    assert rates(bench)[("retail", "balance")] == pytest.approx(60.0, rel=0.05)


def test_the_load_is_frozen_while_the_endpoint_is_out_and_repeated_as_it_closes() -> None:
    bench = Bench()
    contacts(bench, range(120))
    woken = bench.half_opened(120.0)
    for second in range(1, 30):
        bench.tick(woken + second)
    bench.turns_of(5, woken + 30.0, turn=1)
    assert bench.path[:2] == ["open", "half_open"]
    assert bench.path[-1] == "closed"
    assert len(bench.impacts) == len(bench.transitions)
    assert all(rates(bench, i) == rates(bench, 0) for i in range(len(bench.impacts)))
    assert rates(bench)[("retail", "balance")] == pytest.approx(60.0, rel=0.02)


def test_degraded_and_its_end_tell_what_the_endpoint_carries_now() -> None:
    bench = Bench()
    contacts(bench, range(60))
    bench.turns_of(10, 60.0, TurnResult.RATE_LIMITED)
    for second in range(61, 200, 2):
        contacts(bench, range(second, second + 1))
    assert bench.path == ["degraded", "closed"]
    assert rates(bench, 0)[("retail", "balance")] == pytest.approx(60.0, rel=0.02)
    assert 30.0 < rates(bench, 1)[("retail", "balance")] < 60.0


def test_an_outage_right_after_a_recovery_tells_the_load_from_before_both() -> None:
    bench = Bench()
    contacts(bench, range(120))
    woken = bench.half_opened(120.0)
    bench.turns_of(5, woken)
    bench.turn(woken + 2.0, turn=1)
    bench.turns_of(5, woken + 3.0, TIMEOUT)
    assert bench.path[-1] == "open"
    assert rates(bench) == rates(bench, 0)


def test_an_outage_later_on_is_measured_anew_without_the_hole_of_the_first() -> None:
    bench = Bench()
    contacts(bench, range(120))
    woken = round(bench.half_opened(120.0)) + 1
    bench.turns_of(5, float(woken))
    for second in range(woken + 1, woken + 81, 2):
        bench.turn(float(second), turn=1)
    bench.turns_of(5, woken + 81.0, TIMEOUT)
    assert rates(bench)[("retail", "balance")] == pytest.approx(30.0, rel=0.05)


def test_contacts_whose_first_turn_failed_by_the_caller_were_carried_too() -> None:
    bench = Bench()
    for second in range(30):
        bench.turn(float(second), TurnResult.CALLER_FAULT, turn=1)
    bench.order(BreakerAction.FORCE_OPEN, 30.0)
    assert rates(bench)[("retail", "balance")] == pytest.approx(60.0, rel=0.05)


def test_an_endpoint_never_seen_displaces_nothing() -> None:
    bench = Bench()
    bench.order(BreakerAction.FORCE_OPEN, 0.0)
    assert bench.impacts[-1].displaced == ()


def test_the_expected_duration_is_a_prior_until_an_outage_has_ended() -> None:
    bench = Bench()
    woken = bench.half_opened()
    assert {(i.expected_seconds_p50, i.expected_seconds_p90, i.duration_samples) for i in bench.impacts} == {
        (300.0, 1800.0, 0)
    }
    bench.turns_of(5, woken + 10.0)
    last = bench.impacts[-1]
    assert last.duration_samples == 1
    assert last.expected_seconds_p50 == last.expected_seconds_p90 == pytest.approx(woken + 10.0, abs=0.001)


def test_the_duration_is_that_of_the_whole_outage_with_all_its_reopenings() -> None:
    bench = Bench()
    woken = bench.half_opened()
    bench.turn(woken, TIMEOUT)
    bench.tick(1000.0)
    bench.turns_of(10, 1000.0)
    assert bench.path[-1] == "closed"
    assert bench.impacts[-1].expected_seconds_p50 == pytest.approx(1000.0)


def test_an_outage_ended_by_an_operator_is_no_sample() -> None:
    bench = Bench().opened()
    bench.order(BreakerAction.CLOSE, 5.0)
    assert bench.impacts[-1].duration_samples == 0


def test_durations_are_quantiles_of_the_last_thirty_two_outages() -> None:
    state = DictState()
    for seconds in range(100, 0, -1):
        remember_outage(state, "nova", float(seconds))
    duration = expected_duration(state, "nova", START)  # 1..32 are kept
    assert duration.samples == 32
    assert duration.p50_seconds == pytest.approx(16.5)
    assert duration.p90_seconds == pytest.approx(28.9)


def test_endpoints_of_one_provider_are_kept_apart() -> None:
    bench = Bench()
    contacts(bench, range(60))
    bench.turns_of(5, 60.0, TIMEOUT, endpoint="vega")
    assert bench.impacts[-1].endpoint == "vega"
    assert bench.impacts[-1].displaced == ()
    assert bench.breaker("nova").epoch == 0
