"""What a contact costs by who has it, and from which confidence on AI costs least. Pure.

Of a contact that AI resolves with probability r: AI alone costs ai + (1 - r) wrong, AI with a person watching
ai + watching + (1 - r) escalation, people cost human. All three are straight lines in r, so the cheapest, as r rises,
is people, then AI watched, then AI alone; where lines cross are the thresholds.
"""

from __future__ import annotations

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from router.thresholds.curve import CONFIDENCES, Floats

WATCHED_AT_ONCE = 5
"""Sessions that one person watches: 3 to 8 are usual. Watching one costs this part of handling one."""


@dataclasses.dataclass(frozen=True, slots=True)
class Costs:
    """Cost per contact, each at least 0, in one currency.

    `wrong`: a wrong answer that AI alone gave; `human`: a contact that a person handles; `escalation`: one that AI
    began, watched, and a person had to finish; `watching`: a person's watching of it; `ai`: AI's own.
    """

    wrong: float
    human: float
    escalation: float
    watching: float
    ai: float = 0.0

    def alone(self, resolved: Floats) -> Floats:
        """Return the expected cost of AI alone, by P(resolved)."""
        return self.ai + (1.0 - resolved) * self.wrong

    def watched(self, resolved: Floats) -> Floats:
        """Return the expected cost of AI with a person watching, by P(resolved)."""
        return self.ai + self.watching + (1.0 - resolved) * self.escalation

    def expected(self, resolved: Floats, confidence: Floats, contained: Floats, assisted: Floats) -> Floats:
        """Return the expected cost of each contact under thresholds, float64[n] each, or one for all."""
        among = np.where(confidence >= assisted, self.watched(resolved), self.human)
        return np.where(confidence >= contained, self.alone(resolved), among)


class Pair(NamedTuple):
    """Least confidence for AI alone, and for AI with a person watching; assisted <= contained."""

    contained: float
    assisted: float


def default_watching(human: float) -> float:
    """Return what watching a contact costs where nobody says: a person watches several at once."""
    return human / WATCHED_AT_ONCE


def least_resolved(costs: Costs) -> Pair:
    """Return the least P(resolved) at which AI alone, and AI watched, cost least; may lie outside 0 to 1.

    Infinity is never, minus infinity always. Where watching never pays both are the same. On a tie people have the
    contact, then those whom a person watches.
    """
    alone_over_people = _crossing(costs.human - costs.ai, costs.wrong)
    watched_over_people = _crossing(costs.human - costs.ai - costs.watching, costs.escalation)
    alone_over_watched = _crossing(costs.watching, costs.wrong - costs.escalation)
    contained = max(alone_over_people, alone_over_watched)
    return Pair(contained, min(watched_over_people, contained))


def cheapest(curve: Floats, costs: Costs) -> Pair:
    """Return the thresholds of least expected cost on a curve that never falls, float64[grid].

    0 where AI costs least whatever the confidence, 1 where it never does: a confidence of exactly 1 is then still let
    through, for no threshold is higher.
    """
    contained, assisted = least_resolved(costs)
    return Pair(confidence_at(curve, contained), confidence_at(curve, assisted))


def confidence_at(curve: Floats, resolved: float) -> float:
    """Return the least confidence at which a curve, float64[grid], reaches a P(resolved): 0 always, 1 never."""
    place = int(np.searchsorted(curve, resolved, side="left"))
    if place == 0:
        return 0.0
    if place == curve.size:
        return 1.0
    low, high = curve[place - 1], curve[place]
    part = (resolved - low) / (high - low)
    return float(CONFIDENCES[place - 1] + part * (CONFIDENCES[place] - CONFIDENCES[place - 1]))


def _crossing(saved: float, risked: float) -> float:
    """Return the r from which `saved` outweighs (1 - r) times `risked`.

    Where nothing is risked, the sign of what is saved decides. On a tie it is 1, as with the least risk.
    """
    if risked > 0.0:
        return 1.0 - saved / risked
    if risked < 0.0 or saved > 0.0:
        return -math.inf
    return math.inf if saved < 0.0 else 1.0
