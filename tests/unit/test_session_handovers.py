"""From AI agent to AI agent. D decided, 1..n turns, ? offered to the router, D1 its word, > packet, * timer."""

from __future__ import annotations

import pytest

from processors.sessions.logic.book import HELD, SESSION, STORY, Stage, Wait
from schemas.conversations import AnswerRefused, Handoff, Moved
from schemas.fields import Channel, Direction, Disposition, FinishedBy, Handling, Pool, Supervision, TurnResult
from schemas.interactions import Closed, Customer, Instructions, Reason, TimerSet
from schemas.rules import SupervisionPolicy, Triggers
from schemas.supervision import SupervisionEnded, SupervisionWanted, VerdictKind
from schemas.topics import AGENT_EVENTS, OFFERED, SUPERVISION_EVENTS
from schemas.triggers import Trigger
from tests.contacts import (
    DECIDED_AT,
    HOUR,
    SECOND,
    ack,
    after,
    completed,
    decision,
    escalating,
    eve,
    given,
    lost,
    policy,
    switched,
    turn,
    verdict,
    watched,
    word,
)

FRAUD = {"intent": "fraud", "intent_confidence": 0.75}
NOBODY = {"endpoint": None, "endpoint_version": None, "provider": None, "supervision": None}
SPOKEN = Instructions(escalate=Triggers(seconds_over=60.0, breaker_opens=True, person_asked=True))


def moving(**changes):
    """D 1 2?: the second turn is about something else."""
    return after(decision(**changes), turn(1), turn(2, **FRAUD))


def test_another_intent_is_offered_to_the_router_as_a_contact_that_is_under_way():
    who = Customer(customer_id="42", region="eu", flags=("vip",), age_years=17, direction=Direction.OUTBOUND)
    bench = after(decision(customer=who, language="de", segment="gold"), switched(Channel.VOICE, 9), turn(1, **FRAUD))
    (offer,) = bench.of(OFFERED)
    assert (offer.interaction_id, offer.tenant, offer.text, offer.channel) == ("c-1", "acme", "", Channel.VOICE)
    assert (offer.language, offer.segment, offer.occurred_at) == ("de", "gold", turn(1).occurred_at)
    assert (offer.classification.intent, offer.classification.confidence) == ("fraud", 0.75)
    assert (offer.customer_id, offer.region, offer.flags, offer.age_years) == ("42", "eu", ("vip",), 17)
    assert offer.direction is Direction.OUTBOUND
    assert (offer.handover.epoch, offer.handover.excluded, offer.handover.reason) == (1, ("ada",), "other_intent")


def test_meanwhile_nobody_has_the_contact():
    bench = moving()
    assert (bench.view.epoch, bench.view.endpoint, bench.view.intent) == (1, None, "fraud")
    assert [(hit.trigger, hit.detail, hit.turn) for hit in bench.view.triggers] == [
        (Trigger.OTHER_INTENT, "card_lost -> fraud", 2)
    ]
    assert (bench.all(Moved), bench.all(Handoff)) == ([], [])
    bench.run(turn(3), eve(1))
    assert bench.one(AnswerRefused).turn == 3
    assert [reason for _, reason in bench.refused] == ["wrong_endpoint"]


def test_the_same_intent_is_no_handover():
    assert after(decision(), turn(1, intent="card_lost")).of(OFFERED) == []


def test_the_agent_that_the_router_names_has_the_contact_from_then_on():
    # D 1 2? D1 1 2
    bench = moving()
    bench.run(word(1, instructions=SPOKEN, supervision=Supervision.SEMI, pool=Pool.AI_ASSISTED), eve(1), eve(2))
    moved = bench.one(Moved)
    assert (moved.from_endpoint, moved.to_endpoint, moved.epoch) == ("ada", "eve", 1)
    assert (moved.from_pool, moved.to_pool, moved.queue) == (Pool.AI_CONTAINED, Pool.AI_ASSISTED, "fraud_desk")
    assert moved.trigger.trigger is Trigger.OTHER_INTENT
    view = bench.view
    assert (view.endpoint, view.endpoint_version, view.decision_id) == ("eve", "2", "d-1/1")
    assert (view.epoch, view.queue, view.intent, view.supervision) == (1, "fraud_desk", "fraud", Supervision.SEMI)
    assert [(each.endpoint, each.breaker_epoch, each.provider) for each in bench.of(AGENT_EVENTS)] == [
        ("ada", 3, "north"), ("ada", 3, "north"), ("eve", 5, "south"), ("eve", 5, "south"),
    ]  # fmt: skip
    assert bench.progress.waits == {
        Wait.EXPIRY: DECIDED_AT + 24 * HOUR, Wait.DURATION: DECIDED_AT + 60 * SECOND,
    }  # fmt: skip
    assert (bench.all(TimerSet)[-1].agent, bench.all(TimerSet)[-1].breaker_epoch) == ("acme/eve", 5)


