"""Spare contacts: what the room of a queue lets out while AI is away, to the buffer first, then to routers as permits.

An issue covers the time since the last one. What routers have not spent of it is void with the next
row: unused room is not saved up, and nothing floods people later.
"""

from __future__ import annotations

import dataclasses
import math

from processors.staffing.logic import meter as meters
from processors.staffing.logic.meter import Meter
from processors.staffing.logic.room import Scene, room_per_minute
from runtime.permits import cycle, kept_of, shares
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas import topics
from schemas.control import ClockSetting
from schemas.fields import MICROS_PER_SECOND
from schemas.interactions import Released
from schemas.topics import Effect
from schemas.wfm import SpareCapacity

LEAST_SECONDS = 5.0
"""Between two rows: a row goes to every router. So often while somebody is held, since the buffer loses no room."""
MOST_SECONDS = 60.0
"""Between two rows: room changes within minutes. Less, once there is a permit for each partition: those that are
unspent are void with the next row, and who comes to a partition without one is turned away though another has one."""
STANDS_ISSUES = 2
"""A row stands for so many: the next one may come late by one before routers are without."""
TICK_SECONDS = 1.0
"""Real time between two ticks: with a clock that runs fast, no row can come sooner."""
RELEASE_LOOK = 500
"""Contacts of the buffer looked at per issue, some 50 ms: a line that has expired as a whole is dropped in parts."""
SWEEP_LOOK = 20
"""Places swept per issue. Sessions say of each contact that it is over; the sweep is for those of which none does."""
RELEASE_REASON = "room"


def issues(tenant: str, state: KeyedState, snapshot: Snapshot, at: int, now: int, partitions: int) -> list[Effect]:
    """Return the contacts released and the rows that are due, queue by queue.

    Args:
        tenant: whose.
        state: entries of the tenant.
        snapshot: policy, availability, clock.
        at: until when the log has told of contacts, UTC microseconds: the tick's own time.
        now: UTC microseconds.
        partitions: of interactions.offered.
    """
    effects: list[Effect] = []
    for queue in meters.watched_queues(state):
        scene = Scene(tenant, queue, state, snapshot, min(at, now), now)
        if _is_wanted(scene):
            effects += _issue(scene, partitions)
        else:
            effects += _last(scene, partitions)
            meters.unwatch(queue, state)
    return effects


def _is_wanted(scene: Scene) -> bool:
    """Tell whether contacts are to be metered.

    After a loss agents get their contacts back little by little; till they have all of them, the others
    would go to people all at once.
    """
    meter = scene.meter
    if meter.lost_per_minute or len(scene.line):
        return True
    if meter.over_at is None or meter.issued_at is None or not scene.is_metered:
        return False
    return scene.now < meter.over_at + scene.ramp_micros


def _issue(scene: Scene, partitions: int) -> list[Effect]:
    """Return what the room of the time since the last row lets out, and the row; nothing while that is young."""
    meter, line, tick = scene.meter, scene.line, _tick_seconds(scene.snapshot)
    if not _is_due(meter, tick, scene.now, waited_for=len(line) > 0):
        return []
    room = room_per_minute(scene)
    period = _period_seconds(room, partitions, tick, waited_for=len(line) > 0)
    budget = meter.carry + room * _covered_seconds(meter, tick, scene.now) / 60
    whole = math.floor(budget)
    sweep = line.sweep(meter.sweep, SWEEP_LOOK, scene.now)
    released = line.release(whole, RELEASE_LOOK, scene.now)
    permits = shares(whole - len(released), partitions, meter.dealt)
    issued = dataclasses.replace(
        meter,
        revision=meter.revision + 1,
        issued_at=scene.now,
        period_seconds=period,
        carry=budget - whole,
        dealt=(meter.dealt + sum(permits)) % cycle(partitions),
        sweep=sweep,
    )
    meters.save(scene.state, scene.queue, issued)
    row = SpareCapacity(
        tenant=scene.tenant,
        queue=scene.queue,
        revision=issued.revision,
        spare_contacts_per_minute=room,
        permits=permits,
        held=len(line),
        expires_at=scene.now + round(STANDS_ISSUES * period * MICROS_PER_SECOND),
        occurred_at=scene.now,
        kept=kept_of(permits, meter.dealt),
    )
    return [*(_release(scene, interaction_id) for interaction_id in released), Effect(topics.SPARE, row)]


def _release(scene: Scene, interaction_id: str) -> Effect:
    return Effect(
        topics.INTERACTION_EVENTS,
        Released(
            interaction_id=interaction_id,
            tenant=scene.tenant,
            queue=scene.queue,
            reason=RELEASE_REASON,
            occurred_at=scene.now,
        ),
    )


def _last(scene: Scene, partitions: int) -> list[Effect]:
    """Return the row that takes the one before back: without permits, and expired, so that routers meter no more."""
    meter = scene.meter
    if meter.issued_at is None:
        return []
    ended = dataclasses.replace(meter, revision=meter.revision + 1, issued_at=None, carry=0.0)
    meters.save(scene.state, scene.queue, ended)
    row = SpareCapacity(
        tenant=scene.tenant,
        queue=scene.queue,
        revision=ended.revision,
        spare_contacts_per_minute=0.0,
        permits=(0,) * partitions,
        held=0,
        expires_at=scene.now,
        occurred_at=scene.now,
    )
    return [Effect(topics.SPARE, row)]


def _is_due(meter: Meter, tick: float, now: int, *, waited_for: bool) -> bool:
    """Tell whether it is time for a row. tick: seconds between two ticks; waited_for: somebody is held."""
    if meter.issued_at is None:
        return True
    period = max(LEAST_SECONDS, tick) if waited_for else meter.period_seconds
    # Ticks are a second apart, give or take: without the half, some rows would come a tick late.
    return abs(now - meter.issued_at) / MICROS_PER_SECOND >= period - tick / 2


def _period_seconds(room: float, partitions: int, tick: float, *, waited_for: bool) -> float:
    """Return the time from a row to the next. room: contacts per minute; tick, waited_for: as in `_is_due`."""
    most = LEAST_SECONDS if waited_for else MOST_SECONDS
    one_each = partitions * 60 / room if room else most
    return max(LEAST_SECONDS, min(most, one_each), tick)


def _covered_seconds(meter: Meter, tick: float, now: int) -> float:
    """Return the time that a row is for: that since the last one.

    After a silence longer than a row stands, or a clock set back by as much, it begins anew, and cautiously: when AI
    is lost, people get the conversations that it had.
    """
    since = 0.0 if meter.issued_at is None else (now - meter.issued_at) / MICROS_PER_SECOND
    return since if 0 < since <= STANDS_ISSUES * meter.period_seconds else max(LEAST_SECONDS, tick)


def _tick_seconds(snapshot: Snapshot) -> float:
    """Return Trunkline's time between two ticks."""
    setting: ClockSetting | None = snapshot.of(topics.CLOCK).get("clock")
    return TICK_SECONDS * (setting.speed if setting else 1.0)
