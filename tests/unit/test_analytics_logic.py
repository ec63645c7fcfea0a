"""Volumes by cell: what a delta counts, what a tick tells."""

import json

import msgspec
import pytest

from processors.analytics.app import checked
from processors.analytics.logic import step
from processors.analytics.logic.keeping import MOST_AT_ONCE
from runtime.metrics import METRICS
from runtime.snapshot import Snapshot
from runtime.state import DictState, Overlay
from schemas import topics
from schemas.agents import Tick
from schemas.conversations import AlertKind
from schemas.errors import RecordError
from schemas.fields import BreakerState, Channel, Handling, Pool
from schemas.wfm import INTERVAL_MICROS, Impact, VolumeDelta

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
DAY = 86_400_000_000
OLD = INTERVAL + INTERVAL_MICROS + 7 * DAY
"""When the interval ended seven days ago."""
TOLD = (topics.VOLUME, topics.ALERTS)
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


def cells(state):
    return sum(name.startswith(("cell:", "late:")) for name in state.entries)


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


def test_a_row_of_which_offered_is_not_the_sum_of_the_states_is_told_with_an_alert_that_says_so():
    state = DictState()
    fold(state, entering(), TICK)
    (name,) = (name for name in state.entries if name.startswith("cell:"))
    state.set(name, {**state.get(name), "counts": {"in_progress": 2}})
    step(entering(), state, Snapshot(), NOW)
    row, alert = (effect.event for effect in checked(TICK, state, Snapshot(), NOW) if effect.topic in TOLD)
    assert (row.offered, row.in_progress, row.conserved) == (2, 3, False)
    assert (alert.alert, alert.tenant, alert.queue, alert.intents) == (
        AlertKind.VOLUMES_UNBALANCED, "acme", "billing", ("refund",),
    )  # fmt: skip
    assert "2 contacts were offered, and the handling states hold in_progress 3" in alert.detail


def test_rows_are_checked_and_counted_and_one_that_is_not_conserved_is_counted_beside():
    def read(name):
        return METRICS.registry.get_sample_value(f"trunkline_volume_rows_{name}_total")

    before = read("checked"), read("unbalanced")
    state = DictState()
    for event in (entering(), entering(queue="sales"), TICK):
        checked(event, state, Snapshot(), NOW)
    assert (read("checked") - before[0], read("unbalanced") - before[1]) == (2, 0)
    (name, _) = (name for name in state.entries if name.startswith("cell:"))
    state.set(name, {**state.get(name), "offered": 7})
    for event in (entering(), entering(queue="sales"), TICK):
        checked(event, state, Snapshot(), NOW)
    assert (read("checked") - before[0], read("unbalanced") - before[1]) == (4, 1)


def test_a_cell_is_forgotten_seven_days_after_the_end_of_its_interval_and_its_row_stands():
    #  open, close | tick a microsecond before | tick at seven days: nothing is told, nothing is kept
    state = DictState()
    fold(state, entering(), moved(Handling.IN_PROGRESS, Handling.AI_CONTAINED), TICK)
    fold(state, TICK, now=OLD - 1)
    assert cells(state) == 1
    assert fold(state, TICK, now=OLD) == []
    assert (cells(state), [name for name in state.entries if name.startswith("kept:volume:")]) == (0, [])


def test_a_cell_with_a_contact_under_way_stays_until_that_has_ended():
    state = DictState()
    fold(state, entering(), TICK)
    fold(state, TICK, now=OLD + DAY)
    (row,) = fold(state, entering(), TICK, now=OLD + 2 * DAY)
    assert (row.late, row.offered) == (False, 2)
    ended = moved(Handling.IN_PROGRESS, Handling.AI_CONTAINED)
    fold(state, ended, TICK, now=OLD + 3 * DAY)
    assert cells(state) == 1
    (row,) = fold(state, ended, TICK, now=OLD + 4 * DAY)
    assert (row.late, row.offered, counts(row), cells(state)) == (False, 2, {"ai_contained": 2}, 0)


def test_a_late_contact_corrects_its_interval_for_seven_days():
    state = DictState()
    (row,) = fold(state, entering(), TICK, now=OLD - 1)
    assert (row.interval_start, row.late) == (INTERVAL, False)


