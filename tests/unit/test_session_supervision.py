"""Supervision: D decided, S supervisor given, 1..n turns, ? verdict asked for, v verdict, > packet, * timer."""

from __future__ import annotations

import pytest

from processors.sessions.logic.book import REMARK_KEPT, Wait
from processors.sessions.logic.oversight import OVERRIDES_KEPT
from schemas.conversations import Handoff
from schemas.fields import Pool, Supervision, TurnResult
from schemas.rules import SupervisionPolicy, Triggers
from schemas.supervision import SupervisionEnded, SupervisionRequest, SupervisionResult, SupervisionWanted, VerdictKind
from schemas.topics import SUPERVISION_EVENTS, SUPERVISION_REQUESTS
from schemas.triggers import Trigger
from schemas.views import SessionView, TurnView
from tests.contacts import (
    DECIDED_AT,
    HOUR,
    SECOND,
    after,
    completed,
    decision,
    for_people,
    given,
    policy,
    turn,
    verdict,
    watched,
)

FULL, SEMI = Supervision.FULL, Supervision.SEMI
APPROVE, EDIT, REJECT, TAKE_OVER = VerdictKind
ASSIGNED = policy(supervision=SupervisionPolicy(sessions_per_supervisor=3, verdict_seconds=10.0))
QUICK = policy(supervision=SupervisionPolicy(verdict_seconds=10.0))
DEAR = Triggers(amount_over=100.0, topics=("legal",))
ASKS = Triggers(person_asked=True)


def asked(bench):
    """Turns for which a verdict was asked, and of whom."""
    return [(each.turn, each.supervisor) for each in bench.all(SupervisionRequest)]


def watching(bench):
    return [type(each) for each in bench.of(SUPERVISION_EVENTS)]


def test_fully_watched_each_answer_waits_and_what_failed_is_no_answer():
    bench = after(watched(FULL), turn(1), turn(2, result=TurnResult.TIMEOUT), turn(3))
    assert asked(bench) == [(1, None), (3, None)]
    assert bench.story.waiting == [1, 3]


def test_a_request_says_what_is_to_be_judged_and_until_when():
    said = turn(1, customer_text="It is gone", agent_text="Call the police")
    request = after(watched(FULL), said, of=QUICK).one(SupervisionRequest)
    assert (request.tenant, request.epoch, request.turn, request.endpoint) == ("acme", 0, 1, "ada")
    assert (request.queue, request.intent, request.why) == ("cards", "card_lost", ())
    assert (request.customer_text, request.agent_text) == ("It is gone", "Call the police")
    assert (request.occurred_at, request.due_at) == (said.occurred_at, said.occurred_at + 10 * SECOND)


def test_semi_autonomous_only_what_the_policy_names_waits_and_the_request_says_why():
    talk = [turn(1, amount=100.0), turn(2, amount=101.0), turn(3), turn(4, topics=("legal",), amount=500.0)]
    bench = after(watched(SEMI, DEAR), *talk)
    assert asked(bench) == [(2, None), (4, None)]
    first, second = bench.all(SupervisionRequest)
    assert [(hit.trigger, hit.detail, hit.turn) for hit in first.why] == [(Trigger.AMOUNT, "101 > 100", 2)]
    assert [hit.trigger for hit in second.why] == [Trigger.TOPIC, Trigger.AMOUNT]
    assert (bench.all(Handoff), bench.view.triggers) == ([], ())
    assert after(watched(SEMI, DEAR), turn(1, amount=999.0, result=TurnResult.TIMEOUT)).all(SupervisionRequest) == []


@pytest.mark.parametrize("opened", [watched(SEMI), decision(), for_people()])
def test_nothing_waits_where_nobody_approves(opened):
    bench = after(opened, *(turn(number, amount=1e6) for number in (1, 2)), of=QUICK)
    assert bench.of(SUPERVISION_REQUESTS) == []
    assert Wait.VERDICT not in bench.progress.waits


def test_an_answer_that_calls_for_a_person_waits_for_no_verdict():
    bench = after(watched(FULL, escalate=ASKS), turn(1, person_asked=True))
    assert (asked(bench), bench.one(Handoff).trigger.trigger) == ([], Trigger.PERSON_ASKED)


# -- supervisors


@pytest.mark.parametrize("supervision", [FULL, SEMI])
def test_a_supervisor_is_wanted_from_the_start_where_the_policy_has_them_assigned(supervision):
    wanted = after(watched(supervision), of=ASSIGNED).one(SupervisionWanted)
    assert (wanted.tenant, wanted.interaction_id, wanted.limit) == ("acme", "c-1", 3)
    assert wanted.occurred_at == DECIDED_AT
    assert watching(after(watched(supervision), of=QUICK)) == []


@pytest.mark.parametrize("opened", [decision(), for_people()])
def test_no_supervisor_is_wanted_where_nobody_is_to_watch(opened):
    assert watching(after(opened, of=ASSIGNED)) == []


