"""What is at stake when a breaker moves: contacts per minute by queue and intent.

Arrivals are counted per endpoint, queue and intent in rings of ten-second buckets, one state entry
each, written only with the first turn of a contact.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

from scipy.special import gammainc

from runtime.state import KeyedState
from schemas.agents import Outcome
from schemas.control import Policy
from schemas.fields import MICROS_PER_SECOND
from schemas.wfm import Displaced

BUCKET_SECONDS = 10
BUCKETS = 30
"""30 buckets of 10 s: five minutes, long enough for a steady rate at a few contacts a minute and short
against the 15-minute interval in which contact-centre load is taken as constant."""
LEAST_ELAPSED_SECONDS = 10.0
"""A rate is never taken over less: the first contact of all would be an infinite rate."""
LEAST_SPELL_SECONDS = 60
"""Normal traffic that lasted less than this between two outages says less of the load than what was
measured before the first: traffic has only begun to come back."""
WITHIN = 0.2
"""A figure counts as right where the true one is within a fifth of it: what a planner's own figures are good for."""

Rows = list[list[str | float]]
"""[queue, intent, contacts per minute, contacts counted] of what an endpoint carries."""


def count_arrival(state: KeyedState, outcome: Outcome, at: int) -> None:
    """Count a contact that reached its endpoint at `at` (microseconds), by its first turn."""
    name = _cell_name(outcome.endpoint, outcome.queue, outcome.intent)
    bucket = at // (BUCKET_SECONDS * MICROS_PER_SECOND)
    stored = state.get(name)
    if stored is None:
        cells = state.get(f"cells\x1f{outcome.endpoint}", [])
        state.set(f"cells\x1f{outcome.endpoint}", [*cells, [outcome.queue, outcome.intent]])
        stored = [bucket, *([0] * BUCKETS)]
    head, counts = stored[0], _moved_on(stored, bucket)
    head = max(head, bucket)
    counts[head % BUCKETS] += 1
    state.set(name, [head, *counts])


def carried(state: KeyedState, endpoint: str, normal_since: int, at: int) -> Rows:
    """Return what the endpoint carries, none of it zero.

    The rate is over the ring's five minutes, or over the time since `normal_since`
    (microseconds, 0: nothing seen) where that is shorter, at least 10 s.
    """
    if not normal_since:
        return []
    bucket = at // (BUCKET_SECONDS * MICROS_PER_SECOND)
    ring_start = (bucket - BUCKETS + 1) * BUCKET_SECONDS * MICROS_PER_SECOND
    elapsed = (at - max(normal_since, ring_start)) / MICROS_PER_SECOND
    minutes = max(elapsed, LEAST_ELAPSED_SECONDS) / 60.0
    rows: Rows = []
    for queue, intent in state.get(f"cells\x1f{endpoint}", []):
        contacts = sum(_moved_on(state.get(_cell_name(endpoint, queue, intent)), bucket))
        if contacts:
            rows.append([queue, intent, contacts / minutes, contacts])
    return rows


def frozen_load(state: KeyedState, endpoint: str) -> Rows:
    """Return what the endpoint carried when it last left normal traffic."""
    rows: Rows = state.get(f"frozen\x1f{endpoint}", [])
    return rows


def freeze(state: KeyedState, endpoint: str, rows: Rows) -> None:
    """Keep `rows` for as long as the endpoint is out, and begin counting anew."""
    state.set(f"frozen\x1f{endpoint}", rows)
    forget_arrivals(state, endpoint)


def forget_arrivals(state: KeyedState, endpoint: str) -> None:
    """Drop the counts of arrivals: the next spell of normal traffic is measured by itself."""
    for queue, intent in state.get(f"cells\x1f{endpoint}", []):
        state.delete(_cell_name(endpoint, queue, intent))
    state.delete(f"cells\x1f{endpoint}")


def displaced(rows: Sequence[Sequence[str | float]], endpoint: str, policy: Policy | None) -> tuple[Displaced, ...]:
    """Return the rows as the wire has them, with the other endpoints that may take the intent."""
    others = [other for other in policy.endpoints if other.endpoint != endpoint] if policy else []
    return tuple(
        Displaced(
            queue=str(queue),
            intent=str(intent),
            contacts_per_minute=float(rate),
            alternatives=tuple(other.endpoint for other in others if intent in other.intents),
        )
        for queue, intent, rate, _ in rows
    )


def counted(rows: Rows) -> int:
    """Return on how many contacts the rates rest."""
    return sum(int(row[3]) for row in rows)


@functools.lru_cache(maxsize=4096)
def confidence(contacts: int) -> float:
    """Return the probability that the true rate is within a fifth of the one counted, from so many contacts.

    Contacts are taken as Poisson: what is known of their number after counting n is Gamma(n + 1/2) (Jeffreys' prior).
    """
    if not contacts:
        return 0.0
    shape = contacts + 0.5
    return round(float(gammainc(shape, (1 + WITHIN) * contacts) - gammainc(shape, (1 - WITHIN) * contacts)), 4)


def _cell_name(endpoint: str, queue: str, intent: str) -> str:
    return f"arrivals\x1f{endpoint}\x1f{queue}\x1f{intent}"


def _moved_on(stored: list[int], bucket: int) -> list[int]:
    """Counts of a ring [head, counts...] with the buckets emptied that `bucket` leaves behind."""
    head, counts = stored[0], stored[1:]
    if bucket - head >= BUCKETS:
        return [0] * BUCKETS
    for passed in range(head + 1, bucket + 1):
        counts[passed % BUCKETS] = 0
    return counts
