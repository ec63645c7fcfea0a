"""The load that people of one queue get, from volume deltas: contacts per minute and handle time.

Contacts are booked in a ring of 10-second buckets by the time at which they happened, not at which
they were read, so a replay or another order of the log gives the same rates. State of a queue, as
JSON data (None before its first human contact):

    {"newest": bucket of counts[-1], "counts": [30 numbers], "own": [30 numbers],
     "aht_seconds": number or null, "handled": contacts in it}

where bucket = microseconds // BUCKET_MICROS, and `own` counts those that AI would not have had.
"""

from __future__ import annotations

from typing import Any

from schemas.fields import MICROS_PER_SECOND, Handling, Pool
from schemas.wfm import VolumeDelta

BUCKET_SECONDS = 10
"""Fine enough that a rate is at most 10 s out at either end of the window."""
BUCKETS = 30
"""5 minutes: at 12 contacts a minute 60 contacts, which is a rate within 13 % (1 / sqrt(60))."""
WINDOW_SECONDS = BUCKET_SECONDS * BUCKETS
BUCKET_MICROS = BUCKET_SECONDS * MICROS_PER_SECOND
WINDOW_MICROS = WINDOW_SECONDS * MICROS_PER_SECOND
LEAST_OBSERVED_MICROS = BUCKET_MICROS
"""A younger rate is divided by this much: one contact in the first second is not 60 a minute."""

PRIOR_CONTACTS = 20
"""The policy's handle time counts as many contacts: they bring 1 / sqrt(20) = 22 % on the mean for
exponential handle times, about what a planner's figure is good for."""
MEMORY_CONTACTS = 200
"""Contacts in the moving average once it is warm, 7 % on the mean by the same reckoning."""

Traffic = dict[str, Any]

_PEOPLE_FINISHED = frozenset({Handling.HUMAN_ONLY, Handling.AI_ESCALATED})


def touches_people(delta: VolumeDelta) -> bool:
    """Tell whether a delta says anything about people's load: `observed` would change the state."""
    return reaches_people(delta) or _finished_by_people(delta)


def observed(traffic: Traffic | None, delta: VolumeDelta, aht_prior_seconds: float, now: int) -> Traffic:
    """Return a queue's state with one delta in it.

    A contact reaches people when it enters with pool `human_exclusive`, and when it closes as
    `ai_escalated`: a person took over. It brings talk and wrap time when a person finished it
    (`human_only`, `ai_escalated`); one without either was not timed and is left out of the mean.

    Args:
        traffic: the queue's state, or None at its first contact; not changed.
        delta: a delta of that queue.
        aht_prior_seconds: handle time to start the mean from, worth PRIOR_CONTACTS.
        now: UTC microseconds; a delta from the future is booked here.
    """
    at = min(delta.occurred_at, now)
    after = dict(traffic) if traffic else _nothing_yet(at)
    if reaches_people(delta):
        _book(after, at // BUCKET_MICROS, is_own=not delta.displaced)
    seconds = delta.talk_seconds + delta.wrap_seconds
    if _finished_by_people(delta) and seconds > 0:
        mean = aht_prior_seconds if after["aht_seconds"] is None else after["aht_seconds"]
        after["handled"] += 1
        weight = min(PRIOR_CONTACTS + after["handled"], MEMORY_CONTACTS)
        after["aht_seconds"] = mean + (seconds - mean) / weight
    return after


def human_contacts_per_minute(traffic: Traffic | None, observed_since: int | None, at: int) -> float:
    """Return the rate at which contacts were booked for people over the window that ends at `at`.

    The window is 5 minutes, or the time since `observed_since` where that is less, at least
    LEAST_OBSERVED_MICROS. Times in UTC microseconds; 0 before any contact.
    """
    return _per_minute(traffic, "counts", observed_since, at)


def own_contacts_per_minute(traffic: Traffic | None, observed_since: int | None, at: int) -> float:
    """Return the same of people's own contacts alone: without those that came because AI was not available."""
    return _per_minute(traffic, "own", observed_since, at)


def _per_minute(traffic: Traffic | None, ring: str, observed_since: int | None, at: int) -> float:
    if traffic is None or observed_since is None:
        return 0.0
    last = at // BUCKET_MICROS
    first = last - BUCKETS + 1
    oldest = traffic["newest"] - BUCKETS + 1
    contacts = sum(count for slot, count in enumerate(traffic[ring], oldest) if first <= slot <= last)
    span = max(at - max(first * BUCKET_MICROS, observed_since), LEAST_OBSERVED_MICROS)
    return float(contacts * 60 * MICROS_PER_SECOND / span)


def aht_seconds(traffic: Traffic | None, prior_seconds: float) -> float:
    """Return people's handle time in the queue: the moving average, or the prior before any contact."""
    if traffic is None or traffic["aht_seconds"] is None:
        return prior_seconds
    return float(traffic["aht_seconds"])


def _nothing_yet(at: int) -> Traffic:
    return {
        "newest": at // BUCKET_MICROS,
        "counts": [0] * BUCKETS,
        "own": [0] * BUCKETS,
        "aht_seconds": None,
        "handled": 0,
    }


def reaches_people(delta: VolumeDelta) -> bool:
    """Tell whether a delta says that a contact has come to people: at once, or after AI."""
    if delta.pool is Pool.HUMAN_EXCLUSIVE:
        return delta.from_handling is None
    return delta.to_handling is Handling.AI_ESCALATED and delta.from_handling is not Handling.AI_ESCALATED


def _finished_by_people(delta: VolumeDelta) -> bool:
    # A correction from one final state to another is the same work, timed before.
    return delta.to_handling in _PEOPLE_FINISHED and delta.from_handling in (None, Handling.IN_PROGRESS)


def _book(traffic: Traffic, bucket: int, *, is_own: bool) -> None:
    """Add a contact to a bucket of a state that is ours to change; before the ring's oldest it is dropped."""
    ahead = max(bucket - traffic["newest"], 0)
    traffic["newest"] += ahead
    slot = bucket - traffic["newest"] + BUCKETS - 1
    for ring, adds in (("counts", 1), ("own", int(is_own))):
        # [-BUCKETS:] keeps the length whether the ring moves by less or by more than itself.
        counts = (traffic[ring] + [0] * min(ahead, BUCKETS))[-BUCKETS:]
        if slot >= 0:
            counts[slot] += adds
        traffic[ring] = counts