def test_a_verdict_is_asked_for_once_it_is_known_of_whom():
    # D 1 S? 2? : turn 1 waits for the supervisor, turn 2 asks at once.
    bench = after(watched(FULL), turn(1), of=ASSIGNED)
    assert asked(bench) == []
    assert Wait.VERDICT in bench.progress.waits
    bench.run(given("sam"), turn(2), given("sam"))
    assert asked(bench) == [(1, "sam"), (2, "sam")]
    assert bench.view.supervisor == "sam"


def test_another_supervisor_is_asked_for_what_still_waits():
    # D S 1? 2? v1 S2 (2?) S1
    bench = after(
        watched(FULL), given("sam"), turn(1), turn(2), verdict(1), given("kim", 2), given("old", 1), of=ASSIGNED
    )
    assert asked(bench) == [(1, "sam"), (2, "sam"), (2, "kim")]
    assert bench.view.supervisor == "kim"


def test_without_any_supervisor_people_take_the_contact():
    bench = after(watched(FULL), turn(1), given(None), of=ASSIGNED)
    assert bench.one(Handoff).trigger.trigger is Trigger.NO_SUPERVISOR
    assert bench.one(Handoff).occurred_at == given(None).occurred_at
    assert watching(bench) == [SupervisionWanted, SupervisionEnded]
    assert (bench.view.pool, bench.view.supervisor) == (Pool.HUMAN_EXCLUSIVE, None)
    assert Wait.VERDICT not in bench.progress.waits
    bench.run(given("sam", 2), given(None, 3))
    assert (len(bench.all(Handoff)), asked(bench), bench.view.supervisor) == (1, [], None)


def test_a_supervisor_is_freed_once_by_a_transfer_and_not_again_by_the_end():
    bench = after(watched(FULL, escalate=ASKS), given("sam"), turn(1, person_asked=True), of=ASSIGNED)
    assert bench.one(SupervisionEnded).occurred_at == turn(1).occurred_at
    assert bench.view.supervisor is None
    bench.run(completed(1), completed(1))
    bench.ring()
    assert watching(bench) == [SupervisionWanted, SupervisionEnded]


def test_a_supervisor_is_freed_once_by_the_end():
    bench = after(watched(FULL), given("sam"), turn(1), completed(1), given(None, 2), verdict(1), of=ASSIGNED)
    assert bench.one(SupervisionEnded).occurred_at == completed(1).occurred_at
    assert (bench.all(Handoff), set(bench.progress.waits)) == ([], {Wait.EXPIRY})
    bench.ring()
    assert watching(bench) == [SupervisionWanted, SupervisionEnded]
    assert bench.state.entries == {}


def test_a_supervisor_of_a_contact_that_is_not_known_is_no_supervisor():
    bench = after(given("sam"))
    assert (bench.effects, bench.state.entries) == ([], {})


# -- verdicts


@pytest.mark.parametrize("kind", [APPROVE, EDIT, REJECT])
def test_a_verdict_ends_the_wait_and_is_told_to_the_platform(kind):
    said = verdict(1, kind, why="tone", text="I am so sorry")
    bench = after(watched(FULL), turn(1), said)
    result = bench.one(SupervisionResult)
    assert (result.epoch, result.turn, result.verdict, result.by) == (0, 1, kind, "sam")
    assert (result.text, result.occurred_at) == ("I am so sorry", said.occurred_at)
    assert (Wait.VERDICT in bench.progress.waits, bench.story.waiting) == (False, [])
    assert bench.timer == DECIDED_AT + 24 * HOUR
    assert [(view.revision, view.exchange.verdict) for view in bench.all(TurnView)] == [(1, None), (2, kind)]
    assert (bench.all(Handoff), bench.view.epoch) == ([], 0)


@pytest.mark.parametrize("kind", [EDIT, REJECT, TAKE_OVER])
def test_an_override_is_recorded_with_who_what_and_why(kind):
    said = verdict(1, kind, why="tone", text="I am so sorry", by="kim")
    (override,) = after(watched(FULL), turn(1), said).view.overrides
    assert (override.epoch, override.turn, override.verdict) == (0, 1, kind)
    assert (override.by, override.why, override.text) == ("kim", "tone", "I am so sorry")
    assert override.occurred_at == said.occurred_at


def test_an_approval_is_no_override():
    bench = after(watched(FULL), turn(1), verdict(1, APPROVE, why="fine"))
    assert (bench.view.overrides, len(bench.all(SessionView))) == ((), 1)


def test_the_first_verdict_on_an_answer_stands():
    bench = after(
        watched(FULL), turn(1), verdict(1, REJECT), verdict(1, APPROVE), verdict(1, TAKE_OVER), verdict(1, REJECT)
    )
    assert bench.one(SupervisionResult).verdict is REJECT
    assert [override.verdict for override in bench.view.overrides] == [REJECT]
    assert (bench.all(Handoff), bench.refused) == ([], [])


