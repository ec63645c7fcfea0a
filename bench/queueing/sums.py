"""Erlang C and A by their definition: sums over the states of the queue, in 40 digits (mpmath).

Nothing is shared with the formulas that are measured: no incomplete gamma function, no continued fraction, no
quadrature. Below n agents the weights of the states are multiplied out; above, a contact that finds j others waiting
is answered within t with the probability of a beta variable, added up term by term.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import mpmath

_DIGITS = 40
_SMALL = mpmath.mpf(10) ** -36


class Truth(NamedTuple):
    """As `Service` has it; the wait in handle times."""

    wait_probability: float
    service_level: float
    asa: float
    occupancy: float
    abandonment: float


def true_service(traffic: float, agents: int, patience: float, within: float) -> Truth:
    """Return what contacts get; patience (infinite: Erlang C) and within in handle times, agents 1 or more."""
    with mpmath.workdps(_DIGITS):
        a, t = mpmath.mpf(traffic), mpmath.mpf(within)
        below = _below(a, agents)
        if math.isinf(patience):
            c = agents / (agents - a) / (agents / (agents - a) + below)
            level = 1 - c * mpmath.exp(-(agents - a) * t)
            return Truth(float(c), float(level), float(c / (agents - a)), traffic / agents, 0.0)
        return _abandoning(a, agents, mpmath.mpf(patience), t, below)


def _below(a: Any, agents: int) -> Any:
    """Return the weight of the states with an agent free, over that of the state with none free and none waiting."""
    weight, total = mpmath.mpf(1), mpmath.mpf(0)
    for busy in range(agents, 0, -1):
        weight = weight * busy / a
        total += weight
        if busy < a and weight < total * _SMALL:
            break
    return total


def _abandoning(a: Any, agents: int, patience: Any, t: Any, below: Any) -> Truth:
    x, kept = agents * patience, mpmath.exp(-t / patience)
    weight, all_, waiting = mpmath.mpf(1), mpmath.mpf(0), mpmath.mpf(0)
    in_time, waited, stages = mpmath.mpf(0), mpmath.mpf(0), mpmath.mpf(0)
    late = term = kept ** (x + 1)  # I_u(x + 1, j + 1), and what it grows by with j
    j = 0
    while True:
        answered = x / (x + j + 1)
        stages += 1 / (x + j + 1)
        all_ += weight
        waiting += j * weight
        in_time += weight * answered * (1 - late)
        waited += weight * answered * stages * patience
        j += 1
        term = term * (1 - kept) * (x + j) / j
        late += term
        weight = weight * a / (agents + j / patience)
        if j > a * patience - x and weight < all_ * _SMALL:
            break
    left = waiting / patience / (below + all_) / a
    return Truth(
        float(all_ / (below + all_)),
        float((below + in_time) / (below + all_)),
        float(waited / (below + all_) / (1 - left)),
        float(a * (1 - left) / agents),
        float(left),
    )
