"""What the router keeps in Redis, in memory: for its core alone, and for tests of what surrounds it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from router.limits import Taken


class MemoryGuard:
    """The offer-once guard in a dictionary (a `router.app.Guard`)."""

    def __init__(self) -> None:
        self._first: dict[str, str] = {}
        self._others: dict[int, str] = {}

    def ask(self, keys: Sequence[str], values: Sequence[str]) -> None:
        """Note what is new, and find what was there with another value."""
        first = self._first
        pairs = enumerate(zip(keys, values, strict=True))
        self._others = {at: seen for at, (key, value) in pairs if (seen := first.setdefault(key, value)) != value}

    def others(self) -> dict[int, str] | None:
        """Return index -> the value that came first, for what was asked last."""
        return self._others


class MemoryWindows:
    """Counts for ever, each contact once (`router.limits.Windows`); `down` is Redis's outage."""

    def __init__(self) -> None:
        self.members: dict[str, dict[str, None]] = defaultdict(dict)
        self.calls = 0
        self.down = False

    def count(self, asked: Sequence[tuple[str, str, float]], _now_seconds: float) -> list[float] | None:
        """Count contacts, and return how many their names have."""
        self.calls += 1
        counts = []
        for name, member, _ in asked:
            self.members[name][member] = None
            counts.append(float(len(self.members[name])))
        return None if self.down else counts


class MemoryAtOnce:
    """Who has which contacts (`router.limits.AtOnce`), for all routers; `down` is Redis's outage."""

    def __init__(self) -> None:
        self.sets: dict[str, set[str]] = defaultdict(set)
        self.asked: list[Sequence[str]] = []
        self.down = False

    def ask(self, keys: Sequence[str]) -> None:
        """Note how many contacts these agents have."""
        self.asked.append(keys)
        self.answer = {key: len(self.sets[key]) for key in keys}

    def counts(self) -> dict[str, int] | None:
        """Return what was noted."""
        return None if self.down else self.answer

    def take(self, taken: Sequence[Taken]) -> None:
        """Add contacts."""
        for key, contact in taken:
            self.sets[key].add(contact)

    def release(self, ended: Sequence[Taken]) -> bool:
        """Take contacts away."""
        for key, contact in ended:
            self.sets[key].discard(contact)
        return True
