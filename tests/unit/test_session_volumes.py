"""What the moves of a contact between handling states say of its end. D decided, 1..n turns, C ended, * timer."""

from __future__ import annotations

import itertools

import pytest

from schemas.conversations import Side
from schemas.fields import FinishedBy, Handling, Pool
from schemas.interactions import Completed
from schemas.triggers import Trigger
from schemas.wfm import VolumeDelta
from tests.contacts import (
    Bench,
    after,
    claim,
    completed,
    decision,
    escalating,
    eve,
    for_people,
    held,
    released,
    request,
    turn,
    word,
)  # fmt: skip


def by_people(ai_turns: int, **changes: bool) -> Completed:
    return completed(ai_turns, finished_by=FinishedBy.HUMAN, **changes)


def last(bench: Bench) -> VolumeDelta:
    opened, closed = bench.all(VolumeDelta)
    assert (opened.trigger, opened.ai_cost, opened.resolved) == (None, 0.0, None)
    return closed


@pytest.mark.parametrize("log", list(itertools.permutations(range(4))))
def test_the_cost_of_all_turns_is_the_same_in_whatever_order_they_come(log: tuple[int, ...]):
    # 0.1 + 0.2 + 0.7 is not 0.7 + 0.2 + 0.1
    events = [turn(1, cost=0.1), turn(2, cost=0.2), turn(3, cost=0.7), completed(3)]
    bench = after(decision(), *(events[at] for at in log), *events)
    assert last(bench).ai_cost == 1.0


def test_a_turn_that_is_refused_costs_too():
    bench = after(escalating(person_asked=True), turn(1, person_asked=True, cost=0.25), turn(2, cost=0.5), by_people(2))
    assert last(bench).ai_cost == 0.75


def test_turns_of_all_agents_cost():
    bench = after(decision(), turn(1, intent="fraud", cost=0.25), word(1), eve(1, cost=0.5), completed(2))
    assert last(bench).ai_cost == 0.75


def test_a_turn_that_comes_after_the_end_is_in_no_cost():
    # D C * 1: the completion has waited 30 s for the turn that it counts
    bench = after(decision(), completed(1))
    bench.ring()
    bench.run(turn(1, cost=0.5))
    assert last(bench).ai_cost == 0.0


@pytest.mark.parametrize("resolved", [None, True, False])
def test_it_says_whether_the_contact_was_resolved_as_the_completion_does(resolved: bool | None):
    assert last(after(decision(), completed(0, resolved=resolved))).resolved is resolved


@pytest.mark.parametrize(
    ("events", "trigger"),
    [
        ((escalating(turns_over=1), turn(1), turn(2), by_people(2)), Trigger.TURNS),
        ((decision(), turn(1), request(Pool.HUMAN_EXCLUSIVE), by_people(1)), Trigger.REQUESTED),
        ((decision(parallel=True), claim(Side.PEOPLE, "pat"), by_people(0)), Trigger.PERSON_CLAIMED),
        ((decision(), turn(1), completed(1)), None),
        ((for_people(), by_people(0)), None),
        ((held(), released(), by_people(0)), None),
        ((decision(), turn(1), request(Pool.HUMAN_EXCLUSIVE), request(Pool.AI_CONTAINED, 1), word(2), completed(1)),
         None),
    ],
    ids=["turns", "asked for", "race", "ai kept it", "people's", "held", "back with ai"],
)  # fmt: skip
def test_it_says_why_people_have_a_contact_from_ai(events: tuple, trigger: Trigger | None):
    assert last(after(*events)).trigger == trigger


def test_that_a_customer_left_after_people_took_over_is_said_with_the_reason():
    bench = after(escalating(person_asked=True), turn(1, person_asked=True))
    bench.run(completed(1, finished_by=FinishedBy.CUSTOMER))
    assert (last(bench).to_handling, last(bench).trigger) == (Handling.ABANDONED, Trigger.PERSON_ASKED)
