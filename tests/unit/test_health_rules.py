"""What trips a breaker in normal traffic, what does not, and what lets it recover."""

from __future__ import annotations

import pytest
from scipy.stats import beta

from processors.health.logic.rules import probability_above
from schemas.agents import BreakerAction
from schemas.errors import RecordError
from schemas.fields import BreakerState, TurnResult
from tests.endpoints import Bench

OK, TIMEOUT, SERVER_ERROR = TurnResult.OK, TurnResult.TIMEOUT, TurnResult.SERVER_ERROR
RATE_LIMITED, REFUSED, CALLER = TurnResult.RATE_LIMITED, TurnResult.CONTENT_REFUSED, TurnResult.CALLER_FAULT


def test_five_hard_failures_in_a_row_open_whatever_their_kind_and_pace() -> None:
    bench = Bench()
    for index, result in enumerate((TIMEOUT, SERVER_ERROR, TIMEOUT, SERVER_ERROR)):
        bench.turn(100.0 * index, result)
    assert bench.path == []
    bench.turn(400.0, TIMEOUT)
    assert bench.path == ["open"]
    transition = bench.transitions[0]
    assert transition.reason == "consecutive_failures"
    assert transition.evidence.consecutive_failures == 5
    assert transition.evidence.outcomes == 1  # the others have left the window


def test_a_success_or_a_refusal_ends_a_run_of_failures() -> None:
    for between in (OK, REFUSED):
        bench = Bench(minimum_outcomes=100)
        bench.turns_of(4, 0.0, TIMEOUT)
        bench.turn(0.0, between)
        bench.turns_of(4, 0.0, TIMEOUT)
        assert "consecutive_failures" not in [t.reason for t in bench.transitions]


def test_a_rate_limit_is_a_failure_that_neither_lengthens_nor_ends_a_run() -> None:
    bench = Bench()
    bench.turns_of(2, 0.0, TIMEOUT)
    bench.turns_of(2, 0.0, RATE_LIMITED)
    bench.turns_of(2, 0.0, TIMEOUT)
    assert bench.breaker().state is not BreakerState.OPEN
    bench.turn(0.0, TIMEOUT)
    transition = bench.transitions[-1]
    assert (transition.to_state, transition.reason) == (BreakerState.OPEN, "consecutive_failures")
    assert transition.evidence.failures_by_result == {"timeout": 5, "rate_limited": 2}


def test_a_fifth_of_failures_degrades_once_it_is_certain() -> None:
    bench = Bench()
    bench.turns_of(9, 0.0)
    bench.turns_of(5, 1.0, RATE_LIMITED)  # 5 of 14 are more than a fifth, and may be chance
    assert bench.path == []
    bench.turn(3.0, RATE_LIMITED)  # P(rate > 0.1 | 6 of 15, prior Beta(1, 9)) = 0.992
    assert bench.path == ["degraded"]
    evidence = bench.transitions[0].evidence
    assert bench.transitions[0].reason == "failure_rate"
    assert (evidence.outcomes, evidence.failures, evidence.failure_rate) == (15, 6, 0.4)
    assert evidence.posterior_mean == 7 / 25
    assert evidence.failures_by_result == {"rate_limited": 6}
    assert evidence.window_seconds == 60.0


def test_two_failures_in_ten_are_chance() -> None:
    # oooooooox x, once in a thousand tens of an agent that fails once in 200 calls
    bench = Bench()
    bench.turns_of(8, 0.0)
    bench.turns_of(2, 0.0, SERVER_ERROR)
    for second in range(1, 120):
        bench.turn(float(second))
    assert bench.path == []


def test_half_of_failures_opens_also_from_degraded() -> None:
    bench = Bench()
    bench.turns_of(8, 0.0)
    for _ in range(8):
        bench.turns_of(2, 0.0, TIMEOUT)
        bench.turn(0.0, RATE_LIMITED)
        if bench.breaker().state is not BreakerState.OPEN:
            bench.turn(0.0)
    assert bench.path == ["degraded", "open"]
    assert bench.transitions[-1].reason == "failure_rate"
    assert bench.transitions[-1].evidence.failure_rate >= 0.5


def test_below_the_minimum_the_posterior_decides() -> None:
    bench = Bench()
    bench.turns_of(4, 0.0, RATE_LIMITED)
    assert bench.path == []
    bench.turn(0.0, RATE_LIMITED)  # P(rate > 0.2 | 5 of 5, prior Beta(1, 9)) = 0.956
    assert bench.path == ["degraded"]
    assert bench.transitions[0].reason == "failure_posterior"
    assert bench.transitions[0].evidence.posterior_mean == 6 / 15


