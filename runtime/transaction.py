"""How a loop writes: exactly once, in Kafka transactions, or at least once, without them.

`TransactionalWriter`: outputs and input offsets become visible together or not at all. What the broker
can answer, and what follows. An error that asks for an abort aborts, and the caller
reads its batch again. Anything else is the end of the process: a successor has fenced this producer, or
no broker answered for as long as a transaction may take, and then the broker gives it up in any case.
Calls are not repeated (librdkafka repeats what it can within a call, and a repeated
send_offsets_to_transaction was seen to hang for ever after a time-out): the successor in the slot fences
what was left, waits for a broker, and goes on from the offsets that were committed.

`PlainWriter`: outputs are visible as soon as the broker has them, and offsets are committed after that. A
crash in between repeats what was written since.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, NamedTuple, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, Producer
from confluent_kafka import TopicPartition as Partition

from runtime.errors import FencedError, KafkaUnavailableError
from runtime.kafka import producer_config
from runtime.metrics import METRICS
from runtime.settings import Settings
from schemas.envelope import Packed

log = logging.getLogger(__name__)

_INIT_SECONDS = 5.0
_COMPLAIN_EVERY_SECONDS = 5.0
PLAIN_CONSUMER = {"enable.auto.commit": True, "auto.commit.interval.ms": 100}
"""What a consumer needs beside a PlainWriter. A crash repeats the last 200 ms: half of it until all was with the
broker, half until the offsets were committed."""
_SETTLE_SECONDS = 0.1
_TURNS = ("", "-b", "-c", "-d")
"""What tells a writer's producers apart, after the id of the slot. Measured at 12,000 contacts/s: with two, one
transaction in a hundred waited for markers, with four none did."""
_MOST_QUEUED = 100_000
"""Records in the client's queue: its own default. A batch of the router makes half of it."""
_FENCED = (KafkaError._FENCED, KafkaError.FENCED_INSTANCE_ID)  # noqa: SLF001 - librdkafka's public codes bear it


