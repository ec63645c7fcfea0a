"""Where on a topic a moment of the past is: for tools that look back without reading all that is kept."""

from __future__ import annotations

from collections.abc import Sequence

from confluent_kafka import KafkaException
from confluent_kafka import TopicPartition as Partition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.errors import KafkaUnavailableError
from runtime.kafka import client_config, last_stable_offsets
from runtime.settings import Settings


def offsets_at(settings: Settings, partitions: Sequence[tuple[str, int]], at: int) -> dict[tuple[str, int], int]:
    """Return the offset of the first record written at `at` or later, by (topic on the broker, partition).

    at: real time, UTC microseconds. Where nothing was written since, it is the end. Raises KafkaUnavailableError.
    """
    ends = last_stable_offsets(settings, partitions)  # it waits for partitions that have just been made
    spec = OffsetSpec.for_timestamp(max(0, at // 1000))
    asked = {Partition(topic, partition): spec for topic, partition in ends}
    admin = AdminClient(client_config(settings))  # kept by a name: a client that is gone never answers
    futures = admin.list_offsets(asked, request_timeout=10)
    try:
        found = {(place.topic, place.partition): future.result().offset for place, future in futures.items()}
    except KafkaException as problem:
        raise KafkaUnavailableError(
            f"Kafka at {settings.bootstrap} does not tell its offsets: {problem.args[0].str()}"
        ) from problem
    return {place: ends[place] if offset < 0 else offset for place, offset in found.items()}
