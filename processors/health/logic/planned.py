"""Planned maintenance: what it takes away is told ahead of its time, when it begins, and when it is over.

State, one entry per endpoint: [start and end of the maintenance that was told of, microseconds; whether it has begun].
"""

from __future__ import annotations

import functools

from processors.health.logic import impact
from processors.health.logic.breaker import micros
from processors.health.logic.watch import Watch
from schemas.control import Endpoint
from schemas.fields import MICROS_PER_SECOND, BreakerState
from schemas.hours import instant
from schemas.topics import WFM_EVENTS, Effect
from schemas.wfm import DurationSource, Impact, ImpactCause

_instant = functools.lru_cache(maxsize=4096)(instant)


def told(watch: Watch) -> list[Effect]:
    """Return what is to be told of the endpoint's maintenance now."""
    known, now = watch.known, watch.now
    name = f"planned\x1f{watch.endpoint}"
    noted = watch.state.get(name)
    if noted is None and (known is None or not known.maintenance):
        return []
    window = None if known is None else _window(known, now, micros(watch.policy.maintenance_ahead_seconds))
    if noted is not None and noted[:2] != list(window or ()):
        # It is over, or the policy has another one now.
        watch.state.delete(name)
        # CLOSED: maintenance has no part in it any more; what a breaker says stands by itself. A forecast that another
        # replaces need not be called off, nor a maintenance that only ends at another time.
        goes_on = window is not None and (not noted[2] or now >= window[0])
        over = [] if goes_on else [_impact(watch, noted[0], now, BreakerState.CLOSED)]
        return over + (told(watch) if window is not None else [])
    if window is None:
        return []
    starts, ends = window
    begun = now >= starts
    if noted is not None and noted[2] == begun:
        return []
    watch.state.set(name, [starts, ends, begun])
    return [_impact(watch, starts, ends, BreakerState.FORCED_OPEN)]


def under_way(watch: Watch) -> bool:
    """Return whether the endpoint is in maintenance that has been told of."""
    noted = watch.state.get(f"planned\x1f{watch.endpoint}")
    return noted is not None and bool(noted[2])


def _window(endpoint: Endpoint, now: int, ahead: int) -> tuple[int, int] | None:
    """Return start and end of the maintenance that is under way, or the next within `ahead` microseconds."""
    windows = sorted((_instant(each.starts), _instant(each.ends)) for each in endpoint.maintenance)
    return next(((starts, ends) for starts, ends in windows if starts - ahead <= now < ends), None)


def _impact(watch: Watch, starts: int, ends: int, state: BreakerState) -> Effect:
    rows = watch.load()
    contacts = impact.counted(rows)
    seconds = max(0.0, (ends - max(starts, watch.now)) / MICROS_PER_SECOND)
    return Effect(
        WFM_EVENTS,
        Impact(
            tenant=watch.tenant,
            provider=watch.provider,
            endpoint=watch.endpoint,
            state=state,
            epoch=watch.next_epoch(),
            displaced=impact.displaced(rows, watch.endpoint, watch.tenant_policy),
            expected_seconds_p50=seconds,
            expected_seconds_p90=seconds,
            duration_samples=0,
            occurred_at=watch.now,
            cause=ImpactCause.MAINTENANCE,
            starts_at=starts,
            ends_at=ends,
            contacts_counted=contacts,
            confidence=impact.confidence(contacts),
            duration_source=DurationSource.PLAN,
        ),
    )
