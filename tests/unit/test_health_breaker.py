"""The breaker's table and its moves. Time runs left to right: x failure, o success, | transition."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import pytest

from processors.health.logic.breaker import (
    TABLE,
    Breaker,
    IllegalMoveError,
    MoveReason,
    move,
    open_seconds,
)
from processors.health.logic.probes import permits
from schemas.agents import BreakerAction
from schemas.control import BreakerPolicy
from schemas.errors import TrunklineError
from schemas.fields import BreakerState, TurnResult
from tests.endpoints import SECOND, START, Bench

DECISION = Path(__file__).parents[2] / "docs/decisions/0003-breaker-epochs-and-evidence.md"
POLICY = BreakerPolicy()
ALL_MOVES = list(itertools.product(BreakerState, BreakerState, MoveReason))


@pytest.mark.parametrize(("here", "there", "reason"), ALL_MOVES)
def test_a_move_is_made_exactly_when_the_table_has_it(
    here: BreakerState, there: BreakerState, reason: MoveReason
) -> None:
    before = Breaker(state=here, epoch=7)
    if reason in TABLE.get((here, there), ()):
        after = move(before, there, reason, START, policy=POLICY, endpoint="nova")
        assert (after.state, after.epoch, after.changed_at) == (there, 8, START)
    else:
        with pytest.raises(IllegalMoveError, match=r"nova.*epoch 7"):
            move(before, there, reason, START, policy=POLICY, endpoint="nova")
        assert before == Breaker(state=here, epoch=7)


def test_every_state_can_be_entered_and_left_and_every_reason_is_used() -> None:
    assert {here for here, _ in TABLE} == {there for _, there in TABLE} == set(BreakerState)
    assert set().union(*TABLE.values()) == set(MoveReason)


def test_the_decision_record_shows_the_table_as_it_is() -> None:
    rows = re.findall(r"^\| ([A-Z_]+) \| ([A-Z_]+) \| ([\w, ]+) \|$", DECISION.read_text(), flags=re.MULTILINE)
    written = {(here.lower(), there.lower()): set(reasons.split(", ")) for here, there, reasons in rows}
    assert written == {(a.value, b.value): {r.value for r in reasons} for (a, b), reasons in TABLE.items()}


def test_open_lasts_longer_each_time_with_jitter_and_an_upper_bound() -> None:
    for opens in range(1, 20):
        for epoch in range(50):
            seconds = open_seconds("nova", epoch, opens, POLICY)
            nominal = min(30.0 * opens, 300.0)
            assert 0.8 * nominal <= seconds <= min(1.2 * nominal, 300.0)


def test_the_jitter_is_the_same_in_a_replay_and_differs_between_endpoints_and_epochs() -> None:
    assert open_seconds("nova", 3, 1, POLICY) == open_seconds("nova", 3, 1, POLICY)
    drawn = {open_seconds(name, epoch, 1, POLICY) for name in ("nova", "vega") for epoch in range(100)}
    assert len(drawn) == 200
    assert 29.0 < sum(drawn) / len(drawn) < 31.0


def test_an_open_breaker_without_traffic_wakes_by_tick() -> None:
    # x x x x x | . . . . . tick |
    bench = Bench().opened()
    until = bench.transitions[-1].open_until
    assert until is not None
    waited = (until - START) / SECOND
    assert 24.0 <= waited <= 36.0
    assert bench.tick(waited - 0.001) == []
    bench.tick(waited)
    assert bench.path == ["open", "half_open"]
    assert bench.transitions[-1].reason == "open_elapsed"
    assert bench.transitions[-1].open_until is None


def test_an_open_breaker_wakes_by_a_late_outcome_which_is_not_booked() -> None:
    bench = Bench().opened()
    bench.turn(60.0, breaker_epoch=0)
    assert bench.path == ["open", "half_open"]
    assert bench.breaker().successes == 0


def test_duplicates_of_a_tick_are_harmless() -> None:
    once, often = Bench(), Bench()
    for bench, copies in ((once, 1), (often, 4)):
        bench.opened()
        for second in range(1, 200):
            for _ in range(copies):
                bench.tick(float(second))
    assert once.effects == often.effects
    assert once.state.entries == often.state.entries


def test_a_tick_for_a_key_without_endpoints_does_nothing() -> None:
    bench = Bench()
    assert bench.tick(0.0) == []
    assert bench.state.entries == {}


def test_a_tick_wakes_every_endpoint_of_its_key() -> None:
    bench = Bench()
    for endpoint in ("nova", "vega"):
        bench.turns_of(5, 0.0, TurnResult.TIMEOUT, endpoint=endpoint)
    bench.tick(60.0)
    assert [(t.endpoint, t.to_state.value) for t in bench.transitions[2:]] == [
        ("nova", "half_open"),
        ("vega", "half_open"),
    ]


def test_each_reopening_waits_longer_and_asks_for_more_probes_until_a_close_has_held() -> None:
    bench, second, waits = Bench(open_jitter=0.0), 0.0, []
    for _ in range(3):
        woken = bench.half_opened(second)
        waits.append(woken - second)
        bench.turns_of(5 * len(waits) - 1, woken + 1.0)
        assert bench.breaker().state is BreakerState.HALF_OPEN
        bench.turn(woken + 1.0)
        assert bench.breaker().state is BreakerState.CLOSED
        second = woken + 2.0
    assert waits == [30.0, 60.0, 90.0]
    held = second + 300.0
    assert bench.half_opened(held) - held == 30.0
    bench.turns_of(5, held + 31.0)
    assert bench.breaker().state is BreakerState.CLOSED


def test_force_open_holds_until_close_whatever_happens() -> None:
    bench = Bench()
    bench.order(BreakerAction.FORCE_OPEN, 0.0)
    bench.turns_of(20, 1.0)
    bench.tick(100_000.0)
    assert bench.order(BreakerAction.FORCE_OPEN, 100_001.0) == []
    assert bench.path == ["forced_open"]
    bench.order(BreakerAction.CLOSE, 100_002.0)
    assert bench.path == ["forced_open", "closed"]
    assert bench.transitions[-1].detail == "drill"
    assert bench.order(BreakerAction.CLOSE, 100_003.0) == []


def test_force_open_is_possible_from_every_other_state() -> None:
    half_open, degraded = Bench(), Bench()
    woken = half_open.half_opened()
    half_open.order(BreakerAction.FORCE_OPEN, woken)
    degraded.turns_of(8, 0.0)
    degraded.turns_of(6, 0.0, TurnResult.RATE_LIMITED)
    degraded.order(BreakerAction.FORCE_OPEN, 1.0)
    opened = Bench().opened()
    opened.order(BreakerAction.FORCE_OPEN, 1.0)
    assert half_open.path[-2:] == ["half_open", "forced_open"]
    assert degraded.path == ["degraded", "forced_open"]
    assert opened.path == ["open", "forced_open"]


def test_close_on_open_closes_with_a_clean_record() -> None:
    bench = Bench(open_jitter=0.0).opened()
    bench.order(BreakerAction.CLOSE, 1.0)
    bench.turns_of(4, 2.0, TurnResult.TIMEOUT)
    assert bench.path == ["open", "closed"]
    bench.turn(2.0, TurnResult.TIMEOUT)
    assert bench.breaker().opens == 1


@pytest.mark.parametrize("partitions", [1, 2, 3, 4, 7, 24])
@pytest.mark.parametrize("probes", [1, 3, 5, 24, 30])
def test_permits_sum_to_the_probes_and_reach_every_partition_in_turn(partitions: int, probes: int) -> None:
    rounds = [permits(probes, partitions, issue) for issue in range(partitions)]
    assert all(len(shares) == partitions and sum(shares) == probes for shares in rounds)
    assert all(max(shares) - min(shares) <= 1 for shares in rounds)
    assert all(sum(given) > 0 for given in zip(*rounds, strict=True))


def test_a_monitor_without_partitions_to_share_permits_over_is_refused() -> None:
    with pytest.raises(TrunklineError, match=r"interactions\.offered"):
        Bench(partitions=0)


def test_permits_rotate_over_the_partitions_from_one_outage_to_the_next() -> None:
    bench = Bench(partitions=24)
    second = 0.0
    for _ in range(8):
        woken = bench.half_opened(second)
        bench.turn(woken, TurnResult.TIMEOUT)
        bench.order(BreakerAction.CLOSE, woken)
        second = woken + 1.0
    issued = [t.probe_permits for t in bench.transitions if t.probe_permits]
    assert [sum(given) for given in zip(*issued, strict=True)] == [1] * 24
