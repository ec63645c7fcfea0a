"""Why a conversation leaves the agent that has it, and who is meant by a person."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from schemas.fields import Count, Epoch, Event, Micros

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
    RELEASED = "released"
    HOLD_ENDED = "hold_ended"


class Triggered(Event, frozen=True, kw_only=True):
    """A trigger that was met. `turn`: under `epoch`, 0 where no turn met it."""

    trigger: Trigger
    detail: str = ""
    epoch: Epoch
    turn: Count = 0
    occurred_at: Micros
