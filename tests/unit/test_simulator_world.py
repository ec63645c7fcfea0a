"""What the simulated contact centre does with a contact, step by step."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest

from schemas.control import Fault, FaultKind
from schemas.fields import Disposition, FinishedBy, Pool, TurnResult
from schemas.interactions import Completed, Offered, Turn
from schemas.topics import Effect
from simulator.people import HANDLE_SECONDS, Desk, Durations
from tests.centre import SECOND, START, decision, of, play, to_ai, to_people, world

MANY = [START + i * SECOND for i in range(2000)]


def fault(kind: FaultKind, severity: float, endpoint: str = "support-bot") -> tuple[int, Fault]:
    return START, Fault(endpoint=endpoint, kind=kind, severity=severity, occurred_at=START)


def shares(effects: list[Effect]) -> dict[FinishedBy, float]:
    ends = of(effects, Completed)
    return {by: sum(end.finished_by is by for end in ends) / len(ends) for by in FinishedBy}


def test_an_ai_contact_gets_two_to_six_answers_and_is_completed_by_ai() -> None:
    effects = play(world(MANY, people_per_queue=500), to_ai)
    contained = [end for end in of(effects, Completed) if end.finished_by is FinishedBy.AI]
    assert {end.ai_turns for end in contained} >= {2, 3, 4, 5, 6}
    assert all(end.ai_seconds > 0 and end.talk_seconds == 0 and not end.watched for end in contained)
    assert 0.92 < len(contained) / len(MANY) < 0.97  # 5 % escalate by themselves


def test_an_assisted_contact_is_watched() -> None:
    simulated = world([START])
    effects = play(simulated, lambda o: [(0, decision(o.interaction_id, pool=Pool.AI_ASSISTED))])
    (end,) = of(effects, Completed)
    assert end.watched is (end.finished_by is FinishedBy.AI)
    assert simulated.tally.pools == {"ai_assisted": 1}


def test_a_healthy_fleet_answers_well_and_seldom_fails() -> None:
    turns = of(play(world(MANY, people_per_queue=500), to_ai), Turn)
    failed = [turn for turn in turns if turn.result is not TurnResult.OK]
    assert 0.0005 < len(failed) / len(turns) < 0.008
    assert all(0.85 <= turn.quality <= 1.0 for turn in turns if turn.result is TurnResult.OK)
    assert all(turn.quality is None for turn in failed)


def test_in_an_outage_one_failing_turn_hands_the_contact_to_its_human_queue() -> None:
    effects = play(world(MANY[:50], faults=[fault(FaultKind.OUTAGE, 1.0)], people_per_queue=50), to_ai)
    assert [turn.number for turn in of(effects, Turn)] == [1] * 50
    assert all(end.finished_by is FinishedBy.HUMAN and end.ai_turns == 1 for end in of(effects, Completed))


def test_with_errors_the_platform_retries_and_gives_up_after_two_failures_in_a_row() -> None:
    effects = play(world(MANY[:100], faults=[fault(FaultKind.ERRORS, 1.0)], people_per_queue=100), to_ai)
    assert all(end.ai_turns == 2 and end.finished_by is FinishedBy.HUMAN for end in of(effects, Completed))
    assert {turn.result for turn in of(effects, Turn)} == {TurnResult.SERVER_ERROR, TurnResult.TIMEOUT}


def test_two_failures_that_are_not_in_a_row_leave_the_contact_with_ai() -> None:
    effects = play(world(MANY[:300], faults=[fault(FaultKind.ERRORS, 0.4)], people_per_queue=300), to_ai)
    failures = Counter(turn.interaction_id for turn in of(effects, Turn) if turn.result is not TurnResult.OK)
    contained = [end for end in of(effects, Completed) if end.finished_by is FinishedBy.AI]
    assert any(failures[end.interaction_id] >= 2 for end in contained)


def test_wrong_answers_come_as_ok_with_low_quality_and_more_customers_ask_for_a_person() -> None:
    effects = play(world(MANY, faults=[fault(FaultKind.WRONG_ANSWERS, 1.0)], people_per_queue=500), to_ai)
    assert all(0.2 <= turn.quality <= 0.5 for turn in of(effects, Turn) if turn.result is TurnResult.OK)
    assert shares(effects)[FinishedBy.HUMAN] > 0.5


def test_latency_grows_by_the_factor_ordered() -> None:
    def mean_ms(faults: list[tuple[int, Fault]]) -> float:
        turns = of(play(world(MANY[:300], faults=faults), to_ai), Turn)
        return sum(turn.latency_ms for turn in turns) / len(turns)

    assert 3.5 < mean_ms([fault(FaultKind.LATENCY, 4.0)]) / mean_ms([]) < 4.5


def test_a_healed_endpoint_answers_again_and_a_fault_at_another_does_not_matter() -> None:
    heal = (START + 100 * SECOND, Fault(endpoint="support-bot", kind=FaultKind.NONE, occurred_at=START))
    simulated = world(MANY[:200], faults=[fault(FaultKind.OUTAGE, 1.0), heal, fault(FaultKind.OUTAGE, 1, "care-bot")])
    turns = of(play(simulated, to_ai), Turn)
    refused = [turn for turn in turns if turn.occurred_at < START + 100 * SECOND]
    assert all(turn.result is TurnResult.SERVER_ERROR for turn in refused)
    assert any(turn.result is TurnResult.OK for turn in turns)
    assert [item.kind for _, item in simulated.applied_faults] == [FaultKind.OUTAGE, FaultKind.OUTAGE, FaultKind.NONE]


def test_people_take_contacts_first_come_first_served_and_the_rest_wait() -> None:
    arrivals = [START, START + 1, START + 2]
    effects = play(world(arrivals, people={"technical": 1}, pace=1e-4, seed=3), to_people)
    ends = {end.interaction_id: end for end in of(effects, Completed) if end.finished_by is FinishedBy.HUMAN}
    assert ends["run-000001"].wait_seconds == 0
    served = [end for end in ends.values() if end.wait_seconds > 0]
    assert all(end.talk_seconds > 0 and end.wrap_seconds > 0 and end.ai_turns == 0 for end in ends.values())
    assert served == sorted(served, key=lambda end: end.interaction_id)


def test_without_people_every_customer_leaves_when_patience_ends() -> None:
    effects = play(world(MANY, people_per_queue=0), to_people)
    ends = of(effects, Completed)
    assert all(end.finished_by is FinishedBy.CUSTOMER and end.resolved is False for end in ends)
    assert 270 < sum(end.wait_seconds for end in ends) / len(ends) < 330


def test_a_desk_frees_its_person_only_when_nobody_waits() -> None:
    desk: Desk[str] = Desk(1)
    assert desk.arrive("a", "a")
    assert not desk.arrive("b", "b")
    assert not desk.arrive("c", "c")
    assert desk.leave("b")
    assert not desk.leave("b")
    assert desk.release() == "c"
    assert desk.release() is None
    assert desk.arrive("d", "d")


def test_the_mean_handle_time_of_people_is_the_one_that_the_policy_states() -> None:
    rng, durations = random.Random(5), Durations(0.1)
    mean = sum(durations.talk_seconds(rng) + durations.wrap_seconds(rng) for _ in range(20_000)) / 20_000
    assert mean == pytest.approx(HANDLE_SECONDS * 0.1, rel=0.03)


def test_an_endpoint_that_the_policy_does_not_name_leaves_the_contact_to_people() -> None:
    effects = play(world([START]), lambda o: [(0, decision(o.interaction_id, endpoint="stranger"))])
    assert of(effects, Turn) == []
    assert of(effects, Completed)[0].finished_by is FinishedBy.HUMAN


def test_a_deflected_contact_ends_in_self_service() -> None:
    answer = {"disposition": Disposition.DEFLECT, "pool": None}
    effects = play(world([START]), lambda o: [(0, decision(o.interaction_id, **answer))])
    assert of(effects, Completed)[0].finished_by is FinishedBy.SELF_SERVICE


def test_a_repeat_is_the_same_offer_shortly_after_and_its_decision_is_ignored() -> None:
    simulated = world(MANY[:20], offer_twice=1.0)
    seen: dict[str, Offered] = {}

    def router(offered: Offered) -> list[Any]:
        if offered.interaction_id in seen:
            assert offered == seen[offered.interaction_id]
            return [(0, decision(offered.interaction_id, disposition=Disposition.REPEAT, pool=None))]
        seen[offered.interaction_id] = offered
        return to_ai(offered)

    effects = play(simulated, router)
    assert len(of(effects, Offered)) == 40
    assert (simulated.tally.offered, simulated.tally.repeats, simulated.tally.decided) == (20, 20, 20)
    assert len(of(effects, Completed)) == 20


def test_a_run_is_not_over_while_a_repeat_is_due() -> None:
    simulated = world([START], offer_twice=1.0)
    simulated.step(START)
    simulated.step(START, [decision("run-000001", disposition=Disposition.DEFLECT, pool=None)])
    assert simulated.progress().completed == 1
    assert simulated.offering
    assert not simulated.finished
    assert len(of(simulated.step(START + 3 * SECOND), Offered)) == 1
    assert simulated.finished


def test_a_contact_without_a_decision_stays_open_and_is_named() -> None:
    simulated = world(MANY[:3])
    simulated.step(START + 10 * SECOND)
    assert not simulated.finished
    assert simulated.progress().undecided == 3
    assert simulated.undecided(2) == ["run-000001", "run-000002"]


def test_progress_adds_up_to_the_contacts_offered() -> None:
    simulated = world(MANY[:60], people_per_queue=2)
    answers = iter([to_ai, to_people, lambda _: []] * 20)
    pending: list[Any] = []
    for second in range(60):
        effects = simulated.step(START + second * SECOND, pending)
        pending = [d for o in of(effects, Offered) for _, d in next(answers)(o)]
        now = simulated.progress()
        assert now.offered == now.completed + now.undecided + now.with_ai + now.with_people + sum(now.waiting.values())
    assert sum(now.waiting.values()) > 0
    assert now.undecided >= 19


def test_time_that_runs_backwards_is_held() -> None:
    simulated = world([START])
    simulated.step(START + SECOND)
    simulated.step(START, [decision("run-000001")])
    assert simulated.progress().now == START + SECOND
    assert simulated.wakes_at() is not None
    assert simulated.wakes_at() > START + SECOND
