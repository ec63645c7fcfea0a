"""Quality by span of time: how contacts ended and why people took them over, what was found of them, what they cost."""

from __future__ import annotations

import json

import msgspec
import pytest

from processors.analytics.logic import step
from processors.analytics.logic.quality import MOST_REASONS, row
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas.agents import Tick
from schemas.analytics import QualityRow
from schemas.codec import Codec
from schemas.fields import Channel, GradedBy, Handling, Pool
from schemas.rules import Costs
from schemas.topics import ALERTS, CONTAINMENT, POLICY, QUALITY
from schemas.wfm import Finding, TrendSpan, VolumeDelta
from tests.contacts import policy

SECOND = 1_000_000
MINUTE, HOUR, DAY = 60 * SECOND, 3600 * SECOND, 24 * 3600 * SECOND
NOW = 1_772_373_605_000_000  # 2026-03-01T14:00:05Z
DELTA = VolumeDelta(
    tenant="acme", interaction_id="i-1", queue="billing", intent="refund", channel=Channel.VOICE, language="en",
    interval_start=NOW - NOW % (15 * MINUTE), pool=Pool.AI_CONTAINED, from_handling=None,
    to_handling=Handling.AI_CONTAINED, occurred_at=NOW,
)  # fmt: skip
FINDING = Finding(
    tenant="acme", interaction_id="i-1", queue="billing", intent="refund", channel=Channel.VOICE, language="en",
    pool=Pool.AI_CONTAINED, handling=Handling.AI_CONTAINED, by=GradedBy.CUSTOMER, occurred_at=NOW,
)  # fmt: skip
PEOPLE_COST_36 = Snapshot().with_record(POLICY, "acme", policy(costs=Costs(people_per_hour=36.0)), 0)
"""A hundredth a second."""


def closed(handling: Handling = Handling.AI_CONTAINED, **changes) -> VolumeDelta:
    people = {"pool": Pool.HUMAN_EXCLUSIVE} if handling is Handling.HUMAN_ONLY else {}
    return msgspec.structs.replace(DELTA, to_handling=handling, **people, **changes)


def found(handling: Handling = Handling.AI_CONTAINED, **changes) -> Finding:
    people = {"pool": Pool.HUMAN_EXCLUSIVE} if handling is Handling.HUMAN_ONLY else {}
    return msgspec.structs.replace(FINDING, handling=handling, **people, **changes)


def tick(state: DictState, *events, now: int = NOW, snapshot: Snapshot = PEOPLE_COST_36) -> list[QualityRow]:
    for event in events:
        assert list(step(event, state, snapshot, now)) == []
    effects = step(Tick(key="acme", now=now), state, snapshot, now)
    assert json.loads(json.dumps(state.entries)) == state.entries
    return [effect.event for effect in effects if effect.topic is QUALITY]


def hour(*events, snapshot: Snapshot = PEOPLE_COST_36) -> QualityRow:
    """The row of the hour of all contacts."""
    rows = tick(DictState(), *events, snapshot=snapshot)
    (found_row,) = (each for each in rows if each.span is TrendSpan.HOUR and not each.queue and not each.intent)
    assert Codec().decode(Codec().encode(found_row)) == found_row
    return found_row


def test_contacts_are_told_by_how_they_ended_for_all_for_each_queue_and_each_intent_in_each_span() -> None:
    rows = tick(DictState(), *map(closed, [Handling.AI_CONTAINED] * 2 + [Handling.HUMAN_ONLY, Handling.DEFLECTED]))
    assert {(each.span, each.queue, each.intent) for each in rows} == {
        (span, *names) for span in TrendSpan for names in ((None, None), ("billing", None), (None, "refund"))
    }
    for each in rows:
        assert (each.contacts, each.ai_contained, each.human_only, each.deflected) == (4, 2, 1, 1)
        assert (each.ai_assisted, each.ai_escalated, each.abandoned) == (0, 0, 0)


def test_ais_contacts_are_those_it_had_or_was_to_have_and_peoples_those_they_alone_finished() -> None:
    told = hour(
        closed(Handling.AI_CONTAINED),
        closed(Handling.AI_ASSISTED),
        closed(Handling.AI_ESCALATED),
        closed(Handling.ABANDONED),
        closed(Handling.AI_CONTAINED, pool=Pool.HUMAN_EXCLUSIVE),  # people gave it to AI
        closed(Handling.HUMAN_ONLY),
        msgspec.structs.replace(DELTA, to_handling=Handling.HUMAN_ONLY),  # people won the race for it
        closed(Handling.ABANDONED, pool=Pool.HUMAN_EXCLUSIVE),
        closed(Handling.DEFLECTED),
    )
    assert (told.contacts, told.ai.contacts, told.people.contacts) == (9, 5, 2)


