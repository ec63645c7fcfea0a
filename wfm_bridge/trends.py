"""The view tables of trends: the latest row of each span, by time. Pure; no clock, no broker."""

from __future__ import annotations

import enum
from bisect import bisect_left, insort
from typing import Any, Generic, NamedTuple, TypeVar, cast

from schemas.analytics import QualityRow
from schemas.wfm import ContainmentRow, TrendSpan
from wfm_bridge.verdict import Verdict

R = TypeVar("R", ContainmentRow, QualityRow)


class By(enum.StrEnum):
    """Of what a row is: a tenant's contacts all together, or those of each queue, or of each intent."""

    ALL = "all"
    QUEUE = "queue"
    INTENT = "intent"


class _Place(NamedTuple):
    """Where a row is listed."""

    starts_at: int
    tenant: str
    queue: str
    intent: str
    span: str


class TrendView(Generic[R]):
    """Rows of one topic, listed by start, tenant, queue, intent and span; of the rolling window the latest."""

    def __init__(self) -> None:
        self._rows: dict[_Place, R] = {}
        self._order: list[_Place] = []
        self._windows: dict[tuple[str, str, str], _Place] = {}

    def __len__(self) -> int:
        return len(self._rows)

    def apply(self, row: R) -> Verdict:
        """Take a row, unless the one that is there has a higher revision."""
        place = self.place(row)
        is_window = row.span is TrendSpan.MINUTES_5
        before = self._windows.get(place[1:4]) if is_window else place
        known = None if before is None else self._rows.get(before)
        if known is not None and row.revision < known.revision:
            return Verdict.OLDER
        if before is not None and before != place:
            del self._rows[before]
            self._order.pop(bisect_left(self._order, before))
        if place not in self._rows:
            insort(self._order, place)
        if is_window:
            self._windows[place[1:4]] = place
        self._rows[place] = row
        return Verdict.APPLIED

    @staticmethod
    def place(row: R) -> _Place:
        """Return what rows are listed by."""
        return _Place(row.starts_at, row.tenant, row.queue or "", row.intent or "", row.span)

    def select(
        self,
        *,
        tenant: str | None = None,
        by: By | None = None,
        queue: str | None = None,
        intent: str | None = None,
        span: TrendSpan | None = None,
        from_micros: int | None = None,
        to_micros: int | None = None,
    ) -> list[R]:
        """Return the rows that start in [from_micros, to_micros) and match what is given."""
        order = cast(list[tuple[Any, ...]], self._order)
        first = 0 if from_micros is None else bisect_left(order, (from_micros,))
        last = len(order) if to_micros is None else bisect_left(order, (to_micros,))
        return [
            self._rows[place]
            for place in self._order[first:last]
            if (tenant is None or place.tenant == tenant)
            and (by is None or _by(place) is by)
            and (queue is None or place.queue == queue)
            and (intent is None or place.intent == intent)
            and (span is None or place.span == span)
        ]


def _by(place: _Place) -> By:
    if place.queue:
        return By.QUEUE
    return By.INTENT if place.intent else By.ALL
