"""Topics that were just made lose none of their first records."""

from __future__ import annotations

import uuid

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.admin import create_topics, topic_specs
from runtime.kafka import client_config, producer_config
from runtime.settings import Settings


def test_every_partition_is_led_once_topics_are_created(settings: Settings) -> None:
    made = settings.model_copy(update={"prefix": f"t{uuid.uuid4().hex[:10]}."})
    create_topics(made)
    places = [TopicPartition(spec.topic, n) for spec in topic_specs(made) for n in range(spec.num_partitions)]
    admin = AdminClient(client_config(made))
    told = admin.list_offsets(dict.fromkeys(places, OffsetSpec.latest()), request_timeout=10)
    assert {future.result().offset for future in told.values()} == {0}


def test_a_producer_sends_one_request_at_a_time(settings: Settings) -> None:
    # With several, the second to a new partition may be taken where the first was refused (decision 0015).
    assert producer_config(settings)["max.in.flight.requests.per.connection"] == 1
