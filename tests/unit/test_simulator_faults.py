"""How simulated agents misbehave on command, turn by turn, and what their calls use."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from schemas.control import Fault, FaultKind
from schemas.fields import FinishedBy, Pool, Supervision, TurnResult
from schemas.interactions import Completed, Turn
from schemas.supervision import VerdictKind
from simulator import fleet, talk
from simulator.fleet import COST_PER_TOKEN, DEFAULT_SEVERITY, MOST_LOOPS, RETRY_AFTER_SECONDS, TIMEOUT_SECONDS
from tests.centre import SECOND, START, by_contact, decision, of, play, to_ai, world
from tests.said import request, result

MANY = [START + i * SECOND for i in range(400)]
PACE = 0.5


def under(kind: FaultKind, severity: float, arrivals: list[int] = MANY, **changes: Any) -> list[Any]:
    """What is told of contacts whose agent is under a fault."""
    order = (START, Fault(endpoint="support-bot", kind=kind, severity=severity, occurred_at=START))
    return play(world(arrivals, faults=[order], people_per_queue=500, **changes), to_ai)


def test_every_kind_of_fault_has_a_severity_of_its_own() -> None:
    assert DEFAULT_SEVERITY.keys() == set(FaultKind)


@pytest.mark.parametrize("kind", [FaultKind.TIMEOUTS, FaultKind.RATE_LIMITS, FaultKind.LOOPS])
@pytest.mark.parametrize("severity", [0.3, 1.0])
def test_a_share_of_turns_as_large_as_the_severity_is_hit(kind: FaultKind, severity: float) -> None:
    turns = of(under(kind, severity), Turn)
    hit = {
        FaultKind.TIMEOUTS: [turn.result is TurnResult.TIMEOUT for turn in turns],
        FaultKind.RATE_LIMITS: [turn.result is TurnResult.RATE_LIMITED for turn in turns],
        FaultKind.LOOPS: [turn.no_progress for turn in turns if not turn.person_asked],
    }[kind]
    assert sum(hit) / len(hit) == pytest.approx(severity, abs=0.04)


def test_a_call_that_times_out_takes_all_its_time_and_pays_for_its_question() -> None:
    turns = [t for t in of(under(FaultKind.TIMEOUTS, 0.5, pace=PACE), Turn) if t.result is TurnResult.TIMEOUT]
    assert {turn.latency_ms for turn in turns} == {TIMEOUT_SECONDS * PACE * 1000}
    assert all(turn.tokens > 0 and turn.retry_after_seconds is None for turn in turns)


def test_an_agent_that_has_had_enough_refuses_at_once_and_is_left_alone_for_as_long_as_it_asks() -> None:
    waits = []
    for each in by_contact(under(FaultKind.RATE_LIMITS, 0.5, pace=PACE)).values():
        for before, after in itertools.pairwise(each):
            if before.result is TurnResult.RATE_LIMITED:
                assert before.retry_after_seconds == RETRY_AFTER_SECONDS * PACE
                assert (before.tokens, before.latency_ms) == (0, pytest.approx(25.0))
                waits.append(after.occurred_at - after.latency_ms * 1000 - before.occurred_at)
    assert waits
    assert waits == pytest.approx([RETRY_AFTER_SECONDS * PACE * SECOND] * len(waits), abs=10)


def test_an_agent_that_goes_round_in_circles_repeats_itself_and_uses_more_until_the_customer_has_enough() -> None:
    effects = under(FaultKind.LOOPS, 1.0)
    for each in by_contact(effects).values():
        answered = [turn for turn in each if turn.result is TurnResult.OK]
        around = [turn for turn in answered if turn.no_progress]
        assert len({turn.agent_text for turn in around}) <= 1
        assert len(around) <= MOST_LOOPS
        assert each[-1].person_asked or each[-1].result is not TurnResult.OK
        assert not each[-1].no_progress
        assert all(turn.quality > 0.8 for turn in around)
    assert {end.finished_by for end in of(effects, Completed)} == {FinishedBy.HUMAN}
    healthy = of(under(FaultKind.NONE, 0.0), Turn)
    around = [turn.tokens for turn in of(effects, Turn) if turn.no_progress]
    assert min(around) > 2 * max(turn.tokens for turn in healthy)


def test_an_agent_that_goes_round_now_and_then_gets_there_later() -> None:
    effects = under(FaultKind.LOOPS, 0.4)
    turns = by_contact(effects)
    contained = [turns[end.interaction_id] for end in of(effects, Completed) if end.finished_by is FinishedBy.AI]
    slow = [each for each in contained if any(turn.no_progress for turn in each)]
    assert len(slow) > 30
    assert max(len(each) for each in slow) > fleet.MAX_TURNS
    assert max(sum(turn.no_progress for turn in each) for each in slow) > MOST_LOOPS  # but never so many in a row
    for each in slow:
        onwards = sum(turn.result is TurnResult.OK and not turn.no_progress for turn in each)
        assert fleet.MIN_TURNS <= onwards <= fleet.MAX_TURNS


def test_an_answer_that_led_nowhere_and_was_rejected_neither_wearies_the_customer_nor_delays_the_end() -> None:
    order = (START, Fault(endpoint="support-bot", kind=FaultKind.LOOPS, severity=0.4, occurred_at=START))
    rejected = set()

    def sessions(told: Any) -> list[tuple[int, Any]]:
        if not isinstance(told, Turn) or told.result is not TurnResult.OK or told.person_asked:
            return []
        place = (told.interaction_id, told.epoch, told.number)
        if told.no_progress:
            rejected.add(told.interaction_id)
        kind = VerdictKind.REJECT if told.no_progress else VerdictKind.APPROVE
        return [(1, request(*place)), (2, result(*place, kind=kind))]

    simulated = world(MANY, faults=[order], people_per_queue=500)
    watched = {"pool": Pool.AI_ASSISTED, "supervision": Supervision.FULL}
    effects = play(simulated, lambda o: [(0, decision(o.interaction_id, **watched))], sessions=sessions)
    ends = of(effects, Completed)
    contained = {end.interaction_id for end in ends if end.finished_by is FinishedBy.AI}
    assert len(rejected) > 200
    assert len(contained) / len(ends) > 0.9  # as of a fleet that is well
    for name, each in by_contact(effects).items():
        if name in contained:
            onwards = sum(turn.result is TurnResult.OK and not turn.no_progress for turn in each)
            assert fleet.MIN_TURNS <= onwards <= fleet.MAX_TURNS


def test_customers_are_wearied_by_what_reached_them_alone() -> None:
    order = (START, Fault(endpoint="support-bot", kind=FaultKind.LOOPS, severity=1.0, occurred_at=START))

    def sessions(told: Any) -> list[tuple[int, Any]]:
        if not isinstance(told, Turn) or told.result is not TurnResult.OK or told.person_asked:
            return []
        place = (told.interaction_id, told.epoch, told.number)
        kind = VerdictKind.REJECT if told.number <= MOST_LOOPS else VerdictKind.APPROVE
        return [(1, request(*place)), (2, result(*place, kind=kind))]

    watched = {"pool": Pool.AI_ASSISTED, "supervision": Supervision.FULL}
    simulated = world(MANY[:100], faults=[order], people_per_queue=500)
    effects = play(simulated, lambda o: [(0, decision(o.interaction_id, **watched))], sessions=sessions)
    reached = [sum(turn.no_progress for turn in each[MOST_LOOPS:]) for each in by_contact(effects).values()]
    assert max(reached) == MOST_LOOPS


def test_an_agent_that_is_well_or_answers_wrongly_does_not_repeat_itself() -> None:
    for kind in (FaultKind.NONE, FaultKind.WRONG_ANSWERS, FaultKind.ERRORS):
        for each in by_contact(under(kind, 0.5)).values():
            said = [turn.agent_text for turn in each if turn.agent_text]
            assert len(said) == len(set(said))
            assert not any(turn.no_progress for turn in each)


def test_a_call_uses_more_tokens_the_longer_the_contact_lasts_and_costs_by_the_token() -> None:
    turns = by_contact(under(FaultKind.NONE, 0.0))
    for each in turns.values():
        answered = [turn for turn in each if turn.result is TurnResult.OK]
        assert all(b.tokens > a.tokens + 80 for a, b in itertools.pairwise(answered))
        assert all(turn.cost == pytest.approx(turn.tokens * COST_PER_TOKEN) for turn in each)
    assert {len(each) for each in turns.values()} > {2, 6}


def test_customers_lose_heart_with_an_agent_that_goes_round_in_circles() -> None:
    for each in by_contact(under(FaultKind.LOOPS, 1.0)).values():
        for before, after in itertools.pairwise(each):
            if before.no_progress:
                assert after.sentiment == pytest.approx(max(-1.0, before.sentiment + talk.AFTER_LOOP))
