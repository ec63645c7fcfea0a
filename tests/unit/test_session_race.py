"""The parallel position: agent and people race. D decided, A and P claims, 1..n turns, > packet, a ack, * timer."""

from __future__ import annotations

import pytest

from processors.sessions.logic.book import Stage, Wait
from processors.sessions.logic.race import ROUNDS_MOST
from schemas.conversations import AnswerRefused, Assignment, Handoff, Moved, Side
from schemas.fields import FinishedBy, Handling, Pool, TurnResult
from schemas.interactions import Closed
from schemas.rules import Parallel
from schemas.topics import ASSIGNMENTS
from schemas.triggers import Trigger
from tests.contacts import (
    DECIDED_AT,
    HOUR,
    SECOND,
    ack,
    after,
    claim,
    completed,
    decision,
    escalating,
    for_people,
    lost,
    policy,
    request,
    turn,
)

AI, PEOPLE = Side
EXPIRES = 20 * SECOND
QUICK = policy(parallel=Parallel(claim_seconds=2.0))


def race(*events, of=None, **changes):
    return after(decision(parallel=True, **changes), *events, of=of)


def winners(bench):
    return [(each.round, each.winner, each.released) for each in bench.all(Assignment)]


def test_while_nobody_has_claimed_a_contact_both_may():
    bench = race()
    assert (bench.progress.stage, bench.all(Assignment)) == (Stage.RACING, [])
    assert bench.timer == DECIDED_AT + EXPIRES
    assert race(of=policy()).timer == DECIDED_AT + EXPIRES
    assert race(of=QUICK).timer == DECIDED_AT + 2 * SECOND


def test_the_agent_wins_by_the_first_claim_and_the_person_is_released_once():
    # D A P A 1
    bench = race(claim(AI, "ada"), claim(PEOPLE, "pat"), claim(AI, "ada"), turn(1))
    won = bench.one(Assignment)
    assert (won.round, won.winner, won.claimant, won.released) == (0, AI, "ada", PEOPLE)
    assert (won.reason, won.tenant, won.occurred_at) == ("claimed", "acme", claim(AI, "ada").occurred_at)
    assert won.expires_at == won.occurred_at + EXPIRES
    assert (bench.view.pool, bench.view.epoch, bench.view.endpoint) == (Pool.AI_CONTAINED, 0, "ada")
    assert bench.timer == DECIDED_AT + 24 * HOUR
    assert (bench.all(Moved), bench.all(Handoff)) == ([], [])


def test_a_person_wins_by_the_first_claim_and_the_agent_is_released_once_and_fenced():
    # D P A 1 a
    bench = race(claim(PEOPLE, "pat"), claim(AI, "ada"), claim(PEOPLE, "kim"), turn(1))
    won = bench.one(Assignment)
    assert (won.round, won.winner, won.claimant, won.released) == (0, PEOPLE, "pat", AI)
    moved = bench.one(Moved)
    assert (moved.trigger.trigger, moved.trigger.detail, moved.epoch) == (Trigger.PERSON_CLAIMED, "pat", 1)
    assert (moved.from_endpoint, moved.to_pool) == ("ada", Pool.HUMAN_EXCLUSIVE)
    assert bench.one(AnswerRefused).turn == 1
    assert (bench.view.pool, bench.view.epoch, bench.view.refused) == (Pool.HUMAN_EXCLUSIVE, 1, 1)
    assert [effect.event for effect in bench.effects if effect.topic is ASSIGNMENTS][:2] == [won, moved]


def test_the_person_who_won_needs_no_packet_and_confirms_the_claim():
    bench = race(claim(PEOPLE, "pat"))
    assert bench.timer == DECIDED_AT + EXPIRES
    bench.run(ack(1), ack(1))
    assert (bench.timer, bench.all(Handoff), bench.view.transfer) == (DECIDED_AT + 24 * HOUR, [], None)
    assert bench.story.acked_by == "pat"


