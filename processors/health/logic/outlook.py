"""How long an outage is likely to last: the provider's own word, what past outages were, or a stated prior.

State of a key: `outages` per endpoint, the lengths of the last finished ones; `status`, the provider's last word.
"""

from __future__ import annotations

from typing import NamedTuple

from runtime.state import KeyedState
from schemas.agents import ProviderState, ProviderStatus
from schemas.fields import MICROS_PER_SECOND
from schemas.wfm import DurationSource

PRIOR_P50_SECONDS = 300.0
PRIOR_P90_SECONDS = 1800.0
"""Prior for the length of an outage: a judgement, not a measurement. Half of the disturbances of a
hosted service are over in five minutes (a restart, a failover, a rate limit), nine in ten in half an
hour (a roll-back by a person). Marked by `duration_samples` 0."""
DURATIONS_KEPT = 32
"""Outages remembered; with 32 the 0.9 quantile still has three above it."""
LEAST_SECONDS = 30.0
"""A provider whose time is over and that has not come back is believed for no less than this."""


class Duration(NamedTuple):
    """Expected length of an outage in seconds, the number of finished outages it comes from, and its source."""

    p50_seconds: float
    p90_seconds: float
    samples: int
    source: DurationSource


def remember_outage(state: KeyedState, endpoint: str, seconds: float) -> None:
    """Keep the length of a finished outage, the last 32 of them."""
    kept = state.get(f"outages\x1f{endpoint}", [])
    state.set(f"outages\x1f{endpoint}", [*kept, round(max(0.0, seconds), 3)][-DURATIONS_KEPT:])


def expected_duration(state: KeyedState, endpoint: str, now: int) -> Duration:
    """Return what the provider says, else the quantiles of the outages remembered, else the prior.

    A provider that is out until an instant is believed: the median is the time until then. The 0.9 quantile is longer
    by as much as past outages' is, for providers are late as well.
    """
    lengths = sorted(state.get(f"outages\x1f{endpoint}", []))
    if lengths:
        duration = Duration(_quantile(lengths, 0.5), _quantile(lengths, 0.9), len(lengths), DurationSource.HISTORY)
    else:
        duration = Duration(PRIOR_P50_SECONDS, PRIOR_P90_SECONDS, 0, DurationSource.PRIOR)
    status, until = provider_says(state)
    if status is ProviderState.OPERATIONAL or until is None:
        return duration
    stated = max((until - now) / MICROS_PER_SECOND, LEAST_SECONDS)
    longer = duration.p90_seconds / duration.p50_seconds if duration.p50_seconds else 1.0
    return Duration(stated, stated * max(1.0, longer), duration.samples, DurationSource.PROVIDER)


def note_status(state: KeyedState, event: ProviderStatus) -> None:
    """Keep a provider's word; an older one than is known is ignored."""
    known = state.get("status")
    if known is None or event.occurred_at >= known[2]:
        state.set("status", [event.status.value, event.until, event.occurred_at])


def provider_says(state: KeyedState) -> tuple[ProviderState, int | None]:
    """Return the provider's last word on itself, and until when; operational where it has said nothing."""
    known = state.get("status")
    return (ProviderState.OPERATIONAL, None) if known is None else (ProviderState(known[0]), known[1])


def is_unwell(state: KeyedState, now: int) -> bool:
    """Return whether the provider says that it is not well; a word that was for a time holds no longer than that."""
    status, until = provider_says(state)
    return status is not ProviderState.OPERATIONAL and (until is None or now < until)


def _quantile(ordered: list[float], share: float) -> float:
    """Quantile by linear interpolation between order statistics (Hyndman and Fan's type 7)."""
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])
