"""Which cells there are, by when they leave the state: found without looking at those that stay.

Cells of one kind and start leave together. State of a tenant:

- `kept:<kind>:<start>` -> how many cells begin then; `kept:<kind>:<start>:<i>` -> whose the i-th is
- `kept:<kind>` -> the starts that there are, ascending; written when one comes or goes
- `first` -> kind -> the first of them: all that a tick reads when none leaves
"""

from __future__ import annotations

import datetime as dt
import enum
from bisect import insort
from typing import NamedTuple

from runtime.state import KeyedState
from schemas.fields import MICROS_PER_SECOND
from schemas.wfm import INTERVAL_MICROS

_DAY_MICROS = 24 * 3600 * MICROS_PER_SECOND
BUCKET_MICROS = 10 * MICROS_PER_SECOND
"""A bucket of closes: 30 of them make the five minutes, whose edge is then right to 3 %; hours are whole buckets."""
AHEAD_MICROS = 5 * 60 * MICROS_PER_SECOND
LATE_MICROS = 7 * _DAY_MICROS
"""A close further ahead of now, or longer ago, is a clock that is wrong: it is booked to now. Seven days is also how
long the inbox is kept, so no late close that is true is older."""
WINDOW_MICROS = 30 * BUCKET_MICROS
"""The rolling five minutes: ten-second buckets, the present one among them."""
AFTER_MICROS = 8 * _DAY_MICROS
"""How long a trend's cell is kept after its end: a close is at most seven days late, a tick may be a day behind it."""
MOST_AT_ONCE = 2_000
"""Cells that leave in one tick: 20 ms of work; the others leave in the next."""
_KEPT = "kept"
_FIRST = "first"


class Kind(enum.StrEnum):
    """What a cell is of: a trend, by its length (ten seconds make the rolling five minutes), volumes, or times."""

    SECONDS_10 = "10s"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    VOLUME = "volume"
    HANDLE_TIME = "handle-time"


SPANS = (Kind.SECONDS_10, Kind.HOUR, Kind.DAY, Kind.WEEK, Kind.MONTH)
"""The kinds of trends."""
_STAYS = {
    Kind.HOUR: _DAY_MICROS // 24 + AFTER_MICROS,
    Kind.DAY: _DAY_MICROS + AFTER_MICROS,
    Kind.WEEK: 7 * _DAY_MICROS + AFTER_MICROS,
    Kind.MONTH: 31 * _DAY_MICROS + AFTER_MICROS,
    Kind.VOLUME: INTERVAL_MICROS + LATE_MICROS,
    Kind.HANDLE_TIME: INTERVAL_MICROS + LATE_MICROS,
}
"""How long a cell is kept from its start. Seven days after its end an interval is corrected no more."""


class Cell(NamedTuple):
    """One span of time of one scope: a tenant's, a queue's, ... `start`: UTC microseconds."""

    kind: Kind
    start: int
    scope: str


def start_of(kind: Kind, at: int) -> int:
    """Return when the span that `at` is in began, in UTC: weeks on Mondays (ISO 8601). UTC microseconds, both."""
    if kind is Kind.SECONDS_10:
        return at - at % BUCKET_MICROS
    if kind is Kind.HOUR:
        return at - at % (_DAY_MICROS // 24)
    day = at // _DAY_MICROS
    if kind is Kind.WEEK:
        day -= (day + 3) % 7  # the first day of 1970 was a Thursday
    elif kind is Kind.MONTH:
        day -= (dt.date(1970, 1, 1) + dt.timedelta(days=day)).day - 1
    return max(0, day) * _DAY_MICROS


def is_over(kind: Kind, start: int, now: int) -> bool:
    """Return whether cells that begin at `start` are to leave the state. UTC microseconds.

    Where the clock was set back, the five minutes before it are no part of the window either.
    """
    if kind is Kind.SECONDS_10:
        return not now - WINDOW_MICROS < start <= now + AHEAD_MICROS
    return start + _STAYS[kind] <= now


def keep(state: KeyedState, cell: Cell) -> None:
    """Note a cell that is new, so that it leaves in time."""
    group = f"{_KEPT}:{cell.kind}:{cell.start}"
    members = state.get(group)
    if members is None:
        starts = list(state.get(f"{_KEPT}:{cell.kind}", ()))
        insort(starts, cell.start)
        _set_starts(state, cell.kind, starts)
        members = 0
    state.set(f"{group}:{members}", cell.scope)
    state.set(group, members + 1)


def leaving(state: KeyedState, kinds: tuple[Kind, ...], now: int, most: int = MOST_AT_ONCE) -> list[Cell]:
    """Return at most `most` cells of these kinds whose time is over, oldest first; they are noted no more."""
    gone: list[Cell] = []
    firsts = state.get(_FIRST, {})
    for kind in kinds:
        if kind in firsts and is_over(kind, firsts[kind], now):
            gone += _leaving(state, kind, now, most - len(gone))
    return gone


def _leaving(state: KeyedState, kind: Kind, now: int, most: int) -> list[Cell]:
    starts = list(state.get(f"{_KEPT}:{kind}", ()))
    gone: list[Cell] = []
    while starts and is_over(kind, starts[0], now) and len(gone) < most:
        group = f"{_KEPT}:{kind}:{starts[0]}"
        members = state.get(group)
        left = max(0, members - (most - len(gone)))
        for place in range(left, members):
            gone.append(Cell(kind, starts[0], state.get(f"{group}:{place}")))
            state.delete(f"{group}:{place}")
        if left:
            state.set(group, left)
        else:
            state.delete(group)
            starts.pop(0)
    _set_starts(state, kind, starts)
    return gone


def _set_starts(state: KeyedState, kind: Kind, starts: list[int]) -> None:
    state.set(f"{_KEPT}:{kind}", starts)
    first = dict(state.get(_FIRST, {}))
    first.pop(kind.value, None)
    if starts:
        first[kind.value] = starts[0]
    state.set(_FIRST, first)
