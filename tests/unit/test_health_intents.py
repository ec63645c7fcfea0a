"""Intents that fail alone: shed for a time, brought back on trial, and never without an end."""

from __future__ import annotations

import pytest

from processors.health.logic.signals import KINDS, Signal
from schemas.agents import BreakerAction
from schemas.fields import BreakerState, TurnResult
from tests.endpoints import SECOND, START, Bench

FAILED = TurnResult.SERVER_ERROR


def traffic(bench: Bench, seconds: range, *, share: int = 5, result: TurnResult = FAILED) -> None:
    """Each second `share` good turns of balance, and one of card_lost with `result`, while it is not shed."""
    for second in seconds:
        bench.turns_of(share, float(second))
        if "card_lost" not in bench.breaker().shed:
            bench.turn(float(second), result, intent="card_lost")
        bench.tick(float(second) + 0.5)


def shed_at(bench: Bench) -> float:
    return (bench.transitions[-1].occurred_at - START) / SECOND


def test_an_intent_that_fails_alone_is_shed_and_the_endpoint_stays_closed_for_others() -> None:
    bench = Bench()
    traffic(bench, range(60), result=TurnResult.OK)
    traffic(bench, range(60, 80))
    transition = bench.transitions[-1]
    assert (bench.path, bench.reasons) == (["degraded"], ["intent_failing"])
    assert (transition.shed_intents, transition.intents_only) == (("card_lost",), True)
    assert (transition.most_at_once, transition.evidence.signal) == (None, "failures")
    assert transition.evidence.statistic == transition.evidence.limit == 261
    assert "card_lost: 6 of the last 6" in transition.detail


def test_turns_of_contacts_under_way_of_a_shed_intent_are_not_held_against_the_others() -> None:
    bench = Bench()
    traffic(bench, range(60), result=TurnResult.OK)
    traffic(bench, range(60, 70))
    assert bench.reasons == ["intent_failing"]
    for second in range(70, 85):
        bench.turns_of(2, float(second))
        bench.turns_of(4, float(second), FAILED, intent="card_lost")
    assert bench.reasons == ["intent_failing"]
    bench.order(BreakerAction.FORCE_OPEN, 85.0)
    assert bench.transitions[-1].evidence.failures < 8


def test_what_made_an_intent_be_shed_is_no_evidence_against_the_rest_while_it_leaves_the_window() -> None:
    # one in three fails, all of them of one intent; right after the shed a few good answers come
    bench = Bench()
    traffic(bench, range(20), share=2, result=TurnResult.OK)
    traffic(bench, range(20, 27), share=2)
    assert bench.reasons[:1] == ["intent_failing"]
    traffic(bench, range(27, 45), share=2)
    assert bench.reasons == ["intent_failing"]


def test_all_intents_failing_degrades_or_opens_the_endpoint_first() -> None:
    bench = Bench()
    for second in range(60):
        for number in range(8):
            bench.turn(float(second), intent=f"i-{number}")
    for second in range(60, 70):
        for number in range(8):
            failed = number % 2 == second % 2
            bench.turn(float(second), TurnResult.RATE_LIMITED if failed else TurnResult.OK, intent=f"i-{number}")
    assert bench.path[0] == "degraded"
    assert not any(transition.shed_intents for transition in bench.transitions)


def test_a_shed_ends_by_tick_alone_and_the_intent_comes_back_on_trial() -> None:
    bench = Bench(open_jitter=0.0)
    traffic(bench, range(60), result=TurnResult.OK)
    traffic(bench, range(60, 80))
    began = shed_at(bench)
    bench.tick(began + 29.9)
    assert bench.path == ["degraded"]
    bench.tick(began + 30.0)
    assert (bench.path, bench.reasons[-1]) == (["degraded", "closed"], "shed_elapsed")
    last = bench.transitions[-1]
    assert (last.shed_intents, last.intents_only, last.ramp_seconds) == ((), False, 0.0)
    # Half of the evidence is enough now: three failures, not six.
    for number in range(3):
        assert bench.path[-1] == "closed", number
        bench.turn(began + 31.0, FAILED, intent="card_lost")
    assert bench.transitions[-1].shed_intents == ("card_lost",)


def test_an_intent_that_is_well_again_pays_its_trial_off() -> None:
    bench = Bench(open_jitter=0.0)
    traffic(bench, range(60), result=TurnResult.OK)
    traffic(bench, range(60, 80))
    traffic(bench, range(80, 200), result=TurnResult.OK)
    assert bench.path == ["degraded", "closed"]
    assert bench.state.get("intent\x1fnova\x1fcard_lost") is None


