"""The router's word on another agent comes when somebody else has the contact already. D decided, > packet, * timer."""

from __future__ import annotations

from schemas.conversations import AnswerRefused, Handoff, Moved
from schemas.fields import FinishedBy, Pool
from schemas.interactions import Closed, TimerDue
from schemas.topics import AGENT_EVENTS, ASSIGNMENTS, CLOSED, HANDOFFS
from schemas.triggers import Trigger
from tests.contacts import DECIDED_AT, SECOND, after, completed, decision, turn, word

AFTER_THE_WAIT = DECIDED_AT + 31 * SECOND


def given_up():
    """D 1? *: another agent is sought, nobody answers, people take the contact."""
    bench = after(decision(), turn(1, intent="fraud"))
    bench.run(TimerDue(interaction_id="c-1", due_at=bench.timer), now=AFTER_THE_WAIT)
    assert [packet.trigger.trigger for packet in bench.of(HANDOFFS)] == [Trigger.NO_AGENT]
    return bench


def of(bench, kind):
    return [event for event in bench.of(ASSIGNMENTS) if isinstance(event, kind)]


def test_an_agent_that_is_named_too_late_is_told_once_that_it_has_lost_the_contact():
    bench = given_up()
    told = len(of(bench, Moved))
    bench.run(word(1), word(1), now=AFTER_THE_WAIT)
    (lost,) = of(bench, Moved)[told:]
    assert (lost.from_endpoint, lost.to_endpoint, lost.epoch) == (word(1).endpoint, None, 2)
    assert (lost.from_pool, lost.to_pool) == (Pool.HUMAN_EXCLUSIVE, Pool.HUMAN_EXCLUSIVE)
    assert len(bench.of(HANDOFFS)) == 1
    assert isinstance(bench.of(HANDOFFS)[0], Handoff)


def test_what_it_says_all_the_same_is_refused_and_counts_for_its_health():
    bench = given_up()
    bench.run(word(1), turn(1, epoch=1, endpoint=word(1).endpoint), now=AFTER_THE_WAIT)
    assert bench.refused == []
    (refused,) = of(bench, AnswerRefused)
    assert (refused.endpoint, refused.epoch) == (word(1).endpoint, 1)
    assert bench.of(AGENT_EVENTS)[-1].endpoint == word(1).endpoint


def test_the_contacts_last_record_names_the_agent_that_had_it():
    bench = given_up()
    bench.run(word(1), completed(1, finished_by=FinishedBy.HUMAN), now=AFTER_THE_WAIT)
    (closed,) = bench.of(CLOSED)
    assert isinstance(closed, Closed)
    assert closed.endpoint == "ada"


def test_a_word_for_people_that_comes_too_late_is_told_nobody():
    bench = given_up()
    told = len(bench.effects)
    nobody = {"endpoint": None, "endpoint_version": None, "provider": None, "supervision": None}
    bench.run(word(1, pool=Pool.HUMAN_EXCLUSIVE, **nobody), now=AFTER_THE_WAIT)
    assert len(bench.effects) == told


def test_a_word_about_the_epoch_in_which_people_have_the_contact_gives_it_to_nobody():
    bench = given_up()
    told = len(bench.effects)
    bench.run(word(2), now=AFTER_THE_WAIT)
    assert len(bench.effects) == told
    bench.run(turn(1, epoch=2, endpoint=word(2).endpoint), now=AFTER_THE_WAIT)
    assert [reason for _, reason in bench.refused] == ["wrong_endpoint"]
