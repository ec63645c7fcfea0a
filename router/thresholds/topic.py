"""Outcomes from the topic interactions.closed, as it is now."""

from __future__ import annotations

import time
from collections.abc import Iterator

from router.thresholds.outcomes import Outcomes, Wanted, gathered
from runtime.errors import KafkaUnavailableError
from runtime.kafka import Reader, last_stable_offsets, partitions_of
from runtime.schemas_topic import PublishedSchemas
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.errors import RecordError
from schemas.interactions import Closed
from schemas.topics import CLOSED

_SILENT_SECONDS = 30.0
"""Without a record for so long, before its end, a topic is held to be unreadable."""


def read_topic(settings: Settings, wanted: Wanted) -> Outcomes:
    """Return the outcomes that interactions.closed has now, read committed, from its beginning.

    Raises KafkaUnavailableError where the topic cannot be read to its end.
    """
    reader = Reader(settings, [CLOSED.name], start="beginning")
    try:
        return gathered(_closed(settings, reader), wanted)
    finally:
        reader.close()


def _closed(settings: Settings, reader: Reader) -> Iterator[Closed]:
    """Yield what is there, until each partition has been read as far as it went at the start."""
    codec = Codec(PublishedSchemas(settings).fetch)
    ends = last_stable_offsets(settings, partitions_of(settings, [CLOSED.name]))
    # The mark that ends a transaction takes the offset before the end, and is not read: the last record is two before.
    last = {partition: end - 2 for (_topic, partition), end in ends.items()}
    heard = time.monotonic()
    while last and not reader.at_end():
        records = reader.read(1000, 0.2)
        if records:
            heard = time.monotonic()
        elif time.monotonic() - heard > _SILENT_SECONDS:
            raise KafkaUnavailableError(f"{CLOSED.name} said nothing for {_SILENT_SECONDS:g} s: is Kafka up?")
        for record in records:
            try:
                event = codec.decode(record.value, CLOSED.types)
            except RecordError:
                event = None
            if isinstance(event, Closed):
                yield event
        for record in records:
            if record.offset >= last.get(record.partition, record.offset + 1):
                del last[record.partition]
