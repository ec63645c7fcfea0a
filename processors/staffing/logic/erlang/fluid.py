"""Fluid for load that moves, refined by the variance of the diffusion: for any number of agents.

The fluid (Mandelbaum, Massey & Reiman 1998; Whitt 2006) has the contacts in the system, m, flow in and out:

    dm/dt = lambda - mu min(m, n) - theta (m - n)+

It has no queue until m reaches n, and so no waiting where load and agents are about the same. The refinement takes the
number in the system as normal with mean m and variance v (the closure of Massey & Pender 2013); with
d = (m - n) / sqrt(v), Q = E(N - n)+ = sqrt(v) (phi(d) + d Phi(d)), which is the mean queue,

    dm/dt = lambda - mu (m - Q) - theta Q
    dv/dt = lambda + mu (m - Q) + theta Q - 2 v (mu (1 - Phi(d)) + theta Phi(d))

Waits are means, over the normal distribution, of the exact prospects by place in the queue (`course`). Errors against
the exact transient shrink with the agents: docs/staffing.md says where it holds.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from processors.staffing.logic.erlang.checks import Floats
from processors.staffing.logic.erlang.course import Course, Moved, Prospects, prospects, told
from processors.staffing.logic.erlang.steady import DEVIATIONS, SPARE_STATES, stationary

_FINENESS = 0.05
"""Of the shortest of handle time and patience: the step of Runge and Kutta's rule, whose error is its fourth power."""
_SPAN, _NODES = 8.0, 96
"""Of the mean over the normal distribution: standard deviations to either side, and Gauss-Legendre's nodes."""
_LEGENDRE = np.polynomial.legendre.leggauss(_NODES)
_SIMPSON = (1 / 6, 4 / 6, 1 / 6)
"""Weights of a step's beginning, middle and end."""


class _State(NamedTuple):
    mean: float
    variance: float


class _Rates(NamedTuple):
    arriving: float
    agents: int
    ending: float
    leaving: float


def fluid(course: Course, *, refined: bool = True) -> Moved:
    """Return what happens along a course; without `refined`, as the plain fluid has it.

    Raises ErlangInputError for arguments out of range, and where a steady state to start from does not exist.
    """
    rows = []
    for rates, states in _path(course, refined=refined):
        at = [_figures(course, rates, state) for state in states]
        row = {name: sum(w * each[name] for w, each in zip(_SIMPSON, at, strict=True)) for name in at[0]}
        answered = 1.0 - row["abandonment"]
        asa = row.pop("answered_wait") / answered if answered > 0 else math.inf
        rows.append({**row, "asa_seconds": asa, "waiting_at_end": at[-1]["waiting"]})
    return told(rows)


def highest(course: Course) -> int:
    """Return a number of contacts in the system that the course does not pass, but with a probability of 1e-30."""
    first = course.steps()[0]
    start = course.in_system if course.in_system is not None else stationary(course, *first).size
    states = [state for _, states in _path(course, refined=True) for state in states]
    most = max(state.mean + DEVIATIONS * math.sqrt(state.variance) for state in states)
    return math.ceil(max(start, most)) + SPARE_STATES


def _path(course: Course, *, refined: bool) -> Iterator[tuple[_Rates, tuple[_State, _State, _State]]]:
    """Yield of each step its rates, and the states at its beginning, middle and end."""
    steps = course.steps()
    state = _start(course, *steps[0], refined=refined)
    half = course.step_seconds / 2.0
    count = max(2, math.ceil(half / (_FINENESS * min(course.aht_seconds, course.patience_seconds))))
    for arriving, agents in steps:
        rates = _Rates(arriving, agents, course.service_rate, course.leaving_rate)
        middle = _advanced(state, rates, half, count, refined=refined)
        end = _advanced(middle, rates, half, count, refined=refined)
        yield rates, (state, middle, end)
        state = end


def _start(course: Course, rate: float, agents: int, *, refined: bool) -> _State:
    if course.in_system is not None:
        return _State(float(course.in_system), 0.0)
    share = stationary(course, rate, agents)
    number = np.arange(share.size)
    mean = float(share @ number)
    return _State(mean, float(share @ (number - mean) ** 2) if refined else 0.0)


def _advanced(state: _State, rates: _Rates, seconds: float, count: int, *, refined: bool) -> _State:
    """Follow the equations for some seconds by Runge and Kutta's rule of fourth order."""
    m, v = state
    h = seconds / count
    for _ in range(count):
        m1, v1 = _slope(m, v, rates)
        m2, v2 = _slope(m + h / 2 * m1, v + h / 2 * v1, rates)
        m3, v3 = _slope(m + h / 2 * m2, v + h / 2 * v2, rates)
        m4, v4 = _slope(m + h * m3, v + h * v3, rates)
        m = max(m + h / 6 * (m1 + 2 * m2 + 2 * m3 + m4), 0.0)
        v = max(v + h / 6 * (v1 + 2 * v2 + 2 * v3 + v4), 0.0) if refined else 0.0
    return _State(m, v)


def _slope(m: float, v: float, rates: _Rates) -> tuple[float, float]:
    queue, waits = _queue(m, v, rates.agents)
    out = rates.ending * (m - queue) + rates.leaving * queue
    pull = rates.ending * (1.0 - waits) + rates.leaving * waits
    return rates.arriving - out, rates.arriving + out - 2.0 * v * pull


def _queue(m: float, v: float, agents: int) -> tuple[float, float]:
    """Return the mean queue, and the probability that there is one."""
    if v <= 0:
        return max(m - agents, 0.0), float(m > agents)
    sd = math.sqrt(v)
    d = (m - agents) / sd
    below = 0.5 * math.erfc(-d / math.sqrt(2.0))
    return sd * (math.exp(-d * d / 2.0) / math.sqrt(2.0 * math.pi) + d * below), below


def _figures(course: Course, rates: _Rates, state: _State) -> dict[str, float]:
    queue, _ = _queue(state.mean, state.variance, rates.agents)
    places, weights = _places(state, rates.agents)
    what: Prospects = prospects(course, rates.agents, places)
    waits = float(weights.sum())
    return {
        "waiting": queue,
        "busy": state.mean - queue,
        "wait_probability": waits,
        "service_level": 1.0 - waits + float(weights @ what.in_time),
        "answered_wait": float(weights @ what.answered_wait),
        "wait_seconds": float(weights @ what.wait),
        "abandonment": max(waits - float(weights @ what.answered), 0.0),
    }


def _places(state: _State, agents: int) -> tuple[Floats, Floats]:
    """Return places in the queue at which a contact may come, and their probabilities.

    A whole number k stands for k - 1/2 to k + 1/2 of the normal distribution.
    """
    sd = math.sqrt(state.variance)
    if sd == 0:
        is_full = state.mean >= agents
        return (np.array([state.mean - agents]), np.ones(1)) if is_full else (np.zeros(0), np.zeros(0))
    first = max((agents - 0.5 - state.mean) / sd, -_SPAN)
    if first >= _SPAN:
        return np.zeros(0), np.zeros(0)
    nodes, weights = _LEGENDRE
    z = first + (_SPAN - first) * (nodes + 1.0) / 2.0
    density = weights * np.exp(-z * z / 2.0)
    return state.mean + sd * z - agents, density / density.sum() * float(ndtr(-first))
