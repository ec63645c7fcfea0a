"""Kafka clients as every Trunkline process uses them.

All producers set `partitioner=murmur2_random` (Java's and Quix's default, not librdkafka's), or
keyed state would see a key on two partitions. All consumers read committed records only.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as Partition
from confluent_kafka.admin import AdminClient, OffsetSpec

from runtime.errors import KafkaUnavailableError
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.envelope import Envelope, Headers, Packed
from schemas.envelope import Record as Record  # noqa: PLC0414 - what Reader gives
from schemas.topics import Effect

MAX_RECORD_BYTES = 1_000_000
"""Largest value that a step may write; the broker's default limit is 1,048,588."""
MAX_DEAD_LETTER_BYTES = 2 * 1024 * 1024
"""A dead letter is the original, which the broker took, and headers: it must always fit."""

_LEADERLESS = (
    KafkaError.NOT_LEADER_FOR_PARTITION,
    KafkaError.LEADER_NOT_AVAILABLE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
    KafkaError.UNKNOWN_LEADER_EPOCH,
    KafkaError.FENCED_LEADER_EPOCH,
    KafkaError._NOENT,  # noqa: SLF001 - no leader is known of any partition; librdkafka's public codes bear the _
)
_LEADER_SECONDS = 10.0
_LEADER_RETRY_SECONDS = 0.05


FETCH_CONFIG = {"fetch.wait.max.ms": 50, "fetch.queue.backoff.ms": 5}
"""How consumers fetch. The second: with a full queue (64 MB) librdkafka pauses, by default for a second, in which a
fast reader empties it and then waits. A pass-through took 136,000 records/s with the default, 250,000 with this."""


def client_config(settings: Settings) -> dict[str, Any]:
    """Return what every client needs: where the brokers are, and how fast it retries."""
    return {
        "bootstrap.servers": settings.bootstrap,
        "retry.backoff.ms": 1,  # with its maximum of 5 this takes a 100 ms step out of the tail
        "retry.backoff.max.ms": 5,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1000,
        "socket.keepalive.enable": True,
        "log_level": 2,  # what it says of absent brokers, we say once, and with the remedy
    }


def producer_config(settings: Settings) -> dict[str, Any]:
    """Return the configuration shared by all producers.

    One request at a time: with several, what the first has is lost where a partition gets its leader between two
    (decision 0015). It also keeps the order over the retries of a producer without idempotence.
    """
    return {
        **client_config(settings),
        "partitioner": "murmur2_random",
        "enable.idempotence": True,
        "max.in.flight.requests.per.connection": 1,
        "linger.ms": 1,
        "message.max.bytes": MAX_DEAD_LETTER_BYTES,
    }


_AT_ONCE = {"enable.idempotence": False, "acks": "all"}


def consumer_config(settings: Settings) -> dict[str, Any]:
    """Return the configuration shared by all consumers."""
    return {
        **client_config(settings),
        "isolation.level": "read_committed",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "enable.partition.eof": True,
        **FETCH_CONFIG,
        "allow.auto.create.topics": False,
    }


def to_record(message: Message, settings: Settings) -> Record:
    """Return a consumed message as a Record."""
    return Record(
        settings.registry_name(message.topic()),
        message.partition(),
        message.offset(),
        message.key(),
        message.value(),
        tuple(message.headers() or ()),
        message.timestamp()[1],
    )


