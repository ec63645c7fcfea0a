"""Warm transfers: the packet, its acknowledgement, and the fence. D decided, 1..n turns, > packet, a ack, * timer."""

from __future__ import annotations

import pytest

from processors.sessions.logic.book import HELD, REMARK_KEPT, TEXT_KEPT, Wait
from processors.sessions.logic.oversight import OVERRIDES_KEPT
from processors.sessions.logic.transfer import FINDINGS_SENT
from runtime.kafka import MAX_RECORD_BYTES
from schemas.codec import Codec
from schemas.conversations import (
    Alert,
    AlertKind,
    AnswerRefused,
    Handoff,
    Moved,
    SessionView,
    Transferred,
    Trigger,
    TurnView,
    VerdictKind,
)
from schemas.fields import Channel, FinishedBy, Handling, Pool, Supervision, TurnResult
from schemas.interactions import Customer, Fact
from schemas.rules import Transfer, Triggers
from schemas.topics import AGENT_EVENTS, ALERTS, CLOSED, HANDOFFS
from tests.contacts import (
    DECIDED_AT,
    HOUR,
    SECOND,
    ack,
    after,
    completed,
    decision,
    escalating,
    lost,
    policy,
    switched,
    turn,
    verdict,
    watched,
)

ASKS = {"person_asked": True}


def transferred(of=None, **changes):
    """D 1 2>: the second turn asks for a person."""
    return after(escalating(**ASKS, **changes), turn(1), turn(2, person_asked=True), of=of)


def test_the_packet_has_the_history_in_its_order_and_what_each_turn_was():
    said = {"customer_text": "It is gone", "agent_text": "I am sorry", "sentiment": -0.25}
    bench = after(
        escalating(**ASKS),
        turn(3, person_asked=True),
        turn(2, result=TurnResult.TIMEOUT, channel=Channel.VOICE),
        turn(1, **said),
    )
    packet = bench.one(Handoff)
    assert [(each.epoch, each.turn, each.result) for each in packet.history] == [
        (0, 1, TurnResult.OK), (0, 2, TurnResult.TIMEOUT), (0, 3, TurnResult.OK),
    ]  # fmt: skip
    first, second, _ = packet.history
    assert (first.customer_text, first.agent_text, first.sentiment) == ("It is gone", "I am sorry", -0.25)
    assert (first.endpoint, first.channel, first.occurred_at) == ("ada", Channel.CHAT, turn(1).occurred_at)
    assert second.channel is Channel.VOICE
    assert [each.channel for each in bench.of(AGENT_EVENTS)] == [Channel.CHAT, Channel.VOICE, Channel.CHAT]
    assert not any(each.refused or each.verdict for each in packet.history)
    assert packet.history_cut == 0


def test_the_packet_has_the_last_assessment_what_was_tried_once_each_and_the_last_word_on_each_fact():
    limit, card, hope = Fact(name="limit", value="500"), Fact(name="card", value="gold"), Fact(name="limit", value="9")
    bench = after(
        escalating(**ASKS),
        turn(1, assessment="a lost card", tried=("block", "search"), facts=(limit, card)),
        turn(2, assessment="a stolen card", tried=("search", "refund", "block"), facts=(hope,)),
        turn(3, person_asked=True),
    )
    packet = bench.one(Handoff)
    assert packet.assessment == "a stolen card"
    assert packet.tried == ("block", "search", "refund")
    assert {fact.name: fact.value for fact in packet.facts} == {"limit": "9", "card": "gold"}
    assert transferred().one(Handoff).assessment == ""


def test_the_packet_names_the_customer_the_queue_and_the_decision():
    customer = Customer(customer_id="42", region="eu", flags=("vip",), age_years=77)
    packet = transferred(customer=customer, segment="gold", language="de").one(Handoff)
    assert packet.customer == customer
    assert (packet.queue, packet.intent, packet.confidence) == ("cards", "card_lost", 0.97)
    assert (packet.segment, packet.language, packet.channel) == ("gold", "de", Channel.CHAT)
    assert (packet.decision_id, packet.endpoint, packet.endpoint_version) == ("d-1", "ada", "7")
    assert (packet.handoff_id, packet.epoch, packet.attempt) == ("c-1/1", 1, 1)
    assert (packet.offered_at, packet.occurred_at) == (decision().offered_at, turn(2).occurred_at)
    assert transferred().one(Handoff).customer is None


