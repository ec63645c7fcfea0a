"""How likely AI is to resolve a contact, by the confidence of its intent: a monotone curve for each cell. Pure.

The curve is that of beta calibration (Kull, Silva Filho, Flach 2017): the log odds that AI resolves are
a ln p - b ln(1 - p) + c with a, b >= 0. What is calibrated has a = b = 1, c = 0; scores that are too sure or not sure
enough, and those that are so on one side only, have others. It has no steps and goes to 0 and 1 at its ends, so there
are ramps besides: each rises between two confidences by d >= 0 log odds. A cell borrows from the one above it: its
parameters have a normal prior around its parent's, as wide as the cells of its level are seen to differ.
"""

from __future__ import annotations

import dataclasses
import itertools
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import expit, log_expit, logit

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

LEAST = 1e-4
"""Confidences are clipped to this and to 1 less this: a classifier that says 1 is not certain to be right."""
GRID: Floats = np.linspace(logit(LEAST), -logit(LEAST), 501)
"""Log odds of confidence, 0.037 apart: 0.009 of confidence in the middle, less to the sides. Outcomes are counted by
it, so a fit takes as long for 10,000,000 of them as for 1,000."""
CONFIDENCES: Floats = expit(GRID)
_KNOTS: Floats = np.arange(-1.0, 3.75, 0.75)
"""Log odds where ramps begin and end: confidences 0.27, 0.44, 0.62, 0.78, 0.88, 0.94 and 0.97. On a simulated centre of
54 cells (`tests/thresholds_truth.py`), some with steps, thresholds then cost 0.12 % more than the best; without ramps
0.30 %, and 1.3 % where the step was."""
_RAW: Floats = np.stack(
    [
        np.log(CONFIDENCES),
        -np.log1p(-CONFIDENCES),
        *(np.clip((GRID - low) / (high - low), 0.0, 1.0) for low, high in itertools.pairwise(_KNOTS)),
        np.ones_like(GRID),
    ],
    axis=1,
)
"""float64[grid, m]: what a, b, each d and c are times of."""
_BOUNDED: Bools = np.arange(_RAW.shape[1]) < _RAW.shape[1] - 1
_CALIBRATED: Floats = (np.arange(_RAW.shape[1]) < 2).astype(np.float64)  # noqa: PLR2004 - a and b
_ROOT_SPREAD = 3.0
"""Of the prior of the tenant as a whole, in log odds per standard deviation of a feature: 20-fold odds are likely."""
_LEVEL_SPREADS = (0.1, 0.25, 0.5, 1.0, 2.0)
_SLOPE_SPREADS = (0.05, 0.15, 0.4, 1.0)
"""Tried for each level of cells: how far a cell's height and slopes lie from its parent's, in the same unit."""
_MEAN_DRAWS = 64
_MOST_STEPS, _MOST_HALVINGS, _STILL = 60, 30, 1e-7
_ENOUGH_DESCENT = 1e-4
"""Armijo's share of the descent that a step promises."""


class Counts(NamedTuple):
    """Outcomes of some cells by confidence: float64[cells, grid] each, contacts and those that AI resolved."""

    contacts: Floats
    resolved: Floats