def test_reasons_are_of_escalated_contacts_the_most_frequent_first() -> None:
    told = hour(
        closed(Handling.AI_ESCALATED, trigger="amount"),
        *[closed(Handling.AI_ESCALATED, trigger="person_asked")] * 2,
        closed(Handling.AI_ESCALATED),
        closed(Handling.ABANDONED, trigger="person_asked"),
    )
    assert list(told.escalation_reasons.items()) == [("person_asked", 2), ("amount", 1)]
    assert told.ai_escalated == 4


def test_reasons_beyond_the_most_frequent_are_told_as_one() -> None:
    counts = {f"why/reason-{number:02}": 100 - number for number in range(MOST_REASONS + 2)}
    about = {"tenant": "acme", "span": TrendSpan.HOUR, "starts_at": 0, "revision": 1, "updated_at": 1}
    reasons = row(about, counts, None).escalation_reasons
    assert len(reasons) == MOST_REASONS + 1
    assert reasons["other"] == 68 + 67
    assert sum(reasons.values()) == sum(counts.values())


def test_satisfaction_is_told_of_ais_contacts_and_of_peoples_apart() -> None:
    told = hour(
        closed(),
        *(found(csat=rating) for rating in (1, 3, 4, 5)),
        *(found(Handling.HUMAN_ONLY, csat=rating) for rating in (3, 5)),
    )
    assert (told.ai.csat_answers, told.ai.csat_satisfied, told.ai.csat) == (4, 2, 0.5)
    assert (told.people.csat_answers, told.people.csat_satisfied, told.people.csat) == (2, 1, 0.5)


def test_accuracy_is_what_qa_found_and_nobody_else() -> None:
    told = hour(
        *(found(by=GradedBy.QA, resolved=right) for right in (True, True, False, None)),
        found(resolved=False),
        found(by=GradedBy.PLATFORM, resolved=False),
        found(Handling.HUMAN_ONLY, by=GradedBy.QA, resolved=False),
    )
    assert (told.ai.qa_sampled, told.ai.qa_resolved, told.ai.accuracy) == (3, 2, pytest.approx(2 / 3))
    assert (told.people.qa_sampled, told.people.accuracy) == (1, 0.0)


def test_costs_are_those_of_ais_turns_and_of_peoples_time_by_the_policy() -> None:
    told = hour(
        closed(ai_cost=0.1),
        closed(ai_cost=0.2, resolved=True),
        closed(Handling.AI_ESCALATED, ai_cost=0.6, talk_seconds=100.0, wrap_seconds=20.0, resolved=False),
        closed(Handling.HUMAN_ONLY, talk_seconds=200.0, wrap_seconds=100.0, resolved=True),
        closed(Handling.HUMAN_ONLY, talk_seconds=60.0, resolved=True),
        closed(Handling.DEFLECTED, ai_cost=0.05),
    )
    assert (told.ai_cost, told.people_seconds, told.people_cost, told.people_per_hour) == (0.95, 480.0, 4.8, 36.0)
    assert (told.ai.ai_cost, told.ai.people_seconds, told.ai.people_cost) == (0.9, 120.0, 1.2)
    assert told.ai.cost_per_contact == pytest.approx(2.1 / 3)
    assert (told.ai.resolution_known, told.ai.resolved) == (2, 1)
    assert told.ai.cost_per_resolved == pytest.approx(0.7 / 0.5)
    assert (told.people.ai_cost, told.people.people_seconds) == (0.0, 360.0)
    assert told.people.cost_per_contact == pytest.approx(1.8)
    assert told.people.cost_per_resolved == pytest.approx(1.8)


def test_what_cannot_be_known_is_null() -> None:
    told = hour(closed(), closed(Handling.HUMAN_ONLY, talk_seconds=60.0), snapshot=Snapshot())
    assert (told.ai_cost, told.people_cost, told.people_per_hour, told.people_seconds) == (None, None, None, 60.0)
    for side in (told.ai, told.people):
        assert (side.csat, side.accuracy, side.cost_per_contact, side.cost_per_resolved) == (None, None, None, None)
    assert hour(closed(ai_cost=0.5), snapshot=Snapshot()).ai.cost_per_contact is None  # what people cost is not stated
    assert hour(closed()).ai.cost_per_contact is None  # what AI costs is not stated
    assert hour(closed(Handling.HUMAN_ONLY, resolved=False)).people.cost_per_resolved is None  # none was resolved
    assert hour(found(csat=5)).ai.cost_per_contact is None  # there are no contacts