def test_what_comes_for_an_interval_that_is_forgotten_goes_to_the_late_total_of_its_names():
    #  an interval is forgotten | of it and of another as old: contacts of two queues | they end
    state = DictState()
    fold(state, entering(), moved(Handling.IN_PROGRESS, Handling.ABANDONED), TICK)
    fold(state, TICK, now=OLD)
    late = (entering(), entering(interval_start=0), entering(queue="sales"))
    rows = fold(state, *late, TICK, now=OLD)
    assert [(row.queue, row.late, row.interval_start, row.offered) for row in rows] == [
        ("billing", True, 0, 2), ("sales", True, 0, 1),
    ]  # fmt: skip
    assert len({topics.VOLUME.key_of(row) for row in [*rows, msgspec.structs.replace(rows[0], late=False)]}) == 3
    rows = fold(state, *(msgspec.structs.replace(each, from_handling=Handling.IN_PROGRESS,
                         to_handling=Handling.HUMAN_ONLY) for each in late), TICK, now=OLD + 30 * DAY)  # fmt: skip
    assert [(row.late, row.offered, counts(row)) for row in rows] == [
        (True, 2, {"human_only": 2}), (True, 1, {"human_only": 1}),
    ]  # fmt: skip
    assert cells(state) == 2


def test_the_late_total_never_goes_negative():
    state = DictState()
    fold(state, entering(), moved(Handling.IN_PROGRESS, Handling.ABANDONED), TICK)
    fold(state, TICK, now=OLD)
    before = dict(state.entries)
    with pytest.raises(RecordError, match="leaves abandoned"):
        step(moved(Handling.ABANDONED, Handling.DEFLECTED), Overlay(state), Snapshot(), OLD)
    assert state.entries == before


def test_a_contact_that_was_late_ends_in_the_late_total_though_the_clock_was_set_back_meanwhile():
    #  late | the clock is set back, another contact opens the interval anew | the late one ends
    state = DictState()
    fold(state, entering(), TICK, now=OLD)
    fold(state, moved(None, Handling.AI_CONTAINED, interaction_id="i-2"), TICK)
    (row,) = fold(state, moved(Handling.IN_PROGRESS, Handling.ABANDONED), TICK)
    assert (row.late, counts(row)) == (True, {"abandoned": 1})


def test_revisions_of_a_key_grow_over_its_being_forgotten():
    state = DictState()
    (first,) = fold(state, moved(None, Handling.AI_CONTAINED), TICK)
    fold(state, TICK, now=OLD)
    (again,) = fold(state, moved(None, Handling.AI_CONTAINED), TICK)  # the clock was set back
    assert topics.VOLUME.key_of(first) == topics.VOLUME.key_of(again)
    assert again.revision > first.revision


def test_cells_are_forgotten_in_steps():
    state = DictState()
    final = [moved(None, Handling.AI_CONTAINED, intent=f"intent-{number}") for number in range(MOST_AT_ONCE + 5)]
    fold(state, *final, TICK)
    fold(state, TICK, now=OLD)
    assert cells(state) == 5
    fold(state, TICK, now=OLD)
    assert cells(state) == 0


def test_cells_of_a_version_that_did_not_count_offered_go_on_and_are_forgotten_too():
    state = DictState()
    fold(state, entering(), moved(Handling.IN_PROGRESS, Handling.ABANDONED), entering(), TICK)
    (name,) = (name for name in state.entries if name.startswith("cell:"))
    state.entries = {name: {"counts": {"in_progress": 1, "abandoned": 1}, "revision": 9, "changed": False}}
    (row,) = fold(state, entering(), TICK)
    assert (row.offered, row.conserved, row.revision) == (3, True, 10)
    ended = moved(Handling.IN_PROGRESS, Handling.AI_CONTAINED)
    (row,) = fold(state, ended, ended, TICK)
    assert (row.offered, counts(row), row.revision) == (3, {"abandoned": 1, "ai_contained": 2}, 11)
    fold(state, TICK, now=OLD)
    assert cells(state) == 0


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
    assert max(written[1:]) <= min(written[1:]) + 20  # digits of places in lists; the first begins an interval


def test_slots_of_the_list_of_changed_cells_are_used_again():
    state = DictState()
    for _ in range(20):
        fold(state, entering(queue="sales"), entering(), TICK)
    assert sum(name.startswith("changed:") for name in state.entries) == 2
