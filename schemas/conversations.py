"""Events about a contact that is under way: claims, transfers, supervision, and what others may look up."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from schemas.fields import (
    Channel,
    Count,
    Epoch,
    Event,
    Handling,
    Id,
    Micros,
    Name,
    Pool,
    Probability,
    Supervision,
    TurnResult,
)
from schemas.interactions import Customer, Fact, Text
from schemas.rules import Sentiment

TurnNumber = Annotated[int, Meta(ge=1, description="1 for the first turn")]
Person = Annotated[str, Meta(min_length=1, max_length=256, description="a person, by the desktop's id")]


class Trigger(enum.StrEnum):
    """Why a conversation goes from AI to a person, or to another agent."""

    SENTIMENT = "sentiment"
    SENTIMENT_SLOPE = "sentiment_slope"
    TURNS = "turns"
    TOPIC = "topic"
    OUT_OF_SCOPE = "out_of_scope"
    PERSON_ASKED = "person_asked"
    DURATION = "duration"
    AMOUNT = "amount"
    AI_ERROR = "ai_error"
    BREAKER_OPEN = "breaker_open"
    OTHER_INTENT = "other_intent"
    HANDOVER_LIMIT = "handover_limit"
    NO_AGENT = "no_agent"
    NO_SUPERVISOR = "no_supervisor"
    NO_VERDICT = "no_verdict"
    TAKEN_OVER = "taken_over"
    REQUESTED = "requested"
    PERSON_CLAIMED = "person_claimed"
    UNCLAIMED = "unclaimed"


class Triggered(Event, frozen=True, kw_only=True):
    """A trigger that was met. `turn`: under `epoch`, 0 where no turn met it."""

    trigger: Trigger
    detail: str = ""
    epoch: Epoch
    turn: Count = 0
    occurred_at: Micros


# -- what desktops, the ACD, AI platforms and Trunkline's own services tell sessions


class ChannelSwitched(Event, frozen=True, kw_only=True):
    """The contact goes on by another channel. Of several the latest `occurred_at` stands."""

    interaction_id: Id
    tenant: Id
    to: Channel
    by: str = ""
    occurred_at: Micros


class Side(enum.StrEnum):
    """Who races for a contact: its AI agent, or a person who is reserved for it."""

    AI = "ai"
    PEOPLE = "people"


class Claim(Event, frozen=True, kw_only=True):
    """An agent, or the ACD for a person, is ready for a contact of a parallel position.

    `round`: of the race, from the last `Assignment`; 0 at first. `claimant`: the endpoint, or the person.
    """

    interaction_id: Id
    tenant: Id
    side: Side
    claimant: Id
    round: Count = 0
    occurred_at: Micros


class HandoffAck(Event, frozen=True, kw_only=True):
    """The packet of this epoch arrived, and the contact is with a person or in their queue. Written by the ACD."""

    interaction_id: Id
    tenant: Id
    epoch: Epoch
    by: Person
    occurred_at: Micros


class VerdictKind(enum.StrEnum):
    """What a supervisor makes of an answer. All but the first are overrides."""

    APPROVE = "approve"
    EDIT = "edit"
    REJECT = "reject"
    TAKE_OVER = "take_over"


class Verdict(Event, frozen=True, kw_only=True):
    """A supervisor's word on an answer that waits. The first in the log stands. `text`: what to say instead."""

    interaction_id: Id
    tenant: Id
    epoch: Epoch
    turn: TurnNumber
    verdict: VerdictKind
    by: Person
    why: str = ""
    text: Text | None = None
    occurred_at: Micros


class MoveRequest(Event, frozen=True, kw_only=True):
    """A person, or the ACD, wants a contact in another pool. One about an epoch that is over counts no more.

    `intent`: what it is about now, where an AI agent is to have it.
    """

    interaction_id: Id
    tenant: Id
    epoch: Epoch
    to: Pool
    by: Person
    why: str = ""
    intent: Name | None = None
    occurred_at: Micros


class AgentLost(Event, frozen=True, kw_only=True):
    """The breaker of the agent that has this contact has opened. Written by the clock.

    `agent`: its key (`schemas.topics.endpoint_key`); `breaker_epoch`: of the transition.
    """

    interaction_id: Id
    agent: Id
    breaker_epoch: Epoch
    occurred_at: Micros


class SupervisorGiven(Event, frozen=True, kw_only=True):
    """Who watches a contact; null where nobody is free. Written by the service `supervisors`.

    `sequence` grows with each word on the same contact: of several the highest stands.
    """

    interaction_id: Id
    tenant: Id
    supervisor: Person | None
    sequence: Count
    occurred_at: Micros


# -- what supervisors are assigned by


class SupervisorPresence(Event, frozen=True, kw_only=True):
    """A supervisor comes or goes. Written by desktops. `sessions`: own limit, where it is below the policy's."""

    tenant: Id
    supervisor: Person
    available: bool
    sessions: Annotated[int, Meta(ge=1, le=8, description="contacts at once")] | None = None
    occurred_at: Micros


class SupervisionWanted(Event, frozen=True, kw_only=True):
    """A contact needs a supervisor. Written by sessions. `limit`: contacts of a supervisor at once, by the policy."""

    tenant: Id
    interaction_id: Id
    limit: Annotated[int, Meta(ge=1, le=8, description="contacts at once")]
    occurred_at: Micros


class SupervisionEnded(Event, frozen=True, kw_only=True):
    """A contact needs its supervisor no more. Written by sessions."""

    tenant: Id
    interaction_id: Id
    occurred_at: Micros


