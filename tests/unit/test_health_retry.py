"""`Retry-After`: when it opens a breaker, and for how long."""

from __future__ import annotations

import pytest

from schemas.agents import BreakerAction
from schemas.fields import BreakerState, TurnResult
from tests.endpoints import SECOND, START, Bench

RATE_LIMITED = TurnResult.RATE_LIMITED


def asks(bench: Bench, second: float, seconds: float, result: TurnResult = RATE_LIMITED) -> None:
    bench.turn(second, result, retry_after_seconds=seconds)


def waits(bench: Bench) -> float:
    """Seconds from START until which the newest transition waits."""
    until = bench.transitions[-1].open_until
    assert until is not None
    return (until - START) / SECOND


def test_three_wishes_within_ten_seconds_open_until_then_plus_jitter() -> None:
    bench = Bench()
    asks(bench, 0.0, 50.0)
    asks(bench, 5.0, 100.0)
    assert bench.path == []
    asks(bench, 10.0, 60.0)
    assert (bench.path, bench.reasons) == (["open"], ["retry_after"])
    assert 105.0 <= waits(bench) <= 105.0 + 9.5
    assert bench.state.get("retry\x1fnova") is None
    bench.tick(104.9)
    assert bench.path == ["open"]
    bench.tick(115.0)
    assert bench.path == ["open", "half_open"]


def test_wishes_further_apart_open_nothing() -> None:
    bench = Bench()
    for second in range(0, 600, 6):
        bench.turns_of(9, float(second))
        asks(bench, float(second), 5.0) if second % 12 == 0 else bench.turn(float(second))
    assert bench.path == []


def test_a_wish_of_long_ago_does_not_lengthen_a_short_one_of_now() -> None:
    bench = Bench(open_jitter=0.0)
    asks(bench, 0.0, 3600.0)
    for _ in range(3):
        asks(bench, 60.0, 40.0)
    assert waits(bench) == 100.0


def test_a_clock_set_back_by_a_day_leaves_no_wish_for_tomorrow() -> None:
    bench = Bench(open_jitter=0.0)
    asks(bench, 86_400.0, 3600.0)
    for _ in range(3):
        asks(bench, 0.0, 40.0)
    assert waits(bench) == 40.0
    other = Bench(open_jitter=0.0)
    asks(other, 86_400.0, 3600.0)
    other.turns_of(5, 0.0, TurnResult.TIMEOUT)
    assert waits(other) == 30.0


def test_in_half_open_the_first_wish_opens_again() -> None:
    bench = Bench(open_jitter=0.0)
    woken = bench.half_opened()
    asks(bench, woken + 1.0, 200.0)
    assert (bench.path[-1], bench.reasons[-1]) == ("open", "retry_after")
    assert waits(bench) == woken + 201.0
    assert bench.breaker().opens == 2


def test_a_wish_for_more_than_an_hour_is_bounded() -> None:
    bench = Bench()
    for _ in range(3):
        asks(bench, 0.0, 1e9)
    assert 3600.0 <= waits(bench) <= 3600.0 * 1.1


@pytest.mark.parametrize("seconds", [0.0, 0.5, 0.999])
def test_a_wish_for_less_than_a_second_is_ignored(seconds: float) -> None:
    bench = Bench()
    for _ in range(4):
        asks(bench, 0.0, seconds)
    assert "retry_after" not in bench.reasons
    assert bench.state.get("retry\x1fnova") is None


@pytest.mark.parametrize("result", [TurnResult.OK, TurnResult.CALLER_FAULT, TurnResult.CONTENT_REFUSED])
def test_a_wish_with_an_answer_is_none(result: TurnResult) -> None:
    bench = Bench(quality_target=0.0)
    for _ in range(9):
        asks(bench, 0.0, 30.0, result)
    assert bench.effects == []


def test_a_short_wish_does_not_shorten_the_breakers_own_wait() -> None:
    bench = Bench(open_jitter=0.0)
    for _ in range(3):
        asks(bench, 0.0, 2.0)
    assert waits(bench) == 30.0


def test_an_outage_for_another_reason_waits_as_long_as_was_asked_for() -> None:
    bench = Bench(open_jitter=0.0)
    asks(bench, 0.0, 120.0, TurnResult.SERVER_ERROR)
    bench.turns_of(4, 1.0, TurnResult.SERVER_ERROR)
    assert bench.reasons == ["consecutive_failures"]
    assert waits(bench) == 120.0


def test_what_was_asked_for_is_used_once() -> None:
    bench = Bench(open_jitter=0.0)
    for _ in range(3):
        asks(bench, 0.0, 300.0)
    bench.order(BreakerAction.CLOSE, 1.0)
    bench.turns_of(5, 2.0, TurnResult.TIMEOUT)
    assert waits(bench) == 32.0


def test_a_late_wish_of_an_older_epoch_is_not_heard() -> None:
    bench = Bench()
    woken = bench.half_opened()
    bench.turn(woken + 1.0, RATE_LIMITED, retry_after_seconds=60.0, breaker_epoch=0)
    assert bench.breaker().state is BreakerState.HALF_OPEN
    assert bench.state.get("retry\x1fnova") is None
