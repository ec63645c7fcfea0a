"""Handle times by cell: what a contact adds, what a correction moves, what is late, what is forgotten."""

from __future__ import annotations

import json

import msgspec
import pytest

from processors.analytics.logic import step
from processors.analytics.logic.keeping import MOST_AT_ONCE
from processors.analytics.logic.slots import SLOTS_KEPT
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas import topics
from schemas.agents import Tick
from schemas.analytics import HandleTimeRow
from schemas.codec import Codec
from schemas.fields import Channel, Handling, Pool
from schemas.wfm import INTERVAL_MICROS, VolumeDelta

SECOND = 1_000_000
DAY = 86_400 * SECOND
NOW = 1_772_373_605_000_000  # 2026-03-01T14:00:05Z
INTERVAL = NOW - NOW % INTERVAL_MICROS
OLD = INTERVAL + INTERVAL_MICROS + 7 * DAY
"""When the interval ended seven days ago."""
DELTA = VolumeDelta(
    tenant="acme", interaction_id="i-1", queue="billing", intent="refund", channel=Channel.VOICE, language="en",
    interval_start=INTERVAL, pool=Pool.AI_CONTAINED, from_handling=None, to_handling=Handling.AI_ESCALATED,
    ai_seconds=60.0, wait_seconds=15.0, talk_seconds=240.0, wrap_seconds=30.0, occurred_at=NOW,
)  # fmt: skip


def ended(handling: Handling = Handling.AI_ESCALATED, **changes) -> VolumeDelta:
    return msgspec.structs.replace(DELTA, to_handling=handling, **changes)


def correction(left: Handling, handling: Handling, **changes) -> VolumeDelta:
    return ended(handling, from_handling=left, **changes)


def tick(state: DictState, *deltas: VolumeDelta, now: int = NOW) -> list[HandleTimeRow]:
    for delta in deltas:
        step(delta, state, Snapshot(), now)
    effects = step(Tick(key="acme", now=now), state, Snapshot(), now)
    assert json.loads(json.dumps(state.entries)) == state.entries
    return [effect.event for effect in effects if effect.topic is topics.HANDLE_TIME]


def cells(state: DictState) -> int:
    return sum(name.startswith("times") for name in state.entries)


def test_a_contact_that_ended_adds_its_times_to_its_queue_channel_handling_and_interval() -> None:
    (row,) = tick(DictState(), ended())
    assert (row.tenant, row.queue, row.channel, row.handling, row.interval_start, row.late) == (
        "acme", "billing", Channel.VOICE, Handling.AI_ESCALATED, INTERVAL, False,
    )  # fmt: skip
    assert (row.contacts, row.relative_accuracy, row.revision, row.updated_at) == (1, 0.01, 1, NOW)
    sums = {name: getattr(row, name).sum_seconds for name in ("ai", "wait", "talk", "wrap", "handle")}
    assert sums == {"ai": 60.0, "wait": 15.0, "talk": 240.0, "wrap": 30.0, "handle": 330.0}
    assert row.handle.p50_seconds == pytest.approx(330.0, rel=0.01)
    assert Codec().decode(Codec().encode(row)) == row


def test_sums_are_exact() -> None:
    (row,) = tick(DictState(), *(ended(talk_seconds=each) for each in (0.1, 0.2, 0.7)))
    assert (row.talk.sum_seconds, row.talk.mean_seconds) == (1.0, 1.0 / 3)


def test_the_mean_and_the_quantiles_are_of_all_contacts_of_the_cell() -> None:
    (row,) = tick(DictState(), *(ended(talk_seconds=float(each), ai_seconds=0.0) for each in range(1, 101)))
    assert (row.contacts, row.talk.mean_seconds, row.ai.zeros, row.ai.counts) == (100, 50.5, 100, ())
    assert row.talk.p50_seconds == pytest.approx(50.0, rel=0.01)
    assert row.talk.p90_seconds == pytest.approx(90.0, rel=0.01)
    assert row.talk.p99_seconds == pytest.approx(99.0, rel=0.01)


