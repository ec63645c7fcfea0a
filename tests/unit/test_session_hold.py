"""Contacts that wait for room among people. D decided, R released, C completed, * timer."""

from __future__ import annotations

import pytest

from processors.sessions.logic.book import PROGRESS, Progress, load
from processors.sessions.story import lines, told
from schemas.conversations import Handoff, Moved
from schemas.fields import Disposition, FinishedBy, Handling, Pool
from schemas.interactions import Offered
from schemas.topics import ASSIGNMENTS, CLOSED, WFM_EVENTS
from schemas.triggers import Trigger
from schemas.wfm import Held
from tests.contacts import (
    DECIDED_AT,
    HOLD_UNTIL,
    HOUR,
    OFFERED_AT,
    SECOND,
    Bench,
    after,
    completed,
    decision,
    for_people,
    held,
    released,
    request,
    word,
)  # fmt: skip

LEFT = completed(0, finished_by=FinishedBy.CUSTOMER)


def holds(bench: Bench) -> list[tuple[bool, int]]:
    """Of each word on the hold whether it is over, and when."""
    return [(each.over, each.occurred_at) for each in bench.all(Held)]


def test_a_contact_that_is_held_is_told_staffing_with_what_its_place_depends_on():
    bench = after(held())
    told_of = bench.one(Held)
    assert (told_of.tenant, told_of.interaction_id, told_of.queue) == ("acme", "c-1", "cards")
    assert (told_of.priority, told_of.offered_at, told_of.hold_until) == (2, OFFERED_AT, HOLD_UNTIL)
    assert (told_of.over, told_of.occurred_at) == (False, DECIDED_AT)
    assert bench.timer == HOLD_UNTIL
    assert bench.of(ASSIGNMENTS) == []


def test_a_contact_that_is_released_moves_to_the_people_of_its_queue_once():
    # D R R *
    bench = after(held(), released(), released(), released(DECIDED_AT + 50 * SECOND))
    moved = bench.one(Moved)
    assert (moved.from_pool, moved.to_pool, moved.queue) == (Pool.HUMAN_EXCLUSIVE, Pool.HUMAN_EXCLUSIVE, "cards")
    assert (moved.epoch, moved.from_endpoint, moved.to_endpoint) == (0, None, None)
    assert (moved.trigger.trigger, moved.trigger.detail, moved.occurred_at) == (
        Trigger.RELEASED, "spare", released().occurred_at,
    )  # fmt: skip
    assert holds(bench) == [(False, DECIDED_AT), (True, released().occurred_at)]
    first, last = bench.all(Held)
    assert (last.hold_until, last.priority, last.queue) == (first.hold_until, first.priority, first.queue)
    assert bench.timer == DECIDED_AT + 24 * HOUR
    assert [each.trigger for each in bench.view.triggers] == [Trigger.RELEASED]
    assert (bench.all(Handoff), bench.refused) == ([], [])


def test_without_room_it_moves_when_it_has_been_held_for_as_long_as_it_may_be():
    # D * R
    bench = after(held())
    assert bench.ring() == HOLD_UNTIL
    bench.ring(HOLD_UNTIL)
    bench.run(released(HOLD_UNTIL + SECOND), now=HOLD_UNTIL)
    assert (bench.one(Moved).trigger.trigger, bench.one(Moved).occurred_at) == (Trigger.HOLD_ENDED, HOLD_UNTIL)
    assert holds(bench) == [(False, DECIDED_AT), (True, HOLD_UNTIL)]
    assert bench.timer == DECIDED_AT + 24 * HOUR


@pytest.mark.parametrize("by", [FinishedBy.CUSTOMER, FinishedBy.HUMAN])
def test_a_contact_that_ends_while_it_is_held_waits_no_more_and_moves_nowhere(by: FinishedBy):
    # D C R *
    ended = completed(0, finished_by=by)
    bench = after(held(), ended, ended, released())
    assert bench.all(Moved) == []
    assert holds(bench) == [(False, DECIDED_AT), (True, ended.occurred_at)]
    (closed,) = bench.of(CLOSED)
    assert closed.handling is (Handling.HUMAN_ONLY if by is FinishedBy.HUMAN else Handling.ABANDONED)
    assert bench.timer == DECIDED_AT + 24 * HOUR
    bench.ring()
    assert (bench.state.entries, bench.timer) == ({}, None)


