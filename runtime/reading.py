"""Topics as they are now, from their beginning to where they end at the start, event by event."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from runtime.errors import KafkaUnavailableError
from runtime.kafka import Reader, last_stable_offsets, partitions_of
from runtime.schemas_topic import PublishedSchemas
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.errors import RecordError
from schemas.fields import Event
from schemas.topics import BY_NAME, Topic

_AT_ONCE = 5_000
_READ_SECONDS = 0.2
_SILENT_SECONDS = 30.0
"""Without a record for so long, before its end, a topic is held to be unreadable."""
_TOLD_SECONDS = 5.0


def events(settings: Settings, topics: Sequence[Topic], tell: Callable[[str], None]) -> Iterator[Event]:
    """Yield what topics hold, read committed, those of a partition in their order; a little of what comes meanwhile.

    tell: is given a line every 5 seconds, and at the end where records had to be left out. Raises KafkaUnavailableError
    where the topics cannot be read to their end.
    """
    names = ", ".join(topic.name for topic in topics)
    codec = Codec(PublishedSchemas(settings).fetch)
    registered = [topic.name for topic in topics]
    reader = Reader(settings, registered, start="beginning")
    ends = last_stable_offsets(settings, partitions_of(settings, registered))
    heard = told = time.monotonic()
    read = left_out = 0
    try:
        while not reader.has_read(ends):
            records = reader.read(_AT_ONCE, _READ_SECONDS)
            at = time.monotonic()
            heard = at if records else heard
            if at - heard > _SILENT_SECONDS:
                raise KafkaUnavailableError(f"{names} said nothing for {_SILENT_SECONDS:g} s: is Kafka up?")
            read += len(records)
            if at - told > _TOLD_SECONDS:
                told = at
                tell(f"{read:,} records read")
            for record in records:
                try:
                    event = codec.decode(record.value, BY_NAME[record.topic].types) if record.value else None
                except RecordError:
                    left_out += 1
                    continue
                if event is not None:
                    yield event
    finally:
        reader.close()
    if left_out:
        tell(f"{left_out} records of {names} are no records of Trunkline and were left out")
