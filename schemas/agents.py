"""Events about AI agents: outcomes of their turns, and the state of their breakers."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from schemas.fields import (
    BreakerState,
    Channel,
    Count,
    Epoch,
    Event,
    Id,
    Micros,
    Milliseconds,
    Name,
    Probability,
    Seconds,
    TurnResult,
)


class Outcome(Event, frozen=True, kw_only=True):
    """One AI turn as the health monitor sees it. Written by sessions, once per turn.

    `breaker_epoch` is the epoch under which the router chose the endpoint, so that a late
    outcome is never booked to a later state.
    """

    tenant: Id
    provider: Name
    endpoint: Name
    version: str
    interaction_id: Id
    turn: Annotated[int, Meta(ge=1, description="1 for the first turn")]
    channel: Channel
    intent: Name
    queue: Name
    breaker_epoch: Epoch
    result: TurnResult
    latency_ms: Milliseconds
    quality: Probability | None = None
    occurred_at: Micros


class Tick(Event, frozen=True, kw_only=True):
    """Time has passed. Written by the clock to each key of an inbox; harmless in any number."""

    key: Id
    now: Micros


class BreakerAction(enum.StrEnum):
    """What an operator orders of a breaker."""

    FORCE_OPEN = "force_open"
    CLOSE = "close"


class BreakerCommand(Event, frozen=True, kw_only=True):
    """An operator's order to one breaker, with the reason that is kept on the transition."""

    tenant: Id
    provider: Name
    endpoint: Name
    action: BreakerAction
    reason: Annotated[str, Meta(min_length=1, description="why, in the operator's words")]
    occurred_at: Micros


class Evidence(Event, frozen=True, kw_only=True):
    """What a breaker had seen when it changed state. Rates are over `window_seconds`."""

    window_seconds: Seconds
    outcomes: Count
    failures: Count
    consecutive_failures: Count
    failure_rate: Probability
    posterior_mean: Probability
    latency_mean_ms: Milliseconds
    latency_baseline_ms: Milliseconds
    quality_mean: Probability | None = None
    failures_by_result: dict[str, int] = {}


class Transition(Event, frozen=True, kw_only=True):
    """A breaker changed state. Written by the health monitor, followed by the router.

    HALF_OPEN carries `probe_permits`, one quantity per partition of `interactions.offered`
    (index = partition), good until `probes_expire_at`; a router spends only the share of the
    partitions that it owns. `open_until` is set in OPEN.
    """

    tenant: Id
    provider: Name
    endpoint: Name
    from_state: BreakerState
    to_state: BreakerState
    epoch: Epoch
    reason: Name
    detail: str = ""
    evidence: Evidence
    open_until: Micros | None = None
    probe_permits: tuple[int, ...] = ()
    probes_expire_at: Micros | None = None
    occurred_at: Micros
