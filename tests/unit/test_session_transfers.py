"""Warm transfers: the acknowledgement of packets, and the fence. D decided, 1..n turns, > packet, a ack, * timer."""

from __future__ import annotations

import pytest

from processors.sessions.logic.book import HELD, Wait
from schemas.conversations import Alert, AlertKind, AnswerRefused, Handoff, Moved
from schemas.fields import FinishedBy, Handling, Pool, TurnResult
from schemas.rules import Transfer
from schemas.topics import AGENT_EVENTS, ALERTS, CLOSED, HANDOFFS
from schemas.triggers import Trigger
from schemas.views import SessionView, Transferred, TurnView
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
    turn,
)

ASKS = {"person_asked": True}


def transferred(of=None, **changes):
    """D 1 2>: the second turn asks for a person."""
    return after(escalating(**ASKS, **changes), turn(1), turn(2, person_asked=True), of=of)


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


@pytest.mark.parametrize("by_timer", [True, False])
def test_what_waits_for_earlier_turns_is_refused_as_soon_as_the_contact_is_moved(by_timer):
    # D 1 3 L> or D 1 3 *>: the breaker opens, or the policy's time is over, while turn 3 waits for turn 2.
    bench = after(escalating(breaker_opens=True, seconds_over=20.0), turn(1), turn(3))
    if by_timer:
        bench.ring()
    else:
        bench.run(lost(4))
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
    bench.run(turn(1), turn(2))
    assert (bench.view.turns, bench.view.revision) == (3, 4)


def test_what_the_customer_says_after_the_end_calls_for_nobody():
    asked = [turn(number, person_asked=True, intent="fraud") for number in (1, 2)]
    bench = after(escalating(**ASKS), completed(0), *asked)
    assert (bench.all(Handoff), bench.all(AnswerRefused), bench.view.epoch) == ([], [], 0)
    assert set(bench.progress.waits) == {Wait.EXPIRY}


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
