"""What the control topics say at one moment: passed to every step, never changed in place."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from schemas.fields import Event
from schemas.topics import Topic

_EMPTY: Mapping[str, Any] = MappingProxyType({})


@dataclasses.dataclass(frozen=True, slots=True)
class Snapshot:
    """The latest record of each key of each followed control topic.

    `epochs`: topic name -> offset of the last record applied, -1 when nothing was read.
    """

    epochs: Mapping[str, int] = dataclasses.field(default_factory=lambda: _EMPTY)
    latest: Mapping[str, Mapping[str, Any]] = dataclasses.field(default_factory=lambda: _EMPTY)

    def of(self, topic: Topic) -> Mapping[str, Any]:
        """Return key -> latest event of a topic (empty when it is not followed or holds nothing)."""
        return self.latest.get(topic.name, _EMPTY)

    def epoch(self, topic: Topic) -> int:
        """Return the offset of the last record applied, or -1."""
        return self.epochs.get(topic.name, -1)

    def with_record(self, topic: Topic, key: str, event: Event | None, offset: int) -> Snapshot:
        """Return a snapshot in which `event` is the latest under `key` (None removes it)."""
        entries = dict(self.of(topic))
        if event is None:
            entries.pop(key, None)
        else:
            entries[key] = event
        return Snapshot(
            epochs=MappingProxyType({**self.epochs, topic.name: offset}),
            latest=MappingProxyType({**self.latest, topic.name: MappingProxyType(entries)}),
        )
