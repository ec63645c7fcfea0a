"""A list of names in a tenant's state, one small entry each: adding one costs the same however many there are.

Entries of the list `of`: `of` -> how many names are in it; `of:<i>` -> the i-th. Slots are used again once the list was
emptied: there are as many as it ever held.
"""

from __future__ import annotations

from runtime.state import KeyedState


def add(state: KeyedState, of: str, name: str) -> None:
    """Add a name at the end of a list."""
    listed = state.get(of, 0)
    state.set(f"{of}:{listed}", name)
    state.set(of, listed + 1)


def take(state: KeyedState, of: str) -> list[str]:
    """Return the names of a list in their order, and empty it."""
    listed = state.get(of, 0)
    names = [state.get(f"{of}:{slot}") for slot in range(listed)]
    if listed:
        state.set(of, 0)
    return names
