"""The standing recommendation: who is there, what is missing, what can be done, and when it is told again."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from processors.staffing.logic.erlang import Load, performance
from runtime.snapshot import Snapshot
from schemas.control import Availability, PlannedInterval, QueuePlan
from schemas.fields import BreakerState
from schemas.topics import AVAILABILITY, PLANS, Effect, queue_key
from schemas.wfm import ActionKind, Impact, LoadBasis, StaffingRequirement
from tests.staffing_bench import (
    BILLING,
    MINUTE,
    POLICY,
    SECOND,
    START,
    Bench,
    carried,
    human_contacts,
    impact,
    people,
)
from tests.staffing_bench import snapshot_of as snapshot

OPEN, CLOSED = BreakerState.OPEN, BreakerState.CLOSED
OUTAGE = START + 5 * MINUTE
BREAKS, CALLS, OVERTIME = ActionKind.POSTPONE_BREAKS, ActionKind.RECALL_OFF_PHONE, ActionKind.OVERTIME
CALLBACK, DEFLECT = ActionKind.CALLBACK, ActionKind.DEFLECT


def busy(made: Snapshot) -> Bench:
    """12 contacts a minute of people's own for five minutes."""
    bench = Bench(made)
    bench.feed(*human_contacts(60, START, OUTAGE))
    return bench


def out(at: int = OUTAGE, epoch: int = 1, state: BreakerState = OPEN, rate: float = 10.0, **changes: Any) -> Impact:
    return impact(at, state, epoch, carried("billing", rate), contacts_counted=50, **changes)


def requirements(effects: list[Effect]) -> list[StaffingRequirement]:
    return [effect.event for effect in effects if isinstance(effect.event, StaffingRequirement)]


def with_people(said: Availability, made: Snapshot | None = None) -> Snapshot:
    return (made or snapshot(POLICY)).with_record(AVAILABILITY, queue_key(said.tenant, said.queue), said, 1)


def test_where_wfm_says_nothing_of_people_nothing_is_made_up() -> None:
    told = busy(snapshot(POLICY)).told(out()).staffing["billing"]
    assert (told.agents_available, told.gap, told.spare_contacts_per_minute, told.actions) == (None, None, None, ())
    assert told.intervals


def test_the_gap_is_what_is_required_less_who_is_there() -> None:
    bench = busy(with_people(people(75.0)))
    told = bench.told(out()).staffing["billing"]
    assert told.agents_available == 75.0
    assert told.gap == told.agents_required_after - 75.0
    assert told.spare_contacts_per_minute is not None
    ample = busy(with_people(people(500.0))).told(out()).staffing["billing"]
    assert ample.gap is not None
    assert ample.gap < 0
    assert ample.actions == ()


def test_people_who_can_be_had_come_first_and_no_more_of_them_than_are_missing() -> None:
    probe = busy(with_people(people(75.0))).told(out()).staffing["billing"]
    assert probe.gap is not None
    assert probe.gap > 12
    rest = probe.gap - 9.0
    said = people(75.0, agents_on_break=4.7, agents_off_phone=5.0, agents_overtime=500.0)
    actions = busy(with_people(said)).told(out()).staffing["billing"].actions
    assert [(each.action, each.agents) for each in actions] == [(BREAKS, 4.0), (CALLS, 5.0), (OVERTIME, rest)]
    assert [each.gap for each in actions] == [probe.gap - 4, probe.gap - 9, 0.0]
    levels = [each.service_level for each in actions]
    assert levels == sorted(levels)
    assert levels[-1] >= BILLING.service_level_target


def test_callback_and_deflection_take_off_what_people_cannot_carry_and_at_most_what_ai_lost() -> None:
    told = busy(with_people(people(75.0, agents_on_break=2.0))).told(out()).staffing["billing"]
    breaks, callback, deflect = told.actions
    assert (breaks.action, callback.action, deflect.action) == (BREAKS, CALLBACK, DEFLECT)
    assert callback.contacts_per_minute == deflect.contacts_per_minute
    assert 0 < callback.contacts_per_minute < 10.0
    assert callback.gap == pytest.approx(0.0, abs=0.999), "the people there are just enough then"
    few = busy(with_people(people(10.0))).told(out()).staffing["billing"]
    assert few.actions[0].contacts_per_minute == 10.0
    assert few.actions[0].gap > 0