def test_a_contact_that_ends_after_its_release_is_told_no_second_time():
    bench = after(held(), released(), completed(0, finished_by=FinishedBy.HUMAN), released())
    assert len(bench.all(Held)) == 2
    assert len(bench.all(Moved)) == 1


def test_a_hold_longer_than_a_contacts_life_ends_with_it():
    bench = after(held(hold_until=DECIDED_AT + 25 * HOUR))
    assert bench.ring() == DECIDED_AT + 24 * HOUR
    assert holds(bench)[-1] == (True, DECIDED_AT + 24 * HOUR)
    assert (bench.all(Moved), len(bench.of(CLOSED))) == ([], 1)


def test_a_hold_that_ends_as_the_contact_expires_is_over_before_it():
    bench = after(held(hold_until=DECIDED_AT + 24 * HOUR))
    bench.ring()
    assert holds(bench)[-1] == (True, DECIDED_AT + 24 * HOUR)
    assert (len(bench.all(Held)), len(bench.all(Moved)), len(bench.of(CLOSED))) == (2, 1, 1)


@pytest.mark.parametrize(
    "decided",
    [
        for_people(disposition=Disposition.HOLD),
        for_people(hold_until=HOLD_UNTIL),
        for_people(disposition=Disposition.CALLBACK, hold_until=HOLD_UNTIL),
        decision(disposition=Disposition.HOLD, hold_until=HOLD_UNTIL),
    ],
    ids=["no end", "not held", "callback", "with AI"],
)
def test_only_a_contact_for_people_with_an_end_of_its_hold_is_held(decided):
    bench = after(decided, released())
    assert (bench.all(Held), bench.all(Moved), bench.refused) == ([], [], [])
    assert bench.timer == DECIDED_AT + 24 * HOUR


def test_a_release_of_a_contact_that_is_not_known_is_nothing():
    bench = after(released())
    assert (bench.effects, bench.refused, bench.state.entries) == ([], [], {})


def test_the_same_decision_again_holds_nothing_again():
    bench = after(held(), held(), released(), held())
    assert len(bench.all(Held)) == 2
    assert len(bench.all(Moved)) == 1


def test_a_held_contact_that_a_person_gives_to_ai_waits_no_more():
    # D >: another agent is sought
    asked = request(Pool.AI_CONTAINED)
    bench = after(held(), asked, released(DECIDED_AT + 35 * SECOND), word(1))
    assert holds(bench) == [(False, DECIDED_AT), (True, asked.occurred_at)]
    assert len(bench.all(Offered)) == 1
    assert [(each.to_endpoint, each.trigger.trigger) for each in bench.all(Moved)] == [("eve", Trigger.REQUESTED)]
    assert "hold" not in load(bench.state, PROGRESS, Progress).waits


def test_a_word_on_another_agent_that_holds_gives_the_contact_to_people_as_ever():
    nobody = {"endpoint": None, "provider": None, "pool": Pool.HUMAN_EXCLUSIVE, "supervision": None}
    bench = after(for_people(), request(Pool.AI_CONTAINED))
    bench.run(word(1, **nobody, disposition=Disposition.HOLD, hold_until=HOLD_UNTIL))
    assert bench.all(Held) == []
    assert bench.one(Handoff).trigger.trigger is Trigger.NO_AGENT


def test_a_held_contact_is_one_in_progress_until_it_ends():
    bench = after(held(), released(), LEFT)
    moves = [(each.from_handling, each.to_handling) for each in bench.of(WFM_EVENTS) if not isinstance(each, Held)]
    assert moves == [(None, Handling.IN_PROGRESS), (Handling.IN_PROGRESS, Handling.ABANDONED)]


def test_the_story_of_a_contact_tells_of_its_hold_and_what_ended_it():
    bench = after(held(notice="We are a little slower today."), released())
    story = list(lines(told([held(notice="We are a little slower today."), released(), *bench.all(Moved)])))
    assert any(line.endswith("held until 1999-03-24T10:40:02Z at most, priority 2") for line in story)
    assert any(line.endswith("notice We are a little slower today.") for line in story)
    happened = [line[28:] for line in story if not line.startswith(" ")]
    assert happened[1:] == [
        "hold over    room in cards: spare",
        "moved        human_exclusive -> human_exclusive, queue cards, epoch 0: released (spare)",
    ]
