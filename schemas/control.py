"""Records of the control topics: what operators and the clock tell every service."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from schemas.fields import FINITE, Channel, Count, Event, Id, Micros, Name, Probability, Seconds
from schemas.interactions import Thresholds
from schemas.rules import (
    Answer,
    ComplianceRule,
    Costs,
    IntentRule,
    Limit,
    Maintenance,
    Opening,
    Parallel,
    Phrasing,
    Relief,
    Spillover,
    SupervisionPolicy,
    Targets,
    Tightening,
    Transfer,
    Triggers,
)


class Capability(Event, frozen=True, kw_only=True):
    """What an agent, or a queue of people, has been seen to resolve of an intent: the share, in so many contacts."""

    intent: Name
    resolved: Probability
    samples: Count


class ChannelQuality(Event, frozen=True, kw_only=True):
    """How well an agent, or a queue of people, does on a channel."""

    channel: Channel
    quality: Probability


class LanguageQuality(Event, frozen=True, kw_only=True):
    """How well an agent, or a queue of people, does in a language, such as `en` or `en-GB`."""

    language: Name
    quality: Probability


class Endpoint(Event, frozen=True, kw_only=True):
    """An AI agent that can be called: one deployment of one provider.

    `intents`: what it may be given. `max_concurrent`: most contacts at once. `channels` and `languages`: its
    quality in each, and none but these; empty for all alike. `shared_health`: a group of agents, of any tenants, that
    are one machine underneath.
    """

    endpoint: Name
    provider: Name
    version: str
    intents: tuple[str, ...]
    max_concurrent: Annotated[int, Meta(ge=1, description="contacts at once")] = 100
    capabilities: tuple[Capability, ...] = ()
    channels: tuple[ChannelQuality, ...] = ()
    languages: tuple[LanguageQuality, ...] = ()
    region: Annotated[str, Meta(max_length=256, description="where it keeps data, as in `residency`")] = ""
    cost: Annotated[float, Meta(ge=0.0, le=FINITE, description="of a contact, in the tenant's currency")] = 0.0
    maintenance: tuple[Maintenance, ...] = ()
    shared_health: Name | None = None


class HumanQueue(Event, frozen=True, kw_only=True):
    """A queue of people: the intents it takes and the service that it owes.

    Defaults: 80 % in 20 s, occupancy at most 0.85, shrinkage 0.30 (`docs/architecture.md`).
    `aht_seconds` is the prior for handle time until enough contacts were handled. Of several queues with an intent
    the best fit has it; `capabilities`, `channels` and `languages` are as an agent's. `hours`: when it is open, in
    `time_zone`; always where none are given. `when_closed`: what contacts get when all that could have them are closed.
    `patience_seconds`: how long customers wait in the mean before they give up, for what overload is like; the number
    of people required does not count on it.
    """

    queue: Name
    intents: tuple[str, ...]
    aht_seconds: Annotated[float, Meta(gt=0.0, le=FINITE, description="seconds, talk and wrap")] = 300.0
    service_level_target: Probability = 0.80
    service_level_seconds: Seconds = 20.0
    max_occupancy: Annotated[float, Meta(gt=0.0, le=1.0, description="share of time spent on contacts")] = 0.85
    shrinkage: Annotated[float, Meta(ge=0.0, lt=1.0, description="share of paid time away from contacts")] = 0.30
    capabilities: tuple[Capability, ...] = ()
    channels: tuple[ChannelQuality, ...] = ()
    languages: tuple[LanguageQuality, ...] = ()
    hours: tuple[Opening, ...] = ()
    time_zone: Name = "UTC"
    when_closed: Answer = Answer.PEOPLE
    patience_seconds: Annotated[float, Meta(gt=0.0, le=FINITE, description="mean seconds, exponential")] = 180.0


class BreakerPolicy(Event, frozen=True, kw_only=True):
    """When a breaker moves. Defaults and their reasons: `docs/decisions`."""

    window_seconds: Annotated[int, Meta(ge=1, le=600, description="seconds of outcomes looked at")] = 60
    minimum_outcomes: Annotated[int, Meta(ge=1, description="least outcomes for a rate")] = 10
    degraded_failure_rate: Probability = 0.20
    open_failure_rate: Probability = 0.50
    open_consecutive_failures: Annotated[int, Meta(ge=1, description="hard failures in a row")] = 5
    degraded_latency_ratio: Annotated[float, Meta(gt=1.0, le=FINITE, description="times its own baseline")] = 2.0
    quality_target: Probability = 0.70
    open_seconds: Seconds = 30.0
    open_jitter: Probability = 0.20
    open_seconds_max: Seconds = 300.0
    half_open_probes: Annotated[int, Meta(ge=1, description="probe contacts per HALF_OPEN")] = 3
    half_open_successes: Annotated[int, Meta(ge=1, description="successes that close")] = 5
    half_open_seconds_max: Seconds = 60.0
    targets: Targets = Targets()
    ramp_seconds: Annotated[float, Meta(ge=0.0, le=3600.0, description="seconds until all contacts are back")] = 60.0
    ramp_from: Annotated[float, Meta(gt=0.0, le=1.0, description="share of contacts right after recovery")] = 0.2
    synthetic_probes: bool = True
    maintenance_ahead_seconds: Annotated[float, Meta(ge=0.0, le=86_400.0)] = 900.0


class ThresholdRow(Event, frozen=True, kw_only=True):
    """Thresholds of the contacts of an intent, a channel and a segment, each null for any."""

    intent: Name | None = None
    channel: Channel | None = None
    segment: Name | None = None
    contained: Probability
    assisted: Probability


class ResidencyRule(Event, frozen=True, kw_only=True):
    """Customers of a region, `*` for any other or unknown, are served by agents of these regions alone."""

    customers: Name
    agents: tuple[str, ...]


class Policy(Event, frozen=True, kw_only=True):
    """What one tenant wants: agents, queues, thresholds. The last valid record of a tenant stands.

    `matrix`: thresholds for some contacts; the most specific row decides, an intent before a channel before a
    segment, and `thresholds` where none fits. `human_only_flags`: contacts with one of these flags never go to AI.
    `residency`: which agents may serve which customers; who is not named may be served by any. `extends`: the tenant
    whose policy this was made from. `changed_by` and `reason`: who applied it, and why. `intents`: what holds for some
    of them. `escalation`: when AI hands a conversation to a person. `relief` and `tightening`: how thresholds move.
    `phrasings`: how customers ask for a person, in place of those that Trunkline knows for the language. `costs`: for
    reports.
    """

    tenant: Id
    revision: Count
    thresholds: Thresholds
    matrix: tuple[ThresholdRow, ...] = ()
    endpoints: tuple[Endpoint, ...]
    queues: Annotated[tuple[HumanQueue, ...], Meta(min_length=1)]
    default_queue: Name
    human_only_intents: tuple[str, ...] = ()
    human_only_flags: tuple[str, ...] = ()
    residency: tuple[ResidencyRule, ...] = ()
    breaker: BreakerPolicy = BreakerPolicy()
    intents: tuple[IntentRule, ...] = ()
    supervision: SupervisionPolicy = SupervisionPolicy()
    escalation: Triggers = Triggers()
    compliance: tuple[ComplianceRule, ...] = ()
    limits: tuple[Limit, ...] = ()
    relief: Relief | None = None
    tightening: Tightening | None = None
    spillover: Spillover = Spillover()
    extends: Id | None = None
    changed_by: str = ""
    reason: str = ""
    occurred_at: Micros
    phrasings: tuple[Phrasing, ...] = ()
    transfer: Transfer = Transfer()
    parallel: Parallel | None = None
    costs: Costs = Costs()


class ModelAssignment(Event, frozen=True, kw_only=True):
    """Which model finds the intents of a tenant's contacts. The last record of a tenant stands.

    Tenant `*` is every tenant without an assignment of its own; a tombstone takes an assignment back.
    `model` is checked against the file: a router uses no other content than was assigned.
    `classifier` names the entry point that opens the file, in the group `trunkline.classifiers`.
    """

    tenant: Id
    model: Annotated[str, Meta(min_length=1, max_length=256, description="version id: name-first 12 hex of its hash")]
    location: Annotated[
        str, Meta(min_length=1, max_length=4096, description="path or file URL of the model, as routers see it")
    ]
    classifier: Name = "trunkline"
    occurred_at: Micros


People = Annotated[float, Meta(ge=0.0, le=FINITE, description="people in seats")]


class KillSwitch(Event, frozen=True, kw_only=True):
    """An order that AI gets no contact, or gets them again: the last order about the same stands.

    About one agent where `endpoint` is given, with its `tenant`; about all agents of a tenant where `tenant` alone
    is; about all agents of all tenants where neither is.
    """

    tenant: Id | None = None
    endpoint: Name | None = None
    killed: bool
    reason: Annotated[str, Meta(min_length=1, max_length=1000, description="why, in the operator's words")]
    changed_by: str = ""
    occurred_at: Micros


class Availability(Event, frozen=True, kw_only=True):
    """How many people a queue needs and has, now or soon: what WFM says. The last record of a queue stands.

    It counts from `starts_at` until `expires_at`. Both numbers are people in seats, `agents_required` at the
    queue's service level. Who could be had besides, where WFM knows: on a break that can wait (`agents_on_break`), at
    work off the phone that can wait (`agents_off_phone`), asked for overtime (`agents_overtime`).
    """

    tenant: Id
    queue: Name
    agents_required: People
    agents_available: People
    starts_at: Micros = 0
    expires_at: Micros
    occurred_at: Micros
    agents_on_break: People = 0.0
    agents_off_phone: People = 0.0
    agents_overtime: People = 0.0


PLAN_INTERVALS = 1_500
"""Most intervals of one plan: a fortnight of 15 minutes."""


class PlannedInterval(Event, frozen=True, kw_only=True):
    """What WFM plans for one interval of a queue: contacts for people, their handle time, people in seats.

    Each null where the plan does not say: a schedule tells people alone, a forecast contacts and their handle time.
    """

    contacts: Annotated[float, Meta(ge=0.0, le=FINITE, description="contacts")] | None = None
    aht_seconds: Seconds | None = None
    agents: People | None = None


class QueuePlan(Event, frozen=True, kw_only=True):
    """WFM's plan of a queue from `starts_at` on, interval by interval. The last record of a queue and start stands.

    `intervals`: in order, without gaps, at most PLAN_INTERVALS. Where two plans of a queue overlap, the one that was
    said last counts.
    """

    tenant: Id
    queue: Name
    starts_at: Micros
    interval_seconds: Annotated[int, Meta(ge=60, le=86_400, description="length of each interval, seconds")] = 900
    intervals: tuple[PlannedInterval, ...]
    occurred_at: Micros


class ClockSetting(Event, frozen=True, kw_only=True):
    """How Trunkline's time runs: now = origin + (real now - real_origin) * speed.

    No record means real time. A simulator writes one to play a past day at many times speed.
    """

    origin: Micros
    real_origin: Micros
    speed: Annotated[float, Meta(gt=0.0, le=FINITE, description="virtual seconds per real second")]


class FaultKind(enum.StrEnum):
    """How a simulated AI endpoint misbehaves."""

    NONE = "none"
    OUTAGE = "outage"
    ERRORS = "errors"
    LATENCY = "latency"
    WRONG_ANSWERS = "wrong_answers"
    TIMEOUTS = "timeouts"
    RATE_LIMITS = "rate_limits"
    LOOPS = "loops"


class Fault(Event, frozen=True, kw_only=True):
    """An order to the simulated AI fleet: from now on `endpoint` misbehaves (or no longer).

    `severity`: share of turns hit for errors, wrong answers, timeouts, rate limits and loops, factor for latency; an
    outage hits all.
    """

    endpoint: Name
    kind: FaultKind
    severity: Annotated[float, Meta(ge=0.0, le=FINITE)] = 1.0
    occurred_at: Micros