def test_what_the_queue_is_like_is_by_erlang_a_for_the_people_there() -> None:
    told = busy(with_people(people(40.0))).told(out()).staffing["billing"]
    callback = told.actions[0]
    left = told.human_contacts_per_minute_after - callback.contacts_per_minute
    expected = performance(Load(left, told.aht_seconds, BILLING.patience_seconds), 40, BILLING.service_level_seconds)
    assert (callback.service_level, callback.abandonment) == (expected.service_level, expected.abandonment)
    assert 0.0 < callback.abandonment < 1.0


def test_nobody_there_is_a_queue_in_which_all_give_up() -> None:
    callback = busy(with_people(people(0.0))).told(out()).staffing["billing"].actions[0]
    assert (callback.service_level, callback.abandonment) == (0.0, 1.0)
    assert callback.asa_seconds == BILLING.patience_seconds


def test_it_is_told_again_when_wfm_says_who_is_there_and_only_then() -> None:
    bench = busy(with_people(people(75.0)))
    first = bench.told(out()).staffing["billing"]
    assert requirements(bench.ticks(OUTAGE, OUTAGE + 30 * SECOND)) == []
    more = people(80.0, occurred_at=OUTAGE + 30 * SECOND)
    bench.snapshot = with_people(more, bench.snapshot)
    (again,) = requirements(bench.ticks(OUTAGE + 30 * SECOND, OUTAGE + 60 * SECOND))
    assert (again.revision, again.agents_available) == (first.revision + 1, 80.0)
    assert (again.cause_epoch, again.since, again.agents_required_after) == (1, OUTAGE, first.agents_required_after)


def test_it_is_told_again_when_wfm_s_word_has_run_out() -> None:
    bench = busy(with_people(people(75.0, expires_at=OUTAGE + 10 * SECOND)))
    bench.told(out())
    (again,) = requirements(bench.ticks(OUTAGE, OUTAGE + 20 * SECOND))
    assert again.agents_available is None


def test_it_is_told_again_when_a_plan_comes_and_when_an_interval_begins() -> None:
    bench = busy(snapshot(POLICY))
    bench.told(out())
    made = QueuePlan(
        tenant="acme", queue="billing", starts_at=START, occurred_at=OUTAGE,
        intervals=tuple(PlannedInterval(contacts=150.0) for _ in range(12)),
    )  # fmt: skip
    bench.snapshot = bench.snapshot.with_record(PLANS, PLANS.key_of(made), made, 0)
    (planned,) = requirements(bench.ticks(OUTAGE, OUTAGE + 10 * SECOND))
    assert {each.basis for each in planned.intervals} == {LoadBasis.PLAN}
    later = requirements(bench.ticks(OUTAGE + 10 * SECOND, START + 15 * MINUTE + 5 * SECOND))
    assert [each.intervals[0].starts_at for each in later] == [START + 15 * MINUTE]


def test_a_loss_that_is_over_takes_it_back_and_nothing_is_told_again() -> None:
    bench = busy(with_people(people(75.0)))
    bench.told(out())
    closed = bench.told(out(OUTAGE + MINUTE, 2, CLOSED)).staffing["billing"]
    assert (closed.since, closed.intervals, closed.actions) == (None, (), ())
    assert closed.agents_required_after == closed.agents_required_before
    bench.snapshot = with_people(people(10.0, occurred_at=OUTAGE + 2 * MINUTE), bench.snapshot)
    assert requirements(bench.ticks(OUTAGE + 2 * MINUTE, OUTAGE + 40 * MINUTE, MINUTE)) == []
    assert not [name for name in bench.state.entries if name.startswith("recommendation")]


def test_a_new_process_tells_it_again_as_the_old_one_would() -> None:
    one, two = busy(with_people(people(75.0))), busy(with_people(people(75.0)))
    for bench in (one, two):
        bench.told(out())
        bench.snapshot = with_people(people(80.0, occurred_at=OUTAGE + SECOND), bench.snapshot)
    two.state.entries = msgspec.json.decode(msgspec.json.encode(two.state.entries))
    assert requirements(one.ticks(OUTAGE + SECOND, OUTAGE + 3 * SECOND)) == requirements(
        two.ticks(OUTAGE + SECOND, OUTAGE + 3 * SECOND)
    )
