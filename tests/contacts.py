"""One contact's events, and a bench that runs the sessions' step as a service does."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from processors.sessions.logic import step
from processors.sessions.logic.book import PROGRESS, STORY, Progress, Story, load
from runtime.snapshot import Snapshot
from runtime.state import KeyedState, Overlay
from schemas.control import HumanQueue, Policy
from schemas.conversations import AgentLost, ChannelSwitched, Claim, HandoffAck, MoveRequest, Side
from schemas.errors import RecordError
from schemas.fields import Channel, Disposition, Event, FinishedBy, GradedBy, Pool, Supervision, TurnResult
from schemas.interactions import (
    Completed,
    Decision,
    Feedback,
    Instructions,
    Load,
    Released,
    Thresholds,
    TimerDue,
    Turn,
)
from schemas.rules import Triggers
from schemas.supervision import SupervisorGiven, Verdict, VerdictKind
from schemas.topics import (
    AGENT_EVENTS,
    ALERTS,
    ASSIGNMENTS,
    CLOSED,
    HANDOFFS,
    INTERACTION_EVENTS,
    OFFERED,
    POLICY,
    SUPERVISION_EVENTS,
    SUPERVISION_REQUESTS,
    TIMERS,
    WFM_EVENTS,
    Effect,
    Topic,
)
from schemas.views import SessionView

SECOND = 1_000_000
HOUR = 3_600 * SECOND
OFFERED_AT = 922_271_401 * SECOND  # 10:30:01 UTC, one second into an interval
DECIDED_AT = OFFERED_AT + SECOND
TOLD = (
    CLOSED, WFM_EVENTS, AGENT_EVENTS, HANDOFFS, ASSIGNMENTS, SUPERVISION_REQUESTS, SUPERVISION_EVENTS, OFFERED, ALERTS,
)  # fmt: skip
"""What a contact's events must give whatever their order; timers and views in between may differ."""


def decision(**changes: Any) -> Decision:
    """A decision for AI alone."""
    base = Decision(
        decision_id="d-1",
        interaction_id="c-1",
        tenant="acme",
        channel=Channel.CHAT,
        language="en",
        segment="standard",
        intent="card_lost",
        confidence=0.97,
        runner_up_gap=0.5,
        model="m",
        pool=Pool.AI_CONTAINED,
        supervision=Supervision.AUTONOMOUS,
        disposition=Disposition.ROUTE,
        queue="cards",
        endpoint="ada",
        endpoint_version="7",
        provider="north",
        breaker_epoch=3,
        thresholds=Thresholds(contained=0.92, assisted=0.75),
        reasons=(),
        epochs={},
        load=Load(),
        offered_partition=0,
        offered_offset=0,
        offered_at=OFFERED_AT,
        decided_at=DECIDED_AT,
    )
    return msgspec.structs.replace(base, **changes)


def for_people(**changes: Any) -> Decision:
    """A decision for people alone."""
    no_agent = {"endpoint": None, "endpoint_version": None, "provider": None, "supervision": None}
    return decision(**{"pool": Pool.HUMAN_EXCLUSIVE, **no_agent, **changes})


HOLD_UNTIL = DECIDED_AT + 600 * SECOND


def held(**changes: Any) -> Decision:
    """A decision for people, who have no room yet."""
    return for_people(**{"disposition": Disposition.HOLD, "hold_until": HOLD_UNTIL, "priority": 2, **changes})


def escalating(**changes: Any) -> Decision:
    """A decision for AI alone whose agent is told when a conversation calls for a person."""
    triggers = {name: changes.pop(name) for name in Triggers.__struct_fields__ if name in changes}
    return decision(**{"instructions": Instructions(escalate=Triggers(**triggers)), **changes})


def watched(supervision: Supervision, approve: Triggers | None = None, **changes: Any) -> Decision:
    """A decision for AI with a person who watches."""
    said = Instructions(approve=approve, escalate=changes.pop("escalate", None))
    return decision(**{"pool": Pool.AI_ASSISTED, "supervision": supervision, "instructions": said, **changes})