class Writer:
    """A producer of events, without transactions: for tools, the ACD and operators.

    Idempotent, unless `at_once`: librdkafka asks for a producer's id when it starts, again after 500 ms where no broker
    is connected yet, and sends nothing before it has one. Without, a record may be written twice after a lost answer.
    """

    def __init__(self, settings: Settings, source: str, *, at_once: bool = False) -> None:
        self._settings = settings
        self._producer = Producer({**producer_config(settings), **(_AT_ONCE if at_once else {})})
        self._envelope = Envelope(Codec(), source)
        self._failure: KafkaError | None = None

    def write(self, effect: Effect) -> None:
        """Queue an event; raises RecordError where it does not fit its schema or topic."""
        self.write_packed(self._pack(effect))

    def _pack(self, effect: Effect) -> Packed:
        if effect.event is not None:
            effect.topic.check(effect.event)
        return self._envelope.pack(effect)

    def write_bytes(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers | None = None) -> None:
        """Queue bytes as they are, to a topic by its registry name."""
        self.write_packed(Packed(topic, key, value, headers or []))

    def deliver(self, effects: Sequence[Effect], timeout_seconds: float) -> list[int]:
        """Write events and return their offsets once the broker has them all.

        Raises RecordError before anything is written, and KafkaUnavailableError where some may not have been; those
        that still wait then are dropped, so that nothing comes late.
        """
        packed = [self._pack(effect) for effect in effects]
        offsets: dict[int, int] = {}
        for at, each in enumerate(packed):
            self.write_packed(each, partial(offsets.__setitem__, at))
        try:
            self.flush(timeout_seconds)
        except KafkaUnavailableError:
            self._producer.purge()
            self._producer.poll(0)
            self._failure = None
            raise
        return [offsets[at] for at in range(len(packed))]

    def write_packed(self, packed: Packed, told: Callable[[int], None] | None = None) -> None:
        """Queue a packed record; waits where the local queue is full. `told` gets its offset once the broker has it."""
        while True:
            try:
                self._producer.produce(
                    self._settings.topic(packed.topic),
                    key=packed.key,
                    value=packed.value,
                    headers=packed.headers,
                    on_delivery=partial(self._delivered, told),
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def poll(self) -> None:
        """Serve delivery reports; raises KafkaUnavailableError where a record was refused."""
        self._producer.poll(0)
        self._raise_failure()

    def flush(self, timeout_seconds: float) -> None:
        """Wait until everything queued is on the broker; raises KafkaUnavailableError if it is not."""
        left = self._producer.flush(timeout_seconds)
        self._raise_failure()
        if left:
            raise KafkaUnavailableError(
                f"{left} records did not reach {self._settings.bootstrap} within {timeout_seconds:g} s: is Kafka up?"
            )

    def close(self) -> None:
        """Flush what is queued."""
        self.flush(10.0)

    def _delivered(self, told: Callable[[int], None] | None, error: KafkaError | None, message: Message) -> None:
        if error is None:
            if told is not None:
                told(message.offset())
        elif self._failure is None:
            self._failure = error

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise KafkaUnavailableError(f"Kafka at {self._settings.bootstrap} refused a record: {failure.str()}")


class Reader:
    """A consumer of whole topics, without a group: all partitions, read committed.

    start="end" pins the end (the last stable offset) in the constructor: whatever is committed
    afterwards is read. start=None reads nothing until `restart` says from where. partition: only this one of each.
    """

    def __init__(
        self,
        settings: Settings,
        topics: Sequence[str],
        *,
        start: Literal["beginning", "end"] | None,
        partition: int | None = None,
    ) -> None:
        self._settings = settings
        self._consumer = Consumer({**consumer_config(settings), "group.id": f"{settings.prefix}reader"})
        # Asked by the consumer itself: one that is assigned a partition whose leader it does not know waits 500 ms.
        partitions = partitions_of(settings, topics, asked=self._consumer)
        if partition is not None:
            partitions = [place for place in partitions if place[1] == partition]
        self._at_end = dict.fromkeys(partitions, False)
        self._read_to = dict.fromkeys(partitions, 0.0)
        self._next = dict.fromkeys(partitions, 0)
        if start is not None:
            self.restart(last_stable_offsets(settings, list(partitions)) if start == "end" else {})

    def restart(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Read on from these offsets, by (topic on the broker, partition); a partition without one, from its beginning.

        What was fetched before is dropped.
        """
        for place in self._at_end:
            self._at_end[place], self._read_to[place], self._next[place] = False, time.time(), 0
        self._consumer.assign([Partition(t, p, offsets.get((t, p), OFFSET_BEGINNING)) for t, p in self._at_end])

    def read(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return records that have come, waiting up to the timeout for the first; may be empty."""
        first = self._consumer.poll(timeout_seconds)
        if first is None:
            return []
        records: list[Record] = []
        more = self._consumer.consume(max_records - 1, 0) if max_records > 1 else []
        for message in (first, *more):
            error = message.error()
            place = (message.topic(), message.partition())
            if error is None:
                self._at_end[place] = False
                self._next[place] = message.offset() + 1
                record = to_record(message, self._settings)
                self._read_to[place] = record.timestamp_ms / 1000
                records.append(record)
            elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public codes bear it
                self._at_end[place] = True
            elif error.fatal() or not _passing(error):
                raise KafkaUnavailableError(f"reading {place[0]} from {self._settings.bootstrap} failed: {error.str()}")
        return records

    def at_end(self) -> bool:
        """Return whether every partition has been read to its end (as last heard)."""
        return all(self._at_end.values())

    def has_read(self, ends: Mapping[tuple[str, int], int]) -> bool:
        """Return whether every partition has been read to these offsets, or to its end, which may lie further by now.

        Marks that end transactions have offsets too, and are no records: where one is the last, only the end tells.
        """
        return all(at_end or self._next[place] >= ends[place] for place, at_end in self._at_end.items())

    def behind_seconds(self) -> float:
        """Return how old what was read last is, of the partition that is furthest behind; 0 at the end."""
        oldest = min((self._read_to[place] for place, at_end in self._at_end.items() if not at_end), default=None)
        return 0.0 if oldest is None else max(0.0, time.time() - oldest)

    def close(self) -> None:
        """Close the connection."""
        self._consumer.close()


def _passing(error: KafkaError) -> bool:
    codes = (KafkaError._TRANSPORT, KafkaError._ALL_BROKERS_DOWN, KafkaError._TIMED_OUT)  # noqa: SLF001
    return bool(error.retriable()) or error.code() in codes


def partitions_of(
    settings: Settings, topics: Sequence[str], timeout_seconds: float = 10.0, asked: Consumer | None = None
) -> list[tuple[str, int]]:
    """Return (topic on the broker, partition) for every partition of the named registry topics.

    Raises KafkaUnavailableError where the broker does not answer or a topic is missing.
    """
    client = asked or AdminClient(client_config(settings))
    try:
        metadata = client.list_topics(timeout=timeout_seconds)
    except KafkaException as problem:
        raise KafkaUnavailableError(
            f"Kafka at {settings.bootstrap} does not answer: {problem.args[0].str()}. "
            "Start it, or give its address with --bootstrap or TRUNKLINE_BOOTSTRAP."
        ) from problem
    out = []
    for name in topics:
        topic = metadata.topics.get(settings.topic(name))
        if topic is None or topic.error is not None:
            raise KafkaUnavailableError(
                f"topic {settings.topic(name)!r} does not exist on {settings.bootstrap}: run 'trunkline topics create'"
            )
        out += [(settings.topic(name), partition) for partition in sorted(topic.partitions)]
    return out


def last_stable_offsets(settings: Settings, partitions: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return the offset after the last committed record of each partition.

    Raises KafkaUnavailableError. A partition that has just been made has no leader for a moment.
    """
    asked = {Partition(topic, partition): OffsetSpec.latest() for topic, partition in partitions}
    admin = AdminClient(client_config(settings))
    deadline = time.monotonic() + _LEADER_SECONDS
    while True:
        futures = admin.list_offsets(asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=10)
        try:
            return {(place.topic, place.partition): future.result().offset for place, future in futures.items()}
        except KafkaException as problem:
            if problem.args[0].code() not in _LEADERLESS or time.monotonic() > deadline:
                raise KafkaUnavailableError(
                    f"Kafka at {settings.bootstrap} does not tell its offsets: {problem.args[0].str()}"
                ) from problem
            time.sleep(_LEADER_RETRY_SECONDS)


def wait_for_kafka(settings: Settings, timeout_seconds: float) -> None:
    """Return when a broker answers; raise KafkaUnavailableError when none does in time."""
    deadline = time.monotonic() + timeout_seconds
    while True:
        try:
            partitions_of(settings, (), timeout_seconds=2.0)
        except KafkaUnavailableError:
            if time.monotonic() >= deadline:
                raise
        else:
            return