def test_the_first_agent_is_refused_and_its_loss_moves_nothing_while_the_second_has_the_contact():
    bench = moving()
    bench.run(word(1, instructions=SPOKEN), turn(3), lost(9), eve(1))
    assert bench.one(AnswerRefused).turn == 3
    assert bench.all(Handoff) == []
    bench.run(lost(5, "acme/eve"), lost(6, "acme/eve"))
    packet = bench.one(Handoff)
    assert (packet.trigger.trigger, packet.epoch, packet.endpoint) == (Trigger.BREAKER_OPEN, 2, "eve")
    assert [(each.epoch, each.turn, each.endpoint) for each in packet.history] == [
        (0, 1, "ada"), (0, 2, "ada"), (1, 1, "eve"),
    ]  # fmt: skip
    assert [hit.trigger for hit in packet.triggers] == [Trigger.OTHER_INTENT, Trigger.BREAKER_OPEN]


@pytest.mark.parametrize("early", [True, False])
def test_a_turn_that_failed_after_the_handover_is_in_no_packet_whenever_it_comes(early):
    late = turn(3, result=TurnResult.TIMEOUT, tried=("hope",))
    order = (late, eve(1, person_asked=True)) if early else (eve(1, person_asked=True), late)
    bench = after(decision(), turn(1), turn(2, **FRAUD), word(1, instructions=SPOKEN), *order)
    packet = bench.one(Handoff)
    assert [(each.epoch, each.turn) for each in packet.history] == [(0, 1), (0, 2), (1, 1)]
    assert packet.tried == ()


def test_the_clock_is_told_of_the_second_agent_also_where_the_first_wait_stays_the_first():
    # D C 1? D1: the completion waits for turns before and after.
    bench = after(decision(), completed(3), turn(1, **FRAUD), word(1, instructions=SPOKEN))
    assert bench.timer == DECIDED_AT + 30 * SECOND
    assert bench.all(TimerSet)[-1].agent == "acme/eve"


def test_turns_of_the_second_agent_are_counted_anew_and_in_their_order():
    # D 1 2? D1 2 1
    bench = moving()
    bench.run(word(1), eve(2), eve(1))
    assert bench.progress.applied == 2
    assert bench.progress.turns() == [(0, 1), (0, 2), (1, 1), (1, 2)]
    assert HELD not in bench.state.entries


def test_the_second_agent_has_its_own_triggers_and_a_mood_of_its_own():
    # D 1 2? D1 1 2: over both agents the mood falls steeply, with the second alone there is too little to say.
    falls = Instructions(escalate=Triggers(sentiment_slope_below=-0.3))
    bench = after(escalating(seconds_over=60.0), turn(1, sentiment=1.0), turn(2, sentiment=0.5, **FRAUD))
    bench.run(word(1, instructions=falls), eve(1, sentiment=0.0), eve(2, sentiment=-0.5))
    assert bench.all(Handoff) == []
    assert set(bench.progress.waits) == {Wait.EXPIRY}
    bench.run(eve(3, sentiment=-1.0))
    assert bench.one(Handoff).trigger.trigger is Trigger.SENTIMENT_SLOPE


@pytest.mark.parametrize("late", [word(0), word(1, decision_id="other"), word(2), word(9)])
def test_a_word_of_another_epoch_or_that_comes_again_changes_nothing(late):
    bench = moving()
    bench.run(word(1))
    entries, told = dict(bench.state.entries), len(bench.told())
    bench.run(late)
    kept = {name: bench.state.entries[name] for name in (SESSION, STORY)}
    assert kept == {name: entries[name] for name in kept}
    assert len(bench.told()) == told


def test_a_word_that_nobody_waits_for_opens_nothing():
    bench = after(word(1))
    assert (bench.effects, bench.state.entries) == ([], {})
    bench.run(decision())
    assert bench.feed(word(1)) == []


def test_a_late_word_after_the_wait_for_it_moves_the_contact_no_more():
    # D 1 2? *> D1
    bench = moving()
    assert bench.ring() == DECIDED_AT + 30 * SECOND
    packet = bench.one(Handoff)
    assert (packet.trigger.trigger, packet.epoch, packet.queue) == (Trigger.NO_AGENT, 2, "cards")
    assert "30 s" in packet.trigger.detail
    assert bench.one(Moved).from_endpoint == "ada"
    (told,) = bench.feed(word(1))
    assert (told.event.from_endpoint, told.event.to_endpoint) == (word(1).endpoint, None)
    assert (bench.view.pool, bench.view.endpoint) == (Pool.HUMAN_EXCLUSIVE, None)


