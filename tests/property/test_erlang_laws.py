"""Laws of Erlang's formulas that hold for every load and every number of agents."""

import math

from hypothesis import assume, given
from hypothesis import strategies as st

from processors.staffing.logic.erlang import (
    agents_required,
    asa_seconds,
    carried_per_minute,
    erlang_b,
    erlang_c_wait_probability,
    occupancy,
    scheduled,
    service_level,
)

TRAFFIC = st.floats(0, 600)
AGENTS = st.integers(0, 700)
AHT = st.floats(1, 3_600)
WITHIN = st.floats(0, 3_600)
TARGET = st.floats(0, 1)
MAX_OCCUPANCY = st.floats(0.05, 1)
PER_MINUTE = st.floats(0, 100)
ROUNDING = 1e-12


@given(TRAFFIC, AGENTS, AHT, WITHIN)
def test_every_figure_is_in_its_range(traffic, agents, aht, within):
    for share in (
        erlang_b(traffic, agents),
        erlang_c_wait_probability(traffic, agents),
        service_level(traffic, agents, aht, within),
        occupancy(traffic, agents),
    ):
        assert 0 <= share <= 1
    assert asa_seconds(traffic, agents, aht) >= 0


@given(TRAFFIC, AGENTS, AHT, WITHIN)
def test_one_agent_more_never_makes_service_worse(traffic, agents, aht, within):
    assert erlang_b(traffic, agents + 1) <= erlang_b(traffic, agents)
    assert erlang_c_wait_probability(traffic, agents + 1) <= erlang_c_wait_probability(traffic, agents) + ROUNDING
    assert service_level(traffic, agents + 1, aht, within) >= service_level(traffic, agents, aht, within) - ROUNDING
    assert asa_seconds(traffic, agents + 1, aht) <= asa_seconds(traffic, agents, aht)
    assert occupancy(traffic, agents + 1) <= occupancy(traffic, agents)


@given(TRAFFIC, TRAFFIC, AGENTS, AHT, WITHIN)
def test_more_traffic_never_makes_service_better(one, other, agents, aht, within):
    light, heavy = sorted((one, other))
    assert erlang_b(heavy, agents) >= erlang_b(light, agents) - ROUNDING
    assert erlang_c_wait_probability(heavy, agents) >= erlang_c_wait_probability(light, agents) - ROUNDING
    assert service_level(heavy, agents, aht, within) <= service_level(light, agents, aht, within) + ROUNDING


@given(TRAFFIC, AGENTS)
def test_who_waits_is_at_least_who_would_be_lost(traffic, agents):
    assume(traffic > 0)
    assert erlang_c_wait_probability(traffic, agents) >= erlang_b(traffic, agents) * (1 - ROUNDING)


@given(TRAFFIC, AGENTS, AHT, WITHIN, WITHIN)
def test_a_longer_time_to_answer_never_lowers_the_service_level(traffic, agents, aht, one, other):
    short, long = sorted((one, other))
    assert service_level(traffic, agents, aht, long) >= service_level(traffic, agents, aht, short)


@given(PER_MINUTE, AHT, TARGET, WITHIN, MAX_OCCUPANCY)
def test_the_agents_required_meet_the_targets_and_one_fewer_would_not(rate, aht, target, within, max_occupancy):
    required = agents_required(rate, aht, target, within, max_occupancy)
    traffic, agents = required.traffic_erlangs, required.agents
    if traffic == 0:
        assert agents == 0
        return
    assert agents > traffic
    assert required.service_level >= target
    assert required.occupancy <= max_occupancy * (1 + 2e-9)
    fewer = agents - 1
    assert (
        fewer <= traffic
        or traffic / fewer > max_occupancy * (1 - 2e-9)
        or service_level(traffic, fewer, aht, within) < target + ROUNDING
    )


@given(PER_MINUTE, AHT, TARGET, WITHIN, MAX_OCCUPANCY)
def test_the_figures_that_come_with_the_agents_required_are_the_formulas_own(rate, aht, target, within, max_occupancy):
    required = agents_required(rate, aht, target, within, max_occupancy)
    traffic, agents = required.traffic_erlangs, required.agents
    assert math.isclose(required.wait_probability, erlang_c_wait_probability(traffic, agents), rel_tol=1e-9)
    assert math.isclose(required.service_level, service_level(traffic, agents, aht, within), abs_tol=ROUNDING)
    assert math.isclose(required.asa_seconds, asa_seconds(traffic, agents, aht), rel_tol=1e-9)
    assert math.isclose(required.occupancy, occupancy(traffic, agents), rel_tol=1e-12)


@given(PER_MINUTE, PER_MINUTE, AHT, TARGET, WITHIN)
def test_more_contacts_never_need_fewer_agents(one, other, aht, target, within):
    few, many = (agents_required(rate, aht, target, within, 0.85).agents for rate in sorted((one, other)))
    assert few <= many


@given(st.integers(0, 100_000), st.floats(0, 0.95))
def test_the_people_scheduled_leave_enough_in_their_seats_and_one_fewer_would_not(agents, shrinkage):
    people = scheduled(agents, shrinkage)
    assert people * (1 - shrinkage) >= agents * (1 - 2e-9)
    assert people == 0 or (people - 1) * (1 - shrinkage) < agents


@given(st.integers(0, 300), AHT, TARGET, WITHIN, MAX_OCCUPANCY)
def test_of_the_rate_that_agents_carry_they_are_enough_and_of_any_more_they_are_not(
    agents, aht, target, within, max_occupancy
):
    rate = carried_per_minute(agents, aht, target, within, max_occupancy)
    assert agents_required(rate, aht, target, within, max_occupancy).agents <= agents
    more = rate * (1 + 1e-9) if rate else 1e-9
    assert agents_required(more, aht, target, within, max_occupancy).agents > agents


@given(PER_MINUTE, AHT, TARGET, WITHIN, MAX_OCCUPANCY)
def test_the_agents_required_for_a_rate_carry_it(rate, aht, target, within, max_occupancy):
    assume(rate == 0 or rate > 1e-300)  # a load that rounds to none needs nobody
    agents = agents_required(rate, aht, target, within, max_occupancy).agents
    assert carried_per_minute(agents, aht, target, within, max_occupancy) >= rate * (1 - ROUNDING)


@given(st.integers(0, 299), AHT, TARGET, WITHIN, MAX_OCCUPANCY)
def test_one_agent_more_carries_more(agents, aht, target, within, max_occupancy):
    few, many = (carried_per_minute(n, aht, target, within, max_occupancy) for n in (agents, agents + 1))
    assert few < many
