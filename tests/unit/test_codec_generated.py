"""Generated encoders and decoders: memos that stay small and exact, and usual events that never leave the fast path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schemas import generated
from schemas.codec import Codec
from schemas.codegen import plain
from schemas.decoders import decoder
from schemas.encoders import encoder
from schemas.errors import DecodeError, EncodeError, SchemaError
from schemas.events import EVENT_TYPES
from schemas.fields import LATEST, Event, Id, Micros
from schemas.generated import LONGEST_KEPT, MOST_KEPT
from schemas.interactions import Load, Offered, Thresholds, TimerSet
from tests.contacts import completed, decision, turn
from tests.offers import EVIDENCE, breaker, offered, policy
from tests.offers import recovering as half_open

CODEC = Codec()
MEMOS: dict[str, dict[Any, Any]] = {
    name: memo for name, memo in vars(generated).items() if isinstance(memo, dict) and not name.startswith("_")
}


class FastCodec(Codec):
    """A codec whose careful path is closed."""

    def _encode_carefully(self, event: Event) -> bytes:
        raise AssertionError(f"{event} was left to the careful path")

    def _decode_carefully(self, value: bytes | None, expected: tuple[type[Event], ...] | None) -> Event:
        raise AssertionError(f"{value!r} was left to the careful path")


FAST = FastCodec()
USUAL = [
    offered(),
    offered(text="x" * 100_000, customer_id="u-1"),
    offered("c" * 64, tenant="ténant" * 36, segment="s" * 200),
    decision(),
    decision(epochs={"policy": 3, "breakers.transitions": 41_000, "clock": -1}, load=Load(probe_permits={"nova": 2})),
    decision(breaker_epoch=8_192, offered_offset=3_000_000, pool=None, supervision=None, first_decision_id="d-0"),
    turn(1),
    turn(6, quality=0.5),
    completed(3),
    completed(0, resolved=True, wait_seconds=7),
    half_open("nova"),
    breaker("nova", state="open", evidence=msgspec.structs.replace(EVIDENCE, failures_by_result={"timeout": 12})),
    policy(),
]


@pytest.fixture
def memos() -> Iterator[dict[str, dict[Any, Any]]]:
    """The memos of the process, emptied before and after."""
    for memo in MEMOS.values():
        memo.clear()
    yield MEMOS
    for memo in MEMOS.values():
        memo.clear()


@pytest.mark.parametrize("event", USUAL, ids=lambda event: type(event).__name__)
def test_what_is_usual_never_needs_the_careful_path(event: Event) -> None:
    longest = len(getattr(event, "text", ""))
    value = CODEC._encode_carefully(event)
    assert FAST.decode(value) == event
    if longest < 8_192:  # a longer text is rare enough
        assert FAST.encode(event) == value


def test_what_is_usual_is_there_again_after_the_memos_were_emptied(memos: dict[str, dict[Any, Any]]) -> None:
    for event in USUAL:
        value = CODEC._encode_carefully(event)
        for memo in memos.values():
            memo.clear()
        assert CODEC.encode(event) == value
        assert FAST.decode(value) == event


def test_a_flood_of_names_does_not_grow_the_memos(memos: dict[str, dict[Any, Any]]) -> None:
    for number in range(2 * MOST_KEPT + 10):
        event = decision(
            tenant=f"t-{number}", endpoint=f"e-{number}", epochs={f"topic-{number}": 1}, decided_at=number << 40
        )
        value = CODEC.encode(event)
        if number % 2_000 == 0:
            assert value == CODEC._encode_carefully(event)
        assert CODEC.decode(value) == event
    assert all(memo for memo in memos.values())
    assert all(len(memo) <= MOST_KEPT for memo in memos.values())


def test_a_long_name_is_not_kept(memos: dict[str, dict[Any, Any]]) -> None:
    long = "x" * (LONGEST_KEPT + 1)
    event = decision(language=long, endpoint=long, epochs={long: 1}, load=Load(probe_permits={long: 1}))
    value = CODEC.encode(event)
    assert CODEC.decode(value) == event
    assert not [
        key for memo in memos.values() for key in memo if isinstance(key, str | bytes) and len(key) > LONGEST_KEPT
    ]


@given(number=st.integers(-(2**63), 2**63 - 1) | st.integers(0, LATEST) | st.integers(0, 2**28))
@example(number=0)
@example(number=63)
@example(number=64)
@example(number=8_191)
@example(number=8_192)
@example(number=2**27 - 1)
@example(number=2**27)
@example(number=2**48)
@example(number=2**55)
@example(number=-1)
def test_a_number_of_any_size_has_the_bytes_that_fastavro_gives_it(number: int) -> None:
    for event in (
        TimerSet(interaction_id="c-1", due_at=number),
        decision(epochs={"a": number}, offered_offset=number, offered_at=number, decided_at=number),
        half_open("nova", permits=(number, 1), open_until=number),
    ):
        value = CODEC._encode_carefully(event)
        assert CODEC._encoders[type(event)](event) == value == CODEC.encode(event)


@pytest.mark.parametrize("length", [0, 1, 63, 64, 127, 128, 8_191, 8_192, 100_000])
@pytest.mark.parametrize("letter", ["x", "é", "€", "😀"])
def test_a_text_of_any_length_has_the_bytes_that_fastavro_gives_it(length: int, letter: str) -> None:
    event = offered(text=letter * length, segment=letter * length, customer_id=letter * length)
    value = CODEC.encode(event)
    assert value == CODEC._encode_carefully(event)
    assert CODEC.decode(value) == event


@pytest.mark.parametrize(("length", "fits"), [(256, True), (257, False)])
@pytest.mark.parametrize("letter", ["x", "é", "😀"])
def test_the_longest_name_is_counted_in_characters(length: int, fits: bool, letter: str) -> None:
    for event in (offered(letter * length), offered(tenant=letter * length)):
        value = CODEC.encode(event)
        if fits:
            assert CODEC.decode(value) == event
        else:
            with pytest.raises(DecodeError, match="length <= 256"):
                CODEC.decode(value)


@pytest.mark.parametrize("entry", [True, 1.0, None, "1", 2**63])
def test_a_map_that_equals_one_that_was_written_is_not_taken_for_it(entry: Any) -> None:
    CODEC.encode(decision(epochs={"policy": 1}))
    with pytest.raises(EncodeError):
        CODEC.encode(decision(epochs={"policy": entry}))


def test_a_map_keeps_the_order_of_its_entries() -> None:
    for epochs in ({"a": 1, "b": 2}, {"b": 2, "a": 1}):
        event = decision(epochs=epochs)
        assert CODEC.encode(event) == CODEC._encode_carefully(event)
        assert list(CODEC.decode(CODEC.encode(event)).epochs) == list(epochs)  # type: ignore[attr-defined]


def test_a_map_that_was_read_belongs_to_its_event_alone() -> None:
    value = CODEC.encode(decision(epochs={"policy": 1}))
    first: Any = CODEC.decode(value)
    first.epochs["policy"] = 2
    second: Any = CODEC.decode(value)
    second.epochs["clock"] = 7
    assert CODEC.decode(value) == decision(epochs={"policy": 1})


def test_both_zeros_are_written_as_they_are() -> None:
    for zero in (0.0, -0.0, 0):
        event = decision(thresholds=Thresholds(contained=zero, assisted=zero), confidence=zero)
        assert CODEC.encode(event) == CODEC._encode_carefully(event)


@pytest.mark.parametrize(
    "changes",
    [
        {"offered_partition": True},
        {"offered_partition": 1.0},
        {"confidence": True},
        {"confidence": 10**400},
        {"load": Load(store_down=1)},  # type: ignore[arg-type]
        {"load": Load(store_down=None)},  # type: ignore[arg-type]
        {"load": None},
        {"tenant": None},
        {"tenant": b"acme"},
        {"tenant": "\ud800"},
        {"decision_id": "\ud800"},
        {"decision_id": None},
        {"decided_at": True},
        {"decided_at": 2**63},
        {"decided_at": -(2**63) - 1},
        {"decided_at": 1e15},
        {"reasons": None},
        {"reasons": "ab"},
        {"reasons": (None,)},
        {"epochs": None},
        {"epochs": ()},
        {"epochs": {1: 1}},
        {"endpoint": 5},
        {"endpoint": ("string", "nova")},
        {"pool": 1},
    ],
    ids=str,
)
def test_a_value_of_another_type_is_refused_and_not_written_as_something_else(changes: dict[str, Any]) -> None:
    with pytest.raises(EncodeError, match="Decision does not fit its schema") as refused:
        CODEC.encode(decision(**changes))
    assert refused.value.reason == "unencodable"


def test_an_event_of_no_topic_has_no_encoding() -> None:
    with pytest.raises(KeyError):
        CODEC.encode(Load())


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_the_functions_of_a_type_are_made_once_per_process(kind: type[Event]) -> None:
    assert Codec()._encoders[kind] is CODEC._encoders[kind]


@pytest.mark.parametrize(
    "hint",
    [
        int | str,
        bytes,
        tuple[bytes, ...],
        tuple[str | None, ...],
        tuple[str, int],
        dict[str, str],
        Annotated[str, msgspec.Meta(pattern="a+")],
        Annotated[str, msgspec.Meta(min_length=2)],
        Annotated[str, msgspec.Meta(max_length=5)],
        Annotated[int, msgspec.Meta(gt=0)],
        Annotated[Annotated[int, msgspec.Meta(ge=0)], msgspec.Meta(le=5)],
        Annotated[dict[str, int], msgspec.Meta(min_length=1)],
        Annotated[tuple[int, ...], msgspec.Meta(max_length=5)],
    ],
    ids=str,
)
def test_a_type_that_the_generator_does_not_know_is_named(hint: Any) -> None:
    namespace = {"__annotations__": {"key": Id, "now": Micros, "novel": hint}, "__module__": __name__}
    kind = type(Event)("Novel", (Event,), namespace, frozen=True, kw_only=True)
    with pytest.raises(SchemaError, match="no generated code for"):
        encoder(kind, b"")
    with pytest.raises(SchemaError, match="no generated code for"):
        decoder(kind, 0)


def test_a_type_is_taken_out_of_its_wrapping() -> None:
    assert plain(Id | None)[::2] == (str, True)
    assert plain(Micros).bounds.le == LATEST
    assert plain(Offered) == (Offered, msgspec.Meta(), False)
