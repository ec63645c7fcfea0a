"""A history whose truth is known, and what thresholds cost under that truth beside the best there are.

A centre has intents of which AI knows more or less than its confidence says, on channels and of segments that differ.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from scipy.special import expit, logit

from router.thresholds.costs import Costs, Pair, default_watching
from router.thresholds.fit import Proposal, Standing, propose
from router.thresholds.outcomes import Outcome
from schemas.fields import Channel, Handling, Pool
from schemas.interactions import DEFAULT_THRESHOLDS, Closed

Floats = npt.NDArray[np.float64]

COST_TRIPLES = (
    (20.0, 5.0, 6.0),
    (10.0, 6.0, 7.5),
    (40.0, 5.0, 5.5),
    (8.0, 4.0, 6.0),
    (15.0, 6.0, 9.0),
    (6.0, 5.0, 8.0),
)
"""wrong, human, escalation."""
CHANNELS = {Channel.CHAT: 0.3, Channel.VOICE: -0.5, Channel.EMAIL: 0.0}
"""By how many log odds AI does better on a channel than elsewhere."""
SEGMENTS = {"standard": 0.1, "gold": -0.3}
FRESH = 20_000
"""Contacts of each cell on which thresholds are tried."""


class Kind(NamedTuple):
    """How an intent's P(resolved) goes with confidence, and the Beta distribution of its confidences."""

    curve: Callable[[Floats], Floats]
    confidences: tuple[float, float]


KINDS: Mapping[str, Kind] = {
    "calibrated": Kind(logit, (5.0, 1.5)),
    "too_sure": Kind(lambda p: 0.6 * logit(p) - 1.0, (8.0, 1.2)),
    "not_sure_enough": Kind(lambda p: 1.3 * logit(p) + 1.0, (3.0, 2.0)),
    "step": Kind(lambda p: logit(0.03 + 0.94 * expit(25.0 * (p - 0.75))), (4.0, 1.5)),
    "late_step": Kind(lambda p: logit(0.25 + 0.73 * expit(40.0 * (p - 0.9))), (6.0, 1.0)),
    "useless": Kind(lambda p: logit(0.55 + 0.05 * p), (4.0, 2.0)),
    "hopeless": Kind(lambda p: logit(0.12 + 0.10 * p), (5.0, 2.0)),
    "easy": Kind(lambda p: 0.8 * logit(p) + 2.5, (6.0, 1.5)),
    "too_sure_at_the_top": Kind(lambda p: logit(np.minimum(0.99, 0.4 + 0.5 * p)), (9.0, 1.0)),
}


@dataclasses.dataclass(frozen=True)
class Cell:
    """One cell of the truth: `size` contacts of its history, `shift` log odds beside its intent's curve."""

    intent: str
    channel: Channel
    segment: str
    size: int
    kind: Kind
    shift: float

    def resolved(self, confidence: Floats) -> Floats:
        """P(resolved) in truth."""
        return expit(self.kind.curve(np.clip(confidence, 1e-9, 1.0 - 1e-9)) + self.shift)


def centre(seed: int) -> list[Cell]:
    """A cell for each intent, channel and segment, of 50 to 5,000 contacts each (uniform in the logarithm)."""
    rng = np.random.default_rng((seed, 1))
    cells = []
    for intent, kind in KINDS.items():
        for channel, by_channel in CHANNELS.items():
            for segment, by_segment in SEGMENTS.items():
                size = round(float(np.exp(rng.uniform(np.log(50), np.log(5_000)))))
                shift = by_channel + by_segment + float(rng.normal(0.0, 0.3))
                cells.append(Cell(intent, channel, segment, size, kind, shift))
    return cells


def history(cells: Sequence[Cell], seed: int, least: float = 0.0) -> list[Outcome]:
    """What became of the contacts that AI had: those of a confidence of `least` or more."""
    rng = np.random.default_rng((seed, 2))
    found = []
    for cell in cells:
        confidence = rng.beta(*cell.kind.confidences, cell.size)
        resolved = rng.random(cell.size) < cell.resolved(confidence)
        found += [
            Outcome(cell.intent, cell.channel, cell.segment, float(p), bool(r))
            for p, r in zip(confidence, resolved, strict=True)
            if p >= least
        ]
    return found


