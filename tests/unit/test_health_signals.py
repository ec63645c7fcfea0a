"""What is watched besides failures in the window: each signal by itself, from observation to move and back."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from processors.health.logic.signals import KINDS, LABEL_SILENCE_SECONDS, TIGHTENED_SHARE, Signal, Signals
from runtime.state import DictState
from schemas.agents import BreakerAction
from schemas.control import BreakerPolicy
from schemas.fields import BreakerState, GradedBy, Handling, TurnResult
from schemas.rules import Targets
from schemas.triggers import Trigger
from tests.endpoints import Bench

RATE_LIMITED = TurnResult.RATE_LIMITED
WITH_CSAT = Targets(csat_baseline=0.85)


def limit(signal: Signal, policy: BreakerPolicy | None = None) -> int:
    test = KINDS[signal].test(policy or BreakerPolicy(targets=WITH_CSAT))
    assert test is not None
    return test.limit


def signals(state: DictState, **policy: Any) -> Signals:
    return Signals(state, "nova", BreakerPolicy(targets=WITH_CSAT, **policy))


def test_an_agent_that_is_well_writes_no_signals() -> None:
    bench = Bench(targets=WITH_CSAT)
    for second in range(400):
        bench.turn(float(second), turn=1)
        bench.ended(float(second))
        bench.graded(float(second), resolved=True, hallucination=False, csat=5, repeat_contact=False)
    assert not [name for name in bench.state.entries if name.startswith(("signals", "intent"))]
    assert bench.effects == []


def test_a_score_decays_and_its_entry_goes_with_it() -> None:
    bench = Bench()
    bench.turn(0.0, RATE_LIMITED)
    assert set(bench.state.get("signals\x1fnova")) == {"failures", "failures_mostly"}
    assert bench.state.get("intent\x1fnova\x1fbalance") is not None
    for second in range(1, 13):
        bench.turn(float(second))
    assert bench.state.get("signals\x1fnova") is None
    assert bench.state.get("intent\x1fnova\x1fbalance") is None


GRADES: list[tuple[Signal, dict[str, Any], str]] = [
    (Signal.UNRESOLVED, {"resolved": False}, "unresolved"),
    (Signal.HALLUCINATED, {"hallucination": True}, "hallucinations"),
    (Signal.HALLUCINATED, {"by": GradedBy.PLATFORM, "resolved": False}, "hallucinations"),
    (Signal.UNSATISFIED, {"by": GradedBy.CUSTOMER, "csat": 3}, "unsatisfied"),
    (Signal.REPEATED, {"repeat_contact": True}, "repeat_contacts"),
]


@pytest.mark.parametrize(("signal", "fields", "reason"), GRADES)
def test_a_label_degrades_at_the_limit_and_says_on_what_it_rests(
    signal: Signal, fields: dict[str, Any], reason: str
) -> None:
    bench = Bench(targets=WITH_CSAT)
    test = KINDS[signal].test(bench.policy.breaker)
    assert test is not None
    needed = -(-test.limit // test.up)
    for number in range(needed):
        assert bench.path == []
        # Of other intents, so that none of them alone is at its limit.
        bench.graded(float(number), intent=f"i-{number}", **fields)
    assert (bench.path, bench.reasons) == (["degraded"], [reason])
    evidence = bench.transitions[0].evidence
    assert (evidence.signal, evidence.observations, evidence.adverse) == (signal.value, needed, needed)
    assert (evidence.statistic, evidence.limit) == (test.limit, test.limit)
    assert evidence.false_alarm_observations == test.false_alarm_observations
    assert bench.transitions[0].most_at_once is None
    assert not bench.transitions[0].intents_only


@pytest.mark.parametrize(
    "fields",
    [
        {"by": GradedBy.PLATFORM, "resolved": True},
        {"by": GradedBy.CUSTOMER, "resolved": False},
        {"by": GradedBy.CUSTOMER, "csat": 1},
        {"resolved": True},
        {},
    ],
)
def test_a_grade_that_says_nothing_or_that_no_target_is_for_moves_nothing(fields: dict[str, Any]) -> None:
    bench = Bench()
    for number in range(300):
        bench.graded(float(number), **fields)
    assert bench.effects == []
    assert bench.state.get("signals\x1fnova") is None


def test_escalations_degrade_unless_the_reason_is_none_of_the_agents() -> None:
    not_its_own = (Trigger.BREAKER_OPEN, Trigger.REQUESTED, Trigger.PERSON_CLAIMED, Trigger.NO_AGENT)
    bench = Bench()
    for number, trigger in zip(range(300), itertools.cycle(not_its_own), strict=False):
        bench.ended(float(number), Handling.AI_ESCALATED, trigger=trigger)
        bench.ended(float(number), Handling.ABANDONED)
        bench.ended(float(number), Handling.HUMAN_ONLY)
    assert bench.effects == []
    for number in range(300, 360):
        bench.ended(float(number), Handling.AI_ESCALATED, trigger=Trigger.SENTIMENT)
    assert bench.reasons == ["escalations"]


def test_loops_are_counted_of_answers_alone() -> None:
    bench = Bench()
    for second in range(0, 400, 10):
        bench.turn(float(second), looping=second % 20 == 0)
    assert bench.reasons == ["looping"]
    failing = Bench()
    failing.turns_of(3, 0.0, RATE_LIMITED, looping=True)
    assert Signal.LOOPS not in failing.state.get("signals\x1fnova")


def test_a_signal_without_an_observation_for_an_hour_is_forgotten() -> None:
    state = DictState()
    for _ in range(60):
        watched = signals(state)
        watched.observe(Signal.UNRESOLVED, 1_000, against=True)
        watched.save()
    just, late = 1_000 + LABEL_SILENCE_SECONDS, 1_001 + LABEL_SILENCE_SECONDS
    assert signals(state).alarm(just) is not None
    assert not signals(state).recovered(just)
    assert signals(state).alarm(late) is None
    assert signals(state).recovered(late)
    anew = signals(state)
    anew.observe(Signal.UNRESOLVED, late, against=True)
    anew.save()
    assert state.get("signals\x1fnova")["unresolved"][1:] == [1, 1, late]


def test_a_score_of_before_the_clock_was_set_back_by_a_day_holds_nothing_up() -> None:
    state = DictState()
    watched = signals(state)
    for _ in range(20):
        watched.observe(Signal.UNRESOLVED, 200_000, against=True)
    assert watched.alarm(200_000) is not None
    assert watched.alarm(113_600) is None
    assert watched.recovered(113_600)


def test_labels_that_stopped_while_degraded_do_not_degrade_again_when_it_has_closed() -> None:
    # labels | degraded | an hour of good answers without a label | closed, and stays so
    bench = Bench()
    bench.turn(0.0)
    for number in range(9):
        bench.graded(float(number), resolved=False, intent=f"i-{number}")
    assert bench.path == ["degraded"]
    for second in range(10, LABEL_SILENCE_SECONDS + 400, 30):
        bench.turn(float(second))
    assert bench.path == ["degraded", "closed"]
    assert bench.reasons[-1] == "recovered"


def test_evidence_that_has_expired_is_not_held_against_the_next_answer() -> None:
    bench = Bench()
    for number in range(9):
        bench.graded(float(number), resolved=False, intent=f"i-{number}")
    bench.tick(400.0)
    bench.turn(401.0)
    assert bench.reasons == ["unresolved", "evidence_expired"]


def test_degraded_for_a_signal_closes_once_its_score_is_down_to_a_quarter() -> None:
    bench = Bench()
    for number in range(9):
        bench.graded(0.0, resolved=False, intent=f"i-{number}")
    needed = -(-(limit(Signal.UNRESOLVED) * 3 // 4) // 4)
    for number in range(needed - 3):
        bench.graded(70.0, resolved=True)
        assert bench.path == ["degraded"], number
    for _ in range(6):
        bench.graded(80.0, resolved=True)
    bench.turn(81.0)
    assert bench.path == ["degraded", "closed"]


def test_tightened_the_limit_is_half_and_the_alarm_says_so() -> None:
    state = DictState()
    watched = signals(state)
    half = round(limit(Signal.UNRESOLVED) * TIGHTENED_SHARE)
    needed = -(-half // 40)
    for number in range(needed):
        assert watched.alarm(0, tightened=True) is None, number
        watched.observe(Signal.UNRESOLVED, 0, against=True)
    assert watched.alarm(0) is None
    alarm = watched.alarm(0, tightened=True)
    assert alarm is not None
    assert (alarm.limit, alarm.observations, alarm.against) == (half, needed, needed)
    assert f"of {half}" in alarm.detail


def test_of_several_alarms_the_worst_speaks() -> None:
    watched = signals(DictState())
    for _ in range(60):
        watched.observe(Signal.REPEATED, 0, against=True)
        watched.observe(Signal.FAILURES, 0, against=True)
        watched.observe(Signal.FAILURES_MOSTLY, 0, against=True)
    alarm = watched.alarm(0)
    assert alarm is not None
    assert alarm.signal is Signal.FAILURES_MOSTLY
    assert KINDS[alarm.signal].to_state is BreakerState.OPEN


EXTREMES = [
    BreakerPolicy(
        degraded_failure_rate=0.0,
        open_failure_rate=0.0,
        targets=Targets(resolved=1.0, escalated_most=0.0, looping_most=0.0, hallucinated_most=0.0, repeat_most=0.0),
    ),
    BreakerPolicy(
        degraded_failure_rate=0.2,
        open_failure_rate=0.200001,
        targets=Targets(csat_baseline=1.0, csat_within=0.0, resolved=0.0, escalated_most=0.89, repeat_most=0.89999),
    ),
    BreakerPolicy(
        degraded_failure_rate=1.0,
        open_failure_rate=1.0,
        targets=Targets(
            csat_baseline=0.0, csat_within=1.0, resolved=0.99999, looping_most=1e-9, hallucinated_most=1e-4,
            repeat_most=1.0, escalated_most=1.0,
        ),
    ),
]  # fmt: skip


@pytest.mark.parametrize("policy", EXTREMES)
def test_no_policy_stops_the_monitor(policy: BreakerPolicy) -> None:
    for signal in Signal:
        test = KINDS[signal].test(policy)
        assert test is None or (0.0 < test.good < test.bad < 1.0 and test.limit > 0)
    watched = Signals(DictState(), "nova", policy)
    for signal in Signal:
        watched.observe(signal, 0, against=True)
    assert watched.alarm(0) is None
    assert watched.recovered(0) or any(KINDS[signal].test(policy) for signal in Signal)


def test_a_target_of_a_few_in_ten_thousand_is_watched_still() -> None:
    for targets in (Targets(looping_most=1e-6), Targets(hallucinated_most=1e-5), Targets(resolved=0.99999)):
        policy = BreakerPolicy(targets=targets)
        assert all(KINDS[signal].test(policy) for signal in (Signal.LOOPS, Signal.HALLUCINATED, Signal.UNRESOLVED))


def test_a_reset_forgets_scores_and_what_was_held_against_intents() -> None:
    bench = Bench()
    bench.turns_of(3, 0.0, RATE_LIMITED)
    short_of_it = limit(Signal.UNRESOLVED) // 40 - 1
    for number in range(short_of_it):
        bench.graded(0.0, resolved=False, intent="card_lost")
        assert bench.path == [], number
    bench.order(BreakerAction.RESET, 1.0)
    for _ in range(short_of_it):
        bench.graded(2.0, resolved=False, intent="card_lost")
    bench.turns_of(3, 2.0, RATE_LIMITED)
    assert bench.effects == []
