"""The simulation that formulas are measured against: it is itself measured against ciw, and against the sums."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

import numpy as np
import pytest

from bench.queueing.peer import ciw_simulated
from bench.queueing.simulation import Contacts, Shift, arrivals_of, served, simulated
from processors.staffing.logic.erlang import Load, performance

AHT = 60.0
RUNS = 12
T_995_OF_11 = 3.106
"""Student's t: 99 % of intervals of 12 runs hold the truth; the seeds are fixed."""


def peer(seed: int, per_second: float, agents: int, patience: float, until: float) -> Contacts:
    return ciw_simulated(seed, per_second, agents, AHT, patience, until)


def own(seed: int, per_second: float, agents: int, patience: float, until: float) -> Contacts:
    rng = np.random.default_rng(seed)
    return simulated(rng, arrivals_of(rng, [per_second], until), [Shift(agents)], AHT, patience)


def figures(contacts: Contacts) -> dict[str, float]:
    late = contacts.arrivals > 20 * AHT  # it starts empty
    waits, answered = contacts.waits[late], contacts.answered[late]
    return {
        "wait_probability": float(np.mean(waits > 0)),
        "service_level": float(np.mean(answered & (waits <= 20))),
        "asa_seconds": float(waits[answered].mean()),
        "abandonment": float(1 - answered.mean()),
    }


def intervals(simulate: Callable[..., Contacts], *how: float) -> dict[str, tuple[float, float]]:
    """Mean and half of the 99 % confidence interval of each figure, over runs."""
    runs = [figures(simulate(seed, *how)) for seed in range(RUNS)]
    made = {}
    for name in runs[0]:
        values = [run[name] for run in runs]
        made[name] = statistics.mean(values), T_995_OF_11 * statistics.stdev(values) / math.sqrt(RUNS)
    return made


@pytest.mark.parametrize(
    ("agents", "load", "patience"), [(3, 0.7, math.inf), (3, 1.2, 40.0), (40, 0.9, math.inf), (40, 1.1, 30.0)]
)
def test_heap_ciw_and_formula_agree_within_their_confidence(agents: int, load: float, patience: float) -> None:
    per_second = load * agents / AHT
    how = (per_second, agents, patience, 1_500 / per_second + 20 * AHT)
    heap, others = intervals(own, *how), intervals(peer, *how)
    truth = performance(Load(per_second * 60, AHT, patience), agents)
    for name, (mean, half) in heap.items():
        theirs, their_half = others[name]
        assert abs(mean - theirs) <= math.hypot(half, their_half), name
        assert abs(mean - getattr(truth, name)) <= half, name
        assert abs(theirs - getattr(truth, name)) <= their_half, name


#  contact   arrives   takes   bears      agent one is there till 30, agent two from 20 on
#     a         0        25     -         one, 0 to 25
#     b         1         5    100        two comes first: 20 to 25, waits 19
#     c         2        10     3         leaves at 5
#     d        25         9     -         one is still there: 25 to 34
#     e        26         1     -         two, at once
#     f        40         1     -         two, at once: one has gone
#     g        40         5     -         waits for two, till 41
def test_agents_come_and_go_and_each_contact_gets_the_first_who_is_free() -> None:
    arrivals = np.array([0.0, 1, 2, 25, 26, 40, 40])
    takes = np.array([25.0, 5, 10, 9, 1, 1, 5])
    bears = np.array([math.inf, 100, 3, math.inf, math.inf, math.inf, math.inf])
    contacts = served(arrivals, takes, bears, [Shift(1, end=30.0), Shift(1, start=20.0)])
    assert contacts.waits.tolist() == [0, 19, 3, 0, 0, 0, 1]
    assert contacts.answered.tolist() == [True, True, False, True, True, True, True]
    assert contacts.waiting_at(np.array([0.5, 1.5, 3.0, 10.0, 22.0, 40.5])).tolist() == [0, 1, 2, 1, 0, 1]
