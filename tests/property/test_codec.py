"""Bytes to events and back: nothing is lost, and nothing but a DecodeError with a reason comes of bad bytes."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.agents import Tick
from schemas.avro_schema import avro_schema, fingerprint
from schemas.codec import HEADER_BYTES, MARKER, Codec
from schemas.errors import DecodeError, EncodeError
from schemas.events import EVENT_TYPES
from schemas.fields import LATEST, Channel, Event
from schemas.interactions import Classification, Classified, Offered, Turn
from schemas.wfm import Displaced, Impact
from tests.avro_data import written_under
from tests.strategies import any_events, events

CODEC, OTHER = Codec(), Codec()
REASONS = {"empty", "unknown_framing", "unknown_schema", "truncated", "invalid_fields", "unexpected_type"}


def refusal(value: bytes | None, codec: Codec = CODEC, expected: tuple[type[Event], ...] | None = None) -> str:
    """The reason for which a value is refused."""
    with pytest.raises(DecodeError) as refused:
        codec.decode(value, expected)
    return refused.value.reason


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_every_event_comes_back_as_it_was(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(kind))
    value = CODEC.encode(event)
    assert CODEC.decode(value) == event
    assert value[:HEADER_BYTES] == CODEC.header_of(kind) == MARKER + fingerprint(avro_schema(kind))


@settings(max_examples=25, deadline=None)
@given(event=any_events())
def test_an_event_has_one_encoding(event: Event) -> None:
    assert CODEC.encode(event) == OTHER.encode(msgspec.structs.replace(event))


@settings(max_examples=25, deadline=None)
@given(event=any_events())
def test_apache_avro_reads_what_we_write(event: Event) -> None:
    avro_io, avro_parse = pytest.importorskip("avro.io"), pytest.importorskip("avro.schema").parse
    schema = avro_parse(msgspec.json.encode(avro_schema(type(event))).decode())
    body = io.BytesIO(CODEC.encode(event)[HEADER_BYTES:])
    assert avro_io.DatumReader(schema).read(avro_io.BinaryDecoder(body)) == msgspec.json.decode(
        msgspec.json.encode(event)
    )


@settings(max_examples=200, deadline=None)
@given(
    value=st.one_of(
        st.binary(max_size=40),
        st.binary(max_size=40).map(lambda tail: MARKER + tail),
        st.tuples(st.sampled_from(EVENT_TYPES), st.binary(max_size=120)).map(lambda t: CODEC.header_of(t[0]) + t[1]),
    )
)
@example(value=b"")
@example(value=MARKER)
def test_any_bytes_are_an_event_or_are_refused_with_a_reason(value: bytes) -> None:
    assert_read_or_refused(value)


@settings(max_examples=200, deadline=None)
@given(event=any_events(), data=st.data())
def test_a_record_with_damaged_bytes_is_an_event_or_is_refused_with_a_reason(event: Event, data: st.DataObject) -> None:
    value = bytearray(CODEC.encode(event))
    for _ in range(data.draw(st.integers(1, 3))):
        value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    assert_read_or_refused(bytes(value))


def assert_read_or_refused(value: bytes) -> None:
    outcome = outcome_of(value)
    assert outcome in REASONS if isinstance(outcome, str) else CODEC.decode(CODEC.encode(outcome)) == outcome


def outcome_of(value: bytes) -> Event | str:
    """The event, or the reason there is none; any other exception is the test's failure."""
    try:
        return CODEC.decode(value)
    except DecodeError as problem:
        return problem.reason


@settings(max_examples=200, deadline=None)
@given(event=any_events(), data=st.data())
def test_a_record_cut_short_is_refused(event: Event, data: st.DataObject) -> None:
    value = CODEC.encode(event)
    length = data.draw(st.integers(0, len(value) - 1))
    expected = "empty" if length == 0 else "unknown_framing" if length < HEADER_BYTES else "truncated"
    assert refusal(value[:length]) == expected


@settings(max_examples=25, deadline=None)
@given(event=any_events(), tail=st.binary(min_size=1, max_size=20))
def test_a_record_with_bytes_after_it_is_refused(event: Event, tail: bytes) -> None:
    assert refusal(CODEC.encode(event) + tail) == "truncated"


@settings(max_examples=25, deadline=None)
@given(event=any_events(), expected=st.sets(st.sampled_from(EVENT_TYPES), min_size=1))
def test_an_event_of_another_type_than_the_topic_carries_is_refused(event: Event, expected: set[type[Event]]) -> None:
    value, kinds = CODEC.encode(event), tuple(expected)
    if type(event) in expected:
        assert CODEC.decode(value, kinds) == event
    else:
        assert refusal(value, expected=kinds) == "unexpected_type"


