"""A tenant of two queues, its events, and a bench that runs staffing's step as a service does."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from processors.staffing.logic import step
from runtime.snapshot import Snapshot
from runtime.state import DictState, Overlay
from schemas import topics
from schemas.control import HumanQueue, Policy
from schemas.fields import BreakerState, Channel, Event, Handling, Pool
from schemas.interactions import Thresholds
from schemas.wfm import CapacitySignal, Displaced, Impact, StaffingRequirement, VolumeDelta

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
SNAPSHOT = Snapshot().with_record(topics.POLICY, "acme", POLICY, 0)


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
    """State of one tenant; each event is a step of its own, and the state is JSON after it."""

    def __init__(self, snapshot: Snapshot = SNAPSHOT) -> None:
        self.state = DictState()
        self.snapshot = snapshot

    def feed(self, *events: Event, now: int | None = None) -> list[topics.Effect]:
        """Step through events, each at its own time unless `now` is given; return all effects."""
        effects: list[topics.Effect] = []
        for event in events:
            overlay = Overlay(self.state)
            at = event.occurred_at if now is None else now  # type: ignore[attr-defined]
            effects += step(event, overlay, self.snapshot, at)
            overlay.commit()
            assert json.loads(json.dumps(self.state.entries)) == self.state.entries
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
