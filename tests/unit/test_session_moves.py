"""Moves that people ask for, in all directions. D decided, R asked for, ? offered, D1 the router's word, > packet."""

from __future__ import annotations

import pytest

from processors.sessions.logic.book import Wait
from processors.sessions.logic.moves import EPOCHS_MOST
from schemas.conversations import AnswerRefused, Handoff, Moved
from schemas.fields import FinishedBy, Handling, Pool, Supervision
from schemas.interactions import Closed, Offered
from schemas.rules import IntentRule, SupervisionPolicy, Triggers
from schemas.supervision import SupervisionEnded, SupervisionWanted
from schemas.topics import HANDOFFS, OFFERED, SUPERVISION_REQUESTS
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
    for_people,
    policy,
    request,
    turn,
    watched,
    word,
)

FRAUD = {"intent": "fraud", "intent_confidence": 0.75}


def test_people_may_take_a_contact_from_ai():
    bench = after(decision(), turn(1), request(Pool.HUMAN_EXCLUSIVE, why="I know her"), turn(2))
    packet = bench.one(Handoff)
    assert (packet.trigger.trigger, packet.trigger.detail) == (Trigger.REQUESTED, "kim: I know her")
    assert (packet.epoch, packet.trigger.turn, packet.occurred_at) == (1, 0, request(Pool.AI_CONTAINED).occurred_at)
    assert bench.one(AnswerRefused).turn == 2


@pytest.mark.parametrize("to", [Pool.AI_CONTAINED, Pool.AI_ASSISTED])
def test_people_may_give_a_contact_to_ai(to):
    bench = after(for_people(intent="balance"), request(to, intent="fraud", why="a plain one"))
    (offer,) = bench.of(OFFERED)
    assert (offer.classification.intent, offer.classification.confidence) == ("fraud", 1.0)
    assert (offer.handover.epoch, offer.handover.excluded, offer.handover.reason) == (1, (), "requested")
    bench.run(word(1), eve(1), completed(1))
    moved = bench.one(Moved)
    assert (moved.from_pool, moved.to_pool, moved.trigger.trigger) == (Pool.HUMAN_EXCLUSIVE, to, Trigger.REQUESTED)
    assert (moved.from_endpoint, moved.to_endpoint) == (None, "eve")
    assert bench.view.supervision is (Supervision.SEMI if to is Pool.AI_ASSISTED else Supervision.AUTONOMOUS)
    expected = Handling.AI_ASSISTED if to is Pool.AI_ASSISTED else Handling.AI_CONTAINED
    assert (bench.one(Closed).handling, bench.one(Closed).endpoint) == (expected, "eve")


def test_a_request_to_watch_is_for_the_agent_that_was_asked_for_and_not_for_the_next():
    bench = after(for_people(), request(Pool.AI_ASSISTED), word(1), eve(1, intent="loan"), word(2, intent="loan"))
    assert (bench.view.pool, bench.view.supervision) == (Pool.AI_CONTAINED, Supervision.AUTONOMOUS)
    assert [move.trigger.trigger for move in bench.all(Moved)] == [Trigger.REQUESTED, Trigger.OTHER_INTENT]


def test_ai_gets_the_intent_that_stands_where_the_request_names_none():
    bench = after(for_people(intent="balance"), request(Pool.AI_CONTAINED))
    assert bench.one(Offered).classification.intent == "balance"


def test_the_router_may_have_a_contact_watched_more_closely_than_was_asked_for():
    full = word(1, pool=Pool.AI_ASSISTED, supervision=Supervision.FULL)
    for to in (Pool.AI_CONTAINED, Pool.AI_ASSISTED):
        bench = after(for_people(), request(to), full)
        assert (bench.view.pool, bench.view.supervision) == (Pool.AI_ASSISTED, Supervision.FULL)


