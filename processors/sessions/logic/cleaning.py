"""What people said is redacted before anything else is done with it.

No entry and no record of ours has the original. Who said something stays: a record that does not name a supervisor is
of no use.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from schemas.conversations import MoveRequest
from schemas.fields import Event
from schemas.interactions import Fact, Turn
from schemas.supervision import Verdict


class Cleans(Protocol):
    """Takes personal data out of texts (`runtime.redaction.Redactor`)."""

    def text(self, text: str) -> str:
        """Return a text in which tokens stand for personal data."""


def cleaned(event: Event, redactor: Cleans) -> Event:
    """Return an event with its texts redacted; the same object where it has none."""
    if isinstance(event, Turn):
        return _turn(event, redactor)
    if isinstance(event, Verdict):
        text = None if event.text is None else redactor.text(event.text)
        return msgspec.structs.replace(event, text=text, why=redactor.text(event.why))
    if isinstance(event, MoveRequest):
        return msgspec.structs.replace(event, why=redactor.text(event.why))
    return event


def _turn(turn: Turn, redactor: Cleans) -> Turn:
    customer, agent, assessment = turn.customer_text, turn.agent_text, turn.assessment
    if customer is None and agent is None and assessment is None and not turn.tried and not turn.facts:
        return turn
    clean = redactor.text
    return msgspec.structs.replace(
        turn,
        customer_text=None if customer is None else clean(customer),
        agent_text=None if agent is None else clean(agent),
        assessment=None if assessment is None else clean(assessment),
        tried=tuple(map(clean, turn.tried)),
        facts=tuple(Fact(name=fact.name, value=clean(fact.value)) for fact in turn.facts),
    )
