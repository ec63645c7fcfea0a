"""From outcomes and costs to a proposal: a tenant's thresholds, and those of cells that speak for others. Pure.

Nothing is proposed that does not pay: a row is new, or a standing one moves, only where that lowers the expected cost
of the contacts that it decides by more than `least_gain`. Outcomes exist only where AI had the contact, so a cell's
thresholds stay at or above the lowest confidence that was seen in it, unless `extrapolate` says otherwise.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from router.thresholds.cells import (
    EVERY,
    Fits,
    Name,
    Table,
    can_be_a_row,
    fit,
    fit_rows,
    name_of,
    specificity,
    table_of,
)
from router.thresholds.costs import Costs, Pair, cheapest
from router.thresholds.curve import Curves, Floats, Ints
from router.thresholds.outcomes import Outcome
from schemas.control import ThresholdRow
from schemas.interactions import Thresholds

LEAST_GAIN = 0.005
"""Of the expected cost: what is not worth a row in a policy that people read."""
INTERVAL = (0.05, 0.95)
_DRAWS = 400
_DIGITS = 4
_THRESHOLDS = -1
"""Specificity of the policy's `thresholds`: any row comes before them, even */*/*."""
_INTENT = 4
"""Specificity of a row for an intent, whatever the channel and the segment."""


class Standing(NamedTuple):
    """What decides now: the thresholds and the matrix of a policy."""

    thresholds: Thresholds
    matrix: tuple[ThresholdRow, ...] = ()


class Effect(NamedTuple):
    """What thresholds would do with some contacts that AI began: shares, and cost per contact.

    `human_load`: the share that a person handles, or has to finish.
    """

    contacts: int
    contained: float
    assisted: float
    people: float
    human_load: float
    cost: float


@dataclasses.dataclass(frozen=True, slots=True)
class Proposed:
    """Thresholds for a cell, name None/None/None for the policy's own.

    `before`: what stands in the same place, None where nothing does. Intervals are 90 %. `samples` and `lowest_seen`:
    outcomes of the cell, and the lowest confidence among them. `extrapolated`: the cheapest threshold lies below that.
    `now` and `then`: of the contacts that it decides.
    """

    name: Name
    before: Pair | None
    contained: float
    assisted: float
    contained_interval: tuple[float, float]
    assisted_interval: tuple[float, float]
    samples: int
    lowest_seen: float
    extrapolated: bool
    now: Effect | None
    then: Effect


@dataclasses.dataclass(frozen=True, slots=True)
class Proposal:
    """Thresholds of the tenant, rows to add or to change, and what all would do; `now` is None without a policy."""

    thresholds: Proposed
    rows: tuple[Proposed, ...]
    now: Effect | None
    then: Effect


class _Place(NamedTuple):
    """Where thresholds may stand: the policy's own, a row that stands, or a cell of the tree.

    `before`: those that stand there. covers: int64, places of its outcomes. Its curve: `cell` of `curves`, and the
    mean, float64[grid].
    """

    name: Name
    rank: int
    before: Pair | None
    covers: Ints
    curves: Curves
    cell: int
    mean: Floats


class _Taken(NamedTuple):
    """A place with the thresholds that it gets, and the least that they may be."""

    place: _Place
    pair: Pair
    floor: float


class _Applied(NamedTuple):
    """The thresholds of the contact of each outcome, float64[n], and the number of the row they are from, int64[n]."""

    contained: Floats
    assisted: Floats
    row: Ints

    def put(self, covers: Ints, pair: Pair, row: int) -> None:
        """Let a row decide."""
        self.contained[covers], self.assisted[covers] = pair
        self.row[covers] = row


class _Case(NamedTuple):
    """What a proposal is made from. `now`: the thresholds that stand, None without a policy."""

    table: Table
    fits: Fits
    costs: Costs
    now: _Applied | None

    def cost(self, covers: Ints, contained: Floats, assisted: Floats) -> float:
        """Return the expected cost of some contacts together."""
        resolved, confidence = self.fits.resolved[covers], self.table.confidence[covers]
        return float(self.costs.expected(resolved, confidence, contained, assisted).sum())

    def effect(self, covers: Ints, applied: _Applied) -> Effect:
        """Return what thresholds do with some contacts."""
        resolved, confidence = self.fits.resolved[covers], self.table.confidence[covers]
        contained, assisted = applied.contained[covers], applied.assisted[covers]
        alone = confidence >= contained
        watched = ~alone & (confidence >= assisted)
        people = ~alone & ~watched
        load = people + watched * (1.0 - resolved)
        return Effect(
            contacts=covers.size,
            contained=float(alone.mean()),
            assisted=float(watched.mean()),
            people=float(people.mean()),
            human_load=float(load.mean()),
            cost=self.cost(covers, contained, assisted) / covers.size,
        )


def propose(
    outcomes: Sequence[Outcome],
    costs: Costs,
    standing: Standing | None = None,
    *,
    least_gain: float = LEAST_GAIN,
    extrapolate: bool = False,
) -> Proposal:
    """Return the thresholds that cost least; raises ValueError where there are no outcomes.

    Places are looked at from the least specific to the most, so that each is held against what stands there, or against
    what those before it give its contacts.
    """
    table = table_of(outcomes)
    case = _Case(table, fit(table), costs, _standing(table, standing) if standing else None)
    then = _none_yet(table)
    taken: list[_Taken] = []
    for place in _places(case, standing):
        lowest = float(table.confidence[place.covers].min())
        guarded = not extrapolate and _goes_unseen(case, then, place, lowest)
        floor = 0.0 if extrapolate else lowest
        if guarded:
            floor = min(lowest, _least_now(case, place))
        pair = _held(cheapest(place.mean, costs), floor)
        pays = _saving(case, then, place, pair) > least_gain
        if place.before is not None and not pays:
            pair = place.before
        if pays or guarded or place.before is not None or place.rank == _THRESHOLDS:
            then.put(place.covers, pair, len(taken))
            taken.append(_Taken(place, pair, floor))
    return _proposal(case, then, taken)


