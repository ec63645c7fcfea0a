"""Rows of past volumes and handle times, and a policy whose queues they are of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runtime.sketches import Sketch, micros_of
from schemas.analytics import HandleTimeRow
from schemas.control import Endpoint, HumanQueue, Policy
from schemas.fields import Channel, Event, Handling
from schemas.interactions import Thresholds
from schemas.wfm import INTERVAL_MICROS, VolumeRow
from wfm_bridge.handle_time import COMPONENTS
from wfm_bridge.history.kept import Kept, Span

MARCH_2ND = 1_772_409_600_000_000  # Monday 2026-03-02T00:00:00Z
HOUR = 4 * INTERVAL_MICROS
DAY = 24 * HOUR


def at(interval: int) -> int:
    """Start of an interval of 2nd March."""
    return MARCH_2ND + interval * INTERVAL_MICROS


def span(first: int, after: int) -> Span:
    return Span(at(first), at(after))


def volume(interval: int, revision: int = 1, **changes: Any) -> VolumeRow:
    """Volumes of an interval: `human_only=3` and so on; offered is their sum."""
    about: dict[str, Any] = {
        "tenant": "acme", "queue": "billing", "intent": "refund", "channel": Channel.VOICE, "language": "en",
        "interval_start": at(interval), "revision": revision, "updated_at": at(interval) + revision,
    }  # fmt: skip
    states = {handling.value: changes.get(handling.value, 0) for handling in Handling}
    return VolumeRow(**{**about, **states, "offered": sum(states.values()), **changes})


def times(interval: int, contacts: Iterable[dict[str, float]], revision: int = 1, **changes: Any) -> HandleTimeRow:
    """Times of an interval, of a dict of each contact: its seconds by component. `handle` is reckoned."""
    sketches = {name: Sketch() for name in COMPONENTS}
    contacts = list(contacts)
    for contact in contacts:
        handle = sum(contact.get(name, 0.0) for name in ("ai", "talk", "wrap"))
        for name, sketch in sketches.items():
            sketch.add(micros_of({**contact, "handle": handle}.get(name, 0.0)))
    about: dict[str, Any] = {
        "tenant": "acme", "queue": "billing", "channel": Channel.VOICE, "handling": Handling.HUMAN_ONLY,
        "interval_start": at(interval), "revision": revision, "contacts": len(contacts), "relative_accuracy": 0.01,
        "updated_at": at(interval) + revision,
    }  # fmt: skip
    return HandleTimeRow(**{**about, **{name: each.told() for name, each in sketches.items()}, **changes})


def policy(*queues: HumanQueue, tenant: str = "acme") -> Policy:
    return Policy(
        tenant=tenant,
        revision=1,
        thresholds=Thresholds(contained=0.9, assisted=0.7),
        endpoints=(Endpoint(endpoint="nova", provider="north", version="7", intents=("refund",)),),
        queues=queues or (HumanQueue(queue="billing", intents=("refund",)),),
        default_queue=queues[0].queue if queues else "billing",
        occurred_at=MARCH_2ND,
    )


def kept(of: Span, rows: Sequence[Event], tenant: str | None = None) -> Kept:
    found = Kept(of, tenant)
    for row in rows:
        found.take(row)
    return found
