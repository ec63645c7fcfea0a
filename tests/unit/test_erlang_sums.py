"""Erlang B, C and A against their definition, summed in 40 digits, from 1 to 100,000 agents and in overload."""

from __future__ import annotations

import math

import mpmath
import numpy as np
import pytest

from bench.queueing.sums import true_service
from processors.staffing.logic.erlang import (
    ErlangInputError,
    Load,
    Targets,
    erlang_b,
    log_erlang_b,
    meets,
    performance,
    required,
    servers_for_blocking,
)

AHT = 240.0


def differs(traffic: float, agents: int, patience: float, within: float) -> dict[str, float]:
    """By how much each figure is off: shares of a whole absolutely, the others relatively."""
    truth = true_service(traffic, agents, patience, within)
    found = performance(Load(traffic / AHT * 60, AHT, patience * AHT), agents, within * AHT)
    level = abs(found.service_level - truth.service_level)
    pairs = {
        "wait_probability": (found.wait_probability, truth.wait_probability),
        "asa": (found.asa_seconds / AHT, truth.asa),
        "occupancy": (found.occupancy, truth.occupancy),
        "abandonment": (found.abandonment, truth.abandonment),
    }
    relative = {
        name: abs(ours / theirs - 1) if theirs > 1e-290 else abs(ours - theirs)
        for name, (ours, theirs) in pairs.items()
    }
    return {"service_level": level, **relative}


@pytest.mark.parametrize("agents", [1, 2, 3, 7, 30, 200, 2_000, 20_000, 100_000])
@pytest.mark.parametrize("load", [0.3, 0.85, 0.99, 0.9999])
def test_erlang_c_is_exact_at_every_size(agents: int, load: float) -> None:
    assert max(differs(load * agents, agents, math.inf, 0.1).values()) < 1e-11


@pytest.mark.parametrize("agents", [1, 2, 3, 7, 30, 200, 2_000])
@pytest.mark.parametrize("load", [0.05, 0.6, 0.9, 1.0, 1.1, 3.0])
@pytest.mark.parametrize("patience", [0.02, 0.4, 3.0])
def test_erlang_a_is_exact_at_every_size_overload_included(agents: int, load: float, patience: float) -> None:
    for within in (0.0, 0.08, 1.0):
        assert max(differs(load * agents, agents, patience, within).values()) < 1e-11


@pytest.mark.parametrize(
    ("traffic", "agents", "patience"),
    [
        (19_000, 20_000, 0.5),
        (21_000, 20_000, 0.5),
        (99_800, 100_000, 1.0),
        (100_000, 100_000, 0.3),
        (130_000, 100_000, 0.2),
    ],
)
def test_erlang_a_is_exact_for_a_hundred_thousand_agents(traffic: float, agents: int, patience: float) -> None:
    assert max(differs(traffic, agents, patience, 0.01).values()) < 1e-10


def test_erlang_b_is_known_far_beyond_the_smallest_number() -> None:
    with mpmath.workdps(40):
        a, n = mpmath.mpf(100), 5_000
        truth = n * mpmath.log(a) - a - mpmath.loggamma(n + 1)  # all but e^-100 of the sum is e^a
        assert log_erlang_b(100, n) == pytest.approx(float(truth), rel=1e-14)
    assert erlang_b(100, n) == 0


def test_erlang_b_obeys_its_recursion() -> None:
    agents = np.arange(1, 3_000)
    for traffic in (0.5, 40.0, 1_500.0, 1e6):
        before, now = erlang_b(traffic, agents - 1), erlang_b(traffic, agents)
        told = now > 1e-290
        expected = traffic * before / (agents + traffic * before)
        assert now[told] == pytest.approx(expected[told], rel=1e-12)


# The example of Garnett, Mandelbaum & Reiman (2002): 48 calls a minute of 1 minute, 50 agents, mean patience 2 minutes.
def test_patience_turns_a_queue_that_stands_into_one_that_moves() -> None:
    with_patience = performance(Load(48, 60, 120), 50)
    without = performance(Load(48, 60), 50)
    assert with_patience.abandonment == pytest.approx(0.031, abs=5e-4)
    assert with_patience.occupancy == pytest.approx(0.93, abs=5e-3)
    assert without.asa_seconds == pytest.approx(20.8, abs=0.05)


