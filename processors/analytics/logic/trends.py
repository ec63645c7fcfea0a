"""Containment and quality by span of time: the rolling five minutes, hour, day, week and month.

Of all contacts of a tenant, of each queue and of each intent; not of their products, which would be too many.

State of a tenant (a scope is `a`, `q<queue>` or `i<intent>`):

- `trend:<kind>:<start>:<scope>` -> what is counted of one cell (`figures`); `keeping` knows when it leaves
- `rolling:<scope>` -> sums of the cells of ten seconds that are in the window
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from processors.analytics.logic import containment, figures, keeping, quality
from processors.analytics.logic.closings import Closings
from processors.analytics.logic.figures import Counts
from processors.analytics.logic.keeping import BUCKET_MICROS, SPANS, Cell, Kind
from runtime.state import KeyedState
from schemas.topics import CONTAINMENT, QUALITY, Effect
from schemas.wfm import TrendSpan

_ALL = "a"


class _Changed:
    """Cells that a tick changed, with what is counted of them; and which of them tell of containment."""

    def __init__(self) -> None:
        self.counts: dict[Cell, Counts] = {}
        self.by_ai: set[Cell] = set()

    def note(self, cell: Cell, counts: Counts, change: Counts) -> None:
        """Note what is counted of a cell now, by how much it changed."""
        self.counts[cell] = counts
        if not figures.BY_AI.isdisjoint(change):
            self.by_ai.add(cell)


def changed_rows(
    tenant: str, ended: Iterable[Closings], state: KeyedState, now: int, revision: int, people_per_hour: float | None
) -> list[Effect]:
    """Book closes to their own hour, day, week and month, and return the rows of each cell that changed.

    Those of five minutes change also as closes leave the window: when the last has left, a row of no contacts says so,
    once. Rows come in the order of their cells, whatever the order of `ended`. now: UTC microseconds.
    people_per_hour: what an hour of people costs, None where the policy does not say.
    """
    changed = _Changed()
    for cell in keeping.leaving(state, SPANS, now):
        _forget(state, cell, changed)
    for (scope, bucket), more in sorted(_by_scope(ended).items()):
        for kind in SPANS:
            _add(state, Cell(kind, keeping.start_of(kind, bucket * BUCKET_MICROS), scope), more, now, changed)
    told = []
    for cell, counts in sorted(changed.counts.items()):
        about = {"tenant": tenant, "revision": revision, "updated_at": now, **_about(cell, now)}
        told.append(Effect(QUALITY, quality.row(about, counts, people_per_hour)))
        if cell in changed.by_ai:
            told.append(Effect(CONTAINMENT, containment.row(about, counts)))
    return told


def _by_scope(ended: Iterable[Closings]) -> dict[tuple[str, int], dict[str, int]]:
    sums: dict[tuple[str, int], dict[str, int]] = {}
    for closings in ended:
        for scope in (_ALL, f"q{closings.queue}", f"i{closings.intent}"):
            figures.add(sums.setdefault((scope, closings.bucket), {}), closings.counts)
    return sums


def _add(state: KeyedState, cell: Cell, counts: Counts, now: int, changed: _Changed) -> None:
    """Add to a cell, unless its time is over: it has been told as it stands."""
    if keeping.is_over(cell.kind, cell.start, now):
        return
    known = state.get(_name(cell))
    if known is None:
        keeping.keep(state, cell)
    total = figures.plus(_read(known), counts)
    state.set(_name(cell), total)
    if cell.kind is Kind.SECONDS_10:
        total = figures.plus(_read(state.get(f"rolling:{cell.scope}")), counts)
        state.set(f"rolling:{cell.scope}", total)
        cell = _rolling(cell.scope)
    changed.note(cell, total, counts)


def _forget(state: KeyedState, cell: Cell, changed: _Changed) -> None:
    counts = _read(state.get(_name(cell)))
    state.delete(_name(cell))
    if cell.kind is not Kind.SECONDS_10:
        return
    name = f"rolling:{cell.scope}"
    left = figures.minus(_read(state.get(name)), counts)
    if left:
        state.set(name, left)
    else:
        state.delete(name)
    changed.note(_rolling(cell.scope), left, counts)


def _read(stored: Any) -> Counts:
    """Return what is counted of a cell. Versions that knew of containment alone had a list, by its outcomes."""
    if isinstance(stored, list):
        return {name: number for name, number in zip(figures.OUTCOME_NAMES, stored, strict=True) if number}
    return stored or {}


def _rolling(scope: str) -> Cell:
    """Return what stands for the window of a scope among changed cells: it has one, wherever it has rolled to."""
    return Cell(Kind.SECONDS_10, 0, scope)


def _name(cell: Cell) -> str:
    return f"trend:{cell.kind}:{cell.start}:{cell.scope}"


def _about(cell: Cell, now: int) -> dict[str, Any]:
    """Return of what contacts and which span the rows of a cell tell."""
    is_rolling = cell.kind is Kind.SECONDS_10
    window = keeping.start_of(Kind.SECONDS_10, now) - keeping.WINDOW_MICROS + BUCKET_MICROS
    return {
        "queue": cell.scope[1:] if cell.scope[0] == "q" else None,
        "intent": cell.scope[1:] if cell.scope[0] == "i" else None,
        "span": TrendSpan.MINUTES_5 if is_rolling else TrendSpan(cell.kind.value),
        "starts_at": max(0, window) if is_rolling else cell.start,
    }
