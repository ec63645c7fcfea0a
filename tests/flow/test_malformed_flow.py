"""Records that nobody can use: each in the dead letters as it came, with its reason; the rest are decided."""

from __future__ import annotations

import copy
import io
import random
from collections.abc import Iterator
from typing import Any, NamedTuple

import fastavro
import msgspec
import pytest

from runtime.kafka import Writer
from runtime.settings import Settings
from schemas.avro_schema import avro_schema, fingerprint
from schemas.codec import HEADER_BYTES, MARKER
from schemas.fields import FinishedBy
from schemas.interactions import Classification, Completed, Offered
from schemas.topics import OFFERED, ROUTED, SCHEMAS_NAME
from simulator.malformed import Malformed
from tests.flow.steps import CODEC, Watch, new_room, offered, running

pytestmark = pytest.mark.xdist_group("malformed_flow")

OFFERS = 2000
ONE_IN = 100
DEAD = OFFERED.dead_letter_name


class Bad(NamedTuple):
    """A record that the router cannot use, and the reason that it must give."""

    key: bytes | None
    value: bytes | None
    reason: str


@pytest.fixture(scope="module")
def room(bootstrap: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    settings = new_room(bootstrap, redis_url, tmp_path_factory.mktemp("malformed-flow"))
    with running(settings, "router"):
        yield settings


def unchecked(**changes: Any) -> bytes:
    """An offer whose fields fit the schema's types but not their bounds."""
    return CODEC.encode(msgspec.structs.replace(offered("bad", "acme"), **changes))


def in_schema(schema: dict[str, Any], fields: dict[str, Any]) -> bytes:
    out = io.BytesIO()
    fastavro.schemaless_writer(out, fastavro.parse_schema(copy.deepcopy(schema)), fields)
    return MARKER + fingerprint(schema) + out.getvalue()


def without(field: str) -> bytes:
    """An offer of a schema of its own that lacks a field; nobody has published it."""
    schema = copy.deepcopy(avro_schema(Offered))
    schema["fields"] = [each for each in schema["fields"] if each["name"] != field]
    return in_schema(schema, msgspec.to_builtins(offered("bad", "acme")))


def every_way() -> list[Bad]:
    """Each way of being malformed, under a key of its own."""
    rng = random.Random(7)
    good = CODEC.encode(offered("bad", "acme"))
    completed = Completed(
        interaction_id="bad", tenant="acme", finished_by=FinishedBy.AI, ai_turns=0, occurred_at=1
    )  # fmt: skip
    telepathy: Any = "telepathy"
    too_sure = Classification(intent="balance", confidence=1.5)
    ways = [
        (b"\x00" + rng.randbytes(60), "unknown_framing"),
        (b'{"interaction_id": "json-by-mistake"}', "unknown_framing"),
        (good[:1], "unknown_framing"),
        (good[: HEADER_BYTES - 1], "unknown_framing"),
        (b"", "empty"),
        (None, "empty"),
        (good[:HEADER_BYTES], "truncated"),
        (good[: HEADER_BYTES + 5], "truncated"),
        (good[:-1], "truncated"),
        (good + b"\x00", "truncated"),
        (good[:HEADER_BYTES] + rng.randbytes(300), "truncated"),
        (MARKER + rng.randbytes(8) + good[HEADER_BYTES:], "unknown_schema"),
        (without("tenant"), "unknown_schema"),
        (unchecked(tenant=""), "invalid_fields"),
        (unchecked(interaction_id=""), "invalid_fields"),
        (unchecked(interaction_id="x" * 257), "invalid_fields"),
        (unchecked(channel=telepathy), "invalid_fields"),
        (unchecked(occurred_at=-1), "invalid_fields"),
        (unchecked(text="y" * 100_001), "invalid_fields"),
        (unchecked(classification=too_sure), "invalid_fields"),
        (CODEC.encode(completed), "unexpected_type"),
    ]
    keyed = [Bad(b"bad-%03d" % number, value, reason) for number, (value, reason) in enumerate(ways)]
    return [*keyed, Bad(None, b"\x00no key", "unknown_framing"), Bad(b"\xff\xfe", b"\x00odd key", "unknown_framing")]


def test_one_record_in_a_hundred_is_malformed_and_every_one_is_accounted_for(room: Settings) -> None:
    bad = every_way()
    assert len(bad) >= OFFERS / ONE_IN
    writer = Writer(room, "test")
    for number in range(OFFERS):
        name = f"good-{number:04d}"
        writer.write_bytes(OFFERED.name, name.encode(), CODEC.encode(offered(name, "acme")))
        if number % (OFFERS // len(bad)) == 0 and number // (OFFERS // len(bad)) < len(bad):
            key, value, _ = bad[number // (OFFERS // len(bad))]
            writer.write_bytes(OFFERED.name, key, value)
    writer.close()

    with Watch(room, OFFERED, ROUTED, DEAD) as watch:
        watch.until("every decision", lambda: len(decided(watch)) >= OFFERS, 40)
        watch.until("every dead letter", lambda: len(letters(watch)) >= len(bad), 20)
        watch.to_end()
        places = {
            (record.key, record.value): (record.partition, record.offset)
            for record in watch.records
            if record.topic == OFFERED.name
        }
        found = letters(watch)

    assert decided(watch) == {f"good-{number:04d}" for number in range(OFFERS)}
    assert len([record for record in watch.records if record.topic == ROUTED.name]) == OFFERS
    assert sorted(map(repr, found)) == sorted(repr((key, value)) for key, value, _ in bad)
    for key, value, reason in bad:
        headers = dict(found[key, value])
        assert headers["dlq_reason"].decode() == reason, (key, value, headers)
        assert headers["dlq_topic"] == OFFERED.name.encode()
        assert (int(headers["dlq_partition"]), int(headers["dlq_offset"])) == places[key, value]
        assert headers["dlq_stage"] == b"decode"
        assert len(headers["dlq_error"]) > 10


def letters(watch: Watch) -> dict[tuple[bytes | None, bytes | None], tuple[tuple[str, bytes], ...]]:
    return {(record.key, record.value): record.headers for record in watch.records if record.topic == DEAD}


def decided(watch: Watch) -> set[str]:
    return {(record.key or b"").decode() for record in watch.records if record.topic == ROUTED.name}


def test_what_the_simulator_spoils_comes_out_in_the_dead_letters(
    bootstrap: str, redis_url: str, room: Settings
) -> None:
    settings = new_room(bootstrap, redis_url, room.data)
    malformed = Malformed(1.0, "run", CODEC, random.Random(3))
    spoilt = [packed for number in range(70) if (packed := malformed.beside(offered(f"s-{number}", "acme")))]
    writer = Writer(settings, "test")
    for packed in spoilt:
        writer.write_packed(packed)
    writer.close()
    with running(settings, "router"), Watch(settings, DEAD) as watch:
        watch.until("70 dead letters", lambda: len(watch.records) >= 70)
        watch.to_end()
    assert sum(malformed.counts.values()) == 70
    assert {(r.key, r.value) for r in watch.records} == {(packed.key, packed.value) for packed in spoilt}


def newer_offered(name: str) -> tuple[dict[str, Any], bytes]:
    """A later release's Offered: a field more, with a default; and an offer written with it."""
    schema = copy.deepcopy(avro_schema(Offered))
    schema["fields"].append({"name": "priority_of_tomorrow", "type": "string", "default": "none"})
    return schema, in_schema(schema, {**msgspec.to_builtins(offered(name, "acme")), "priority_of_tomorrow": "high"})


def test_an_offer_of_a_newer_schema_is_decided_once_its_schema_is_published(room: Settings) -> None:
    schema, value = newer_offered("from-tomorrow")
    _, again = newer_offered("from-tomorrow-too")
    with Watch(room, ROUTED, DEAD) as watch:
        writer = Writer(room, "test")
        writer.write_bytes(OFFERED.name, b"from-tomorrow", value)
        writer.flush(10)
        watch.until(
            "the dead letter of a schema that is not published yet",
            lambda: any(r.key == b"from-tomorrow" and r.topic == DEAD for r in watch.records),
        )
        writer.write_bytes(SCHEMAS_NAME, fingerprint(schema).hex().encode(), msgspec.json.encode(schema))
        writer.flush(10)
        writer.write_bytes(OFFERED.name, b"from-tomorrow-too", again)
        writer.close()
        decision = watch.decision("from-tomorrow-too")
    letter = next(record for record in watch.records if record.key == b"from-tomorrow")
    assert dict(letter.headers)["dlq_reason"] == b"unknown_schema"
    assert b"publish the writer's schema" in dict(letter.headers)["dlq_error"]
    assert decision.intent == "balance"


def test_nonsense_on_the_topic_of_schemas_harms_nobody(room: Settings) -> None:
    schema, _ = newer_offered("x")
    schema["fields"][-1]["name"] = "another"
    writer = Writer(room, "test")
    good = fingerprint(schema).hex().encode()
    for key, value in ((b"not hex", b"{}"), (b"00" * 8, b"not json"), (good, None), (b"ab" * 8, b"[]"),
                       (b"cd" * 8, b'{"type": "record", "name": "io.trunkline.Offered", "fields": 3}'),
                       (b"ef" * 8, b'{"type": "record", "name": 7}')):  # fmt: skip
        writer.write_bytes(SCHEMAS_NAME, key, value)
    writer.flush(10)
    marks = {b"\xcd" * 8: "no Avro", b"\xef" * 8: "no name", b"\xab" * 8: "a list"}
    for mark in marks:
        writer.write_bytes(OFFERED.name, mark, MARKER + mark + b"body")
    writer.write_bytes(OFFERED.name, b"sane", CODEC.encode(offered("sane", "acme")))
    writer.close()
    with Watch(room, ROUTED, DEAD) as watch:
        watch.decision("sane")
        watch.until("three dead letters", lambda: {r.key for r in watch.records if r.topic == DEAD} >= set(marks))
        found = {r.key: dict(r.headers)["dlq_reason"] for r in watch.records if r.topic == DEAD}
    assert {found[mark] for mark in marks} == {b"unknown_schema"}
