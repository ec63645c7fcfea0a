"""Erlang A: contacts wait in turn and leave when their patience ends (Palm 1957; M/M/n+M), overload included.

With n agents, traffic a, rho = a / n, and a mean patience (exponential) of p handle times, let x = n p, y = a p, and
A(x, y), B as in `tails`. V is the wait that a contact with endless patience would have. Then (Garnett, Mandelbaum &
Reiman 2002; the integrals of Baccelli & Hebuterne 1981 as in Zeltyn & Mandelbaum 2005, which for exponential
patience are incomplete gamma functions)

    P(V > 0)             = w = A / (1/B - 1 + A)
    P(V > t | V > 0)     = r = P(x, y_t) / P(x, y),  y_t = y exp(-t / p)
    P(abandon | V > 0)   = 1 - 1/rho + 1/(rho A)
    P(V <= t and served) = 1 - w + w/rho (1 - r + s - 1/A),  s = p(x; y_t) / P(x, y)

The last is the service level: answered within t, of all that were offered. The mean wait of all is the abandonment
times the mean patience; that of the answered (`answered_wait`) is an integral over the density of V.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from scipy.special import gammainc

from processors.staffing.logic.erlang.checks import Floats
from processors.staffing.logic.erlang.tails import (
    is_light,
    log_density,
    log_queue_sum,
    queue_sum,
)

_PANELS, _NODES = 16, 10
"""Of the quadrature: panels grow from the scale of the peak to where nothing is left; 1e-12 in tests."""
_LEGENDRE = np.polynomial.legendre.leggauss(_NODES)
_NOTHING = 45.0
"""A density exp(-45) of its peak's adds under 1e-17."""


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """What one solution of the model is made of; arrays of one shape, traffic and agents above 0, times in AHT.

    `waits` is P(V > 0), `log_sum` log A, `leaves` P(abandon | V > 0).
    """

    rho: Floats
    x: Floats
    y: Floats
    log_sum: Floats
    waits: Floats
    leaves: Floats

    @property
    def abandonment(self) -> Floats:
        """Share of all contacts that leave unanswered."""
        return self.waits * self.leaves

    @property
    def occupancy(self) -> Floats:
        """Share of the agents' time that contacts take."""
        return np.minimum(self.rho * (1.0 - self.abandonment), 1.0)


def line_of(traffic: Floats, agents: Floats, patience: Floats, log_inverse: Floats) -> Line:
    """Solve for checked arrays: traffic in Erlangs and agents above 0, patience in handle times above 0, finite.

    log_inverse: log(1 / B), or what stands for it where handle times depend on how many contacts there are (`chat`).
    """
    rho, x, y = traffic / agents, agents * patience, traffic * patience
    log_sum, leaves = queue_sum(x, y)
    # (1/B - 1) / A: beyond the largest number nobody waits.
    with np.errstate(over="ignore"):
        idle = np.exp(log_inverse - log_sum) - np.exp(-log_sum)
    return Line(rho, x, y, log_sum, 1.0 / (1.0 + np.maximum(idle, 0.0)), leaves)


def answered_within(line: Line, patiences: Floats) -> Floats:
    """Return the share of all contacts that is answered within so many mean patiences."""
    y_then = line.y * np.exp(-patiences)
    later, edge = np.empty_like(y_then), np.empty_like(y_then)
    light = is_light(line.x, line.y)
    x, y, then, sum_ = line.x[light], line.y[light], y_then[light], line.log_sum[light]
    drift = y * -np.expm1(-patiences[light]) - x * patiences[light]  # log p(x; y) - log p(x; y_then)
    later[light], edge[light] = np.exp(drift + log_queue_sum(x, then) - sum_), np.exp(drift - sum_)
    x, y, then = line.x[~light], line.y[~light], y_then[~light]
    tail = gammainc(x, y)
    later[~light], edge[~light] = gammainc(x, then) / tail, np.exp(log_density(x, then)) / tail
    served = (1.0 - line.waits) + line.waits / line.rho * (1.0 - later + edge - np.exp(-line.log_sum))
    return np.clip(served, 0.0, 1.0)


def answered_wait(line: Line) -> Floats:
    """Return the average wait of the contacts that are answered, in mean patiences.

    The density of V / patience = v is proportional to exp(y (1 - exp(-v)) - x v) above 0. It has one peak, at
    log(y / x) or 0, and its logarithm is concave: from the peak on, panels that grow geometrically follow it.
    """
    peak = np.log(np.maximum(line.y / line.x, 1.0))
    slope, bend = np.maximum(line.x - line.y, 0.0), np.minimum(line.x, line.y)
    with np.errstate(divide="ignore", over="ignore"):
        scale = np.minimum(np.minimum(1.0 / slope, 1.0 / bend + np.sqrt(2.0 / bend)), 1.0)
        reach = np.minimum(_NOTHING / slope, _NOTHING / bend + np.sqrt(2.0 * _NOTHING / bend))
        back = np.minimum(np.sqrt(2.0 * _NOTHING / bend), peak)
    after, after_weights = _panels(scale, np.maximum(reach, scale))
    before, before_weights = _panels(np.minimum(scale, peak), back)
    way = np.concatenate((-before, after), axis=-1)
    weights = np.concatenate((before_weights, after_weights), axis=-1)
    fallen = slope[..., None] * way + bend[..., None] * (np.expm1(-way) + way)
    density = weights * np.exp(-fallen)
    v = np.maximum(peak[..., None] + way, 0.0)
    waited = np.sum(density * v * np.exp(-v), axis=-1) / np.sum(density, axis=-1)
    asa: Floats = line.waits * waited / np.maximum(1.0 - line.abandonment, np.finfo(np.float64).tiny)
    return asa


def _panels(first: Floats, last: Floats) -> tuple[Floats, Floats]:
    """Return places and weights of Gauss-Legendre on panels that end at `first`, ..., `last`, in a last dimension."""
    nodes, weights = _LEGENDRE
    with np.errstate(divide="ignore", invalid="ignore"):
        growth = np.where(first > 0, (last / first) ** (1.0 / (_PANELS - 1)), 1.0)
    ends = np.concatenate(
        (np.zeros_like(first)[..., None], first[..., None] * growth[..., None] ** np.arange(_PANELS)), -1
    )
    half = np.diff(ends, axis=-1)[..., None] / 2.0
    places = ends[..., :-1, None] + half * (1.0 + nodes)
    shape = (*first.shape, _PANELS * _NODES)
    return places.reshape(shape), (half * weights).reshape(shape)