def test_the_posterior_can_open_where_the_minimum_is_large() -> None:
    bench = Bench(minimum_outcomes=1000, open_failure_rate=0.3)
    bench.turns_of(40, 0.0, RATE_LIMITED)
    assert bench.path == ["degraded", "open"]
    assert {t.reason for t in bench.transitions} == {"failure_posterior"}


@pytest.mark.parametrize(("failures", "outcomes"), [(0, 1), (1, 1), (5, 5), (6, 7), (7, 9), (400, 900)])
@pytest.mark.parametrize("threshold", [0.2, 0.5])
def test_the_tail_of_the_posterior_is_that_of_the_beta_distribution(
    failures: int, outcomes: int, threshold: float
) -> None:
    expected = beta(1 + failures, 9 + outcomes - failures).sf(threshold)
    assert probability_above(threshold, failures, outcomes) == pytest.approx(expected, abs=1e-12)


def test_a_fault_of_the_caller_never_counts() -> None:
    bench = Bench()
    bench.turns_of(200, 0.0, CALLER)
    assert bench.path == []
    bench.turns_of(10, 1.0, TIMEOUT)
    assert bench.transitions[0].evidence.outcomes == 5


def test_answers_twice_as_slow_as_normal_degrade() -> None:
    bench = Bench()
    for second in range(60):
        bench.turn(float(second), latency_ms=500.0)
    for second in range(200, 209):
        bench.turn(float(second), latency_ms=1001.0)
    assert bench.path == []
    bench.turn(209.0, latency_ms=1100.0)
    assert bench.path == ["degraded"]
    transition = bench.transitions[0]
    assert transition.reason == "latency"
    assert transition.evidence.latency_baseline_ms == pytest.approx(500.0, rel=0.01)
    assert transition.evidence.latency_mean_ms == pytest.approx(1010.9)


def test_latency_means_nothing_before_thirty_answers_are_learnt() -> None:
    bench = Bench()
    for second in range(29):
        bench.turn(float(second), latency_ms=100.0)
    bench.turns_of(50, 100.0, latency_ms=1900.0)
    assert bench.path == []


def test_a_slow_minute_hardly_moves_the_baseline_and_none_of_it_enters_while_degraded() -> None:
    bench = Bench()
    for second in range(120):
        bench.turn(float(second), latency_ms=500.0)
    for second in range(120, 600):
        bench.turn(float(second), latency_ms=2000.0)
    assert bench.path == ["degraded"]
    bench.order(BreakerAction.FORCE_OPEN, 600.0)
    assert bench.transitions[-1].evidence.latency_baseline_ms < 530.0


def test_failed_calls_do_not_enter_the_latency() -> None:
    bench = Bench()
    for second in range(60):
        bench.turn(float(second), latency_ms=500.0)
        if second % 10 == 0:
            bench.turn(float(second), TIMEOUT, latency_ms=30_000.0)
    bench.order(BreakerAction.FORCE_OPEN, 60.0)
    assert bench.transitions[-1].evidence.latency_mean_ms == 500.0


def test_quality_below_target_degrades_once_enough_was_measured() -> None:
    bench = Bench()
    bench.turns_of(50, 0.0)
    bench.turns_of(9, 1.0, quality=0.5)
    assert bench.path == []
    bench.turn(1.0, quality=0.5)
    assert bench.path == ["degraded"]
    assert bench.transitions[0].reason == "quality"
    assert bench.transitions[0].evidence.quality_mean == 0.5


def test_a_few_refusals_among_many_unmeasured_answers_mean_nothing() -> None:
    bench = Bench()
    bench.turns_of(70, 0.0)
    bench.turns_of(30, 0.0, REFUSED)  # 0.30 of 100: the best possible mean is 0.70, the target
    assert bench.path == []


def test_so_many_refusals_that_the_target_is_out_of_reach_degrade_and_are_no_failures() -> None:
    bench = Bench()
    bench.turns_of(7, 0.0)
    bench.turns_of(4, 0.0, REFUSED)
    assert bench.path == ["degraded"]
    transition = bench.transitions[0]
    assert (transition.reason, transition.evidence.failures, transition.evidence.outcomes) == ("quality", 0, 11)


