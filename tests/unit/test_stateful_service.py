"""A stateful service without a broker: a record in, records out, and the state all or nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import msgspec
import pytest

from runtime.kafka import MAX_RECORD_BYTES, Record
from runtime.metrics import METRICS
from runtime.partitioner import partition_of
from runtime.quix import StatefulService
from runtime.snapshot import Snapshot
from runtime.state import DictState, KeyedState
from schemas.agents import Tick
from schemas.codec import Codec
from schemas.control import ClockSetting
from schemas.envelope import Envelope, Headers, Packed
from schemas.errors import RecordError
from schemas.fields import FinishedBy, TurnResult
from schemas.interactions import Completed, TimerSet, Turn
from schemas.topics import CLOCK, CLOSED, INTERACTION_EVENTS, TIMERS, WFM_EVENTS, Effect, Topic

CODEC = Codec()
PARTITIONS = 4
DLQ = INTERACTION_EVENTS.dead_letter_name
TURN = Turn(
    interaction_id="c-1",
    tenant="acme",
    number=1,
    endpoint="nova",
    version="1",
    result=TurnResult.OK,
    latency_ms=300.0,
    occurred_at=1_000,
)
KEY = b"c-1"
HOME = (partition_of(KEY, PARTITIONS), 41)
ELSEWHERE = ((HOME[0] + 1) % PARTITIONS, 41)
VALUE = CODEC.encode(TURN)

Step = Callable[[Any, KeyedState, Snapshot, int], Iterable[Effect]]


def count_turns(event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> Iterator[Effect]:
    """Counts, and asks to be woken."""
    state.set("turns", state.get("turns", 0) + 1)
    yield Effect(TIMERS, TimerSet(interaction_id=event.interaction_id, due_at=now))


def handle(
    step: Step,
    state: DictState,
    key: bytes | None = KEY,
    value: bytes | None = VALUE,
    place: tuple[int, int] = HOME,
    snapshot: Snapshot | None = None,
) -> list[Packed]:
    service = StatefulService("sessions", INTERACTION_EVENTS, step, CODEC, PARTITIONS)
    return service.handle(record(key, value, place), state, snapshot or Snapshot())


def record(
    key: bytes | None = KEY,
    value: bytes | None = VALUE,
    place: tuple[int, int] = HOME,
    headers: Headers = (),
    inbox: Topic = INTERACTION_EVENTS,
) -> Record:
    return Record(inbox.name, *place, key, value, tuple(headers))


def headers_of(packed: Packed) -> dict[str, bytes]:
    return dict(packed.headers)


def counted(name: str, **labels: str) -> float:
    return METRICS.registry.get_sample_value(name, {"service": "sessions", **labels}) or 0.0


def test_a_good_record_changes_the_state_and_makes_its_effects() -> None:
    state = DictState()
    (packed,) = handle(count_turns, state)
    assert state.entries == {"turns": 1}
    assert (packed.topic, packed.key) == (TIMERS.name, KEY)
    assert isinstance(CODEC.decode(packed.value), TimerSet)


def test_effects_keep_their_order_and_a_tombstone_has_no_value() -> None:
    def step(event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
        return [Effect(TIMERS, None, "c-1"), Effect(TIMERS, TimerSet(interaction_id="c-1", due_at=5))]

    tombstone, packed = handle(step, DictState())
    assert tombstone == Packed(TIMERS.name, KEY, None)
    assert packed == Envelope(CODEC, "sessions").pack(Effect(TIMERS, TimerSet(interaction_id="c-1", due_at=5)))


def test_a_step_is_given_the_snapshot_and_trunkline_s_own_time() -> None:
    seen: list[tuple[Snapshot, int]] = []

    def step(event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
        seen.append((snapshot, now))
        return []

    in_1999 = ClockSetting(origin=920_246_400_000_000, real_origin=0, speed=1e-12)
    snapshot = Snapshot().with_record(CLOCK, "clock", in_1999, 0)
    assert handle(step, DictState(), snapshot=snapshot) == []
    ((given, now),) = seen
    assert given is snapshot
    assert 0 <= now - in_1999.origin < 10_000


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, b"empty"),
        (b"no record at all", b"unknown_framing"),
        (VALUE[:-1], b"truncated"),
        (VALUE[:2] + b"unheard." + VALUE[10:], b"unknown_schema"),
        (CODEC.encode(TimerSet(interaction_id="c-1", due_at=1)), b"unexpected_type"),
        (CODEC.encode(msgspec.structs.replace(TURN, number=0)), b"invalid_fields"),
    ],
)
def test_a_record_that_cannot_be_decoded_is_a_dead_letter_with_its_own_bytes(
    value: bytes | None, reason: bytes
) -> None:
    state = DictState()
    before = counted("trunkline_dead_letters_total", stage="decode", reason=reason.decode())
    (letter,) = handle(count_turns, state, value=value)
    assert (letter.topic, letter.key, letter.value) == (DLQ, KEY, value)
    headers = headers_of(letter)
    assert headers["dlq_stage"] == b"sessions:decode"
    assert headers["dlq_reason"] == reason
    assert (headers["dlq_partition"], headers["dlq_offset"]) == (str(HOME[0]).encode(), b"41")
    assert state.entries == {}
    assert counted("trunkline_dead_letters_total", stage="decode", reason=reason.decode()) == before + 1


def raises_record_error(event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    state.set("turns", 99)
    state.delete("kept")
    raise RecordError("contradiction", "this turn was told twice, differently")


def raises_after_an_effect(event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> Iterator[Effect]:
    state.set("turns", 99)
    yield Effect(TIMERS, TimerSet(interaction_id="c-1", due_at=1))
    raise ZeroDivisionError("a defect")


def writes_to_the_wrong_topic(event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    state.set("turns", 99)
    return [Effect(TIMERS, TimerSet(interaction_id="c-1", due_at=1)), Effect(CLOSED, event)]


def writes_too_much(event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    state.set("turns", 99)
    return [Effect(INTERACTION_EVENTS, msgspec.structs.replace(event, version="x" * MAX_RECORD_BYTES))]


def writes_what_cannot_be_encoded(event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    state.set("turns", 99)
    return [Effect(TIMERS, TimerSet(interaction_id="c-1", due_at=2**63))]


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (raises_record_error, b"contradiction"),
        (raises_after_an_effect, b"ZeroDivisionError"),
        (writes_to_the_wrong_topic, b"wrong_topic"),
        (writes_what_cannot_be_encoded, b"unencodable"),
        (writes_too_much, b"too_large"),
    ],
)
def test_a_step_that_fails_leaves_the_state_alone_and_makes_a_dead_letter_and_nothing_else(
    step: Step, reason: bytes
) -> None:
    state = DictState()
    state.entries = {"turns": 3, "kept": True}
    (letter,) = handle(step, state)
    assert state.entries == {"turns": 3, "kept": True}
    assert (letter.topic, letter.key, letter.value) == (DLQ, KEY, VALUE)
    assert headers_of(letter)["dlq_stage"] == b"sessions:step"
    assert headers_of(letter)["dlq_reason"] == reason


def test_the_record_after_a_failed_one_is_stepped_as_if_that_had_never_been() -> None:
    state = DictState()
    handle(count_turns, state)
    handle(raises_after_an_effect, state)
    handle(count_turns, state)
    assert state.entries == {"turns": 2}


@pytest.mark.parametrize(
    ("key", "place"),
    [(b"another", HOME), (None, HOME), (KEY, ELSEWHERE), (b"another", ELSEWHERE), (b"\xff", HOME)],
    ids=["wrong key", "no key", "wrong partition", "both wrong", "a key that is no text"],
)
def test_a_record_that_lies_where_it_does_not_belong_is_sent_to_where_it_does(
    key: bytes | None, place: tuple[int, int]
) -> None:
    state = DictState()
    before = counted("trunkline_forwarded_records_total")
    (forwarded,) = handle(count_turns, state, key=key, place=place)
    assert (forwarded.topic, forwarded.key, forwarded.value) == (INTERACTION_EVENTS.name, KEY, VALUE)
    assert state.entries == {}, "the state of this key is not here"
    assert counted("trunkline_forwarded_records_total") == before + 1

    (packed,) = handle(count_turns, state, forwarded.key, forwarded.value, (partition_of(KEY, PARTITIONS), 42))
    assert packed.topic == TIMERS.name
    assert state.entries == {"turns": 1}


def test_a_record_is_sent_on_with_its_headers_and_only_once() -> None:
    """A broker that sorts keys otherwise would have it sent round for ever."""
    service, state = StatefulService("sessions", INTERACTION_EVENTS, count_turns, CODEC, PARTITIONS), DictState()
    (forwarded,) = service.handle(record(place=ELSEWHERE, headers=[("ce_id", b"7")]), state, Snapshot())
    assert ("ce_id", b"7") in forwarded.headers
    again = record(forwarded.key, forwarded.value, ELSEWHERE, forwarded.headers)
    (packed,) = service.handle(again, state, Snapshot())
    assert packed.topic == TIMERS.name
    assert state.entries == {"turns": 1}


def test_a_header_gives_no_record_to_a_state_that_is_not_its_key_s() -> None:
    state = DictState()
    service = StatefulService("sessions", INTERACTION_EVENTS, count_turns, CODEC, PARTITIONS)
    claims = service.handle(record(place=ELSEWHERE), state, Snapshot())[0].headers
    (forwarded,) = service.handle(record(b"another", headers=claims), state, Snapshot())
    assert (forwarded.topic, forwarded.key) == (INTERACTION_EVENTS.name, KEY)
    assert state.entries == {}


def test_of_two_readers_of_an_inbox_only_the_first_sends_on_and_buries_what_does_not_decode() -> None:
    tick = CODEC.encode(Tick(key="acme", now=1))
    home = partition_of(b"acme", PARTITIONS)
    made: dict[str, list[str]] = {}
    for name in WFM_EVENTS.readers:
        service = StatefulService(name, WFM_EVENTS, _nothing, CODEC, PARTITIONS)
        stray = record(b"acme", tick, ((home + 1) % PARTITIONS, 1), inbox=WFM_EVENTS)
        bad = record(b"acme", b"no record", (home, 2), inbox=WFM_EVENTS)
        made[name] = [packed.topic for each in (stray, bad) for packed in service.handle(each, DictState(), Snapshot())]
    assert made == {"analytics": [WFM_EVENTS.name, WFM_EVENTS.dead_letter_name], "staffing": []}


def test_each_reader_of_an_inbox_buries_what_its_own_step_refuses() -> None:
    tick = CODEC.encode(Tick(key="acme", now=1))
    for name in WFM_EVENTS.readers:
        service = StatefulService(name, WFM_EVENTS, raises_record_error, CODEC, PARTITIONS)
        place = (partition_of(b"acme", PARTITIONS), 1)
        (letter,) = service.handle(record(b"acme", tick, place, inbox=WFM_EVENTS), DictState(), Snapshot())
        assert headers_of(letter)["dlq_stage"] == f"{name}:step".encode()


def _nothing(event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    return []


def test_each_type_of_the_inbox_reaches_the_step() -> None:
    seen: list[type] = []

    def step(event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
        seen.append(type(event))
        return []

    over = Completed(interaction_id="c-1", tenant="acme", finished_by=FinishedBy.AI, ai_turns=1, occurred_at=1)
    handle(step, DictState())
    handle(step, DictState(), value=CODEC.encode(over))
    assert seen == [Turn, Completed]
