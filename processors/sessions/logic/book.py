"""What sessions remember of one contact: three small entries of JSON data.

`session` holds the facts of the decision and is written once; `progress` is what later events
change, some forty bytes; `parked` holds events that came before their decision. Turns change
`progress` alone, so that a turn costs one small changelog record.
"""

from __future__ import annotations

from typing import Self

import msgspec

from runtime.state import KeyedState
from schemas.fields import Channel, Disposition, Pool
from schemas.interactions import Completed, Decision, Turn

SESSION = "session"
PROGRESS = "progress"
PARKED = "parked"

REPEATS_KEPT = 16
"""Other decisions of one contact that are told apart; far above what retries of an offer give."""


class Session(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Facts of the decision that stands. New fields go last, with a default: it is stored as a list."""

    decision_id: str
    tenant: str
    channel: Channel
    language: str
    segment: str
    intent: str
    queue: str
    pool: Pool
    disposition: Disposition
    endpoint: str | None
    endpoint_version: str | None
    provider: str | None
    breaker_epoch: int
    offered_at: int
    decided_at: int
    confidence: float | None = None

    @classmethod
    def of(cls, decision: Decision, pool: Pool) -> Self:
        """Return the facts of a decision, whose pool is known not to be null."""
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
            endpoint=decision.endpoint,
            endpoint_version=decision.endpoint_version,
            provider=decision.provider,
            breaker_epoch=decision.breaker_epoch,
            offered_at=decision.offered_at,
            decided_at=decision.decided_at,
            confidence=decision.confidence,
        )


class Progress(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """How far a session has come. Stored as a list: new fields go last, with a default.

    `due_at` is the timer that stands (UTC microseconds). `seen` is a mask of turn numbers in
    hexadecimal, bit 0 for turn 1 (text: JSON numbers end at 64 bits). `completed` is kept only
    while it waits for turns. `repeats` names other decisions of the same contact, sorted: their
    count flags it. It keeps the first `REPEATS_KEPT` in the order of ids, so that neither order
    nor repetition of arrival changes it.
    """

    due_at: int
    seen: str = "0"
    closed: bool = False
    completed: Completed | None = None
    repeats: tuple[str, ...] = ()

    @property
    def turns_seen(self) -> int:
        """How many turns were applied."""
        return int(self.seen, 16).bit_count()

    def has_turn(self, number: int) -> bool:
        """Tell whether turn `number` was applied."""
        return bool(int(self.seen, 16) >> (number - 1) & 1)

    def with_turn(self, number: int) -> Progress:
        """Return progress in which turn `number` was applied."""
        return msgspec.structs.replace(self, seen=f"{int(self.seen, 16) | 1 << (number - 1):x}")

    def with_repeat(self, decision_id: str) -> Progress:
        """Return progress in which another decision is flagged."""
        kept = tuple(sorted({*self.repeats, decision_id})[:REPEATS_KEPT])
        return msgspec.structs.replace(self, repeats=kept)


class Parked(msgspec.Struct, frozen=True, array_like=True, kw_only=True):
    """Events ahead of their decision. `orphaned`: the wait was given up and they were sent back."""

    due_at: int
    orphaned: bool = False
    turns: tuple[Turn, ...] = ()
    completed: tuple[Completed, ...] = ()

    @property
    def events(self) -> tuple[Turn | Completed, ...]:
        """All of them. Turns first: a completion then finds the turns that it counts."""
        return (*self.turns, *self.completed)

    def with_event(self, event: Turn | Completed) -> Parked:
        """Return parked events with one more."""
        if isinstance(event, Turn):
            return msgspec.structs.replace(self, turns=(*self.turns, event))
        return msgspec.structs.replace(self, completed=(*self.completed, event))


def load_session(state: KeyedState) -> Session | None:
    """Return the facts of the session, None where there is none."""
    stored = state.get(SESSION)
    return None if stored is None else msgspec.convert(stored, Session)


def load_progress(state: KeyedState) -> Progress:
    """Return the progress of a session that exists."""
    return msgspec.convert(state.get(PROGRESS), Progress)


def load_parked(state: KeyedState) -> Parked | None:
    """Return what is parked, None where nothing ever was."""
    stored = state.get(PARKED)
    return None if stored is None else msgspec.convert(stored, Parked)


def save(state: KeyedState, name: str, entry: Session | Progress | Parked) -> None:
    """Store an entry as JSON data."""
    state.set(name, msgspec.to_builtins(entry))