def test_where_no_agent_is_found_a_contact_stays_with_people_and_may_be_asked_for_again():
    bench = after(for_people(), request(Pool.AI_ASSISTED))
    bench.ring()
    assert bench.one(Handoff).trigger.trigger is Trigger.NO_AGENT
    bench.run(request(Pool.AI_CONTAINED, 2), word(3))
    assert (bench.view.pool, bench.view.supervision) == (Pool.AI_CONTAINED, Supervision.AUTONOMOUS)
    bench.run(completed(0, finished_by=FinishedBy.HUMAN))
    assert bench.one(Closed).handling is Handling.AI_ESCALATED


def test_people_who_never_lost_a_contact_to_ai_had_it_alone():
    bench = after(for_people(), request(Pool.AI_ASSISTED))
    bench.ring()
    bench.run(completed(0, finished_by=FinishedBy.HUMAN))
    assert bench.one(Closed).handling is Handling.HUMAN_ONLY


def test_people_may_take_a_contact_back_while_an_agent_is_sought():
    bench = after(for_people(), request(Pool.AI_CONTAINED), request(Pool.HUMAN_EXCLUSIVE, 1), word(1))
    assert (bench.one(Handoff).trigger.trigger, bench.view.epoch) == (Trigger.REQUESTED, 2)
    assert bench.view.endpoint is None
    assert Wait.AGENT not in bench.progress.waits


def test_a_packet_is_not_sent_again_once_people_have_given_the_contact_back():
    # D 1> R? D1: the packet was never acknowledged.
    bench = after(escalating(person_asked=True), turn(1, person_asked=True), request(Pool.AI_CONTAINED, 1), word(2))
    assert bench.timer == DECIDED_AT + 24 * HOUR
    bench.run(eve(1, 2), ack(1))
    assert len(bench.of(HANDOFFS)) == 1
    assert bench.story.acked_by is None


def test_a_contact_may_go_from_contained_to_assisted_and_back():
    rules = SupervisionPolicy(sessions_per_supervisor=3)
    bench = after(decision(), turn(1), request(Pool.AI_ASSISTED), of=policy(supervision=rules))
    assert (bench.view.pool, bench.view.supervision, bench.view.epoch) == (Pool.AI_ASSISTED, Supervision.SEMI, 0)
    assert bench.one(SupervisionWanted).occurred_at == request(Pool.AI_ASSISTED).occurred_at
    back = request(Pool.AI_CONTAINED, occurred_at=DECIDED_AT + 40 * SECOND)
    bench.run(back, back, request(Pool.AI_ASSISTED), turn(2))
    assert (bench.view.pool, bench.view.supervision) == (Pool.AI_CONTAINED, Supervision.AUTONOMOUS)
    assert bench.one(SupervisionEnded).occurred_at == back.occurred_at
    assert [(move.from_pool, move.to_pool, move.epoch) for move in bench.all(Moved)] == [
        (Pool.AI_CONTAINED, Pool.AI_ASSISTED, 0), (Pool.AI_ASSISTED, Pool.AI_CONTAINED, 0),
    ]  # fmt: skip
    assert {(move.from_endpoint, move.to_endpoint) for move in bench.all(Moved)} == {("ada", "ada")}
    assert (bench.all(AnswerRefused), bench.all(Handoff)) == ([], [])
    bench.run(completed(2))
    assert bench.one(Closed).handling is Handling.AI_ASSISTED


OWN = IntentRule(intent="card_lost", approve=Triggers(amount_over=5.0))


@pytest.mark.parametrize(("intents", "asked"), [((), [2, 3]), ((OWN,), [3])])
def test_a_contact_that_is_watched_by_request_waits_for_what_the_policy_has_approved(intents, asked):
    rules = policy(supervision=SupervisionPolicy(approve=Triggers(amount_over=1.0)), intents=intents)
    talk = [turn(1, amount=9.0), request(Pool.AI_ASSISTED), turn(2, amount=2.0), turn(3, amount=6.0)]
    bench = after(decision(), *talk, of=rules)
    assert [each.turn for each in bench.of(SUPERVISION_REQUESTS)] == asked
    bench = after(for_people(intent="card_lost"), request(Pool.AI_ASSISTED), word(1, intent="card_lost"), of=rules)
    bench.run(eve(1, amount=0.5), eve(2, amount=2.0), eve(3, amount=6.0))
    assert [each.turn for each in bench.of(SUPERVISION_REQUESTS)] == asked


