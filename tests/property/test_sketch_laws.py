"""Sketches of durations: merged however they were split, the same in any order, true within what they promise."""

from __future__ import annotations

import random

import numpy as np
import pytest
from ddsketch import DDSketch
from hypothesis import given
from hypothesis import strategies as st

from runtime.sketches import MOST_SECONDS, RELATIVE_ACCURACY, Sketch, micros_of
from schemas.analytics import TimeSketch

seconds = st.one_of(
    st.just(0.0),
    st.floats(1e-6, 1e-3),
    st.floats(0.1, 100.0),
    st.floats(100.0, 90_000.0),
    st.sampled_from([20.0, 45.5]),
)
durations = st.lists(seconds, max_size=60)
QUANTILES = {"p50_seconds": 0.5, "p90_seconds": 0.9, "p95_seconds": 0.95, "p99_seconds": 0.99}


def sketch_of(values: list[float]) -> Sketch:
    sketch = Sketch()
    for each in values:
        sketch.add(micros_of(each))
    return sketch


def merged(parts: list[TimeSketch]) -> Sketch:
    whole = Sketch()
    for part in parts:
        whole.merge(part)
    return whole


@given(durations, st.randoms(use_true_random=False))
def test_any_order_gives_the_same_sketch(values: list[float], order: random.Random) -> None:
    shuffled = values[:]
    order.shuffle(shuffled)
    assert sketch_of(shuffled).told() == sketch_of(values).told()


@given(st.lists(durations, max_size=6), st.randoms(use_true_random=False))
def test_parts_merged_in_any_order_are_the_sketch_of_all(parts: list[list[float]], order: random.Random) -> None:
    told = [sketch_of(part).told() for part in parts]
    order.shuffle(told)
    assert merged(told).told() == sketch_of([each for part in parts for each in part]).told()


@given(st.lists(seconds, min_size=1, max_size=200))
def test_quantiles_are_within_the_relative_accuracy_of_what_numpy_finds(values: list[float]) -> None:
    told = sketch_of(values).told()
    rounded = [micros_of(each) / 1e6 for each in values]
    for name, q in QUANTILES.items():
        true = float(np.quantile(rounded, q, method="lower"))
        assert getattr(told, name) == pytest.approx(true, rel=RELATIVE_ACCURACY * (1 + 1e-9), abs=1e-12)
    assert told.sum_seconds == pytest.approx(sum(rounded))
    assert told.mean_seconds == pytest.approx(np.mean(rounded))
    assert told.zeros + sum(told.counts) == len(values)


@given(st.lists(seconds, min_size=1, max_size=200))
def test_quantiles_are_those_of_the_librarys_own_sketch(values: list[float]) -> None:
    told, theirs = sketch_of(values).told(), DDSketch(RELATIVE_ACCURACY)
    for each in values:
        theirs.add(micros_of(each) / 1e6)
    for name, q in QUANTILES.items():
        assert getattr(told, name) == theirs.get_quantile_value(q)


@given(durations, durations, st.randoms(use_true_random=False))
def test_what_is_taken_away_again_leaves_no_trace(kept: list[float], gone: list[float], order: random.Random) -> None:
    both = kept + gone
    order.shuffle(both)
    sketch = sketch_of(both)
    for each in gone:
        assert sketch.holds(micros_of(each))
        sketch.add(micros_of(each), -1)
    assert sketch.told() == sketch_of(kept).told()
    assert Sketch(*sketch.stored()).told() == sketch.told()


def test_a_sketch_of_nothing_has_no_mean_and_no_quantiles_and_holds_nothing() -> None:
    sketch = Sketch()
    told = sketch.told()
    assert (told.mean_seconds, told.p50_seconds, told.p99_seconds, told.counts) == (None, None, None, ())
    assert (sketch.count, sketch.holds(0), sketch.holds(1)) == (0, False, False)


def test_bins_are_as_the_wire_contract_says() -> None:
    # Bin i: above g^(i-1) and at most g^i, told as 2 g^i / (g + 1).
    growth = (1 + RELATIVE_ACCURACY) / (1 - RELATIVE_ACCURACY)
    for value in (0.003, 1.0, 20.0, 300.0, 86_400.0):
        told = sketch_of([value]).told()
        (index,) = told.indexes
        assert growth ** (index - 1) * (1 - 1e-9) < value <= growth**index * (1 + 1e-9)
        assert told.p50_seconds == pytest.approx(2 * growth**index / (growth + 1))


def test_a_duration_that_cannot_be_counts_as_a_week() -> None:
    assert micros_of(1e300) == micros_of(MOST_SECONDS) == 7 * 86_400 * 1_000_000
