"""What sessions remember of one contact: entries of JSON, each small, each written only when it changes.

`session` holds the facts of the decisions that stand and is written when the contact moves; `progress` is what most
events change; `story` what seldom happens: triggers, transfers, supervision, the race. `turn-E-N` is one turn, with
its texts redacted. `held` has turns ahead of their turn, `parked` events ahead of their decision, `untold` turns of a
contact that has ended whose outcome depends on turns before them.
"""

from __future__ import annotations

import enum
from typing import Any, Self, TypeVar

import msgspec

from runtime.state import KeyedState
from schemas.agents import Outcome
from schemas.conversations import Side
from schemas.events import BY_NAME
from schemas.fields import Channel, Disposition, Event, GradedBy, Handling, Pool, Supervision, TurnResult
from schemas.interactions import Completed, Customer, Decision, Fact, Feedback, Turn
from schemas.rules import Triggers
from schemas.supervision import Override, VerdictKind
from schemas.triggers import Triggered
from schemas.views import Exchange

SESSION = "session"
PROGRESS = "progress"
STORY = "story"
HELD = "held"
PARKED = "parked"
UNTOLD = "untold"

REPEATS_KEPT = 16
"""Other decisions of one contact that are told apart; far above what retries of an offer give."""
TEXT_KEPT = 4_000
"""Characters of a text that are kept: ten minutes of speech."""
COST_MOST = 100_000_000.0
"""A turn that costs more is a mistake, and counts as this: the sum of all turns of a contact stays below 2^63."""
REMARK_KEPT = 1_000
"""Characters that are kept of a remark: why something was done, what was said instead, a fact, what was tried."""


class Entry(msgspec.Struct, frozen=True, array_like=True, kw_only=True, gc=False):
    """Base of all entries. Stored as lists: new fields go last, with a default."""


class Agent(Entry, frozen=True):
    """The AI agent that has a contact, and the epoch of its breaker under which it was chosen.

    `late`: the decision came when the contact was with somebody else already, so the agent never had it. `intent` and
    `queue`: for which it was chosen; empty in entries of before they were kept.
    """

    endpoint: str
    version: str
    provider: str
    breaker_epoch: int
    late: bool = False
    intent: str = ""
    queue: str = ""


class Session(Entry, frozen=True):
    """Facts of the decisions that stand.

    Of the first decision, by which volumes are counted: `decision_id` to `confidence`. As it is now: `agents`, one for
    each epoch, None where people have the contact, to `decision_now`. `hold_until`, `priority`: of a contact that
    waits for room among people. `displaced`: as on the first decision.
    """

    decision_id: str
    tenant: str
    channel: Channel
    language: str
    segment: str
    intent: str
    queue: str
    pool: Pool
    disposition: Disposition
    offered_at: int
    decided_at: int
    confidence: float
    agents: tuple[Agent | None, ...]
    pool_now: Pool
    supervision: Supervision | None
    intent_now: str
    queue_now: str
    decision_now: str
    customer: Customer | None = None
    escalate: Triggers | None = None
    approve: Triggers | None = None
    was_watched: bool = False
    was_escalated: bool = False
    hold_until: int | None = None
    priority: int = 0
    displaced: bool = False

    @classmethod
    def of(cls, decision: Decision, pool: Pool) -> Self:
        """Return the facts of a decision, whose pool is known not to be null."""
        said = decision.instructions
        held = decision.disposition is Disposition.HOLD and decision.endpoint is None
        return cls(
            decision_id=decision.decision_id,
            tenant=decision.tenant,
            channel=decision.channel,
            language=decision.language,
            segment=decision.segment,
            intent=decision.intent,
            queue=decision.queue,
            pool=pool,
            disposition=decision.disposition,
            offered_at=decision.offered_at,
            decided_at=decision.decided_at,
            confidence=decision.confidence,
            agents=(agent_of(decision),),
            pool_now=pool,
            supervision=decision.supervision,
            intent_now=decision.intent,
            queue_now=decision.queue,
            decision_now=decision.decision_id,
            customer=decision.customer,
            escalate=said.escalate if said else None,
            approve=said.approve if said else None,
            was_watched=pool is Pool.AI_ASSISTED,
            hold_until=decision.hold_until if held else None,
            priority=decision.priority,
            displaced=decision.displaced,
        )

    @property
    def agent(self) -> Agent | None:
        """The AI agent that has the contact now."""
        return self.agents[-1]

    @property
    def last_agent(self) -> Agent | None:
        """The AI agent that has the contact, or had it last."""
        return next((agent for agent in reversed(self.agents) if agent is not None and not agent.late), None)