def test_where_the_router_finds_no_agent_people_take_the_contact_in_the_queue_that_it_names():
    bench = moving()
    why = (Reason(code="no_capable_agent"), Reason(code="handed_over"))
    bench.run(word(1, pool=Pool.HUMAN_EXCLUSIVE, reasons=why, **NOBODY))
    packet = bench.one(Handoff)
    assert (packet.trigger.trigger, packet.trigger.detail) == (Trigger.NO_AGENT, "no_capable_agent, handed_over")
    assert (packet.queue, packet.intent, packet.decision_id) == ("fraud_desk", "fraud", "d-1/1")
    assert [hit.trigger for hit in packet.triggers] == [Trigger.OTHER_INTENT, Trigger.NO_AGENT]
    assert (bench.one(Moved).queue, bench.view.queue, bench.view.pool) == (
        "fraud_desk", "fraud_desk", Pool.HUMAN_EXCLUSIVE,
    )  # fmt: skip
    bench.run(ack(2), completed(2, finished_by=FinishedBy.HUMAN))
    assert bench.one(Closed).handling is Handling.AI_ESCALATED
    assert (bench.one(Closed).queue, bench.one(Closed).intent) == ("cards", "card_lost")


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (word(1, pool=None, disposition=Disposition.REPEAT), "no_decision"),
        (word(1, provider=None), "no_provider"),
    ],
)
def test_a_word_that_cannot_be_followed_is_refused_and_the_wait_for_one_goes_on(bad, reason):
    bench = moving()
    bench.run(bad)
    assert [why for _, why in bench.refused] == [reason]
    assert (bench.progress.stage, bench.timer) == (Stage.MOVING, DECIDED_AT + 30 * SECOND)


def test_who_was_handed_on_twice_goes_to_people():
    # D 1? D1 1? D2 1>
    bench = after(decision(), turn(1, **FRAUD), word(1), eve(1, intent="loan"))
    bench.run(word(2, endpoint="ada", provider="north", intent="loan"), turn(1, epoch=2, intent="wire"))
    assert [offer.handover.excluded for offer in bench.of(OFFERED)] == [("ada",), ("eve",)]
    packet = bench.one(Handoff)
    assert (packet.trigger.trigger, packet.epoch) == (Trigger.HANDOVER_LIMIT, 3)
    assert packet.trigger.detail == "2 handovers already, now for wire"
    assert [hit.trigger for hit in packet.triggers] == [Trigger.OTHER_INTENT] * 2 + [
        Trigger.HANDOVER_LIMIT, Trigger.OTHER_INTENT,
    ]  # fmt: skip


def test_a_turn_that_calls_for_a_person_and_for_another_agent_goes_to_people():
    bench = after(escalating(person_asked=True), turn(1, person_asked=True, **FRAUD))
    assert bench.one(Handoff).trigger.trigger is Trigger.PERSON_ASKED
    assert bench.of(OFFERED) == []


def test_a_contact_that_ends_while_another_agent_is_sought_is_closed():
    bench = moving()
    bench.run(completed(2, finished_by=FinishedBy.CUSTOMER), word(1))
    assert bench.one(Closed).handling is Handling.ABANDONED
    assert set(bench.progress.waits) == {Wait.EXPIRY}
    assert (bench.one(Moved).from_endpoint, bench.one(Moved).to_endpoint) == (word(1).endpoint, None)


@pytest.mark.parametrize("kind", VerdictKind)
def test_a_verdict_on_the_first_agent_changes_nothing_for_the_second(kind):
    # D 1? 2? D1 1? v1: turn 1 of either agent waited.
    second = word(1, pool=Pool.AI_ASSISTED, supervision=Supervision.FULL)
    bench = after(watched(Supervision.FULL), turn(1), turn(2, **FRAUD), second, eve(1), verdict(1, kind))
    assert (bench.story.waiting, Wait.VERDICT in bench.progress.waits) == ([1], True)
    assert (bench.all(Handoff), bench.view.endpoint) == ([], "eve")
    bench.run(verdict(1, epoch=1))
    assert (bench.story.waiting, Wait.VERDICT in bench.progress.waits) == ([], False)


def test_a_supervisor_given_to_the_first_agent_does_not_watch_the_second():
    # D 1? D1 S2 S1: the second word came while nobody was wanted.
    rules = policy(supervision=SupervisionPolicy(sessions_per_supervisor=3))
    bench = after(watched(Supervision.FULL), turn(1, **FRAUD), given("sam", 2), of=rules)
    bench.run(word(1, pool=Pool.AI_ASSISTED, supervision=Supervision.FULL), given("old", 1))
    assert bench.view.supervisor is None
    bench.run(given("kim", 3))
    assert bench.view.supervisor == "kim"


def test_a_verdict_and_a_watch_of_before_end_with_the_handover():
    rules = policy(supervision=SupervisionPolicy(sessions_per_supervisor=3))
    bench = after(watched(Supervision.FULL), turn(1), turn(2, **FRAUD), of=rules)
    assert [type(each) for each in bench.of(SUPERVISION_EVENTS)] == [SupervisionWanted, SupervisionEnded]
    assert Wait.VERDICT not in bench.progress.waits
    bench.run(word(1, pool=Pool.AI_ASSISTED, supervision=Supervision.FULL), verdict(1))
    assert [type(each) for each in bench.of(SUPERVISION_EVENTS)][2:] == [SupervisionWanted]
    assert bench.story.wanted
