"""Work that can wait: a backlog against a deadline."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.staffing.logic.erlang import ErlangInputError
from processors.staffing.logic.erlang.deferred import (
    Deferrable,
    backlog_along,
    deferred_required,
    spare_for_deferred,
)

HOUR = 3_600.0


def test_a_steady_load_needs_its_erlangs() -> None:
    # 60 an hour of 10 minutes are 10 Erlangs; a deadline far off changes nothing over a long day.
    assert deferred_required(Deferrable([60.0] * 1_000, HOUR, 600.0, HOUR), max_occupancy=1.0) == 10
    assert deferred_required(Deferrable([60.0] * 1_000, HOUR, 600.0, HOUR), max_occupancy=0.8) == 13


def test_a_peak_is_spread_over_its_deadline() -> None:
    # 600 of 6 minutes come in one hour: 60 hours of work, done by 4 hours after the hour's end.
    peak = Deferrable([600.0, 0.0, 0.0], HOUR, 360.0, 4 * HOUR)
    assert deferred_required(peak, max_occupancy=1.0) == 12
    assert deferred_required(dataclasses.replace(peak, deadline_seconds=HOUR), max_occupancy=1.0) == 30


def test_a_backlog_must_be_gone_by_its_deadline() -> None:
    # 100 of 12 minutes are 20 hours of work: 5 people for 4 hours.
    assert deferred_required(Deferrable([0.0], HOUR, 720.0, 4 * HOUR, backlog=100.0), max_occupancy=1.0) == 5


def test_no_work_needs_nobody() -> None:
    assert deferred_required(Deferrable([0.0, 0.0], HOUR, 720.0, HOUR)) == 0


#  hour      1     2     3      2 agents do 20 an hour; due 90 minutes after it came
#  comes     60    0     0
#  waiting   40    20    0
#  due       0     30    60
#  late      0     0     0  (40 are done after two hours)
def test_the_backlog_is_told_hour_by_hour_and_what_of_it_is_late() -> None:
    work = Deferrable([60.0, 0.0, 0.0], HOUR, 360.0, 1.5 * HOUR)
    told = backlog_along(work, 2, max_occupancy=1.0)
    assert told.waiting.tolist() == [40, 20, 0]
    assert told.late.tolist() == [0, 0, 0]
    one = backlog_along(work, [1, 1, 1], max_occupancy=1.0)
    assert one.waiting.tolist() == [50, 40, 30]
    assert one.late.tolist() == [0, 10, 30]


@given(
    st.lists(st.floats(0, 300), min_size=1, max_size=12),
    st.integers(1, 8),
    st.floats(0, 400),
)
def test_with_those_required_nothing_is_ever_late_and_with_one_fewer_something_is(came, hours, backlog) -> None:
    # Hours without contacts follow, for the last of them to come due in.
    work = Deferrable([*came, *([0.0] * (hours + 1))], HOUR, 500.0, hours * HOUR, backlog)
    agents = deferred_required(work, max_occupancy=0.9)
    told = backlog_along(work, agents, max_occupancy=0.9)
    assert told.late.max() <= 1e-6
    if agents > 0:
        fewer = backlog_along(work, agents - 1, max_occupancy=0.9)
        assert fewer.late.max() > 0 or fewer.waiting.max() < 1e-3


def test_the_time_that_calls_leave_is_for_the_backlog() -> None:
    assert spare_for_deferred(80.0, 100, 0.9) == pytest.approx(10)
    assert spare_for_deferred([80.0, 99.0], 100, 0.9) == pytest.approx(np.array([10.0, 0.0]))


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (lambda: deferred_required(Deferrable([], HOUR, 9.0, HOUR)), "contacts has no steps"),
        (lambda: deferred_required(Deferrable([-1.0], HOUR, 9.0, HOUR)), r"contacts is -1\.0"),
        (lambda: deferred_required(Deferrable([1.0], HOUR, 9.0, 0.0)), r"deadline_seconds is 0\.0"),
        (lambda: deferred_required(Deferrable([1.0], HOUR, 9.0, HOUR), 0.0), r"max_occupancy is 0\.0"),
        (lambda: backlog_along(Deferrable([1.0], HOUR, 9.0, HOUR), [1, 2]), "agents has 2 steps, contacts 1"),
    ],
)
def test_work_that_makes_no_sense_is_named(call, named) -> None:
    with pytest.raises(ErlangInputError, match=named):
        call()
