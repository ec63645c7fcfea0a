"""Field types shared by the events: each carries its unit and its bounds.

The bounds are enforced whenever an event is decoded from Avro or from JSON, and the
descriptions become the `doc` of the field in `schemas/avro/*.avsc`.
"""

from __future__ import annotations

import enum
import sys
from typing import Annotated

from msgspec import Meta, Struct

LATEST = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z in microseconds: the last instant that RFC 3339 can write."""
FINITE = sys.float_info.max
"""Bound of every number without one of its own: infinity would stay in each sum that it enters."""

Micros = Annotated[int, Meta(ge=0, le=LATEST, description="UTC, microseconds since 1970-01-01")]
MAX_ID = 256
Id = Annotated[str, Meta(min_length=1, max_length=MAX_ID, description="identifier, case-sensitive")]
Name = Annotated[str, Meta(min_length=1, max_length=256, description="name from the tenant's policy or model")]
Probability = Annotated[float, Meta(ge=0.0, le=1.0, description="probability, 0 to 1")]
Csat = Annotated[int, Meta(ge=1, le=5, description="customer satisfaction, 1 to 5; 4 and 5 are satisfied")]
Money = Annotated[float, Meta(ge=0.0, le=FINITE, description="in the tenant's currency")]
Seconds = Annotated[float, Meta(ge=0.0, le=FINITE, description="seconds")]
Milliseconds = Annotated[float, Meta(ge=0.0, le=FINITE, description="milliseconds")]
PerMinute = Annotated[float, Meta(ge=0.0, le=FINITE, description="contacts per minute")]
Count = Annotated[int, Meta(ge=0, description="a count")]
Epoch = Annotated[int, Meta(ge=0, description="epoch: grows with every change of what it counts")]

MICROS_PER_SECOND = 1_000_000


class Event(Struct, frozen=True, kw_only=True, gc=False):
    """Base of every record on a Trunkline topic: immutable, one Avro schema each.

    Subclasses inherit `gc=False`: events hold texts, numbers and other events, so none is in a cycle.
    """


class Channel(enum.StrEnum):
    """Channel by which a contact reaches the centre."""

    VOICE = "voice"
    CHAT = "chat"
    MESSAGING = "messaging"
    EMAIL = "email"
    SOCIAL = "social"


class Direction(enum.StrEnum):
    """Who began a contact: the customer, or the centre."""

    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Pool(enum.StrEnum):
    """Who is to handle a contact."""

    AI_CONTAINED = "ai_contained"
    AI_ASSISTED = "ai_assisted"
    HUMAN_EXCLUSIVE = "human_exclusive"


class Supervision(enum.StrEnum):
    """How closely a person watches the AI agent."""

    FULL = "full"
    SEMI = "semi"
    AUTONOMOUS = "autonomous"


class Disposition(enum.StrEnum):
    """What the ACD is asked to do with a contact."""

    ROUTE = "route"
    CALLBACK = "callback"
    DEFLECT = "deflect"
    HOLD = "hold"
    REPEAT = "repeat"


class Handling(enum.StrEnum):
    """Handling state of a contact: exactly one at any time, so volumes are conserved."""

    IN_PROGRESS = "in_progress"
    AI_CONTAINED = "ai_contained"
    AI_ASSISTED = "ai_assisted"
    AI_ESCALATED = "ai_escalated"
    HUMAN_ONLY = "human_only"
    DEFLECTED = "deflected"
    ABANDONED = "abandoned"


CONTAINED = frozenset({Handling.AI_CONTAINED, Handling.AI_ASSISTED})
"""Of contacts that no person had to finish: AI alone had them, or a person watched."""


class FinishedBy(enum.StrEnum):
    """Who ended a contact; `customer` means that the customer left before anyone finished it."""

    AI = "ai"
    HUMAN = "human"
    CUSTOMER = "customer"
    SELF_SERVICE = "self_service"


class TurnResult(enum.StrEnum):
    """How one call to an AI agent ended. `caller_fault` is never the agent's failure."""

    OK = "ok"
    TIMEOUT = "timeout"
    SERVER_ERROR = "server_error"
    RATE_LIMITED = "rate_limited"
    CONTENT_REFUSED = "content_refused"
    CALLER_FAULT = "caller_fault"


class BreakerState(enum.StrEnum):
    """State of an AI endpoint's circuit breaker."""

    CLOSED = "closed"
    DEGRADED = "degraded"
    OPEN = "open"
    HALF_OPEN = "half_open"
    FORCED_OPEN = "forced_open"


FROM_BEST = (
    BreakerState.CLOSED,
    BreakerState.DEGRADED,
    BreakerState.HALF_OPEN,
    BreakerState.OPEN,
    BreakerState.FORCED_OPEN,
)
"""The states of a breaker: of several breakers of one agent the last of these holds."""
NORMAL_TRAFFIC = frozenset({BreakerState.CLOSED, BreakerState.DEGRADED})
"""States in which an agent takes its normal traffic; in HALF_OPEN it takes a few contacts on trial, else none."""


class GradedBy(enum.StrEnum):
    """Who says how good a contact was."""

    QA = "qa"
    PLATFORM = "platform"
    CUSTOMER = "customer"