def test_a_contact_that_is_watched_again_waits_for_what_its_decision_says():
    rules = policy(supervision=SupervisionPolicy(approve=Triggers(amount_over=1.0)))
    talk = [watched(Supervision.SEMI, Triggers(amount_over=100.0)), request(Pool.AI_CONTAINED), turn(1, amount=200.0)]
    bench = after(*talk, request(Pool.AI_ASSISTED, occurred_at=DECIDED_AT + 31 * SECOND), of=rules)
    bench.run(turn(2, amount=50.0), turn(3, amount=200.0))
    assert [each.turn for each in bench.of(SUPERVISION_REQUESTS)] == [3]


@pytest.mark.parametrize(
    ("opening", "to"),
    [
        ((decision(),), Pool.AI_CONTAINED),
        ((watched(Supervision.FULL),), Pool.AI_ASSISTED),
        ((for_people(),), Pool.HUMAN_EXCLUSIVE),
        ((decision(parallel=True),), Pool.AI_ASSISTED),
        ((decision(), turn(1, **FRAUD)), Pool.AI_ASSISTED),
    ],
)
def test_a_request_for_where_a_contact_is_or_while_it_is_on_its_way_changes_nothing(opening, to):
    bench = after(*opening)
    entries = dict(bench.state.entries)
    assert bench.feed(request(to, bench.progress.epoch)) == []
    assert bench.state.entries == entries


@pytest.mark.parametrize("to", Pool)
@pytest.mark.parametrize("epoch", [0, 2])
def test_a_request_about_another_epoch_changes_nothing(to, epoch):
    bench = after(escalating(person_asked=True), turn(1, person_asked=True))
    assert bench.feed(request(to, epoch)) == []
    assert (bench.view.epoch, bench.of(OFFERED)) == (1, [])


@pytest.mark.parametrize("to", Pool)
@pytest.mark.parametrize("opened", [decision(), for_people()])
def test_a_request_after_the_end_changes_nothing(to, opened):
    bench = after(opened, completed(0))
    assert bench.feed(request(to)) == []
    assert len(bench.told()) == 3


def test_a_contact_that_is_moved_to_and_fro_stays_small_and_at_last_with_people():
    bench = after(for_people())
    for _ in range(3 * EPOCHS_MOST):
        epoch = bench.progress.epoch
        bench.run(request(Pool.AI_CONTAINED, epoch, why="x" * 9_000), word(epoch + 1), eve(1, epoch + 1))
        bench.run(request(Pool.HUMAN_EXCLUSIVE, epoch + 1, why="y" * 9_000))
    assert {reason for _, reason in bench.refused} >= {"moved_too_often"}
    assert bench.progress.epoch == EPOCHS_MOST
    assert bench.view.pool is Pool.HUMAN_EXCLUSIVE
    assert max(map(len, bench.state.entries.values())) < 30_000
    bench.run(ack(EPOCHS_MOST), completed(EPOCHS_MOST // 2, finished_by=FinishedBy.HUMAN))
    assert bench.one(Closed).handling is Handling.AI_ESCALATED


def test_a_request_ahead_of_its_decision_is_followed_when_that_comes():
    # 2 R D 1: what waits for an earlier turn is refused with the move.
    bench = after(turn(2), request(Pool.HUMAN_EXCLUSIVE), decision())
    assert bench.one(Handoff).trigger.trigger is Trigger.REQUESTED
    assert bench.one(AnswerRefused).turn == 2
