"""State of one key, as a pure step sees it: named entries, read and written one by one.

Values are JSON data (numbers, strings, lists, dicts, None), or bytes that a step has made of its own types. Many small
entries under a key beat one large one: each entry is stored, and put on the changelog, by itself.
"""

from __future__ import annotations

from typing import Any, Protocol


class KeyedState(Protocol):
    """Named entries of one message key."""

    def get(self, name: str, default: Any = None) -> Any:
        """Return the entry's value, or `default`. Do not change it in place: `set` it."""

    def set(self, name: str, value: Any) -> None:
        """Store JSON data under `name`."""

    def get_bytes(self, name: str) -> bytes | None:
        """Return the bytes of an entry, None where there is none."""

    def set_bytes(self, name: str, value: bytes) -> None:
        """Store bytes under `name`. They are read with `get_bytes` alone."""

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

    def get_bytes(self, name: str) -> bytes | None:
        """Return the bytes that were set here, else those that the base holds."""
        value = self._writes.get(name)
        if value is None:
            return self._base.get_bytes(name)
        return None if value is _ABSENT else bytes(value)

    def set_bytes(self, name: str, value: bytes) -> None:
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
            elif isinstance(value, bytes):
                self._base.set_bytes(name, value)
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

    def get_bytes(self, name: str) -> bytes | None:
        """Return the bytes of an entry."""
        return self.entries.get(name)

    def set_bytes(self, name: str, value: bytes) -> None:
        """Store bytes."""
        self.entries[name] = value

    def delete(self, name: str) -> None:
        """Forget a value."""
        self.entries.pop(name, None)
