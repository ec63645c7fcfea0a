"""Erlang B and C against exact sums, published figures, and the edges of their range."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest

from processors.staffing.logic.erlang import (
    MAX_AGENTS,
    ErlangInputError,
    agents_required,
    asa_seconds,
    carried_per_minute,
    erlang_b,
    erlang_c_wait_probability,
    occupancy,
    scheduled,
    service_level,
)
from schemas.errors import TrunklineError


def exact_b(traffic, agents):
    """Erlang B from its definition, (a^c / c!) / sum of a^k / k!, in rational numbers."""
    terms = [Fraction(1)]
    for k in range(1, agents + 1):
        terms.append(terms[-1] * traffic / k)
    return terms[-1] / sum(terms)


def decimal_b(traffic, agents):
    """Erlang B as 1 / sum over k of c! / ((c - k)! a^k), in 50 digits: a sum, not the recursion."""
    with localcontext(prec=50):
        a, term, total = Decimal(traffic), Decimal(1), Decimal(1)
        for k in range(agents):
            term = term * (agents - k) / a
            total += term
        return 1 / total


def decimal_c(traffic, agents):
    with localcontext(prec=50):
        b, a = decimal_b(traffic, agents), Decimal(traffic)
        return agents * b / (agents - a * (1 - b))


@pytest.mark.parametrize("traffic", [Fraction(1, 4), Fraction(3), Fraction(19, 2), Fraction(31, 2)])
def test_erlang_b_and_c_agree_with_rational_arithmetic(traffic):
    for agents in range(1, 41):
        b = exact_b(traffic, agents)
        assert erlang_b(float(traffic), agents) == pytest.approx(float(b), rel=1e-13)
        if traffic < agents:
            c = agents * b / (agents - traffic * (1 - b))
            assert erlang_c_wait_probability(float(traffic), agents) == pytest.approx(float(c), rel=1e-12)


@pytest.mark.parametrize("load_per_agent", [0.3, 0.85, 0.97])
def test_erlang_b_and_c_agree_with_exact_sums_at_every_size_from_1_to_500(load_per_agent):
    for agents in range(1, 501):
        traffic = load_per_agent * agents
        assert erlang_b(traffic, agents) == pytest.approx(float(decimal_b(traffic, agents)), rel=1e-11)
        assert erlang_c_wait_probability(traffic, agents) == pytest.approx(float(decimal_c(traffic, agents)), rel=1e-11)


@pytest.mark.parametrize(
    ("traffic", "agents"),
    [(4_000, 4_000), (4_900, 5_000), (4_999.5, 5_000), (5_500, 5_000), (99_500, 100_000), (99_999.5, 100_000)],
)
def test_erlang_b_and_c_are_exact_for_thousands_of_agents(traffic, agents):
    assert erlang_b(traffic, agents) == pytest.approx(float(decimal_b(traffic, agents)), rel=1e-11)
    if traffic < agents:
        assert erlang_c_wait_probability(traffic, agents) == pytest.approx(float(decimal_c(traffic, agents)), rel=1e-11)


# Westbay Engineers' Erlang B calculator manual, "How much traffic can a trunk group handle?":
# 15 lines carry 8.108 Erlangs at 1 % blocking.
def test_fifteen_lines_at_one_per_cent_blocking_carry_the_published_traffic():
    assert erlang_b(8.108, 15) == pytest.approx(0.01, abs=1e-5)


# Call Centre Helper, "Erlang C formula made simple with an easy worked example"
# (callcentrehelper.com/erlang-c-formula-example-121281.htm): 100 calls in half
# an hour of 180 s; 80 % in 20 s, occupancy at most 85 %, shrinkage 30 %.
def test_the_worked_example_of_call_centre_helper_comes_out():
    assert erlang_c_wait_probability(10, 11) == pytest.approx(0.682, abs=5e-4)
    assert service_level(10, 11, 180, 20) == pytest.approx(0.3896, abs=5e-5)
    required = agents_required(100 / 30, 180, 0.80, 20, 0.85)
    assert required.agents == 14
    assert required.service_level == pytest.approx(0.888, abs=5e-4)
    assert required.asa_seconds == pytest.approx(7.8, abs=0.05)
    assert required.occupancy == pytest.approx(0.714, abs=5e-4)
    assert scheduled(required.agents, 0.30) == 20


# Mitan, "The Erlang-C formula" (mitan.co.uk/erlang/elgcmath.htm): 360 calls in half an hour of 240 s,
# 55 agents, 15 s to answer.
def test_the_worked_example_of_fifty_five_agents_comes_out():
    assert occupancy(48, 55) == pytest.approx(0.873, abs=5e-4)
    assert erlang_c_wait_probability(48, 55) == pytest.approx(0.239, abs=5e-4)
    assert asa_seconds(48, 55, 240) == pytest.approx(8.2, abs=0.05)
    assert service_level(48, 55, 240, 15) == pytest.approx(0.846, abs=5e-4)


def test_one_agent_is_the_single_server_queue():
    # M/M/1: everyone waits with probability rho, on average rho / (1 - rho) handle times.
    assert erlang_c_wait_probability(0.6, 1) == pytest.approx(0.6)
    assert asa_seconds(0.6, 1, 100) == pytest.approx(150)


@pytest.mark.parametrize(("traffic", "agents"), [(40, 30), (30, 30), (1, 0), (100_001, 100_000)])
def test_in_overload_everyone_waits_without_end(traffic, agents):
    assert erlang_c_wait_probability(traffic, agents) == 1
    assert service_level(traffic, agents, 300, 20) == 0
    assert asa_seconds(traffic, agents, 300) == math.inf
    assert occupancy(traffic, agents) == 1


@pytest.mark.parametrize("agents", [0, 1, 50])
def test_without_traffic_nobody_waits(agents):
    assert erlang_c_wait_probability(0, agents) == 0
    assert service_level(0, agents, 300, 20) == 1
    assert asa_seconds(0, agents, 300) == 0
    assert occupancy(0, agents) == 0


def test_no_contacts_need_no_agents():
    required = agents_required(0, 300, 0.8, 20, 0.85)
    assert (required.agents, required.service_level, required.occupancy) == (0, 1, 0)


def test_a_trickle_needs_one_agent():
    # 0.1 Erlang on 1 agent: 90 % are answered at once.
    assert agents_required(0.02, 300, 0.8, 20, 0.85).agents == 1


def test_occupancy_decides_where_the_service_level_would_do_with_fewer():
    # 100 Erlangs, 80 % in 20 s: 85 % occupancy takes ceil(100 / 0.85), the service level alone fewer.
    assert agents_required(20, 300, 0.8, 20, 1.0).agents < 118
    required = agents_required(20, 300, 0.8, 20, 0.85)
    assert required.agents == 118
    assert required.service_level > 0.98


def test_a_whole_number_of_agents_is_not_rounded_up_by_a_stray_bit():
    assert 21 / (1 - 0.3) > 30
    assert scheduled(21, 0.3) == 30
    assert scheduled(22, 0.3) == 32
    assert scheduled(0, 0.3) == 0
    assert scheduled(17, 0.0) == 17
    assert agents_required(11.9, 60, 0.5, 60, 0.7).agents == 17  # 11.9 / 0.7 in floating point is 17.000000000000004


def test_a_target_of_all_contacts_at_once_ends_and_is_met():
    assert agents_required(2, 300, 1.0, 0, 1.0).service_level == 1


def test_a_hundred_thousand_agents_are_found():
    required = agents_required(20_000, 300, 0.8, 20, 1.0)  # 100,000 Erlangs
    assert required.service_level >= 0.8
    assert service_level(100_000, required.agents - 1, 300, 20) < 0.8
    assert required.service_level == pytest.approx(service_level(100_000, required.agents, 300, 20), rel=1e-12)


def test_one_agent_carries_what_the_single_server_queue_says():
    # M/M/1 with no time to wait: rho contacts of 100 wait, so 80 % at once is 0.2 Erlangs, 0.04 a minute of 300 s.
    assert carried_per_minute(1, 300, 0.8, 0, 1.0) == pytest.approx(0.04)


def test_a_large_team_carries_what_occupancy_allows():
    assert carried_per_minute(1_000, 300, 0.8, 20, 0.85) == pytest.approx(170)


def test_nobody_carries_nothing():
    assert carried_per_minute(0, 300, 0.8, 20, 0.85) == 0


def test_a_million_agents_are_within_reach():
    assert carried_per_minute(MAX_AGENTS, 300, 0.8, 20, 0.85) == pytest.approx(170_000)


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: erlang_b(-1, 5), "traffic_erlangs is -1"),
        (lambda: erlang_b(math.nan, 5), "traffic_erlangs is nan"),
        (lambda: erlang_c_wait_probability(math.inf, 5), "traffic_erlangs is inf"),
        (lambda: erlang_c_wait_probability(1, -5), "agents is -5"),
        (lambda: occupancy(1, 2.5), r"agents is 2\.5"),
        (lambda: erlang_b(1, MAX_AGENTS + 1), "agents is 1000001"),
        (lambda: service_level(1, 2, 0, 20), "aht_seconds is 0"),
        (lambda: service_level(1, 2, 300, -1), "within_seconds is -1"),
        (lambda: asa_seconds(1, 2, math.nan), "aht_seconds is nan"),
        (lambda: agents_required(-1, 300, 0.8, 20, 0.85), "contacts_per_minute is -1"),
        (lambda: agents_required(1, -300, 0.8, 20, 0.85), "aht_seconds is -300"),
        (lambda: agents_required(1, 300, 80, 20, 0.85), "service_level_target is 80"),
        (lambda: agents_required(1, 300, 0.8, -20, 0.85), "service_level_seconds is -20"),
        (lambda: agents_required(1, 300, 0.8, 20, 0), "max_occupancy is 0"),
        (lambda: agents_required(1, 300, 0.8, 20, 85), "max_occupancy is 85"),
        (lambda: agents_required(1e9, 300, 0.8, 20, 0.85), "contacts_per_minute and aht_seconds make 5e"),
        (lambda: carried_per_minute(-1, 300, 0.8, 20, 0.85), "agents is -1"),
        (lambda: carried_per_minute(1, 0, 0.8, 20, 0.85), "aht_seconds is 0"),
        (lambda: carried_per_minute(1, 300, 1.1, 20, 0.85), r"service_level_target is 1\.1"),
        (lambda: carried_per_minute(1, 300, 0.8, -1, 0.85), "service_level_seconds is -1"),
        (lambda: carried_per_minute(1, 300, 0.8, 20, 0.0), r"max_occupancy is 0\.0"),
        (lambda: scheduled(10, 1.0), r"shrinkage is 1: nobody"),
        (lambda: scheduled(10, -0.1), r"shrinkage is -0\.1"),
        (lambda: scheduled(-1, 0.3), "agents is -1"),
    ],
)
def test_an_argument_out_of_range_is_named_in_an_error_of_the_tree(call, named):
    with pytest.raises(ErlangInputError, match=named) as raised:
        call()
    assert isinstance(raised.value, TrunklineError)
    assert isinstance(raised.value, ValueError)