def agent_of(decision: Decision) -> Agent | None:
    """Return the AI agent that a decision names."""
    if decision.endpoint is None:
        return None
    return Agent(
        endpoint=decision.endpoint,
        version=decision.endpoint_version or "",
        provider=decision.provider or "",
        breaker_epoch=decision.breaker_epoch,
        intent=decision.intent,
        queue=decision.queue,
    )


class Stage(enum.StrEnum):
    """Who has the contact: AI; nobody yet, in a race or while another agent is sought; people."""

    AI = "ai"
    RACING = "racing"
    MOVING = "moving"
    PEOPLE = "people"


class Wait(enum.StrEnum):
    """What a timer is for. Several that are due end in this order: a contact is let go before it expires."""

    HOLD = "hold"
    EXPIRY = "expiry"
    TURNS = "turns"
    DURATION = "duration"
    VERDICT = "verdict"
    ACK = "ack"
    CLAIM = "claim"
    AGENT = "agent"


class Progress(msgspec.Struct, array_like=True, kw_only=True, gc=False):
    """How far a session has come. Changed in place while a step runs; stored as a list, new fields last.

    `due_at` is the timer that stands (UTC microseconds), the first of `waits` (Wait -> instant). `seen` has, for each
    epoch, a mask of turn numbers in hexadecimal, bit 0 for turn 1 (text: JSON numbers end at 64 bits). `applied` is the
    last turn of the present epoch that was applied in its order; once the contact has ended, the last before which none
    is missing. `answer` stands for what the agent said last until then (`outcomes`). `held` tells that turns wait for
    others, `untold` that outcomes do. `completed` is kept only while it waits for turns. `repeats` names other
    decisions of the same contact, sorted; the first `REPEATS_KEPT` in the order of ids, so that neither order nor
    repetition of arrival changes it. `tone`: the last sentiments; `failures`: failed turns in a row. `closed`: how the
    contact ended. `channel`, `channel_at`: the last switch. `revision`: of the view. `had`: the epoch whose agent took
    the last turn that was not refused; of a contact that has ended, -1 where AI had no part in it. `cost`: of all turns
    that were reported, in millionths, so that the sum is the same whatever their order.
    """

    due_at: int = 0
    waits: dict[str, int] = {}
    seen: list[str] = msgspec.field(default_factory=lambda: ["0"])
    applied: int = 0
    closed: Handling | None = None
    stage: Stage = Stage.AI
    revision: int = 0
    held: bool = False
    failures: int = 0
    tone: list[float] = []
    refused: int = 0
    completed: Completed | None = None
    repeats: list[str] = []
    channel: Channel | None = None
    channel_at: int = 0
    answer: int = 0
    untold: bool = False
    had: int = -1
    cost: int = 0

    @property
    def epoch(self) -> int:
        """The session's epoch: it grows when the contact leaves the agent that has it."""
        return len(self.seen) - 1

    @property
    def turns_seen(self) -> int:
        """How many turns were reported, under all epochs."""
        return sum(int(mask, 16).bit_count() for mask in self.seen)

    def has_turn(self, epoch: int, number: int) -> bool:
        """Tell whether a turn was reported."""
        return bool(int(self.seen[epoch], 16) >> (number - 1) & 1)

    def note_turn(self, epoch: int, number: int, cost: float) -> None:
        """Note that a turn was reported, and what it cost."""
        self.seen[epoch] = f"{int(self.seen[epoch], 16) | 1 << (number - 1):x}"
        self.cost += round(min(cost, COST_MOST) * 1e6)

    def turns(self) -> list[tuple[int, int]]:
        """Return epoch and number of every turn that was reported, in order."""
        return [
            (epoch, number + 1)
            for epoch, mask in enumerate(self.seen)
            for number in range(int(mask, 16).bit_length())
            if int(mask, 16) >> number & 1
        ]

    def note_repeat(self, decision_id: str) -> bool:
        """Note another decision of the same contact; return whether that is new."""
        kept = sorted({*self.repeats, decision_id})[:REPEATS_KEPT]
        changed, self.repeats = kept != self.repeats, kept
        return changed


class Grade(Entry, frozen=True):
    """What somebody found of the contact (`interactions.Feedback`)."""

    occurred_at: int
    by: GradedBy
    resolved: bool | None = None
    csat: int | None = None
    hallucination: bool | None = None
    repeat_contact: bool | None = None

    @classmethod
    def of(cls, event: Feedback) -> Self:
        """Return what feedback says."""
        return cls(
            occurred_at=event.occurred_at,
            by=event.by,
            resolved=event.resolved,
            csat=event.csat,
            hallucination=event.hallucination,
            repeat_contact=event.repeat_contact,
        )