def test_degraded_closes_when_the_failures_have_left_the_window() -> None:
    # oooooooo xx | o o o ... 60 s ... |
    bench = Bench()
    bench.turns_of(8, 0.0)
    bench.turns_of(6, 0.0, RATE_LIMITED)
    for second in range(1, 60):
        bench.turn(float(second))
    assert bench.path == ["degraded"]
    bench.turn(60.0)
    assert bench.path == ["degraded", "closed"]
    assert bench.transitions[-1].reason == "recovered"


def test_between_the_two_thresholds_degraded_stays() -> None:
    bench = Bench()
    bench.turns_of(8, 0.0)
    bench.turns_of(6, 0.0, RATE_LIMITED)
    for second in range(1, 130):  # 15 % failures: below 20 %, above 10 %
        bench.turns_of(17, float(second))
        bench.turns_of(3, float(second), SERVER_ERROR)
    assert bench.path == ["degraded"]


def test_degraded_for_slowness_closes_when_answers_are_fast_again() -> None:
    bench = Bench()
    for second in range(60):
        bench.turn(float(second), latency_ms=500.0)
    for second in range(200, 260):
        bench.turn(float(second), latency_ms=1500.0)
    for second in range(260, 330):
        bench.turn(float(second), latency_ms=900.0)  # 1.8 times: no longer tripping, not yet well
    assert bench.path == ["degraded"]
    for second in range(330, 400):
        bench.turn(float(second), latency_ms=500.0)
    assert bench.path == ["degraded", "closed"]


def test_degraded_for_quality_stays_while_a_measured_answer_is_poor() -> None:
    bench = Bench()
    bench.turns_of(10, 0.0, quality=0.5)
    for second in range(1, 100):
        bench.turn(float(second), quality=0.72)
    assert bench.path == ["degraded"]
    for second in range(100, 200):
        bench.turn(float(second), quality=0.9)
    assert bench.path == ["degraded", "closed"]


def test_degraded_without_any_outcome_ends_when_its_evidence_is_stale() -> None:
    bench = Bench()
    bench.turns_of(8, 0.0)
    bench.turns_of(6, 0.0, RATE_LIMITED)
    for second in range(1, 300):
        bench.tick(float(second))
    assert bench.path == ["degraded"]
    bench.tick(300.0)
    assert bench.path == ["degraded", "closed"]
    assert bench.transitions[-1].reason == "evidence_expired"
    assert bench.transitions[-1].evidence.outcomes == 0


def test_close_on_a_slow_endpoint_accepts_its_latency_as_normal() -> None:
    bench = Bench()
    for second in range(60):
        bench.turn(float(second), latency_ms=500.0)
    for second in range(200, 260):
        bench.turn(float(second), latency_ms=1500.0)
    bench.order(BreakerAction.CLOSE, 260.0)
    for second in range(261, 400):
        bench.turn(float(second), latency_ms=1500.0)
    assert bench.path == ["degraded", "closed"]


def test_missing_data_never_trips() -> None:
    # ten successes and nine failures, below 50 %; as the successes age out nothing happens
    bench = Bench(degraded_failure_rate=1.0)
    bench.turns_of(10, 0.0)
    for second in range(9):
        bench.turn(30.0 + second, RATE_LIMITED)
    for second in range(40, 4000):
        bench.tick(float(second))
    assert bench.path == []


def test_defaults_hold_for_an_unknown_tenant_and_an_unknown_endpoint() -> None:
    for bench in (Bench(known=False), Bench()):
        bench.turns_of(5, 0.0, TIMEOUT, endpoint="unheard_of", turn=1)
        bench.tick(60.0)
        assert bench.path == ["open", "half_open"]
        assert sum(bench.transitions[-1].probe_permits) == 3


def test_the_tenants_own_policy_holds() -> None:
    bench = Bench(open_consecutive_failures=2)
    bench.turns_of(2, 0.0, TIMEOUT)
    assert bench.path == ["open"]


def test_an_impossible_latency_is_refused_and_nothing_is_written() -> None:
    bench = Bench()
    for latency in (float("inf"), float("nan"), 1e12):
        with pytest.raises(RecordError, match="latency_ms"):
            bench.turn(0.0, latency_ms=latency)
    assert bench.state.entries == {}


def test_close_on_a_failing_endpoint_forgets_what_it_was_charged_with() -> None:
    bench = Bench()
    bench.turns_of(8, 0.0)
    bench.turns_of(6, 0.0, RATE_LIMITED)
    bench.order(BreakerAction.CLOSE, 1.0)
    bench.turn(2.0)
    assert bench.path == ["degraded", "closed"]
    assert bench.breaker().state is BreakerState.CLOSED
