"""What the packet of a warm transfer holds. D decided, 1..n turns, s channel switched, > packet."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from processors.sessions.logic.book import REMARK_KEPT, TEXT_KEPT
from processors.sessions.logic.effects import handoff_id
from processors.sessions.logic.oversight import OVERRIDES_KEPT
from processors.sessions.logic.transfer import FINDINGS_SENT
from runtime.kafka import MAX_RECORD_BYTES
from schemas.codec import Codec
from schemas.conversations import Handoff
from schemas.fields import MAX_ID, Channel, Supervision, TurnResult
from schemas.interactions import Customer, Fact
from schemas.rules import Triggers
from schemas.supervision import VerdictKind
from schemas.topics import AGENT_EVENTS, HANDOFFS, endpoint_key
from schemas.views import SessionView
from tests.contacts import (
    DECIDED_AT,
    SECOND,
    Bench,
    ack,
    after,
    decision,
    escalating,
    lost,
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


def test_readers_accept_all_that_is_told_of_a_contact_whose_names_are_as_long_as_they_may_be():
    # D 1 2> a
    longest = {"interaction_id": "i" * MAX_ID, "tenant": "t" * MAX_ID}
    names = {"queue": "q" * MAX_ID, "endpoint": "e" * MAX_ID, "decision_id": "d" * MAX_ID}
    bench = Bench()
    asked = {"endpoint": names["endpoint"], "version": "v" * MAX_ID}
    bench.run(
        replace(escalating(**ASKS), **longest, **names),
        replace(turn(1), **longest, **asked),
        replace(turn(2, person_asked=True), **longest, **asked),
        replace(ack(1, by="p" * MAX_ID), **longest),
    )
    codec = Codec()
    told = [effect.event for effect in bench.effects if effect.event is not None]
    assert [codec.decode(codec.encode(event)) for event in told] == told
    (packet,) = bench.of(HANDOFFS)
    assert bench.view.transfer.handoff_id == packet.handoff_id
    assert packet.handoff_id != handoff_id(packet.interaction_id, 2)


def test_the_clock_tells_of_the_loss_of_an_agent_whose_key_is_as_long_as_it_may_be():
    codec, event = Codec(), lost(3, agent=endpoint_key("t" * MAX_ID, "e" * MAX_ID))
    assert codec.decode(codec.encode(event)) == event
