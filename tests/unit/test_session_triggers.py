"""What in a conversation calls for a person, trigger by trigger. Each names itself on the packet and on the view."""

from __future__ import annotations

import pytest

from processors.sessions.logic.phrasings import KNOWN
from processors.sessions.logic.triggers import slope
from schemas.conversations import Handoff, Moved
from schemas.fields import Channel, Pool, TurnResult
from schemas.interactions import TimerSet
from schemas.rules import Phrasing, Triggers
from schemas.triggers import Trigger
from tests.contacts import DECIDED_AT, HOUR, SECOND, after, completed, decision, escalating, lost, policy, turn

EVERYTHING = {
    "amount_over": 100.0, "sentiment_below": -0.5, "seconds_over": 60.0, "turns_over": 3, "topics": ("legal", "death"),
    "sentiment_slope_below": -0.3, "failures_over": 1, "out_of_scope": True, "person_asked": True,
    "breaker_opens": True,
}  # fmt: skip


def felt(*sentiments):
    return [turn(number, sentiment=tone) for number, tone in enumerate(sentiments, start=1)]


def failed(number, result=TurnResult.TIMEOUT):
    return turn(number, result=result)


def names(bench):
    """The triggers on the packet, which the view must have as well."""
    packet = bench.one(Handoff)
    assert packet.trigger == packet.triggers[0]
    assert bench.view.triggers == packet.triggers
    assert bench.one(Moved).trigger == packet.trigger
    assert (bench.view.pool, bench.view.epoch, packet.epoch) == (Pool.HUMAN_EXCLUSIVE, 1, 1)
    return [each.trigger for each in packet.triggers]


@pytest.mark.parametrize(
    ("stated", "events", "trigger", "detail"),
    [
        ({"sentiment_below": -0.5}, felt(-0.51), Trigger.SENTIMENT, "-0.51 < -0.5"),
        (
            {"sentiment_slope_below": -0.3}, felt(0.8, 0.4, 0.0), Trigger.SENTIMENT_SLOPE,
            "-0.400 per turn < -0.3, over 3 turns",
        ),
        ({"turns_over": 2}, [turn(1), turn(2), turn(3)], Trigger.TURNS, "3 > 2"),
        ({"topics": ("legal", "death")}, [turn(1, topics=("weather", "death"))], Trigger.TOPIC, "death"),
        ({"out_of_scope": True}, [turn(1, out_of_scope=True)], Trigger.OUT_OF_SCOPE, "as the platform says"),
        ({"person_asked": True}, [turn(1, person_asked=True)], Trigger.PERSON_ASKED, "as the platform says"),
        (
            {"person_asked": True}, [turn(1, customer_text="I want a HUMAN  agent!")], Trigger.PERSON_ASKED,
            "by a phrase of en",
        ),
        ({"seconds_over": 9.5}, [turn(1), turn(2)], Trigger.DURATION, "10.0 s > 9.5 s"),
        ({"amount_over": 100.0}, [turn(1, amount=100.5)], Trigger.AMOUNT, "100.5 > 100"),
        (
            {"failures_over": 1}, [failed(1), failed(2, TurnResult.SERVER_ERROR)], Trigger.AI_ERROR,
            "server_error: 2 failed turns in a row > 1",
        ),
        ({"breaker_opens": True}, [lost(4)], Trigger.BREAKER_OPEN, "ada, epoch 4"),
    ],
)  # fmt: skip
def test_each_trigger_by_itself_names_itself_on_the_packet_and_on_the_view(stated, events, trigger, detail):
    bench = after(escalating(**stated), *events)
    assert names(bench) == [trigger]
    hit = bench.one(Handoff).trigger
    last = events[-1]
    assert (hit.detail, hit.epoch, hit.turn) == (detail, 0, getattr(last, "number", 0))
    assert hit.occurred_at == bench.one(Handoff).occurred_at == last.occurred_at


@pytest.mark.parametrize(
    ("stated", "events"),
    [
        ({"sentiment_below": -0.5}, felt(-0.5)),
        ({"sentiment_slope_below": -0.3}, felt(0.6, 0.3, 0.0)),
        ({"sentiment_slope_below": -0.3}, felt(1.0, -1.0)),
        ({"sentiment_slope_below": -0.3}, [*felt(0.8, 0.0), turn(3), turn(4)]),
        ({"turns_over": 2}, [turn(1), turn(2)]),
        ({"topics": ("legal",)}, [turn(1, topics=("weather", "illegal"))]),
        ({"seconds_over": 10.0}, [turn(1), turn(2)]),
        ({"amount_over": 100.0}, [turn(1, amount=100.0)]),
        ({"failures_over": 1}, [failed(1), turn(2), failed(3), turn(4), failed(5)]),
        ({"failures_over": 1}, [failed(1), *(failed(n, TurnResult.CALLER_FAULT) for n in (2, 3, 4))]),
        ({"breaker_opens": True}, [lost(3), lost(2), lost(9, "acme/eve"), lost(9, "rival/ada"), turn(1)]),
    ],
)
def test_what_a_trigger_just_does_not_reach_changes_nothing(stated, events):
    bench = after(escalating(**stated), *events)
    assert bench.all(Handoff) == []
    assert bench.view.triggers == ()