def _places(case: _Case, standing: Standing | None) -> list[_Place]:
    """Return where thresholds may stand, the least specific first; rows without outcomes stay as they are."""
    table, fits = case.table, case.fits
    every = np.arange(table.confidence.size)
    before = {name_of(row): Pair(row.contained, row.assisted) for row in standing.matrix} if standing else {}
    own = Pair(standing.thresholds.contained, standing.thresholds.assisted) if standing else None
    first = _Place(EVERY, _THRESHOLDS, own, every, fits.levels[0], 0, fits.means[0][0])
    found = [
        _Place(
            cell.name,
            specificity(cell.name),
            before.get(cell.name),
            every[cell.start : cell.stop],
            fits.levels[depth],
            place,
            fits.means[depth][place],
        )
        for depth, cells in enumerate(table.levels)
        for place, cell in enumerate(cells)
        if cell.name in before or (depth > 0 and can_be_a_row(cell.name))
    ]
    cells_found = {place.name for place in found}
    others = [name for name in before if name not in cells_found]
    covers = [np.flatnonzero(table.covered(name)) for name in others]
    seen = [at for at, covered in enumerate(covers) if covered.size]
    if seen:
        curves = fit_rows(table, fits, [covers[at] for at in seen])
        for cell, (at, mean) in enumerate(zip(seen, curves.mean(), strict=True)):
            name = others[at]
            found.append(_Place(name, specificity(name), before[name], covers[at], curves, cell, mean))
    return [first, *sorted(found, key=lambda place: place.rank)]


def _standing(table: Table, standing: Standing) -> _Applied:
    """Return the thresholds that a policy gives now: of the most specific row, as the router has it."""
    now = _none_yet(table)
    now.put(np.arange(table.confidence.size), Pair(standing.thresholds.contained, standing.thresholds.assisted), 0)
    for number, row in enumerate(sorted(standing.matrix, key=lambda row: specificity(name_of(row))), start=1):
        now.put(np.flatnonzero(table.covered(name_of(row))), Pair(row.contained, row.assisted), number)
    return now


def _none_yet(table: Table) -> _Applied:
    size = table.confidence.size
    return _Applied(np.ones(size), np.ones(size), np.full(size, -1))


def _goes_unseen(case: _Case, then: _Applied, place: _Place, lowest: float) -> bool:
    """Return whether an intent without a row would go below what was seen of it, for what was seen of other intents.

    Only where its thresholds would fall for that: a few contacts may have no low confidence among them by chance.
    """
    if case.now is None or place.before is not None or place.rank != _INTENT:
        return False
    return bool(then.assisted[place.covers].min() < min(lowest, _least_now(case, place)))


def _least_now(case: _Case, place: _Place) -> float:
    return 0.0 if case.now is None else float(case.now.assisted[place.covers].min())


def _held(pair: Pair, floor: float) -> Pair:
    """Return thresholds as they are written, to four digits, none below a floor."""
    least = math.ceil(floor * 10**_DIGITS) / 10**_DIGITS
    return Pair(max(round(pair.contained, _DIGITS), least), max(round(pair.assisted, _DIGITS), least))


def _saving(case: _Case, then: _Applied, place: _Place, pair: Pair) -> float:
    """Return the share of its contacts' expected cost that thresholds save, beside what would decide without them."""
    covers = place.covers
    if place.before is None:
        before = case.cost(covers, then.contained[covers], then.assisted[covers])
    else:
        before = case.cost(covers, *(np.full(covers.size, part) for part in place.before))
    after = case.cost(covers, *(np.full(covers.size, part) for part in pair))
    return (before - after) / before if before > 0.0 else 0.0


def _proposal(case: _Case, then: _Applied, taken: Sequence[_Taken]) -> Proposal:
    every = np.arange(case.table.confidence.size)
    own, *rows = (
        _proposed(case, then, number, each)
        for number, each in enumerate(taken)
        if number == 0 or each.pair != each.place.before
    )
    now = case.effect(every, case.now) if case.now else None
    return Proposal(own, tuple(rows), now, case.effect(every, then))


def _proposed(case: _Case, then: _Applied, number: int, taken: _Taken) -> Proposed:
    place, pair = taken.place, taken.pair
    drawn = [_held(cheapest(curve, case.costs), taken.floor) for curve in place.curves.draws(place.cell, _DRAWS)]
    contained, assisted = (
        (min(low, at), max(high, at))
        for at, (low, high) in zip(pair, np.quantile(np.array(drawn), INTERVAL, axis=0).T.tolist(), strict=True)
    )
    lowest = float(case.table.confidence[place.covers].min())
    decided = np.flatnonzero(then.row == number)
    return Proposed(
        place.name,
        place.before,
        pair.contained,
        pair.assisted,
        contained,
        assisted,
        samples=place.covers.size,
        lowest_seen=lowest,
        extrapolated=cheapest(place.mean, case.costs).assisted < lowest,
        now=case.effect(decided, case.now) if case.now and decided.size else None,
        then=case.effect(decided, then) if decided.size else Effect(0, 0.0, 0.0, 0.0, 0.0, 0.0),
    )
