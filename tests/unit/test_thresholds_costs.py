"""Expected costs, and the thresholds at which they cross."""

from __future__ import annotations

import math

import numpy as np
import pytest

from router.thresholds.costs import Costs, cheapest, confidence_at, default_watching, least_resolved
from router.thresholds.curve import CONFIDENCES

CALIBRATED = CONFIDENCES
"""P(resolved) is the confidence itself, from 0.0001 to 0.9999."""


def costs(wrong: float, human: float, escalation: float, watching: float = 1.0, ai: float = 0.0) -> Costs:
    return Costs(wrong=wrong, human=human, escalation=escalation, watching=watching, ai=ai)


def test_thresholds_are_where_the_lines_cross() -> None:
    # Watched 1 + (1 - r) 6 costs less than people, 5, from r = 1/3; alone (1 - r) 20 less than watched from 13/14.
    pair = cheapest(CALIBRATED, costs(20.0, 5.0, 6.0))
    assert pair.assisted == pytest.approx(1 / 3, abs=2e-4)
    assert pair.contained == pytest.approx(13 / 14, abs=2e-4)


def test_where_watching_never_pays_both_thresholds_are_the_same() -> None:
    pair = cheapest(CALIBRATED, costs(10.0, 5.0, 6.0, watching=5.0))
    assert pair.contained == pair.assisted == pytest.approx(0.5, abs=2e-4)


def test_a_wrong_answer_that_costs_no_more_than_an_escalation_is_never_watched() -> None:
    pair = cheapest(CALIBRATED, costs(6.0, 5.0, 6.0))
    assert pair.contained == pair.assisted == pytest.approx(1 / 6, abs=2e-4)


@pytest.mark.parametrize(
    ("prices", "expected"),
    [
        (costs(0.0, 5.0, 6.0), (-math.inf, -math.inf)),
        (costs(0.0, 5.0, 0.0, watching=0.0), (1.0, -math.inf)),
        (costs(20.0, 5.0, 0.0), (0.95, -math.inf)),
        (costs(20.0, 5.0, 0.0, watching=6.0), (0.75, 0.75)),
        (costs(0.0, 5.0, 0.0, ai=9.0), (math.inf, math.inf)),
    ],
)
def test_what_risks_nothing_is_decided_by_what_it_saves(prices: Costs, expected: tuple[float, float]) -> None:
    assert least_resolved(prices) == pytest.approx(expected)


def test_all_or_none_goes_to_ai_where_that_costs_least_whatever_the_confidence() -> None:
    assert cheapest(np.full(CONFIDENCES.size, 0.97), costs(20.0, 5.0, 6.0)) == (0.0, 0.0)
    assert cheapest(np.full(CONFIDENCES.size, 0.6), costs(20.0, 5.0, 6.0)) == (1.0, 0.0)
    assert cheapest(np.full(CONFIDENCES.size, 0.1), costs(20.0, 5.0, 6.0)) == (1.0, 1.0)
    assert cheapest(CALIBRATED, costs(20.0, 5.0, 6.0, ai=30.0)) == (1.0, 1.0)


def test_expected_costs_go_by_the_pool_of_each_contact() -> None:
    confidence = np.array([0.1, 0.5, 0.9, 1.0])
    made = costs(20.0, 5.0, 6.0, ai=0.5).expected(np.full(4, 0.5), confidence, np.full(4, 0.9), np.full(4, 0.5))
    assert made.tolist() == [5.0, 0.5 + 1.0 + 3.0, 0.5 + 10.0, 0.5 + 10.0]


def test_between_places_of_the_grid_a_confidence_is_interpolated() -> None:
    for resolved in (0.2, 0.5001, 0.9313):
        assert confidence_at(CALIBRATED, resolved) == pytest.approx(resolved, abs=1e-9)


def test_watching_costs_a_fifth_of_handling_where_nobody_says() -> None:
    assert default_watching(5.0) == 1.0