def test_a_policy_without_costs_states_none() -> None:
    snapshot = Snapshot().with_record(POLICY, "acme", policy(), 0)
    assert hour(closed(Handling.HUMAN_ONLY, talk_seconds=60.0), snapshot=snapshot).people_cost is None


def test_a_finding_is_booked_when_it_was_made_and_a_row_comes_of_it_alone() -> None:
    state = DictState()
    tick(state, closed())
    rows = tick(state, found(csat=5, occurred_at=NOW - 3 * HOUR))
    hours = [each for each in rows if each.span is TrendSpan.HOUR and not each.queue and not each.intent]
    assert [(each.starts_at, each.contacts, each.ai.csat) for each in hours] == [(NOW - NOW % HOUR - 3 * HOUR, 0, 1.0)]
    days = [each for each in rows if each.span is TrendSpan.DAY and each.queue]
    assert [(each.contacts, each.ai.csat) for each in days] == [(1, 1.0)]


@pytest.mark.parametrize(
    "finding", [found(), found(resolved=True), found(hallucination=True), found(by=GradedBy.QA, repeat_contact=True)]
)
def test_a_finding_that_is_no_rating_and_none_of_qa_changes_nothing(finding: Finding) -> None:
    state = DictState()
    assert tick(state, finding) == []
    assert state.entries == {}


def test_people_and_findings_change_no_figure_of_containment_and_raise_no_alert() -> None:
    state = DictState()
    for event in (closed(Handling.HUMAN_ONLY), found(csat=1), found(by=GradedBy.QA, resolved=False)):
        step(event, state, PEOPLE_COST_36, NOW)
    effects = step(Tick(key="acme", now=NOW), state, PEOPLE_COST_36, NOW)
    assert [effect for effect in effects if effect.topic in (CONTAINMENT, ALERTS)] == []
    empty = step(Tick(key="acme", now=NOW + 10 * MINUTE), state, PEOPLE_COST_36, NOW + 10 * MINUTE)
    assert {effect.topic for effect in empty} == {QUALITY}


def test_a_correction_between_final_states_is_in_no_figure() -> None:
    state = DictState()
    tick(state, closed(Handling.ABANDONED, ai_cost=0.5))
    assert tick(state, closed(from_handling=Handling.ABANDONED, ai_cost=0.5)) == []


def test_the_window_of_five_minutes_is_told_empty_once() -> None:
    state = DictState()
    tick(state, closed(ai_cost=0.5), found(csat=5))
    rows = tick(state, now=NOW + 10 * MINUTE)
    assert [(each.span, each.contacts, each.ai.csat, each.ai_cost) for each in rows] == [
        (TrendSpan.MINUTES_5, 0, None, None)
    ] * 3
    assert tick(state, now=NOW + 11 * MINUTE) == []
    assert not [name for name in state.entries if name.startswith(("rolling:", "trend:10s:"))]


def test_cells_of_a_version_that_knew_of_containment_alone_go_on() -> None:
    state = DictState()
    tick(state, *map(closed, [Handling.AI_CONTAINED] * 3 + [Handling.ABANDONED]))
    for name in [name for name in state.entries if name.startswith(("trend:", "rolling:"))]:
        state.set(name, [3, 0, 0, 1])
    step(closed(Handling.AI_ESCALATED), state, PEOPLE_COST_36, NOW)
    effects = step(Tick(key="acme", now=NOW), state, PEOPLE_COST_36, NOW)
    rows = [effect.event for effect in effects if effect.topic is CONTAINMENT]
    assert {(each.contacts, each.contained, each.abandoned, each.escalated) for each in rows} == {(5, 3, 1, 1)}
    tick(state, now=NOW + 10 * MINUTE)
    assert not [name for name in state.entries if name.startswith(("rolling:", "trend:10s:"))]


def test_absurd_costs_break_nothing() -> None:
    told = hour(*[closed(ai_cost=1e308, talk_seconds=1e308)] * 3)
    assert told.ai_cost == 3e8