def generated_outcome(value: bytes) -> Event | None:
    """What generated code alone makes of a value, None where it leaves it to the careful path."""
    known = CODEC._decoders.get(value[:HEADER_BYTES])
    try:
        return known[1](value) if known else None
    except Exception:
        return None


def assert_both_paths_agree(value: bytes) -> None:
    """Generated code reads what fastavro and msgspec read, to the sign of a zero, or leaves it to them."""
    fast = generated_outcome(value)
    if fast is not None:
        assert repr(fast) == repr(CODEC._decode_carefully(value, None))


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_generated_code_writes_and_reads_the_bytes_of_fastavro(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(events(kind))
    value = CODEC._encode_carefully(event)
    assert CODEC._encoders[kind](event) == value
    assert_both_paths_agree(value)


@settings(max_examples=400, deadline=None)
@given(event=any_events(), data=st.data())
def test_both_paths_agree_about_damaged_records(event: Event, data: st.DataObject) -> None:
    value = bytearray(CODEC.encode(event))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(HEADER_BYTES, max(HEADER_BYTES, len(value) - 1)))
        value[at : at + data.draw(st.integers(0, 2))] = data.draw(st.binary(max_size=2))
    assert_both_paths_agree(bytes(value))
    assert_both_paths_agree(bytes(value[: data.draw(st.integers(HEADER_BYTES, len(value)))]))


@settings(max_examples=400, deadline=None)
@given(kind=st.sampled_from(EVENT_TYPES), body=st.lists(st.sampled_from([0, 1, 2, 4, 6, 97, 128, 130, 255])).map(bytes))
def test_both_paths_agree_about_bytes_that_nobody_wrote(kind: type[Event], body: bytes) -> None:
    assert_both_paths_agree(CODEC.header_of(kind) + body)


# Overlong and surrogate UTF-8, lengths in more bytes than they need, negative ones, two blocks, odd bools and branches.
@pytest.mark.parametrize(
    "body",
    [
        b"\4\xc0\x80\0",
        b"\6\xed\xa0\x80\0",
        b"\x82\0a\0",
        b"\1a\0",
        b"\x80\0\0",
        b"\2a\x80\x80\0",
        b"\2a\1",
        b"\2a" + b"\xff" * 10,
    ],
)
def test_both_paths_agree_about_odd_forms(body: bytes) -> None:
    assert_both_paths_agree(CODEC.header_of(Tick) + body)
    assert_both_paths_agree(CODEC.header_of(Tick) + body + b"\2")


WRONG = [
    None, True, 1, -1, 1.5, -0.0, float("nan"), float("inf"), 2**63, -(2**63) - 1, 10**400, "", "text", b"raw",
    "\ud800", (), (1,), ("text",), (None,), (True,), [], ["text"], {}, {"a": 1}, {"a": True}, {"a": 1.0}, {"a": None},
    {1: 1}, {"\ud800": 1}, {"text"}, object(), Channel.CHAT, datetime(2000, 1, 1, tzinfo=UTC), Decimal(1), UUID(int=1),
    {Decimal(1): 1}, {datetime(2000, 1, 1, tzinfo=UTC): 1}, {UUID(int=1): 1}, Tick(key="acme", now=1),
]  # fmt: skip


@settings(max_examples=1000, deadline=None)
@given(event=any_events(), data=st.data())
def test_a_value_of_any_type_is_written_as_fastavro_would_or_not_at_all(event: Event, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(event.__struct_fields__))
    part, wrong = getattr(event, name), data.draw(st.sampled_from(WRONG))
    if isinstance(part, Event) and data.draw(st.booleans()):
        wrong = msgspec.structs.replace(part, **{data.draw(st.sampled_from(part.__struct_fields__)): wrong})
    elif isinstance(part, tuple) and part and data.draw(st.booleans()):
        wrong = (*part, wrong)
    changed = msgspec.structs.replace(event, **{name: wrong})
    try:
        careful = CODEC._encode_carefully(changed)
    except EncodeError:
        with pytest.raises(EncodeError, match="does not fit its schema"):
            CODEC.encode(changed)
    else:
        assert CODEC.encode(changed) == careful


OFFER = Offered(interaction_id="c-1", tenant="acme", channel=Channel.CHAT, text="hello", occurred_at=1)
INTENT = Classification(intent="balance", confidence=0.5)
DISPLACED = Displaced(queue="retail", intent="balance", contacts_per_minute=1.0)


def impact(**changes: Any) -> Impact:
    fields: dict[str, Any] = {
        "tenant": "acme", "provider": "north", "endpoint": "nova", "state": "open", "epoch": 1, "displaced": (),
        "expected_seconds_p50": 60.0, "expected_seconds_p90": 300.0, "duration_samples": 0, "occurred_at": 1,
    }  # fmt: skip
    return Impact(**{**fields, **changes})


