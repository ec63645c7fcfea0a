"""What is found of a contact, told of the agent that had it. D decided, 1..n turns, F feedback, C ended."""

from __future__ import annotations

import itertools

import pytest

from processors.sessions.logic.feedback import GRADES_KEPT
from processors.sessions.story import lines, told
from processors.staffing.logic import Staffing
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas.agents import Graded
from schemas.conversations import Side
from schemas.fields import Channel, FinishedBy, GradedBy, Handling, Pool
from schemas.interactions import Closed
from schemas.topics import AGENT_EVENTS
from schemas.wfm import Finding
from tests.contacts import (
    DECIDED_AT,
    HOUR,
    SECOND,
    after,
    claim,
    completed,
    decision,
    escalating,
    eve,
    feedback,
    for_people,
    request,
    turn,
    word,
)  # fmt: skip


def test_feedback_is_told_of_the_agent_that_had_the_contact():
    said = feedback(resolved=False, csat=2, hallucination=True, repeat_contact=True)
    graded = after(decision(), turn(1), completed(1), said).one(Graded)
    assert (graded.provider, graded.endpoint, graded.version, graded.breaker_epoch) == ("north", "ada", "7", 3)
    assert (graded.tenant, graded.channel, graded.intent, graded.queue) == ("acme", Channel.CHAT, "card_lost", "cards")
    assert (graded.by, graded.resolved, graded.csat) == (GradedBy.QA, False, 2)
    assert (graded.hallucination, graded.repeat_contact) == (True, True)
    assert (graded.handled_at, graded.occurred_at) == (DECIDED_AT, said.occurred_at)


def test_what_comes_before_the_end_waits_for_it():
    # D F 1 C: who has had the contact is not known before
    bench = after(decision(), feedback(), turn(1))
    assert bench.all(Graded) == []
    bench.run(completed(1))
    assert bench.one(Graded).endpoint == "ada"


@pytest.mark.parametrize("log", list(itertools.permutations(range(4))))
def test_in_any_order_and_any_number_each_finding_is_told_once(log: tuple[int, ...]):
    events = [turn(1), completed(1), feedback(), feedback(GradedBy.CUSTOMER, csat=5)]
    bench = after(*(events[at] for at in log), decision(), *(events[at] for at in log), feedback())
    assert sorted(each.by for each in bench.all(Graded)) == ["customer", "qa"]
    assert sorted(each.by for each in bench.all(Finding)) == ["customer", "qa"]
    assert bench.refused == []


def test_what_is_ahead_of_the_decision_waits_for_it():
    bench = after(feedback(), decision(), turn(1), completed(1))
    assert len(bench.all(Graded)) == 1


def test_findings_that_differ_in_anything_are_told_each():
    said = [
        feedback(), feedback(GradedBy.PLATFORM), feedback(resolved=None), feedback(csat=4),
        feedback(hallucination=False), feedback(repeat_contact=False), feedback(occurred_at=DECIDED_AT),
    ]  # fmt: skip
    bench = after(decision(), turn(1), *said[:3], completed(1), *said[3:], *said)
    assert len(bench.all(Graded)) == len(said)


@pytest.mark.parametrize(
    "events",
    [
        (for_people(), completed(0, finished_by=FinishedBy.HUMAN)),
        (decision(), completed(0, finished_by=FinishedBy.CUSTOMER)),
        (decision(parallel=True), claim(Side.PEOPLE, "pat"), completed(0, finished_by=FinishedBy.HUMAN)),
    ],
    ids=["people", "left before", "race lost"],
)
def test_of_a_contact_that_no_agent_had_nothing_is_told_to_the_health_monitor_and_the_finding_to_wfm(events):
    opened, *others = events
    before = after(opened, feedback(), *others)
    behind = after(opened, *others, feedback(), feedback())
    assert (before.of(AGENT_EVENTS), behind.of(AGENT_EVENTS)) == ([], [])
    assert before.one(Finding) == behind.one(Finding)
    assert before.one(Finding).handling == before.one(Closed).handling
    assert (before.refused, behind.refused) == ([], [])
    assert before.story == behind.story


