"""Which outcomes are booked, what probes decide, and what becomes of a clock that jumps."""

from __future__ import annotations

import pytest

from schemas.agents import BreakerAction
from schemas.fields import BreakerState, TurnResult
from tests.endpoints import PARTITIONS, SECOND, START, Bench

OK, TIMEOUT, RATE_LIMITED = TurnResult.OK, TurnResult.TIMEOUT, TurnResult.RATE_LIMITED
REFUSED, CALLER = TurnResult.CONTENT_REFUSED, TurnResult.CALLER_FAULT


def test_a_late_outcome_of_an_older_epoch_changes_nothing() -> None:
    # epoch 0 x x x x x | 1 open | 2 half-open | 3 closed, and turns of contacts of epoch 0 still come in
    bench = Bench()
    woken = bench.half_opened()
    for phase in ("half_open", "closed"):
        assert bench.breaker().state.value == phase
        before = dict(bench.state.entries)
        for result in TurnResult:
            assert bench.turn(woken + 1.0, result, breaker_epoch=0) == []
            assert bench.turn(woken + 1.0, result, breaker_epoch=1, turn=1) == []
        assert bench.state.entries == before
        bench.turns_of(5, woken + 1.0)


def test_nothing_is_booked_while_open_or_forced_open() -> None:
    opened, forced = Bench().opened(), Bench()
    forced.order(BreakerAction.FORCE_OPEN, 0.0)
    for bench in (opened, forced):
        before = dict(bench.state.entries)
        for epoch in (0, 1, 2):
            for result in TurnResult:
                assert bench.turn(1.0, result, breaker_epoch=epoch) == []
        assert bench.state.entries == before


def test_contacts_admitted_before_degraded_count_in_degraded_and_after_it() -> None:
    bench = Bench()
    bench.turns_of(8, 0.0)
    bench.turns_of(6, 0.0, RATE_LIMITED)
    assert bench.breaker().state is BreakerState.DEGRADED
    bench.turns_of(4, 1.0, TIMEOUT, breaker_epoch=0)
    assert bench.path == ["degraded"]
    bench.turn(1.0, TIMEOUT, breaker_epoch=0)
    assert bench.path == ["degraded", "open"]


def test_after_recovery_contacts_of_the_half_open_epoch_count_and_earlier_ones_do_not() -> None:
    bench = Bench()
    woken = bench.half_opened()
    probing = bench.breaker().epoch
    bench.turns_of(5, woken)
    assert bench.breaker().accepts_from_epoch == probing
    bench.turns_of(5, woken + 1.0, TIMEOUT, breaker_epoch=probing - 1)
    assert bench.breaker().state is BreakerState.CLOSED
    bench.turns_of(5, woken + 1.0, TIMEOUT, breaker_epoch=probing)
    assert bench.breaker().state is BreakerState.OPEN


def test_after_a_close_by_command_only_contacts_admitted_since_count() -> None:
    bench = Bench().opened()
    bench.order(BreakerAction.CLOSE, 1.0)
    bench.turns_of(20, 2.0, TIMEOUT, breaker_epoch=0)
    bench.turns_of(20, 2.0, TIMEOUT, breaker_epoch=1)
    assert bench.breaker().state is BreakerState.CLOSED


def test_half_open_carries_permits_for_every_partition_and_their_expiry() -> None:
    bench = Bench()
    woken = bench.half_opened()
    transition = bench.transitions[-1]
    assert len(transition.probe_permits) == PARTITIONS
    assert sum(transition.probe_permits) == 3
    assert transition.probes_expire_at == START + round((woken + 60.0) * SECOND)
    assert all(t.probe_permits == () and t.probes_expire_at is None for t in bench.transitions[:-1])


def test_successful_probes_close() -> None:
    bench = Bench()
    woken = bench.half_opened()
    bench.turns_of(4, woken + 1.0)
    assert bench.breaker().state is BreakerState.HALF_OPEN
    bench.turn(woken + 1.0)
    assert bench.path == ["open", "half_open", "closed"]
    assert bench.transitions[-1].reason == "probes_succeeded"
    assert bench.transitions[-1].evidence.outcomes == 5


@pytest.mark.parametrize("result", [TurnResult.TIMEOUT, TurnResult.SERVER_ERROR])
def test_a_hard_failure_among_the_probes_opens_for_longer(result: TurnResult) -> None:
    bench = Bench(open_jitter=0.0)
    woken = bench.half_opened()
    bench.turns_of(4, woken + 1.0)
    bench.turn(woken + 1.0, result)
    assert bench.path == ["open", "half_open", "open"]
    transition = bench.transitions[-1]
    assert transition.reason == "probe_failed"
    assert transition.open_until == START + round((woken + 1.0 + 60.0) * SECOND)
    assert (transition.evidence.outcomes, transition.evidence.failures) == (5, 1)


