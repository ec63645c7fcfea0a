"""The view table of rows by arrival interval: the latest of each cell, by time. Pure; no clock, no broker."""

from __future__ import annotations

import typing
from bisect import bisect_left, insort
from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from wfm_bridge.verdict import Verdict

_BEFORE_TIME = -1
"""Where rows of no interval are listed: before all others, and in no range of time."""


class IntervalRow(typing.Protocol):
    """A row of one cell and interval, replaced as a whole."""

    @property
    def interval_start(self) -> int:
        """When the interval began, UTC microseconds."""

    @property
    def revision(self) -> int:
        """Grows with every change of the row."""

    @property
    def late(self) -> bool:
        """Whether it is of no interval: the total of what came too late for its own."""


R = TypeVar("R", bound=IntervalRow)


class IntervalView(Generic[R]):
    """Rows of one topic, listed by interval and then by the fields whose names are given, which tell cells apart."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self._rows: dict[tuple[Any, ...], R] = {}
        self._order: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        return len(self._rows)

    def apply(self, row: R) -> Verdict:
        """Take a row, unless the one that is there has a higher revision."""
        cell = self.place(row)
        known = self._rows.get(cell)
        if known is None:
            insort(self._order, cell)
        elif row.revision < known.revision:
            return Verdict.OLDER
        self._rows[cell] = row
        return Verdict.APPLIED

    def place(self, row: R) -> tuple[Any, ...]:
        """Return what rows are listed by."""
        start = _BEFORE_TIME if row.late else row.interval_start
        return (start, *(getattr(row, name) for name in self._names))

    def select(
        self,
        *,
        from_micros: int | None = None,
        to_micros: int | None = None,
        late: bool = False,
        **names: str | None,
    ) -> list[R]:
        """Return the rows whose interval starts in [from_micros, to_micros) and that match the names given.

        late: also those of no interval.
        """
        wanted = [(1 + self._names.index(name), value) for name, value in names.items() if value is not None]
        return [
            self._rows[cell]
            for cell in self._between(_BEFORE_TIME if late else from_micros or 0, to_micros)
            if all(cell[place] == value for place, value in wanted)
        ]

    def _between(self, from_micros: int, to_micros: int | None) -> Iterator[tuple[Any, ...]]:
        first = bisect_left(self._order, (from_micros,))
        last = len(self._order) if to_micros is None else bisect_left(self._order, (to_micros,))
        return iter(self._order[first:last])
