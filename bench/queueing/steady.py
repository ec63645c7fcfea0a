"""How exact Erlang B, C and A are in steady state: beside sums in 40 digits, and beside simulations."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from bench.queueing.peer import ciw_simulated
from bench.queueing.simulation import Contacts, Shift, arrivals_of, simulated
from bench.queueing.sums import true_service
from processors.staffing.logic.erlang import Load, Service, performance

SEED = 2026
AHT_SECONDS, WITHIN_SECONDS = 240.0, 20.0
SIZES = (1, 2, 5, 20, 100, 500, 2_000, 10_000, 50_000, 100_000)
QUICK_SIZES = (1, 20, 2_000)
LOADS = {"C": ((0.5, math.inf), (0.9, math.inf), (0.999, math.inf)), "A": ((0.7, 0.5), (1.0, 0.5), (1.3, 0.3))}
"""Of each model: traffic an agent, and patience in handle times."""
FIGURES = ("wait_probability", "service_level", "asa_seconds", "abandonment")
_CONFIDENCE = 0.99
_HANDLE_TIMES = 30
"""Of large groups, so many at least are simulated: in less they do not change much."""
_RULE_OF_THREE = 3.0
"""Over the contacts: what may happen to so small a share of them (95 %) was perhaps never seen."""
_WARM_UP_HANDLE_TIMES, _WARM_UP_CONTACTS = 30.0, 2_000
"""The longer of the two: small groups need many contacts, large ones some handle times, to forget their empty start."""


class Off(NamedTuple):
    """The largest error over the loads of a model: relative, of the service level absolute."""

    model: str
    agents: int
    errors: dict[str, float]


def against_sums(sizes: Sequence[int]) -> Iterator[Off]:
    """Yield how far the formulas are from the sums, by model and number of agents."""
    for model, loads in LOADS.items():
        for agents in sizes:
            errors = [_off(load * agents, agents, patience) for load, patience in loads]
            yield Off(model, agents, {name: max(each[name] for each in errors) for name in FIGURES})


def _off(traffic: float, agents: int, patience: float) -> dict[str, float]:
    truth = true_service(traffic, agents, patience, WITHIN_SECONDS / AHT_SECONDS)
    found = performance(Load(traffic / AHT_SECONDS * 60, AHT_SECONDS, patience * AHT_SECONDS), agents, WITHIN_SECONDS)
    return {
        "wait_probability": _relative(found.wait_probability, truth.wait_probability),
        "service_level": abs(found.service_level - truth.service_level),
        "asa_seconds": _relative(found.asa_seconds / AHT_SECONDS, truth.asa),
        "abandonment": _relative(found.abandonment, truth.abandonment),
    }


def _relative(ours: float, theirs: float) -> float:
    return abs(ours / theirs - 1.0) if theirs > np.finfo(np.float64).tiny else abs(ours - theirs)


class Seen(NamedTuple):
    """One figure of a queue: the formula's, and what simulations say with half of their 99 % confidence intervals."""

    agents: int
    load: float
    patience: float
    figure: str
    formula: float
    heap: tuple[float, float]
    ciw: tuple[float, float] | None

    @property
    def agrees(self) -> bool:
        """Whether the formula is in each interval, and the simulations' intervals meet."""
        (heap, half), peer = self.heap, self.ciw
        inside = abs(self.formula - heap) <= half
        if peer is None:
            return inside
        return inside and abs(self.formula - peer[0]) <= peer[1] and abs(heap - peer[0]) <= math.hypot(half, peer[1])


def against_simulations(
    queues: Sequence[tuple[int, float, float]], runs: int, contacts: int, most_for_ciw: int
) -> Iterator[Seen]:
    """Yield figures of queues (agents, traffic an agent, patience in handle times), by `runs` of so many contacts."""
    for agents, load, patience in queues:
        rate = load * agents / AHT_SECONDS
        warm = max(_WARM_UP_HANDLE_TIMES * AHT_SECONDS, _WARM_UP_CONTACTS / rate)
        formula = performance(Load(rate * 60, AHT_SECONDS, patience * AHT_SECONDS), agents, WITHIN_SECONDS)
        heap = _intervals(_heap, runs, rate, agents, patience * AHT_SECONDS, warm, contacts)
        peer = (
            _intervals(_ciw, runs, rate, agents, patience * AHT_SECONDS, warm, contacts)
            if agents <= most_for_ciw
            else None
        )
        yield from _rows(agents, load, patience, formula, heap, peer)


def _rows(
    agents: int, load: float, patience: float, formula: Service, heap: dict[str, tuple[float, float]],
    peer: dict[str, tuple[float, float]] | None,
) -> Iterator[Seen]:  # fmt: skip
    for name in FIGURES if math.isfinite(patience) else FIGURES[:-1]:
        yield Seen(
            agents, load, patience, name, getattr(formula, name), heap[name], None if peer is None else peer[name]
        )


def _heap(seed: int, rate: float, agents: int, patience: float, until: float) -> Contacts:
    rng = np.random.default_rng((SEED, seed))
    return simulated(rng, arrivals_of(rng, [rate], until), [Shift(agents)], AHT_SECONDS, patience)


def _ciw(seed: int, rate: float, agents: int, patience: float, until: float) -> Contacts:
    return ciw_simulated(seed, rate, agents, AHT_SECONDS, patience, until)


def _intervals(
    simulate: Callable[..., Contacts], runs: int, rate: float, agents: int, patience: float, warm: float, contacts: int
) -> dict[str, tuple[float, float]]:
    """Return mean and half of the confidence interval of each figure, over runs that start empty and warm up.

    They go on after the last contact that counts, for ciw tells of a contact when it is over.
    """
    count = max(contacts, _HANDLE_TIMES * agents)
    until = warm + count / rate
    seen = [_figures(simulate(seed, rate, agents, patience, until + warm).within(warm, until)) for seed in range(runs)]
    wide = float(student.ppf((1.0 + _CONFIDENCE) / 2.0, runs - 1)) / math.sqrt(runs)
    columns = {name: [each[name] for each in seen] for name in FIGURES}
    unseen = _RULE_OF_THREE / (runs * count)
    return {name: (statistics.mean(v), max(wide * statistics.stdev(v), unseen)) for name, v in columns.items()}


def _figures(contacts: Contacts) -> dict[str, float]:
    waits, answered = contacts.waits, contacts.answered
    return {
        "wait_probability": float(np.mean(waits > 0)),
        "service_level": float(np.mean(answered & (waits <= WITHIN_SECONDS))),
        "asa_seconds": float(waits[answered].mean()),
        "abandonment": float(1.0 - answered.mean()),
    }