def test_who_takes_over_has_the_contact():
    # D 1? 2? v1>
    said = verdict(1, TAKE_OVER, why="I know her")
    bench = after(watched(FULL), turn(1), turn(2), said)
    packet = bench.one(Handoff)
    assert (packet.trigger.trigger, packet.trigger.detail) == (Trigger.TAKEN_OVER, "sam: I know her")
    assert (packet.trigger.turn, packet.occurred_at, packet.epoch) == (1, said.occurred_at, 1)
    assert [override.verdict for override in packet.overrides] == [TAKE_OVER]
    assert [each.verdict for each in packet.history] == [TAKE_OVER, None]
    assert (bench.story.waiting, Wait.VERDICT in bench.progress.waits) == ([], False)


def test_overrides_are_in_the_order_of_their_turns_and_bounded():
    turns = range(1, OVERRIDES_KEPT + 7)
    bench = after(watched(FULL), *map(turn, turns))
    bench.run(*(verdict(number, EDIT, why="y" * 9_000, text="t" * 90_000) for number in reversed(turns)))
    assert [override.turn for override in bench.view.overrides] == list(turns)[:OVERRIDES_KEPT]
    assert {(len(each.why), len(each.text)) for each in bench.view.overrides} == {(REMARK_KEPT + 1, REMARK_KEPT + 1)}
    assert {len(result.text) for result in bench.all(SupervisionResult)} == {90_000}


@pytest.mark.parametrize("said", [verdict(2), verdict(1, epoch=1), verdict(1, TAKE_OVER, epoch=7), verdict(999)])
def test_a_verdict_on_an_answer_that_is_not_known_is_refused(said):
    bench = after(watched(FULL), turn(1), said)
    assert bench.refused == [(said, "no_such_answer")]
    assert bench.story.waiting == [1]


def test_a_verdict_on_an_answer_that_waits_for_earlier_ones_is_refused():
    # D 2 v2 1: nobody was asked for it yet.
    assert after(watched(FULL), turn(2), verdict(2)).refused == [(verdict(2), "no_such_answer")]


def test_an_answer_without_a_verdict_in_time_sends_its_contact_to_people():
    # D 1? *>
    bench = after(watched(FULL), turn(1), of=QUICK)
    assert bench.ring() == DECIDED_AT + 10 * SECOND
    packet = bench.one(Handoff)
    assert (packet.trigger.trigger, packet.trigger.detail) == (Trigger.NO_VERDICT, "none within 10 s")
    assert packet.occurred_at == DECIDED_AT + 10 * SECOND


def test_an_answer_waits_its_own_time_and_not_that_of_the_one_before():
    # D 1? 2? v1 *>: turn 2 is 5 s younger than turn 1.
    bench = after(watched(FULL), of=QUICK)
    for number in (1, 2):
        bench.run(turn(number), now=turn(number).occurred_at)
    assert bench.timer == turn(1).occurred_at + 10 * SECOND
    bench.run(verdict(1), now=verdict(1).occurred_at)
    assert bench.ring() == turn(2).occurred_at + 10 * SECOND
    assert bench.one(Handoff).trigger.trigger is Trigger.NO_VERDICT


def test_the_verdict_on_the_younger_answer_leaves_the_wait_for_the_older():
    bench = after(watched(FULL), turn(1), turn(2), of=QUICK, now=turn(2).occurred_at)
    bench.run(verdict(2), now=verdict(2).occurred_at)
    assert bench.ring() == turn(2).occurred_at + 10 * SECOND
    assert bench.story.waiting == []


def test_a_verdict_after_a_transfer_is_recorded_and_changes_no_wait():
    # D 1? 2> v1: the packet's acknowledgement is still waited for.
    bench = after(watched(FULL, escalate=ASKS), turn(1), turn(2, person_asked=True))
    waits = bench.progress.waits
    bench.run(verdict(1, TAKE_OVER))
    assert bench.progress.waits == waits
    assert (len(bench.all(Handoff)), bench.view.epoch) == (1, 1)
    assert [override.verdict for override in bench.view.overrides] == [TAKE_OVER]
    assert bench.one(SupervisionResult).verdict is TAKE_OVER


def test_a_verdict_after_the_end_is_recorded_and_moves_nothing():
    bench = after(watched(FULL), turn(1), completed(1), verdict(1, TAKE_OVER))
    assert (bench.all(Handoff), bench.one(SupervisionResult).verdict) == ([], TAKE_OVER)
    assert set(bench.progress.waits) == {Wait.EXPIRY}


def test_an_answer_after_the_end_waits_for_nobody():
    bench = after(watched(FULL), turn(1), completed(1), turn(2))
    assert asked(bench) == [(1, None)]


def test_a_supervisor_may_take_over_where_ai_is_on_its_own():
    bench = after(decision(), turn(1), verdict(1, TAKE_OVER))
    assert bench.one(Handoff).trigger.trigger is Trigger.TAKEN_OVER
