"""The mean of past weeks by time of the week: what it counts, when it is settled, and what it leaves out."""

from __future__ import annotations

import pytest

from processors.staffing.logic import weekdays
from processors.staffing.logic.weekdays import INTERVAL_MICROS, PER_DAY
from runtime.state import DictState
from schemas.fields import Handling, Pool
from tests.staffing_bench import MINUTE, START, closing, delta, human_contacts

DAY = PER_DAY * INTERVAL_MICROS
FIRST = weekdays.interval_of(START)


def seen(state: DictState, contacts: int, start: int) -> None:
    """So many contacts evenly in the 15 minutes from `start`."""
    for each in human_contacts(contacts, start, start + INTERVAL_MICROS):
        weekdays.observe(each, state, each.occurred_at)


def week(state: DictState, contacts: int, number: int) -> None:
    """One interval of a week with contacts, and one two later, which settles it."""
    start = FIRST * INTERVAL_MICROS + number * 7 * DAY
    seen(state, contacts, start)
    seen(state, 1, start + 2 * INTERVAL_MICROS)


def test_the_first_week_is_known_once_its_interval_is_settled_and_not_before() -> None:
    state = DictState()
    seen(state, 30, FIRST * INTERVAL_MICROS)
    seen(state, 1, (FIRST + 1) * INTERVAL_MICROS)
    assert weekdays.per_minute("billing", state, FIRST + 7 * PER_DAY) is None
    seen(state, 1, (FIRST + 2) * INTERVAL_MICROS)
    assert weekdays.per_minute("billing", state, FIRST + 7 * PER_DAY) == 2.0
    assert weekdays.per_minute("billing", state, FIRST + PER_DAY) is None
    assert weekdays.per_minute("sales", state, FIRST) is None


def test_weeks_are_averaged_and_the_last_six_weigh_most() -> None:
    state = DictState()
    for number, contacts in enumerate((30, 60)):
        week(state, contacts, number)
    assert weekdays.per_minute("billing", state, FIRST) == 3.0
    for number in range(2, 40):
        week(state, 90, number)
    assert weekdays.per_minute("billing", state, FIRST) == pytest.approx(6.0, rel=0.01)


def test_an_interval_without_contacts_counts_as_none_where_others_were_before_and_after_it() -> None:
    state = DictState()
    seen(state, 15, FIRST * INTERVAL_MICROS)
    seen(state, 15, (FIRST + 6) * INTERVAL_MICROS)
    assert [weekdays.per_minute("billing", state, FIRST + n) for n in range(6)] == [1.0, 0.0, 0.0, 0.0, 0.0, None]


def test_a_silence_of_days_is_no_evidence_of_empty_intervals() -> None:
    state = DictState()
    seen(state, 15, FIRST * INTERVAL_MICROS)
    seen(state, 15, (FIRST + 5 * PER_DAY) * INTERVAL_MICROS)
    assert weekdays.per_minute("billing", state, FIRST) == 1.0
    assert weekdays.per_minute("billing", state, FIRST + 1) is None


def test_a_contact_that_comes_late_or_again_after_settling_changes_nothing() -> None:
    state = DictState()
    week(state, 30, 0)
    before = dict(state.entries)
    seen(state, 5, FIRST * INTERVAL_MICROS)
    assert state.entries == before


def test_only_contacts_that_reach_people_count() -> None:
    state = DictState()
    for each in (
        delta(START, pool=Pool.AI_CONTAINED),
        closing(START, Handling.HUMAN_ONLY),
        closing(START, Handling.AI_CONTAINED, pool=Pool.AI_CONTAINED),
    ):
        weekdays.observe(each, state, START)
    assert state.entries == {}
    weekdays.observe(closing(START, Handling.AI_ESCALATED, pool=Pool.AI_CONTAINED), state, START + MINUTE)
    assert state.entries == {"slots:billing": {str(FIRST): 1}}


def test_the_state_of_a_queue_is_a_week_and_not_more() -> None:
    state = DictState()
    for number in range(0, 3 * 7 * PER_DAY, 3):
        seen(state, 2, (FIRST + number) * INTERVAL_MICROS)
    assert len(state.entries) == 8
    assert len(state.entries["slots:billing"]) <= 3
