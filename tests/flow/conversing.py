"""Conversations through the real services: a contact is offered, its agent reports turns, sessions are listened to."""

from __future__ import annotations

from typing import Any

import msgspec

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.control import Endpoint, HumanQueue, Policy
from schemas.conversations import Handoff, HandoffAck
from schemas.fields import FinishedBy, TurnResult
from schemas.interactions import Classification, Completed, Decision, Thresholds, Turn
from schemas.rules import Triggers
from schemas.topics import (
    AGENT_EVENTS,
    ALERTS,
    ASSIGNMENTS,
    CLOSED,
    HANDOFFS,
    INTERACTION_EVENTS,
    OFFERED,
    ROUTED,
    SESSION_VIEWS,
    SUPERVISION_REQUESTS,
)
from tests.flow.steps import Watch, offered, publish_policy, write

TOPICS = (ROUTED, HANDOFFS, ASSIGNMENTS, SUPERVISION_REQUESTS, ALERTS, SESSION_VIEWS, CLOSED, AGENT_EVENTS)
INTENTS = ("balance", "card_lost", "router_reset")


def house(tenant: str, **changes: Any) -> Policy:
    """A tenant with an agent for money, one for technical matters, and a queue of people for both."""
    base = Policy(
        tenant=tenant,
        revision=1,
        thresholds=Thresholds(contained=0.92, assisted=0.75),
        endpoints=(
            Endpoint(
                endpoint="nova", provider="north", version="7", intents=("balance", "card_lost"), max_concurrent=5_000
            ),
            Endpoint(endpoint="tess", provider="south", version="3", intents=("router_reset",), max_concurrent=5_000),
        ),
        queues=(HumanQueue(queue="retail", intents=INTENTS),),
        default_queue="retail",
        occurred_at=real_now(),
    )
    return msgspec.structs.replace(base, **changes)


def open_house(settings: Settings, tenant: str, **changes: Any) -> None:
    """Publish the policy of a tenant."""
    publish_policy(settings, house(tenant, **changes))


class Talk:
    """One contact: what is reported of it, and what is said about it."""

    def __init__(self, settings: Settings, watch: Watch, tenant: str, name: str, **changes: Any) -> None:
        self.settings, self.watch, self.tenant, self.name = settings, watch, tenant, name
        self.turns = 0
        self.offer = offered(name, tenant, **changes)

    def begin(self) -> Decision:
        """Offer the contact and return the decision on it."""
        write(self.settings, OFFERED, self.offer)
        return self.watch.decision(self.name)

    def turn(self, number: int, **changes: Any) -> Turn:
        """The agent's turn of that number, as its platform would report it."""
        base = Turn(
            interaction_id=self.name,
            tenant=self.tenant,
            number=number,
            endpoint="nova",
            version="7",
            result=TurnResult.OK,
            latency_ms=320.0,
            occurred_at=real_now(),
            customer_text=f"question {number}",
            agent_text=f"answer {number}",
        )
        return msgspec.structs.replace(base, **changes)

    def tell(self, *events: Any) -> None:
        """Write events of the contact to the inbox of sessions."""
        write(self.settings, INTERACTION_EVENTS, *events)

    def ended(self, ai_turns: int, by: FinishedBy = FinishedBy.AI) -> Completed:
        return Completed(
            interaction_id=self.name, tenant=self.tenant, finished_by=by, ai_turns=ai_turns, occurred_at=real_now()
        )

    def ack(self, epoch: int = 1, by: str = "person-7") -> HandoffAck:
        return HandoffAck(interaction_id=self.name, tenant=self.tenant, epoch=epoch, by=by, occurred_at=real_now())

    def of(self, topic: Any, kind: type | None = None, **fields: Any) -> list[Any]:
        """What was told of this contact on a topic."""
        found = [
            event for event in self.watch.of(topic, interaction_id=self.name) if kind is None or isinstance(event, kind)
        ]
        return [event for event in found if all(getattr(event, name) == value for name, value in fields.items())]

    def await_one(self, topic: Any, kind: type | None = None, **fields: Any) -> Any:
        what = f"{kind.__name__ if kind else 'a record'} on {topic.name} about {self.name}"
        self.watch.until(what, lambda: self.of(topic, kind, **fields))
        return self.of(topic, kind, **fields)[0]

    def handoff(self, **fields: Any) -> Handoff:
        return self.await_one(HANDOFFS, Handoff, **fields)


def sure_of(intent: str, confidence: float = 0.99) -> Classification:
    return Classification(intent=intent, confidence=confidence)


ASKS = Triggers(person_asked=True)