@pytest.mark.parametrize("said", [decision(), escalating()])
def test_nothing_calls_for_a_person_where_no_trigger_is_stated(said):
    bad = {
        "sentiment": -1.0, "amount": 1e9, "topics": ("legal",), "out_of_scope": True, "person_asked": True,
        "result": TurnResult.SERVER_ERROR, "customer_text": "get me a human",
    }  # fmt: skip
    bench = after(said, *(turn(number, **bad) for number in range(1, 20)), lost(99))
    assert (bench.all(Handoff), bench.view.triggers, bench.view.epoch) == ([], (), 0)


def test_several_triggers_at_once_are_all_recorded():
    worst = {
        "sentiment": -1.0, "amount": 101.0, "topics": ("death", "legal", "death"), "out_of_scope": True,
        "person_asked": True, "result": TurnResult.SERVER_ERROR, "occurred_at": DECIDED_AT + 61 * SECOND,
    }  # fmt: skip
    bench = after(escalating(**EVERYTHING), *felt(1.0, 0.5), failed(3), turn(4, **worst))
    assert names(bench) == [
        Trigger.PERSON_ASKED, Trigger.OUT_OF_SCOPE, Trigger.TOPIC, Trigger.TOPIC, Trigger.AMOUNT, Trigger.SENTIMENT,
        Trigger.SENTIMENT_SLOPE, Trigger.AI_ERROR, Trigger.TURNS, Trigger.DURATION,
    ]  # fmt: skip
    assert [hit.detail for hit in bench.view.triggers if hit.trigger is Trigger.TOPIC] == ["death", "legal"]


def test_a_caller_fault_neither_lengthens_nor_ends_a_run_of_failures():
    bench = after(escalating(failures_over=1), failed(1), failed(2, TurnResult.CALLER_FAULT), failed(3))
    assert bench.one(Handoff).trigger.turn == 3


def test_the_slope_is_taken_over_the_last_five_sentiments():
    # Over all seven the slope is gentle, over the last five it is steep.
    bench = after(escalating(sentiment_slope_below=-0.3), *felt(-1.0, -1.0, 1.0, 0.6, 0.2, -0.2, -0.6))
    assert names(bench) == [Trigger.SENTIMENT_SLOPE]
    assert bench.one(Handoff).trigger.turn == 7
    assert slope([1.0, 0.6, 0.2, -0.2, -0.6]) == pytest.approx(-0.4)
    assert slope([0.5, 0.1]) is None


def test_turns_are_looked_at_in_their_order_whatever_the_order_in_which_they_come():
    # D 3 2 1: the fall is from the first to the third.
    bench = after(escalating(sentiment_slope_below=-0.3), *reversed(felt(0.8, 0.3, -0.2)))
    assert bench.one(Handoff).trigger.turn == 3
    assert after(escalating(sentiment_slope_below=-0.3), *reversed(felt(-0.2, 0.3, 0.8))).all(Handoff) == []


def test_duration_is_also_seen_by_the_timer_where_nobody_says_anything():
    bench = after(escalating(seconds_over=60.0), turn(1))
    assert bench.ring() == DECIDED_AT + 60 * SECOND
    assert names(bench) == [Trigger.DURATION]
    assert bench.one(Handoff).occurred_at == DECIDED_AT + 60 * SECOND
    assert after(escalating(turns_over=9)).timer > DECIDED_AT + 3_600 * SECOND


def test_duration_goes_with_a_race_that_nobody_has_won_as_well():
    # D * the policy's time is over before the claims' 20 s are
    bench = after(escalating(seconds_over=10.0, parallel=True))
    assert bench.ring() == DECIDED_AT + 10 * SECOND
    assert names(bench) == [Trigger.DURATION]