def test_each_time_it_is_shed_for_longer_until_it_was_well_for_the_longest_wait() -> None:
    bench, waits, second = Bench(open_jitter=0.0), [], 0
    for _ in range(4):
        while bench.breaker().state is BreakerState.CLOSED:
            traffic(bench, range(second, second + 1))
            second += 1
        breaker = bench.breaker()
        waits.append((breaker.shed_until - breaker.changed_at) / SECOND)
        while bench.breaker().state is BreakerState.DEGRADED:
            traffic(bench, range(second, second + 1))
            second += 1
    assert waits == [30.0, 60.0, 90.0, 120.0]
    traffic(bench, range(second, second + 301), result=TurnResult.OK, share=1)
    while bench.breaker().state is BreakerState.CLOSED:
        traffic(bench, range(second + 301, second + 302))
        second += 1
    breaker = bench.breaker()
    assert (breaker.shed_until - breaker.changed_at) / SECOND == 30.0


def test_a_second_intent_joins_the_first_and_both_come_back_together() -> None:
    bench = Bench(open_jitter=0.0)
    traffic(bench, range(60), result=TurnResult.OK)
    traffic(bench, range(60, 70))
    for second in range(70, 80):
        bench.turns_of(6, float(second))
        bench.turn(float(second), FAILED, intent="payment")
    transition = bench.transitions[-1]
    assert transition.shed_intents == ("card_lost", "payment")
    until = (bench.breaker().shed_until - START) / SECOND
    assert until == pytest.approx((transition.occurred_at - START) / SECOND + 60.0)
    bench.tick(until)
    assert bench.transitions[-1].reason == "shed_elapsed"
    assert bench.transitions[-1].shed_intents == ()


def test_a_whole_degradation_takes_the_place_of_shed_intents() -> None:
    bench = Bench()
    traffic(bench, range(60), result=TurnResult.OK)
    traffic(bench, range(60, 70))
    for number in range(9):
        bench.graded(71.0, resolved=False, intent=f"i-{number}")
    transition = bench.transitions[-1]
    assert bench.path == ["degraded", "degraded"]
    assert (transition.reason, transition.shed_intents, transition.intents_only) == ("unresolved", (), False)
    assert bench.breaker().shed_until == 0
    bench.tick(200.0)
    assert bench.path == ["degraded", "degraded"]


def test_a_hard_outage_while_an_intent_is_shed_opens() -> None:
    bench = Bench()
    traffic(bench, range(60), result=TurnResult.OK)
    traffic(bench, range(60, 70))
    bench.turns_of(5, 71.0, FAILED)
    assert bench.path == ["degraded", "open"]
    assert bench.breaker().shed == ()


def test_an_intent_that_qa_finds_unresolved_is_shed_and_comes_back_on_trial_for_that() -> None:
    bench = Bench(open_jitter=0.0)
    for second in range(0, 3600, 30):
        bench.turn(float(second))
        for _ in range(14):
            bench.graded(float(second), resolved=True)
        if bench.path:
            break
        bench.graded(float(second), resolved=False, intent="card_lost")
    transition = bench.transitions[-1]
    assert (transition.reason, transition.shed_intents) == ("intent_failing", ("card_lost",))
    assert transition.evidence.signal == "unresolved"
    until = (bench.breaker().shed_until - START) / SECOND
    bench.tick(until)
    test = KINDS[Signal.UNRESOLVED].test(bench.policy.breaker)
    assert test is not None
    needed = -(-(test.limit - round(test.limit / 2)) // test.up)
    for number in range(needed):
        assert bench.path[-1] == "closed", number
        bench.graded(until + 1.0, resolved=False, intent="card_lost")
    assert bench.path[-1] == "degraded"


def test_a_close_by_command_brings_a_shed_intent_back_with_a_clean_record() -> None:
    bench = Bench()
    traffic(bench, range(60), result=TurnResult.OK)
    traffic(bench, range(60, 70))
    bench.order(BreakerAction.CLOSE, 70.0)
    for number in range(4):
        bench.turn(71.0, FAILED, intent="card_lost")
        bench.turns_of(10, 71.0)
        assert bench.path == ["degraded", "closed"], number


def test_what_an_intent_did_before_an_outage_counts_no_more_after_it() -> None:
    bench = Bench(half_open_successes=1, open_jitter=0.0)
    for _ in range(5):
        bench.turns_of(20, 0.0)
        bench.turn(0.0, TurnResult.RATE_LIMITED, intent="card_lost")
    woken = bench.half_opened(1.0)
    bench.turn(woken)
    bench.turns_of(20, woken + 1)
    bench.turns_of(2, woken + 2, TurnResult.RATE_LIMITED, intent="card_lost")
    assert bench.path == ["open", "half_open", "closed"]


def test_a_version_sheds_no_intents() -> None:
    bench = Bench()
    bench.turn(0.0, version="1")
    bench.turn(0.0, version="2")
    traffic(bench, range(1, 60), result=TurnResult.OK)
    traffic(bench, range(60, 75))
    shedding = [transition for transition in bench.transitions if transition.shed_intents]
    assert {transition.version for transition in shedding} == {None}
    assert bench.of_version("1").shed == ()