class Complaints:
    """Logs at most one sentence every few seconds: an absent broker complains at every call."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._last = -_COMPLAIN_EVERY_SECONDS

    def say(self, sentence: str) -> None:
        """Log a warning, unless one was logged just now."""
        if time.monotonic() - self._last > _COMPLAIN_EVERY_SECONDS:
            self._last = time.monotonic()
            log.warning("%s: %s", self._service, sentence)


class BatchWriter(Protocol):
    """Writes the outputs of batches and the offsets that go with them, one transaction after the other.

    One may be sealed and under way while the next is filled. Every method but `begin_life` raises FencedError or
    KafkaUnavailableError when this process cannot go on; the writer is of no use afterwards.
    """

    def begin_life(self, stopping: threading.Event) -> None:
        """Wait for a broker, and end what a predecessor in this slot left open."""

    def queue(self, outputs: Sequence[Packed]) -> bool:
        """Send outputs on their way; return False where all since the last seal must be read again."""

    def seal(self, offsets: list[Partition], consumer: Consumer) -> None:
        """Begin to make what was queued stand. Nothing else may be under way: ask `stands` first.

        offsets: the next to read, per input partition; empty where none are kept.
        """

    def under_way(self, seconds: float) -> bool:
        """Return whether what was sealed is still under way after at most so many seconds."""

    def stands(self) -> bool:
        """Wait until what was sealed stands; return False where it, and what was queued since, must be read again."""

    def abandon(self) -> None:
        """Give up what was queued since the last seal: it will be read again, perhaps by another process."""

    def settle(self, consumer: Consumer) -> None:
        """Leave nothing for later: nothing has come, or partitions are about to go."""


class _Sealed(NamedTuple):
    """A transaction that a thread commits."""

    producer: Producer
    outcome: Future[None]


class TransactionalWriter:
    """The transactional producers of one service in one slot. Their ids are stable: a successor fences them.

    They take turns, one transaction each. After a commit the broker still writes its markers, and a producer that
    begins its next transaction meanwhile is told to come again: librdkafka then waits 20 ms. Commits run in a
    thread, one at a time and in order, while the next producer is written to. What it is given waits until the
    broker has all of the transaction before, so that the order of a key holds.
    """

    def __init__(
        self, settings: Settings, service: str, *, timeout_ms: int, most_aborts_in_a_row: int, complaints: Complaints
    ) -> None:
        self._settings = settings
        self._service = service
        self._call_seconds = timeout_ms / 1000
        self._most_aborts_in_a_row = most_aborts_in_a_row
        self._aborts_in_a_row = 0
        self._complaints = complaints
        self._topics = _TopicNames(settings)
        config = {
            **producer_config(settings),
            "queue.buffering.max.messages": _MOST_QUEUED,
            "transaction.timeout.ms": timeout_ms,
            "delivery.report.only.error": True,  # a record that failed fails the commit
        }
        identity = settings.service_id(service)
        self._producers = deque(Producer({**config, "transactional.id": f"{identity}{turn}"}) for turn in _TURNS)
        self._open = False
        self._sealed: _Sealed | None = None
        self._arrived = threading.Event()
        self._arrived.set()
        self._committer = ThreadPoolExecutor(1, f"{service}-commit")

    def begin_life(self, stopping: threading.Event) -> None:
        """Fence predecessors in this slot and abort what they left open; waits for a broker.

        Raises KafkaUnavailableError where transactions are refused.
        """
        waiting = deque(self._producers)
        while waiting and not stopping.is_set():
            try:
                waiting[0].init_transactions(_INIT_SECONDS)
            except KafkaException as problem:
                error = problem.args[0]
                if error.fatal() or not error.retriable():
                    raise KafkaUnavailableError(
                        f"{self._service}: transactions are refused: {error.str()}"
                    ) from problem
                self._complaints.say(f"Kafka at {self._settings.bootstrap} does not answer yet: {error.str()}")
            else:
                waiting.popleft()

    def queue(self, outputs: Sequence[Packed]) -> bool:
        """Begin a transaction, where none is open, and add outputs to it."""
        self._arrived.wait()
        try:
            if not self._open:
                self._producers[0].begin_transaction()
                self._open = True
            _produce(self._producers[0], self._topics, outputs)
        except KafkaException as problem:
            self._open = False
            self._abort(self._producers[0], problem)
            return False
        return True

    def seal(self, offsets: list[Partition], consumer: Consumer) -> None:
        """Have the thread commit the transaction, the offsets in it."""
        producer = self._producers[0]
        metadata = consumer.consumer_group_metadata() if offsets else None
        self._producers.rotate(-1)
        self._open = False
        self._arrived.clear()
        self._sealed = _Sealed(producer, self._committer.submit(self._commit, producer, offsets, metadata))

    def _commit(self, producer: Producer, offsets: list[Partition], metadata: object) -> None:
        try:
            if offsets:
                producer.send_offsets_to_transaction(offsets, metadata, self._call_seconds)
            producer.flush(self._call_seconds)  # what fails here fails the commit
        finally:
            self._arrived.set()
        producer.commit_transaction(self._call_seconds)

    def under_way(self, seconds: float) -> bool:
        """Return whether the commit is still at work after at most so many seconds."""
        return self._sealed is not None and bool(wait([self._sealed.outcome], seconds).not_done)

    def stands(self) -> bool:
        """Wait for the commit; where it failed, abort it and what was queued since."""
        if self._sealed is None:
            return True
        sealed, self._sealed = self._sealed, None
        try:
            sealed.outcome.result()
        except KafkaException as problem:
            self._abort(sealed.producer, problem)
            self.abandon()
            return False
        self._aborts_in_a_row = 0
        return True

    def abandon(self) -> None:
        """Abort the open transaction."""
        if self._open:
            self._open = False
            self._end_by_abort(self._producers[0])

    def settle(self, consumer: Consumer) -> None:
        """Do nothing: what stands leaves nothing for later."""

    def _abort(self, producer: Producer, problem: KafkaException) -> None:
        error: KafkaError = problem.args[0]
        METRICS.transactions_aborted.labels(self._service, error.name()).inc()
        if not error.txn_requires_abort() or error.code() in _FENCED:
            raise self._the_end(error) from problem
        log.warning("%s: the batch is aborted and read again: %s", self._service, error.str())
        self._aborts_in_a_row += 1
        if self._aborts_in_a_row > self._most_aborts_in_a_row:
            raise KafkaUnavailableError(
                f"{self._service}: {self._aborts_in_a_row} transactions in a row were aborted, the last: {error.str()}"
            ) from problem
        self._end_by_abort(producer)

    def _end_by_abort(self, producer: Producer) -> None:
        try:
            producer.abort_transaction(self._call_seconds)
        except KafkaException as problem:
            raise self._the_end(problem.args[0]) from problem

    def _the_end(self, error: KafkaError) -> FencedError | KafkaUnavailableError:
        if error.fatal() or error.code() in _FENCED:
            return FencedError(
                f"{self._service}: another process took slot {self._settings.slot}, or the broker gave the "
                f"transaction up: {error.str()}. This process ends; its successor continues where it left."
            )
        return KafkaUnavailableError(
            f"{self._service}: Kafka at {self._settings.bootstrap} did not finish a transaction: {error.str()}. "
            "This process ends; its successor continues where it left, once a broker answers."
        )


class PlainWriter:
    """An idempotent producer without transactions: at least once.

    The consumer must be configured with PLAIN_CONSUMER: it commits, in the background, what it is told to store.
    """

    def __init__(self, settings: Settings, service: str, *, timeout_ms: int) -> None:
        self._settings = settings
        self._service = service
        self._call_seconds = timeout_ms / 1000
        self._topics = _TopicNames(settings)
        self._failure: KafkaError | None = None
        self._offsets: dict[tuple[str, int], Partition] = {}
        self._settled_at = time.monotonic()
        self._producer = Producer(
            {
                **producer_config(settings),
                "message.timeout.ms": timeout_ms,
                "delivery.report.only.error": True,
                "on_delivery": self._delivered,
            }
        )

    def begin_life(self, stopping: threading.Event) -> None:
        """Do nothing: nobody is fenced, and the first batch waits for its broker."""

    def queue(self, outputs: Sequence[Packed]) -> bool:
        """Send outputs; a record that is refused at once ends this process, as one that fails later does."""
        try:
            _produce(self._producer, self._topics, outputs)
        except KafkaException as problem:
            raise self._the_end(problem.args[0].str()) from problem
        return True

    def seal(self, offsets: list[Partition], consumer: Consumer) -> None:
        """Take note of offsets; the consumer may commit them once the broker has everything that was queued.

        The next batch is stepped meanwhile. Nothing is under way for longer than _SETTLE_SECONDS.
        """
        self._offsets |= {(place.topic, place.partition): place for place in offsets}
        self._producer.poll(0)
        self._raise_failure()
        if len(self._producer) == 0 or time.monotonic() > self._settled_at + _SETTLE_SECONDS:
            self.settle(consumer)

    def under_way(self, _seconds: float) -> bool:
        """Return False: the next batch need not wait."""
        return False

    def stands(self) -> bool:
        """Return True: a record that is refused ends this process."""
        return True

    def abandon(self) -> None:
        """Do nothing: what was sent is sent, and will be repeated."""

    def settle(self, consumer: Consumer) -> None:
        """Wait until the broker has every output, then let the consumer commit the offsets that were noted."""
        self._settled_at = time.monotonic()
        if not self._offsets:
            return
        left = self._producer.flush(self._call_seconds)
        self._raise_failure()
        if left:
            raise self._the_end(f"{left} records were not taken within {self._call_seconds:g} s")
        offsets, self._offsets = self._offsets, {}
        consumer.store_offsets(offsets=list(offsets.values()))

    def _raise_failure(self) -> None:
        if self._failure is not None:
            raise self._the_end(self._failure.str())

    def _delivered(self, error: KafkaError | None, _message: Message) -> None:
        if error is not None and self._failure is None:
            self._failure = error

    def _the_end(self, what: str) -> KafkaUnavailableError:
        return KafkaUnavailableError(
            f"{self._service}: Kafka at {self._settings.bootstrap} did not take a batch: {what}. This process ends; "
            "its successor repeats the batch, once a broker answers."
        )


class _TopicNames(dict[str, str]):
    """Topics' names on the broker, by their registry names, each put together once."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __missing__(self, name: str) -> str:
        self[name] = self._settings.topic(name)
        return self[name]


def _produce(producer: Producer, topics: Mapping[str, str], outputs: Sequence[Packed]) -> None:
    """Hand outputs to the client; the order of each topic's is kept.

    Those without headers go in one call a topic, which takes no headers: 0.5 us a record, and 1.9 with six.
    """
    bare: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    produce = producer.produce
    for packed in outputs:
        if not packed.headers:
            bare[packed.topic].append({"key": packed.key, "value": packed.value})
            continue
        while True:
            try:
                produce(topics[packed.topic], packed.value, packed.key, headers=packed.headers)
            except BufferError:  # the local queue is full
                producer.poll(0.05)
            else:
                break
    for topic, messages in bare.items():
        while len(producer) + len(messages) > _MOST_QUEUED:
            producer.poll(0.05)
        if producer.produce_batch(topics[topic], messages) < len(messages):
            raise KafkaException(next(message["_error"] for message in messages if "_error" in message))
