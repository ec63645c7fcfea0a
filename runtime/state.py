"""State of one key, as a pure step sees it: named entries, read and written one by one.

Values are JSON data (numbers, strings, lists, dicts, None). Many small entries under a key beat
one large one: each entry is stored, and put on the changelog, by itself.
"""

from __future__ import annotations

from typing import Any, Protocol


class KeyedState(Protocol):
    """Named entries of one message key."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return the entry's value, or `default`. Do not change it in place: `set` it."""

    def set(self, name: str, value: Any) -> None:
        """Store JSON data under `name`."""

    def delete(self, name: str) -> None:
        """Forget `name`; nothing happens where it is not there."""


_ABSENT = object()


class Overlay:
    """Writes held back until `commit`: a step that fails leaves the state as it was."""

    def __init__(self, base: KeyedState) -> None:
        self._base = base
        self._writes: dict[str, Any] = {}

    def get(self, name: str, default: Any = None) -> Any:
        """Return what was set here, else what the base holds."""
        value = self._writes.get(name, self)
        if value is self:
            return self._base.get(name, default)
        return default if value is _ABSENT else value

    def set(self, name: str, value: Any) -> None:
        """Hold a write back."""
        self._writes[name] = value

    def delete(self, name: str) -> None:
        """Hold a deletion back."""
        self._writes[name] = _ABSENT

    def commit(self) -> None:
        """Write everything to the base."""
        for name, value in self._writes.items():
            if value is _ABSENT:
                self._base.delete(name)
            else:
                self._base.set(name, value)
        self._writes.clear()


class DictState:
    """State in a dictionary, for tests and for replays without Kafka."""

    def __init__(self) -> None:
        self.entries: dict[str, Any] = {}

    def get(self, name: str, default: Any = None) -> Any:
        """Return the entry's value, or `default`."""
        return self.entries.get(name, default)

    def set(self, name: str, value: Any) -> None:
        """Store a value."""
        self.entries[name] = value

    def delete(self, name: str) -> None:
        """Forget a value."""
        self.entries.pop(name, None)
