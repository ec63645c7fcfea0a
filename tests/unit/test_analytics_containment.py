"""Containment by span of time: what is counted, where it is booked, what is told, what is forgotten."""

from __future__ import annotations

import datetime as dt
import json

import msgspec
import pytest

from processors.analytics.logic import step
from processors.analytics.logic.containment import wilson
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas import topics
from schemas.agents import Tick
from schemas.fields import Channel, Handling, Pool
from schemas.wfm import ContainmentRow, TrendSpan, VolumeDelta

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 24 * 3600 * SECOND
NOW = 1_772_373_605_000_000  # 2026-03-01T14:00:05Z, a Sunday
DELTA = VolumeDelta(
    tenant="acme", interaction_id="i-1", queue="billing", intent="refund", channel=Channel.VOICE, language="en",
    interval_start=NOW - NOW % (15 * MINUTE), pool=Pool.AI_CONTAINED, from_handling=None,
    to_handling=Handling.AI_CONTAINED, occurred_at=NOW,
)  # fmt: skip


def closed(handling: Handling = Handling.AI_CONTAINED, **changes) -> VolumeDelta:
    return msgspec.structs.replace(DELTA, to_handling=handling, **changes)


def tick(state: DictState, *deltas: VolumeDelta, now: int = NOW) -> list[ContainmentRow]:
    """Containment rows of a tick after these deltas."""
    for delta in deltas:
        assert list(step(delta, state, Snapshot(), now)) == []
    effects = step(Tick(key="acme", now=now), state, Snapshot(), now)
    assert json.loads(json.dumps(state.entries)) == state.entries
    return [effect.event for effect in effects if effect.topic is topics.CONTAINMENT]


def of(rows: list[ContainmentRow], span: TrendSpan, queue: str | None = None, intent: str | None = None):
    found = [row for row in rows if (row.span, row.queue, row.intent) == (span, queue, intent)]
    return found[0] if found else None


def time(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros / SECOND, dt.UTC).isoformat()


def test_a_contact_that_ended_is_told_for_all_for_its_queue_and_for_its_intent_in_each_span() -> None:
    rows = tick(DictState(), closed())
    assert {(row.span, row.queue, row.intent) for row in rows} == {
        (span, *names) for span in TrendSpan for names in ((None, None), ("billing", None), (None, "refund"))
    }
    assert len(rows) == 15
    assert {(row.tenant, row.contacts, row.contained, row.containment, row.updated_at) for row in rows} == {
        ("acme", 1, 1, 1.0, NOW)
    }


def test_each_outcome_is_counted_and_containment_is_contained_and_assisted_of_all() -> None:
    outcomes = [Handling.AI_CONTAINED] * 5 + [Handling.AI_ASSISTED] * 2 + [Handling.AI_ESCALATED, Handling.ABANDONED]
    row = of(tick(DictState(), *map(closed, outcomes)), TrendSpan.HOUR)
    assert (row.contacts, row.contained, row.assisted, row.escalated, row.abandoned) == (9, 5, 2, 1, 1)
    assert row.containment == pytest.approx(7 / 9)
    assert (row.low, row.high) == wilson(7, 9)


@pytest.mark.parametrize(
    "delta",
    [
        closed(Handling.IN_PROGRESS),
        closed(Handling.HUMAN_ONLY),
        closed(Handling.DEFLECTED),
        closed(Handling.ABANDONED, pool=Pool.HUMAN_EXCLUSIVE),
    ],
    ids=["under way", "people alone", "deflected", "never with AI"],
)
def test_what_ai_did_not_have_or_has_not_ended_is_in_no_figure(delta: VolumeDelta) -> None:
    assert tick(DictState(), delta) == []


def test_a_contact_under_way_is_counted_when_it_ends_and_not_before() -> None:
    state = DictState()
    assert tick(state, closed(Handling.IN_PROGRESS)) == []
    rows = tick(state, closed(Handling.ABANDONED, from_handling=Handling.IN_PROGRESS))
    assert (of(rows, TrendSpan.DAY).contacts, of(rows, TrendSpan.DAY).abandoned) == (1, 1)


