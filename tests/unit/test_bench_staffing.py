"""The staffing benchmark's own arithmetic, without a stopwatch."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.queueing.outage import BEFORE, OUT, followed, outage
from bench.queueing.steady import FIGURES, Seen, against_simulations, against_sums
from bench.queueing.sums import true_service
from processors.staffing.logic.erlang import erlang_c_wait_probability


def seen(formula: float, heap: tuple[float, float], ciw: tuple[float, float] | None) -> Seen:
    return Seen(5, 0.8, math.inf, "asa_seconds", formula, heap, ciw)


def test_a_figure_agrees_where_the_formula_is_in_both_intervals_and_these_meet() -> None:
    assert seen(10.0, (10.5, 1.0), (9.5, 1.0)).agrees
    assert seen(10.0, (10.5, 1.0), None).agrees
    assert not seen(10.0, (11.5, 1.0), (9.5, 1.0)).agrees
    assert not seen(10.0, (10.5, 1.0), (8.5, 1.0)).agrees


# M/M/1, load 0.5: half wait, for one handle time on average over all; 1 - 0.5 exp(-0.5 t) within t.
def test_the_sums_are_those_of_the_single_server() -> None:
    truth = true_service(0.5, 1, math.inf, 2.0)
    assert truth == pytest.approx((0.5, 1 - 0.5 * math.exp(-1), 1.0, 0.5, 0.0))


# One agent, load 1, patience of one handle time: the number there is Poisson with mean 1 (all leave at one rate).
def test_the_sums_are_those_of_a_poisson_number_where_all_leave_at_one_rate() -> None:
    truth = true_service(1.0, 1, 1.0, 0.0)
    assert truth.wait_probability == pytest.approx(1 - math.exp(-1))
    assert truth.occupancy == pytest.approx(1 - math.exp(-1))
    assert truth.service_level == pytest.approx(math.exp(-1))


def test_errors_are_told_by_model_and_size() -> None:
    rows = list(against_sums((1, 30)))
    assert [(row.model, row.agents) for row in rows] == [("C", 1), ("C", 30), ("A", 1), ("A", 30)]
    assert all(set(row.errors) == set(FIGURES) and max(row.errors.values()) < 1e-11 for row in rows)


def test_queues_too_large_for_ciw_are_simulated_by_ours_alone() -> None:
    rows = list(against_simulations([(2, 0.5, math.inf), (3, 1.1, 0.5)], runs=4, contacts=300, most_for_ciw=2))
    assert [(row.agents, row.figure) for row in rows] == [(2, name) for name in FIGURES[:3]] + [(3, n) for n in FIGURES]
    assert [row.ciw is None for row in rows] == [False] * 3 + [True] * 4
    assert rows[0].formula == erlang_c_wait_probability(1.0, 2)


def test_an_outage_is_an_hour_of_more_and_its_figures_are_those_of_that_hour() -> None:
    course = outage(20, 60.0, 1.5)
    rates = np.asarray(course.contacts_per_minute)
    assert (rates == rates[BEFORE]).sum() == OUT
    rows = {row.figure: row for row in followed(20, 60.0, 1.5, runs=60)}
    for row in rows.values():
        assert abs(row.models["transient"] - row.simulated) < 4 * row.standard_error, row.figure
    # Little's law over the hour, but for those who still wait at its ends.
    per_second = rates[BEFORE] / 60
    assert rows["queue"].simulated == pytest.approx(per_second * rows["mean wait, s"].simulated, rel=0.1)
