"""When decisions become visible: a read-committed consumer notes which came and when.

`python -m bench.receipts` is a process of its own, begun as `bench.openloop`. It writes contacts' numbers and instants
to a file and ends when all that are expected have come and nothing more does, or when nothing has come for long.
"""

from __future__ import annotations

import argparse
import gc
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from confluent_kafka import Consumer, KafkaException
from confluent_kafka import TopicPartition as Partition

from bench.openloop import Floats, begin
from bench.stage import PARTITIONS
from runtime.kafka import consumer_config
from runtime.options import settings_of
from runtime.settings import Settings
from schemas.topics import ROUTED

Ints = npt.NDArray[np.int64]

_QUIET_SECONDS = 1.0
"""All have come: so long a wait for what came twice, five times what an at-least-once router may repeat."""
_LOST_SECONDS = 8.0
_BATCH_RECORDS = 2_000
_KEY_PREFIX = len("bench-")


class Receipts(NamedTuple):
    """Contacts' numbers in the order in which their decisions came, and when, in seconds of CLOCK_MONOTONIC."""

    numbers: Ints
    instants: Floats

    def save(self, path: Path) -> None:
        """Write both to a file of numpy's."""
        np.savez(path, numbers=self.numbers, instants=self.instants)


def load_receipts(path: Path) -> Receipts:
    """Return what `Receipts.save` wrote."""
    with np.load(path) as stored:
        return Receipts(stored["numbers"], stored["instants"])


def follower(settings: Settings) -> Consumer:
    """Return a consumer at the beginning of the topic of decisions, connected."""
    consumer = Consumer({**consumer_config(settings), "group.id": f"{settings.prefix}receipts"})
    topic = settings.topic(ROUTED.name)
    consumer.list_topics(topic, timeout=10)
    consumer.assign([Partition(topic, partition, 0) for partition in range(PARTITIONS)])
    consumer.poll(0.2)
    return consumer


def receive(consumer: Consumer, expected: int, last_due: float) -> Receipts:
    """Return what comes; expected: contacts. last_due: the instant of the last offer. Raises KafkaException."""
    keys: list[bytes] = []
    batches: list[tuple[int, float]] = []
    while True:
        first = consumer.poll(_QUIET_SECONDS)
        now = time.monotonic()
        if first is None:
            if len(keys) >= expected or now > last_due + _LOST_SECONDS:
                break
            continue
        for message in (first, *consumer.consume(_BATCH_RECORDS, 0)):
            error = message.error()
            if error is None:
                keys.append(message.key())
            elif error.fatal():
                raise KafkaException(error)
        batches.append((len(keys), now))
    ends = np.array([end for end, _ in batches], dtype=np.int64)
    instants = np.array([at for _, at in batches])
    numbers = np.array([int(key[_KEY_PREFIX:]) for key in keys], dtype=np.int64)
    return Receipts(numbers, np.repeat(instants, np.diff(ends, prepend=0)))


def main() -> None:
    """Note receipts until all have come."""
    parser = argparse.ArgumentParser(prog="python -m bench.receipts", description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--expected", required=True, type=int)
    parser.add_argument("--seconds", required=True, type=float, help="how long offers are written")
    parser.add_argument("--out", required=True, type=Path)
    given = parser.parse_args()
    settings = settings_of({"bootstrap": given.bootstrap, "prefix": given.prefix})
    consumer = follower(settings)
    gc.collect()
    gc.freeze()
    gc.disable()
    receive(consumer, given.expected, begin() + given.seconds).save(given.out)
    consumer.close()


if __name__ == "__main__":
    main()
