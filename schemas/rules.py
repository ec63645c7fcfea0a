"""What a policy is made of besides agents and queues: conditions, triggers, supervision, limits, moving thresholds."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from schemas.fields import (
    FINITE,
    Channel,
    Count,
    Direction,
    Event,
    Milliseconds,
    Name,
    PerMinute,
    Probability,
    Seconds,
    Supervision,
)

Amount = Annotated[float, Meta(ge=0.0, le=FINITE, description="money, in the tenant's currency")]
Sentiment = Annotated[float, Meta(ge=-1.0, le=1.0, description="sentiment, -1 to 1")]
SentimentSlope = Annotated[
    float, Meta(ge=-2.0, le=0.0, description="change of sentiment per turn, over the last five turns")
]
Years = Annotated[int, Meta(ge=0, le=150, description="years")]


class Triggers(Event, frozen=True, kw_only=True):
    """What in a conversation calls for a person: any one that is met is enough. What is not stated is no trigger.

    `topics`: flagged topics, by the platform's names for them. `turns_over`: turns of the AI agent. `failures_over`:
    its failed turns in a row. `person_asked`: the customer asks for a person (see `Policy.phrasings`). `breaker_opens`:
    the breaker of the agent that has the contact opens.
    """

    amount_over: Amount | None = None
    sentiment_below: Sentiment | None = None
    seconds_over: Seconds | None = None
    turns_over: Count | None = None
    topics: tuple[str, ...] = ()
    sentiment_slope_below: SentimentSlope | None = None
    failures_over: Count | None = None
    out_of_scope: bool = False
    person_asked: bool = False
    breaker_opens: bool = False


class Phase(enum.StrEnum):
    """How far a tenant has come in trusting AI with an intent."""

    PILOT = "pilot"
    SCALING = "scaling"
    MATURITY = "maturity"


class Criteria(Event, frozen=True, kw_only=True):
    """What must be shown before the next phase is proposed: never taken by itself.

    `resolved`: least share resolved by AI, at the lower end of its 95 % interval. `escalated`: highest share that a
    person had to finish.
    """

    contacts: Annotated[int, Meta(ge=1, description="closed contacts that AI had")] = 500
    resolved: Probability = 0.0
    escalated: Probability = 1.0


class PhaseRule(Event, frozen=True, kw_only=True):
    """How closely AI is watched in a phase, and what must be shown to leave it."""

    phase: Phase
    supervision: Supervision
    promote: Criteria | None = None


_WITHOUT_A_RULE = {
    Phase.PILOT: Supervision.FULL,
    Phase.SCALING: Supervision.SEMI,
    Phase.MATURITY: Supervision.AUTONOMOUS,
}


class SupervisionPolicy(Event, frozen=True, kw_only=True):
    """How closely AI is watched: by the phase of the tenant, or of an intent that states its own.

    `full`: each answer waits for a person; `semi`: a person watches, and approves what `approve` names;
    `autonomous`: AI alone, with `escalation` as its protocol for exceptions. A phase without a rule: pilot is full,
    scaling semi, maturity autonomous. `sessions_per_supervisor`: most contacts that a supervisor watches at once; where
    it is given Trunkline assigns supervisors, and a contact for which none is free goes to people. An answer that
    waits longer than `verdict_seconds` sends its contact to people.
    """

    phase: Phase = Phase.MATURITY
    phases: tuple[PhaseRule, ...] = ()
    approve: Triggers = Triggers()
    sessions_per_supervisor: Annotated[int, Meta(ge=3, le=8, description="contacts at once")] | None = None
    verdict_seconds: Annotated[float, Meta(ge=1.0, le=3600.0, description="seconds")] = 60.0

    def of(self, phase: Phase) -> Supervision:
        """Return how closely AI is watched in a phase."""
        return next((rule.supervision for rule in self.phases if rule.phase is phase), _WITHOUT_A_RULE[phase])


class IntentHandling(enum.StrEnum):
    """Who is to have an intent."""

    BY_CONFIDENCE = "by_confidence"
    AI = "ai"
    PEOPLE = "people"


class IntentRule(Event, frozen=True, kw_only=True):
    """What holds for one intent.

    `handling`: by confidence, to AI whatever the confidence, or never to AI. `queue`: of its people, in place of the
    one that fits best. `simple`: stays with AI while AI is degraded. `instructions`: standing words for the agent,
    on the decision. `phase`, `approve`, `escalate`: its own in place of the tenant's.
    """

    intent: Name
    handling: IntentHandling = IntentHandling.BY_CONFIDENCE
    queue: Name | None = None
    simple: bool = False
    phase: Phase | None = None
    approve: Triggers | None = None
    escalate: Triggers | None = None
    instructions: tuple[str, ...] = ()


class Condition(Event, frozen=True, kw_only=True):
    """Which contacts: those of which all holds that is stated. An empty one holds for all.

    Lists are met by any one entry; `without_flags` where the contact has none of them; `age_under` where the age is
    known and lower.
    """

    intents: tuple[str, ...] = ()
    channels: tuple[Channel, ...] = ()
    languages: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    regions: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    without_flags: tuple[str, ...] = ()
    direction: Direction | None = None
    age_under: Years | None = None


class Phrasing(Event, frozen=True, kw_only=True):
    """How customers ask for a person in a language: phrases, found in what they say whatever the case."""

    language: Name
    phrases: Annotated[tuple[str, ...], Meta(min_length=1)]


class Transfer(Event, frozen=True, kw_only=True):
    """How long a warm transfer waits for its acknowledgement, and how often it is sent before it is an alert."""

    ack_seconds: Annotated[float, Meta(ge=1.0, le=3600.0, description="seconds")] = 15.0
    attempts: Annotated[int, Meta(ge=1, le=20, description="times that the packet is sent")] = 3


class Parallel(Event, frozen=True, kw_only=True):
    """Contacts of AI for which a person is reserved while it is being reached: who claims first has the contact.

    A claim that is not followed by a turn, or by the person's acknowledgement, within `claim_seconds` is void.
    """

    when: Condition = Condition()
    claim_seconds: Annotated[float, Meta(ge=1.0, le=600.0, description="seconds")] = 20.0


class ComplianceEffect(enum.StrEnum):
    """What a rule of compliance asks for, the strictest first."""

    HOLD = "hold"
    PEOPLE = "people"
    WATCH = "watch"
    DISCLOSE = "disclose"


class ComplianceRule(Event, frozen=True, kw_only=True):
    """A rule that the law or the house sets; each that applies is on the decision.

    `hold`: nobody is to speak with the customer yet; `people`: never AI, in `queue` where it is given; `watch`: each
    answer of AI waits for a person; `disclose`: AI says `text` first.
    """

    rule: Name
    when: Condition = Condition()
    effect: ComplianceEffect
    queue: Name | None = None
    text: Annotated[str, Meta(max_length=4096, description="what AI is to say")] = ""


class LimitBy(enum.StrEnum):
    """What a limit counts contacts by."""

    TENANT = "tenant"
    CUSTOMER = "customer"
    SOURCE = "source"
    TEXT = "text"


class Answer(enum.StrEnum):
    """What is done with a contact instead of what it asked for."""

    PEOPLE = "people"
    CALLBACK = "callback"
    DEFLECT = "deflect"
    HOLD = "hold"


class Limit(Event, frozen=True, kw_only=True):
    """Most contacts in some seconds, of the tenant, of one customer, from one source, or with the same text.

    What is above gets `answer`. A contact that does not state its customer or source is not counted.
    """

    limit: Name
    by: LimitBy
    contacts: Annotated[int, Meta(ge=1, description="most contacts")]
    seconds: Annotated[float, Meta(ge=1.0, le=86_400.0, description="seconds")]
    answer: Answer = Answer.PEOPLE


class Relief(Event, frozen=True, kw_only=True):
    """How far thresholds fall while people are short: AI takes more.

    Shortage is the share of the people required who are not there, as WFM says (`wfm.availability`). Nothing moves
    up to `shortage_from`, all of it from `shortage_full`; between, in proportion. Thresholds stay at or above
    `contained_least` and `assisted_least`.
    """

    shortage_from: Probability = 0.0
    shortage_full: Annotated[float, Meta(gt=0.0, le=1.0, description="share of the people required")] = 0.3
    contained_by: Probability = 0.0
    assisted_by: Probability = 0.0
    contained_least: Probability = 0.0
    assisted_least: Probability = 0.0


class Tightening(Event, frozen=True, kw_only=True):
    """How far thresholds rise while AI is degraded, and that intents which are not `simple` then go to people.

    AI is degraded while this share of the tenant's agents is killed or has a breaker that is not closed. It comes
    before relief: with both, thresholds rise and do not fall. `resolved_least`: intents of which no agent is shown to
    resolve this share, at the lower end of its 95 % interval, then go to people as well.
    """

    agents_unwell: Annotated[float, Meta(gt=0.0, le=1.0, description="share of the tenant's agents")] = 0.5
    contained_by: Probability = 0.0
    assisted_by: Probability = 0.0
    simple_only: bool = True
    resolved_least: Probability | None = None


class ChannelAnswer(Event, frozen=True, kw_only=True):
    """What contacts of a channel get instead of a queue."""

    channel: Channel
    answer: Answer


class SegmentPriority(Event, frozen=True, kw_only=True):
    """How early customers of a segment are served when not all can be: the highest first, 0 where none is stated."""

    segment: Name
    priority: Annotated[int, Meta(ge=-100, le=100)]


class ChannelNotice(Event, frozen=True, kw_only=True):
    """What the ACD tells customers on a channel while AI is away, by the name of its own announcement."""

    channel: Channel
    notice: Name


class Spillover(Event, frozen=True, kw_only=True):
    """What becomes of contacts that AI would have had, were it available, while the people of their queue are short.

    People are short above `shortage_from`, as WFM says. With `metered`, contacts go to people only as fast as staffing
    says they have room (`wfm.spare`), those of a higher priority first, and the others get their channel's answer;
    `deflect_below`: those of a lower priority are deflected to self-service before any goes to people. Those that get
    `hold` wait in Trunkline's buffer until there is room, by priority and then by waiting time, at most `hold_seconds`.
    `notices`: what customers are told.
    """

    shortage_from: Probability = 0.0
    channels: tuple[ChannelAnswer, ...] = ()
    metered: bool = False
    priorities: tuple[SegmentPriority, ...] = ()
    deflect_below: Annotated[int, Meta(ge=-100, le=100)] | None = None
    notices: tuple[ChannelNotice, ...] = ()
    hold_seconds: Annotated[float, Meta(ge=1.0, le=86_400.0, description="seconds")] = 600.0


class ChannelLatency(Event, frozen=True, kw_only=True):
    """The latency below which 95 of 100 answers on a channel must be."""

    channel: Channel
    p95_ms: Milliseconds


class Targets(Event, frozen=True, kw_only=True):
    """What an AI agent owes, beyond answering: shares that it must keep, each watched by a test of its own.

    `resolved`: contacts resolved, of those that QA sampled. `escalated_most`: contacts that a person had to finish.
    `csat_baseline`: share of satisfied customers with people; an agent's may be `csat_within` below. `looping_most`:
    turns without progress. `hallucinated_most`: contacts flagged. `repeat_most`: contacts after which the customer
    comes again. `utilisation_most`: share of `max_concurrent`. `answers_per_minute_least`: below it, an alert.
    `availability`: share of time in normal traffic that the provider has promised, for reports.
    """

    latency: tuple[ChannelLatency, ...] = ()
    resolved: Probability = 0.95
    escalated_most: Probability = 0.30
    csat_baseline: Probability | None = None
    csat_within: Probability = 0.05
    looping_most: Probability = 0.02
    hallucinated_most: Probability = 0.01
    repeat_most: Probability = 0.15
    utilisation_most: Probability = 0.80
    answers_per_minute_least: PerMinute | None = None
    availability: Probability = 0.995


class Maintenance(Event, frozen=True, kw_only=True):
    """A time in which an agent gets no contacts."""

    starts: Annotated[str, Meta(max_length=64, description="instant, such as 2026-12-01T02:00:00Z")]
    ends: Annotated[str, Meta(max_length=64, description="instant, such as 2026-12-01T04:00:00Z")]
    reason: str = ""


class Costs(Event, frozen=True, kw_only=True):
    """What handling costs, for reports. `people_per_hour`: an hour of a person's talk and wrap, all told."""

    people_per_hour: Amount | None = None


class Opening(Event, frozen=True, kw_only=True):
    """When a queue is open on some days of the week: `mon-fri`, `sat,sun`; a date such as `2026-12-25` comes first."""

    days: Name
    hours: Annotated[str, Meta(max_length=256, description="such as 08:00-12:00, 13:00-18:00; or closed")]
