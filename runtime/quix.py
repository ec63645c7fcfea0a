"""The one shape of a stateful service, on Quix Streams, exactly once.

Bytes in; one stateful `apply` decodes and steps, writes the state after the step, and hands packed
records, each with its topic, key and headers, to Quix's producer. A record that cannot be used becomes a record for
the dead-letter topic. Outputs, state changelog and offsets are committed in one transaction.
"""

from __future__ import annotations

import dataclasses
import logging
import threading
import time
from collections.abc import Iterable
from typing import Any, Protocol

import quixstreams
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from quixstreams.context import message_context
from quixstreams.processing import ProcessingContext

from runtime import clock
from runtime.control import ControlFollower
from runtime.kafka import FETCH_CONFIG, MAX_RECORD_BYTES, Record, client_config, partitions_of, producer_config
from runtime.metrics import METRICS
from runtime.partitioner import partition_of
from runtime.service import Process, tune_interpreter
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.start import service_codec
from runtime.state import KeyedState, Overlay
from schemas.codec import Codec
from schemas.envelope import Envelope, Packed, dead_letter
from schemas.errors import RecordError
from schemas.fields import Event
from schemas.topics import CLOCK, TOPICS, Effect, Topic

log = logging.getLogger(__name__)

COMMIT_SECONDS = 0.05
"""Between two commits when it is quiet: 32 ms from record to committed output at the median, measured."""
MOST_COMMIT_SECONDS = 0.5
"""Between two commits at most: a transition crosses three services on its way to WFM, each waits half of it."""
_COMMIT_SHARE = 0.2
"""Of a service's time that its commits may take. At 0.05 s and 300 contacts/s of six turns sessions spent half of
their time in commits, and the broker most of a core on the markers of small transactions."""
_CONTROL_POLL_SECONDS = 0.02
_INSIST_SECONDS = 0.1
_FORWARDED = "trunkline_forwarded"
"""Header of a record that was sent to its own partition: it is not sent on again."""


