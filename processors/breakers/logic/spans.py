"""Sets of times: from an instant up to another, both UTC microseconds, the second not in it."""

from __future__ import annotations

from collections.abc import Iterable

Spans = tuple[tuple[int, int], ...]
"""In order, none empty, no two that touch."""

FOR_EVER: Spans = ((-(2**63), 2**63),)


def spans(pairs: Iterable[tuple[int, int]]) -> Spans:
    """Return the union of any (from, to), of which those that end before they begin are nothing."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(pair for pair in pairs if pair[0] < pair[1]):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return tuple(merged)


def both(one: Spans, other: Spans) -> Spans:
    """Return the times that are in one and in the other."""
    found = []
    mine = theirs = 0
    while mine < len(one) and theirs < len(other):
        start, end = max(one[mine][0], other[theirs][0]), min(one[mine][1], other[theirs][1])
        if start < end:
            found.append((start, end))
        if one[mine][1] <= other[theirs][1]:
            mine += 1
        else:
            theirs += 1
    return tuple(found)


def without(one: Spans, other: Spans) -> Spans:
    """Return the times that are in one and not in the other."""
    ((least, most),) = FOR_EVER
    edges = [least, *(edge for span in other for edge in span), most]
    return both(one, spans(zip(edges[::2], edges[1::2], strict=True)))


def seconds(times: Spans) -> float:
    """Return how long they are together, in seconds."""
    return sum(end - start for start, end in times) / 1_000_000
