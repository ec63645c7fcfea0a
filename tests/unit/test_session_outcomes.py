"""What the health monitor is told of AI turns and of contacts that AI had. D decided, 1..n turns, C ended, * timer."""

from __future__ import annotations

import json

import pytest

from processors.sessions.logic.book import SESSION, TEXT_KEPT, UNTOLD
from processors.sessions.logic.outcomes import UNTOLD_LIMIT
from schemas.agents import ContactOutcome, Outcome
from schemas.conversations import AnswerRefused, Side
from schemas.fields import Channel, FinishedBy, Handling, Pool, TurnResult
from schemas.topics import AGENT_EVENTS, CLOSED
from schemas.triggers import Trigger
from tests.contacts import (
    DECIDED_AT,
    HOUR,
    SECOND,
    Bench,
    after,
    claim,
    completed,
    decision,
    escalating,
    eve,
    for_people,
    request,
    turn,
    word,
)  # fmt: skip

YES = {"agent_text": "Yes."}


def loops(bench: Bench) -> list[tuple[int, bool]]:
    """Of each outcome in its order its turn, and whether it is looping."""
    return [(each.turn, each.looping) for each in bench.all(Outcome)]


def test_an_outcome_says_what_the_turn_cost_and_how_long_the_agent_wants_to_be_left_alone():
    limited = turn(1, result=TurnResult.RATE_LIMITED, tokens=812, cost=0.03, retry_after_seconds=20.0)
    (outcome,) = after(decision(), limited).all(Outcome)
    assert (outcome.tokens, outcome.cost, outcome.retry_after_seconds) == (812, 0.03, 20.0)
    assert (outcome.looping, outcome.synthetic) == (False, False)


@pytest.mark.parametrize(
    ("first", "second", "looping"),
    [
        ("I can help.", "I can help.", True),
        ("I can help.", "  i CAN\n\thelp. ", True),
        ("Straße 1", "STRASSE\u00a01", True),
        ("I can help.", "I cannot help.", False),
        (None, None, False),
        ("", "", False),
        ("  ", "\n", False),
        ("a" * TEXT_KEPT + "b", "a" * TEXT_KEPT + "c", True),
    ],
)
def test_an_answer_that_is_given_again_is_looping(first: str | None, second: str | None, looping: bool):
    bench = after(decision(), turn(1, agent_text=first), turn(2, agent_text=second))
    assert loops(bench) == [(1, False), (2, looping)]


def test_a_turn_of_which_the_platform_says_that_it_brought_nothing_is_looping():
    bench = after(decision(), turn(1, no_progress=True), turn(2, no_progress=True, result=TurnResult.TIMEOUT), turn(3))
    assert loops(bench) == [(1, True), (2, True), (3, False)]


def test_a_failure_between_two_answers_does_not_hide_that_they_are_the_same_and_another_answer_does():
    failed = turn(2, result=TurnResult.SERVER_ERROR)
    assert loops(after(decision(), turn(1, **YES), failed, turn(3, **YES)))[-1] == (3, True)
    assert loops(after(decision(), turn(1, **YES), turn(2), turn(3, **YES)))[-1] == (3, False)


def test_an_answer_is_compared_with_one_without_progress_and_not_with_one_of_another_agent():
    assert loops(after(decision(), turn(1, no_progress=True, **YES), turn(2, **YES))) == [(1, True), (2, True)]
    bench = after(decision(), turn(1, intent="fraud", **YES), word(1), eve(1, **YES))
    assert loops(bench) == [(1, False), (1, False)]


def test_an_answer_waits_for_the_turns_before_it_and_what_needs_none_is_told_at_once():
    # D 3 4 2 1
    bench = after(decision(), turn(3, **YES), turn(4, result=TurnResult.TIMEOUT, **YES), turn(2))
    assert loops(bench) == [(4, False), (2, False)]
    bench.run(turn(1, **YES))
    assert loops(bench) == [(4, False), (2, False), (1, False), (3, False)]
    bench = after(decision(), turn(2, **YES), turn(1, **YES))
    assert loops(bench) == [(1, False), (2, True)]


def test_an_answer_waits_no_longer_than_for_its_place_in_the_conversation():
    # D 1 3 4 * 2: 2 comes when nobody waits for it any more.
    bench = after(decision(), turn(1, **YES), turn(3, **YES), turn(4, **YES))
    assert loops(bench) == [(1, False)]
    assert bench.ring() == DECIDED_AT + 30 * SECOND
    bench.run(turn(2, **YES))
    assert loops(bench) == [(1, False), (3, True), (4, True), (2, False)]


