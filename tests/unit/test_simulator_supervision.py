"""What simulated supervisors do, and what an agent says, or keeps to itself, while an answer waits for one of them."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest

from schemas.fields import FinishedBy, Pool, Supervision, TurnResult
from schemas.interactions import Completed, Decision, Instructions, Offered, Turn
from schemas.rules import SupervisionPolicy, Triggers
from schemas.supervision import SupervisionResult, SupervisorPresence, Verdict, VerdictKind
from schemas.topics import OFFERED, SUPERVISION_EVENTS
from simulator.floor import WORD_SECONDS
from simulator.world import World
from tests.centre import SECOND, START, by_contact, decision, of, play, to_ai, world
from tests.said import moved, request, result

MANY = [START + i * SECOND for i in range(300)]
NAME = "run-000001"
ASSIGNED = {"supervision": SupervisionPolicy(sessions_per_supervisor=3)}


def watched(supervision: Supervision = Supervision.FULL, name: str = NAME, **approve: Any) -> Decision:
    said = Instructions(approve=Triggers(**approve)) if approve else None
    return decision(name, pool=Pool.AI_ASSISTED, supervision=supervision, instructions=said, decided_at=START)


def to_watched(offered: Offered) -> list[tuple[int, Decision]]:
    return [(0, watched(name=offered.interaction_id))]


class Sessions:
    """Sessions which ask for a verdict on each answer, and pass on what they are told, or `kind` instead."""

    def __init__(self, kind: VerdictKind | None = None) -> None:
        self.kind = kind
        self.passed: dict[tuple[str, int], int] = {}

    def __call__(self, told: Any) -> list[tuple[int, Any]]:
        if isinstance(told, Turn) and told.result is TurnResult.OK:
            return [(SECOND // 10, request(told.interaction_id, told.epoch, told.number))]
        if isinstance(told, Verdict):
            self.passed[told.interaction_id, told.turn] = told.occurred_at + SECOND // 10
            return [(SECOND // 10, result(told.interaction_id, told.epoch, told.turn, self.kind or told.verdict))]
        return []


def one_answer(**changes: Any) -> tuple[World, Turn]:
    """A world with one contact, watched closely, and the answer that waits in it."""
    simulated = world([START], **changes)
    simulated.step(START)
    simulated.step(START, [watched()])
    (turn,) = of(simulated.step(START + 9 * SECOND), Turn)
    assert turn.result is TurnResult.OK
    return simulated, turn


def test_supervisors_come_before_the_first_contact_and_go_when_the_run_is_over() -> None:
    simulated = world(MANY[:20], supervisors=4, policy=ASSIGNED)
    effects = play(simulated, to_ai)
    assert [effect.topic for effect in effects[:5]] == [*[SUPERVISION_EVENTS] * 4, OFFERED]
    came, gone = of(effects, SupervisorPresence), of(simulated.ended(START), SupervisorPresence)
    assert [each.available for each in came] == [True] * 4
    assert [each.available for each in gone] == [False] * 4
    assert {each.supervisor for each in came} == {each.supervisor for each in gone}
    assert len({each.supervisor for each in came}) == 4
    assert all(each.occurred_at == START for each in came)
    assert all(each.occurred_at >= came[-1].occurred_at for each in gone)
    assert simulated.ended(START) == []


def test_nobody_comes_where_the_policy_does_not_have_supervisors_assigned() -> None:
    simulated = world(MANY[:20])
    assert of([*play(simulated, to_ai), *simulated.ended(START)], SupervisorPresence) == []


def test_an_answer_that_waits_is_followed_by_nothing_until_its_result() -> None:
    simulated, sessions = world(MANY, people_per_queue=500), Sessions()
    effects = play(simulated, to_watched, sessions=sessions)
    for each in by_contact(effects).values():
        for before, after in itertools.pairwise(each):
            if before.result is TurnResult.OK:
                assert after.occurred_at > sessions.passed[before.interaction_id, before.number]
    by_ai = [end for end in of(effects, Completed) if end.finished_by is FinishedBy.AI]
    assert len(by_ai) > 200
    assert all(end.occurred_at >= sessions.passed[end.interaction_id, end.ai_turns] for end in by_ai)


def test_most_answers_are_approved_and_the_rest_are_overridden_with_a_reason() -> None:
    simulated = world(MANY, people_per_queue=500)
    verdicts = of(play(simulated, to_watched, sessions=Sessions()), Verdict)
    kinds = Counter(verdict.verdict for verdict in verdicts)
    assert kinds.keys() == {VerdictKind.APPROVE, VerdictKind.EDIT, VerdictKind.REJECT}
    assert 0.9 < kinds[VerdictKind.APPROVE] / len(verdicts) < 0.99
    assert all(bool(each.why) is (each.verdict is not VerdictKind.APPROVE) for each in verdicts)
    assert all((each.text is not None) is (each.verdict is VerdictKind.EDIT) for each in verdicts)
    assert {each.by for each in verdicts} == {"ann"}
    assert simulated.tally.verdicts == len(verdicts)


def test_where_the_acd_is_to_choose_a_supervisor_of_the_queue_judges() -> None:
    simulated, _ = one_answer()
    simulated.step(START + 10 * SECOND, [request(NAME, supervisor=None)])
    (verdict,) = of(simulated.step(START + 20 * SECOND), Verdict)
    assert verdict.by == "technical-supervisor"


def test_a_rejected_answer_is_given_again_to_the_same_words_and_counts_for_nothing() -> None:
    simulated, turn = one_answer(seed=3)
    at = START + 10 * SECOND
    simulated.step(at, [result(NAME, kind=VerdictKind.REJECT)])
    (again,) = of(simulated.step(at + 4 * SECOND), Turn)  # a customer would take five seconds to reply
    assert (again.number, again.customer_text) == (2, turn.customer_text)


@pytest.mark.parametrize("of_another", [result(NAME, turn=2), result(NAME, epoch=1), result("run-000009")])
def test_a_result_on_another_answer_lets_the_agent_wait_on(of_another: SupervisionResult) -> None:
    simulated, turn = one_answer()
    simulated.step(START + 10 * SECOND, [of_another])
    assert simulated.step(turn.occurred_at + 60 * SECOND) == []


def test_an_answer_that_nobody_judges_goes_to_people_after_the_policys_seconds_and_those_of_a_transfer() -> None:
    simulated, turn = one_answer(policy={"supervision": SupervisionPolicy(verdict_seconds=5.0)})
    seconds = round((5 + WORD_SECONDS) * SECOND)
    simulated.step(turn.occurred_at + seconds - 1)
    assert simulated.progress().with_ai == 1
    simulated.step(turn.occurred_at + seconds)
    assert simulated.progress().with_people == 1


def test_who_takes_over_leaves_the_agent_waiting_for_the_packet() -> None:
    effects = play(world(MANY[:20], people_per_queue=50), to_watched, sessions=Sessions(VerdictKind.TAKE_OVER))
    ends = of(effects, Completed)
    assert all(end.finished_by is FinishedBy.HUMAN for end in ends)
    assert all(end.ai_seconds > WORD_SECONDS for end in ends)


WAITS = {
    "many turns": ({"turns_over": 1}, 2),
    "a customer who is not happy": ({"sentiment_below": 1.0}, 1),
    "a long conversation": ({"seconds_over": 0.0}, 1),
    "a topic that nobody brings up": ({"topics": ("fees",)}, None),
}


@pytest.mark.parametrize(("approve", "waits_at"), WAITS.values(), ids=WAITS)
def test_an_agent_that_is_watched_now_and_then_waits_with_what_its_decision_names(
    approve: dict[str, Any], waits_at: int | None
) -> None:
    def some(offered: Offered) -> list[tuple[int, Decision]]:
        return [(0, watched(Supervision.SEMI, offered.interaction_id, **approve))]

    effects = play(world(MANY[:50], people_per_queue=50), some)
    failed = {turn.interaction_id for turn in of(effects, Turn) if turn.result is not TurnResult.OK}
    longest = max(turn.number for turn in of(effects, Turn) if turn.interaction_id not in failed)
    assert longest == waits_at or (waits_at is None and longest > 4)
    ends = Counter(end.finished_by for end in of(effects, Completed))
    assert (ends[FinishedBy.AI] > 0) is (waits_at is None)


def test_an_agent_waits_from_when_it_is_watched_and_no_more_when_it_is_not() -> None:
    policy = {"supervision": SupervisionPolicy(approve=Triggers(turns_over=0))}
    for to, turns in ((Pool.AI_ASSISTED, 1), (Pool.AI_CONTAINED, 2)):
        simulated = world([START], policy=policy)
        simulated.step(START)
        simulated.step(START, [decision(NAME), moved(NAME, 0, Pool.AI_ASSISTED), moved(NAME, 0, to)])
        told = of(simulated.step(START + 24 * SECOND), Turn)
        assert len(told) >= turns
        assert (len(told) == 1) is (turns == 1)
