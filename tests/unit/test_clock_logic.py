"""Timers, ticks and the rule for missed ones."""

from __future__ import annotations

from processors.clock.logic import TICK_MICROS, TickSchedule, TimerHeap, ticks
from runtime.snapshot import Snapshot
from schemas.agents import Tick
from schemas.control import Endpoint, HumanQueue, Policy
from schemas.interactions import Thresholds
from schemas.topics import AGENT_EVENTS, POLICY, WFM_EVENTS, Effect


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
