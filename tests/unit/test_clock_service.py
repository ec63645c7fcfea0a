"""The clock as a step of the loop: what it writes and when, with the loop's part played by a test."""

from __future__ import annotations

import pytest

from processors.clock import app
from processors.clock.app import TOLD_AT_ONCE, ClockStep
from processors.clock.logic import Losses
from runtime.kafka import Record
from runtime.snapshot import Snapshot
from runtime.step import Batch
from schemas.agents import Tick
from schemas.codec import Codec
from schemas.conversations import AgentLost
from schemas.envelope import Packed
from schemas.fields import BreakerState, Event
from schemas.interactions import TimerDue, TimerSet
from schemas.topics import INTERACTION_EVENTS, POLICY, TIMERS, TRANSITIONS
from tests.flow.steps import policy, transition

CODEC = Codec()
NOVA = "acme/nova"
NEVER = 10**15
SECOND = 1_000_000


class NothingRefused:
    """No control record was refused."""

    def begin(self) -> None: ...

    def committed(self) -> None: ...

    def letters(self) -> list[Packed]:
        return []


class Bench:
    """A step, its control topics, and a real clock that is moved by hand."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.real = 100 * SECOND
        patch.setattr(app.clock, "real_now", lambda: self.real)
        self.losses = Losses()
        self.made = ClockStep(CODEC, NothingRefused(), self.losses)
        self.snapshot = Snapshot()
        self.owned = frozenset({0, 1})
        self.caught_up = True

    def opens(self, epoch: int, endpoint: str = "nova") -> None:
        made = transition("acme", BreakerState.OPEN, epoch, endpoint=endpoint, occurred_at=epoch * 10)
        self.snapshot = self.snapshot.with_record(TRANSITIONS, f"acme/{endpoint}", made, epoch)
        self.losses.note(self.snapshot.of(TRANSITIONS))

    def slice(self, *timers: TimerSet | str, partition: int = 0) -> list[Event]:
        """Step timers, or tombstones, and return what is written."""
        records = [
            Record(TIMERS.name, partition, offset, timer.encode(), None)
            if isinstance(timer, str)
            else Record(TIMERS.name, partition, offset, timer.interaction_id.encode(), CODEC.encode(timer))
            for offset, timer in enumerate(timers)
        ]
        packed = self.made.step(Batch(records, self.snapshot, self.real, self.owned, self.caught_up))
        assert all(each.topic in (INTERACTION_EVENTS.name, "wfm.events", "agents.events") for each in packed)
        self.made.kept()
        return [CODEC.decode(each.value) for each in packed]

    def transaction(self, *timers: TimerSet | str, partition: int = 0) -> list[Event]:
        self.made.begin()
        events = self.slice(*timers, partition=partition)
        self.made.sealed()
        self.made.committed()
        return events

    def wake(self) -> float | None:
        return self.made.wake_seconds(self.snapshot)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(monkeypatch)


def timer(contact: str, *, agent: str | None = NOVA, epoch: int = 0, due_at: int = NEVER) -> TimerSet:
    return TimerSet(interaction_id=contact, due_at=due_at, agent=agent, breaker_epoch=epoch)


def lost(contact: str, epoch: int, agent: str = NOVA) -> AgentLost:
    return AgentLost(interaction_id=contact, agent=agent, breaker_epoch=epoch, occurred_at=epoch * 10)


def test_the_contacts_of_an_agent_that_is_lost_are_told_at_once(bench: Bench) -> None:
    bench.transaction(timer("a"), timer("b", epoch=1), timer("c", agent="acme/vega"), timer("d", agent=None))
    assert bench.wake() == 1.0, "the next tick"
    bench.opens(1)
    assert bench.wake() == 0.0
    assert bench.transaction() == [lost("a", 1)]
    assert bench.transaction(timer("e")) == [lost("e", 1)]
    assert (bench.transaction(), bench.wake()) == ([], 1.0)


def test_a_timer_that_is_cleared_or_that_names_no_agent_any_more_ends_the_watch(bench: Bench) -> None:
    bench.transaction(timer("ends"), timer("goes to people"), timer("stays"))
    bench.transaction("ends", timer("goes to people", agent=None))
    bench.opens(1)
    assert bench.transaction() == [lost("stays", 1)]


def test_a_contact_whose_timer_has_rung_is_still_told(bench: Bench) -> None:
    assert bench.transaction(timer("a", due_at=1))[0] == TimerDue(interaction_id="a", due_at=1)
    bench.opens(1)
    assert bench.transaction() == [lost("a", 1)]
    assert bench.transaction(timer("a", due_at=NEVER)) == []


def test_very_many_contacts_are_told_in_slices_and_timers_and_ticks_go_on_between_them(bench: Bench) -> None:
    bench.snapshot = bench.snapshot.with_record(POLICY, "acme", policy("acme"), 0)
    names = [f"c{n}" for n in range(2 * TOLD_AT_ONCE + 1)]
    bench.transaction(*(timer(name) for name in names[::2]))
    bench.transaction(*(timer(name) for name in names[1::2]), partition=1)
    bench.opens(1)
    told = []
    for n, room in enumerate((TOLD_AT_ONCE, TOLD_AT_ONCE, 1)):
        assert bench.wake() == 0.0
        bench.real += SECOND
        events = bench.transaction(timer(f"due-{n}", agent=None, due_at=1))
        slice_told = [event for event in events if isinstance(event, AgentLost)]
        assert len(slice_told) == room
        assert TimerDue(interaction_id=f"due-{n}", due_at=1) in events
        assert any(isinstance(event, Tick) for event in events)
        told += slice_told
    assert sorted(event.interaction_id for event in told) == sorted(names)
    assert bench.wake() == 1.0


def test_a_transaction_of_many_slices_tells_no_more_than_one_of_a_single_slice(bench: Bench) -> None:
    bench.transaction(*(timer(f"c{n}") for n in range(TOLD_AT_ONCE + 10)))
    bench.opens(1)
    bench.made.begin()
    assert [len(bench.slice()) for _ in range(3)] == [TOLD_AT_ONCE, 0, 0]
    bench.made.committed()
    assert len(bench.transaction()) == 10


def test_what_was_told_in_a_transaction_that_is_aborted_is_told_again(bench: Bench) -> None:
    bench.transaction(timer("a"), timer("b"))
    bench.opens(1)
    bench.made.begin()
    assert len(bench.slice()) == 2
    bench.made.aborted()
    assert bench.wake() == 0.0
    assert sorted(event.interaction_id for event in bench.transaction()) == ["a", "b"]
    assert bench.transaction() == []


def test_contacts_of_partitions_that_went_to_another_process_are_not_told_here(bench: Bench) -> None:
    bench.transaction(timer("here"))
    bench.transaction(timer("there"), partition=1)
    bench.opens(1)
    bench.made.begin()
    assert len(bench.slice()) == 2
    bench.made.dropped(frozenset({1}))
    bench.made.aborted()
    assert bench.transaction() == [lost("here", 1)]
    bench.opens(2)
    assert bench.transaction() == [lost("here", 2)]


def test_nobody_is_told_before_the_timers_were_read_to_their_end(bench: Bench) -> None:
    bench.opens(1)
    bench.caught_up = False
    assert bench.transaction(timer("over"), timer("there")) == []
    assert bench.transaction("over") == []
    bench.caught_up = True
    assert bench.transaction() == [lost("there", 1)]


def test_a_loss_that_came_between_two_looks_and_was_over_at_once_is_told(bench: Bench) -> None:
    bench.transaction(timer("a"))
    bench.opens(1)
    half_open = transition("acme", BreakerState.HALF_OPEN, 2)
    bench.snapshot = bench.snapshot.with_record(TRANSITIONS, NOVA, half_open, 2)
    bench.losses.note(bench.snapshot.of(TRANSITIONS))
    assert bench.transaction() == [lost("a", 1)]


def test_a_clock_that_does_not_tick_sleeps_too(bench: Bench) -> None:
    bench.owned = frozenset({1})
    bench.snapshot = bench.snapshot.with_record(POLICY, "acme", policy("acme"), 0)
    assert bench.transaction() == []
    assert bench.wake() == 1.0
