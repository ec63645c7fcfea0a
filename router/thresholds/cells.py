"""Outcomes as sorted columns, and the tree of cells over them: all, intent, intent and channel, and segment. Pure."""

from __future__ import annotations

import bisect
import dataclasses
import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from router.thresholds.curve import (
    GRID,
    Bools,
    Counts,
    Curves,
    Floats,
    Ints,
    count,
    fit_level,
    fit_root,
    log_odds,
    scale_of,
)
from router.thresholds.outcomes import Outcome
from schemas.control import ThresholdRow
from schemas.policy_check import ANY

Name = tuple[str | None, str | None, str | None]
"""Intent, channel and segment, each None for any: what a row of a policy's matrix is for."""
EVERY: Name = (None, None, None)


class Cell(NamedTuple):
    """A cell of the tree: its outcomes are [start, stop) of the table; `parent`: its place in the level above."""

    name: Name
    start: int
    stop: int
    parent: int


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """Outcomes in the order of intent, channel, segment, confidence: the order in which they came is forgotten.

    confidence: float64[n]; resolved: bool[n]; levels: of the tree, all first, each in the order of the table.
    """

    confidence: Floats
    resolved: Bools
    levels: Sequence[Sequence[Cell]]

    def covered(self, name: Name) -> Bools:
        """Return which outcomes a row of the matrix is for, bool[n]."""
        found = np.zeros(self.confidence.size, dtype=bool)
        for cell in self.levels[-1]:
            if all(wanted in (None, part) for wanted, part in zip(name, cell.name, strict=True)):
                found[cell.start : cell.stop] = True
        return found


class Fits(NamedTuple):
    """The curve of each cell, by level, and P(resolved) of each outcome by its most specific cell's, float64[n]."""

    levels: Sequence[Curves]
    means: Sequence[Floats]
    resolved: Floats


def table_of(outcomes: Sequence[Outcome]) -> Table:
    """Arrange outcomes; raises ValueError where there are none."""
    if not outcomes:
        raise ValueError("there are no outcomes to arrange")
    ordered = sorted(
        (each.intent, str(each.channel), each.segment, each.confidence, each.resolved) for each in outcomes
    )
    levels = [[Cell(EVERY, 0, len(ordered), 0)]]
    for depth in (1, 2, 3):
        stops = [at for at in range(1, len(ordered)) if ordered[at][:depth] != ordered[at - 1][:depth]]
        above = [cell.stop for cell in levels[-1]]
        levels.append(
            [
                Cell(_name(ordered[start][:depth]), start, stop, bisect.bisect_left(above, stop))
                for start, stop in itertools.pairwise([0, *stops, len(ordered)])
            ]
        )
    confidence = np.array([each[3] for each in ordered])
    return Table(confidence, np.array([each[4] for each in ordered], dtype=bool), levels)


def fit(table: Table) -> Fits:
    """Fit the curves of all cells, each around its parent's."""
    whole = _counts(table, table.levels[0])
    scale = scale_of(whole)
    curves = [fit_root(whole, scale)]
    for cells in table.levels[1:]:
        parents = np.array([cell.parent for cell in cells])
        curves.append(fit_level(_counts(table, cells), curves[-1], parents, scale))
    means = [each.mean() for each in curves]
    odds = log_odds(table.confidence)
    resolved = np.empty(table.confidence.size)
    for place, cell in enumerate(table.levels[-1]):
        resolved[cell.start : cell.stop] = np.interp(odds[cell.start : cell.stop], GRID, means[-1][place])
    return Fits(curves, means, resolved)


def fit_rows(table: Table, fits: Fits, rows: Sequence[Ints]) -> Curves:
    """Fit the curves of rows that are no cells of the tree, such as a channel of all intents, around that of all.

    rows: int64, the places of each one's outcomes.
    """
    counted = [count(table.confidence[row], table.resolved[row], np.zeros_like(row), 1) for row in rows]
    counts = Counts(*(np.concatenate(each) for each in zip(*counted, strict=True)))
    parents = np.zeros(len(rows), dtype=np.int64)
    return fit_level(counts, fits.levels[0], parents, scale_of(_counts(table, table.levels[0])))


def name_of(row: ThresholdRow) -> Name:
    """Return what a row of a matrix is for."""
    return (row.intent, None if row.channel is None else str(row.channel), row.segment)


def specificity(name: Name) -> int:
    """Return how specific a row is, 0 to 7: the router's order, an intent before a channel before a segment."""
    intent, channel, segment = (part is not None for part in name)
    return 4 * intent + 2 * channel + segment


def can_be_a_row(name: Name) -> bool:
    """Return whether a document can name a row for a cell: its key is intent/channel/segment, `*` for any."""
    intent, _channel, segment = name
    return intent not in ("", ANY) and segment not in ("", ANY) and "/" not in (segment or "")


def _name(parts: Sequence[object]) -> Name:
    said = [*(str(part) for part in parts), None, None]
    return (said[0], said[1], said[2])


def _counts(table: Table, cells: Sequence[Cell]) -> Counts:
    sizes = [cell.stop - cell.start for cell in cells]
    return count(table.confidence, table.resolved, np.repeat(np.arange(len(cells)), sizes), len(cells))
