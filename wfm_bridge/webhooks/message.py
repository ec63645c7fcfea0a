"""What a receiver is sent: a CloudEvent in structured mode, whose signed body holds all there is to know. Pure."""

from __future__ import annotations

import hashlib
from typing import Any, NamedTuple

import msgspec

from schemas.codec import Codec
from schemas.envelope import Envelope, Record
from schemas.fields import Event
from wfm_bridge.models import to_answer

CONTENT_TYPE = "application/cloudevents+json"
_DIGEST_BYTES = 4
_ENVELOPE = Envelope(Codec(), "webhooks")


class Message(NamedTuple):
    """An event as it is sent, at each attempt and each replay the same."""

    id: str
    body: bytes


def message_id(record: Record) -> str:
    """Return the id of the message of a record: the record's place, and a digest of its bytes.

    The digest tells it from another record at the same place of a topic that was made anew. No full stop is in it:
    that separates the parts of what is signed.
    """
    digest = hashlib.blake2b(record.value or b"", digest_size=_DIGEST_BYTES).hexdigest()
    return f"{record.topic.replace('.', '_')}-{record.partition}-{record.offset}-{digest}"


def message_of(record: Record, event: Event, prefix: str) -> Message:
    """Return the message of an event. `prefix`: the installation's, in the event's source.

    Beside what CloudEvents requires: `partitionkey` (its extension for partitioning), within which messages come in
    order, and `sequence` (its extension of that name), which grows within a partition key.
    """
    made_id = message_id(record)
    attributes = {name: value.decode() for name, value in _ENVELOPE.headers(event, made_id)}
    key = (record.key or b"").decode(errors="replace")
    return _message(
        {
            "id": made_id,
            "source": f"/trunkline/{prefix}{record.topic}",
            "type": attributes["ce_type"],
            "time": attributes["ce_time"],
            "subject": key,
            "partitionkey": key,
            "sequence": f"{record.offset:019d}",  # compared as text, by the extension
            "data": to_answer(event),
        }
    )


def trial(made_id: str, time: str, subscription: str) -> Message:
    """Return a message that tells nothing, to try a receiver with."""
    return _message(
        {
            "id": made_id,
            "source": "/trunkline/webhooks",
            "type": "io.trunkline.WebhookTest",
            "time": time,
            "data": {"subscription": subscription},
        }
    )


def _message(attributes: dict[str, Any]) -> Message:
    body = msgspec.json.encode({"specversion": "1.0", **attributes, "datacontenttype": "application/json"})
    return Message(attributes["id"], body)