def test_a_move_between_final_states_does_not_count_a_contact_again() -> None:
    state = DictState()
    tick(state, closed(Handling.ABANDONED))
    assert tick(state, closed(from_handling=Handling.ABANDONED)) == []


def test_a_contact_watched_by_a_person_is_ais_too() -> None:
    row = of(tick(DictState(), closed(Handling.AI_ASSISTED, pool=Pool.AI_ASSISTED)), TrendSpan.HOUR)
    assert (row.assisted, row.containment) == (1, 1.0)


def test_spans_begin_in_utc_and_weeks_on_monday() -> None:
    rows = tick(DictState(), closed())
    starts = {span: time(of(rows, span).starts_at) for span in TrendSpan}
    assert starts == {
        TrendSpan.MINUTES_5: "2026-03-01T13:55:10+00:00",
        TrendSpan.HOUR: "2026-03-01T14:00:00+00:00",
        TrendSpan.DAY: "2026-03-01T00:00:00+00:00",
        TrendSpan.WEEK: "2026-02-23T00:00:00+00:00",
        TrendSpan.MONTH: "2026-03-01T00:00:00+00:00",
    }


@pytest.mark.parametrize(
    ("at", "week", "month"),
    [
        ("2024-02-29T23:59:59+00:00", "2024-02-26", "2024-02-01"),
        ("2026-02-23T00:00:00+00:00", "2026-02-23", "2026-02-01"),
        ("2025-12-31T12:00:00+00:00", "2025-12-29", "2025-12-01"),
        ("1970-01-02T00:00:00+00:00", "1970-01-01", "1970-01-01"),  # time begins in the middle of a week
    ],
)
def test_weeks_and_months_begin_where_the_calendar_says(at: str, week: str, month: str) -> None:
    now = int(dt.datetime.fromisoformat(at).timestamp()) * SECOND
    rows = tick(DictState(), closed(occurred_at=now), now=now)
    assert time(of(rows, TrendSpan.WEEK).starts_at)[:10] == week
    assert time(of(rows, TrendSpan.MONTH).starts_at)[:10] == month


def test_a_late_close_is_booked_to_its_own_hour_and_day_and_not_to_the_last_five_minutes() -> None:
    state = DictState()
    tick(state, closed())
    rows = tick(state, closed(Handling.AI_ESCALATED, occurred_at=NOW - 26 * HOUR))
    assert time(of(rows, TrendSpan.HOUR).starts_at) == "2026-02-28T12:00:00+00:00"
    assert time(of(rows, TrendSpan.DAY).starts_at) == "2026-02-28T00:00:00+00:00"
    assert time(of(rows, TrendSpan.MONTH).starts_at) == "2026-02-01T00:00:00+00:00"
    assert (of(rows, TrendSpan.WEEK).contacts, of(rows, TrendSpan.WEEK).escalated) == (2, 1)
    assert of(rows, TrendSpan.MINUTES_5) is None


@pytest.mark.parametrize("occurred_at", [NOW - 7 * DAY - SECOND, NOW + 5 * MINUTE + SECOND])
def test_a_close_at_a_time_that_cannot_be_is_booked_to_now(occurred_at: int) -> None:
    rows = tick(DictState(), closed(occurred_at=occurred_at))
    assert time(of(rows, TrendSpan.HOUR).starts_at) == "2026-03-01T14:00:00+00:00"


def test_the_window_of_five_minutes_forgets_what_has_left_it_and_tells_that_it_is_empty_once() -> None:
    #  a contact at 14:00:05 and one at 14:03; the ten seconds of a close leave the window 300 s after they began
    state = DictState()
    tick(state, closed())
    tick(state, closed(Handling.AI_ESCALATED, occurred_at=NOW + 3 * MINUTE), now=NOW + 3 * MINUTE)
    assert tick(state, now=NOW + 5 * MINUTE - 6 * SECOND) == []
    rows = tick(state, now=NOW + 5 * MINUTE)
    assert {row.span for row in rows} == {TrendSpan.MINUTES_5}
    assert [(row.contacts, row.escalated, row.containment) for row in rows] == [(1, 1, 0.0)] * 3
    empty = tick(state, now=NOW + 9 * MINUTE)
    assert [(row.contacts, row.containment, row.low, row.high) for row in empty] == [(0, 0.0, 0.0, 1.0)] * 3
    assert tick(state, now=NOW + 10 * MINUTE) == []
    assert not [name for name in state.entries if name.startswith(("rolling:", "trend:10s:"))]