@pytest.mark.parametrize(
    ("switches", "channel"),
    [
        ((switched(Channel.VOICE, DECIDED_AT + SECOND),), Channel.VOICE),
        ((turn(1, channel=Channel.EMAIL),), Channel.EMAIL),
        ((switched(Channel.VOICE, DECIDED_AT + 6 * SECOND), turn(1, channel=Channel.EMAIL)), Channel.VOICE),
        ((switched(Channel.VOICE, DECIDED_AT + 2), switched(Channel.SOCIAL, DECIDED_AT + 1)), Channel.VOICE),
        ((turn(1, channel=Channel.CHAT), switched(Channel.VOICE, DECIDED_AT + SECOND)), Channel.CHAT),
        ((switched(Channel.VOICE, DECIDED_AT + SECOND), turn(1, channel=Channel.CHAT)), Channel.CHAT),
        ((switched(Channel.VOICE, 5), switched(Channel.EMAIL, 5)), Channel.VOICE),
        ((switched(Channel.EMAIL, 5), switched(Channel.VOICE, 5)), Channel.VOICE),
    ],
)
def test_of_several_switches_the_latest_is_the_channel_of_packet_and_view(switches, channel):
    bench = after(escalating(**ASKS), *switches, turn(1), turn(2, person_asked=True))
    assert (bench.one(Handoff).channel, bench.view.channel) == (channel, channel)


def test_a_switch_is_shown_at_once_and_only_where_it_is_one():
    # D s s s: by voice, once more by voice, and one that is older.
    bench = after(decision())
    for at, channel, shown in (
        (5, Channel.VOICE, 2),
        (6, Channel.VOICE, 2),
        (4, Channel.EMAIL, 2),
        (7, Channel.CHAT, 3),
    ):
        bench.run(switched(channel, at))
        assert len(bench.all(SessionView)) == shown
    assert (bench.view.channel, bench.view.revision, bench.progress.channel_at) == (Channel.CHAT, 3, 7)


def test_the_packet_tells_what_supervisors_changed():
    edit = verdict(1, VerdictKind.EDIT, why="too blunt", text="I am so sorry")
    bench = after(watched(Supervision.FULL, escalate=Triggers(**ASKS)), turn(1), edit, turn(2, person_asked=True))
    packet = bench.one(Handoff)
    (override,) = packet.overrides
    assert (override.epoch, override.turn, override.verdict, override.by) == (0, 1, VerdictKind.EDIT, "sam")
    assert (override.why, override.text, override.occurred_at) == ("too blunt", "I am so sorry", edit.occurred_at)
    assert [each.verdict for each in packet.history] == [VerdictKind.EDIT, None]


def test_long_texts_are_cut_and_of_a_packet_that_is_too_large_the_oldest_turns_are_left_out():
    # Four bytes a character, and the longest that anything may be.
    fits, long, remark = "😀" * TEXT_KEPT, "😀" * (TEXT_KEPT + 1), "😀" * (REMARK_KEPT + 1)
    bench = after(watched(Supervision.FULL, escalate=Triggers(**ASKS)))
    for number in range(1, 71):
        facts = tuple(Fact(name=f"{number}-{n}", value=remark) for n in range(9))
        tried = tuple(f"{number}-{n} {remark}" for n in range(9))
        said = {"customer_text": long, "agent_text": long, "assessment": long}
        bench.run(turn(number, **said, facts=facts, tried=tried))
        bench.run(verdict(number, VerdictKind.EDIT, why=remark, text=remark))
    bench.run(turn(71, person_asked=True, customer_text=long, agent_text=fits))
    packet = bench.one(Handoff)
    assert (packet.history[-1].customer_text, packet.history[-1].agent_text) == (f"{fits}…", fits)
    assert (packet.history_cut + len(packet.history), packet.history[-1].turn) == (71, 71)
    assert len(packet.history) > 1
    assert packet.history_cut > 0
    assert (len(packet.facts), packet.facts[-1].name) == (FINDINGS_SENT, "70-8")
    assert len(packet.tried) == FINDINGS_SENT
    assert len(packet.overrides) == OVERRIDES_KEPT
    assert max(len(Codec().encode(told)) for told in (packet, bench.view)) < MAX_RECORD_BYTES


def test_the_history_of_a_usual_packet_is_whole():
    said = {"customer_text": "x" * 500, "agent_text": "y" * 500}
    bench = after(escalating(turns_over=399), *(turn(number, **said) for number in range(1, 401)))
    assert [each.turn for each in bench.one(Handoff).history] == list(range(1, 401))


def test_a_transfer_is_one_packet_one_move_and_an_epoch():
    bench = transferred()
    moved = bench.one(Moved)
    assert (moved.from_pool, moved.to_pool, moved.epoch) == (Pool.AI_CONTAINED, Pool.HUMAN_EXCLUSIVE, 1)
    assert (moved.from_endpoint, moved.to_endpoint, moved.queue) == ("ada", None, "cards")
    assert moved.trigger == bench.one(Handoff).trigger
    assert (bench.view.epoch, bench.view.endpoint, bench.view.supervision) == (1, None, None)
    assert bench.view.transfer == Transferred(handoff_id="c-1/1", attempts=1)


