"""What goes on the wire around an event: key, value and CloudEvents 1.0 headers.

CloudEvents over Kafka in binary mode: attributes in headers `ce_*`. `ce_id` is a digest of the
value, or an id that a service makes of what the event is about: the same event written twice has
the same id. Records of inboxes carry none: they would cost more than the rest of the record's way.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import msgspec

from schemas.codec import Codec
from schemas.errors import EncodeError, RecordError
from schemas.events import EVENT_TYPES
from schemas.fields import Event
from schemas.topics import BY_NAME, Effect

Headers = list[tuple[str, bytes]]
"""A list, because Kafka's client takes no other sequence. Records may share one: it is never changed."""

_UNIX_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME_FIELDS = ("occurred_at", "decided_at", "closed_at", "updated_at", "due_at", "now", "real_origin")
_CONTENT_TYPE = ("content-type", b"application/avro")
_SPEC_VERSION = ("ce_specversion", b"1.0")


class Record(msgspec.Struct, frozen=True, gc=False):
    """A consumed record. `topic` is the registry's name, without the prefix.

    `timestamp_ms`: Kafka's, real time since 1970; 0 where whoever read it did not ask.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes], ...] = ()
    timestamp_ms: int = 0


class Packed(msgspec.Struct, frozen=True, gc=False):
    """A record ready to be produced. `topic` is the registry's name; no value is a tombstone."""

    topic: str
    key: bytes | None
    value: bytes | None
    headers: Headers = []


def iso_time(micros: int) -> str:
    """Return UTC microseconds as RFC 3339 text."""
    return (_UNIX_EPOCH + timedelta(microseconds=micros)).isoformat().replace("+00:00", "Z")


def _time_field(kind: type[Event]) -> str:
    names = {field.name for field in msgspec.structs.fields(kind)}
    return next((name for name in _TIME_FIELDS if name in names), "")


class Envelope:
    """Packs the effects of one service."""

    def __init__(self, codec: Codec, source: str) -> None:
        self._codec = codec
        self._source = ("ce_source", f"/trunkline/{source}".encode())
        self._kinds = {
            kind: (("ce_type", f"io.trunkline.{kind.__name__}".encode()), _time_field(kind)) for kind in EVENT_TYPES
        }
        # The events of a batch mostly bear the same instant.
        self._instant = 0
        self._time = ("ce_time", iso_time(0).encode())

    def pack(self, effect: Effect) -> Packed:
        """Return the record of an effect; a tombstone where it has no event.

        Raises EncodeError where the event cannot be encoded or does not belong on the topic.
        """
        topic, event, key = effect
        if event is None:
            return Packed(topic.name, key.encode(), None)
        kind = type(event)
        if kind not in topic.types:
            raise EncodeError("wrong_topic", f"{kind.__name__} does not belong on {topic.name}")
        value = self._codec.encode(event)
        headers = [] if topic.inbox else self.headers(event, hashlib.blake2b(value, digest_size=16).hexdigest())
        return Packed(topic.name, topic.key_of(event).encode(), value, headers)

    def headers(self, event: Event, event_id: str) -> Headers:
        """Return the CloudEvents attributes of an event under an id that no other event of this service has."""
        ce_type, time_field = self._kinds[type(event)]
        instant = getattr(event, time_field)
        if instant != self._instant:
            self._time = ("ce_time", iso_time(instant).encode())
            self._instant = instant
        return [_SPEC_VERSION, ("ce_id", event_id.encode()), ce_type, self._source, self._time, _CONTENT_TYPE]


def dead_letter(
    record: Record, stage: str, problem: Exception, *, to: str | None = None, more: Mapping[str, str] | None = None
) -> Packed:
    """Return the dead letter of a record: its own key and bytes, and in the headers where and why.

    Headers: dlq_topic, dlq_partition, dlq_offset, dlq_stage, dlq_reason, dlq_error, and those in `more`. `to`: the
    topic that it goes to, where that is not the one of the record's topic.
    """
    reason = problem.reason if isinstance(problem, RecordError) else type(problem).__name__
    headers = [
        ("dlq_topic", record.topic.encode()),
        ("dlq_partition", str(record.partition).encode()),
        ("dlq_offset", str(record.offset).encode()),
        ("dlq_stage", stage.encode()),
        ("dlq_reason", reason.encode()),
        ("dlq_error", str(problem)[:2000].encode()),
        *((name, value.encode()) for name, value in (more or {}).items()),
    ]
    return Packed(to or BY_NAME[record.topic].dead_letter_name, record.key, record.value, headers)
