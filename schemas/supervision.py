"""Events about people who watch AI: who watches what, the answers that wait for them, and their verdicts."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from schemas.fields import Count, Epoch, Event, Id, Micros, Name
from schemas.interactions import Text
from schemas.triggers import Person, Triggered, TurnNumber


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


class SupervisorGiven(Event, frozen=True, kw_only=True):
    """Who watches a contact; null where nobody is free. Written by the service `supervisors`.

    `sequence` grows with each word on the same contact: of several the highest stands.
    """

    interaction_id: Id
    tenant: Id
    supervisor: Person | None
    sequence: Count
    occurred_at: Micros


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


class Override(Event, frozen=True, kw_only=True):
    """A supervisor's verdict that changed what AI would have said: who, what and why. `text`: what was said instead."""

    epoch: Epoch
    turn: TurnNumber
    verdict: VerdictKind
    by: Person
    why: str
    occurred_at: Micros
    text: str | None = None