class StepFunction(Protocol):
    """Pure logic of a stateful service: events and state in, effects out."""

    def __call__(self, event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> Iterable[Effect]:
        """Return the effects of an event; raise RecordError where it cannot be used."""


class StatefulService:
    """A step function on its inbox: turns raw records into packed ones (no broker in sight)."""

    def __init__(self, name: str, inbox: Topic, step: StepFunction, codec: Codec, partitions: int) -> None:
        self.name = name
        self.inbox = inbox
        self._step = step
        self._codec = codec
        self._envelope = Envelope(codec, name)
        self._partitions = partitions
        self._consumed = METRICS.records_consumed.labels(name)
        self._produced = _Produced(name)
        self._keeps_inbox = inbox.readers[0] == name

    def handle(self, record: Record, state: KeyedState, snapshot: Snapshot) -> list[Packed]:
        """Return what a record makes.

        A record that lies where its key does not belong is sent to where it does: its state is there.
        That, and the dead letter of one that does not decode, is up to the inbox's first reader, so that
        an inbox with two readers does not get it twice.
        """
        try:
            event = self._codec.decode(record.value, self.inbox.types)
        except RecordError as problem:
            return [self._dead_letter(record, "decode", problem)] if self._keeps_inbox else []
        own_key = self.inbox.key_of(event).encode()
        if not self._lies_right(record, own_key):
            return self._forwarded(record, own_key)
        try:
            return self._stepped(event, state, snapshot)
        except RecordError as problem:
            return [self._dead_letter(record, "step", problem)]
        except Exception as problem:
            log.exception("%s: partition %d offset %d failed", self.name, record.partition, record.offset)
            return [self._dead_letter(record, "step", problem)]

    def _lies_right(self, record: Record, own_key: bytes) -> bool:
        """Return whether the state of the record's key is here. One that was forwarded once stays."""
        if record.key == own_key and partition_of(own_key, self._partitions) == record.partition:
            return True
        return record.key == own_key and any(name == _FORWARDED for name, _ in record.headers)

    def _forwarded(self, record: Record, own_key: bytes) -> list[Packed]:
        if not self._keeps_inbox:
            return []
        METRICS.forwarded.labels(self.name).inc()
        return [Packed(self.inbox.name, own_key, record.value, [*record.headers, (_FORWARDED, b"1")])]

    def _stepped(self, event: Event, state: KeyedState, snapshot: Snapshot) -> list[Packed]:
        overlay = Overlay(state)
        effects = self._step(event, overlay, snapshot, clock.now(snapshot))
        packed = [self._envelope.pack(effect) for effect in effects]
        too_large = next((each.topic for each in packed if len(each.value or b"") > MAX_RECORD_BYTES), None)
        if too_large is not None:
            raise RecordError("too_large", f"it makes a record for {too_large} of more than {MAX_RECORD_BYTES} bytes")
        overlay.commit()
        self._consumed.inc()
        for record in packed:
            self._produced[record.topic].inc()
        return packed

    def _dead_letter(self, record: Record, stage: str, problem: Exception) -> Packed:
        letter = dead_letter(record, f"{self.name}:{stage}", problem)
        METRICS.dead_letters.labels(self.name, stage, dict(letter.headers)["dlq_reason"].decode()).inc()
        return letter


class _Produced(dict[str, Any]):
    """Counters of records produced, by topic: finding one by its labels costs 5 us, a tenth of a record's step."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __missing__(self, topic: str) -> Any:
        self[topic] = METRICS.records_produced.labels(self._service, topic)
        return self[topic]


def run_stateful(
    settings: Settings,
    name: str,
    inbox: Topic,
    step: StepFunction,
    control_topics: tuple[Topic, ...],
    process: Process,
) -> None:
    """Run a stateful service until SIGTERM or SIGINT: it commits and leaves."""
    codec = service_codec(settings, process)
    partitions = len(partitions_of(settings, [inbox.name]))
    service = StatefulService(name, inbox, step, codec, partitions)
    control = ControlFollower(settings, name, (*control_topics, CLOCK), codec)
    control.read_to_end()
    app = _application(settings, name, process)
    _wire(app, settings, service, control)
    process.ready_when(lambda: _is_assigned(settings, name))
    tune_interpreter()
    app.run_until_told()


class _PacedContext(ProcessingContext):
    """Commits less often where commits take long: a fixed interval would spend the cores on transactions."""

    def commit_checkpoint(self, force: bool = False, revoking: bool = False) -> None:  # noqa: FBT001, FBT002 - Quix's
        """Commit where it is time to, and set the next interval by how long that took."""
        started = time.monotonic()
        if not force and not self.checkpoint.expired():
            return
        super().commit_checkpoint(force=force, revoking=revoking)
        took = time.monotonic() - started
        self.commit_interval = min(MOST_COMMIT_SECONDS, max(COMMIT_SECONDS, took / _COMMIT_SHARE))


class _Application(quixstreams.Application):
    """Ends whenever it is told to: Quix forgets a stop that comes before its loop turns."""

    process: Process

    @property
    def transactional_producer(self) -> Any:
        """The producer of outputs and changelog: what it is given belongs to the checkpoint's transaction."""
        return self._processing_context.producer

    def __init__(self, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        plain = self._processing_context
        fields = {field.name: getattr(plain, field.name) for field in dataclasses.fields(plain) if field.init}
        self._processing_context = _PacedContext(**fields)

    def stop(self, fail: bool = False) -> None:  # noqa: FBT001, FBT002 - Quix's signature; its signal handlers call it
        """Stop, and remember that."""
        self.process.stopping.set()
        super().stop(fail=fail)

    def run_until_told(self) -> None:
        """Run; what was told to stop is told again until it has."""
        ended = threading.Event()

        def insist() -> None:
            self.process.stopping.wait()
            while not ended.wait(_INSIST_SECONDS):
                super(_Application, self).stop()

        threading.Thread(target=insist, name="stop", daemon=True).start()
        try:
            self.run()
        finally:
            ended.set()


def _application(settings: Settings, name: str, process: Process) -> _Application:
    identity = settings.service_id(name)
    app = _Application(
        broker_address=settings.bootstrap,
        consumer_group=f"{settings.prefix}{name}",
        auto_offset_reset="earliest",
        processing_guarantee="exactly-once",
        commit_interval=COMMIT_SECONDS,
        consumer_poll_timeout=COMMIT_SECONDS / 5,
        state_dir=settings.state_folder(name),
        loglevel=None,
        consumer_extra_config={
            **client_config(settings),
            "group.instance.id": identity,
            "session.timeout.ms": 6_000,
            "heartbeat.interval.ms": 2_000,
            **FETCH_CONFIG,
            "isolation.level": "read_committed",
        },
        producer_extra_config={
            **producer_config(settings),
            "transactional.id": identity,
            "transaction.timeout.ms": 10_000,
        },
    )
    app.process = process
    return app


def _wire(app: _Application, settings: Settings, service: StatefulService, control: ControlFollower) -> None:
    inbox = app.topic(settings.topic(service.inbox.name), value_deserializer="bytes", key_deserializer="bytes")
    names = {name: settings.topic(name) for topic in TOPICS for name in (topic.name, topic.dead_letter_name)}
    # Quix's own way to a topic, five functions for each record, takes 30 us; this producer is the one that it ends in.
    produce = app.transactional_producer.produce
    next_poll = 0.0

    def apply(value: bytes | None, key: bytes | None, _timestamp: int, headers: Any, state: Any) -> None:
        nonlocal next_poll
        if time.monotonic() >= next_poll:
            control.poll()
            next_poll = time.monotonic() + _CONTROL_POLL_SECONDS
        context = message_context()
        place = (service.inbox.name, context.partition, context.offset)
        record = Record(*place, key, value, tuple(headers or ()))
        for packed in service.handle(record, state, control.snapshot):
            produce(names[packed.topic], packed.value, packed.key, packed.headers)

    app.dataframe(inbox).apply(apply, stateful=True, metadata=True)


def _is_assigned(settings: Settings, name: str) -> bool:
    """Return whether the broker counts this process among the group's members with partitions."""
    group = f"{settings.prefix}{name}"
    admin = AdminClient(client_config(settings))
    try:
        described = admin.describe_consumer_groups([group], request_timeout=2)[group].result()
    except KafkaException:
        return False
    return any(
        member.group_instance_id == settings.service_id(name) and member.assignment.topic_partitions
        for member in described.members
    )
