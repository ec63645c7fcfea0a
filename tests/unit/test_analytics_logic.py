"""Volumes by cell: what a delta counts, what a tick tells."""

import json

import msgspec
import pytest

from processors.analytics.logic import step
from runtime.snapshot import Snapshot
from runtime.state import DictState, Overlay
from schemas import topics
from schemas.agents import Tick
from schemas.errors import RecordError
from schemas.fields import BreakerState, Channel, Handling, Pool
from schemas.wfm import Impact, VolumeDelta

INTERVAL = 900_000_000
NOW = 1_000_000_000
DELTA = VolumeDelta(
    tenant="acme",
    interaction_id="i-1",
    queue="billing",
    intent="refund",
    channel=Channel.VOICE,
    language="en",
    interval_start=INTERVAL,
    pool=Pool.AI_CONTAINED,
    from_handling=None,
    to_handling=Handling.IN_PROGRESS,
    occurred_at=NOW,
)
TICK = Tick(key="acme", now=NOW)
STATES = [handling.value for handling in Handling]


def moved(from_handling, to_handling, **fields):
    return msgspec.structs.replace(DELTA, from_handling=from_handling, to_handling=to_handling, **fields)


def entering(**fields):
    return moved(None, Handling.IN_PROGRESS, **fields)


def fold(state, *events, now=NOW):
    effects = [effect for event in events for effect in step(event, state, Snapshot(), now)]
    assert json.loads(json.dumps(state.entries)) == state.entries
    return [effect.event for effect in effects if effect.topic is topics.VOLUME]


def counts(row):
    return {state: getattr(row, state) for state in STATES if getattr(row, state)}


def test_a_contact_is_offered_once_and_moves_from_in_progress_to_its_final_state():
    #  null -> in_progress | tick | in_progress -> ai_contained | tick
    state = DictState()
    (opened,) = fold(state, entering(), TICK)
    (closed,) = fold(state, moved(Handling.IN_PROGRESS, Handling.AI_CONTAINED), TICK)
    assert (opened.offered, counts(opened)) == (1, {"in_progress": 1})
    assert (closed.offered, counts(closed)) == (1, {"ai_contained": 1})


def test_a_row_carries_its_cell_the_next_revision_and_the_time_of_the_tick():
    state = DictState()
    (first,) = fold(state, entering(), TICK, now=NOW + 5)
    (second,) = fold(state, entering(), TICK, now=NOW + 9)
    assert (first.tenant, first.queue, first.intent, first.channel, first.language, first.interval_start) == (
        "acme",
        "billing",
        "refund",
        Channel.VOICE,
        "en",
        INTERVAL,
    )
    assert [(row.revision, row.updated_at, row.offered) for row in (first, second)] == [
        (1, NOW + 5, 1),
        (2, NOW + 9, 2),
    ]


def test_a_cell_changed_many_times_between_two_ticks_makes_one_row():
    rows = fold(DictState(), *[entering() for _ in range(50)], TICK)
    assert [(row.revision, row.offered) for row in rows] == [(1, 50)]


def test_a_tick_without_a_change_makes_no_row():
    state = DictState()
    assert fold(state, TICK) == []
    assert len(fold(state, entering(), TICK)) == 1
    assert fold(state, TICK, TICK) == []


def test_only_the_cells_that_changed_since_the_last_tick_are_told():
    state = DictState()
    fold(state, entering(), entering(queue="sales"), TICK)
    rows = fold(state, entering(queue="sales"), TICK)
    assert [(row.queue, row.revision, row.offered) for row in rows] == [("sales", 2, 2)]


@pytest.mark.parametrize(
    "other",
    [
        {"queue": "sales"},
        {"intent": "balance"},
        {"channel": Channel.CHAT},
        {"language": "cy"},
        {"interval_start": 2 * INTERVAL},
    ],
    ids=lambda fields: next(iter(fields)),
)
def test_each_part_of_a_cell_keeps_volumes_apart(other):
    rows = fold(DictState(), entering(), entering(**other), TICK)
    assert [row.offered for row in rows] == [1, 1]


def test_names_that_hold_separators_do_not_run_into_each_other():
    rows = fold(DictState(), entering(queue='a|"b', intent="c"), entering(queue="a", intent='"b|c'), TICK)
    assert [(row.queue, row.intent) for row in rows] == [('a|"b', "c"), ("a", '"b|c')]


def test_a_delta_that_would_make_a_count_negative_is_refused_and_says_why():
    state = DictState()
    fold(state, entering())
    with pytest.raises(RecordError, match=r"contact i-9 of tenant acme leaves ai_contained.*billing") as raised:
        step(moved(Handling.AI_CONTAINED, Handling.ABANDONED, interaction_id="i-9"), state, Snapshot(), NOW)
    assert raised.value.reason == "negative_count"


def test_a_refused_delta_leaves_the_rows_as_they_were():
    state = DictState()
    fold(state, entering())
    overlay = Overlay(state)
    with pytest.raises(RecordError):
        step(moved(Handling.HUMAN_ONLY, Handling.ABANDONED), overlay, Snapshot(), NOW)
    (row,) = fold(state, TICK)
    assert counts(row) == {"in_progress": 1}


def test_a_correction_between_final_states_moves_the_contact_and_offers_none():
    state = DictState()
    (row,) = fold(state, entering(), moved(Handling.IN_PROGRESS, Handling.ABANDONED),
                  moved(Handling.ABANDONED, Handling.DEFLECTED), TICK)  # fmt: skip
    assert (row.offered, counts(row)) == (1, {"deflected": 1})


def test_an_impact_in_the_shared_inbox_is_ignored():
    state = DictState()
    impact = Impact(
        tenant="acme",
        provider="p",
        endpoint="e",
        state=BreakerState.OPEN,
        epoch=1,
        displaced=(),
        expected_seconds_p50=1.0,
        expected_seconds_p90=2.0,
        duration_samples=0,
        occurred_at=NOW,
    )
    assert fold(state, impact) == []
    assert state.entries == {}


class CountingState(DictState):
    """Adds up the JSON characters written, as the changelog would see them."""

    def __init__(self):
        super().__init__()
        self.written = 0

    def set(self, name, value):
        self.written += len(name) + len(json.dumps(value))
        super().set(name, value)


def test_the_cost_of_a_delta_does_not_grow_with_the_number_of_changed_cells():
    state = CountingState()
    written = []
    for number in range(1_000):
        before = state.written
        fold_one = entering(intent=f"intent-{number:04}")
        step(fold_one, state, Snapshot(), NOW)
        written.append(state.written - before)
    assert max(written) <= min(written) + 10  # digits of the slot number


def test_slots_of_the_list_of_changed_cells_are_used_again():
    state = DictState()
    for _ in range(20):
        fold(state, entering(queue="sales"), entering(), TICK)
    assert sum(name.startswith("changed:") for name in state.entries) == 2
