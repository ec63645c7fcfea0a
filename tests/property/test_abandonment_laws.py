"""Laws of queues whose contacts lose patience, and of the searches over many at once."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from processors.staffing.logic.erlang import Load, Targets, meets, performance, required

RATE = st.floats(0, 200)
AHT = st.floats(5, 1_200)
PATIENCE = st.floats(1, 3_600)
ENDS = st.one_of(PATIENCE, st.just(math.inf))
AGENTS = st.integers(0, 700)
WITHIN = st.floats(0, 600)
ROUNDING = 1e-10


@given(RATE, AHT, PATIENCE, AGENTS, WITHIN)
def test_every_share_is_one_and_the_service_level_is_within_what_is_answered(rate, aht, patience, agents, within):
    found = performance(Load(rate, aht, patience), agents, within)
    for share in (found.wait_probability, found.service_level, found.occupancy, found.abandonment):
        assert 0 <= share <= 1
    assert found.service_level <= 1 - found.abandonment + ROUNDING
    assert found.service_level >= 1 - found.wait_probability - ROUNDING
    assert found.abandonment <= found.wait_probability + ROUNDING


@given(RATE, AHT, PATIENCE, AGENTS, WITHIN)
def test_one_agent_more_never_makes_it_worse(rate, aht, patience, agents, within):
    load = Load(rate, aht, patience)
    found, more = performance(load, agents, within), performance(load, agents + 1, within)
    assert more.service_level >= found.service_level - ROUNDING
    assert more.abandonment <= found.abandonment + ROUNDING
    assert more.wait_probability <= found.wait_probability + ROUNDING
    assert more.occupancy <= found.occupancy + ROUNDING
    assert more.asa_seconds <= found.asa_seconds * (1 + ROUNDING)


@given(RATE, RATE, AHT, PATIENCE, AGENTS, WITHIN)
def test_more_contacts_never_make_it_better(one, other, aht, patience, agents, within):
    light, heavy = (performance(Load(rate, aht, patience), agents, within) for rate in sorted((one, other)))
    assert heavy.service_level <= light.service_level + ROUNDING
    assert heavy.abandonment >= light.abandonment - ROUNDING
    assert heavy.wait_probability >= light.wait_probability - ROUNDING


@given(RATE, AHT, PATIENCE, AGENTS)
def test_what_comes_is_answered_or_leaves(rate, aht, patience, agents):
    load = Load(rate, aht, patience)
    found = performance(load, agents)
    carried = found.occupancy * agents
    assert math.isclose(load.traffic_erlangs * (1 - found.abandonment), carried, rel_tol=1e-9, abs_tol=1e-9)


@given(st.floats(0.1, 0.97), AHT, st.integers(1, 300), WITHIN)
def test_patience_without_end_is_the_limit_of_ever_longer_patience(load, aht, agents, within):
    rate = load * agents / aht * 60
    endless = performance(Load(rate, aht), agents, within)
    patient = performance(Load(rate, aht, aht * 1e8), agents, within)
    assert math.isclose(patient.wait_probability, endless.wait_probability, rel_tol=1e-3, abs_tol=1e-9)
    assert math.isclose(patient.service_level, endless.service_level, abs_tol=1e-3)
    assert math.isclose(patient.asa_seconds, endless.asa_seconds, rel_tol=1e-2, abs_tol=1e-9)


@given(RATE, AHT, ENDS, st.floats(0, 1), WITHIN, st.floats(0.05, 1), st.integers(1, 5))
def test_those_required_meet_the_targets_and_one_fewer_does_not(rate, aht, ends, level, within, busy, concurrency):
    load, targets = Load(rate, aht, ends, concurrency), Targets(level, within, busy)
    agents = required(load, targets)
    assert meets(load, targets, agents)
    assert agents == 0 or not meets(load, targets, agents - 1)


@given(RATE, AHT, PATIENCE, st.floats(0.5, 300), st.floats(0.001, 1))
def test_waits_and_abandonment_can_be_asked_for(rate, aht, patience, asa, abandonment):
    load = Load(rate, aht, patience)
    targets = Targets(0.0, 20.0, 1.0, max_asa_seconds=asa, max_abandonment=abandonment)
    agents = required(load, targets)
    found = performance(load, agents)
    assert found.asa_seconds <= asa
    assert found.abandonment <= abandonment
    assert agents == 0 or not meets(load, targets, agents - 1)


@given(st.lists(st.tuples(RATE, AHT, ENDS, st.floats(0, 1), st.floats(0.3, 1)), min_size=1, max_size=5), st.data())
def test_a_batch_can_be_cut_anywhere(problems, data):
    def asked(some):
        rate, aht, ends, level, busy = (np.array(column) for column in zip(*some, strict=True))
        return required(Load(rate, aht, ends), Targets(level, 20.0, busy)).tolist()

    cut = data.draw(st.integers(0, len(problems)))
    parts = [asked(part) for part in (problems[:cut], problems[cut:]) if part]
    assert asked(problems) == [agents for part in parts for agents in part]
