"""Searches over many problems at once: the least whole number, and the largest rate, at which something holds."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from processors.staffing.logic.erlang.checks import MAX_AGENTS, ErlangInputError, Floats, Mask, Whole

_WAYS = 256
"""Parts into which an interval is cut in one call, for a call costs more than the hundreds of numbers in it."""
_WIDTH = 1e-12
"""Relative width at which a rate is found: far under the slack in whole numbers of agents."""


def least(is_met: Callable[[Whole, Whole], Mask], low: Whole) -> Whole:
    """Return for each problem the least number from `low` on that meets it.

    is_met: of candidate numbers, and the places (in `low`, flattened) of the problems that they are for; what one
    number meets, every larger one must meet as well. Strides grow from low's square root, for that is how far
    targets lie from traffic (Halfin & Whitt 1981); the last one is bisected. Raises ErlangInputError where
    MAX_AGENTS would not do.
    """
    if np.any(low > MAX_AGENTS):
        raise _too_many()
    found = np.array(low, dtype=np.int64).reshape(-1)
    places = np.arange(found.size)
    places = places[~is_met(found, places)]
    below, stride = found[places], np.maximum(np.sqrt(found[places]).astype(np.int64) // 2, 1)
    above = below + stride
    open_ = np.arange(places.size)
    while open_.size:
        if np.any(below[open_] >= MAX_AGENTS):
            raise _too_many()
        open_ = open_[~is_met(above[open_], places[open_])]
        below[open_] = above[open_]
        stride[open_] *= 2
        above[open_] = np.minimum(below[open_] + stride[open_], MAX_AGENTS)
    found[places] = _bisected(is_met, places, below, above)
    return found.reshape(np.shape(low))


def _too_many() -> ErlangInputError:
    return ErlangInputError(f"more than {MAX_AGENTS} agents would be needed: check the units, or ask for less")


def _bisected(is_met: Callable[[Whole, Whole], Mask], places: Whole, below: Whole, above: Whole) -> Whole:
    """Return the least numbers that are met, between those that are not and those that are."""
    while (open_ := np.flatnonzero(above - below > 1)).size:
        middle = (below[open_] + above[open_]) // 2
        met = is_met(middle, places[open_])
        above[open_] = np.where(met, middle, above[open_])
        below[open_] = np.where(met, below[open_], middle)
    return above


def largest(is_met: Callable[[Floats], Mask], most: Floats) -> Floats:
    """Return for each problem the largest number from 0 to `most` up to which `is_met` holds.

    is_met: of candidates with one more, last dimension. The interval is cut again and again, first ever finer towards
    `most`, where the answer is for large teams.
    """
    low, high = np.zeros_like(most), most
    cuts = np.concatenate((1.0 - np.logspace(0.0, np.log10(_WIDTH), _WAYS), [1.0]))
    while np.any(high - low > _WIDTH * high):
        tried = np.where(cuts < 1.0, low[..., None] + (high - low)[..., None] * cuts, high[..., None])
        met = is_met(tried)
        met[..., 0] = True  # of the lowest it is known
        last = np.sum(np.logical_and.accumulate(met, axis=-1), axis=-1) - 1
        found = np.take_along_axis(tried, np.stack((last, np.minimum(last + 1, _WAYS)), axis=-1), axis=-1)
        if np.array_equal(found[..., 0], low) and np.array_equal(found[..., 1], high):
            break  # neighbours in floating point
        low, high = found[..., 0], found[..., 1]
        cuts = np.arange(_WAYS + 1) / _WAYS
    return low