class Story(msgspec.Struct, array_like=True, kw_only=True):
    """What happened to a contact besides its turns. Changed in place while a step runs; new fields last.

    `handoff`: the trigger of the warm transfer, with how often it was sent and who answered. `wanted`: a supervisor was
    asked for; `supervisor` and `sequence`: the last word on who it is. `waiting`: turns of this epoch whose answer
    waits for a verdict. `handovers`: from AI to AI. `round`: of the race; `claimed` by whom. `move_to`: the pool that
    was asked for, and `moving` why, while an agent is sought. `asked_at`: of the last request that changed who watches.
    `grades`: what was found of the contact, each once, in the order of their instants.
    """

    triggers: list[Triggered] = []
    overrides: list[Override] = []
    handoff: Triggered | None = None
    attempts: int = 0
    acked_by: str | None = None
    acked_at: int | None = None
    wanted: bool = False
    supervisor: str | None = None
    sequence: int = -1
    waiting: list[int] = []
    handovers: int = 0
    round: int = 0
    claimed: Side | None = None
    move_to: Pool | None = None
    moving: Triggered | None = None
    asked_at: int = 0
    grades: list[Grade] = []


class Kept(Entry, frozen=True):
    """One turn as it is remembered, its texts redacted. `fenced`: it came from an agent that had lost the contact."""

    endpoint: str
    channel: Channel
    result: TurnResult
    occurred_at: int
    customer_text: str | None = None
    agent_text: str | None = None
    sentiment: float | None = None
    verdict: VerdictKind | None = None
    refused: bool = False
    why: tuple[Triggered, ...] = ()
    assessment: str | None = None
    tried: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    fenced: bool = False

    def exchange(self, epoch: int, number: int) -> Exchange:
        """Return the turn as others see it."""
        return Exchange(
            epoch=epoch,
            turn=number,
            endpoint=self.endpoint,
            channel=self.channel,
            result=self.result,
            customer_text=self.customer_text,
            agent_text=self.agent_text,
            sentiment=self.sentiment,
            verdict=self.verdict,
            refused=self.refused,
            occurred_at=self.occurred_at,
        )


class Untold(Entry, frozen=True):
    """A turn ahead of others in a contact that has ended.

    `answer`: what stands for its words, None where it failed; `outcome`: what is to be told of it, None where it was.
    """

    number: int
    answer: int | None = None
    outcome: Outcome | None = None


class Parked(Entry, frozen=True):
    """Events ahead of their decision, each as the name of its type and its JSON.

    `orphaned`: the wait was given up and they were sent back.
    """

    due_at: int
    orphaned: bool = False
    parked: tuple[tuple[str, str], ...] = ()

    @property
    def events(self) -> list[Event]:
        """The events, in their order of arrival."""
        return [msgspec.json.decode(text, type=BY_NAME[name]) for name, text in self.parked]

    @property
    def size(self) -> int:
        """Bytes of their JSON."""
        return sum(len(text.encode()) for _, text in self.parked)

    def has(self, event: Event) -> bool:
        """Tell whether this very event is here."""
        return _packed(event) in self.parked

    def with_event(self, event: Event) -> Parked:
        """Return parked events with one more."""
        return msgspec.structs.replace(self, parked=(*self.parked, _packed(event)))


def _packed(event: Event) -> tuple[str, str]:
    return type(event).__name__, msgspec.json.encode(event).decode()


E = TypeVar("E", Session, Progress, Story, Kept, Parked, list[Turn], list[Untold])

_ENCODER = msgspec.json.Encoder()
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (Session, Progress, Story, Kept, Parked, list[Turn], list[Untold])
}


def load(state: KeyedState, name: str, kind: type[E]) -> E | None:
    """Return an entry, None where there is none."""
    stored = state.get_bytes(name)
    return None if stored is None else _DECODERS[kind].decode(stored)


def save(
    state: KeyedState, name: str, entry: Session | Progress | Story | Kept | Parked | list[Turn] | list[Untold]
) -> None:
    """Store an entry as JSON."""
    state.set_bytes(name, _ENCODER.encode(entry))


def turn_name(epoch: int, number: int) -> str:
    """Return the name of the entry of a turn."""
    return f"turn-{epoch}-{number}"
