"""A tenant of two queues, its events, and a bench that runs staffing's step as a service does."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from processors.staffing.logic import Staffing
from runtime.snapshot import Snapshot
from runtime.state import DictState, Overlay
from schemas import topics
from schemas.agents import Tick
from schemas.control import Availability, ClockSetting, HumanQueue, Policy
from schemas.fields import BreakerState, Channel, Event, Handling, Pool
from schemas.interactions import Released, Thresholds
from schemas.rules import Spillover
from schemas.wfm import CapacitySignal, Displaced, Held, Impact, SpareCapacity, StaffingRequirement, VolumeDelta

SECOND = 1_000_000
MINUTE = 60 * SECOND
START = 922_271_400 * SECOND  # 10:30 UTC, on a bucket's edge
BILLING = HumanQueue(queue="billing", intents=("refund",), aht_seconds=300.0)
SALES = HumanQueue(queue="sales", intents=("upgrade",), aht_seconds=240.0, shrinkage=0.25)
POLICY = Policy(
    tenant="acme",
    revision=1,
    thresholds=Thresholds(contained=0.92, assisted=0.75),
    endpoints=(),
    queues=(BILLING, SALES),
    default_queue="billing",
    occurred_at=START,
)
PARTITIONS = 4
STAFFING = Staffing(offered_partitions=PARTITIONS)
SNAPSHOT = Snapshot().with_record(topics.POLICY, "acme", POLICY, 0)
METERED = msgspec.structs.replace(POLICY, spillover=Spillover(metered=True))


def snapshot_of(policy: Policy = METERED, *people: Availability, speed: float | None = None) -> Snapshot:
    """What the control topics say: a policy, who is there, and how fast the clock runs."""
    made = Snapshot().with_record(topics.POLICY, "acme", policy, 0)
    for each in people:
        made = made.with_record(topics.AVAILABILITY, topics.queue_key(each.tenant, each.queue), each, 0)
    if speed is not None:
        made = made.with_record(topics.CLOCK, "clock", ClockSetting(origin=START, real_origin=START, speed=speed), 0)
    return made


def people(there: float, **changes: Any) -> Availability:
    """WFM's word on who is there in billing, for a day."""
    base = Availability(
        tenant="acme",
        queue="billing",
        agents_required=there,
        agents_available=there,
        starts_at=START,
        expires_at=START + 24 * 60 * MINUTE,
        occurred_at=START,
    )
    return msgspec.structs.replace(base, **changes)


def held(name: str, at: int, priority: int = 0, **changes: Any) -> Held:
    """A contact that is held for ten minutes."""
    base = Held(
        tenant="acme",
        interaction_id=name,
        queue="billing",
        priority=priority,
        offered_at=at,
        hold_until=at + 10 * MINUTE,
        occurred_at=at,
    )
    return msgspec.structs.replace(base, **changes)


def over(name: str, at: int, **changes: Any) -> Held:
    """The end of a contact's wait."""
    return held(name, at, over=True, **changes)


def tick(at: int) -> Tick:
    """A second has passed."""
    return Tick(key="acme", now=at)


def delta(at: int, **changes: Any) -> VolumeDelta:
    """A contact that the router gave to a person."""
    base = VolumeDelta(
        tenant="acme",
        interaction_id="c-1",
        queue="billing",
        intent="refund",
        channel=Channel.VOICE,
        language="en",
        interval_start=START,
        pool=Pool.HUMAN_EXCLUSIVE,
        from_handling=None,
        to_handling=Handling.IN_PROGRESS,
        occurred_at=at,
    )
    return msgspec.structs.replace(base, **changes)


def closing(at: int, to_handling: Handling, **changes: Any) -> VolumeDelta:
    """The end of a contact."""
    return delta(at, from_handling=Handling.IN_PROGRESS, to_handling=to_handling, **changes)


