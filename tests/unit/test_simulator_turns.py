"""What the turns of simulated agents tell: what was said, how the customer feels, who asks for a person."""

from __future__ import annotations

import itertools

import pytest

from schemas.control import Fault, FaultKind
from schemas.fields import TurnResult
from schemas.interactions import Offered, Turn
from tests.centre import SECOND, START, by_contact, of, play, to_ai, world

MANY = [START + i * SECOND for i in range(400)]


def fault(kind: FaultKind, severity: float = 1.0) -> tuple[int, Fault]:
    return START, Fault(endpoint="support-bot", kind=kind, severity=severity, occurred_at=START)


def test_turns_tell_what_was_said_from_the_first_words_of_the_contact_on() -> None:
    effects = play(world(MANY, people_per_queue=500), to_ai)
    opened = {offered.interaction_id: offered.text for offered in of(effects, Offered)}
    for name, turns in by_contact(effects).items():
        assert turns[0].customer_text == opened[name]
        assert all(
            turn.customer_text and turn.customer_text != opened[name] for turn in turns[1:] if turns[0].agent_text
        )
        assert all((turn.agent_text is None) is (turn.result is not TurnResult.OK) for turn in turns)
        assert all((turn.epoch, turn.intent) == (0, None) for turn in turns)
    assert len({turn.customer_text for turn in of(effects, Turn)}) > 8


def test_the_same_seed_says_the_same_and_another_says_it_otherwise() -> None:
    said = [[turn.customer_text for turn in of(play(world(MANY, seed=seed), to_ai), Turn)] for seed in (1, 1, 2)]
    assert said[0] == said[1]
    assert said[0] != said[2]


@pytest.mark.parametrize(("kind", "falls"), [(None, False), (FaultKind.WRONG_ANSWERS, True), (FaultKind.ERRORS, True)])
def test_sentiment_falls_where_answers_are_wrong_or_calls_fail(kind: FaultKind | None, falls: bool) -> None:
    faults = [] if kind is None else [fault(kind)]
    turns = by_contact(play(world(MANY, faults=faults, people_per_queue=500), to_ai))
    changes = [b.sentiment - a.sentiment for each in turns.values() for a, b in itertools.pairwise(each)]
    assert (sum(changes) < 0) is falls
    assert all(-1 <= turn.sentiment <= 1 for each in turns.values() for turn in each)


def test_who_asks_for_a_person_says_so_in_a_turn_of_its_own_and_the_one_before_sums_up() -> None:
    turns = by_contact(play(world(MANY, people_per_queue=500), to_ai))
    asked = [each for each in turns.values() if any(turn.person_asked for turn in each)]
    assert 0.02 < len(asked) / len(MANY) < 0.10
    for each in asked:
        assert [turn.person_asked for turn in each] == [False] * (len(each) - 1) + [True]
        answered = [turn for turn in each[:-1] if turn.result is TurnResult.OK]
        assert "internet fault" in answered[-1].assessment
        assert all(turn.assessment is None for turn in answered[:-1])
    assert all(turn.assessment is None for each in turns.values() if each not in asked for turn in each)