class Scale(NamedTuple):
    """Mean and standard deviation of the features over a tenant's contacts, float64[m] each; 0 and 1 for c."""

    mean: Floats
    deviation: Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Curves:
    """The fitted curves of some cells.

    parameters: float64[cells, m], of standardised features; covariance: float64[cells, m, m], of Laplace's
    approximation, with that of the parents, 0 where a slope is held at its bound; design: float64[grid, m].
    """

    parameters: Floats
    covariance: Floats
    design: Floats

    def mean(self) -> Floats:
        """Return the posterior mean of P(resolved) on the grid, float64[cells, grid], which never falls.

        Expected costs are linear in P(resolved), so the mean is what a decision needs. It is that of some draws, each
        of which never falls, in opposite pairs, so that what is linear in the parameters has no error.
        """
        half = np.random.default_rng(0).standard_normal((_MEAN_DRAWS // 2, self.parameters.shape[1]))
        normals = np.concatenate([half, -half])
        means = [self._drawn(cell, normals).mean(axis=0) for cell in range(len(self.parameters))]
        return np.maximum.accumulate(np.array(means), axis=1)  # but for the last bit of a sum it does so already

    def draws(self, cell: int, count: int, seed: int = 0) -> Floats:
        """Return float64[count, grid]: curves that one cell may have, drawn from its posterior; none falls."""
        return self._drawn(cell, np.random.default_rng(seed).standard_normal((count, self.parameters.shape[1])))

    def _drawn(self, cell: int, normals: Floats) -> Floats:
        values, vectors = np.linalg.eigh(self.covariance[cell])
        drawn = self.parameters[cell] + normals @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
        drawn = np.where(_BOUNDED, np.maximum(drawn, 0.0), drawn)
        made: Floats = expit(drawn @ self.design.T)
        return made


def count(confidence: Floats, resolved: Bools, cell: Ints, cells: int) -> Counts:
    """Count outcomes by cell and place on the grid; float64[n], bool[n], int64[n], -1 for those of no cell."""
    nearest = np.rint((log_odds(confidence) - GRID[0]) / (GRID[1] - GRID[0])).astype(np.int64)
    place = cell * GRID.size + nearest
    known = cell >= 0

    def counted(which: Bools) -> Floats:
        found: Floats = np.bincount(place[which], minlength=cells * GRID.size).reshape(cells, GRID.size).astype(float)
        return found

    return Counts(counted(known), counted(known & resolved))


def log_odds(confidence: Floats) -> Floats:
    """Return the log odds of confidences, clipped."""
    found: Floats = logit(np.clip(confidence, LEAST, 1.0 - LEAST))
    return found


def scale_of(counts: Counts) -> Scale:
    """Return the scale of the features over all contacts; raises ValueError where there are none."""
    weights = counts.contacts.sum(axis=0)
    if weights.sum() <= 0.0:
        raise ValueError("there are no outcomes to fit")
    mean = np.average(_RAW, axis=0, weights=weights)
    deviation = np.sqrt(np.average((_RAW - mean) ** 2, axis=0, weights=weights))
    mean[-1], deviation[-1] = 0.0, 1.0
    return Scale(mean, np.where(deviation > 1e-6, deviation, 1.0))  # noqa: PLR2004 - one confidence only: no slope


def fit_root(counts: Counts, scale: Scale) -> Curves:
    """Fit one curve to the outcomes of a tenant, with a weak prior around calibrated confidences."""
    centre = _CALIBRATED * scale.deviation
    centre[-1] = _CALIBRATED @ scale.mean + _CALIBRATED[-1]
    precision = np.full(centre.size, _ROOT_SPREAD**-2)
    fitted = _fitted(_design(scale), counts, centre[np.newaxis], precision, centre[np.newaxis])
    return Curves(fitted.parameters, _covariance(fitted), _design(scale))


def fit_level(counts: Counts, above: Curves, parents: Ints, scale: Scale) -> Curves:
    """Fit the cells of a level, each with a prior around the parameters of its parent, int64[cells] of those above.

    How wide the prior is, is chosen for the level as a whole: by the highest marginal likelihood of its outcomes, in
    Laplace's approximation (empirical Bayes).
    """
    design = _design(scale)
    best: tuple[_Fitted, Floats] | None = None
    start = above.parameters[parents]
    for level, slope in itertools.product(_LEVEL_SPREADS, _SLOPE_SPREADS):
        precision = np.where(_BOUNDED, slope, level) ** -2.0
        found = _fitted(design, counts, above.parameters[parents], precision, start)
        start = found.parameters
        if best is None or found.evidence > best[0].evidence:
            best = found, precision
    assert best is not None  # noqa: S101 - there are spreads to try
    fitted, precision = best
    covariance = _covariance(fitted)
    # A parent that were elsewhere would draw its child along: by the share that the prior has in what is known of it.
    drawn = covariance * precision
    covariance += drawn @ above.covariance[parents] @ drawn.transpose(0, 2, 1)
    return Curves(fitted.parameters, covariance, design)


class _Fitted(NamedTuple):
    """Most likely parameters, the Hessian there (1 on the diagonal where a slope is held at 0), log evidence of all."""

    parameters: Floats
    hessian: Floats
    held: Bools
    evidence: float


def _design(scale: Scale) -> Floats:
    return (_RAW - scale.mean) / scale.deviation


def _covariance(fitted: _Fitted) -> Floats:
    free = ~fitted.held
    inverse: Floats = np.linalg.inv(fitted.hessian).astype(np.float64)
    return inverse * (free[:, :, np.newaxis] & free[:, np.newaxis, :])


def _loss(design: Floats, counts: Counts, centre: Floats, precision: Floats, at: Floats) -> Floats:
    """Return the negative log posterior of each cell, without its constant: float64[cells]."""
    odds = at @ design.T
    fits = counts.resolved * odds + counts.contacts * log_expit(-odds)
    loss: Floats = ((at - centre) ** 2 @ precision) / 2.0 - fits.sum(axis=1)
    return loss


def _fitted(design: Floats, counts: Counts, centre: Floats, precision: Floats, start: Floats) -> _Fitted:
    """Find the most likely parameters of all cells at once, by projected Newton steps (Bertsekas 1982)."""
    at = np.where(_BOUNDED, np.maximum(start, 0.0), start)
    moving = np.arange(len(at))
    for _ in range(_MOST_STEPS):
        some = Counts(counts.contacts[moving], counts.resolved[moving])
        gradient, hessian, held = _slopes(design, some, centre[moving], precision, at[moving])
        free = np.where(held, 0.0, gradient)
        step: Floats = -np.linalg.solve(hessian, free[:, :, np.newaxis])[:, :, 0].astype(np.float64)
        reached = _descended(design, some, centre[moving], precision, at[moving], gradient, step)
        moved = np.abs(reached - at[moving]).max(axis=1)
        at[moving] = reached
        moving = moving[moved > _STILL]
        if not moving.size:
            break
    _gradient, hessian, held = _slopes(design, counts, centre, precision, at)
    _sign, log_determinant = np.linalg.slogdet(hessian)
    prior = (~held * np.log(precision)).sum(axis=1)
    evidence = (prior - log_determinant) / 2.0 - _loss(design, counts, centre, precision, at)
    return _Fitted(at, hessian, held, float(evidence.sum()))


def _slopes(
    design: Floats, counts: Counts, centre: Floats, precision: Floats, at: Floats
) -> tuple[Floats, Floats, Bools]:
    """Return gradient, Hessian and which parameters are held at their bound."""
    size = precision.size
    chance = expit(at @ design.T)
    gradient = (counts.contacts * chance - counts.resolved) @ design + (at - centre) * precision
    products = (design[:, :, np.newaxis] * design[:, np.newaxis, :]).reshape(-1, size * size)
    hessian = ((counts.contacts * chance * (1.0 - chance)) @ products).reshape(-1, size, size) + np.diag(precision)
    held = _BOUNDED & (at <= 0.0) & (gradient > 0.0)
    free = ~held
    hessian = hessian * (free[:, :, np.newaxis] & free[:, np.newaxis, :])
    return gradient, hessian + held[:, :, np.newaxis] * np.eye(size), held


def _descended(
    design: Floats, counts: Counts, centre: Floats, precision: Floats, at: Floats, gradient: Floats, step: Floats
) -> Floats:
    """Return where each cell goes along its step, halved until the loss falls enough; bounds are kept."""
    before = _loss(design, counts, centre, precision, at)
    reached, length = at.copy(), np.ones(len(at))
    waiting = np.arange(len(at))
    for _ in range(_MOST_HALVINGS):
        tried = at[waiting] + length[waiting, np.newaxis] * step[waiting]
        tried = np.where(_BOUNDED, np.maximum(tried, 0.0), tried)
        some = Counts(counts.contacts[waiting], counts.resolved[waiting])
        after = _loss(design, some, centre[waiting], precision, tried)
        promised = ((tried - at[waiting]) * gradient[waiting]).sum(axis=1)
        good = after <= before[waiting] + _ENOUGH_DESCENT * promised
        reached[waiting[good]] = tried[good]
        waiting = waiting[~good]
        length[waiting] /= 2.0
        if not waiting.size:
            break
    return reached
