"""What a queue's people get at this time of the week: the mean of past weeks, by 15-minute interval in UTC.

State of a tenant, per queue:

- `slots:<queue>` -> {interval: contacts}, of the intervals that are not settled yet
- `weekday:<queue>:<0..6>` -> {"means": [96 contacts], "weeks": [96 counts]}; Monday is 0
"""

from __future__ import annotations

from typing import Any

from processors.staffing.logic.traffic import reaches_people
from runtime.state import KeyedState
from schemas.fields import MICROS_PER_SECOND
from schemas.wfm import VolumeDelta

INTERVAL_SECONDS = 900
"""15 minutes: the common grain of WFM."""
INTERVAL_MICROS = INTERVAL_SECONDS * MICROS_PER_SECOND
PER_DAY = 96
SETTLED_AFTER = 2
"""An interval is settled when another begins so many later: what comes later still, or was replayed, is left out."""
WEEKS_MOST = 6
"""The mean moves by a sixth of the difference at least: it follows a season, and holds one odd week to 17 %."""
_MOST_SILENT = 4 * PER_DAY
"""After a longer silence of the log nothing is known of the time between: it is no evidence of empty intervals."""


def interval_of(at: int) -> int:
    """Return the number since 1970 of the interval that an instant (UTC microseconds) is in."""
    return at // INTERVAL_MICROS


def observe(delta: VolumeDelta, state: KeyedState, at: int) -> None:
    """Count a contact of people's own that has come to them at `at`, and settle the intervals that are over."""
    if delta.displaced or not reaches_people(delta):
        return
    name, interval = f"slots:{delta.queue}", interval_of(at)
    slots: dict[str, int] = dict(state.get(name) or {})
    newest = max(map(int, slots), default=interval)
    if interval <= newest - SETTLED_AFTER:
        return
    if interval > newest:
        _settle(delta.queue, state, slots, interval)
    slots[str(interval)] = slots.get(str(interval), 0) + 1
    state.set(name, slots)


def per_minute(queue: str, state: KeyedState, interval: int) -> float | None:
    """Return the contacts per minute that people had at this time of the week, None where no week is known."""
    weekday, slot = _place(interval)
    known: dict[str, Any] | None = state.get(f"weekday:{queue}:{weekday}")
    if known is None or not known["weeks"][slot]:
        return None
    return float(known["means"][slot]) * 60 / INTERVAL_SECONDS


def _settle(queue: str, state: KeyedState, slots: dict[str, int], newest: int) -> None:
    """Move what is over from the slots into the means, the empty intervals between included."""
    oldest = min(map(int, slots), default=newest)
    silent = newest - max(map(int, slots), default=newest) > _MOST_SILENT
    over = range(oldest, newest - SETTLED_AFTER + 1)
    for interval in sorted(map(int, slots)) if silent else over:
        if interval <= newest - SETTLED_AFTER:
            _into_mean(queue, state, interval, slots.pop(str(interval), 0))


def _into_mean(queue: str, state: KeyedState, interval: int, contacts: int) -> None:
    weekday, slot = _place(interval)
    name = f"weekday:{queue}:{weekday}"
    known = state.get(name) or {"means": [0.0] * PER_DAY, "weeks": [0] * PER_DAY}
    means, weeks = list(known["means"]), list(known["weeks"])
    weeks[slot] = min(weeks[slot] + 1, WEEKS_MOST)
    means[slot] = round(means[slot] + (contacts - means[slot]) / weeks[slot], 6)
    state.set(name, {"means": means, "weeks": weeks})


def _place(interval: int) -> tuple[int, int]:
    """Return weekday and interval of the day: the first of 1970 was a Thursday."""
    return (interval // PER_DAY + 3) % 7, interval % PER_DAY
