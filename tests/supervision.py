"""Events of one tenant's supervision, and a bench that runs the supervisors' step as a service does."""

from __future__ import annotations

from typing import Any

from processors.supervisors.logic import step
from runtime.snapshot import Snapshot
from runtime.state import Overlay
from schemas.errors import RecordError
from schemas.fields import Event
from schemas.supervision import SupervisionEnded, SupervisionWanted, SupervisorGiven, SupervisorPresence
from schemas.topics import INTERACTION_EVENTS
from tests.contacts import HOUR, SECOND, JsonState

NOW = 922_271_401 * SECOND
DAY = 24 * HOUR


def comes(supervisor: str, at: int = NOW, sessions: int | None = None) -> SupervisorPresence:
    return SupervisorPresence(tenant="acme", supervisor=supervisor, available=True, sessions=sessions, occurred_at=at)


def goes(supervisor: str, at: int = NOW) -> SupervisorPresence:
    return SupervisorPresence(tenant="acme", supervisor=supervisor, available=False, occurred_at=at)


def wanted(contact: str, at: int = NOW, limit: int = 3) -> SupervisionWanted:
    return SupervisionWanted(tenant="acme", interaction_id=contact, limit=limit, occurred_at=at)


def ended(contact: str, at: int = NOW) -> SupervisionEnded:
    return SupervisionEnded(tenant="acme", interaction_id=contact, occurred_at=at)


class Bench:
    """Feeds a tenant's events to `step`; a step that raises writes nothing and its event is refused."""

    def __init__(self, state: Any = None) -> None:
        self.state = state or JsonState()
        self.given: list[SupervisorGiven] = []
        self.refused: list[tuple[Event, str]] = []

    def feed(self, event: Event, now: int = NOW) -> list[SupervisorGiven]:
        """Step once; return the answers."""
        overlay = Overlay(self.state)
        try:
            effects = step(event, overlay, Snapshot(), now)
        except RecordError as problem:
            self.refused.append((event, problem.reason))
            return []
        overlay.commit()
        answers = [effect.event for effect in effects]
        assert all(effect.topic is INTERACTION_EVENTS for effect in effects)
        assert all(isinstance(answer, SupervisorGiven) for answer in answers)
        self.given += answers
        return answers

    def run(self, *events: Event, now: int = NOW) -> list[tuple[str, str | None]]:
        """Step through events; return (contact, supervisor) of each answer."""
        return [(given.interaction_id, given.supervisor) for event in events for given in self.feed(event, now)]