@pytest.mark.parametrize(
    ("claimant", "turns", "handling"),
    [("pat", 0, Handling.HUMAN_ONLY), ("pat", 1, Handling.AI_ESCALATED), (None, 0, Handling.AI_ESCALATED)],
)
def test_a_contact_that_a_person_won_was_people_s_own_unless_the_agent_spoke(claimant, turns, handling):
    bench = race(*([claim(PEOPLE, claimant)] if claimant else []))
    bench.run(*map(turn, range(1, turns + 1)), completed(turns, finished_by=FinishedBy.HUMAN))
    assert bench.one(Closed).handling is handling


def test_a_turn_claims_the_contact_for_its_agent_and_confirms_the_claim():
    # D 1 P
    bench = race(turn(1), claim(PEOPLE, "pat"))
    assert winners(bench) == [(0, AI, PEOPLE)]
    assert bench.one(Assignment).occurred_at == turn(1).occurred_at
    assert Wait.CLAIM not in bench.progress.waits
    bench.run(turn(2))
    assert len(bench.all(Assignment)) == 1


@pytest.mark.parametrize("to_come", [1, 2, 9])
def test_a_claim_of_a_round_that_is_not_this_one_counts_for_nothing(to_come):
    bench = race()
    assert bench.feed(claim(PEOPLE, "pat", to_come)) == []
    assert bench.feed(claim(AI, "ada", to_come)) == []


def test_a_claim_of_another_agent_is_refused_and_the_race_goes_on():
    wrong = claim(AI, "eve")
    bench = race(wrong, claim(PEOPLE, "pat"))
    assert bench.refused == [(wrong, "wrong_claimant")]
    assert winners(bench) == [(0, PEOPLE, AI)]


@pytest.mark.parametrize("opened", [decision(), for_people(), for_people(parallel=True)])
@pytest.mark.parametrize("said", [claim(AI, "ada"), claim(PEOPLE, "pat"), claim(AI, "eve")])
def test_a_claim_without_a_race_changes_nothing(opened, said):
    bench = after(opened)
    entries = dict(bench.state.entries)
    assert bench.feed(said) == []
    assert (bench.state.entries, bench.refused) == (entries, [])


@pytest.mark.parametrize("said", [claim(AI, "ada"), claim(PEOPLE, "pat")])
def test_a_claim_after_the_end_changes_nothing(said):
    bench = race(completed(0), said)
    assert (bench.all(Assignment), set(bench.progress.waits)) == ([], {Wait.EXPIRY})


def test_an_agent_that_claims_and_never_speaks_has_the_race_opened_again_and_is_out_after_three_rounds():
    # D A * A * A *>
    bench, reopened = race(), []
    for number in range(ROUNDS_MOST):
        bench.run(claim(AI, "ada", number), claim(PEOPLE, "late", number), now=bench.timer - EXPIRES)
        assert bench.progress.stage is Stage.AI
        reopened.append(bench.ring())
    first, second = [each for each in bench.all(Assignment) if each.winner is None]
    assert (first.round, first.released, first.claimant, first.reason) == (1, None, None, "claim_expired")
    assert (first.occurred_at, first.expires_at, second.round) == (reopened[0], None, 2)
    assert winners(bench) == [(0, AI, PEOPLE), (1, None, None), (1, AI, PEOPLE), (2, None, None), (2, AI, PEOPLE)]
    packet = bench.one(Handoff)
    assert (packet.trigger.trigger, packet.trigger.detail) == (Trigger.UNCLAIMED, "the claim of ai is void")
    assert (packet.epoch, packet.occurred_at) == (1, reopened[-1])


def test_in_a_new_round_the_person_may_win_and_an_old_claim_counts_no_more():
    # D A * A0 P0 P1
    bench = race(claim(AI, "ada"))
    bench.ring()
    assert bench.timer == DECIDED_AT + 2 * EXPIRES
    assert bench.feed(claim(AI, "ada")) == []
    assert bench.feed(claim(PEOPLE, "pat")) == []
    bench.run(claim(PEOPLE, "pat", 1))
    assert winners(bench) == [(0, AI, PEOPLE), (1, None, None), (1, PEOPLE, AI)]


