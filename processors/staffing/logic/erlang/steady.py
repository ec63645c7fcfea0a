"""The steady state of M/M/n+M as a distribution: where courses start."""

from __future__ import annotations

import math

import numpy as np

from processors.staffing.logic.erlang.checks import ErlangInputError, Floats
from processors.staffing.logic.erlang.course import Course

DEVIATIONS = 12.0
"""Standard deviations of a Poisson or normal number beyond which nothing counts: 1e-32."""
SPARE_STATES = 50
_TINY = 1e-16


def stationary(course: Course, rate: float, agents: int) -> Floats:
    """Return the shares of time with 0, 1, ... contacts in the system, for `rate` contacts a second.

    Raises ErlangInputError where the queue would grow without end.
    """
    if rate == 0:
        return np.ones(1)
    states = np.arange(1, _states(course, rate, agents) + 1)
    busy = np.minimum(states, agents)
    logs = np.cumsum(math.log(rate) - np.log(busy * course.service_rate + (states - busy) * course.leaving_rate))
    weights = np.exp(np.concatenate(([0.0], logs)) - max(0.0, float(logs.max())))
    share: Floats = weights / weights.sum()
    return share


def _states(course: Course, rate: float, agents: int) -> int:
    """Return the most contacts that count: the balance of rates, and its tail."""
    traffic, leaving = rate * course.aht_seconds, course.leaving_rate
    if leaving == 0:
        if traffic >= agents:
            raise ErlangInputError(
                f"{traffic:g} Erlangs on {agents} agents have no steady state without end of patience: "
                "give in_system, the contacts that are there at the beginning"
            )
        tail = math.log(_TINY) / math.log(traffic / agents)
        return math.ceil(agents + tail) + SPARE_STATES
    balance = traffic if traffic < agents else agents + (rate - agents * course.service_rate) / leaving
    return math.ceil(max(balance, agents) + DEVIATIONS * math.sqrt(max(traffic, rate / leaving))) + SPARE_STATES
