"""What became of an agent's contacts, and what QA, platforms and customers found of them: the slow signals.

A contact that is under way is not known yet: it counts neither as contained nor as escalated.
"""

from __future__ import annotations

from processors.health.logic import intents
from processors.health.logic.intents import Shed
from processors.health.logic.signals import Signal
from processors.health.logic.watch import Watch
from schemas.agents import ContactOutcome, Graded
from schemas.fields import CONTAINED, GradedBy, Handling
from schemas.triggers import Trigger

SATISFIED = 4
"""Least of five points with which a customer counts as satisfied: the customary top two."""
NOT_ITS_OWN = frozenset(
    {
        Trigger.BREAKER_OPEN, Trigger.NO_SUPERVISOR, Trigger.NO_VERDICT, Trigger.NO_AGENT, Trigger.REQUESTED,
        Trigger.PERSON_CLAIMED,
    }
)  # fmt: skip
"""Reasons of an escalation that say nothing of the agent that had the contact."""


def observed(watch: Watch, event: ContactOutcome | Graded) -> Shed | None:
    """Take an event into account in a breaker's signals; return an intent that is to be shed for it."""
    if isinstance(event, ContactOutcome):
        _ended(watch, event)
        return None
    return _graded(watch, event)


def _ended(watch: Watch, event: ContactOutcome) -> None:
    if event.handling in CONTAINED:
        watch.signals.observe(Signal.ESCALATED, watch.second, against=False)
    elif event.handling is Handling.AI_ESCALATED and event.trigger not in NOT_ITS_OWN:
        watch.signals.observe(Signal.ESCALATED, watch.second, against=True)


def _graded(watch: Watch, event: Graded) -> Shed | None:
    second, signals = watch.second, watch.signals
    if event.csat is not None:
        signals.observe(Signal.UNSATISFIED, second, against=event.csat < SATISFIED)
    if event.repeat_contact is not None:
        signals.observe(Signal.REPEATED, second, against=event.repeat_contact)
    # A platform flags what is wrong and is silent otherwise: its word is a flag, no sample of what was resolved.
    flagged = event.by is GradedBy.PLATFORM and event.resolved is False
    if event.hallucination is not None or flagged:
        signals.observe(Signal.HALLUCINATED, second, against=bool(event.hallucination) or flagged)
    if event.by is not GradedBy.QA or event.resolved is None:
        return None
    signals.observe(Signal.UNRESOLVED, second, against=not event.resolved)
    if watch.version is not None:
        return None
    return intents.observed(watch, event.intent, Signal.UNRESOLVED, against=not event.resolved)
