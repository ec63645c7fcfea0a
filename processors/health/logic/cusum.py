"""A test of drift for yes-or-no observations: the cumulative sum of Page (Biometrika 1954), on a lattice.

Each observation is for or against the agent. The score grows by the log likelihood ratio of "the share against it
is `bad`" to "it is `good`", and never falls below 0, so what was long ago does not count. It alarms at a limit. How
often it alarms of an agent that only just keeps its share of `good` is a choice, `false_alarm_observations`, from
which the limit follows: the chain of scores is a Markov chain, and the mean time until it passes a limit is solved for
exactly (Brook and Evans, Biometrika 1972). Scores are whole numbers: the ratio of the two steps is rounded, the limit
is for the rounded one, and no sum drifts.
"""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
from scipy.linalg import solve_banded

FINENESS = 4
"""Steps by which a good observation lowers the score. Of 4, the bad one's share of them is rounded to 4 % at worst
where an agent is thought 1.5 times as bad, and to 1 % in the usual case of 5 to 10 times."""
_COARSE_FROM = 50
"""From so many times a good observation's weight on, whole steps round a bad one's to 1 %."""
_MOST_UP = 1_000
_MOST_LIMIT = 20_000
"""Above these the chain takes seconds to solve: shares so small, or so close, cannot be told apart in useful time."""


@dataclasses.dataclass(frozen=True, slots=True)
class DriftTest:
    """A test of whether the share of bad observations has risen from `good` to `bad`.

    Attributes:
        good: share against an agent that just keeps its target.
        bad: share at which it is to be noticed soonest.
        false_alarm_observations: mean observations until it alarms of an agent at `good`; below it, far more.
        up: by how much an observation against the agent raises the score.
        down: by how much one for it lowers it.
        limit: the score at which it alarms.
    """

    good: float
    bad: float
    false_alarm_observations: float
    up: int
    down: int
    limit: int

    def scored(self, score: int, *, against: bool) -> int:
        """Return the score after one more observation; it stays at the limit, or recovery would take too long."""
        return min(self.limit, score + self.up) if against else max(0, score - self.down)


@functools.lru_cache(maxsize=512)
def drift_test(good: float, bad: float, false_alarm_observations: float) -> DriftTest:
    """Return the test for these shares, 0 < good < bad < 1, with the limit that its false alarms allow.

    Raises:
        ValueError: the shares are not in order, too close to be told apart, or too small.
    """
    if not 0.0 < good < bad < 1.0:
        raise ValueError(f"a test from {good} to {bad}: shares must be above 0, below 1 and in this order")
    up_log, down_log = math.log(bad / good), math.log((1.0 - good) / (1.0 - bad))
    down = FINENESS if up_log < _COARSE_FROM * down_log else 1
    up = max(1, round(up_log / down_log * down))
    low, high = 0, up
    while up > _MOST_UP or mean_run(good, up, down, high) < false_alarm_observations:
        low, high = high, high * 2
        if up > _MOST_UP or high > _MOST_LIMIT:
            raise ValueError(f"a test from {good} to {bad} needs too many observations: take shares further apart")
    while high - low > 1:
        middle = (low + high) // 2
        if mean_run(good, up, down, middle) >= false_alarm_observations:
            high = middle
        else:
            low = middle
    return DriftTest(good, bad, false_alarm_observations, up, down, high)


def mean_run(share: float, up: int, down: int, limit: int) -> float:
    """Return after how many observations, in the mean, a score that starts at 0 reaches `limit`.

    share: of observations against the agent. With Q the chance of going from one score below the limit to another, the
    means from all scores are the solution of (I - Q) m = 1. No step is longer than `up` or `down`, so the matrix is a
    band: entry (i, j) is at [above + i - j, j].
    """
    above = min(up, limit - 1)
    band = np.zeros((above + down + 1, limit))
    scores = np.arange(limit)
    band[above] = 1.0
    lower = np.maximum(scores - down, 0)
    band[above + scores - lower, lower] -= 1.0 - share
    if limit > up:
        band[0, up:] -= share
    return float(solve_banded((down, above), band, np.ones(limit))[0])