def test_probes_that_meet_no_contact_are_renewed_more_and_more_slowly_and_never_open() -> None:
    # | 5 s | 10 s | 20 s | 40 s | 60 s | 60 s | ...
    bench = Bench()
    woken = bench.half_opened()
    for tenth in range(1, 4000):
        bench.tick(woken + tenth / 10)
    renewals = [t for t in bench.transitions if t.reason == "probes_renewed"]
    since = [round((t.occurred_at - START) / SECOND - woken, 1) for t in renewals]
    assert since == [5.0, 15.0, 35.0, 75.0, 135.0, 195.0, 255.0, 315.0, 375.0]
    assert [t.epoch for t in bench.transitions] == list(range(1, len(bench.transitions) + 1))
    assert set(bench.path[1:]) == {"half_open"}


def test_outcomes_of_every_epoch_since_half_open_count_after_a_renewal() -> None:
    bench = Bench()
    woken = bench.half_opened()
    first = bench.breaker().epoch
    bench.turns_of(3, woken + 1.0)
    bench.tick(woken + 5.0)
    assert bench.breaker().epoch == first + 1
    bench.turn(woken + 6.0, breaker_epoch=first)
    bench.turn(woken + 6.0, breaker_epoch=first + 1)
    assert bench.path == ["open", "half_open", "half_open", "closed"]


def test_too_few_successes_are_missing_data_and_keep_the_probes_coming() -> None:
    bench = Bench()
    woken = bench.half_opened()
    for second in range(1, 300):
        bench.tick(woken + second)
        if second in (50, 100, 150, 200):
            bench.turn(woken + second)
    assert set(bench.path[1:]) == {"half_open"}
    bench.turn(woken + 300.0)
    assert bench.path[-1] == "closed"


@pytest.mark.parametrize("result", [TurnResult.RATE_LIMITED, TurnResult.CONTENT_REFUSED])
def test_probes_that_neither_succeed_nor_fail_hard_open_when_time_is_up(result: TurnResult) -> None:
    bench = Bench()
    woken = bench.half_opened()
    bench.turns_of(3, woken + 1.0)
    bench.turns_of(20, woken + 1.0, result)
    bench.tick(woken + 59.0)
    assert bench.breaker().state is BreakerState.HALF_OPEN
    bench.tick(woken + 60.0)
    assert bench.transitions[-1].reason == "probes_inconclusive"
    assert bench.breaker().opens == 2


def test_a_fault_of_the_caller_is_no_probe_outcome() -> None:
    bench = Bench()
    woken = bench.half_opened()
    bench.turns_of(20, woken + 1.0, CALLER)
    assert bench.breaker().heard == 0
    assert bench.path == ["open", "half_open"]


def test_a_clock_a_little_behind_books_to_the_present_second() -> None:
    bench = Bench()
    bench.turns_of(4, 100.0, TIMEOUT)
    bench.turn(70.0, TIMEOUT)
    assert bench.path == ["open"]
    assert bench.transitions[0].evidence.outcomes == 5


def test_a_clock_set_back_by_a_day_empties_the_window_and_counts_on() -> None:
    bench = Bench()
    bench.turns_of(9, 86_400.0, OK, turn=1)
    bench.turns_of(9, 86_500.0, OK, turn=1)
    bench.turns_of(20, 0.0, OK, turn=1)
    bench.turns_of(4, 60.0, TIMEOUT, turn=1)
    bench.turn(60.0, TIMEOUT, turn=1)
    evidence = bench.transitions[-1].evidence
    assert bench.path[-1] == "open"
    assert evidence.outcomes == 5
    # 25 contacts since the clock was set back, in one minute
    assert bench.impacts[-1].displaced[0].contacts_per_minute == pytest.approx(25.0, rel=0.05)


def test_a_wait_does_not_last_a_day_longer_when_the_clock_is_set_back_by_a_day() -> None:
    bench = Bench(open_jitter=0.0).opened(86_400.0)
    bench.tick(0.0)
    bench.tick(29.0)
    assert bench.path == ["open"]
    bench.tick(30.0)
    assert bench.path == ["open", "half_open"]


def test_a_leap_of_a_year_empties_the_window_and_ends_the_wait() -> None:
    year = 31_536_000.0
    bench = Bench()
    bench.turns_of(9, 0.0)
    bench.turn(year)
    bench.order(BreakerAction.FORCE_OPEN, year)
    assert bench.transitions[-1].evidence.outcomes == 1
    other = Bench().opened()
    other.tick(year)
    assert other.path == ["open", "half_open"]


def test_another_window_length_begins_a_new_window() -> None:
    bench, other = Bench(window_seconds=60), Bench(window_seconds=5)
    for second in range(40):
        bench.turn(float(second))
    bench.snapshot = other.snapshot
    for second in range(40, 60):
        bench.turn(float(second))
    bench.order(BreakerAction.FORCE_OPEN, 59.0)
    evidence = bench.transitions[-1].evidence
    assert (evidence.window_seconds, evidence.outcomes) == (5.0, 5)


def test_a_cleared_window_is_not_charged_for_the_seconds_it_forgot() -> None:
    # o o o o o | forced | closed | o o o ... until the first seconds would have left the window
    bench = Bench()
    for second in range(10):
        bench.turn(float(second))
    bench.order(BreakerAction.FORCE_OPEN, 10.0)
    bench.order(BreakerAction.CLOSE, 10.0)
    for second in range(11, 66):
        bench.turn(float(second))
    bench.order(BreakerAction.FORCE_OPEN, 65.0)
    assert bench.transitions[-1].evidence.outcomes == 55
