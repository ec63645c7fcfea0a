"""Events about a contact that is under way: claims, moves and warm transfers."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from schemas.fields import (
    Channel,
    Count,
    Epoch,
    Event,
    Id,
    Micros,
    Name,
    Pool,
    Probability,
)
from schemas.interactions import Customer, Fact
from schemas.supervision import Override
from schemas.triggers import Person, Triggered, TurnNumber
from schemas.views import Exchange

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
    agent: str
    breaker_epoch: Epoch
    occurred_at: Micros


# -- what sessions tell


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


class AlertKind(enum.StrEnum):
    """What needs somebody's attention now."""

    HANDOFF_UNACKNOWLEDGED = "handoff_unacknowledged"
    TELEMETRY_LOST = "telemetry_lost"
    THROUGHPUT_LOW = "throughput_low"
    UTILISATION_HIGH = "utilisation_high"
    CONTAINMENT_FALLING = "containment_falling"
    WEBHOOK_FAILING = "webhook_failing"
    VOLUMES_UNBALANCED = "volumes_unbalanced"


class Alert(Event, frozen=True, kw_only=True):
    """Something went wrong that people must put right.

    `interaction_id`, `endpoint`, `queue`, `intents`: what it is about, each where it is about one.
    """

    tenant: Id
    alert: AlertKind
    interaction_id: str | None = None
    detail: str = ""
    occurred_at: Micros
    endpoint: str | None = None
    queue: str | None = None
    intents: tuple[str, ...] = ()
