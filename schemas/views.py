"""A contact as others may look it up: `sessions.views`, copied to Redis."""

from __future__ import annotations

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
from schemas.interactions import Customer
from schemas.rules import Sentiment
from schemas.supervision import Override, VerdictKind
from schemas.triggers import Triggered, TurnNumber


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
