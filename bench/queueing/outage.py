"""How well the models of moving load follow an hour in which AI is out, beside a simulation of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.queueing.simulation import Shift, arrivals_of, simulated
from processors.staffing.logic.erlang.course import Course, Moved
from processors.staffing.logic.erlang.fluid import fluid
from processors.staffing.logic.erlang.transient import transient

SEED = 2026
AHT_SECONDS, STEP_SECONDS = 300.0, 60.0
USUAL, BEFORE, OUT, AFTER = 0.85, 30, 60, 60
"""Traffic an agent but for the outage; minutes before, in and after it."""
_LEAD_STEPS = 60
"""Simulated from empty for so long before: twelve handle times."""
_MODELS: dict[str, Callable[[Course], Moved]] = {
    "transient": transient,
    "refined fluid": fluid,
    "plain fluid": lambda course: fluid(course, refined=False),
}
_MOST_EXACT = 2_000
"""Agents up to which the transient is computed here: its cost grows with their square."""


class Followed(NamedTuple):
    """A figure over the hour of the outage: simulated, with its standard error, and by each model."""

    agents: int
    patience: float
    more: float
    figure: str
    simulated: float
    standard_error: float
    models: dict[str, float]


def outage(agents: int, patience: float, more: float) -> Course:
    """Return a course: the usual load, `more` of it (a factor) while AI is out, the usual again."""
    usual = USUAL * agents / AHT_SECONDS * 60.0
    rates = np.repeat([usual, more * usual, usual], [BEFORE, OUT, AFTER])
    return Course(rates, agents, STEP_SECONDS, AHT_SECONDS, patience)


def followed(agents: int, patience: float, more: float, runs: int) -> Iterator[Followed]:
    """Yield the figures of one outage."""
    course = outage(agents, patience, more)
    seen = np.array([_simulated(course, agents, seed) for seed in range(runs)])
    models = {name: model(course) for name, model in _MODELS.items() if name != "transient" or agents <= _MOST_EXACT}
    inside = slice(BEFORE, BEFORE + OUT)
    for at, (name, figure) in enumerate(_FIGURES.items()):
        values, weights = seen[:, 2 * at], seen[:, 2 * at + 1]
        mean = values.sum() / weights.sum()
        error = np.std(values - mean * weights) / math.sqrt(runs) / weights.mean()
        told = {model: float(getattr(moved, figure)[inside].mean()) for model, moved in models.items()}
        yield Followed(agents, patience, more, name, float(mean), float(error), told)


_FIGURES = {
    "queue": "waiting",
    "mean wait, s": "wait_seconds",
    "within 20 s": "service_level",
    "abandonment": "abandonment",
}


def _simulated(course: Course, agents: int, seed: int) -> npt.NDArray[np.float64]:
    """Return of each figure its sum over the hour, and the number of what it is a mean of."""
    rng = np.random.default_rng((SEED, seed))
    rates = np.asarray(course.contacts_per_minute) / 60.0
    lead = np.full(_LEAD_STEPS, rates[0])
    arrivals = arrivals_of(rng, [*lead, *rates], STEP_SECONDS, -_LEAD_STEPS * STEP_SECONDS)
    contacts = simulated(rng, arrivals, [Shift(agents)], AHT_SECONDS, course.patience_seconds)
    start, end = BEFORE * STEP_SECONDS, (BEFORE + OUT) * STEP_SECONDS
    looks = np.arange(start, end, 5.0)
    inside = contacts.within(start, end)
    count = inside.waits.size
    in_time = np.sum(inside.answered & (inside.waits <= course.within_seconds))
    sums = (contacts.waiting_at(looks).sum(), looks.size, inside.waits.sum(), count, in_time, count)
    return np.array([*sums, count - inside.answered.sum(), count], dtype=np.float64)
