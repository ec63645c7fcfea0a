"""The clock's heap against a dictionary, and its ticks against a set of seconds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.clock.logic import TICK_MICROS, TickSchedule, TimerHeap

IDS = st.sampled_from("abcdef")
INSTANTS = st.integers(0, 30)  # few, so that they meet
OPERATIONS = st.lists(
    st.one_of(
        st.tuples(st.just("set"), IDS, INSTANTS),
        st.tuples(st.just("clear"), IDS, st.none()),
        st.tuples(st.just("due"), st.none(), INSTANTS),
    ),
    max_size=120,
)


@settings(max_examples=500, deadline=None)
@given(OPERATIONS)
def test_the_heap_rings_what_a_dictionary_would(operations):
    heap, model = TimerHeap(), {}
    for what, interaction_id, instant in operations:
        if what == "set":
            heap.set(interaction_id, instant)
            model[interaction_id] = instant
        elif what == "clear":
            heap.clear(interaction_id)
            model.pop(interaction_id, None)
        else:
            expected = sorted((due_at, name) for name, due_at in model.items() if due_at <= instant)
            assert [(due_at, name) for name, due_at in heap.due(instant)] == expected
            model = {name: due_at for name, due_at in model.items() if due_at > instant}
        assert heap.next_due() == min(model.values(), default=None)
        assert len(heap) == len(model)


@settings(max_examples=300, deadline=None)
@given(OPERATIONS)
def test_the_heap_never_holds_more_stale_entries_than_live_ones(operations):
    heap = TimerHeap()
    for what, interaction_id, instant in operations:
        if what == "set":
            heap.set(interaction_id, instant)
        elif what == "clear":
            heap.clear(interaction_id)
        else:
            heap.due(instant)
        assert len(heap._heap) <= 2 * len(heap)


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, 5 * TICK_MICROS), max_size=60))
def test_each_second_in_which_the_clock_is_asked_gets_exactly_one_tick(gaps):
    schedule, real_now, ticked = TickSchedule(), 0, []
    asked = []
    for gap in gaps:
        real_now += gap
        asked.append(real_now // TICK_MICROS)
        promised = schedule.next_at(real_now)
        due = schedule.is_due(real_now)
        assert due == (promised == real_now)
        assert real_now <= promised <= real_now + TICK_MICROS
        if due:
            ticked.append(real_now // TICK_MICROS)
    assert ticked == sorted(set(asked))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=60))
def test_a_clock_that_jumps_either_way_is_never_silent_for_more_than_a_second(instants):
    schedule = TickSchedule()
    for real_now in instants:
        schedule.is_due(real_now)
        assert schedule.is_due(schedule.next_at(real_now))
