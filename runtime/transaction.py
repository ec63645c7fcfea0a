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
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

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
    """Writes the outputs of batches and the offsets that go with them.

    Every method but `begin_life` raises FencedError or KafkaUnavailableError when this process cannot go on;
    the writer is of no use afterwards.
    """

    def begin_life(self, stopping: threading.Event) -> None:
        """Wait for a broker, and end what a predecessor in this slot left open."""

    def queue(self, outputs: Sequence[Packed]) -> bool:
        """Send outputs on their way; return False where the batch must be read again."""

    def commit(self, offsets: list[Partition], consumer: Consumer) -> bool:
        """Make what was queued stand; return False where the batch must be read again.

        offsets: the next to read, per input partition; empty where none are kept.
        """

    def settle(self, consumer: Consumer) -> None:
        """Leave nothing under way: nothing has come, or partitions are about to go."""


class TransactionalWriter:
    """The transactional producers of one service in one slot. Their ids are stable: a successor fences them.

    Two take turns, one transaction each. After a commit the broker still writes its markers, and a producer that
    begins its next transaction meanwhile is told to come again: librdkafka then waits, 12 ms on average and 40
    at the 99th percentile, measured. The other producer's markers were written a transaction ago.
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
        self._open = False
        self._topics = _TopicNames(settings)
        config = {
            **producer_config(settings),
            "queue.buffering.max.messages": _MOST_QUEUED,
            "transaction.timeout.ms": timeout_ms,
            "delivery.report.only.error": True,  # a record that failed fails the commit
        }
        identity = settings.service_id(service)
        self._producer, self._other = (
            Producer({**config, "transactional.id": name}) for name in (identity, f"{identity}-b")
        )

    def begin_life(self, stopping: threading.Event) -> None:
        """Fence predecessors in this slot and abort what they left open; waits for a broker.

        Raises KafkaUnavailableError where transactions are refused.
        """
        waiting = [self._producer, self._other]
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
                waiting.pop(0)

    def queue(self, outputs: Sequence[Packed]) -> bool:
        """Begin a transaction, where none is open, and add outputs to it."""
        try:
            if not self._open:
                self._producer.begin_transaction()
                self._open = True
            _produce(self._producer, self._topics, outputs)
        except KafkaException as problem:
            self._abort(problem)
            return False
        return True

    def commit(self, offsets: list[Partition], consumer: Consumer) -> bool:
        """Commit the transaction, the offsets in it."""
        try:
            if offsets:
                self._producer.send_offsets_to_transaction(
                    offsets, consumer.consumer_group_metadata(), self._call_seconds
                )
            self._producer.commit_transaction(self._call_seconds)
        except KafkaException as problem:
            self._abort(problem)
            return False
        self._open = False
        self._aborts_in_a_row = 0
        self._producer, self._other = self._other, self._producer
        return True

    def settle(self, consumer: Consumer) -> None:
        """Do nothing: a commit leaves nothing under way."""

    def _abort(self, problem: KafkaException) -> None:
        self._open = False
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
        try:
            self._producer.abort_transaction(self._call_seconds)
        except KafkaException as second:
            raise self._the_end(second.args[0]) from second

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

    def commit(self, offsets: list[Partition], consumer: Consumer) -> bool:
        """Take note of offsets; the consumer may commit them once the broker has everything that was queued.

        The next batch is stepped meanwhile. Nothing is under way for longer than _SETTLE_SECONDS.
        """
        self._offsets |= {(place.topic, place.partition): place for place in offsets}
        self._producer.poll(0)
        self._raise_failure()
        if len(self._producer) == 0 or time.monotonic() > self._settled_at + _SETTLE_SECONDS:
            self.settle(consumer)
        return True

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