PHRASES = [
    ("en", "can I please speak to a human", True), ("en", "Representative!", True), ("en", "you are not a bot?", True),
    ("de", "Ich möchte mit einem Mitarbeiter sprechen", True), ("de", "ECHTEN MENSCHEN bitte", True),
    ("es", "quiero hablar con una persona", True), ("fr", "je veux parler à quelqu'un", True),
    ("fr", "je veux parler à quelqu\u2019un", True), ("fr", "passez-moi a\u0300 une personne", True),
    ("it", "vorrei parlare con un operatore", True), ("nl", "ik wil iemand: echt persoon graag", True),
    ("pl", "chcę rozmawiać z konsultantem", True), ("pt", "quero falar com um atendente", True),
    ("sv", "jag vill prata med en människa", True), ("en-GB", "get me a person", True), ("pt-BR", "pessoa real", True),
    ("EN-gb", "get me a person", True), ("en", "my travel agent has a real problem", False),
    ("en", "representatives of the people", False), ("en", "superhuman agents", False),
    ("en", "mit einem menschen", False), ("fr", "get me a human", False), ("xx", "get me a human", False),
    ("en", "", False),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text", "asked"), PHRASES)
def test_a_customer_asks_for_a_person_by_the_phrases_of_the_language(language, text, asked):
    bench = after(escalating(person_asked=True, language=language), turn(1, customer_text=text))
    assert len(bench.all(Handoff)) == asked
    if asked:
        assert bench.one(Handoff).trigger.detail == f"by a phrase of {language}"


@pytest.mark.parametrize("language", KNOWN)
def test_each_known_phrase_is_found_in_a_sentence(language):
    for phrase in KNOWN[language]:
        said = turn(1, customer_text=f"... {phrase.upper()}, 123")
        assert len(after(escalating(person_asked=True, language=language), said).all(Handoff)) == 1


OWN = policy(
    phrasings=(
        Phrasing(language="en", phrases=("Big Boss",)),
        Phrasing(language="en-GB", phrases=("the gaffer",)),
        Phrasing(language="de", phrases=(" ", "")),
    )
)


@pytest.mark.parametrize(
    ("language", "text", "asked"),
    [
        ("en", "the big\n boss, please", True), ("en", "get me a human", False), ("en-US", "big boss", True),
        ("en-GB", "the gaffer", True), ("en-GB", "big boss", False), ("fr", "vraie personne", True),
        ("de", "alles ... gut", False),
    ],
)  # fmt: skip
def test_phrases_of_the_policy_stand_in_place_of_those_that_are_known(language, text, asked):
    bench = after(escalating(person_asked=True, language=language), turn(1, customer_text=text), of=OWN)
    assert len(bench.all(Handoff)) == asked


def test_the_agent_cannot_ask_for_a_person_in_place_of_the_customer():
    assert after(escalating(person_asked=True), turn(1, agent_text="speak to a human?")).all(Handoff) == []


def test_a_lost_agent_wakes_the_contacts_that_it_has_where_the_policy_says_so():
    (timer,) = after(escalating(breaker_opens=True)).all(TimerSet)
    assert (timer.agent, timer.breaker_epoch) == ("acme/ada", 3)
    (timer,) = after(escalating(turns_over=3)).all(TimerSet)
    assert (timer.agent, timer.breaker_epoch) == (None, 0)


def test_a_contact_that_people_have_is_not_moved_by_the_loss_of_the_agent_that_had_it():
    bench = after(escalating(breaker_opens=True, turns_over=0), turn(1), lost(4))
    assert names(bench) == [Trigger.TURNS]
    assert bench.all(TimerSet)[-1].agent is None


def test_a_contact_that_is_over_is_not_moved_by_the_loss_of_its_agent():
    assert after(escalating(breaker_opens=True), completed(0), lost(4)).all(Handoff) == []


def test_the_clock_is_told_of_the_agent_also_where_the_timer_stands_already():
    # 1 D: parked so late that the wait for the decision ends with the contact's day.
    bench = after(turn(1), now=DECIDED_AT + 23 * HOUR)
    bench.run(escalating(breaker_opens=True))
    assert [(timer.due_at, timer.agent) for timer in bench.all(TimerSet)] == [
        (DECIDED_AT + 24 * HOUR, None), (DECIDED_AT + 24 * HOUR, "acme/ada"),
    ]  # fmt: skip


def test_the_loss_is_told_once_of_a_contact():
    bench = after(escalating(breaker_opens=True), lost(4), lost(4), lost(6))
    assert names(bench) == [Trigger.BREAKER_OPEN]


def test_a_lost_agent_that_answers_still_is_refused():
    bench = after(escalating(breaker_opens=True, channel=Channel.VOICE), turn(1), lost(4), turn(2))
    assert bench.view.refused == 1


def test_triggers_are_stated_by_the_decision_and_not_by_the_policy_of_now():
    strict = policy(escalation=Triggers(turns_over=0))
    assert after(decision(), turn(1), of=strict).all(Handoff) == []