def human_contacts(count: int, start: int, end: int, **changes: Any) -> list[VolumeDelta]:
    """Contacts for people, evenly over [start, end)."""
    return [delta(start + (end - start) * number // count, **changes) for number in range(count)]


def carried(queue: str, contacts_per_minute: float, *alternatives: str, intent: str = "refund") -> Displaced:
    """What an endpoint carried of one queue."""
    return Displaced(queue=queue, intent=intent, contacts_per_minute=contacts_per_minute, alternatives=alternatives)


def impact(at: int, state: BreakerState, epoch: int, *displaced: Displaced, **changes: Any) -> Impact:
    """A breaker of endpoint `one` moved."""
    base = Impact(
        tenant="acme",
        provider="provider",
        endpoint="one",
        state=state,
        epoch=epoch,
        displaced=displaced,
        expected_seconds_p50=60.0,
        expected_seconds_p90=300.0,
        duration_samples=0,
        occurred_at=at,
    )
    return msgspec.structs.replace(base, **changes)


class Told(msgspec.Struct):
    """What one event made staffing say, by queue."""

    capacity: dict[str, CapacitySignal]
    staffing: dict[str, StaffingRequirement]


class Bench:
    """State of one tenant; each event is a step of its own, and the state is JSON after it.

    `is_long`: for runs of thousands of events, in which looking at the state after each would take most of the time.
    """

    def __init__(self, snapshot: Snapshot = SNAPSHOT, *, is_long: bool = False, staffing: Staffing = STAFFING) -> None:
        self.state = DictState()
        self.snapshot = snapshot
        self.staffing = staffing
        self._is_long = is_long

    def feed(self, *events: Event, now: int | None = None) -> list[topics.Effect]:
        """Step through events, each at its own time unless `now` is given; return all effects."""
        effects: list[topics.Effect] = []
        for event in events:
            overlay = Overlay(self.state)
            own = event.now if isinstance(event, Tick) else event.occurred_at  # type: ignore[attr-defined]
            at = own if now is None else now
            effects += self.staffing.step(event, overlay, self.snapshot, at)
            overlay.commit()
            assert self._is_long or json.loads(json.dumps(self.state.entries)) == self.state.entries
        return effects

    def told(self, event: Event, now: int | None = None) -> Told:
        """Step one event, and return its signals by queue: one of each kind, of one revision."""
        capacity: dict[str, Any] = {}
        staffing: dict[str, Any] = {}
        for effect in self.feed(event, now=now):
            told: Any = effect.event
            by_queue = capacity if effect.topic is topics.CAPACITY else staffing
            assert told.queue not in by_queue
            by_queue[told.queue] = told
        assert {q: c.revision for q, c in capacity.items()} == {q: s.revision for q, s in staffing.items()}
        return Told(capacity, staffing)

    def ticks(self, start: int, end: int, step: int = SECOND) -> list[topics.Effect]:
        """Have it tick from `start` until before `end`."""
        return self.feed(*(tick(at) for at in range(start, end, step)))


def rows(effects: list[topics.Effect]) -> list[SpareCapacity]:
    """The rows of spare contacts among effects."""
    return [effect.event for effect in effects if isinstance(effect.event, SpareCapacity)]


def released(effects: list[topics.Effect]) -> list[str]:
    """The ids of the contacts released, in their order."""
    return [effect.event.interaction_id for effect in effects if isinstance(effect.event, Released)]


def let_through(effects: list[topics.Effect]) -> int:
    """How many contacts may go to people by these effects."""
    return len(released(effects)) + sum(sum(row.permits) for row in rows(effects))


class Floor:
    """Billing in an outage: contacts arrive, spend permits or are held, and some get to people.

    What arrives is a list of (at, is people's own). `reached`: when each contact got to people.
    """

    def __init__(self, bench: Bench, *, holds: bool) -> None:
        self.bench = bench
        self.reached: list[int] = []
        self._holds = holds
        self._permits: list[int] = []
        self._stand_until = 0
        self._offered = 0

    def run(self, arrivals: list[tuple[int, bool]], start: int, end: int) -> None:
        """Let the contacts arrive and the clock tick."""
        waiting = sorted(arrivals)
        for now in range(start, end, SECOND):
            while waiting and waiting[0][0] < now:
                self._arrive(*waiting.pop(0))
            self._tick(now)

    def per_minute(self, start: int, end: int) -> float:
        """Contacts a minute that got to people in [start, end)."""
        return sum(start <= at < end for at in self.reached) * MINUTE / (end - start)

    def _arrive(self, at: int, is_own: bool) -> None:
        self._offered += 1
        name = f"c-{self._offered}"
        self.bench.feed(delta(at, interaction_id=name, displaced=not is_own))
        partition = self._offered * 7 % self.bench.staffing.offered_partitions
        if is_own:
            self.reached.append(at)
        elif at < self._stand_until and self._permits[partition]:
            self._permits[partition] -= 1
            self.reached.append(at)
        elif self._holds:
            self.bench.feed(held(name, at))

    def _tick(self, now: int) -> None:
        effects = self.bench.feed(tick(now))
        for row in rows(effects):
            self._permits, self._stand_until = list(row.permits), row.expires_at
        for name in released(effects):
            self.reached.append(now)
            self.bench.feed(over(name, now))