@pytest.mark.parametrize("late", [(2, 3, 4), (4, 3, 2), (3, 2, 4)])
def test_an_answer_that_is_refused_is_compared_with_nothing(late: tuple[int, ...]):
    # D 2 | person asked, ... : whatever lies behind the packet, and in whatever order
    bench = after(escalating(person_asked=True), turn(1, person_asked=True, **YES), *(turn(n, **YES) for n in late))
    assert sorted(loops(bench)) == [(1, False), (2, False), (3, False), (4, False)]
    assert len(bench.all(AnswerRefused)) == 3


def test_an_answer_that_waited_when_the_agent_lost_the_contact_is_compared_with_nothing():
    # D 3 1 2!: 3 is ahead, 2 asks for a person
    bench = after(escalating(person_asked=True), turn(3, **YES), turn(1, **YES), turn(2, person_asked=True, **YES))
    assert sorted(loops(bench)) == [(1, False), (2, True), (3, False)]


@pytest.mark.parametrize("log", [(1, 2, 3, "C"), (1, 2, "C", 3), (1, 3, "C", 2), (3, "C", 2, 1), ("C", 3, 1, 2)])
def test_a_platform_that_counts_too_few_turns_changes_nothing_about_which_are_looping(log: tuple[int | str, ...]):
    count = min(2, len(log[: log.index("C")])) or 1
    events = [completed(count) if each == "C" else turn(each, **YES) for each in log]
    bench = after(decision(), *events)
    assert len(bench.of(CLOSED)) == 1
    assert sorted(loops(bench)) == [(1, False), (2, True), (3, True)]
    assert (bench.timer, UNTOLD in bench.state.entries) == (DECIDED_AT + 24 * HOUR, False)


def test_after_the_end_an_answer_waits_no_longer_than_before_it():
    # D 1 C 4 3(fails) *
    bench = after(decision(), turn(1, **YES), completed(1), turn(4, **YES), turn(3, result=TurnResult.TIMEOUT))
    assert loops(bench) == [(1, False), (3, False)]
    assert bench.ring() == DECIDED_AT + 30 * SECOND
    assert loops(bench) == [(1, False), (3, False), (4, True)]
    assert bench.timer == DECIDED_AT + 24 * HOUR
    bench.run(turn(2, **YES))
    assert loops(bench)[-1] == (2, False)
    bench.ring()
    assert (bench.state.entries, bench.timer) == ({}, None)


def test_a_contact_is_not_forgotten_before_all_is_told_of_it():
    bench = after(decision(), turn(1), completed(1))
    bench.run(turn(3, **YES), now=DECIDED_AT + 24 * HOUR - SECOND)
    bench.ring()
    assert loops(bench) == [(1, False), (3, False)]
    assert (bench.state.entries, bench.timer) == ({}, None)


def test_outcomes_that_wait_after_the_end_are_bounded_and_none_is_lost():
    bench = after(decision(), completed(0), *(turn(n, **YES) for n in range(2, UNTOLD_LIMIT + 4)))
    assert loops(bench) == [(UNTOLD_LIMIT + 2, False), (UNTOLD_LIMIT + 3, False)]
    bench.run(turn(1, **YES))
    assert sorted(each for each, _ in loops(bench)) == list(range(1, UNTOLD_LIMIT + 4))


def test_an_outcome_is_booked_to_what_its_agent_was_chosen_for():
    bench = after(decision(), turn(1, intent="fraud"), word(1), eve(1))
    assert [(each.endpoint, each.intent, each.queue, each.breaker_epoch) for each in bench.all(Outcome)] == [
        ("ada", "card_lost", "cards", 3),
        ("eve", "fraud", "fraud_desk", 5),
    ]


def test_an_agent_that_was_stored_before_intents_were_kept_has_those_of_the_contact():
    bench = after(decision())
    session = json.loads(bench.state.entries[SESSION])
    (agents,) = [field for field in session if isinstance(field, list) and field and isinstance(field[0], list)]
    del agents[0][4:]
    bench.state.entries[SESSION] = json.dumps(session)
    bench.run(turn(1), completed(1))
    assert [(each.intent, each.queue) for each in bench.of(AGENT_EVENTS)] == [("card_lost", "cards")] * 2


