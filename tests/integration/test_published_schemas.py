"""The topic `schemas`: what one release publishes another reads, and rubbish on it stops nobody."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from runtime.kafka import Writer
from runtime.schemas_topic import PublishedSchemas, publish
from runtime.service import Process
from runtime.settings import Settings
from runtime.start import service_codec
from schemas.avro_schema import avro_schema, fingerprint
from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.events import EVENT_TYPES
from schemas.fields import TurnResult
from schemas.interactions import Turn
from schemas.topics import SCHEMAS_NAME
from tests.avro_data import written_under
from tests.support.topics import read_now

TURN = Turn(
    interaction_id="c-1",
    tenant="acme",
    number=1,
    endpoint="nova",
    version="1",
    result=TurnResult.OK,
    latency_ms=300.0,
    occurred_at=1,
)
NEWER = {**avro_schema(Turn), "fields": [*avro_schema(Turn)["fields"], {"name": "cost", "type": "double"}]}


def write(settings: Settings, key: bytes | None, value: bytes | None) -> None:
    writer = Writer(settings, "test")
    writer.write_bytes(SCHEMAS_NAME, key, value)
    writer.close()


@pytest.fixture
def published(settings: Settings) -> Iterator[PublishedSchemas]:
    schemas = PublishedSchemas(settings)
    yield schemas
    schemas.close()


def test_a_service_publishes_every_schema_under_its_fingerprint(settings: Settings) -> None:
    publish(settings, "router")
    found = {record.key: json.loads(record.value or b"") for record in read_now(settings, [SCHEMAS_NAME])}
    assert found == {fingerprint(avro_schema(kind)).hex().encode(): avro_schema(kind) for kind in EVENT_TYPES}


def test_a_schema_published_before_the_start_is_found(settings: Settings) -> None:
    write(settings, fingerprint(NEWER).hex().encode(), json.dumps(NEWER).encode())
    assert service_codec(settings, Process("sessions")).decode(written_under(NEWER, TURN)) == TURN


def test_a_schema_published_later_is_found(settings: Settings, published: PublishedSchemas) -> None:
    codec = Codec(published.fetch)
    with pytest.raises(DecodeError, match="no schema with fingerprint"):
        codec.decode(written_under(NEWER, TURN))
    write(settings, fingerprint(NEWER).hex().encode(), json.dumps(NEWER).encode())
    assert _decoded_at_last(codec, written_under(NEWER, TURN)) == TURN


def test_what_is_no_schema_is_passed_over(settings: Settings) -> None:
    for key, value in [(b"no hex", b"{}"), (b"\xff", b"{}"), (b"00", b"no json"), (b"00", None)]:
        write(settings, key, value)
    write(settings, fingerprint(NEWER).hex().encode(), json.dumps(NEWER).encode())
    schemas = PublishedSchemas(settings)
    try:
        assert schemas.fetch(fingerprint(NEWER)) == NEWER
        assert schemas.fetch(b"\0" * 8) is None
    finally:
        schemas.close()


def _decoded_at_last(codec: Codec, value: bytes, attempts: int = 5000) -> object:
    """Decode again until the schema has come: each look-up waits for it at most 0.1 s, once a second."""
    for _ in range(attempts):
        try:
            return codec.decode(value)
        except DecodeError:
            continue
    raise AssertionError("the schema never came")
