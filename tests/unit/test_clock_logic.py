"""Timers, ticks and the rule for missed ones; contacts whose agent was lost."""

from __future__ import annotations

import pytest

from processors.clock.logic import TICK_MICROS, Loss, Losses, TickSchedule, TimerHeap, Told, Watches, ticks
from runtime.snapshot import Snapshot
from schemas.agents import Tick, Transition
from schemas.control import Endpoint, HumanQueue, Policy
from schemas.fields import BreakerState
from schemas.interactions import Thresholds
from schemas.topics import AGENT_EVENTS, POLICY, WFM_EVENTS, Effect
from tests.flow.steps import transition


def test_timers_come_out_soonest_first_and_once():
    heap = TimerHeap()
    for interaction_id, due_at in (("c", 30), ("a", 10), ("b", 20)):
        heap.set(interaction_id, due_at)
    assert heap.next_due() == 10
    assert heap.due(20) == [("a", 10), ("b", 20)]
    assert heap.due(20) == []
    assert (len(heap), heap.next_due()) == (1, 30)


def test_a_timer_that_is_set_again_rings_at_the_new_instant_only():
    heap = TimerHeap()
    heap.set("a", 10)
    heap.set("a", 50)
    assert heap.due(49) == []
    assert heap.due(50) == [("a", 50)]


def test_a_timer_that_goes_out_and_back_rings_once():
    heap = TimerHeap()
    for due_at in (10, 5, 10):
        heap.set("a", due_at)
    assert heap.due(10) == [("a", 10)]
    assert heap.next_due() is None


def test_a_cleared_timer_does_not_ring():
    heap = TimerHeap()
    heap.set("a", 10)
    heap.clear("a")
    heap.clear("never set")
    assert (heap.next_due(), heap.due(100), len(heap)) == (None, [], 0)


def test_a_timer_taken_out_can_be_put_back():
    heap = TimerHeap()
    heap.set("a", 10)
    ((interaction_id, due_at),) = heap.due(10)
    heap.set(interaction_id, due_at)
    assert heap.due(10) == [("a", 10)]


def test_one_contact_that_moves_its_timer_for_ever_takes_no_room():
    heap = TimerHeap()
    heap.set("steady", 10**9)
    for due_at in range(10_000):
        heap.set("restless", 10**6 + due_at)
    assert len(heap._heap) <= 4


def test_a_tick_is_due_at_once_and_then_on_the_whole_second():
    schedule = TickSchedule()
    assert schedule.next_at(2_400_000) == 2_400_000
    assert schedule.is_due(2_400_000)
    assert not schedule.is_due(2_999_999)
    assert schedule.next_at(2_999_999) == 3_000_000
    assert schedule.is_due(3_000_000)


def test_missed_ticks_give_one_not_a_burst():
    schedule = TickSchedule()
    schedule.is_due(0)
    asked = [60 * TICK_MICROS, 60 * TICK_MICROS + 1, 60 * TICK_MICROS + 500_000, 61 * TICK_MICROS]
    assert [schedule.is_due(real_now) for real_now in asked] == [True, False, False, True]


def test_a_real_clock_that_is_set_back_goes_on_ticking():
    schedule = TickSchedule()
    schedule.is_due(100 * TICK_MICROS)
    assert schedule.is_due(40 * TICK_MICROS)
    assert not schedule.is_due(40 * TICK_MICROS + 1)


def policy(tenant, *providers):
    agents = tuple(
        Endpoint(endpoint=f"e{n}", provider=provider, version="1", intents=()) for n, provider in enumerate(providers)
    )
    return Policy(
        tenant=tenant,
        revision=1,
        thresholds=Thresholds(contained=0.92, assisted=0.75),
        endpoints=agents,
        queues=(HumanQueue(queue="q", intents=()),),
        default_queue="q",
        occurred_at=0,
    )


def test_each_tenant_and_each_of_its_providers_gets_one_tick():
    snapshot = Snapshot()
    for offset, record in enumerate((policy("b", "north"), policy("a", "south", "north", "south"))):
        snapshot = snapshot.with_record(POLICY, record.tenant, record, offset)
    assert ticks(snapshot, 7) == [
        Effect(WFM_EVENTS, Tick(key="a", now=7)),
        Effect(AGENT_EVENTS, Tick(key="a/north", now=7)),
        Effect(AGENT_EVENTS, Tick(key="a/south", now=7)),
        Effect(WFM_EVENTS, Tick(key="b", now=7)),
        Effect(AGENT_EVENTS, Tick(key="b/north", now=7)),
    ]


def test_without_agents_volumes_still_get_their_tick():
    snapshot = Snapshot().with_record(POLICY, "a", policy("a"), 0)
    assert ticks(snapshot, 7) == [Effect(WFM_EVENTS, Tick(key="a", now=7))]


