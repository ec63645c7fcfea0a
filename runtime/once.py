"""What a command does with Kafka and is done: look at control topics, write a few events."""

from __future__ import annotations

from collections.abc import Sequence

from runtime.control import ControlFollower
from runtime.kafka import Writer
from runtime.schemas_topic import PublishedSchemas
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from schemas.codec import Codec
from schemas.topics import Effect, Topic


def look_at(settings: Settings, source: str, topics: Sequence[Topic]) -> Snapshot:
    """Return what control topics say now; raises KafkaUnavailableError where they cannot be read."""
    control = ControlFollower(settings, source, topics, Codec(PublishedSchemas(settings).fetch))
    try:
        control.read_to_end()
        return control.snapshot
    finally:
        control.close()


def write_once(settings: Settings, source: str, *effects: Effect) -> None:
    """Write events at once, and return when the broker has them; raises RecordError and KafkaUnavailableError.

    For orders and policies, of which the last stands: the same written twice changes nothing.
    """
    writer = Writer(settings, source, at_once=True)
    for effect in effects:
        writer.write(effect)
    writer.close()
