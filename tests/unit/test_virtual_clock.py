"""Trunkline's time is real time, or what the control topic `clock` makes of it."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from runtime import clock
from runtime.snapshot import Snapshot
from schemas.control import ClockSetting
from schemas.topics import CLOCK

SECOND = 1_000_000
ORIGIN = 920_246_400 * SECOND  # 1999-03-01
REAL = 1_700_000_000 * SECOND


def test_without_a_setting_time_is_real() -> None:
    assert clock.virtual_now(None, REAL) == REAL


@pytest.mark.parametrize(
    ("speed", "real_seconds", "virtual_seconds"),
    [(1.0, 0, 0), (1.0, 60, 60), (600.0, 144, 86_400), (0.5, 10, 5), (600.0, -1, -600)],
)
def test_time_runs_from_its_origin_at_its_speed(speed: float, real_seconds: int, virtual_seconds: int) -> None:
    setting = ClockSetting(origin=ORIGIN, real_origin=REAL, speed=speed)
    assert clock.virtual_now(setting, REAL + real_seconds * SECOND) == ORIGIN + virtual_seconds * SECOND


@settings(deadline=None)
@given(speed=st.floats(0.001, 10_000), one=st.integers(0, 10**9 * SECOND), later=st.integers(0, 10**6 * SECOND))
def test_time_never_runs_backwards(speed: float, one: int, later: int) -> None:
    setting = ClockSetting(origin=ORIGIN, real_origin=REAL, speed=speed)
    assert clock.virtual_now(setting, one + later) >= clock.virtual_now(setting, one)


def test_the_latest_setting_of_the_control_topic_stands() -> None:
    first = ClockSetting(origin=0, real_origin=0, speed=1.0)
    standing = ClockSetting(origin=ORIGIN, real_origin=0, speed=1e-12)
    snapshot = Snapshot().with_record(CLOCK, "clock", first, 0).with_record(CLOCK, "clock", standing, 1)
    assert clock.clock_setting(snapshot) == standing
    # At this speed no more than 2 ms of 1999 have passed since 1970.
    assert 0 <= clock.now(snapshot) - ORIGIN < SECOND // 100


def test_without_a_record_now_is_the_machine_s_time() -> None:
    before = time.time_ns() // 1000
    assert before <= clock.now(Snapshot()) <= time.time_ns() // 1000


def test_a_tombstone_on_the_control_topic_gives_real_time_back() -> None:
    setting = ClockSetting(origin=0, real_origin=0, speed=1.0)
    snapshot = Snapshot().with_record(CLOCK, "clock", setting, 0).with_record(CLOCK, "clock", None, 1)
    assert clock.clock_setting(snapshot) is None
