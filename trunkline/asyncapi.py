"""The topics that others use, as an AsyncAPI 3.0 document made from the registry and the event types.

It is self-contained: whoever generates a client from it needs no other file. Inboxes that only services of ours write
are left out.
"""

from __future__ import annotations

import importlib.metadata
import io
from collections.abc import Iterable
from typing import Any

from ruamel.yaml import YAML

from schemas.avro_schema import avro_schema
from schemas.fields import Event
from schemas.topics import TOPICS, Layout, Topic

OUTSIDE = frozenset({"ACD", "AI platforms", "desktops", "QA", "WFM", "operators", "exports", "anyone"})
"""Writers and readers of the registry that are no services of ours."""
AVRO = "application/vnd.apache.avro+json;version=1.9.0"
"""The schema format by which AsyncAPI 3.0 names Avro; schemas use nothing that came after 1.9."""
KAFKA_BINDING = "0.5.0"
_ABOUT = """\
Trunkline's topics on Apache Kafka, as others use them. Values are Avro in single-object encoding: two bytes C3 01, the
schema's CRC-64-AVRO fingerprint (8 bytes, little-endian), the binary datum; `schemas` (compacted, JSON) holds every
schema by its fingerprint. Instants are UTC in microseconds. Rows with a `revision` are upserts: take one that is equal
or above what you have. Read with `isolation.level=read_committed`. A prefix may stand before every name.
"""
_HEADERS = {
    "ce_specversion": "1.0",
    "ce_id": "the same for the same event, written however often",
    "ce_type": "io.trunkline.<record>",
    "ce_source": "/trunkline/<service>",
    "ce_time": "RFC 3339, UTC",
    "content-type": "application/avro",
}

Json = dict[str, Any]


def document(topics: Iterable[Topic] = TOPICS) -> Json:
    """Return the AsyncAPI document of the topics that somebody outside writes or reads."""
    used = [topic for topic in topics if OUTSIDE & {*topic.writers, *topic.readers}]
    kinds = {kind.__name__: kind for topic in used for kind in topic.types}
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Trunkline",
            "version": importlib.metadata.version("trunkline"),
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/avro",
        "servers": {
            "kafka": {
                "host": "{bootstrap}",
                "protocol": "kafka",
                "variables": {"bootstrap": {"default": "127.0.0.1:9092", "description": "host:port of a broker"}},
            }
        },
        "channels": {topic.name: _channel(topic) for topic in used},
        "operations": {name: operation for topic in used for name, operation in _operations(topic)},
        "components": {
            "messages": {name: _message(kinds[name]) for name in sorted(kinds)},
            "messageTraits": {"cloudEvent": {"headers": _headers()}},
        },
    }


def as_yaml(topics: Iterable[Topic] = TOPICS) -> str:
    """Return docs/asyncapi.yaml."""
    yaml, out = YAML(typ="safe", pure=True), io.StringIO()
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 120
    yaml.representer.ignore_aliases = lambda _data: True
    yaml.dump(document(topics), out)
    return "# Made by `trunkline topics asyncapi --into docs/asyncapi.yaml`.\n" + out.getvalue()


def _channel(topic: Topic) -> Json:
    config: Json = {"cleanup.policy": ["compact" if topic.compacted else "delete"]}
    if not topic.compacted:
        config["retention.ms"] = topic.retention_ms
    binding: Json = {"topic": topic.name, "topicConfiguration": config, "bindingVersion": KAFKA_BINDING}
    if topic.layout is Layout.CONTROL:
        binding["partitions"] = 1
    about = f"{topic.about}. Key: {topic.key}. Written by {', '.join(topic.writers)}."
    if topic.dead_letters:
        about += f" What cannot be used goes to `{topic.dead_letter_name}`."
    return {
        "address": topic.name,
        "description": about,
        "messages": {kind.__name__: {"$ref": f"#/components/messages/{kind.__name__}"} for kind in topic.types},
        "bindings": {"kafka": binding},
    }


def _operations(topic: Topic) -> Iterable[tuple[str, Json]]:
    """Yield what Trunkline does with a topic that somebody outside shares: it sends what they read, receives theirs."""
    reference = {"$ref": f"#/channels/{topic.name}"}
    if OUTSIDE.intersection(topic.readers):
        whom = ", ".join(name for name in topic.readers if name in OUTSIDE)
        yield f"{topic.name}.send", {"action": "send", "channel": reference, "summary": f"read by {whom}"}
    if OUTSIDE.intersection(topic.writers):
        whom = ", ".join(name for name in topic.writers if name in OUTSIDE)
        yield f"{topic.name}.receive", {"action": "receive", "channel": reference, "summary": f"written by {whom}"}


def _message(kind: type[Event]) -> Json:
    schema = avro_schema(kind)
    return {
        "name": kind.__name__,
        "title": kind.__name__,
        "summary": schema["doc"],
        "contentType": "application/avro",
        "traits": [{"$ref": "#/components/messageTraits/cloudEvent"}],
        "payload": {"schemaFormat": AVRO, "schema": schema},
        "bindings": {"kafka": {"key": {"type": "string"}, "bindingVersion": KAFKA_BINDING}},
    }


def _headers() -> Json:
    """The CloudEvents attributes; records of inboxes and of others' own writing may come without."""
    return {
        "type": "object",
        "properties": {name: {"type": "string", "description": about} for name, about in _HEADERS.items()},
    }
