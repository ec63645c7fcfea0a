"""The health monitor under any sequence of outcomes, ticks, orders and clock jumps."""

from __future__ import annotations

import itertools

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from processors.health.logic.breaker import TABLE, open_seconds
from processors.health.logic.probes import permits
from processors.health.logic.window import HARD_FAILURES, Summary
from schemas import topics
from schemas.agents import BreakerAction, Transition
from schemas.control import BreakerPolicy
from schemas.fields import BreakerState, TurnResult
from schemas.topics import Effect
from tests.endpoints import SECOND, START, Bench

WINDOW = 10
FAILURES = {*HARD_FAILURES, TurnResult.RATE_LIMITED}
RESULTS = st.sampled_from([*TurnResult, TurnResult.OK, TurnResult.OK, TurnResult.TIMEOUT, TurnResult.TIMEOUT])


class BreakerMachine(RuleBasedStateMachine):
    """One endpoint with a window of ten seconds, beside a recount from a plain list of outcomes."""

    @initialize(minimum=st.integers(1, 12), opens_at=st.integers(2, 8))
    def begin(self, minimum: int, opens_at: int) -> None:
        self.bench = Bench(window_seconds=WINDOW, minimum_outcomes=minimum, open_consecutive_failures=opens_at)
        self.second = 0.0
        self.booked: list[tuple[int, TurnResult]] = []
        self.newest: int | None = None
        self.state = BreakerState.CLOSED
        self.epoch = 0

    @rule(seconds=st.floats(0.0, 40.0))
    def time_passes(self, seconds: float) -> None:
        self.second += seconds

    @rule(seconds=st.sampled_from([-90_000.0, -300.0, -61.5, -12.0, -0.4, 1_000.0, 100_000.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.second += seconds

    @rule(times=st.integers(1, 8), result=RESULTS, age=st.sampled_from([0, 0, 0, 1, 2, 9]), turn=st.integers(1, 2))
    def outcomes(self, times: int, result: TurnResult, age: int, turn: int) -> None:
        for _ in range(times):
            self.notice_a_clock_set_back()
            before = self.bench.breaker()
            entries = dict(self.bench.state.entries)
            epoch = max(0, before.epoch - age)
            effects = self.bench.turn(
                self.second, result, breaker_epoch=epoch, turn=turn, quality=0.9, latency_ms=812.3456
            )
            moves = self.follow(effects)
            accepted = before.state not in {BreakerState.OPEN, BreakerState.FORCED_OPEN} and (
                epoch >= before.accepts_from_epoch
            )
            if not accepted and not moves and self.second * SECOND >= before.changed_at - START:
                changed = {name for name, value in self.bench.state.entries.items() if entries.get(name) != value}
                assert changed <= {"breaker\x1fnova", "endpoints", "window\x1fnova"}
            self.recount(result if accepted else None, moves)
            if result is TurnResult.CALLER_FAULT:
                assert all(move.reason == "open_elapsed" for move in moves)

    @rule(copies=st.integers(1, 3))
    def ticks(self, copies: int) -> None:
        before = self.bench.breaker().state
        self.notice_a_clock_set_back()
        for copy in range(copies):
            effects = self.bench.tick(self.second)
            assert copy == 0 or effects == []
            for move in self.follow(effects):
                worse = move.to_state is BreakerState.OPEN and before is not BreakerState.HALF_OPEN
                assert not worse
                assert move.to_state is not BreakerState.DEGRADED
                self.recount(None, [move])

    @rule(action=st.sampled_from(BreakerAction))
    @precondition(lambda self: self.epoch % 3 == 1 or self.state is BreakerState.FORCED_OPEN)
    def orders(self, action: BreakerAction) -> None:
        self.notice_a_clock_set_back()
        moves = self.follow(self.bench.order(action, self.second))
        assert len(moves) <= 1
        if action is BreakerAction.RESET:
            self.booked.clear()
        self.recount(None, moves)

    def follow(self, effects: list[Effect]) -> list[Transition]:
        """Check the newest transitions against the table and the epoch; return them."""
        moves = [e.event for e in effects if e.topic is topics.TRANSITIONS and isinstance(e.event, Transition)]
        told = [effect for effect in effects if effect.topic not in {topics.PROBES, topics.ALERTS}]
        assert len(told) == 3 * len(moves)
        for move in moves:
            assert move.from_state is self.state
            assert move.reason in TABLE[(move.from_state, move.to_state)]
            assert move.epoch == self.epoch + 1
            evidence = move.evidence
            assert 0 <= evidence.failures <= evidence.outcomes
            assert evidence.failures == sum(evidence.failures_by_result.values())
            assert sum(move.probe_permits) == (3 if move.to_state is BreakerState.HALF_OPEN else 0)
            assert (move.open_until is not None) == (move.to_state is BreakerState.OPEN)
            self.state, self.epoch = move.to_state, move.epoch
        return moves

    def present(self) -> int:
        return (START + round(self.second * SECOND)) // SECOND

    def notice_a_clock_set_back(self) -> None:
        """More than a minute back, everything seen is forgotten."""
        if self.newest is not None and self.present() < self.newest - 60:
            self.booked.clear()
            self.newest = self.present()

    def recount(self, result: TurnResult | None, moves: list[Transition]) -> None:
        """Keep the plain list: an outcome counts at its second, or at the newest one if that is later."""
        if result is not None or moves:
            self.newest = max(self.newest or 0, self.present())
        if self.newest is not None and result is not None and result is not TurnResult.CALLER_FAULT:
            self.booked.append((self.newest, result))
        for move in moves:
            if move.to_state in {BreakerState.OPEN, BreakerState.FORCED_OPEN} or move.reason == "closed_by_command":
                self.booked.clear()

    @invariant()
    def the_window_equals_a_naive_recount(self) -> None:
        stored = self.bench.state.get("window\x1fnova")
        if not stored:
            return
        summary = msgspec.convert(stored, Summary)
        assert summary.second == self.newest
        inside = [result for second, result in self.booked if second > summary.second - WINDOW]
        answered, refused, *failures = summary.sums[:5]
        assert min(summary.sums) >= 0
        assert answered + refused == sum(result not in FAILURES for result in inside)
        assert sum(failures) == sum(result in FAILURES for result in inside)
        assert summary.sums[5] == 812_346 * (answered + refused)

    @invariant()
    def the_breaker_is_where_its_transitions_led(self) -> None:
        breaker = self.bench.breaker()
        assert (breaker.state, breaker.epoch) == (self.state, self.epoch)
        assert breaker.accepts_from_epoch <= breaker.epoch


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)


@given(st.lists(st.tuples(st.floats(0.0, 30.0), st.integers(1, 3)), max_size=60))
@settings(max_examples=50, deadline=None)
def test_outcomes_that_are_the_callers_fault_never_trip(steps: list[tuple[float, int]]) -> None:
    bench, second = Bench(open_consecutive_failures=1, minimum_outcomes=1), 0.0
    for seconds, turn in steps:
        second += seconds
        assert bench.turn(second, TurnResult.CALLER_FAULT, turn=turn) == []
        assert bench.tick(second) == []


@given(probes=st.integers(1, 60), partitions=st.integers(1, 48), first=st.integers(0, 10_000))
def test_permits_always_sum_and_reach_every_partition_within_as_many_issues_as_partitions(
    probes: int, partitions: int, first: int
) -> None:
    issued = [permits(probes, partitions, first + issue) for issue in range(partitions)]
    assert all(sum(shares) == probes and min(shares) >= 0 for shares in issued)
    assert all(any(given) for given in zip(*issued, strict=True))


@given(
    epochs=st.integers(0, 10**9),
    opens=st.integers(1, 1000),
    nominal=st.floats(0.0, 1000.0),
    jitter=st.floats(0.0, 1.0),
    most=st.floats(0.0, 1000.0),
)
def test_a_wait_is_never_negative_nor_above_its_bound(
    epochs: int, opens: int, nominal: float, jitter: float, most: float
) -> None:
    policy = BreakerPolicy(open_seconds=nominal, open_jitter=jitter, open_seconds_max=most)
    assert 0.0 <= open_seconds("nova", epochs, opens, policy) <= most


@given(st.lists(st.tuples(st.floats(0.0, 20.0), RESULTS), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_a_replay_gives_the_same_effects_and_the_same_state(steps: list[tuple[float, TurnResult]]) -> None:
    benches = [Bench(), Bench()]
    for bench in benches:
        for second, (gap, result) in zip(itertools.accumulate(gap for gap, _ in steps), steps, strict=True):
            bench.turn(second + gap, result, turn=1)
            bench.tick(second + gap)
    assert benches[0].effects == benches[1].effects
    assert benches[0].state.entries == benches[1].state.entries
