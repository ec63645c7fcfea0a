"""What is on the wire around an event: key, CloudEvents headers, tombstones and dead letters."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.agents import Tick
from schemas.codec import Codec
from schemas.envelope import Envelope, Packed, Record, dead_letter, iso_time
from schemas.errors import DecodeError, EncodeError
from schemas.fields import LATEST
from schemas.interactions import TimerSet
from schemas.topics import OFFERED, TIMERS, TOPICS, Effect, Topic
from tests.strategies import any_events

CODEC = Codec()
ENVELOPE, SAME = Envelope(CODEC, "sessions"), Envelope(Codec(), "sessions")
TICK = Tick(key="acme/north", now=922_271_400_250_000)


@st.composite
def effects(draw: st.DrawFn) -> Effect:
    """An event that any topic carries."""
    topic = draw(st.sampled_from(TOPICS))
    return Effect(topic, draw(any_events(topic.types)))


def outward(effect: Effect) -> bool:
    return not effect.topic.inbox


@settings(max_examples=50, deadline=None)
@given(effect=effects())
def test_a_record_carries_the_topic_s_key_and_every_cloudevents_attribute(effect: Effect) -> None:
    assert effect.event is not None
    packed = ENVELOPE.pack(effect)
    headers = dict(packed.headers)
    assert (packed.topic, packed.key) == (effect.topic.name, effect.topic.key_of(effect.event).encode())
    assert packed.value == CODEC.encode(effect.event)
    if effect.topic.inbox:
        assert headers == {}
        return
    assert len(headers) == len(packed.headers), "no header twice"
    assert headers["ce_specversion"] == b"1.0"
    assert headers["ce_type"] == f"io.trunkline.{type(effect.event).__name__}".encode()
    assert headers["ce_source"] == b"/trunkline/sessions"
    assert headers["content-type"] == b"application/avro"
    assert len(headers["ce_id"]) == 32
    assert datetime.fromisoformat(headers["ce_time"].decode()).tzinfo == UTC


@settings(max_examples=50, deadline=None)
@given(one=effects().filter(outward), other=effects().filter(outward))
def test_the_same_event_has_the_same_id_and_another_event_another(one: Effect, other: Effect) -> None:
    def id_of(effect: Effect, envelope: Envelope) -> bytes:
        return dict(envelope.pack(effect).headers).get("ce_id", b"")

    assert id_of(one, ENVELOPE) == id_of(one, SAME)
    same = type(one.event) is type(other.event) and one.event == other.event
    if not same and CODEC.encode(one.event) != CODEC.encode(other.event):  # type: ignore[arg-type]
        assert id_of(one, ENVELOPE) != id_of(other, ENVELOPE)


def test_the_time_of_an_event_is_its_own() -> None:
    assert dict(ENVELOPE.headers(TICK, "1"))["ce_time"] == b"1999-03-24T10:30:00.250000Z"


@settings(max_examples=50, deadline=None)
@given(micros=st.integers(0, LATEST))
def test_every_instant_that_a_field_takes_can_be_written(micros: int) -> None:
    written = datetime.fromisoformat(iso_time(micros))
    whole = datetime(1970, 1, 1, tzinfo=UTC)
    assert (written - whole).days * 86_400_000_000 + (written - whole).seconds * 1_000_000 + (
        written - whole
    ).microseconds == micros


@settings(max_examples=50, deadline=None)
@given(effect=effects(), topic=st.sampled_from(TOPICS))
def test_an_event_goes_to_no_topic_that_does_not_carry_it(effect: Effect, topic: Topic) -> None:
    assert effect.event is not None
    if type(effect.event) in topic.types:
        assert ENVELOPE.pack(Effect(topic, effect.event)).topic == topic.name
    else:
        with pytest.raises(EncodeError, match=f"{type(effect.event).__name__} does not belong on {topic.name}") as no:
            ENVELOPE.pack(Effect(topic, effect.event))
        assert no.value.reason == "wrong_topic"


def test_an_effect_without_an_event_is_a_tombstone_under_its_key() -> None:
    packed = ENVELOPE.pack(Effect(TIMERS, None, "c-1"))
    assert packed == Packed(TIMERS.name, b"c-1", None)
    assert packed.key == ENVELOPE.pack(Effect(TIMERS, TimerSet(interaction_id="c-1", due_at=1))).key


@settings(max_examples=50, deadline=None)
@given(
    key=st.none() | st.binary(max_size=20),
    value=st.none() | st.binary(max_size=60),
    partition=st.integers(0, 23),
    offset=st.integers(0, 2**62),
    message=st.text(max_size=20),
)
def test_a_dead_letter_keeps_key_and_bytes_and_says_where_and_why(
    key: bytes | None, value: bytes | None, partition: int, offset: int, message: str
) -> None:
    problem = DecodeError("truncated", message)
    letter = dead_letter(Record(OFFERED.name, partition, offset, key, value), "router:decode", problem)
    assert (letter.topic, letter.key, letter.value) == ("interactions.offered.dlq", key, value)
    assert dict(letter.headers) == {
        "dlq_topic": b"interactions.offered",
        "dlq_partition": str(partition).encode(),
        "dlq_offset": str(offset).encode(),
        "dlq_stage": b"router:decode",
        "dlq_reason": b"truncated",
        "dlq_error": message.encode(),
    }


def test_a_dead_letter_of_an_unexpected_failure_names_its_kind() -> None:
    letter = dead_letter(Record(OFFERED.name, 0, 0, b"k", b"v"), "step", ZeroDivisionError("x" * 5000))
    headers = dict(letter.headers)
    assert headers["dlq_reason"] == b"ZeroDivisionError"
    assert len(headers["dlq_error"]) == 2000
