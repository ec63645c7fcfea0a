"""Curves of P(resolved) by confidence."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit, logit

from router.thresholds.curve import CONFIDENCES, Curves, count, fit_level, fit_root, scale_of

MIDDLE = (CONFIDENCES > 0.3) & (CONFIDENCES < 0.98)


def outcomes(curve, contacts: int, seed: int = 0):
    rng = np.random.default_rng(seed)
    confidence = rng.beta(4.0, 1.5, contacts)
    return confidence, rng.random(contacts) < curve(confidence)


def fitted(confidence, resolved) -> Curves:
    counts = count(confidence, resolved, np.zeros(confidence.size, dtype=np.int64), 1)
    return fit_root(counts, scale_of(counts))


@pytest.mark.parametrize(
    "curve",
    [
        lambda p: p,
        lambda p: expit(0.6 * logit(p) - 1.0),
        lambda p: 0.03 + 0.94 * expit(25.0 * (p - 0.75)),
        lambda p: 0.55 + 0.05 * p,
    ],
    ids=["calibrated", "too_sure", "step", "useless"],
)
def test_a_curve_is_found_from_many_outcomes(curve) -> None:
    mean = fitted(*outcomes(curve, 50_000)).mean()[0]
    assert np.abs(mean - curve(CONFIDENCES))[MIDDLE].max() < 0.04


def test_without_outcomes_to_speak_of_confidence_is_believed() -> None:
    mean = fitted(np.array([0.8]), np.array([True])).mean()[0]
    assert 0.5 < np.interp(0.8, CONFIDENCES, mean) < 1.0


@pytest.mark.parametrize("resolved", [True, False])
def test_outcomes_that_are_all_alike_and_of_one_confidence_still_have_a_curve(resolved: bool) -> None:
    mean = fitted(np.full(500, 1.0), np.full(500, resolved)).mean()[0]
    assert np.isfinite(mean).all()
    assert bool(mean[-1] > 0.9) is resolved


def test_a_cell_with_few_outcomes_stays_near_its_parent_and_one_with_many_goes_its_own_way() -> None:
    bad = lambda p: 0.3 * p  # noqa: E731
    many, few, rest = outcomes(bad, 3_000, 1), outcomes(bad, 10, 2), outcomes(lambda p: p, 3_000, 3)
    confidence, resolved = (np.concatenate(each) for each in zip(many, few, rest, strict=True))
    cell = np.repeat([0, 1, 2], [3_000, 10, 3_000])
    whole = count(confidence, resolved, np.zeros_like(cell), 1)
    scale = scale_of(whole)
    root = fit_root(whole, scale)
    curves = fit_level(count(confidence, resolved, cell, 3), root, np.zeros(3, dtype=np.int64), scale)
    at = [float(np.interp(0.8, CONFIDENCES, mean)) for mean in (*curves.mean(), root.mean()[0])]
    assert at[0] == pytest.approx(0.24, abs=0.04)
    assert at[2] == pytest.approx(0.8, abs=0.04)
    assert at[0] < at[1] < at[3]
    spread = [curves.draws(place, 200)[:, MIDDLE].std(axis=0).mean() for place in range(3)]
    assert spread[1] > 2 * max(spread[0], spread[2])


def test_draws_are_the_same_for_the_same_seed_and_lie_around_the_mean() -> None:
    curves = fitted(*outcomes(lambda p: p, 2_000))
    drawn = curves.draws(0, 400, seed=5)
    assert np.array_equal(drawn, curves.draws(0, 400, seed=5))
    assert np.abs(drawn.mean(axis=0) - curves.mean()[0])[MIDDLE].max() < 0.03


def test_there_is_no_curve_of_nothing() -> None:
    with pytest.raises(ValueError, match="no outcomes"):
        scale_of(count(np.array([]), np.array([], dtype=bool), np.array([], dtype=np.int64), 1))
