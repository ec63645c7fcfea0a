"""The clock's heap and its watches against dictionaries, and its ticks against a set of seconds."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from processors.clock.logic import TICK_MICROS, Losses, TickSchedule, TimerHeap, Watches
from schemas.fields import BreakerState
from tests.flow.steps import transition

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


AGENTS = st.sampled_from(["ada", "bea"])
WATCHING = st.lists(
    st.one_of(
        st.tuples(st.just("set"), IDS, AGENTS, st.integers(0, 12)),
        st.tuples(st.just("clear"), IDS),
        st.tuples(st.just("moves"), AGENTS, st.sampled_from(BreakerState)),
        st.tuples(st.just("take"), st.integers(0, 4), st.booleans()),
    ),
    max_size=80,
)


class Watched:
    """Watches beside a dictionary: contact -> its agent and the epoch that it knows."""

    def __init__(self) -> None:
        self.losses = Losses()
        self.watches = Watches(self.losses)
        self.model: dict[str, tuple[str, int]] = {}
        self.breakers: dict = {}
        self.lost: dict[str, int] = {}
        self.told: list[tuple[str, str, int]] = []

    def set(self, contact, agent, epoch):
        before = self.model.get(contact)
        self.watches.set(contact, agent, epoch)
        self.model[contact] = (agent, max(epoch, before[1]) if before and before[0] == agent else epoch)

    def clear(self, contact):
        self.watches.clear(contact)
        self.model.pop(contact, None)

    def moves(self, agent, state):
        epoch = self.breakers[agent].epoch + 1 if agent in self.breakers else 1
        self.breakers = {**self.breakers, agent: transition("acme", state, epoch, endpoint=agent)}
        self.losses.note(self.breakers)
        for each in self.losses.fresh():
            self.watches.lost(each)
        if state in (BreakerState.OPEN, BreakerState.FORCED_OPEN):
            self.lost[agent] = epoch

    def take(self, most, stands):
        """Take a slice; where its transaction is aborted it is put back."""
        told, looked = self.watches.take(most)
        assert len(told) <= looked <= most
        for each in told:
            agent, knows = self.model[each.interaction_id]
            assert each.agent == agent
            assert knows < each.loss.epoch == self.lost[agent]
            if stands:
                self.model[each.interaction_id] = (agent, each.loss.epoch)
                self.told.append((each.interaction_id, agent, each.loss.epoch))
            else:
                self.watches.put_back(each)


@settings(max_examples=500, deadline=None)
@given(WATCHING)
def test_every_contact_of_a_lost_agent_is_told_once_whatever_the_slices_and_aborts(operations):
    watched = Watched()
    for what, *given_ in operations:
        getattr(watched, what)(*given_)
        due = [name for name, (agent, knows) in watched.model.items() if knows < watched.lost.get(agent, 0)]
        assert watched.watches.is_waiting() or not due
        assert len(watched.watches) == len(watched.model)
    while watched.watches.is_waiting():
        watched.take(3, True)
    assert all(knows >= watched.lost.get(agent, 0) for agent, knows in watched.model.values())


@settings(max_examples=300, deadline=None)
@given(st.sets(st.tuples(st.integers(0, 200), AGENTS, st.integers(0, 3)), max_size=60), st.integers(1, 9))
def test_a_loss_tells_all_contacts_of_its_agent_exactly_once_and_none_of_another(contacts, most):
    watched = Watched()
    kept = {f"c{n}": (agent, epoch) for n, agent, epoch in contacts}
    for name, (agent, epoch) in kept.items():
        watched.set(name, agent, epoch)
    watched.moves("ada", BreakerState.DEGRADED)
    watched.moves("ada", BreakerState.OPEN)
    while watched.watches.is_waiting():
        watched.take(most, True)
        for name, (agent, epoch) in kept.items():
            watched.set(name, agent, epoch)
    assert sorted(watched.told) == sorted(
        (n, "ada", 2) for n, (agent, epoch) in kept.items() if (agent, epoch) < ("ada", 2)
    )