def test_an_acknowledged_packet_is_sent_no_more():
    # D 1 2> a
    bench = transferred()
    assert bench.timer == DECIDED_AT + 15 * SECOND
    bench.run(ack(1), ack(1, by="kim"))
    assert bench.view.transfer == Transferred(
        handoff_id="c-1/1", attempts=1, acked_by="pat", acked_at=ack(1).occurred_at
    )
    assert bench.timer == DECIDED_AT + 24 * HOUR
    assert len(bench.all(Handoff)) == 1


def test_a_packet_without_acknowledgement_is_sent_again_and_then_is_one_alert():
    # D 1 2> * > * > * !
    bench = transferred()
    due = [bench.ring() for _ in range(3)]
    assert [at - DECIDED_AT for at in due] == [15 * SECOND, 30 * SECOND, 45 * SECOND]
    assert [packet.attempt for packet in bench.of(HANDOFFS)] == [1, 2, 3]
    assert {(packet.handoff_id, packet.epoch) for packet in bench.of(HANDOFFS)} == {("c-1/1", 1)}
    assert {packet.occurred_at for packet in bench.of(HANDOFFS)} == {turn(2).occurred_at}
    assert bench.view.transfer.attempts == 3
    (alert,) = bench.of(ALERTS)
    assert (alert.tenant, alert.interaction_id, alert.occurred_at) == ("acme", "c-1", due[-1])
    assert alert.alert is AlertKind.HANDOFF_UNACKNOWLEDGED
    assert "cards" in alert.detail
    assert "3 times" in alert.detail
    assert bench.timer == DECIDED_AT + 24 * HOUR
    bench.run(ack(1))
    assert bench.view.transfer.acked_by == "pat"
    bench.ring()
    assert (len(bench.of(HANDOFFS)), len(bench.of(ALERTS))) == (3, 1)


def test_an_acknowledgement_between_two_attempts_ends_them():
    # D 1 2> * > a
    bench = transferred()
    bench.ring()
    bench.run(ack(1))
    assert bench.view.transfer == Transferred(
        handoff_id="c-1/1", attempts=2, acked_by="pat", acked_at=ack(1).occurred_at
    )
    assert Wait.ACK not in bench.progress.waits


def test_the_policy_says_how_long_and_how_often():
    bench = transferred(of=policy(transfer=Transfer(ack_seconds=2.5, attempts=1)))
    assert bench.ring() == DECIDED_AT + 2_500_000
    assert (len(bench.of(HANDOFFS)), len(bench.of(ALERTS))) == (1, 1)


@pytest.mark.parametrize("epoch", [0, 2])
def test_an_acknowledgement_of_another_epoch_counts_for_nothing(epoch):
    bench = transferred()
    assert bench.feed(ack(epoch)) == []
    assert Wait.ACK in bench.progress.waits


def test_a_contact_that_ai_has_cannot_be_acknowledged():
    bench = after(decision())
    assert bench.feed(ack(0)) == []
    assert bench.story.acked_by is None


def test_what_the_agent_answers_after_the_transfer_is_refused_and_counted():
    # D 1 2> 3 4 4
    bench = transferred()
    bench.run(turn(3, agent_text="By the way"), turn(4), turn(4))
    first, second = bench.all(AnswerRefused)
    assert (first.endpoint, first.epoch, first.turn, first.session_epoch) == ("ada", 0, 3, 1)
    assert (first.tenant, first.occurred_at, second.turn) == ("acme", turn(3).occurred_at, 4)
    assert (bench.view.refused, bench.view.turns) == (2, 4)
    shown = {view.exchange.turn: view.exchange.refused for view in bench.all(TurnView)}
    assert shown == {1: False, 2: False, 3: True, 4: True}
    assert [outcome.turn for outcome in bench.of(AGENT_EVENTS)] == [1, 2, 3, 4]
    assert [each.turn for each in bench.one(Handoff).history] == [1, 2]


def test_an_answer_ahead_of_the_turn_that_leads_to_the_transfer_is_refused_all_the_same():
    # D 3 1 2>
    bench = after(escalating(**ASKS), turn(3), turn(1), turn(2, person_asked=True))
    assert [refused.turn for refused in bench.all(AnswerRefused)] == [3]
    assert [each.turn for each in bench.one(Handoff).history] == [1, 2]


def test_what_waits_for_earlier_turns_is_refused_as_soon_as_the_contact_is_moved():
    # D 1 3 L>: the breaker opens while turn 3 waits for turn 2.
    bench = after(escalating(breaker_opens=True), turn(1), turn(3), lost(4))
    assert [refused.turn for refused in bench.all(AnswerRefused)] == [3]
    assert HELD not in bench.state.entries
    assert Wait.TURNS not in bench.progress.waits
    bench.run(turn(2))
    assert [refused.turn for refused in bench.all(AnswerRefused)] == [3, 2]


