"""The transient of M(t)/M/n(t)+M, exactly: the distribution of contacts in the system, followed through time.

Within a step the rates stand still, and Kolmogorov's equations of the birth-death process are solved by
uniformisation (Jensen 1953): with Lambda the largest rate of leaving a state, the process jumps as a Poisson process
of rate Lambda and moves by a matrix P, so that

    p(t) = sum over k of Poisson(k; Lambda t) p(0) P^k
    mean of p over the step = sum over k of P(Poisson(Lambda t) > k) / (Lambda t) p(0) P^k

All terms are positive, and what is cut off is known: _CUT of the Poisson weights, and states beyond 12 standard
deviations of the refined fluid's course. A step costs Lambda t times the states: 300 agents over three hours take
half a second, and the cost grows with the square of the agents.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.special import pdtr, pdtrc

from processors.staffing.logic.erlang.checks import ErlangInputError, Floats
from processors.staffing.logic.erlang.course import Course, Moved, prospects, told
from processors.staffing.logic.erlang.fluid import highest
from processors.staffing.logic.erlang.steady import stationary

MAX_STATES = 20_000
"""A guard on time: minutes for an hour of so many."""
_CUT = 1e-12


def transient(course: Course) -> Moved:
    """Return what happens along a course, exactly but for 1e-10 or so.

    Raises ErlangInputError for arguments out of range, where a steady state to start from does not exist, and where
    more than MAX_STATES contacts at once would have to be followed: `fluid` has no such bound.
    """
    steps = course.steps()
    size = highest(course) + 1
    if size > MAX_STATES:
        raise ErlangInputError(
            f"the course leads to {size} contacts at once, more than {MAX_STATES}: use the fluid model"
        )
    share = np.zeros(size)
    if course.in_system is None:
        found = stationary(course, *steps[0])
        share[: found.size] = found
    else:
        share[course.in_system] = 1.0
    rows = []
    for rate, agents in steps:
        share, mean = _advanced(share, course, rate, agents)
        rows.append(_figures(course, agents, share, mean))
    return told(rows)


def _advanced(share: Floats, course: Course, rate: float, agents: int) -> tuple[Floats, Floats]:
    """Return the distribution at the end of a step, and its mean over the step."""
    states = np.arange(share.size)
    busy = np.minimum(states, agents)
    ending = busy * course.service_rate + (states - busy) * course.leaving_rate
    fastest = rate + float(ending.max())
    if fastest == 0:
        return share, share
    jumps = fastest * course.step_seconds
    up, down = rate / fastest, ending[1:] / fastest
    last = math.ceil(jumps + 8.0 * math.sqrt(jumps) + 20.0)
    counts = np.arange(last + 1)
    beyond = pdtrc(counts, jumps)
    at = np.diff(pdtr(counts, jumps), prepend=0.0)
    at, beyond = at / at.sum(), beyond / beyond.sum()
    end, mean = np.zeros_like(share), np.zeros_like(share)
    for weight, later in zip(at, beyond, strict=True):
        if weight > _CUT / last:
            end += weight * share
        mean += later * share
        flow = up * share[:-1] - down * share[1:]
        share = share.copy()
        share[:-1] -= flow
        share[1:] += flow
    return end / end.sum(), mean / mean.sum()


def _figures(course: Course, agents: int, end: Floats, mean: Floats) -> dict[str, float]:
    ahead = np.maximum(np.arange(mean.size) - agents, 0)
    queued = mean[agents:]
    what = prospects(course, agents, np.arange(queued.size, dtype=np.float64))
    at_once = float(mean[:agents].sum())
    answered = at_once + float(queued @ what.answered)
    return {
        "waiting": float(mean @ ahead),
        "waiting_at_end": float(end @ ahead),
        "busy": float(mean @ np.minimum(np.arange(mean.size), agents)),
        "wait_probability": 1.0 - at_once,
        "service_level": at_once + float(queued @ what.in_time),
        "asa_seconds": float(queued @ what.answered_wait) / answered if answered > 0 else math.inf,
        "wait_seconds": float(queued @ what.wait),
        "abandonment": max(1.0 - answered, 0.0),
    }