def test_a_turn_claims_a_round_that_was_opened_again():
    # D A * 1
    bench = race(claim(AI, "ada"))
    bench.ring()
    bench.run(turn(1))
    assert winners(bench) == [(0, AI, PEOPLE), (1, None, None), (1, AI, PEOPLE)]
    assert Wait.CLAIM not in bench.progress.waits


def test_a_person_who_claims_and_never_confirms_leaves_the_contact_to_the_queue():
    # D P *> a
    bench = race(claim(PEOPLE, "pat"))
    bench.ring()
    packet = bench.one(Handoff)
    assert (packet.trigger.trigger, packet.trigger.detail) == (Trigger.UNCLAIMED, "the claim of people is void")
    assert (packet.epoch, packet.queue, packet.endpoint) == (2, "cards", "ada")
    assert [(move.from_endpoint, move.epoch) for move in bench.all(Moved)] == [("ada", 1), (None, 2)]
    assert bench.feed(ack(1)) == []
    bench.run(ack(2), turn(1))
    assert (bench.view.transfer.acked_by, bench.view.refused) == ("pat", 1)
    assert bench.timer == DECIDED_AT + 24 * HOUR


def test_a_contact_that_nobody_claims_goes_to_the_queue():
    # D *>
    bench = race()
    assert bench.ring() == DECIDED_AT + EXPIRES
    packet = bench.one(Handoff)
    assert (packet.trigger.trigger, packet.trigger.detail) == (Trigger.UNCLAIMED, "nobody claimed it")
    bench.run(turn(1), claim(AI, "ada"), claim(PEOPLE, "pat"))
    assert bench.one(AnswerRefused).turn == 1
    assert bench.all(Assignment) == []


def test_answers_that_wait_for_earlier_ones_are_refused_when_a_person_wins():
    # D 2 P 1
    bench = race(turn(2), claim(PEOPLE, "pat"), turn(1))
    assert [refused.turn for refused in bench.all(AnswerRefused)] == [2, 1]
    assert Wait.TURNS not in bench.progress.waits


def test_a_race_ends_with_its_contact():
    bench = race(completed(0, finished_by=FinishedBy.CUSTOMER))
    assert (bench.one(Closed).handling, bench.timer) == (Handling.ABANDONED, DECIDED_AT + 24 * HOUR)
    bench.ring()
    assert bench.state.entries == {}


def test_people_may_take_a_contact_that_is_raced_for():
    bench = race(request(Pool.HUMAN_EXCLUSIVE), claim(AI, "ada"))
    assert bench.one(Handoff).trigger.trigger is Trigger.REQUESTED
    assert (bench.all(Assignment), Wait.CLAIM in bench.progress.waits) == ([], False)


def test_a_lost_agent_is_out_of_the_race():
    bench = after(escalating(breaker_opens=True, parallel=True), lost(4), claim(AI, "ada"))
    assert bench.one(Handoff).trigger.trigger is Trigger.BREAKER_OPEN
    assert bench.all(Assignment) == []


def test_claims_ahead_of_the_decision_count_in_their_order():
    # P A D
    bench = after(claim(PEOPLE, "pat"), claim(AI, "ada"), turn(1), decision(parallel=True))
    assert winners(bench) == [(0, PEOPLE, AI)]
    assert bench.one(AnswerRefused).turn == 1


def test_what_the_agent_does_after_its_claim_is_as_ever():
    bench = after(escalating(failures_over=0, parallel=True), claim(AI, "ada"), turn(1, result=TurnResult.TIMEOUT))
    assert bench.one(Handoff).trigger.trigger is Trigger.AI_ERROR
    assert Wait.CLAIM not in bench.progress.waits
