"""A record lies where our own arithmetic says, as librdkafka writes it."""

from __future__ import annotations

from collections.abc import Callable

from confluent_kafka import Producer

from runtime.kafka import partitions_of, producer_config
from runtime.partitioner import partition_of
from runtime.settings import Settings
from schemas.topics import INTERACTION_EVENTS
from tests.support.topics import read_until

KEYS = [bytes([n % 251]) * (n % 13 + 1) + str(n).encode() for n in range(300)] + [
    "Grüße/聯絡".encode(),
    b"\xff\xfe",
    b"x",
]


def test_a_producer_puts_every_key_where_the_partitioner_says(settings: Settings) -> None:
    producer = Producer(producer_config(settings))
    for key in KEYS:
        producer.produce(settings.topic(INTERACTION_EVENTS.name), key=key, value=b"v")
    producer.flush(20)
    count = len(partitions_of(settings, [INTERACTION_EVENTS.name]))
    records = read_until(settings, [INTERACTION_EVENTS.name], _at_least(len(KEYS)))
    assert count == settings.keyed_partitions
    assert {(r.key, r.partition) for r in records} == {(key, partition_of(key, count)) for key in KEYS}
    assert len({r.partition for r in records}) == count


def _at_least(count: int) -> Callable[[list], bool]:
    return lambda records: len(records) >= count
