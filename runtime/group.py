"""A consumer in a group of its own, whose place is committed by whoever says what is done.

For work that ends out of order and outside Kafka. Every rebalance starts again at what was committed: what was read
before and is not done is read once more, here or by another process.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as Partition

from runtime.errors import FencedError, KafkaUnavailableError
from runtime.kafka import Record, consumer_config, partitions_of, to_record
from runtime.offsets import offsets_at
from runtime.settings import Settings
from runtime.transaction import Complaints

log = logging.getLogger(__name__)

Place = tuple[str, int]
"""A partition of a topic, by the topic's name in the registry."""

_CALL_SECONDS = 10.0
_CLOSE_SECONDS = 2.0
_LOST = (KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL)  # noqa: SLF001 - librdkafka's public codes bear it


class Turn(NamedTuple):
    """What a turn gave: records, whether partitions were assigned anew, and how many records are still to be read."""

    records: list[Record]
    anew: bool
    behind: int


class GroupReader:
    """A static member, by the slot of its process, of the group `<prefix><name>`. For one thread.

    starts_at: where nothing was committed, it starts with what was written then (real time, UTC microseconds).
    """

    def __init__(self, settings: Settings, name: str, topics: Sequence[str], *, starts_at: int) -> None:
        """Subscribe; raises KafkaUnavailableError where the broker does not answer or a topic is missing."""
        self._settings = settings
        self._starts_at = starts_at
        self._name = name
        self._complaints = Complaints(name)
        self._owned: list[Partition] = []
        self._moved = False
        self._held = False
        self._at_end: set[tuple[str, int]] = set()
        self._uncommitted: dict[tuple[str, int], int] = {}
        self._commits_under_way = 0
        self._consumer = Consumer(
            {
                **consumer_config(settings),
                "group.id": f"{settings.prefix}{name}",
                "group.instance.id": settings.service_id(name),
                # Eager: librdkafka does not keep its place in partitions kept over a cooperative rebalance.
                "partition.assignment.strategy": "range",
                # There may be many of these, and with 50 ms each asks the broker 20 times a second for nothing. What
                # comes is answered at once: with 500 the p99 from a transition to its receiver is 0.27 s (measured).
                "fetch.wait.max.ms": 500,
                "session.timeout.ms": 6_000,
                "heartbeat.interval.ms": 2_000,
                "on_commit": self._committed,
            }
        )
        partitions_of(settings, topics, asked=self._consumer)
        self._consumer.subscribe(
            [settings.topic(topic) for topic in topics],
            on_assign=self._assigned,
            on_revoke=self._revoked,
            on_lost=self._revoked,
        )

    def turn(self, done: Mapping[Place, int], room: int, timeout_seconds: float) -> Turn:
        """Commit what is done, and return what has come, waiting up to the timeout for the first record.

        done: partition -> the first offset that is not done. room: the most records that are wanted; with 0 nothing is
        fetched, and the process stays in its group. Where `anew` is true all that was read and is not done must be
        forgotten. Raises FencedError where another process has this slot, KafkaUnavailableError where the broker
        refuses.
        """
        self._commit(done)
        self._hold(held=room <= 0)
        first = self._consumer.poll(timeout_seconds)
        more = self._consumer.consume(room - 1, 0) if first is not None and room > 1 else []
        messages = [first, *more] if first is not None else []
        records = [to_record(each, self._settings) for each in messages if each.error() is None or self._told(each)]
        for record in records:
            self._at_end.discard((self._settings.topic(record.topic), record.partition))
        if not self._moved:
            return Turn(records, anew=False, behind=self._behind())
        self._start()
        return Turn([], anew=True, behind=0)

    def close(self, done: Mapping[Place, int]) -> None:
        """Commit what is done, and leave; the slot keeps its partitions for as long as a session lasts."""
        self._commit(done)
        deadline = time.monotonic() + _CLOSE_SECONDS
        while self._commits_under_way and time.monotonic() < deadline:
            self._hold(held=True)
            self._consumer.poll(0.05)
        self._consumer.close()

    # What is done.

    def _commit(self, done: Mapping[Place, int]) -> None:
        self._uncommitted |= {(self._settings.topic(topic), number): at for (topic, number), at in done.items()}
        owned = {(each.topic, each.partition) for each in self._owned}
        self._uncommitted = {place: at for place, at in self._uncommitted.items() if place in owned}
        if not self._uncommitted:
            return
        wanted = [Partition(*place, at) for place, at in self._uncommitted.items()]
        try:
            self._consumer.commit(offsets=wanted, asynchronous=True)
        except KafkaException as problem:
            self._complaints.say(f"positions are not committed, and tried again: {problem.args[0].str()}")
            return
        self._uncommitted = {}
        self._commits_under_way += 1

    def _committed(self, error: KafkaError | None, partitions: list[Partition]) -> None:
        self._commits_under_way -= 1
        refused = [each for each in partitions if error is not None or each.error is not None]
        if not refused:
            return
        self._complaints.say(f"a position is not committed, and tried again: {error or refused[0].error}")
        older = {(each.topic, each.partition): each.offset for each in refused}
        self._uncommitted = older | self._uncommitted

    # Where it reads.

    def _hold(self, *, held: bool) -> None:
        if held is not self._held and self._owned:
            (self._consumer.pause if held else self._consumer.resume)(self._owned)
            self._held = held

    def _start(self) -> None:
        """Read the partitions that it has now from where they were left, or from when it was to start."""
        self._moved = self._held = False
        self._at_end.clear()
        self._uncommitted.clear()
        try:
            places = self._consumer.committed(self._owned, _CALL_SECONDS) if self._owned else []
        except KafkaException as problem:
            raise KafkaUnavailableError(
                f"Kafka at {self._settings.bootstrap} does not tell what was committed: {problem.args[0].str()}"
            ) from problem
        new = [(each.topic, each.partition) for each in places if each.offset < 0]
        starts = offsets_at(self._settings, new, self._starts_at) if new else {}
        self._owned = [
            Partition(each.topic, each.partition, starts.get((each.topic, each.partition), each.offset))
            for each in places
        ]
        self._consumer.assign(self._owned)
        owned = [f"{each.topic}[{each.partition}] from {each.offset}" for each in self._owned]
        log.info("%s reads %s", self._name, ", ".join(owned) or "nothing")
        # A place is held from the beginning: without it, one that leaves before the first record would start elsewhere.
        self._commit({(self._settings.registry_name(topic), number): at for (topic, number), at in starts.items()})

    def _behind(self) -> int:
        """Return how many records of its partitions were not read, as last heard; markers of transactions count."""
        behind = 0
        positions = self._consumer.position(self._owned) if self._owned else []
        for each, start in zip(positions, self._owned, strict=True):
            if (each.topic, each.partition) not in self._at_end:
                _low, high = self._consumer.get_watermark_offsets(each, cached=True)
                behind += max(0, high - (each.offset if each.offset >= 0 else start.offset))
        return behind

    # What the client reports.

    def _told(self, message: Message) -> bool:
        """Return False: the message is a report of the client's, which is taken note of."""
        error = message.error()
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public codes bear it
            self._at_end.add((message.topic(), message.partition()))
        elif error.fatal() or error.code() in _LOST:
            raise FencedError(
                f"another process took slot {self._settings.slot}: {error.str()}. "
                "This process ends: let one of the two run."
            )
        else:
            self._complaints.say(f"reading: {error.str()}")
        return False

    def _assigned(self, consumer: Consumer, partitions: list[Partition]) -> None:
        consumer.assign([])  # the places follow once the callback is over
        self._owned = partitions
        self._moved = True

    def _revoked(self, consumer: Consumer, _partitions: list[Partition]) -> None:
        consumer.unassign()
        self._owned = []
        self._moved = True
