"""A storm of kills on a running installation, watched by an independent reader."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from confluent_kafka import Consumer, KafkaError, TopicPartition

from runtime.clock import real_now
from runtime.kafka import consumer_config, last_stable_offsets, partitions_of
from runtime.settings import Settings
from schemas.fields import MICROS_PER_SECOND
from schemas.topics import ROUTED, Topic
from trunkline.demo.observe import Witness
from trunkline.installation import Installation


@contextlib.contextmanager
def traffic(running: Installation, arguments: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    """A simulator process of this installation; its summary comes on standard output."""
    settings = running.settings
    argv = [sys.executable, "-m", "trunkline", "simulate", "--json", "--bootstrap", settings.bootstrap]
    argv += ["--prefix", settings.prefix, *arguments]
    with (
        running.log("simulator").open("wb") as progress,
        subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=progress) as acd,
    ):
        try:
            yield acd
        finally:
            acd.terminate()


def summary_of(acd: subprocess.Popen[bytes]) -> dict[str, Any]:
    assert acd.stdout is not None
    return dict(json.loads(acd.stdout.read()))


class Storm:
    def __init__(self, running: Installation, witness: Witness) -> None:
        self.running, self.witness = running, witness
        self.gaps: list[tuple[str, float]] = []
        self.open_transactions_killed = 0

    def look_until(self, reached: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not reached():
            assert not self.running.supervisor.failed, self.running.supervisor.failed
            assert time.monotonic() < deadline, f"{self.witness.decided} decided, {len(self.witness.closed)} closed"
            self.witness.look(0.02)

    def kill(self, service: str) -> None:
        if service == "router":
            pid = self.running.supervisor.pids()["router", 0]
            frozen = freeze_in_transaction(self.running.settings, pid, ROUTED, lambda: self.witness.look(0.005))
            self.open_transactions_killed += frozen
        self.running.supervisor.kill(service, 0)
        killed_at = real_now()
        self.look_until(lambda: self.witness.latest_decision_at > killed_at, 60)
        self.gaps.append((service, (real_now() - killed_at) / MICROS_PER_SECOND))


def freeze_in_transaction(
    settings: Settings, pid: int, topic: Topic, pause: Callable[[], object], seconds: float = 5.0
) -> bool:
    """Freeze a process at a moment at which its transaction is open, as far as that comes in time.

    Its records of `topic` then lie beyond the last stable offset. `pause` is called, for a few milliseconds, between
    two attempts.
    """
    places = partitions_of(settings, [topic.name])
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        os.kill(pid, signal.SIGSTOP)
        stable, ends = last_stable_offsets(settings, places), _end_offsets(settings, places)
        if any(ends[place] > stable[place] for place in places):
            return True
        os.kill(pid, signal.SIGCONT)
        pause()
    return False


def _end_offsets(settings: Settings, places: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
    consumer = Consumer({**consumer_config(settings), "isolation.level": "read_uncommitted", "group.id": "storm"})
    try:
        return {
            (topic, partition): consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10)[1]
            for topic, partition in places
        }
    finally:
        consumer.close()


def count_uncommitted(settings: Settings, topic: Topic = ROUTED) -> int:
    """Records of a topic, those of aborted transactions included."""
    places = partitions_of(settings, [topic.name])
    consumer = Consumer({**consumer_config(settings), "isolation.level": "read_uncommitted", "group.id": "storm"})
    consumer.assign([TopicPartition(topic, partition, 0) for topic, partition in places])
    ended: set[int] = set()
    count = 0
    while len(ended) < len(places):
        for message in consumer.consume(5000, 0.5):
            error = message.error()
            if error is None:
                count += 1
            elif error.code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
    consumer.close()
    return count