def word(epoch: int, **changes: Any) -> Decision:
    """The router's word on another agent, which is for eve."""
    eve = {"endpoint": "eve", "endpoint_version": "2", "provider": "south", "breaker_epoch": 5}
    about = {"decision_id": f"d-1/{epoch}", "intent": "fraud", "queue": "fraud_desk", "session_epoch": epoch}
    return decision(**{**eve, **about, "decided_at": DECIDED_AT + 10 * SECOND, **changes})


def policy(**changes: Any) -> Policy:
    """The tenant's policy: as little as one can say."""
    base = Policy(
        tenant="acme",
        revision=1,
        thresholds=Thresholds(contained=0.92, assisted=0.75),
        endpoints=(),
        queues=(HumanQueue(queue="cards", intents=()),),
        default_queue="cards",
        occurred_at=0,
    )
    return msgspec.structs.replace(base, **changes)


def turn(number: int, **changes: Any) -> Turn:
    """The AI agent's turn of that number."""
    base = Turn(
        interaction_id="c-1",
        tenant="acme",
        number=number,
        endpoint="ada",
        version="7",
        result=TurnResult.OK,
        latency_ms=400.0 + number,
        occurred_at=DECIDED_AT + number * 5 * SECOND,
    )
    return msgspec.structs.replace(base, **changes)


def eve(number: int, epoch: int = 1, **changes: Any) -> Turn:
    """A turn of the agent that took the contact over."""
    at = DECIDED_AT + (50 + number) * SECOND
    return turn(number, **{"epoch": epoch, "endpoint": "eve", "version": "2", "occurred_at": at, **changes})


def completed(ai_turns: int, **changes: Any) -> Completed:
    """The end of the contact."""
    base = Completed(
        interaction_id="c-1",
        tenant="acme",
        finished_by=FinishedBy.AI,
        ai_turns=ai_turns,
        ai_seconds=12.5,
        occurred_at=DECIDED_AT + 60 * SECOND,
    )
    return msgspec.structs.replace(base, **changes)


_OF_CONTACT: dict[str, Any] = {"interaction_id": "c-1", "tenant": "acme"}


def switched(to: Channel, at: int) -> ChannelSwitched:
    """The contact goes on by another channel."""
    return ChannelSwitched(**_OF_CONTACT, to=to, occurred_at=at)


def claim(side: Side, claimant: str, race: int = 0, at: int = DECIDED_AT + SECOND) -> Claim:
    """An agent, or a person, is ready. race: the round."""
    return Claim(**_OF_CONTACT, side=side, claimant=claimant, round=race, occurred_at=at)


def ack(epoch: int, by: str = "pat", at: int = DECIDED_AT + 20 * SECOND) -> HandoffAck:
    """The packet arrived."""
    return HandoffAck(**_OF_CONTACT, epoch=epoch, by=by, occurred_at=at)


def verdict(number: int, kind: VerdictKind = VerdictKind.APPROVE, epoch: int = 0, **changes: Any) -> Verdict:
    """A supervisor's word on an answer."""
    at = DECIDED_AT + (number * 5 + 2) * SECOND
    said = {"epoch": epoch, "turn": number, "verdict": kind, "by": "sam", "occurred_at": at}
    return Verdict(**{**_OF_CONTACT, **said, **changes})


def request(to: Pool, epoch: int = 0, **changes: Any) -> MoveRequest:
    """A person wants the contact in another pool."""
    said = {"epoch": epoch, "to": to, "by": "kim", "occurred_at": DECIDED_AT + 30 * SECOND}
    return MoveRequest(**{**_OF_CONTACT, **said, **changes})


def given(supervisor: str | None, sequence: int = 1, at: int = DECIDED_AT + SECOND) -> SupervisorGiven:
    """Who watches the contact."""
    return SupervisorGiven(**_OF_CONTACT, supervisor=supervisor, sequence=sequence, occurred_at=at)


def lost(breaker_epoch: int, agent: str = "acme/ada", at: int = DECIDED_AT + 15 * SECOND) -> AgentLost:
    """The breaker of an agent has opened."""
    return AgentLost(interaction_id="c-1", agent=agent, breaker_epoch=breaker_epoch, occurred_at=at)


