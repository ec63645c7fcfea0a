"""A list in a tenant's state, one small entry each: adding one costs the same however many there are.

Entries of the list `of`: `of` -> how many are in it; `of:<i>` -> the i-th, JSON data. Slots are used again once they
were emptied.
"""

from __future__ import annotations

from typing import Any

from runtime.state import KeyedState

SLOTS_KEPT = 1_000
"""Slots that stay to be used again: a deletion costs what a write does. What a backlog needs beyond them goes."""


def add(state: KeyedState, of: str, entry: Any) -> None:
    """Add an entry at the end of a list."""
    listed = state.get(of, 0)
    state.set(f"{of}:{listed}", entry)
    state.set(of, listed + 1)


def take(state: KeyedState, of: str, most: int | None = None) -> list[Any]:
    """Return the last `most` entries of a list, or all, in their order; they are in it no more."""
    listed = state.get(of, 0)
    first = 0 if most is None else max(0, listed - most)
    entries = [state.get(f"{of}:{slot}") for slot in range(first, listed)]
    for slot in range(max(first, SLOTS_KEPT), listed):
        state.delete(f"{of}:{slot}")
    if listed:
        state.set(of, first)
    return entries
