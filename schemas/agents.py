"""Events about AI agents: outcomes of their turns, and the state of their breakers."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from schemas.fields import (
    BreakerState,
    Channel,
    Count,
    Csat,
    Epoch,
    Event,
    GradedBy,
    Handling,
    Id,
    Micros,
    Milliseconds,
    Money,
    Name,
    Probability,
    Seconds,
    TurnResult,
)


class Outcome(Event, frozen=True, kw_only=True):
    """One AI turn as the health monitor sees it. Written by sessions, once per turn.

    `breaker_epoch` is the epoch under which the router chose the endpoint, so that a late
    outcome is never booked to a later state. `retry_after_seconds`: how long the agent asks to be left alone.
    `looping`: a turn without progress, or an answer given before. `synthetic`: it answers a `ProbeRequest`, whose id
    is its `interaction_id`; written by the AI platform, no customer was there.
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
    tokens: Count = 0
    cost: Money = 0.0
    retry_after_seconds: Seconds | None = None
    looping: bool = False
    synthetic: bool = False


class ContactOutcome(Event, frozen=True, kw_only=True):
    """A contact that an AI agent had is over. Written by sessions, once per contact; nothing is said of others.

    The agent, `intent` and `breaker_epoch` are those of the last agent that had it. `trigger`: why it was escalated.
    """

    tenant: Id
    provider: Name
    endpoint: Name
    version: str
    interaction_id: Id
    channel: Channel
    intent: Name
    queue: Name
    breaker_epoch: Epoch
    handling: Handling
    trigger: str | None = None
    ai_turns: Count = 0
    resolved: bool | None = None
    occurred_at: Micros


class Graded(Event, frozen=True, kw_only=True):
    """What somebody found of a contact that an AI agent had, often long after it. Written by sessions.

    As `interactions.Feedback`, with the last agent that had the contact. `handled_at`: when the contact was decided.
    """

    tenant: Id
    provider: Name
    endpoint: Name
    version: str
    interaction_id: Id
    channel: Channel
    intent: Name
    queue: Name
    breaker_epoch: Epoch
    by: GradedBy
    resolved: bool | None = None
    csat: Csat | None = None
    hallucination: bool | None = None
    repeat_contact: bool | None = None
    handled_at: Micros
    occurred_at: Micros


class ProviderState(enum.StrEnum):
    """What a provider says of itself."""

    OPERATIONAL = "operational"
    DEGRADED = "degraded"
    OUTAGE = "outage"


class ProviderStatus(Event, frozen=True, kw_only=True):
    """A provider's own word on how it is, and until when; the last stands. Written by operators and status pages."""

    tenant: Id
    provider: Name
    status: ProviderState
    until: Micros | None = None
    text: str = ""
    by: str = ""
    occurred_at: Micros


class ProbeRequest(Event, frozen=True, kw_only=True):
    """A wish for a call without a customer, where no contact comes to try a recovering agent with.

    The AI platform makes one call of its own and writes an `Outcome` with `synthetic`, this `probe_id` as its
    `interaction_id` and this `breaker_epoch`. Not after `expires_at`.
    """

    tenant: Id
    provider: Name
    endpoint: Name
    version: str
    probe_id: Id
    breaker_epoch: Epoch
    expires_at: Micros
    occurred_at: Micros


class Tick(Event, frozen=True, kw_only=True):
    """Time has passed. Written by the clock to each key of an inbox; harmless in any number."""

    key: Id
    now: Micros


class BreakerAction(enum.StrEnum):
    """What an operator orders of a breaker. `reset`: close, and forget all that was learnt of the agent."""

    FORCE_OPEN = "force_open"
    CLOSE = "close"
    RESET = "reset"


class BreakerCommand(Event, frozen=True, kw_only=True):
    """An operator's order to one breaker, with the reason that is kept on the transition.

    `version`: to the breaker of that version of the agent alone.
    """

    tenant: Id
    provider: Name
    endpoint: Name
    action: BreakerAction
    reason: Annotated[str, Meta(min_length=1, description="why, in the operator's words")]
    occurred_at: Micros
    version: str | None = None
    by: str = ""


class LatencySummary(Event, frozen=True, kw_only=True):
    """Latency of answers on one channel, to the width of a histogram's bucket (9 %)."""

    channel: Channel
    answers: Count
    p50_ms: Milliseconds
    p95_ms: Milliseconds
    p99_ms: Milliseconds


class Evidence(Event, frozen=True, kw_only=True):
    """What a breaker had seen when it changed state. Rates are over `window_seconds`.

    The posterior is that of the failure rate, its sample size `outcomes`. `signal`: the test that spoke, where one
    did: of `observations` since it was quiet `adverse` were against the agent, and `statistic` reached `limit`, which
    an agent that is well reaches once in `false_alarm_observations`. `latencies`: of the window's channels.
    """

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
    signal: str | None = None
    observations: Count = 0
    adverse: Count = 0
    statistic: float = 0.0
    limit: float = 0.0
    false_alarm_observations: float = 0.0
    latencies: tuple[LatencySummary, ...] = ()
    tokens_per_outcome: float = 0.0
    in_flight: Count = 0


class Transition(Event, frozen=True, kw_only=True):
    """A breaker changed state. Written by the health monitor, followed by the router.

    HALF_OPEN carries `probe_permits`, one quantity per partition of `interactions.offered`
    (index = partition), good until `probes_expire_at`; a router spends only the share of the
    partitions that it owns. `open_until` is set in OPEN. `version`: the breaker is that of one version of the agent
    alone; breakers of one agent draw their epochs from one count. `shed_intents`: intents that the agent does not get
    while this stands; with `intents_only` it is well for all others. `most_at_once`: contacts at once that it may have
    while this stands, where that is below the policy's. `ramp_seconds`: after recovery it gets a share of its contacts
    that grows from `ramp_from` at `occurred_at` to all of them. `by`: who ordered it, where somebody did.
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
    version: str | None = None
    shed_intents: tuple[str, ...] = ()
    intents_only: bool = False
    most_at_once: Count | None = None
    ramp_seconds: Seconds = 0.0
    ramp_from: Probability = 1.0
    by: str = ""


MACHINE_REASONS = frozenset(
    {
        "consecutive_failures", "failure_rate", "failure_posterior", "latency", "retry_after", "probe_failed",
        "probes_inconclusive",
    }
)  # fmt: skip
"""Reasons of a transition that are the machine's own; an operator's order and a quality below target are not."""


def machine_is_out(breaker: Transition) -> bool:
    """Return whether the machine underneath an agent takes no traffic, be it that it is being tried again.

    It says something of the agents that share it: those of its provider, its region, its group of shared health.
    """
    if breaker.to_state is BreakerState.HALF_OPEN:
        return True
    return breaker.to_state is BreakerState.OPEN and breaker.reason in MACHINE_REASONS