def test_a_finding_has_the_names_under_which_the_contact_is_counted_and_how_it_ended():
    said = feedback(GradedBy.CUSTOMER, resolved=False, csat=2, hallucination=True, repeat_contact=True)
    moved = (escalating(person_asked=True), turn(1, person_asked=True), said)
    finding = after(*moved, completed(1, finished_by=FinishedBy.HUMAN)).one(Finding)
    assert (finding.tenant, finding.interaction_id, finding.queue, finding.intent) == (
        "acme", "c-1", "cards", "card_lost",
    )  # fmt: skip
    assert (finding.channel, finding.language, finding.pool) == (Channel.CHAT, "en", Pool.AI_CONTAINED)
    assert (finding.handling, finding.by, finding.resolved, finding.csat) == (
        Handling.AI_ESCALATED, GradedBy.CUSTOMER, False, 2,
    )  # fmt: skip
    assert (finding.hallucination, finding.repeat_contact) == (True, True)
    assert finding.occurred_at == said.occurred_at


def test_of_a_contact_that_nobody_completes_the_finding_is_told_when_it_is_given_up():
    bench = after(decision(), turn(1), feedback())
    assert bench.all(Finding) == []
    bench.ring()
    assert bench.one(Finding).handling is Handling.ABANDONED


def test_it_is_told_of_the_last_agent_that_spoke():
    handed = (decision(), turn(1, intent="fraud"), feedback(), word(1))
    graded = after(*handed, eve(1), completed(2)).one(Graded)
    assert (graded.endpoint, graded.intent, graded.queue, graded.breaker_epoch) == ("eve", "fraud", "fraud_desk", 5)
    graded = after(*handed, completed(1, finished_by=FinishedBy.CUSTOMER)).one(Graded)
    assert (graded.endpoint, graded.intent) == ("ada", "card_lost")


def test_people_who_have_a_contact_after_ai_leave_it_the_agents():
    bench = after(escalating(person_asked=True), turn(1, person_asked=True), feedback())
    bench.run(completed(1, finished_by=FinishedBy.HUMAN), feedback(GradedBy.CUSTOMER))
    assert [each.endpoint for each in bench.all(Graded)] == ["ada", "ada"]


def test_people_who_give_a_contact_to_ai_have_feedback_that_came_before_told_of_the_agent():
    bench = after(for_people(), feedback(), request(Pool.AI_CONTAINED), word(1), eve(1), completed(1))
    assert bench.one(Graded).endpoint == "eve"


def test_a_contact_has_so_many_findings_and_more_are_refused_with_what_to_do():
    bench = after(decision(), turn(1), *(feedback(occurred_at=DECIDED_AT + n) for n in range(GRADES_KEPT)))
    bench.run(feedback(occurred_at=DECIDED_AT), feedback(occurred_at=0), completed(1))
    assert [reason for _, reason in bench.refused] == ["feedback_full"]
    assert len(bench.all(Graded)) == len(bench.all(Finding)) == GRADES_KEPT


def test_feedback_of_another_tenant_is_refused():
    bench = after(decision(), turn(1), completed(1), feedback(tenant="rival"))
    assert [reason for _, reason in bench.refused] == ["wrong_tenant"]
    assert bench.all(Graded) == []


def test_feedback_on_a_contact_that_is_not_known_or_forgotten_is_refused_after_an_hour():
    bench = after(decision(), turn(1), completed(1))
    forgotten_at = bench.ring()
    assert bench.state.entries == {}
    bench.run(feedback(), now=forgotten_at + SECOND)
    assert bench.refused == []
    assert bench.ring() == forgotten_at + SECOND + HOUR
    assert [reason for _, reason in bench.refused] == ["orphan"]
    bench.ring()
    assert (bench.state.entries, bench.all(Graded)) == ({}, [])


def test_feedback_neither_shows_a_change_of_the_contact_nor_sets_a_timer():
    bench = after(decision(), turn(1), completed(1))
    assert [type(effect.event) for effect in bench.feed(feedback())] == [Finding, Graded]
    assert bench.feed(feedback()) == []


def test_the_story_of_a_contact_tells_what_was_found():
    said = [
        feedback(resolved=False, hallucination=True, repeat_contact=True),
        feedback(GradedBy.CUSTOMER, resolved=None, csat=2),
        feedback(GradedBy.PLATFORM, resolved=True, hallucination=False, repeat_contact=False),
    ]
    assert sorted(line[28:] for line in lines(told([*said, completed(1)]))) == [
        "completed    by ai, 1 AI turns",
        "feedback     by customer: satisfaction 2 of 5",
        "feedback     by platform: resolved, said nothing that is not so, did not come again",
        "feedback     by qa: not resolved, said what is not so, came again for it",
    ]


def test_staffing_shares_the_inbox_and_takes_no_notice_of_a_finding():
    finding, state = after(decision(), turn(1), completed(1), feedback()).one(Finding), DictState()
    assert Staffing(offered_partitions=1).step(finding, state, Snapshot(), DECIDED_AT) == []
    assert state.entries == {}