def test_revisions_grow_for_each_key_even_over_cells_that_were_forgotten() -> None:
    state, seen = DictState(), {}
    for now in (NOW, NOW + SECOND, NOW + 60 * DAY, NOW, NOW + 61 * DAY):  # the clock is set back once
        for row in tick(state, closed(occurred_at=now), now=now):
            key = topics.CONTAINMENT.key_of(row)
            assert row.revision > seen.get(key, 0), key
            seen[key] = row.revision


def test_old_cells_leave_the_state_eight_days_after_their_end() -> None:
    state = DictState()
    for hour in range(24):
        tick(state, closed(occurred_at=NOW + hour * HOUR), now=NOW + hour * HOUR)
    hours = {name for name in state.entries if name.startswith("trend:hour:")}
    assert len(hours) == 3 * 24
    tick(state, now=NOW + 8 * DAY + 12 * HOUR)
    left = [name.split(":")[1] for name in state.entries if name.startswith("trend:")]
    assert {kind: left.count(kind) for kind in left} == {"hour": 3 * 12, "day": 3, "week": 3, "month": 3}
    tick(state, now=NOW + 45 * DAY)
    assert {name for name in state.entries if name.startswith(("trend:", "kept:")) and state.entries[name]} == set()


def test_many_cells_leave_in_steps() -> None:
    state = DictState()
    tick(state, *(closed(intent=f"intent-{number}") for number in range(1_500)))
    later = NOW + 45 * DAY
    counts = []
    for second in range(4):
        tick(state, now=later + second * SECOND)
        counts.append(sum(name.startswith("trend:") for name in state.entries))
    assert counts == [5 * 1_502 - 2_000, 5 * 1_502 - 4_000, 5 * 1_502 - 6_000, 0]


def test_a_tick_that_comes_after_weeks_tells_of_no_span_that_was_forgotten() -> None:
    state = DictState()
    step(closed(), state, Snapshot(), NOW)
    rows = tick(state, now=NOW + 20 * DAY)
    assert {row.span for row in rows} == {TrendSpan.MONTH}


def test_a_clock_that_is_set_back_leaves_nothing_in_the_window() -> None:
    state = DictState()
    tick(state, closed())
    rows = tick(state, closed(occurred_at=NOW - 300 * DAY), now=NOW - 300 * DAY)
    assert of(rows, TrendSpan.MINUTES_5).contacts == 1


def test_a_tick_without_a_change_tells_and_writes_nothing() -> None:
    state = DictState()
    tick(state, closed())
    before = dict(state.entries)
    assert tick(state, now=NOW + SECOND) == []
    assert state.entries == before


def test_what_a_delta_writes_does_not_grow_with_the_queues_intents_and_spans() -> None:
    written = []

    class Counting(DictState):
        def set(self, name, value):
            written.append(len(name) + len(json.dumps(value)))
            super().set(name, value)

    state = Counting()
    sizes = []
    for number in range(1_000):
        written.clear()
        step(closed(queue=f"queue-{number:04}", intent=f"intent-{number:04}"), state, Snapshot(), NOW)
        sizes.append(sum(written))
    assert max(sizes[1:]) <= min(sizes[1:]) + 20  # digits of places in lists; the first begins an interval


def test_names_that_hold_separators_do_not_run_into_each_other() -> None:
    rows = tick(DictState(), closed(queue='a:"b', intent="c"), closed(queue="a", intent='"b:c'))
    hours = {(row.queue, row.intent): row.contacts for row in rows if row.span is TrendSpan.HOUR}
    assert hours == {(None, None): 2, ('a:"b', None): 1, ("a", None): 1, (None, "c"): 1, (None, '"b:c'): 1}


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Of textbooks: Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_wilsons(successes: int, trials: int, low: float, high: float) -> None:
    assert wilson(successes, trials) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
    assert wilson(trials - successes, trials) == (pytest.approx(1 - high, abs=5e-5), pytest.approx(1 - low, abs=5e-5))