def test_a_late_turn_that_failed_is_no_answer():
    bench = transferred()
    views = len(bench.all(SessionView))
    bench.run(turn(3, result=TurnResult.TIMEOUT), turn(4, result=TurnResult.CALLER_FAULT))
    assert bench.all(AnswerRefused) == []
    assert (bench.progress.refused, len(bench.all(SessionView))) == (0, views)
    assert [view.exchange.refused for view in bench.all(TurnView)] == [False] * 4
    assert [outcome.turn for outcome in bench.of(AGENT_EVENTS)] == [1, 2, 3, 4]


def test_packets_that_are_sent_again_leave_out_what_came_late():
    bench = transferred()
    bench.run(turn(3), turn(4, result=TurnResult.TIMEOUT, tried=("much",)))
    bench.ring()
    first, second = bench.all(Handoff)
    assert (second.history, second.tried) == (first.history, ())


@pytest.mark.parametrize("turns", [2, 3])
def test_a_completion_after_a_transfer_is_an_escalation(turns):
    bench = transferred()
    bench.run(turn(3), completed(turns, finished_by=FinishedBy.HUMAN))
    assert [record.handling for record in bench.of(CLOSED)] == [Handling.AI_ESCALATED]
    assert bench.of(CLOSED)[0].endpoint == "ada"
    assert (bench.view.closed, bench.view.epoch) == (Handling.AI_ESCALATED, 1)


def test_a_transfer_before_the_agent_has_said_anything_is_an_escalation():
    bench = after(escalating(breaker_opens=True), lost(4), completed(0, finished_by=FinishedBy.HUMAN))
    assert bench.of(CLOSED)[0].handling is Handling.AI_ESCALATED


def test_a_customer_who_leaves_after_a_transfer_has_abandoned():
    bench = transferred()
    bench.run(completed(2, finished_by=FinishedBy.CUSTOMER))
    assert bench.of(CLOSED)[0].handling is Handling.ABANDONED


def test_a_contact_that_is_over_is_not_transferred_and_its_packet_not_sent_again():
    # D 1 2> C *
    bench = transferred()
    bench.run(completed(2, finished_by=FinishedBy.HUMAN))
    assert bench.progress.waits == {Wait.EXPIRY: DECIDED_AT + 24 * HOUR}
    bench.run(ack(1), lost(9), turn(3), turn(4, person_asked=True))
    assert bench.view.transfer.acked_by == "pat"
    assert bench.view.refused == 2
    assert (len(bench.of(HANDOFFS)), len(bench.of(CLOSED))) == (1, 1)


def test_a_completion_ahead_of_the_turn_that_leads_to_the_transfer_tells_of_both():
    # D C 2 1>
    bench = after(escalating(**ASKS), completed(2, finished_by=FinishedBy.HUMAN), turn(2, person_asked=True), turn(1))
    assert [effect.topic for effect in bench.effects if effect.topic in {HANDOFFS, CLOSED}] == [HANDOFFS, CLOSED]
    assert bench.of(CLOSED)[0].handling is Handling.AI_ESCALATED
    assert set(bench.progress.waits) == {Wait.EXPIRY}


def test_turns_are_applied_without_one_that_does_not_come_for_30_seconds():
    # D 2 * 1: what the missing turn would have called for comes too late.
    bench = after(escalating(**ASKS), turn(2))
    assert bench.timer == DECIDED_AT + 30 * SECOND
    bench.ring()
    assert [view.exchange.turn for view in bench.all(TurnView)] == [2]
    bench.run(turn(1, person_asked=True), turn(3, person_asked=True))
    assert (bench.all(AnswerRefused), bench.one(Handoff).trigger.turn) == ([], 3)
    assert [each.turn for each in bench.one(Handoff).history] == [1, 2, 3]


def test_what_waits_for_earlier_turns_is_applied_at_the_end_whatever_is_missing():
    # D 3 C1
    bench = after(decision(), turn(3), completed(1))
    assert [view.exchange.turn for view in bench.all(TurnView)] == [3]
    assert (len(bench.of(CLOSED)), HELD in bench.state.entries) == (1, False)


def test_a_transfer_is_forgotten_with_its_contact():
    bench = transferred()
    bench.run(turn(3), ack(1), completed(3, finished_by=FinishedBy.HUMAN))
    bench.ring()
    assert (bench.state.entries, bench.timer) == ({}, None)


def test_an_alert_is_not_raised_without_a_transfer():
    bench = after(decision(), turn(1), completed(1))
    bench.ring()
    assert bench.all(Alert) == []
    assert {hit.trigger for view in bench.all(SessionView) for hit in view.triggers} == set()
    assert Trigger.REQUESTED not in bench.view.triggers
