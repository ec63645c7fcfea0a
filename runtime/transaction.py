"""Outputs and input offsets written as one Kafka transaction: all of it becomes visible, or none.

What the broker can answer, and what follows. An error that asks for an abort aborts, and the caller
reads its batch again. Anything else is the end of the process: a successor has fenced this producer, or
no broker answered for as long as a transaction may take, and then the broker gives it up in any case.
Calls are not repeated (librdkafka repeats what it can within a call, and a repeated
send_offsets_to_transaction was seen to hang for ever after a time-out): the successor in the slot fences
what was left, waits for a broker, and goes on from the offsets that were committed.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import TopicPartition as Partition

from runtime.errors import FencedError, KafkaUnavailableError
from runtime.kafka import producer_config
from runtime.metrics import METRICS
from runtime.settings import Settings
from schemas.envelope import Packed

log = logging.getLogger(__name__)

_INIT_SECONDS = 5.0
_COMPLAIN_EVERY_SECONDS = 5.0
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


class TransactionalWriter:
    """The transactional producer of one service in one slot. Its id is stable: a successor fences it."""

    def __init__(
        self, settings: Settings, service: str, *, timeout_ms: int, most_aborts_in_a_row: int, complaints: Complaints
    ) -> None:
        self._settings = settings
        self._service = service
        self._call_seconds = timeout_ms / 1000
        self._most_aborts_in_a_row = most_aborts_in_a_row
        self._aborts_in_a_row = 0
        self._complaints = complaints
        self._producer = Producer(
            {
                **producer_config(settings),
                "transactional.id": settings.service_id(service),
                "transaction.timeout.ms": timeout_ms,
            }
        )

    def begin_life(self, stopping: threading.Event) -> None:
        """Fence predecessors in this slot and abort what they left open; waits for a broker.

        Raises KafkaUnavailableError where transactions are refused.
        """
        while not stopping.is_set():
            try:
                self._producer.init_transactions(_INIT_SECONDS)
            except KafkaException as problem:
                error = problem.args[0]
                if error.fatal() or not error.retriable():
                    raise KafkaUnavailableError(
                        f"{self._service}: transactions are refused: {error.str()}"
                    ) from problem
                self._complaints.say(f"Kafka at {self._settings.bootstrap} does not answer yet: {error.str()}")
            else:
                return

    def write(self, outputs: Sequence[Packed], offsets: list[Partition], member: Callable[[], object]) -> bool:
        """Write outputs and offsets; return False where the transaction was aborted.

        offsets: the next to read, per input partition; empty where none are kept. member: gives the
        consumer's group metadata. Raises FencedError or KafkaUnavailableError, after which this writer
        is of no use.
        """
        try:
            self._producer.begin_transaction()
            for packed in outputs:
                self._produce(packed)
            if offsets:
                self._producer.send_offsets_to_transaction(offsets, member(), self._call_seconds)
            self._producer.commit_transaction(self._call_seconds)
        except KafkaException as problem:
            self._abort(problem)
            return False
        self._aborts_in_a_row = 0
        return True

    def _produce(self, packed: Packed) -> None:
        topic = self._settings.topic(packed.topic)
        while True:
            try:
                self._producer.produce(topic, key=packed.key, value=packed.value, headers=list(packed.headers))
            except BufferError:
                self._producer.poll(0.05)
            else:
                return

    def _abort(self, problem: KafkaException) -> None:
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
