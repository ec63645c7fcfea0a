"""The raw ceiling: confluent_kafka alone, consume to produce, the router's transaction size, no work."""

from __future__ import annotations

import gc
import signal
from types import FrameType

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.peers.options import Options, read_options
from runtime.step import LoopOptions

_POLL_SECONDS = 0.1
_CALL_SECONDS = 10.0


def forward(options: Options) -> None:
    """Forward keys and values until SIGTERM."""
    stopping: list[int] = []

    def stop(number: int, _frame: FrameType | None) -> None:
        stopping.append(number)

    signal.signal(signal.SIGTERM, stop)
    consumer = Consumer(
        {
            "bootstrap.servers": options.bootstrap,
            "group.id": options.group,
            "isolation.level": "read_committed",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "fetch.wait.max.ms": 50,
            "fetch.queue.backoff.ms": 5,  # as ours: twice the rate
        }
    )
    producer = Producer(
        {
            "bootstrap.servers": options.bootstrap,
            "transactional.id": options.group,
            "partitioner": "murmur2_random",  # as the input's: what came from one partition goes to one
            "linger.ms": 1,
            "delivery.report.only.error": True,
            "queue.buffering.max.messages": 1_000_000,
            "retry.backoff.ms": 1,  # a transaction that begins just after another waits for the broker by this
            "retry.backoff.max.ms": 5,
        }
    )
    most, output = LoopOptions().batch_records, options.routed
    producer.init_transactions(_CALL_SECONDS)
    consumer.subscribe([options.offered])
    gc.freeze()
    gc.disable()
    while not stopping:
        first = consumer.poll(_POLL_SECONDS)
        if first is None:
            continue
        messages = [message for message in (first, *consumer.consume(most - 1, 0)) if message.error() is None]
        producer.begin_transaction()
        for message in messages:
            producer.produce(output, message.value(), message.key())
        places = {message.partition(): message.offset() + 1 for message in messages}
        offsets = [TopicPartition(options.offered, partition, offset) for partition, offset in places.items()]
        producer.send_offsets_to_transaction(offsets, consumer.consumer_group_metadata(), _CALL_SECONDS)
        producer.commit_transaction(_CALL_SECONDS)
    consumer.close()


if __name__ == "__main__":
    forward(read_options("raw", __doc__ or ""))