def test_without_a_policy_there_is_nothing_to_tick():
    assert ticks(Snapshot(), 7) == []


def test_a_tick_goes_to_the_partition_of_the_key_that_it_wakes():
    snapshot = Snapshot().with_record(POLICY, "a", policy("a", "north"), 0)
    assert [effect.topic.key_of(effect.event) for effect in ticks(snapshot, 7)] == ["a", "a/north"]


class Breakers:
    """Transitions as a follower of their topic gets them, one by one."""

    def __init__(self) -> None:
        self.losses = Losses()
        self.latest: dict[str, Transition] = {}

    def move(self, agent: str, state: BreakerState, epoch: int) -> None:
        made = transition("acme", state, epoch, endpoint=agent, occurred_at=epoch * 10)
        self.latest = {**self.latest, agent: made}
        self.losses.note(self.latest)


@pytest.fixture
def breakers() -> Breakers:
    return Breakers()


def told(watches: Watches, most: int = 100) -> set[tuple[str, int]]:
    return {(each.interaction_id, each.loss.epoch) for each in watches.take(most)[0]}


def test_losses_are_breakers_that_open_and_outlive_recovery(breakers: Breakers) -> None:
    for state, epoch in ((BreakerState.DEGRADED, 1), (BreakerState.OPEN, 2), (BreakerState.HALF_OPEN, 3)):
        breakers.move("ada", state, epoch)
    breakers.move("bea", BreakerState.FORCED_OPEN, 1)
    breakers.move("eve", BreakerState.CLOSED, 4)
    losses = breakers.losses
    assert (losses.of("ada"), losses.of("bea"), losses.of("eve")) == (Loss(2, 20), Loss(1, 10), None)
    assert losses.has_fresh()
    assert (losses.fresh(), losses.fresh(), losses.has_fresh()) == ({"ada", "bea"}, set(), False)
    breakers.move("ada", BreakerState.OPEN, 5)
    assert losses.fresh() == {"ada"}


def test_the_contacts_of_a_lost_agent_are_told_once_and_no_others(breakers: Breakers) -> None:
    watches = Watches(breakers.losses)
    for contact, agent in (("a", "ada"), ("b", "ada"), ("c", "bea")):
        watches.set(contact, agent, 3)
    watches.set("probe", "ada", 4)
    breakers.move("ada", BreakerState.OPEN, 4)
    watches.lost("ada")
    watches.lost("nobody's")
    assert told(watches) == {("a", 4), ("b", 4)}
    assert not watches.is_waiting()
    watches.set("a", "ada", 3)
    assert told(watches) == set(), "it knows"
    breakers.move("ada", BreakerState.OPEN, 6)
    watches.lost("ada")
    assert told(watches) == {("a", 6), ("b", 6), ("probe", 6)}


def test_a_timer_that_is_set_after_the_loss_is_told_at_once(breakers: Breakers) -> None:
    watches = Watches(breakers.losses)
    breakers.move("ada", BreakerState.OPEN, 4)
    breakers.move("ada", BreakerState.HALF_OPEN, 5)
    watches.set("late", "ada", 3)
    watches.set("probe", "ada", 5)
    assert told(watches) == {("late", 4)}


def test_a_contact_that_went_to_another_agent_or_ended_is_not_told(breakers: Breakers) -> None:
    watches = Watches(breakers.losses)
    for contact in ("ends", "moves", "stays"):
        watches.set(contact, "ada", 0)
    breakers.move("ada", BreakerState.OPEN, 1)
    watches.lost("ada")
    watches.clear("ends")
    watches.clear("never watched")
    watches.set("moves", "bea", 0)
    assert told(watches) == {("stays", 1)}
    assert len(watches) == 2
    watches.set("moves", "ada", 0)
    assert told(watches) == {("moves", 1)}, "the agent that it comes back to was lost in a later epoch"


def test_contacts_are_looked_at_in_slices_and_told_again_where_they_were_not_told(breakers: Breakers) -> None:
    watches = Watches(breakers.losses)
    for n in range(10):
        watches.set(f"c{n}", "ada", 0)
    breakers.move("ada", BreakerState.OPEN, 1)
    watches.lost("ada")
    first, looked = watches.take(4)
    assert (len(first), looked, watches.is_waiting()) == (4, 4, True)
    assert watches.take(0) == ([], 0)
    for each in first:
        watches.put_back(each)
    assert told(watches) == {(f"c{n}", 1) for n in range(10)}
    watches.clear("c1")
    watches.put_back(Told("c1", "ada", Loss(1, 10), 0))
    assert told(watches) == set()


def test_watches_that_end_leave_nothing_behind(breakers: Breakers) -> None:
    watches = Watches(breakers.losses)
    for n in range(10):
        watches.set(f"c{n}", "ada", 0)
        watches.clear(f"c{n}")
    assert (len(watches), watches._agent_of, watches._knows) == (0, {}, {})
