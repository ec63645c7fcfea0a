"""The one shape of a stateful service, on Quix Streams, exactly once.

Bytes in; one stateful `apply` decodes and steps, writes the state after the step, and yields packed
records, each with its topic, key and headers. A record that cannot be used becomes a record for
the dead-letter topic. Outputs, state changelog and offsets are committed in one transaction.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from typing import Any, Protocol

import quixstreams
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from quixstreams.context import message_context
from quixstreams.models.serializers import Serializer

from runtime import clock
from runtime.control import ControlFollower
from runtime.kafka import client_config, partitions_of, producer_config
from runtime.metrics import METRICS
from runtime.partitioner import partition_of
from runtime.schemas_topic import service_codec
from runtime.service import Process
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.state import KeyedState, Overlay
from schemas.codec import Codec
from schemas.envelope import Envelope, Packed, dead_letter
from schemas.errors import RecordError
from schemas.fields import Event
from schemas.topics import CLOCK, TOPICS, Effect, Topic

log = logging.getLogger(__name__)

COMMIT_SECONDS = 0.05
"""Between two commits: 32 ms from record to committed output at the median, measured."""
_CONTROL_POLL_SECONDS = 0.02


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

    def handle(
        self, key: bytes | None, value: bytes | None, place: tuple[int, int], state: KeyedState, snapshot: Snapshot
    ) -> list[Packed]:
        """Return what a record makes. place: its partition and offset.

        A record that lies where its key does not belong is sent to where it does: its state is there.
        """
        stage = "decode"
        try:
            event = self._codec.decode(value, self.inbox.types)
            own_key = self.inbox.key_of(event).encode()
            if key != own_key or partition_of(own_key, self._partitions) != place[0]:
                METRICS.forwarded.labels(self.name).inc()
                return [Packed(self.inbox.name, own_key, value)]
            stage = "step"
            return self._stepped(event, state, snapshot)
        except RecordError as problem:
            return [self._dead_letter(key, value, place, stage, problem)]
        except Exception as problem:
            log.exception("%s: %s of a record failed at partition %d offset %d", self.name, stage, *place)
            return [self._dead_letter(key, value, place, stage, problem)]

    def _stepped(self, event: Event, state: KeyedState, snapshot: Snapshot) -> list[Packed]:
        overlay = Overlay(state)
        effects = self._step(event, overlay, snapshot, clock.now(snapshot))
        packed = [self._envelope.pack(effect) for effect in effects]
        overlay.commit()
        METRICS.records_consumed.labels(self.name).inc()
        for record in packed:
            METRICS.records_produced.labels(self.name, record.topic).inc()
        return packed

    def _dead_letter(
        self, key: bytes | None, value: bytes | None, place: tuple[int, int], stage: str, problem: Exception
    ) -> Packed:
        reason = problem.reason if isinstance(problem, RecordError) else type(problem).__name__
        METRICS.dead_letters.labels(self.name, stage, reason).inc()
        return dead_letter(self.inbox.name, *place, key, value, stage=f"{self.name}:{stage}", problem=problem)


class _PackedValue(Serializer):
    """Quix's seam for values: the bytes are there already."""

    def __call__(self, value: Packed, ctx: Any) -> bytes | None:  # type: ignore[override]  # noqa: ARG002
        return value.value


def run_stateful(
    settings: Settings,
    name: str,
    inbox: Topic,
    step: StepFunction,
    control_topics: tuple[Topic, ...],
    process: Process,
) -> None:
    """Run a stateful service until SIGTERM or SIGINT (Quix Streams handles them: it commits and leaves)."""
    codec = service_codec(settings, name)
    partitions = len(partitions_of(settings, [inbox.name]))
    service = StatefulService(name, inbox, step, codec, partitions)
    control = ControlFollower(settings, name, (*control_topics, CLOCK), codec)
    control.read_to_end()
    app = _application(settings, name)
    _wire(app, settings, service, control)
    process.ready_when(lambda: _is_assigned(settings, name))
    app.run()


def _application(settings: Settings, name: str) -> quixstreams.Application:
    identity = settings.service_id(name)
    return quixstreams.Application(
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
            "fetch.wait.max.ms": 50,
            "isolation.level": "read_committed",
        },
        producer_extra_config={
            **producer_config(settings),
            "transactional.id": identity,
            "transaction.timeout.ms": 10_000,
        },
    )


def _wire(app: quixstreams.Application, settings: Settings, service: StatefulService, control: ControlFollower) -> None:
    inbox = app.topic(settings.topic(service.inbox.name), value_deserializer="bytes", key_deserializer="bytes")
    names = [name for topic in TOPICS for name in (topic.name, topic.dead_letter_name)]
    outputs = _LazyTopics(app, settings, names)
    next_poll = 0.0

    def apply(value: bytes | None, key: bytes | None, _timestamp: int, _headers: Any, state: Any) -> list[Packed]:
        nonlocal next_poll
        if time.monotonic() >= next_poll:
            control.poll()
            next_poll = time.monotonic() + _CONTROL_POLL_SECONDS
        context = message_context()
        return service.handle(key, value, (context.partition, context.offset), state, control.snapshot)

    frame = app.dataframe(inbox)
    frame = frame.apply(apply, stateful=True, expand=True, metadata=True)
    frame = frame.set_headers(lambda packed, *_: list(packed.headers))
    frame = frame.set_timestamp(lambda *_: time.time_ns() // 1_000_000)
    frame.to_topic(lambda packed, *_: outputs[packed.topic], key=lambda packed: packed.key)


class _LazyTopics(dict[str, Any]):
    """Quix topic objects for outputs, made when first written to: each costs a look at the broker."""

    def __init__(self, app: quixstreams.Application, settings: Settings, names: Iterable[str]) -> None:
        self._app, self._settings, self._names = app, settings, frozenset(names)

    def __missing__(self, name: str) -> Any:
        if name not in self._names:
            raise KeyError(name)
        topic = self._app.topic(self._settings.topic(name), key_serializer="bytes", value_serializer=_PackedValue())
        self[name] = topic
        return topic


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
