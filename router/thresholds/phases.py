"""What outcomes say of the phase in which AI has each intent, and which phase would come next. Pure.

A phase is left when what its rule in the policy asks for has been shown: never by itself, a person applies it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from router.decide.fit import lower_bound
from router.thresholds.outcomes import Outcome
from schemas.control import Policy
from schemas.rules import Criteria, Phase

_NEXT = {Phase.PILOT: Phase.SCALING, Phase.SCALING: Phase.MATURITY}


@dataclasses.dataclass(frozen=True, slots=True)
class IntentPhase:
    """An intent in its phase: contacts that AI had, what it resolved, what a person had to finish.

    `criteria`: to leave the phase, None where the policy states none. `missing`: what they still ask for, in words.
    `proposed`: the next phase, None unless all criteria are met.
    """

    intent: str
    phase: Phase
    contacts: int
    resolved: int
    escalated: int
    criteria: Criteria | None
    missing: tuple[str, ...]
    proposed: Phase | None

    @property
    def resolved_at_least(self) -> float:
        """The lower end of the 95 % interval of the share that AI resolved."""
        return lower_bound(self.resolved / self.contacts, self.contacts) if self.contacts else 0.0


def intent_phases(outcomes: Sequence[Outcome], policy: Policy) -> list[IntentPhase]:
    """Return how each intent stands that has outcomes, or a phase of its own in the policy; by name."""
    own = {rule.intent: rule.phase for rule in policy.intents if rule.phase is not None}
    criteria = {rule.phase: rule.promote for rule in policy.supervision.phases}
    by_intent: dict[str, list[Outcome]] = {intent: [] for intent in own}
    for outcome in outcomes:
        by_intent.setdefault(outcome.intent, []).append(outcome)
    found = []
    for intent, had in sorted(by_intent.items()):
        phase = own.get(intent, policy.supervision.phase)
        found.append(_standing(intent, phase, had, criteria.get(phase)))
    return found


def _standing(intent: str, phase: Phase, had: Sequence[Outcome], criteria: Criteria | None) -> IntentPhase:
    contacts, resolved = len(had), sum(each.resolved for each in had)
    made = IntentPhase(intent, phase, contacts, resolved, sum(each.escalated for each in had), criteria, (), None)
    if criteria is None or phase not in _NEXT:
        return made
    missing = tuple(_missing(made, criteria))
    return dataclasses.replace(made, missing=missing, proposed=None if missing else _NEXT[phase])


def _missing(standing: IntentPhase, criteria: Criteria) -> list[str]:
    found = []
    if standing.contacts < criteria.contacts:
        found.append(f"{criteria.contacts - standing.contacts} more contacts")
    if standing.resolved_at_least < criteria.resolved:
        found.append(f"resolved {standing.resolved_at_least:.3f} at least, below {criteria.resolved:g}")
    escalated = standing.escalated / standing.contacts if standing.contacts else 0.0
    if escalated > criteria.escalated:
        found.append(f"escalated {escalated:.3f}, above {criteria.escalated:g}")
    return found
