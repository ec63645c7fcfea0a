"""Load that moves: the exact transient, the fluid and its refinement, beside each other and beside a simulation."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from bench.queueing.simulation import Shift, arrivals_of, simulated
from processors.staffing.logic.erlang import ErlangInputError, Load, Targets, performance
from processors.staffing.logic.erlang.course import Course, prospects
from processors.staffing.logic.erlang.fluid import fluid
from processors.staffing.logic.erlang.moving import EXACT_AGENTS, moving, offered_load, required_along
from processors.staffing.logic.erlang.transient import MAX_STATES, transient

AHT = 300.0


def outage(agents: int, patience: float) -> Course:
    """Half an hour at 85 %, an hour of 30 % more, and an hour after it; in minutes."""
    usual = 0.85 * agents / AHT * 60
    rates = np.array([usual] * 30 + [1.3 * usual] * 60 + [usual] * 60)
    return Course(rates, agents, 60.0, AHT, patience)


@pytest.mark.parametrize("patience", [math.inf, 120.0])
def test_what_is_steady_stays_as_erlang_has_it(patience: float) -> None:
    agents, rate = 40, 0.9 * 40 / AHT * 60
    told = transient(Course([rate] * 5, agents, 60.0, AHT, patience))
    steady = performance(Load(rate, AHT, patience), agents)
    for name in ("wait_probability", "service_level", "asa_seconds", "abandonment"):
        assert getattr(told, name) == pytest.approx([getattr(steady, name)] * 5, rel=1e-9, abs=1e-12), name
    assert told.busy == pytest.approx([steady.occupancy * agents] * 5, rel=1e-9)
    # Little's law: those who wait are those who arrive, times how long they wait.
    assert told.waiting == pytest.approx(rate / 60 * told.wait_seconds, rel=1e-9)


def test_with_more_agents_than_ever_needed_the_load_is_the_offered_load() -> None:
    rates = np.array([2.0, 2.0, 6.0, 6.0, 1.0, 0.0])
    told = transient(Course(rates, 100, 60.0, 90.0))
    expected = offered_load(rates, 60.0, 90.0)
    assert told.busy == pytest.approx(expected, rel=1e-9)
    assert told.waiting == pytest.approx(np.zeros(6), abs=1e-9)
    assert fluid(Course(rates, 100, 60.0, 90.0)).busy == pytest.approx(expected, rel=1e-4)


def test_two_short_steps_are_one_long_step() -> None:
    coarse = transient(Course([20.0, 30.0], [80, 90], 120.0, AHT, 100.0))
    fine = transient(Course([20.0, 20.0, 30.0, 30.0], [80, 80, 90, 90], 60.0, AHT, 100.0))
    for name in ("waiting", "busy", "wait_seconds", "service_level"):
        assert getattr(coarse, name) == pytest.approx(getattr(fine, name).reshape(2, 2).mean(axis=1), rel=1e-9)
    assert coarse.waiting_at_end == pytest.approx(fine.waiting_at_end[1::2], rel=1e-9)


@pytest.mark.parametrize("agents", [200, 400])
@pytest.mark.parametrize("patience", [math.inf, 120.0])
def test_the_refined_fluid_is_within_five_per_cent_through_an_overload_from_200_agents_on(
    agents: int, patience: float
) -> None:
    course = outage(agents, patience)
    exact, refined = transient(course), fluid(course)
    overload = slice(30, 90)
    for name in ("waiting", "wait_seconds"):
        ours, truth = getattr(refined, name)[overload].mean(), getattr(exact, name)[overload].mean()
        assert ours == pytest.approx(truth, rel=0.05), name
    for name in ("service_level", "wait_probability", "abandonment"):
        assert getattr(refined, name)[overload].mean() == pytest.approx(getattr(exact, name)[overload].mean(), abs=0.02)


def test_the_transient_and_a_simulation_agree_through_an_overload() -> None:
    agents, patience, runs = 200, 120.0, 150
    course = outage(agents, patience)
    exact = transient(course)
    rates = np.concatenate((np.full(60, course.contacts_per_minute[0]), course.contacts_per_minute)) / 60
    queues, waits, contacts = np.zeros(runs), np.zeros(runs), np.zeros(runs)
    for run in range(runs):
        rng = np.random.default_rng(10_000 + run)
        seen = simulated(rng, arrivals_of(rng, rates.tolist(), 60.0, -3_600.0), [Shift(agents)], AHT, patience)
        queues[run] = seen.waiting_at(np.arange(1_800.0, 5_400.0, 10.0)).mean()
        inside = seen.within(1_800.0, 5_400.0)
        waits[run], contacts[run] = inside.waits.sum(), inside.waits.size
    overload = slice(30, 90)
    assert abs(queues.mean() - exact.waiting[overload].mean()) < 3 * queues.std() / math.sqrt(runs)
    ratio = waits.sum() / contacts.sum()
    spread = np.std(waits - ratio * contacts) / math.sqrt(runs) / contacts.mean()
    assert abs(ratio - exact.wait_seconds[overload].mean()) < 3 * spread


def test_agents_who_come_help_the_fluid_as_they_help_the_transient() -> None:
    course = dataclasses.replace(outage(200, math.inf), agents=[200] * 45 + [260] * 105)
    exact, refined = transient(course), fluid(course)
    assert exact.waiting[60] < transient(outage(200, math.inf)).waiting[60]
    assert refined.waiting[30:90].mean() == pytest.approx(exact.waiting[30:90].mean(), rel=0.05)


def test_the_plain_fluid_sees_no_queue_below_full_load() -> None:
    course = Course([0.95 * 50 / AHT * 60] * 3, 50, 60.0, AHT, 120.0)
    assert transient(course).waiting.min() > 0.5
    assert fluid(course, refined=False).waiting == pytest.approx(np.zeros(3))
    assert fluid(course).waiting.min() > 0.5


def test_in_deep_overload_the_plain_fluid_settles_where_whitt_has_it() -> None:
    # Whitt (2006): q = (lambda - n mu) / theta, and of those who arrive 1 - 1 / rho leave.
    agents, rate = 1_000, 1.4 * 1_000 / AHT * 60
    told = fluid(Course([rate] * 120, agents, 60.0, AHT, 100.0), refined=False)
    assert told.waiting_at_end[-1] == pytest.approx(0.4 * 1_000 / AHT * 100, rel=1e-3)
    assert told.abandonment[-1] == pytest.approx(1 - 1 / 1.4, rel=1e-2)


def test_small_groups_are_followed_exactly_and_large_ones_as_a_fluid() -> None:
    small, large = outage(EXACT_AGENTS, 120.0), outage(EXACT_AGENTS + 1, 120.0)
    assert moving(small).waiting.tolist() == transient(small).waiting.tolist()
    assert moving(large).waiting.tolist() == fluid(large).waiting.tolist()


@pytest.mark.parametrize("patience", [math.inf, 90.0])
def test_prospects_are_those_of_a_line_that_moves_up(patience: float) -> None:
    # Behind m others: m + 1 exponential waits, at n mu + i theta, i = 0..m; and patience runs meanwhile.
    course, agents, ahead = Course([1.0], 4, 60.0, 30.0, patience, 25.0), 4, 6
    mu, theta = 1 / 30, 0.0 if math.isinf(patience) else 1 / 90
    found = prospects(course, agents, np.array([float(ahead)]))
    rng = np.random.default_rng(3)
    rates = agents * mu + theta * np.arange(ahead + 1)
    waits = rng.exponential(1 / rates, (400_000, ahead + 1)).sum(axis=1)
    bears = rng.exponential(patience, 400_000) if theta else np.full(400_000, math.inf)
    stays = waits < bears
    assert found.answered[0] == pytest.approx(stays.mean(), abs=4e-3)
    assert found.in_time[0] == pytest.approx((stays & (waits <= 25)).mean(), abs=4e-3)
    assert found.answered_wait[0] == pytest.approx(np.where(stays, waits, 0).mean(), rel=1e-2)
    assert found.wait[0] == pytest.approx(np.minimum(waits, bears).mean(), rel=1e-2)


def test_agents_for_a_load_that_moves_follow_it_with_a_lag() -> None:
    rates = [10.0] * 5 + [20.0] * 30
    agents = required_along(Course(rates, 0, 60.0, AHT), Targets())
    assert (np.diff(agents) >= 0).all()
    assert agents[4] < agents[6] < agents[20]
    assert agents[-1] == agents[-2]


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: transient(Course([1.0, 2.0], [3], 60.0, AHT)), "has 2 steps, agents 1"),
        (lambda: fluid(Course([], [], 60.0, AHT)), "has 0 steps"),
        (lambda: fluid(Course([-1.0], [3], 60.0, AHT)), r"contacts_per_minute is -1\.0"),
        (lambda: fluid(Course([1.0], [3], 0.0, AHT)), "step_seconds is 0"),
        (lambda: transient(Course([9.0], [3], 60.0, AHT)), "no steady state.*give in_system"),
        (lambda: transient(Course([90_000.0], 500_000, 60.0, AHT)), f"more than {MAX_STATES}: use the fluid"),
        (lambda: offered_load(np.array([1.0]), 60.0, 0.0), "aht_seconds is 0"),
    ],
)
def test_a_course_that_makes_no_sense_is_named(call, named) -> None:
    with pytest.raises(ErlangInputError, match=named):
        call()


def test_an_overload_without_patience_may_start_from_what_is_there() -> None:
    told = transient(Course([9.0] * 3, [3] * 3, 60.0, AHT, in_system=3))
    # All three stay busy: 9 come a minute, 3/5 go, from none waiting.
    assert told.waiting_at_end == pytest.approx([8.4, 16.8, 25.2], abs=0.05)
