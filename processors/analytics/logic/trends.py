"""Containment by span of time: the rolling five minutes, hour, day, week and month.

Of all contacts of a tenant, of each queue and of each intent; not of their products, which would be too many.

State of a tenant (a scope is `a`, `q<queue>` or `i<intent>`):

- `trend:<kind>:<start>:<scope>` -> contacts by outcome, of one cell; `keeping` knows when it leaves
- `rolling:<scope>` -> sums of the cells of ten seconds that are in the window
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from processors.analytics.logic import keeping
from processors.analytics.logic.closings import (
    ABANDONED,
    ASSISTED,
    BUCKET_MICROS,
    CONTAINED,
    ESCALATED,
    OUTCOMES,
    Closings,
)
from processors.analytics.logic.keeping import SPANS, Cell, Kind
from runtime.state import KeyedState
from schemas.topics import CONTAINMENT, Effect
from schemas.wfm import ContainmentRow, TrendSpan

Z_95 = 1.959964
"""Standard normal quantile of 97.5 %."""
_ALL = "a"
_Changed = dict[Cell, list[int]]


def changed_rows(tenant: str, ended: Iterable[Closings], state: KeyedState, now: int, revision: int) -> list[Effect]:
    """Book closes to their own hour, day, week and month, and return a row of each cell that changed.

    Those of five minutes change also as closes leave the window: when the last has left, a row of no contacts says so,
    once. Rows come in the order of their cells, whatever the order of `ended`. now: UTC microseconds.
    """
    changed: _Changed = {}
    for cell in keeping.leaving(state, SPANS, now):
        _forget(state, cell, changed)
    for (scope, bucket), counts in sorted(_by_scope(ended).items()):
        for kind in SPANS:
            _add(state, Cell(kind, keeping.start_of(kind, bucket * BUCKET_MICROS), scope), counts, now, changed)
    window = keeping.start_of(Kind.SECONDS_10, now) - keeping.WINDOW_MICROS + BUCKET_MICROS
    return [
        Effect(CONTAINMENT, _row(tenant, cell, counts, revision, now, max(0, window)))
        for cell, counts in sorted(changed.items())
    ]


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion (Wilson 1927); of no trials, 0 to 1."""
    if trials == 0:
        return 0.0, 1.0
    rate, z2 = successes / trials, Z_95 * Z_95
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z_95 / (1 + z2 / trials) * math.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials))
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))


def _by_scope(ended: Iterable[Closings]) -> dict[tuple[str, int], list[int]]:
    sums: dict[tuple[str, int], list[int]] = {}
    for closings in ended:
        for scope in (_ALL, f"q{closings.queue}", f"i{closings.intent}"):
            key = (scope, closings.bucket)
            sums[key] = _plus(sums.get(key), closings.counts)
    return sums


def _plus(counts: list[int] | None, more: list[int], sign: int = 1) -> list[int]:
    return [a + sign * b for a, b in zip(counts or [0] * len(OUTCOMES), more, strict=True)]


def _add(state: KeyedState, cell: Cell, counts: list[int], now: int, changed: _Changed) -> None:
    """Add to a cell, unless its time is over: it has been told as it stands."""
    if keeping.is_over(cell.kind, cell.start, now):
        return
    known = state.get(_name(cell))
    if known is None:
        keeping.keep(state, cell)
    total = _plus(known, counts)
    state.set(_name(cell), total)
    if cell.kind is Kind.SECONDS_10:
        total = _plus(state.get(f"rolling:{cell.scope}"), counts)
        state.set(f"rolling:{cell.scope}", total)
        cell = _rolling(cell.scope)
    changed[cell] = total


def _forget(state: KeyedState, cell: Cell, changed: _Changed) -> None:
    counts = state.get(_name(cell))
    state.delete(_name(cell))
    if cell.kind is not Kind.SECONDS_10:
        return
    name = f"rolling:{cell.scope}"
    left = _plus(state.get(name), counts, -1)
    if any(left):
        state.set(name, left)
    else:
        state.delete(name)
    changed[_rolling(cell.scope)] = left


def _rolling(scope: str) -> Cell:
    """Return what stands for the window of a scope among changed cells: it has one, wherever it has rolled to."""
    return Cell(Kind.SECONDS_10, 0, scope)


def _name(cell: Cell) -> str:
    return f"trend:{cell.kind}:{cell.start}:{cell.scope}"


def _row(tenant: str, cell: Cell, counts: list[int], revision: int, now: int, window: int) -> ContainmentRow:
    kept, contacts = counts[CONTAINED] + counts[ASSISTED], sum(counts)
    low, high = wilson(kept, contacts)
    is_rolling = cell.kind is Kind.SECONDS_10
    return ContainmentRow(
        tenant=tenant,
        queue=cell.scope[1:] if cell.scope[0] == "q" else None,
        intent=cell.scope[1:] if cell.scope[0] == "i" else None,
        span=TrendSpan.MINUTES_5 if is_rolling else TrendSpan(cell.kind.value),
        starts_at=window if is_rolling else cell.start,
        revision=revision,
        contacts=contacts,
        contained=counts[CONTAINED],
        assisted=counts[ASSISTED],
        escalated=counts[ESCALATED],
        abandoned=counts[ABANDONED],
        containment=kept / contacts if contacts else 0.0,
        low=low,
        high=high,
        updated_at=now,
    )
