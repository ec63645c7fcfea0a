"""One contact from offer to end: what a customer says, where it is, and the events that tell of it."""

from __future__ import annotations

import enum
import random
from collections.abc import Sequence

from schemas.conversations import HandoffAck
from schemas.fields import MICROS_PER_SECOND, Channel, FinishedBy
from schemas.interactions import Completed, Offered, Turn
from simulator.agenda import Due
from simulator.fleet import COST_PER_TOKEN, Answer
from simulator.stint import Stint
from simulator.talk import Says, agent_text, assessment
from simulator.utterances import Utterance

_CHANNELS = (Channel.CHAT, Channel.VOICE, Channel.MESSAGING)
_CHANNEL_SHARES = (0.45, 0.35, 0.20)
_PREMIUM_SHARE = 0.1
_CUSTOMERS = 100_000


class Phase(enum.Enum):
    """Where an open contact is; one that is closed is forgotten."""

    UNDECIDED = enum.auto()
    WITH_AI = enum.auto()
    HELD = enum.auto()
    """The customer waits, in no line yet, for Trunkline's word to go on."""
    PROMISED = enum.auto()
    """The customer has hung up, and is to be called back."""
    WAITING = enum.auto()
    WITH_PEOPLE = enum.auto()


class Contact:
    """One open contact. Instants in UTC microseconds, durations in virtual seconds.

    `opening`: its first words, or those of its present matter. `stint`: of the agent that has it. `due`: what happens
    to it next. `epoch`: of the last decision taken; `fence`: agents of a lower epoch have lost it. `turns`: all that
    were reported. `patient_until`: when a customer who waits gives up. `released`: people have it, whatever a decision
    says that is still to come. `misled`: a wrong answer reached the customer.
    """

    __slots__ = ("ai_seconds", "decided_at", "due", "epoch", "fence", "misled", "mood", "name", "opening",
                 "patient_until", "phase", "queue", "released", "stint", "talk_seconds", "talk_then_wrap",
                 "talks_since", "tenant", "turns", "wait_seconds", "waits_since", "watched",
                 "wrap_seconds")  # fmt: skip

    def __init__(self, offered: Offered) -> None:
        self.name = offered.interaction_id
        self.tenant = offered.tenant
        self.opening = offered.text
        self.phase = Phase.UNDECIDED
        self.queue = ""
        self.stint: Stint | None = None
        self.due: Due | None = None
        self.decided_at = 0
        self.epoch = self.fence = 0
        self.watched = self.released = self.misled = False
        self.turns = 0
        self.mood = 0.0
        self.waits_since = self.patient_until = self.talks_since = 0
        self.talk_then_wrap = (0.0, 0.0)
        self.ai_seconds = self.wait_seconds = self.talk_seconds = self.wrap_seconds = 0.0

    def leave_ai(self, at: int) -> None:
        """Take the contact from the agent that has it, and note how long it had it."""
        if self.stint is not None:
            self.ai_seconds += (at - self.stint.began_at) / MICROS_PER_SECOND
            self.stint = None

    def leave_line(self, at: int) -> None:
        """Note how long the customer waited for a person."""
        self.wait_seconds += (at - self.waits_since) / MICROS_PER_SECOND

    def turn(self, at: int, stint: Stint, answer: Answer, rng: random.Random) -> Turn:
        """Count a turn that has just ended, of the agent that has the contact or had it, and return its event."""
        self.turns += 1
        stint.turns += 1
        stint.note_tone(self.mood)
        sums_up = stint.then is Says.ASKS and stint.says is not Says.ASKS
        looping = stint.goes_round(answer)
        tokens = answer.tokens(stint.turns, len(stint.words), looping=looping)
        text = agent_text(stint.says, answer, stint.said, rng)
        if text is not None:
            stint.said.append(text)
        return Turn(
            interaction_id=self.name,
            tenant=self.tenant,
            number=stint.turns,
            endpoint=stint.endpoint,
            version=stint.version,
            result=answer.result,
            latency_ms=answer.seconds * 1000.0,
            quality=answer.quality,
            occurred_at=at,
            epoch=stint.epoch,
            customer_text=stint.words,
            agent_text=text,
            sentiment=self.mood,
            person_asked=stint.says is Says.ASKS,
            intent=stint.intent if stint.says is Says.CHANGES and not answer.failed else None,
            assessment=assessment(stint.intent, stint.turns, wrong=answer.wrong) if sums_up else None,
            tokens=tokens,
            cost=tokens * COST_PER_TOKEN,
            retry_after_seconds=answer.retry_after_seconds,
            no_progress=looping,
        )

    def acknowledged(self, at: int, epoch: int) -> HandoffAck:
        """Return the event that says that the packet of an epoch arrived: the queue of people has the contact."""
        return HandoffAck(interaction_id=self.name, tenant=self.tenant, epoch=epoch, by=self.queue, occurred_at=at)

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