@pytest.mark.parametrize(
    ("event", "path"),
    [
        (msgspec.structs.replace(OFFER, interaction_id=""), "$.interaction_id"),
        (msgspec.structs.replace(OFFER, interaction_id="x" * 257), "$.interaction_id"),
        (msgspec.structs.replace(OFFER, tenant=""), "$.tenant"),
        (msgspec.structs.replace(OFFER, channel="telex"), "$.channel"),
        (msgspec.structs.replace(OFFER, text="x" * 100_001), "$.text"),
        (msgspec.structs.replace(OFFER, occurred_at=-1), "$.occurred_at"),
        (msgspec.structs.replace(OFFER, occurred_at=LATEST + 1), "$.occurred_at"),
        (
            msgspec.structs.replace(OFFER, classification=msgspec.structs.replace(INTENT, confidence=1.1)),
            "$.classification.confidence",
        ),
        (
            msgspec.structs.replace(OFFER, classification=msgspec.structs.replace(INTENT, confidence=float("nan"))),
            "$.classification.confidence",
        ),
        (impact(expected_seconds_p50=float("inf")), "$.expected_seconds_p50"),
        (impact(expected_seconds_p90=-0.5), "$.expected_seconds_p90"),
        (impact(state="ajar"), "$.state"),
        (impact(epoch=-1), "$.epoch"),
        (impact(displaced=(msgspec.structs.replace(DISPLACED, contacts_per_minute=float("inf")),)), "$.displaced[0]"),
        (Tick(key="", now=1), "$.key"),
    ],
)
def test_a_field_out_of_its_bounds_is_refused_by_name(event: Event, path: str) -> None:
    value = CODEC.encode(event)
    with pytest.raises(DecodeError) as refused:
        CODEC.decode(value)
    assert refused.value.reason == "invalid_fields"
    assert path in str(refused.value)


@pytest.mark.parametrize(
    "changes", [{"text": 5}, {"text": "\ud800"}, {"occurred_at": "noon"}, {"occurred_at": 2**63}, {"text": object()}]
)
def test_a_value_that_does_not_fit_the_schema_cannot_be_written(changes: dict[str, Any]) -> None:
    with pytest.raises(EncodeError, match="Offered does not fit its schema") as refused:
        CODEC.encode(msgspec.structs.replace(OFFER, **changes))
    assert refused.value.reason == "unencodable"


def newer_schema(**changes: Any) -> dict[str, Any]:
    """A schema of `Turn` with a field that this release does not know."""
    schema = avro_schema(Turn)
    return {**schema, "fields": [*schema["fields"], {"name": "cost", "type": "double"}], **changes}


@settings(max_examples=25, deadline=None)
@given(event=events(Turn))
def test_a_record_of_a_newer_release_is_read_by_the_schema_it_published(event: Turn) -> None:
    newer = newer_schema()
    value = written_under(newer, event)
    asked: list[bytes] = []

    def fetch(wanted: bytes) -> dict[str, Any]:
        asked.append(wanted)
        return newer

    codec = Codec(fetch)
    assert [codec.decode(value), codec.decode(value)] == [event, event]
    assert asked == [fingerprint(newer)], "a schema is looked up once"
    assert refusal(value[:-1], codec) == "truncated"
    assert refusal(value) == "unknown_schema"


@pytest.mark.parametrize(
    "published",
    [
        None,
        {},
        {"name": "Turn"},
        newer_schema(name="Unheard"),
        newer_schema(fields=[{"name": "number", "type": "no such type"}]),
        newer_schema(fields=7),
    ],
)
def test_a_published_schema_that_is_none_of_ours_or_none_at_all_makes_the_record_unknown(published: Any) -> None:
    assert refusal(MARKER + b"8 bytes." + b"\0" * 40, Codec(lambda _: published)) == "unknown_schema"


def test_a_published_schema_that_cannot_be_resolved_refuses_the_record() -> None:
    text_for_number = newer_schema(fields=[{"name": "number", "type": "string"}])
    assert refusal(MARKER + b"8 bytes." + b"\2a", Codec(lambda _: text_for_number)) in REASONS


@settings(max_examples=25, deadline=None)
@given(event=events(Classified))
def test_json_of_an_event_is_held_to_the_same_bounds(event: Classified) -> None:
    assert msgspec.json.decode(msgspec.json.encode(event), type=Classified) == event
    wrong = msgspec.structs.replace(event.classification, confidence=1.1)
    with pytest.raises(msgspec.ValidationError, match=r"<= 1.0 - at `\$.classification.confidence`"):
        msgspec.json.decode(msgspec.json.encode(msgspec.structs.replace(event, classification=wrong)), type=Classified)
