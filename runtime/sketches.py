"""Durations as quantile sketches: mergeable, and the same whatever the order of what is added.

DDSketch (Masson, Rim and Lee, VLDB 12, 2019): bin i holds what is above g^(i-1) and at most g^i seconds, with
g = (1 + a) / (1 - a) at a relative accuracy a, so 2 g^i / (g + 1) is within a of all of it. Merging is adding counts.
The bins are those of the library `ddsketch`. Its sums, in floating point, depend on the order, and its dense stores
cannot take a duration away again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ddsketch.mapping import LogarithmicMapping

from schemas.analytics import TimeSketch
from schemas.fields import MICROS_PER_SECOND

RELATIVE_ACCURACY = 0.01
"""A quantile is within 1 % of a duration that was there: 300 s is told as 297 to 303. From 1 s to 1 h there are 409
bins."""
MOST_SECONDS = 7 * 24 * 3600.0
"""Contacts are given up after a day: what is longer is a mistake of its writer, and counts as this."""
_MAPPING = LogarithmicMapping(RELATIVE_ACCURACY)


def micros_of(seconds: float) -> int:
    """Return a duration in whole microseconds, in which sums are exact."""
    return round(min(seconds, MOST_SECONDS) * MICROS_PER_SECOND) if seconds else 0


class Sketch:
    """Durations of so many contacts: their sum (microseconds), how many were 0, and the others by bin.

    The number of a bin is text, as JSON data has it: an entry of the state is taken and stored as it is.
    """

    __slots__ = ("bins", "micros", "zeros")

    def __init__(self, micros: int = 0, zeros: int = 0, bins: Mapping[str, int] | None = None) -> None:
        self.micros = micros
        self.zeros = zeros
        self.bins = dict(bins or {})

    @property
    def count(self) -> int:
        """How many durations it holds."""
        return self.zeros + sum(self.bins.values())

    def stored(self) -> list[Any]:
        """Return the arguments of a sketch like this one, as JSON data."""
        return [self.micros, self.zeros, self.bins]

    def add(self, micros: int, times: int = 1) -> None:
        """Add a duration so many times; -1 takes one away that is there (`holds`)."""
        self.micros += micros * times
        if micros == 0:
            self.zeros += times
            return
        index = _index(micros)
        left = self.bins.get(index, 0) + times
        if left:
            self.bins[index] = left
        else:
            del self.bins[index]

    def holds(self, micros: int) -> bool:
        """Return whether a duration like this one was added."""
        return micros <= self.micros and (self.zeros > 0 if micros == 0 else _index(micros) in self.bins)

    def merge(self, other: TimeSketch) -> None:
        """Add all that another sketch of the same relative accuracy holds."""
        self.micros += round(other.sum_seconds * MICROS_PER_SECOND)
        self.zeros += other.zeros
        for index, count in zip(map(str, other.indexes), other.counts, strict=True):
            self.bins[index] = self.bins.get(index, 0) + count

    def told(self) -> TimeSketch:
        """Return the sketch as others get it, bins in their order, with the quantiles that are asked for most."""
        bins = sorted([(int(index), times) for index, times in self.bins.items()])
        count = self.count
        p50, p90, p95, p99 = _quantiles((0.5, 0.9, 0.95, 0.99), self.zeros, bins, count)
        return TimeSketch(
            sum_seconds=self.micros / MICROS_PER_SECOND,
            mean_seconds=self.micros / MICROS_PER_SECOND / count if count else None,
            p50_seconds=p50,
            p90_seconds=p90,
            p95_seconds=p95,
            p99_seconds=p99,
            zeros=self.zeros,
            indexes=tuple([index for index, _ in bins]),
            counts=tuple([times for _, times in bins]),
        )


def _index(micros: int) -> str:
    return str(_MAPPING.key(micros / MICROS_PER_SECOND))


def _quantiles(wanted: tuple[float, ...], zeros: int, bins: list[tuple[int, int]], count: int) -> list[float | None]:
    """Return quantiles, ascending: each of the value at rank q (count - 1) of all in order, from 0, rounded down."""
    if not count:
        return [None] * len(wanted)
    found: list[float | None] = []
    passed, at = zeros, -1
    for q in wanted:
        while passed <= q * (count - 1):
            at += 1
            passed += bins[at][1]
        found.append(0.0 if at < 0 else _MAPPING.value(bins[at][0]))
    return found
