"""The work of one AI agent on one contact, under one epoch, from the decision that gave it to the end of its turns."""

from __future__ import annotations

import enum
import statistics

from schemas.fields import MICROS_PER_SECOND, Supervision
from schemas.interactions import Decision, Turn
from schemas.rules import Triggers
from simulator.fleet import Answer
from simulator.talk import Says

_TONE_TURNS = 5
"""Turns over which the slope of sentiment is taken (`schemas.rules.SentimentSlope`)."""
_LEAST_TONES = 3


class Awaits(enum.Enum):
    """What a platform waits for before it goes on: a word of the session manager, each on another topic."""

    HANDOFF = enum.auto()
    AGENT = enum.auto()
    VERDICT = enum.auto()


class Stint:
    """How far an agent is. `turns` counts those reported under this epoch, late ones too.

    `answers_left`: answers until the agent is done; when `asks_with_left` are left the customer asks for a person,
    with `changes_with_left` the matter changes (-1: never). `failures`: failing turns in a row. `words`: what the
    customer said last, `says` why; `then`: what comes next. `answer`: of the call under way, or the last. `said`: what
    the agent has said; `loops`: answers in a row that led nowhere.
    """

    __slots__ = ("answer", "answers_left", "approve", "asks_with_left", "awaits", "began_at", "changes_with_left",
                 "decision", "escalate", "failures", "intent", "loops", "said", "says", "supervision", "then", "tones",
                 "turns", "version", "words")  # fmt: skip

    def __init__(self, decision: Decision, version: str, began_at: int) -> None:
        said = decision.instructions
        self.decision = decision
        self.version = version
        self.began_at = began_at
        self.intent = decision.intent
        self.supervision = decision.supervision
        self.approve = said.approve if said else None
        self.escalate = said.escalate if said and said.escalate else Triggers()
        self.answers_left = 0
        self.asks_with_left = self.changes_with_left = -1
        self.failures = self.loops = 0
        self.turns = 0
        self.said: list[str] = []
        self.says = self.then = Says.OPENS
        self.words = ""
        self.tones: list[float] = []
        self.answer: Answer | None = None
        self.awaits: Awaits | None = None

    @property
    def endpoint(self) -> str:
        """The agent."""
        assert self.decision.endpoint is not None  # noqa: S101 - a decision without one begins no stint
        return self.decision.endpoint

    @property
    def epoch(self) -> int:
        """The epoch that its turns bear."""
        return self.decision.session_epoch

    def goes_round(self, answer: Answer) -> bool:
        """Return whether an answer leads nowhere; passing the customer on does not."""
        return answer.looping and self.says not in (Says.ASKS, Says.CHANGES)

    def take_back(self) -> None:
        """Make the last answer, which did not reach the customer, count for nothing; the same words are answered."""
        if self.answer is not None and self.goes_round(self.answer):
            self.loops -= 1
        else:
            self.answers_left += 1
        self.then = self.says

    def note_tone(self, sentiment: float) -> None:
        """Note how the customer felt at a turn."""
        self.tones = [*self.tones, sentiment][-_TONE_TURNS:]

    def must_wait(self, turn: Turn, decided_at: int) -> bool:
        """Return whether the answer of a turn waits for a supervisor's verdict, by the decision.

        decided_at: when the contact was decided first. Topics, amounts and scope are nothing that simulated customers
        bring up.
        """
        if self.supervision is Supervision.FULL:
            return True
        approve = self.approve
        if self.supervision is not Supervision.SEMI or approve is None:
            return False
        seconds = (turn.occurred_at - decided_at) / MICROS_PER_SECOND
        return (
            _exceeds(turn.number, approve.turns_over)
            or _exceeds(seconds, approve.seconds_over)
            or _falls_below(turn.sentiment, approve.sentiment_below)
            or _falls_below(self._slope(), approve.sentiment_slope_below)
        )

    def _slope(self) -> float | None:
        if len(self.tones) < _LEAST_TONES:
            return None
        return statistics.linear_regression(range(len(self.tones)), self.tones).slope


def _exceeds(value: float, most: float | None) -> bool:
    return most is not None and value > most


def _falls_below(value: float | None, least: float | None) -> bool:
    return value is not None and least is not None and value < least
