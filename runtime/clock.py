"""Trunkline's time: real time, or what the control topic `clock` makes of it."""

from __future__ import annotations

import time

from runtime.snapshot import Snapshot
from schemas.control import ClockSetting
from schemas.topics import CLOCK


def real_now() -> int:
    """Return UTC in microseconds."""
    return time.time_ns() // 1000


def virtual_now(setting: ClockSetting | None, real: int) -> int:
    """Return Trunkline's time at real time `real`, both in UTC microseconds."""
    if setting is None:
        return real
    return setting.origin + int((real - setting.real_origin) * setting.speed)


def clock_setting(snapshot: Snapshot) -> ClockSetting | None:
    """Return the clock's setting in a snapshot, or None for real time."""
    return snapshot.of(CLOCK).get("clock")


def now(snapshot: Snapshot) -> int:
    """Return Trunkline's present time in UTC microseconds."""
    return virtual_now(clock_setting(snapshot), real_now())
