"""What a policy's rules make of a contact: compliance, supervision, instructions, and thresholds that move. Pure."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec

from router.decide.people import Queues
from schemas.control import Policy
from schemas.fields import Supervision
from schemas.interactions import Instructions, Offered, Reason, Thresholds
from schemas.rules import ComplianceEffect, ComplianceRule, Condition, IntentRule, Relief, Tightening, Triggers

_NO_TRIGGERS = Triggers()
_STRICTEST = tuple(ComplianceEffect)
_DIGITS = 6
"""Thresholds that were moved are rounded to these: what the record says is what was compared."""

_Test = Callable[[Offered, str], bool]


class Ruled(NamedTuple):
    """What the rules of compliance ask for. `effect`: the strictest of those that apply, None where none does."""

    effect: ComplianceEffect | None = None
    queue: str | None = None
    say: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()


NOT_RULED = Ruled()


class Compliance:
    """The rules of compliance of a policy."""

    def __init__(self, rules: Sequence[ComplianceRule]) -> None:
        self._rules = [(rule, applies(rule.when)) for rule in rules]

    def ruled(self, offered: Offered, intent: str) -> Ruled:
        """Return what the rules that apply to a contact ask for; all of them are named."""
        applied = [rule for rule, test in self._rules if test(offered, intent)]
        if not applied:
            return NOT_RULED
        effect = min((rule.effect for rule in applied), key=_STRICTEST.index)
        return Ruled(
            effect,
            next((rule.queue for rule in applied if rule.queue is not None), None),
            tuple(rule.text for rule in applied if rule.effect is ComplianceEffect.DISCLOSE),
            tuple(Reason(code="compliance", detail=f"{rule.rule}: {rule.effect}") for rule in applied),
        )


def applies(when: Condition) -> _Test:
    """Return the test of whether a condition holds for a contact."""
    tests = _tests(when)
    return lambda offered, intent: all(test(offered, intent) for test in tests)


def _tests(when: Condition) -> list[_Test]:
    """Return the tests of what a condition states; all must hold."""
    tests: list[_Test] = []
    one_of: tuple[tuple[tuple[Any, ...], _Test], ...] = (
        (when.intents, lambda _offered, intent: intent in when.intents),
        (when.channels, lambda offered, _intent: offered.channel in when.channels),
        (when.segments, lambda offered, _intent: offered.segment in when.segments),
        (when.regions, lambda offered, _intent: offered.region in when.regions),
        (when.languages, lambda offered, _intent: _spoken(offered.language, when.languages)),
        (when.flags, lambda offered, _intent: any(flag in when.flags for flag in offered.flags)),
        (when.without_flags, lambda offered, _intent: not any(flag in when.without_flags for flag in offered.flags)),
    )
    tests += [test for stated, test in one_of if stated]
    if when.direction is not None:
        tests.append(lambda offered, _intent: offered.direction is when.direction)
    if (limit := when.age_under) is not None:
        tests.append(lambda offered, _intent: offered.age_years is not None and offered.age_years < limit)
    return tests


def _spoken(language: str, among: Sequence[str]) -> bool:
    return language in among or language.partition("-")[0] in among


@dataclasses.dataclass(frozen=True, slots=True)
class Oversight:
    """How AI is watched with some contacts, at least, and its standing instructions, alone and watched."""

    least: Supervision
    reasons: tuple[Reason, ...]
    alone: Instructions | None
    watched: Instructions | None


_NONE = Oversight(Supervision.AUTONOMOUS, (), None, None)


def oversight_of(policy: Policy, rule: IntentRule | None) -> Oversight | None:
    """Return what holds for an intent with this rule, or with none; None where AI is on its own."""
    said = policy.supervision
    phase = rule.phase if rule is not None and rule.phase is not None else said.phase
    least = said.of(phase)
    escalate = _stated(rule.escalate if rule is not None else None, policy.escalation)
    approve = _stated(rule.approve if rule is not None else None, said.approve)
    notes = rule.instructions if rule is not None else ()
    reasons = () if least is Supervision.AUTONOMOUS else (Reason(code="supervision", detail=f"{phase}: {least}"),)
    made = Oversight(
        least,
        reasons,
        Instructions(escalate=escalate, notes=notes) if escalate is not None or notes else None,
        Instructions(approve=approve, escalate=escalate, notes=notes) if escalate or approve or notes else None,
    )
    return None if made == _NONE else made


def _stated(own: Triggers | None, tenants: Triggers) -> Triggers | None:
    """Return the triggers that hold, None where they name nothing."""
    held = tenants if own is None else own
    return None if held == _NO_TRIGGERS else held


def instructions_of(oversight: Oversight | None, supervision: Supervision, say: tuple[str, ...]) -> Instructions | None:
    """Return the instructions of a contact that AI has, with what it is to say first."""
    standing = None
    if oversight is not None:
        standing = oversight.alone if supervision is Supervision.AUTONOMOUS else oversight.watched
    if not say:
        return standing
    return Instructions(say=say) if standing is None else msgspec.structs.replace(standing, say=say)


class Moved(NamedTuple):
    """Thresholds after people and agents had their say, and why."""

    thresholds: Thresholds
    reasons: tuple[Reason, ...]


def moved(base: Thresholds, policy: Policy, queues: Queues, queue: str, tightened: Reason | None) -> Moved:
    """Return thresholds as the shortage of a queue lowers them, or as AI that is degraded (`tightened`) raises them.

    With both they rise: an agent that fails is no help to people who are short.
    """
    relief, tightening = policy.relief, policy.tightening
    share = _share(relief, queues.shortage.get(queue, 0.0)) if relief is not None else 0.0
    if tightened is not None and tightening is not None:
        withheld = (Reason(code="relief_withheld", detail=queue),) if share else ()
        return Moved(_raised(base, tightening), (tightened, *withheld))
    if relief is None or not share:
        return Moved(base, ())
    lowered = _lowered(base, relief, share)
    said = queues.said[queue]
    detail = (
        f"{queue} has {said.agents_available:g} of {said.agents_required:g}: "
        f"contained {lowered.contained:g}, assisted {lowered.assisted:g}"
    )
    return Moved(lowered, (Reason(code="people_short", detail=detail),))


def _share(relief: Relief, shortage: float) -> float:
    """Return how much of the relief a shortage calls for, 0 to 1."""
    if shortage <= relief.shortage_from:
        return 0.0
    return min(1.0, (shortage - relief.shortage_from) / (relief.shortage_full - relief.shortage_from))


def _lowered(base: Thresholds, relief: Relief, share: float) -> Thresholds:
    contained = _down(base.contained, share * relief.contained_by, relief.contained_least)
    assisted = _down(base.assisted, share * relief.assisted_by, relief.assisted_least)
    return Thresholds(contained=contained, assisted=min(assisted, contained))


def _down(threshold: float, by: float, least: float) -> float:
    return round(max(threshold - by, min(threshold, least)), _DIGITS)


def _raised(base: Thresholds, tightening: Tightening) -> Thresholds:
    contained = round(min(1.0, base.contained + tightening.contained_by), _DIGITS)
    assisted = round(min(1.0, base.assisted + tightening.assisted_by), _DIGITS)
    return Thresholds(contained=contained, assisted=min(assisted, contained))
