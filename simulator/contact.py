"""One contact from offer to end: what a customer says, where it is, and the events that tell of it."""

from __future__ import annotations

import enum
import random
from collections.abc import Sequence

from schemas.fields import MICROS_PER_SECOND, Channel, FinishedBy
from schemas.interactions import Completed, Offered, Turn
from simulator.fleet import Answer
from simulator.utterances import Utterance

_CHANNELS = (Channel.CHAT, Channel.VOICE, Channel.MESSAGING)
_CHANNEL_SHARES = (0.45, 0.35, 0.20)
_PREMIUM_SHARE = 0.1
_CUSTOMERS = 100_000


class Phase(enum.Enum):
    """Where an open contact is; one that is closed is forgotten."""

    UNDECIDED = enum.auto()
    WITH_AI = enum.auto()
    WAITING = enum.auto()
    WITH_PEOPLE = enum.auto()


class Contact:
    """One open contact. Instants in UTC microseconds, durations in virtual seconds.

    `answers_left`: right answers until AI is done. `escalates_with_left`: the customer asks for a
    person when so many are left (-1: never). `failures`: failing turns in a row.
    """

    __slots__ = ("ai_began_at", "ai_seconds", "answer", "answers_left", "endpoint", "escalates_with_left", "failures",
                 "name", "phase", "queue", "talk_seconds", "tenant", "turns", "version", "wait_seconds",
                 "waits_since", "watched", "wrap_seconds")  # fmt: skip

    def __init__(self, name: str, tenant: str) -> None:
        self.name = name
        self.tenant = tenant
        self.phase = Phase.UNDECIDED
        self.queue = ""
        self.endpoint = ""
        self.version = ""
        self.watched = False
        self.answers_left = 0
        self.escalates_with_left = -1
        self.failures = 0
        self.turns = 0
        self.answer: Answer | None = None
        self.ai_began_at = 0
        self.waits_since = 0
        self.ai_seconds = self.wait_seconds = self.talk_seconds = self.wrap_seconds = 0.0

    def leave_ai(self, at: int) -> None:
        """Note how long AI had the contact."""
        self.ai_seconds = (at - self.ai_began_at) / MICROS_PER_SECOND

    def leave_line(self, at: int) -> None:
        """Note how long the customer waited for a person."""
        self.wait_seconds = (at - self.waits_since) / MICROS_PER_SECOND

    def turn(self, at: int, answer: Answer) -> Turn:
        """Return the event of the turn that has just ended."""
        return Turn(
            interaction_id=self.name,
            tenant=self.tenant,
            number=self.turns,
            endpoint=self.endpoint,
            version=self.version,
            result=answer.result,
            latency_ms=answer.seconds * 1000.0,
            quality=answer.quality,
            occurred_at=at,
        )

    def completed(self, at: int, by: FinishedBy) -> Completed:
        """Return the event of the contact's end."""
        return Completed(
            interaction_id=self.name,
            tenant=self.tenant,
            finished_by=by,
            ai_turns=self.turns,
            watched=self.watched and by is FinishedBy.AI,
            resolved=by is not FinishedBy.CUSTOMER,
            ai_seconds=self.ai_seconds,
            wait_seconds=self.wait_seconds,
            talk_seconds=self.talk_seconds,
            wrap_seconds=self.wrap_seconds,
            occurred_at=at,
        )


def offer(name: str, tenant: str, at: int, utterances: Sequence[Utterance], rng: random.Random) -> Offered:
    """Return the offer of a new contact: any utterance, channel, segment and customer."""
    return Offered(
        interaction_id=name,
        tenant=tenant,
        channel=rng.choices(_CHANNELS, _CHANNEL_SHARES)[0],
        text=rng.choice(utterances).text,
        segment="premium" if rng.random() < _PREMIUM_SHARE else "standard",
        customer_id=f"customer-{rng.randrange(_CUSTOMERS):05d}",
        occurred_at=at,
    )