def feedback(by: GradedBy = GradedBy.QA, **changes: Any) -> Feedback:
    """What somebody found of the contact."""
    said = {"by": by, "resolved": True, "occurred_at": DECIDED_AT + 300 * SECOND}
    return Feedback(**{**_OF_CONTACT, **said, **changes})


def released(at: int = DECIDED_AT + 40 * SECOND, **changes: Any) -> Released:
    """The people of the queue have room for the contact."""
    return Released(**{**_OF_CONTACT, "queue": "cards", "reason": "spare", "occurred_at": at, **changes})


class JsonState:
    """Entries as JSON text: what is not JSON data, or is changed in place, does not survive."""

    def __init__(self) -> None:
        self.entries: dict[str, str] = {}

    def get(self, name: str, default: Any = None) -> Any:
        return json.loads(self.entries[name]) if name in self.entries else default

    def set(self, name: str, value: Any) -> None:
        self.entries[name] = json.dumps(value, allow_nan=False)

    def get_bytes(self, name: str) -> bytes | None:
        return self.entries[name].encode() if name in self.entries else None

    def set_bytes(self, name: str, value: bytes) -> None:
        self.entries[name] = value.decode()

    def delete(self, name: str) -> None:
        self.entries.pop(name, None)


class Bench:
    """Feeds one contact's events to `step`; a step that raises writes nothing and its event is refused."""

    def __init__(self, policy: Policy | None = None, state: KeyedState | None = None) -> None:
        self.snapshot = Snapshot()
        if policy is not None:
            self.snapshot = self.snapshot.with_record(POLICY, policy.tenant, policy, 0)
        self.state: Any = JsonState() if state is None else state
        self.effects: list[Effect] = []
        self.refused: list[tuple[Event, str]] = []
        self.timer: int | None = None
        """What the clock was last told."""

    def feed(self, event: Event, now: int = DECIDED_AT) -> list[Effect]:
        """Step once; events that come back to the inbox wait in `returned`."""
        overlay = Overlay(self.state)
        try:
            effects = list(step(event, overlay, self.snapshot, now))
        except RecordError as problem:
            self.refused.append((event, problem.reason))
            return []
        overlay.commit()
        for effect in effects:
            if effect.topic is TIMERS:
                self.timer = None if effect.event is None else effect.event.due_at
        self.effects += effects
        return effects

    def run(self, *events: Event, now: int = DECIDED_AT) -> None:
        """Feed events, each followed by what comes back to the inbox on its account."""
        for event in events:
            for effect in self.feed(event, now):
                if effect.topic is INTERACTION_EVENTS and effect.event is not None:
                    self.run(effect.event, now=now)

    def ring(self, due_at: int | None = None) -> int:
        """Deliver the timer that stands (or the one given), at its instant, which is returned."""
        instant = due_at if due_at is not None else self.timer
        assert instant is not None
        self.run(TimerDue(interaction_id="c-1", due_at=instant), now=instant)
        return instant

    def of(self, topic: Topic) -> list[Any]:
        """Events told on a topic."""
        return [effect.event for effect in self.effects if effect.topic is topic]

    def all(self, kind: type[Any]) -> list[Any]:
        """Events of a type that were told, wherever."""
        return [effect.event for effect in self.effects if type(effect.event) is kind]

    def one(self, kind: type[Any]) -> Any:
        """The only event of a type that was told."""
        (event,) = self.all(kind)
        return event

    @property
    def view(self) -> SessionView:
        """The contact as others see it last."""
        return self.all(SessionView)[-1]

    @property
    def progress(self) -> Progress:
        """How far the session has come."""
        return load(self.state, PROGRESS, Progress)

    @property
    def story(self) -> Story:
        """What happened to it besides its turns."""
        return load(self.state, STORY, Story) or Story()

    def told(self) -> list[Effect]:
        """All effects that may not depend on order."""
        return [effect for effect in self.effects if effect.topic in TOLD]


def after(*events: Event, of: Policy | None = None, now: int = DECIDED_AT) -> Bench:
    """A bench that was fed these events. of: the tenant's policy."""
    bench = Bench(of)
    bench.run(*events, now=now)
    return bench