@pytest.mark.parametrize(
    "other",
    [
        {"queue": "sales"},
        {"channel": Channel.CHAT},
        {"to_handling": Handling.AI_ASSISTED},
        {"interval_start": INTERVAL + INTERVAL_MICROS},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_each_part_of_a_cell_keeps_times_apart(other) -> None:
    rows = tick(DictState(), ended(), msgspec.structs.replace(ended(), **other))
    assert [row.contacts for row in rows] == [1, 1]
    assert len({topics.HANDLE_TIME.key_of(row) for row in rows}) == 2


def test_intent_and_language_are_together() -> None:
    (row,) = tick(DictState(), ended(), ended(intent="balance", language="cy"))
    assert row.contacts == 2


def test_a_contact_under_way_is_in_no_cell_and_a_tick_without_a_close_tells_nothing() -> None:
    state = DictState()
    assert tick(state, ended(Handling.IN_PROGRESS)) == []
    assert len(tick(state, correction(Handling.IN_PROGRESS, Handling.HUMAN_ONLY))) == 1
    assert tick(state) == []


def test_revisions_grow_and_a_row_is_the_whole_cell() -> None:
    state = DictState()
    (first,) = tick(state, ended())
    (second,) = tick(state, ended(), now=NOW + SECOND)
    assert (first.contacts, second.contacts) == (1, 2)
    assert second.revision > first.revision


@pytest.mark.parametrize("ticked", [True, False], ids=["in another tick", "in the same tick"])
def test_a_correction_moves_a_contact_with_its_times_to_the_state_that_it_is_in(ticked: bool) -> None:
    state = DictState()
    stays = ended(Handling.ABANDONED, talk_seconds=10.0)
    moves = correction(Handling.ABANDONED, Handling.AI_ESCALATED)
    first = [stays, ended(Handling.ABANDONED)]
    if ticked:
        tick(state, *first)
        rows = tick(state, moves)
    else:
        rows = tick(state, *first, moves)
    by_handling = {row.handling: row for row in rows}
    left, entered = by_handling[Handling.ABANDONED], by_handling[Handling.AI_ESCALATED]
    assert (left.contacts, left.talk.sum_seconds, left.handle.sum_seconds) == (1, 10.0, 100.0)
    assert (entered.contacts, entered.talk.sum_seconds) == (1, 240.0)


def test_a_cell_that_corrections_have_emptied_says_so() -> None:
    state = DictState()
    tick(state, ended(Handling.ABANDONED))
    rows = tick(state, correction(Handling.ABANDONED, Handling.DEFLECTED))
    left = next(row for row in rows if row.handling is Handling.ABANDONED)
    assert (left.contacts, left.talk.sum_seconds, left.talk.mean_seconds, left.talk.p50_seconds) == (0, 0.0, None, None)


def test_a_correction_with_other_times_leaves_the_contact_where_it_is_so_none_is_there_twice() -> None:
    state = DictState()
    tick(state, ended(Handling.ABANDONED))
    assert tick(state, correction(Handling.ABANDONED, Handling.DEFLECTED, talk_seconds=900.0)) == []
    (row,) = tick(state, ended(Handling.ABANDONED))
    assert row.contacts == 2


def test_a_cell_is_forgotten_seven_days_after_its_interval_and_what_comes_then_goes_to_the_late_one() -> None:
    state = DictState()
    (own,) = tick(state, ended())
    tick(state, now=OLD - 1)
    assert cells(state) == 1
    assert tick(state, now=OLD) == []
    assert (cells(state), [name for name in state.entries if name.startswith("kept:handle-time:")]) == (0, [])
    (late,) = tick(state, ended(), ended(interval_start=INTERVAL - INTERVAL_MICROS), now=OLD)
    assert (late.late, late.interval_start, late.contacts) == (True, 0, 2)
    assert topics.HANDLE_TIME.key_of(late) != topics.HANDLE_TIME.key_of(own)
    rows = tick(state, correction(Handling.AI_ESCALATED, Handling.HUMAN_ONLY), now=OLD)
    assert [(row.handling, row.late, row.contacts) for row in rows] == [
        (Handling.AI_ESCALATED, True, 1), (Handling.HUMAN_ONLY, True, 1),
    ]  # fmt: skip


def test_a_late_close_corrects_its_interval_for_seven_days() -> None:
    (row,) = tick(DictState(), ended(), now=OLD - 1)
    assert (row.interval_start, row.late) == (INTERVAL, False)


def test_cells_are_forgotten_in_steps() -> None:
    state = DictState()
    tick(state, *(ended(queue=f"queue-{number}") for number in range(MOST_AT_ONCE + 5)))
    tick(state, now=OLD)
    assert cells(state) == 5
    tick(state, now=OLD)
    assert cells(state) == 0


def test_what_a_tick_cannot_add_up_at_once_comes_with_the_next_and_leaves_no_slots(monkeypatch) -> None:
    monkeypatch.setattr("processors.analytics.logic.closings.MOST_AT_ONCE", 1_500)
    state = DictState()
    told = [tick(state, *[ended()] * 4_000)[0].contacts, tick(state)[0].contacts, tick(state)[0].contacts]
    assert told == [1_500, 3_000, 4_000]
    assert tick(state) == []
    assert sum(name.startswith("ended:") for name in state.entries) == SLOTS_KEPT


def test_absurd_times_break_nothing() -> None:
    (row,) = tick(DictState(), *[ended(ai_seconds=1e308, talk_seconds=1e308)] * 3)
    assert row.handle.sum_seconds == 3 * 2 * 7 * 86_400 + 3 * 30
    assert Codec().decode(Codec().encode(row)) == row