def costs(triple: tuple[float, float, float]) -> Costs:
    wrong, human, escalation = triple
    return Costs(wrong=wrong, human=human, escalation=escalation, watching=default_watching(human))


class Realised(NamedTuple):
    """Expected cost per contact under the truth: of what is proposed, of the best; and the worst cell's ratio."""

    proposed: float
    best: float
    worst_cell: float

    @property
    def ratio(self) -> float:
        """1 is as good as can be."""
        return self.proposed / self.best


def realised(
    cells: Sequence[Cell],
    thresholds: Callable[[Cell], Pair],
    prices: Costs,
    seed: int,
    least: float = 0.0,
) -> Realised:
    """Try thresholds on fresh contacts of every cell, weighed by the cell's size, beside the best for the cell.

    `least`: the best thresholds that are not below this, for a history that had none below.
    """
    rng = np.random.default_rng((seed, 3))
    totals, ratios = np.zeros(2), []
    for cell in cells:
        confidence = np.sort(rng.beta(*cell.kind.confidences, FRESH))
        truth = cell.resolved(confidence)
        pair = thresholds(cell)
        got = float(prices.expected(truth, confidence, *pair).mean())
        best = best_cost(confidence, truth, prices, least)
        totals += np.array([got, best]) * cell.size
        ratios.append(got / best)
    whole = totals / sum(cell.size for cell in cells)
    return Realised(float(whole[0]), float(whole[1]), max(ratios))


def best_cost(confidence: Floats, truth: Floats, prices: Costs, least: float = 0.0) -> float:
    """Least cost per contact of any two thresholds: all pairs of 4,001 by search.

    With assisted at a and contained at c >= a, the cost is what people, watched and alone sum to on either side: a part
    that hangs on a and one that hangs on c.
    """
    tried = np.append(np.maximum(np.linspace(0.0, 1.0, 4_001), least), 1.5)
    place = np.searchsorted(confidence, tried)
    watched = np.concatenate([[0.0], np.cumsum(prices.watched(truth))])
    alone = np.concatenate([[0.0], np.cumsum(prices.alone(truth))])
    below = prices.human * place - watched[place]
    above = watched[place] + (alone[-1] - alone[place])
    return float((np.minimum.accumulate(below) + above).min() / confidence.size)


def row_of(proposal: Proposal) -> Callable[[Cell], Pair]:
    """The thresholds that a router has for a contact of a cell, of a proposal for a policy without a matrix."""
    rows = {row.name: row for row in proposal.rows}

    def found(cell: Cell) -> Pair:
        intent, channel, segment = cell.intent, str(cell.channel), cell.segment
        for name in (
            (intent, channel, segment),
            (intent, channel, None),
            (intent, None, segment),
            (intent, None, None),
        ):
            if name in rows:
                return Pair(rows[name].contained, rows[name].assisted)
        return Pair(proposal.thresholds.contained, proposal.thresholds.assisted)

    return found


def figures(seed: int, triple: tuple[float, float, float], least: float = 0.0) -> tuple[Realised, Realised]:
    """What the thresholds proposed cost under the truth, and what the defaults do, each beside the best."""
    cells, prices = centre(seed), costs(triple)
    proposal = propose(history(cells, seed, least), prices, Standing(DEFAULT_THRESHOLDS))
    default = Pair(DEFAULT_THRESHOLDS.contained, DEFAULT_THRESHOLDS.assisted)
    return (
        realised(cells, row_of(proposal), prices, seed, least),
        realised(cells, lambda _cell: default, prices, seed, least),
    )


def closed(**changes: Any) -> Closed:
    """A contact that AI had alone and resolved."""
    base = Closed(
        interaction_id="c-1", tenant="acme", decision_id="d-1", channel=Channel.CHAT, language="en",
        segment="standard", intent="refund", queue="care", handling=Handling.AI_CONTAINED, ai_turns=2, resolved=True,
        ai_seconds=30.0, wait_seconds=0.0, talk_seconds=0.0, wrap_seconds=0.0, offered_at=100, closed_at=200,
        pool=Pool.AI_CONTAINED, confidence=0.9,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)
