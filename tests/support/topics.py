"""Reading and writing topics in tests, independently of the code under test."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from runtime.kafka import Reader, Record
from runtime.once import write_once
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.fields import Event
from schemas.topics import Effect, Topic


def write_all(settings: Settings, effects: Sequence[Effect]) -> None:
    write_once(settings, "test", *effects)


def read_until(
    settings: Settings, topics: Sequence[str], enough: Callable[[list[Record]], bool], timeout_seconds: float = 40.0
) -> list[Record]:
    """Return the committed records of topics once `enough` says so; fail after the timeout."""
    reader = Reader(settings, topics, start="beginning")
    records: list[Record] = []
    deadline = time.monotonic() + timeout_seconds
    try:
        while not (enough(records)):
            assert time.monotonic() < deadline, f"only {len(records)} records came within {timeout_seconds:g} s"
            records += reader.read(1000, 0.2)
    finally:
        reader.close()
    return records


def read_now(settings: Settings, topics: Sequence[str]) -> list[Record]:
    """Return every committed record that is there now."""
    reader = Reader(settings, topics, start="beginning")
    records: list[Record] = []
    try:
        while not reader.at_end():
            records += reader.read(1000, 0.2)
    finally:
        reader.close()
    return records


def events(records: Sequence[Record], topic: Topic) -> list[Event]:
    codec = Codec()
    return [codec.decode(record.value) for record in records if record.topic == topic.name and record.value]