# -- what sessions tell


class Exchange(Event, frozen=True, kw_only=True):
    """One turn as it is kept: texts are redacted, and cut where they are long. `verdict`: of a supervisor."""

    epoch: Epoch
    turn: TurnNumber
    endpoint: Name
    channel: Channel
    result: TurnResult
    customer_text: str | None = None
    agent_text: str | None = None
    sentiment: Sentiment | None = None
    verdict: VerdictKind | None = None
    refused: bool = False
    occurred_at: Micros


class Override(Event, frozen=True, kw_only=True):
    """A supervisor's verdict that changed what AI would have said: who, what and why. `text`: what was said instead."""

    epoch: Epoch
    turn: TurnNumber
    verdict: VerdictKind
    by: Person
    why: str
    occurred_at: Micros
    text: str | None = None


class Handoff(Event, frozen=True, kw_only=True):
    """A warm transfer: all that a person needs to go on, in one packet. Read by the ACD, which acknowledges it.

    `handoff_id` is the same at each `attempt`. `epoch`: the fence: AI answers of a lower one are refused from now on.
    """

    handoff_id: Id
    interaction_id: Id
    tenant: Id
    epoch: Epoch
    attempt: Annotated[int, Meta(ge=1, description="1 when it is sent first")] = 1
    decision_id: Id
    trigger: Triggered
    queue: Name
    channel: Channel
    language: str
    segment: str
    customer: Customer | None = None
    intent: Name
    confidence: Probability | None = None
    endpoint: str | None = None
    endpoint_version: str | None = None
    history: tuple[Exchange, ...] = ()
    history_cut: Count = 0
    assessment: str = ""
    tried: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    triggers: tuple[Triggered, ...] = ()
    overrides: tuple[Override, ...] = ()
    offered_at: Micros
    occurred_at: Micros


class Moved(Event, frozen=True, kw_only=True):
    """A contact went from one pool to another, or to another agent, and why."""

    interaction_id: Id
    tenant: Id
    epoch: Epoch
    from_pool: Pool
    to_pool: Pool
    trigger: Triggered
    from_endpoint: str | None = None
    to_endpoint: str | None = None
    queue: Name
    occurred_at: Micros


class Assignment(Event, frozen=True, kw_only=True):
    """How a race stands: who won and which side is to be released, or that a claim is void and the race open again."""

    interaction_id: Id
    tenant: Id
    round: Count
    winner: Side | None = None
    claimant: str | None = None
    released: Side | None = None
    reason: Name
    expires_at: Micros | None = None
    occurred_at: Micros


class AnswerRefused(Event, frozen=True, kw_only=True):
    """An AI answer came from an agent that has the contact no more: it must not reach the customer."""

    interaction_id: Id
    tenant: Id
    endpoint: Name
    epoch: Epoch
    turn: TurnNumber
    session_epoch: Epoch
    occurred_at: Micros


class SupervisionRequest(Event, frozen=True, kw_only=True):
    """An AI answer that waits for a verdict. `supervisor`: null where the ACD chooses. `why`: triggers that it met."""

    interaction_id: Id
    tenant: Id
    epoch: Epoch
    turn: TurnNumber
    supervisor: Person | None = None
    queue: Name
    intent: Name
    endpoint: Name
    why: tuple[Triggered, ...] = ()
    customer_text: str | None = None
    agent_text: str | None = None
    due_at: Micros
    occurred_at: Micros


class SupervisionResult(Event, frozen=True, kw_only=True):
    """What becomes of an answer that waited: the platform obeys. `text`: what to say instead, redacted."""

    interaction_id: Id
    tenant: Id
    epoch: Epoch
    turn: TurnNumber
    verdict: VerdictKind
    by: Person
    text: str | None = None
    occurred_at: Micros


class Transferred(Event, frozen=True, kw_only=True):
    """How a warm transfer stands. `acked_by`: null while nobody has answered."""

    handoff_id: Id
    attempts: Count
    acked_by: str | None = None
    acked_at: Micros | None = None


class SessionView(Event, frozen=True, kw_only=True):
    """A contact as others may look it up, without its turns. `revision` grows with every change of anything of it.

    `turns`: how many were there when this was written. `closed`: its final handling. `supervisor`: who watches.
    """

    interaction_id: Id
    tenant: Id
    revision: Count
    epoch: Epoch
    decision_id: Id
    pool: Pool
    supervision: Supervision | None = None
    channel: Channel
    language: str
    segment: str
    intent: Name
    confidence: Probability | None = None
    queue: Name
    endpoint: str | None = None
    endpoint_version: str | None = None
    customer: Customer | None = None
    supervisor: str | None = None
    turns: Count = 0
    refused: Count = 0
    triggers: tuple[Triggered, ...] = ()
    overrides: tuple[Override, ...] = ()
    transfer: Transferred | None = None
    closed: Handling | None = None
    offered_at: Micros
    decided_at: Micros
    updated_at: Micros


class TurnView(Event, frozen=True, kw_only=True):
    """One turn of a contact as others may look it up."""

    interaction_id: Id
    tenant: Id
    revision: Count
    exchange: Exchange


class AlertKind(enum.StrEnum):
    """What needs somebody's attention now."""

    HANDOFF_UNACKNOWLEDGED = "handoff_unacknowledged"


class Alert(Event, frozen=True, kw_only=True):
    """Something went wrong that people must put right."""

    tenant: Id
    alert: AlertKind
    interaction_id: str | None = None
    detail: str = ""
    occurred_at: Micros
