"""Which triggers of a policy a turn meets. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from processors.sessions.logic.book import Progress, Session
from processors.sessions.logic.phrasings import asks_for_person
from schemas.control import Policy
from schemas.fields import MICROS_PER_SECOND
from schemas.interactions import Turn
from schemas.rules import Triggers
from schemas.triggers import Trigger, Triggered

TONE_TURNS = 5
"""Turns over which the slope of sentiment is taken."""
_LEAST_TONES = 3
"""Fewer sentiments have no slope worth the name: two are a difference."""


def slope(tones: Sequence[float]) -> float | None:
    """Return the change of sentiment per turn by least squares; None for fewer than three sentiments."""
    count = len(tones)
    if count < _LEAST_TONES:
        return None
    mean_at, mean = (count - 1) / 2, sum(tones) / count
    spread = sum((at - mean_at) ** 2 for at in range(count))
    return sum((at - mean_at) * (tone - mean) for at, tone in enumerate(tones)) / spread


def met(triggers: Triggers, turn: Turn, session: Session, progress: Progress, policy: Policy | None) -> list[Triggered]:
    """Return every trigger that a turn meets, in a fixed order. progress: with this turn applied."""
    return [
        Triggered(trigger=trigger, detail=detail, epoch=turn.epoch, turn=turn.number, occurred_at=turn.occurred_at)
        for look in _LOOKS
        for trigger, detail in look(triggers, turn, session, progress, policy)
    ]


_Found = Iterator[tuple[Trigger, str]]
_Look = Callable[[Triggers, Turn, Session, Progress, Policy | None], _Found]


def _said(triggers: Triggers, turn: Turn, session: Session, _progress: Progress, policy: Policy | None) -> _Found:
    """What the customer wants, and of what."""
    if triggers.person_asked:
        if turn.person_asked:
            yield Trigger.PERSON_ASKED, "as the platform says"
        elif turn.customer_text and asks_for_person(turn.customer_text, session.language, policy):
            yield Trigger.PERSON_ASKED, f"by a phrase of {session.language}"
    if triggers.out_of_scope and turn.out_of_scope:
        yield Trigger.OUT_OF_SCOPE, "as the platform says"
    for topic in dict.fromkeys(turn.topics):
        if topic in triggers.topics:
            yield Trigger.TOPIC, topic
    if triggers.amount_over is not None and turn.amount is not None and turn.amount > triggers.amount_over:
        yield Trigger.AMOUNT, f"{turn.amount:g} > {triggers.amount_over:g}"


def _felt(triggers: Triggers, turn: Turn, _session: Session, progress: Progress, _policy: Policy | None) -> _Found:
    """How the customer feels."""
    least = triggers.sentiment_below
    if least is not None and turn.sentiment is not None and turn.sentiment < least:
        yield Trigger.SENTIMENT, f"{turn.sentiment:g} < {least:g}"
    steepest = triggers.sentiment_slope_below
    if steepest is not None and turn.sentiment is not None:
        falls = slope(progress.tone)
        if falls is not None and falls < steepest:
            told = f"{falls:.3f} per turn < {steepest:g}, over {len(progress.tone)} turns"
            yield Trigger.SENTIMENT_SLOPE, told


def _went(triggers: Triggers, turn: Turn, session: Session, progress: Progress, _policy: Policy | None) -> _Found:
    """How the conversation goes."""
    if triggers.failures_over is not None and progress.failures > triggers.failures_over:
        yield Trigger.AI_ERROR, f"{turn.result}: {progress.failures} failed turns in a row > {triggers.failures_over}"
    if triggers.turns_over is not None and turn.number > triggers.turns_over:
        yield Trigger.TURNS, f"{turn.number} > {triggers.turns_over}"
    if triggers.seconds_over is not None:
        seconds = (turn.occurred_at - session.decided_at) / MICROS_PER_SECOND
        if seconds > triggers.seconds_over:
            yield Trigger.DURATION, f"{seconds:.1f} s > {triggers.seconds_over:g} s"


_LOOKS: tuple[_Look, ...] = (_said, _felt, _went)
