"""The health monitor under any sequence of outcomes, ticks, orders and clock jumps."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from processors.health.logic.breaker import OUT, TABLE, Breaker, IllegalMoveError, MoveReason, open_seconds
from processors.health.logic.breaker import move as moved_on
from processors.health.logic.probes import permits
from processors.health.logic.window import HARD_FAILURES, Summary
from schemas import topics
from schemas.agents import BreakerAction, ProviderState, Transition
from schemas.control import BreakerPolicy
from schemas.fields import BreakerState, Channel, GradedBy, Handling, TurnResult
from schemas.rules import Maintenance, Targets
from schemas.topics import Effect
from schemas.triggers import Trigger
from schemas.wfm import Impact
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
            # A shed intent's outcome is heard, so the window moves on, and is not booked.
            booked = accepted and "balance" not in before.shed
            self.recount(result if booked else None, moves, heard=accepted)
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
            self.newest = max(self.newest or 0, self.bench.state.get("window\x1fnova")[1])
        self.recount(None, moves)

    def follow(self, effects: list[Effect]) -> list[Transition]:
        """Check the newest transitions against the table and the epoch; return them."""
        moves = [e.event for e in effects if e.topic is topics.TRANSITIONS and isinstance(e.event, Transition)]
        told = [effect for effect in effects if effect.topic not in {topics.PROBES, topics.ALERTS}]
        assert len(told) == 3 * len(moves)
        for move in moves:
            assert move.from_state is self.state
            assert move.reason in TABLE[(move.from_state, move.to_state)]
            assert move.epoch > self.epoch
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

    def recount(self, result: TurnResult | None, moves: list[Transition], *, heard: bool = False) -> None:
        """Keep the plain list: an outcome counts at its second, or at the newest one if that is later."""
        if heard or moves:
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
TestBreaker.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)

INTENTS = ("balance", "card_lost", "payment")
VERSIONS = ("1", "1", "2")
OLD_WORD = Maintenance(starts="1999-03-24T10:35:00Z", ends="1999-03-24T10:45:00Z")
"""START is 1999-03-24T10:30:00Z."""


class EverythingMachine(RuleBasedStateMachine):
    """Two agents of one provider, with all that a monitor may hear, in any order and at any time."""

    @initialize(
        minimum=st.integers(1, 12),
        window=st.integers(5, 20),
        resolved=st.sampled_from([0.6, 0.95]),
        ramp=st.sampled_from([0.0, 30.0]),
        floor=st.sampled_from([None, 30.0]),
    )
    def begin(self, minimum: int, window: int, resolved: float, ramp: float, floor: float | None) -> None:
        targets = Targets(resolved=resolved, csat_baseline=0.8, answers_per_minute_least=floor)
        self.bench = Bench(minimum_outcomes=minimum, window_seconds=window, ramp_seconds=ramp, targets=targets)
        self.second = 0.0
        self.states: dict[tuple[str, str | None], BreakerState] = {}
        self.epochs = {"nova": 0, "vega": 0}
        self.permitted = self.bench.policy.breaker.half_open_probes

    @rule(seconds=st.floats(0.0, 400.0))
    def time_passes(self, seconds: float) -> None:
        self.second += seconds

    @rule(seconds=st.sampled_from([-90_000.0, -300.0, -61.5, -12.0, -0.4, 4_000.0, 100_000.0]))
    def the_clock_jumps(self, seconds: float) -> None:
        self.second += seconds

    @rule(
        times=st.integers(1, 9),
        result=RESULTS,
        endpoint=st.sampled_from(["nova", "nova", "vega"]),
        version=st.sampled_from(VERSIONS),
        intent=st.sampled_from(INTENTS),
        channel=st.sampled_from([Channel.CHAT, Channel.VOICE]),
        latency=st.sampled_from([0.0, 300.0, 700.0, 9_000.0]),
        turn=st.integers(1, 2),
        looping=st.booleans(),
        asked=st.sampled_from([None, None, None, 0.2, 50.0, 1e12]),
    )
    def outcomes(
        self, times: int, result: TurnResult, endpoint: str, version: str, intent: str, channel: Channel,
        latency: float, turn: int, looping: bool, asked: float | None,
    ) -> None:  # fmt: skip
        for _ in range(times):
            self.follow(
                lambda: self.bench.turn(
                    self.second, result, endpoint, version=version, intent=intent, channel=channel,
                    latency_ms=latency, turn=turn, looping=looping, retry_after_seconds=asked, quality=0.9,
                )
            )  # fmt: skip

    @rule(seconds=st.integers(1, 15), failing=st.integers(1, 8), among=st.sampled_from(["one", "all"]))
    def a_busy_agent_fails_in_one_intent_or_in_all(self, seconds: int, failing: int, among: str) -> None:
        """Each second eight contacts come, and so many turns of one or of all intents fail."""
        for _ in range(seconds):
            self.second += 1.0
            for number in range(8):
                intent = INTENTS[number % 2]
                self.follow(partial(self.bench.turn, self.second, version="1", intent=intent, turn=1))
                if number < failing:
                    intent = INTENTS[2] if among == "one" else INTENTS[number % 3]
                    self.follow(
                        partial(self.bench.turn, self.second, TurnResult.RATE_LIMITED, version="1", intent=intent)
                    )

    @rule(
        times=st.integers(1, 12),
        handling=st.sampled_from([Handling.AI_CONTAINED, Handling.AI_ESCALATED, Handling.ABANDONED]),
        trigger=st.sampled_from([Trigger.SENTIMENT, Trigger.BREAKER_OPEN]),
        version=st.sampled_from(VERSIONS),
    )
    def contacts_end(self, times: int, handling: Handling, trigger: Trigger, version: str) -> None:
        for _ in range(times):
            self.follow(lambda: self.bench.ended(self.second, handling, trigger=trigger, version=version))

    @rule(
        times=st.integers(1, 12),
        by=st.sampled_from(GradedBy),
        version=st.sampled_from(VERSIONS),
        intent=st.sampled_from(INTENTS),
        resolved=st.sampled_from([None, False, False, True]),
        csat=st.sampled_from([None, 1, 5]),
        flagged=st.sampled_from([None, False, True]),
    )
    def grades(
        self, times: int, by: GradedBy, version: str, intent: str, resolved: bool | None, csat: int | None,
        flagged: bool | None,
    ) -> None:  # fmt: skip
        for _ in range(times):
            self.follow(
                lambda: self.bench.graded(
                    self.second, by, version=version, intent=intent, resolved=resolved, csat=csat,
                    hallucination=flagged, repeat_contact=flagged,
                )
            )  # fmt: skip

    @rule(status=st.sampled_from(ProviderState), until=st.sampled_from([None, -50.0, 600.0]))
    def a_provider_speaks(self, status: ProviderState, until: float | None) -> None:
        at = max(0.0, self.second)
        effects = self.bench.provider(at, status, None if until is None else max(0.0, at + until))
        assert effects == []

    @rule(copies=st.integers(1, 3))
    def ticks(self, copies: int) -> None:
        before = dict(self.states)
        for copy in range(copies):
            effects = self.follow(lambda: self.bench.tick(self.second))
            assert copy == 0 or effects == []
        for key, state in self.states.items():
            was = before.get(key, BreakerState.CLOSED)
            assert state is not BreakerState.DEGRADED or was is state
            assert state is not BreakerState.OPEN or was in {state, BreakerState.HALF_OPEN}

    @rule(
        action=st.sampled_from(BreakerAction),
        endpoint=st.sampled_from(["nova", "vega"]),
        version=st.sampled_from([None, "1", "2"]),
    )
    @precondition(lambda self: sum(self.epochs.values()) % 4 == 3 or BreakerState.FORCED_OPEN in self.states.values())
    def orders(self, action: BreakerAction, endpoint: str, version: str | None) -> None:
        self.follow(lambda: self.bench.order(action, self.second, endpoint, version, by="kim"))
        closed = action is not BreakerAction.FORCE_OPEN
        assert self.states.get((endpoint, version), BreakerState.CLOSED) is (
            BreakerState.CLOSED if closed else BreakerState.FORCED_OPEN
        )

    @rule(version=st.sampled_from(["1", "2"]), maintained=st.booleans())
    def the_policy_changes(self, version: str, maintained: bool) -> None:
        self.bench.agent(version=version, maintenance=(OLD_WORD,) if maintained else ())

    @rule(late=st.integers(1, 3))
    @precondition(lambda self: self.bench.breaker().accepts_from_epoch > 0)
    def a_late_outcome_of_an_older_epoch_changes_nothing(self, late: int) -> None:
        breaker = self.bench.breaker()
        if self.second * SECOND < breaker.changed_at - START or breaker.state is BreakerState.OPEN:
            return
        self.follow(lambda: self.bench.tick(self.second))
        before = dict(self.bench.state.entries)
        epoch = max(0, self.bench.breaker().accepts_from_epoch - late)
        for result in (TurnResult.TIMEOUT, TurnResult.OK):
            assert self.bench.turn(self.second, result, breaker_epoch=epoch, retry_after_seconds=9.0) == []
            assert self.bench.graded(self.second, resolved=False, breaker_epoch=epoch) == []
        assert self.bench.state.entries == before

    @rule()
    def a_shed_intent_comes_back(self) -> None:
        breaker = self.bench.breaker()
        if not breaker.shed:
            return
        assert breaker.shed_until - breaker.changed_at <= 300 * SECOND
        self.second = max(self.second, (breaker.shed_until - START) / SECOND)
        self.follow(lambda: self.bench.tick(self.second))
        assert self.bench.breaker().shed == ()

    @rule()
    def a_new_process_takes_over(self) -> None:
        self.bench.restarted()

    def follow(self, act: Callable[[], list[Effect]]) -> list[Effect]:
        effects = act()
        epochs = {"nova": [], "vega": []}  # type: dict[str, list[int]]
        for effect in effects:
            event = effect.event
            if effect.topic is topics.TRANSITIONS and isinstance(event, Transition):
                self.check(event)
                self.bench.follow(event)
                epochs[event.endpoint].append(event.epoch)
            elif isinstance(event, Impact) and event.epoch not in epochs[event.endpoint]:
                epochs[event.endpoint].append(event.epoch)
        for endpoint, drawn in epochs.items():
            assert drawn == sorted(set(drawn))
            assert not drawn or drawn[0] > self.epochs[endpoint]
            self.epochs[endpoint] = max([self.epochs[endpoint], *drawn])
        return effects

    def check(self, made: Transition) -> None:
        key = (made.endpoint, made.version)
        assert made.from_state is self.states.get(key, BreakerState.CLOSED)
        assert made.reason in TABLE[(made.from_state, made.to_state)]
        assert sum(made.probe_permits) == (self.permitted if made.to_state is BreakerState.HALF_OPEN else 0)
        assert (made.open_until is not None) == (made.to_state is BreakerState.OPEN)
        assert made.most_at_once is None or (made.most_at_once >= 1 and made.to_state is BreakerState.DEGRADED)
        assert bool(made.shed_intents) == made.intents_only
        assert not made.shed_intents or (made.to_state is BreakerState.DEGRADED and made.version is None)
        assert made.ramp_seconds == 0.0 or made.to_state is BreakerState.CLOSED
        assert bool(made.by) <= (made.reason in {"forced_by_command", "closed_by_command"})
        if made.to_state is BreakerState.OPEN:
            evidence = made.evidence
            seen = evidence.failures or evidence.consecutive_failures or evidence.adverse
            assert seen or made.reason == "probes_inconclusive"
        if made.evidence.signal is not None:
            assert made.evidence.statistic >= made.evidence.limit > 0
            assert made.evidence.false_alarm_observations > 0
        self.states[key] = made.to_state

    @invariant()
    def stored_breakers_are_where_their_transitions_led(self) -> None:
        for (endpoint, version), state in self.states.items():
            scope = endpoint if version is None else f"{endpoint}\x1e{version}"
            assert self.bench.breaker(scope).state is state
            assert self.bench.breaker(scope).accepts_from_epoch <= self.epochs[endpoint]

    @invariant()
    def no_state_grows_without_bound(self) -> None:
        # Breakers: an endpoint's and two versions' of each; each has a window's seconds and a few entries.
        window = self.bench.policy.breaker.window_seconds
        assert len(self.bench.state.entries) <= 2 * 3 * (window + 8) + 2 * 3 * len(INTENTS) + 20

    def teardown(self) -> None:
        """However it ended, ticks and good answers bring every agent back, once no operator holds it."""
        for (endpoint, version), state in tuple(self.states.items()):
            if state is BreakerState.FORCED_OPEN:
                self.follow(partial(self.bench.order, BreakerAction.CLOSE, self.second, endpoint, version))
        named = {each.endpoint: each.version for each in self.bench.policy.endpoints}
        for _ in range(12):
            self.second += 500.0
            self.follow(lambda: self.bench.tick(self.second))
            for endpoint, version in named.items():
                out = [self.states.get((endpoint, each)) for each in (None, version)]
                for _ in range(16 if BreakerState.HALF_OPEN in out else 1):
                    self.follow(partial(self.bench.turn, self.second, endpoint=endpoint, version=version))
        for endpoint, version in named.items():
            for each in (None, version):
                assert self.states.get((endpoint, each), BreakerState.CLOSED) is BreakerState.CLOSED


TestEverything = EverythingMachine.TestCase
TestEverything.settings = settings(max_examples=100, stateful_step_count=30, deadline=None)


@given(
    here=st.sampled_from(BreakerState),
    there=st.sampled_from(BreakerState),
    reason=st.sampled_from(MoveReason),
    epoch=st.integers(0, 10**6),
    opens=st.integers(0, 50),
    shed=st.sampled_from([(), ("balance",)]),
)
def test_an_illegal_move_raises_and_changes_nothing_and_a_legal_one_keeps_what_holds(
    here: BreakerState, there: BreakerState, reason: MoveReason, epoch: int, opens: int, shed: tuple[str, ...]
) -> None:
    before = Breaker(state=here, epoch=epoch, opens=opens, shed=shed, intents_only=bool(shed))
    stored = msgspec.json.encode(before)
    policy = BreakerPolicy()
    if reason in TABLE.get((here, there), ()):
        after = moved_on(before, there, reason, START, policy=policy, endpoint="nova", epoch=epoch + 7)
        assert (after.state, after.epoch) == (there, epoch + 7)
        narrowed = after.shed or after.intents_only or after.most_at_once is not None
        assert there is BreakerState.DEGRADED or not narrowed
        assert there not in OUT or not after.books(epoch + 10**9)
    else:
        with pytest.raises(IllegalMoveError):
            moved_on(before, there, reason, START, policy=policy, endpoint="nova", epoch=epoch + 7)
    assert msgspec.json.encode(before) == stored


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


HEARD: list[Callable[[Bench, float], Any]] = [
    *(lambda bench, second, result=result: bench.turn(second, result, turn=1) for result in TurnResult),  # type: ignore[misc]
    lambda bench, second: bench.turns_of(6, second, TurnResult.TIMEOUT, intent="card_lost"),
    lambda bench, second: bench.turns_of(6, second, TurnResult.SERVER_ERROR, version="2"),
    lambda bench, second: bench.turn(second, TurnResult.RATE_LIMITED, retry_after_seconds=20.0),
    lambda bench, second: bench.graded(second, resolved=False, hallucination=True),
    lambda bench, second: bench.ended(second, Handling.AI_ESCALATED, trigger="sentiment"),
    lambda bench, second: bench.provider(second, ProviderState.OUTAGE, second + 60.0),
    lambda bench, second: bench.order(BreakerAction.RESET, second),
]


@given(st.lists(st.tuples(st.floats(0.0, 20.0), st.integers(0, len(HEARD) - 1)), min_size=1, max_size=40))
@settings(max_examples=50, deadline=None)
def test_a_replay_gives_the_same_effects_and_the_same_state(steps: list[tuple[float, int]]) -> None:
    benches = [Bench(), Bench()]
    for bench in benches:
        for second, (_, heard) in zip(itertools.accumulate(gap for gap, _ in steps), steps, strict=True):
            HEARD[heard](bench, second)
            bench.tick(second)
            if bench is benches[1]:
                bench.restarted()
    assert benches[0].effects == benches[1].effects
    assert benches[0].state.entries == benches[1].state.entries
