"""Blended pools: streams of different handle times on one group of people."""

from __future__ import annotations

import math

import numpy as np
import pytest

from bench.queueing.simulation import Shift, arrivals_of, served
from processors.staffing.logic.erlang import ErlangInputError, Load, Targets, performance, required
from processors.staffing.logic.erlang.blended import Stream, blend, blend_required, pooled, stretch

STREAMS = (Stream(20.0, 120.0), Stream(5.0, 600.0))


def test_streams_of_one_handle_time_are_one_stream() -> None:
    parts = (Stream(4.0, 200.0), Stream(6.0, 200.0))
    whole = performance(Load(10.0, 200.0), 40, 15)
    found = blend(parts, 40, 15)
    assert stretch(parts, 40) == pytest.approx(1)
    assert (found.service_level, found.asa_seconds) == pytest.approx((whole.service_level, whole.asa_seconds))
    assert blend_required(parts) == required(Load(10.0, 200.0))


def test_one_agent_waits_as_pollaczek_and_khinchine_have_it() -> None:
    streams = (Stream(0.2, 60.0), Stream(0.05, 400.0))
    work = 0.2 + 0.05 * 400 / 60
    residual = (0.2 * 60**2 + 0.05 * 400**2) / 60  # lambda E[S^2] / 2, exponential
    assert blend(streams, 1).asa_seconds == pytest.approx(residual / (1 - work))


def test_a_simulation_of_the_mixture_agrees() -> None:
    agents, runs, seconds = 100, 20, 200_000.0
    rates = np.array([stream.contacts_per_minute for stream in STREAMS]) / 60
    asa, level = [], []
    for run in range(runs):
        rng = np.random.default_rng(run)
        arrivals = arrivals_of(rng, [rates.sum()], seconds)
        means = np.where(rng.random(arrivals.size) < rates[0] / rates.sum(), 120.0, 600.0)
        contacts = served(arrivals, rng.exponential(means), np.full(arrivals.size, math.inf), [Shift(agents)])
        late = contacts.waits[contacts.arrivals > 6_000]
        asa.append(late.mean())
        level.append((late <= 20).mean())
    found = blend(STREAMS, agents)
    assert found.asa_seconds == pytest.approx(np.mean(asa), rel=0.1)
    assert found.service_level == pytest.approx(np.mean(level), abs=0.02)


def test_who_goes_first_waits_less_and_the_work_that_waits_stays_the_same() -> None:
    streams, agents = (Stream(6.0, 200.0), Stream(3.0, 200.0), Stream(2.0, 200.0)), 40
    found = blend(streams, agents)
    assert list(found.asa_by_priority) == sorted(found.asa_by_priority)
    rates = [stream.contacts_per_minute for stream in streams]
    # Kleinrock's conservation law, for equal handle times: the mean over all contacts does not depend on the order.
    assert np.average(found.asa_by_priority, weights=rates) == pytest.approx(found.asa_seconds)


def test_in_overload_those_who_go_first_are_served_all_the_same() -> None:
    found = blend((Stream(10.0, 180.0), Stream(10.0, 180.0)), 50)
    assert found.asa_seconds == math.inf
    assert found.asa_by_priority[0] == pytest.approx(180 / 50 / (1 - 30 / 50))
    assert found.asa_by_priority[1] == math.inf


def test_one_group_needs_fewer_people_than_two() -> None:
    targets = Targets(max_occupancy=1.0)
    apart = sum(required(Load(*stream), targets) for stream in STREAMS)
    assert blend_required(STREAMS, targets) < apart


def test_the_blend_required_is_the_least() -> None:
    targets = Targets(0.9, 30.0, 1.0)
    agents = blend_required(STREAMS, targets)
    assert blend(STREAMS, agents, 30.0).service_level >= 0.9
    assert blend(STREAMS, agents - 1, 30.0).service_level < 0.9


def test_without_contacts_nobody_is_needed() -> None:
    nothing = (Stream(0.0, 100.0),)
    assert blend_required(nothing) == 0
    assert blend(nothing, 3).asa_by_priority == (0.0,)
    assert pooled(nothing, 60.0) == Load(0.0, 100.0, 60.0)


@pytest.mark.parametrize(
    ("streams", "named"), [((), "streams is empty"), ((Stream(1, 0),), "aht_seconds is 0"), ((Stream(-1, 9),), "is -1")]
)
def test_streams_that_make_no_sense_are_named(streams, named) -> None:
    with pytest.raises(ErlangInputError, match=named):
        blend(streams, 3)