def test_nobody_answers_where_nobody_is() -> None:
    found = performance(Load(10, 60, 120), 0)
    assert (found.wait_probability, found.service_level, found.occupancy, found.abandonment) == (1, 0, 1, 1)
    assert found.asa_seconds == math.inf


def test_without_contacts_nothing_happens() -> None:
    found = performance(Load(0, 60, 120), 5)
    assert (found.wait_probability, found.service_level, found.asa_seconds, found.abandonment) == (0, 1, 0, 0)


def test_numbers_and_arrays_run_the_same_code() -> None:
    rates = np.array([3.0, 40.0, 41.0, 900.0])
    together = performance(
        Load(rates, AHT, np.array([math.inf, 60.0, math.inf, 200.0])), np.array([20, 150, 170, 3_000])
    )
    for at, (rate, patience, agents) in enumerate(
        zip(rates, (math.inf, 60.0, math.inf, 200.0), (20, 150, 170, 3_000), strict=True)
    ):
        alone = performance(Load(float(rate), AHT, patience), agents)
        assert type(alone.service_level) is float
        assert together.service_level[at] == alone.service_level
        assert together.asa_seconds[at] == alone.asa_seconds
        assert together.abandonment[at] == alone.abandonment


def test_each_target_can_be_the_one_that_decides() -> None:
    load = Load(30, AHT, 90)
    free = Targets(service_level=0.0, max_occupancy=1.0)
    ask = [
        Targets(service_level=0.9, max_occupancy=1.0),
        Targets(service_level=0.0, max_occupancy=0.8),
        Targets(service_level=0.0, max_occupancy=1.0, max_asa_seconds=5.0),
        Targets(service_level=0.0, max_occupancy=1.0, max_abandonment=0.03),
    ]
    assert required(load, free) == 1
    for targets in ask:
        agents = required(load, targets)
        assert 100 < agents < 200
        assert meets(load, targets, agents)
        assert not meets(load, targets, agents - 1)


def test_an_agent_with_three_chats_is_three_servers() -> None:
    chats = performance(Load(10, 600, concurrency=3), 40)
    assert chats == performance(Load(10, 600), 120)
    agents = required(Load(10, 600, concurrency=3))
    assert agents == math.ceil(required(Load(10, 600)) / 3)


def test_places_for_a_blocking_are_the_least() -> None:
    assert servers_for_blocking(0.0, 0.01) == 0
    for traffic in (0.3, 12.0, 800.0):
        servers = servers_for_blocking(traffic, 0.01)
        assert erlang_b(traffic, servers) <= 0.01
        assert erlang_b(traffic, servers - 1) > 0.01


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: performance(Load(1, 60, 0), 5), "patience_seconds is 0"),
        (lambda: performance(Load(1, 60, math.nan), 5), "patience_seconds is nan"),
        (lambda: performance(Load(1, 60, concurrency=0), 5), "concurrency is 0"),
        (lambda: performance(Load(1, 60), 2.5), r"agents is 2\.5"),
        (lambda: performance(Load([1, -2], 60), 2), "contacts_per_minute is -2"),
        (lambda: performance(Load([1, 2], [60, 60, 60]), 2), "shapes"),
        (lambda: required(Load(1, 60), Targets(max_asa_seconds=0)), "max_asa_seconds is 0"),
        (lambda: required(Load(1, 60), Targets(max_abandonment=2)), "max_abandonment is 2"),
        (lambda: required(Load(1e9, 60, 60)), "more than 1000000 agents"),
        (lambda: servers_for_blocking(5, 0), "max_blocking is 0"),
        (lambda: servers_for_blocking(1e9, 0.01), "more than 1000000 agents"),
        (lambda: performance(Load(1e300, 1e300), 5), "times aht_seconds is inf"),
    ],
)
def test_what_makes_no_sense_is_named(call, named) -> None:
    with pytest.raises(ErlangInputError, match=named):
        call()