# -- contacts


def test_the_end_of_a_contact_that_ai_had_is_told_once():
    done = completed(2, resolved=True)
    bench = after(decision(), turn(1), turn(2), done, done, turn(2), completed(2, occurred_at=DECIDED_AT))
    told = bench.one(ContactOutcome)
    assert (told.provider, told.endpoint, told.version, told.breaker_epoch) == ("north", "ada", "7", 3)
    assert (told.tenant, told.channel, told.intent, told.queue) == ("acme", Channel.CHAT, "card_lost", "cards")
    assert (told.handling, told.trigger, told.ai_turns, told.resolved) == (Handling.AI_CONTAINED, None, 2, True)
    assert told.occurred_at == done.occurred_at


def test_of_a_contact_that_went_to_people_it_says_why():
    asked = turn(2, person_asked=True, topics=("legal",))
    bench = after(escalating(person_asked=True, topics=("legal",)), turn(1), asked)
    bench.run(completed(2, finished_by=FinishedBy.HUMAN))
    told = bench.one(ContactOutcome)
    assert (told.handling, told.trigger, told.endpoint) == (Handling.AI_ESCALATED, Trigger.PERSON_ASKED, "ada")


def test_a_customer_who_leaves_the_queue_to_which_ai_sent_them_was_escalated_before():
    bench = after(escalating(person_asked=True), turn(1, person_asked=True))
    bench.run(completed(1, finished_by=FinishedBy.CUSTOMER))
    told = bench.one(ContactOutcome)
    assert (told.handling, told.trigger) == (Handling.ABANDONED, Trigger.PERSON_ASKED)


def test_a_contact_that_people_gave_back_to_ai_and_ai_ended_was_not_escalated():
    bench = after(escalating(person_asked=True), turn(1, person_asked=True), request(Pool.AI_CONTAINED, epoch=1))
    bench.run(word(2), eve(1, epoch=2), completed(2))
    told = bench.one(ContactOutcome)
    assert (told.endpoint, told.handling, told.trigger) == ("eve", bench.of(CLOSED)[0].handling, None)


@pytest.mark.parametrize(
    "events",
    [
        (decision(), completed(0, finished_by=FinishedBy.CUSTOMER)),
        (for_people(), completed(0, finished_by=FinishedBy.HUMAN)),
        (decision(parallel=True), claim(Side.PEOPLE, "pat"), completed(0, finished_by=FinishedBy.HUMAN)),
        (decision(parallel=True), claim(Side.PEOPLE, "pat"), turn(1), completed(1, finished_by=FinishedBy.HUMAN)),
        (decision(), completed(0), turn(1)),
        (decision(), turn(1), completed(0)),
    ],
    ids=["left before", "people", "race lost", "race lost, spoke", "none counted", "none counted, late"],
)
def test_of_a_contact_in_which_no_agent_took_a_turn_nothing_is_told(events):
    bench = after(*events)
    assert len(bench.of(CLOSED)) == 1
    assert bench.all(ContactOutcome) == []


def test_of_several_agents_the_last_one_that_spoke_is_told_of():
    handed = (decision(), turn(1, intent="fraud"), word(1))
    told = after(*handed, eve(1), completed(2)).one(ContactOutcome)
    assert (told.endpoint, told.intent, told.queue, told.breaker_epoch, told.ai_turns) == (
        "eve", "fraud", "fraud_desk", 5, 2,
    )  # fmt: skip
    told = after(*handed, completed(1, finished_by=FinishedBy.CUSTOMER)).one(ContactOutcome)
    assert (told.endpoint, told.intent, told.breaker_epoch) == ("ada", "card_lost", 3)


def test_a_contact_that_nobody_completes_is_told_of_when_it_expires():
    bench = after(decision(), turn(1))
    bench.ring()
    told = bench.one(ContactOutcome)
    assert (told.handling, told.ai_turns, told.occurred_at) == (Handling.ABANDONED, 1, DECIDED_AT + 24 * HOUR)


def test_a_turn_that_fails_is_a_turn():
    bench = after(decision(), turn(1, result=TurnResult.TIMEOUT), completed(1, finished_by=FinishedBy.CUSTOMER))
    assert bench.one(ContactOutcome).handling is Handling.ABANDONED
