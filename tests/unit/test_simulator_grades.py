"""What QA and customers say of simulated contacts after their end."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.control import Fault, FaultKind
from schemas.fields import Disposition, FinishedBy, GradedBy, Pool, Supervision, TurnResult
from schemas.interactions import Completed, Feedback, Turn
from schemas.supervision import VerdictKind
from simulator.grades import SATISFIED, SATISFIED_AFTER_TROUBLE, UNRESOLVED_SHARE
from simulator.world import World
from tests.centre import SECOND, START, by_contact, decision, of, play, to_ai, to_people, world
from tests.said import request, result

MANY = [START + i * SECOND for i in range(4000)]
ALL = {"qa_share": 1.0, "rated_share": 1.0, "qa_after_seconds": 0.0, "people_per_queue": 2000}


def fault(kind: FaultKind, severity: float = 1.0) -> tuple[int, Fault]:
    return START, Fault(endpoint="support-bot", kind=kind, severity=severity, occurred_at=START)


def labels(effects: list[Any]) -> list[Feedback]:
    return [word for word in of(effects, Feedback) if word.by is GradedBy.QA]


def ratings(effects: list[Any]) -> list[Feedback]:
    return [word for word in of(effects, Feedback) if word.by is GradedBy.CUSTOMER]


def to_the_end(simulated: World, effects: list[Any]) -> list[Any]:
    """Add the labels that a run would not wait for."""
    return [*effects, *simulated.step(START + 100_000 * SECOND)]


def test_qa_labels_one_in_twenty_of_the_contacts_that_ai_finished_ten_minutes_after_their_end() -> None:
    simulated = world(MANY, people_per_queue=2000)
    effects = to_the_end(simulated, play(simulated, to_ai))
    ends = {end.interaction_id: end for end in of(effects, Completed) if end.finished_by is FinishedBy.AI}
    given = labels(effects)
    assert len(given) / len(ends) == pytest.approx(0.05, abs=0.012)
    assert len({label.interaction_id for label in given}) == len(given)
    for label in given:
        assert label.occurred_at == ends[label.interaction_id].occurred_at + 600 * SECOND
        assert (label.tenant, label.csat, label.repeat_contact) == ("demo", None, None)
    counted = simulated.tally.grading
    assert (counted.labels, counted.labels_due) == (len(given), 0)
    assert counted.unresolved == sum(not label.resolved for label in given)


def test_labels_come_in_simulated_seconds_whatever_the_pace_and_those_that_are_due_later_stay_due() -> None:
    simulated = world(MANY[:200], qa_share=1.0, qa_after_seconds=60.0, pace=0.01, people_per_queue=2000)
    effects = play(simulated, to_ai)
    ends = {end.interaction_id: end.occurred_at for end in of(effects, Completed)}
    assert {label.occurred_at - ends[label.interaction_id] for label in labels(effects)} == {60 * SECOND}
    counted = simulated.tally.grading
    assert simulated.finished
    assert counted.labels_due > 30
    assert counted.labels + counted.labels_due == simulated.tally.completed[FinishedBy.AI]


def test_customers_of_one_in_ten_contacts_with_ai_rate_them_right_after_the_end() -> None:
    simulated = world(MANY, people_per_queue=2000)
    effects = play(simulated, to_ai)
    ends = {end.interaction_id: end.occurred_at for end in of(effects, Completed)}
    given = ratings(effects)
    assert len(given) / len(MANY) == pytest.approx(0.10, abs=0.015)
    assert all(rating.occurred_at == ends[rating.interaction_id] for rating in given)
    assert all((rating.resolved, rating.hallucination) == (None, None) for rating in given)
    assert {rating.csat for rating in given} == {1, 2, 3, 4, 5}
    counted = simulated.tally.grading
    assert (counted.ratings, counted.satisfied) == (len(given), sum(rating.csat >= 4 for rating in given))


def test_nobody_grades_a_contact_that_no_agent_answered() -> None:
    deflected = {"disposition": Disposition.DEFLECT, "pool": Pool.HUMAN_EXCLUSIVE}
    for router in (to_people, lambda offered: [(0, decision(offered.interaction_id, **deflected))]):
        simulated = world(MANY[:50], **ALL)
        assert of(to_the_end(simulated, play(simulated, router)), Feedback) == []


def test_a_customer_who_leaves_rates_nothing_and_qa_labels_what_ai_finished_alone() -> None:
    outage = [fault(FaultKind.OUTAGE)]
    left = play(world(MANY[:50], faults=outage, **{**ALL, "people_per_queue": 0}), to_ai)
    assert of(left, Feedback) == []
    escalated = play(world(MANY[:50], faults=outage, **ALL), to_ai)
    assert labels(escalated) == []
    assert len(ratings(escalated)) == 50


@pytest.mark.parametrize(("kind", "satisfied"), [(FaultKind.NONE, SATISFIED), (FaultKind.OUTAGE, None)])
def test_customers_are_satisfied_unless_something_annoyed_them(kind: FaultKind, satisfied: float | None) -> None:
    given = ratings(play(world(MANY[:2000], faults=[fault(kind)], **ALL), to_ai))
    share = sum(rating.csat >= 4 for rating in given) / len(given)
    if satisfied is not None:
        assert share == pytest.approx(satisfied, abs=0.03)
    else:  # some were so content that one failure leaves them at ease
        assert SATISFIED_AFTER_TROUBLE < share < SATISFIED - 0.1


def test_of_a_fleet_that_is_well_qa_finds_few_contacts_unresolved_and_no_hallucination() -> None:
    given = labels(play(world(MANY, **ALL), to_ai))
    assert sum(not label.resolved for label in given) / len(given) == pytest.approx(UNRESOLVED_SHARE, abs=0.01)
    assert not any(label.hallucination for label in given)


def test_a_contact_with_a_wrong_answer_is_unresolved_and_one_without_mostly_is_not() -> None:
    effects = play(world(MANY[:2000], faults=[fault(FaultKind.WRONG_ANSWERS, 0.1)], **ALL), to_ai)
    turns = by_contact(effects)
    wrong = {name for name, each in turns.items() if any((turn.quality or 1.0) <= 0.5 for turn in each)}
    given = {label.interaction_id: label for label in labels(effects)}
    assert len(wrong & given.keys()) > 100
    assert not any(given[name].resolved for name in wrong & given.keys())
    assert sum(not given[name].resolved for name in given.keys() - wrong) < 0.05 * len(given)
    assert 0.3 < sum(given[name].hallucination for name in wrong & given.keys()) / len(wrong & given.keys()) < 0.7


def test_a_wrong_answer_that_a_supervisor_put_in_other_words_misled_nobody() -> None:
    def editing(told: Any) -> list[tuple[int, Any]]:
        if not isinstance(told, Turn) or told.result is not TurnResult.OK or told.person_asked:
            return []
        place = (told.interaction_id, told.epoch, told.number)
        return [(1, request(*place)), (2, result(*place, kind=VerdictKind.EDIT))]

    simulated = world(MANY[:1000], faults=[fault(FaultKind.WRONG_ANSWERS, 0.3)], **ALL)
    watched = {"pool": Pool.AI_ASSISTED, "supervision": Supervision.FULL}
    effects = play(simulated, lambda o: [(0, decision(o.interaction_id, **watched))], sessions=editing)
    given = labels(effects)
    assert len(given) > 300
    assert sum(not label.resolved for label in given) / len(given) < 0.05
    assert all(-1 <= turn.sentiment <= 1 for turn in of(effects, Turn))


def test_who_is_graded_changes_nothing_of_what_happens_and_one_seed_grades_alike() -> None:
    def told(**changes: Any) -> list[Any]:
        simulated = world(MANY[:300], people_per_queue=3, **changes)
        return [effect.event for effect in to_the_end(simulated, play(simulated, to_ai))]

    graded, again, alone = told(**_shares(0.5)), told(**_shares(0.5)), told(**_shares(0.0))
    assert graded == again
    assert [event for event in graded if not isinstance(event, Feedback)] == alone
    assert len(graded) > len(alone) + 100


def _shares(share: float) -> dict[str, float]:
    return {"qa_share": share, "rated_share": share}
