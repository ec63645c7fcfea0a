"""The test of drift: what its limit promises of false alarms, held against simulation and against a dense solution."""

from __future__ import annotations

import numpy as np
import pytest

from processors.health.logic.cusum import drift_test, mean_run
from processors.health.logic.signals import KINDS, Signal
from schemas.control import BreakerPolicy
from schemas.rules import Targets

POLICY = BreakerPolicy(targets=Targets(csat_baseline=0.85))


def simulated_runs(share: float, up: int, down: int, limit: int, runs: int, seed: int) -> np.ndarray:
    """Observations until each of `runs` scores has reached the limit."""
    random = np.random.default_rng(seed)
    scores, lengths, under_way = np.zeros(runs, int), np.zeros(runs, int), np.arange(runs)
    while under_way.size:
        against = random.random(under_way.size) < share
        scores[under_way] = np.where(against, scores[under_way] + up, np.maximum(scores[under_way] - down, 0))
        lengths[under_way] += 1
        under_way = under_way[scores[under_way] < limit]
    return lengths


def dense_mean_run(share: float, up: int, down: int, limit: int) -> float:
    chain = np.eye(limit)
    for score in range(limit):
        chain[score, max(0, score - down)] -= 1.0 - share
        if score + up < limit:
            chain[score, score + up] -= share
    return float(np.linalg.solve(chain, np.ones(limit))[0])


@pytest.mark.parametrize(
    ("share", "up", "down", "limit"), [(0.1, 12, 4, 60), (0.3, 7, 4, 40), (0.02, 45, 4, 120), (0.02, 60, 1, 180)]
)
def test_the_mean_run_is_that_of_a_simulation(share: float, up: int, down: int, limit: int) -> None:
    runs = simulated_runs(share, up, down, limit, 2000, seed=7)
    error = float(runs.std()) / len(runs) ** 0.5
    assert mean_run(share, up, down, limit) == pytest.approx(float(runs.mean()), abs=4 * error)


@pytest.mark.parametrize("limit", [1, 2, 4, 5, 7, 8, 30, 211])
@pytest.mark.parametrize(("share", "up", "down"), [(0.15, 14, 4), (0.9, 1, 4), (0.01, 39, 1), (0.5, 3, 4)])
def test_the_band_solves_the_same_chain_as_a_full_matrix(share: float, up: int, down: int, limit: int) -> None:
    """Of runs up to 10^7, which the policies' tests have: of longer ones neither solution has six places."""
    assert mean_run(share, up, down, limit) == pytest.approx(dense_mean_run(share, up, down, limit), rel=1e-6)


def test_a_score_that_one_step_takes_to_its_limit_runs_as_long_as_a_coin_is_thrown() -> None:
    assert mean_run(0.25, 4, 4, 4) == pytest.approx(4.0)
    assert mean_run(0.25, 4, 4, 1) == pytest.approx(4.0)


@pytest.mark.parametrize("signal", Signal)
def test_each_signals_limit_keeps_its_stated_false_alarms_and_is_the_least_that_does(signal: Signal) -> None:
    test = KINDS[signal].test(POLICY)
    assert test is not None
    assert mean_run(test.good, test.up, test.down, test.limit) >= test.false_alarm_observations
    assert mean_run(test.good, test.up, test.down, test.limit - 1) < test.false_alarm_observations


@pytest.mark.parametrize("signal", Signal)
def test_each_signal_is_quiet_of_an_agent_at_its_target_and_soon_loud_of_a_bad_one(signal: Signal) -> None:
    test = KINDS[signal].test(POLICY)
    assert test is not None
    runs = [mean_run(share, test.up, test.down, test.limit) for share in (test.good, test.good * 1.2, test.bad, 0.95)]
    assert runs == sorted(runs, reverse=True)
    assert test.good * test.up < (1.0 - test.good) * test.down
    assert runs[2] < 700
    assert runs[0] / runs[2] > 500


def test_a_longer_mean_time_to_a_false_alarm_needs_a_higher_limit() -> None:
    limits = [drift_test(0.05, 0.15, every).limit for every in (1e2, 1e3, 1e4, 1e5, 1e6)]
    assert limits == sorted(set(limits))


@pytest.mark.parametrize(
    ("good", "times"), [(0.002, 1.5), (0.004, 5.0), (0.02, 10.0), (0.05, 5.0), (0.1, 1.5), (0.3, 1.5)]
)
def test_the_step_of_a_bad_observation_is_the_likelihood_ratio_to_a_few_in_a_hundred(good: float, times: float) -> None:
    test = drift_test(good, good * times, 1e5)
    ratio = np.log(times) / np.log((1 - good) / (1 - good * times))
    assert test.up / test.down == pytest.approx(ratio, rel=0.042)


@pytest.mark.parametrize(("good", "bad"), [(0.2, 0.1), (0.1, 0.1), (0.0, 0.1), (0.1, 1.0), (-0.1, 0.5)])
def test_shares_out_of_order_are_refused(good: float, bad: float) -> None:
    with pytest.raises(ValueError, match="in this order"):
        drift_test(good, bad, 1e4)


@pytest.mark.parametrize(("good", "bad"), [(0.2, 0.200001), (0.00001, 0.00005)])
def test_shares_that_cannot_be_told_apart_are_refused(good: float, bad: float) -> None:
    with pytest.raises(ValueError, match="too many observations"):
        drift_test(good, bad, 1e7)


def test_a_score_is_never_below_nought_nor_above_its_limit() -> None:
    test = drift_test(0.1, 0.3, 1e4)
    assert test.scored(0, against=False) == test.scored(test.down - 1, against=False) == 0
    assert test.scored(test.limit, against=True) == test.scored(test.limit - 1, against=True) == test.limit
    assert test.scored(0, against=True) == test.up
