"""Which phase of supervision comes next."""

from __future__ import annotations

import msgspec
import pytest

from router.decide.fit import lower_bound
from router.thresholds.outcomes import Outcome
from router.thresholds.phases import intent_phases
from schemas.fields import Channel, Supervision
from schemas.rules import Criteria, IntentRule, Phase, PhaseRule, SupervisionPolicy
from tests.offers import policy

PILOT = PhaseRule(
    phase=Phase.PILOT,
    supervision=Supervision.FULL,
    promote=Criteria(contacts=100, resolved=0.7, escalated=0.2),
)


def outcomes(intent: str, resolved: int, escalated: int, wrong: int = 0) -> list[Outcome]:
    base = Outcome(intent, Channel.CHAT, "standard", 0.9, resolved=False)
    return [
        *[base._replace(resolved=True)] * resolved,
        *[base._replace(escalated=True)] * escalated,
        *[base] * wrong,
    ]


def found(given: list[Outcome], *rules: IntentRule, phase: Phase = Phase.PILOT):
    supervision = SupervisionPolicy(phase=phase, phases=(PILOT,))
    made = msgspec.structs.replace(policy(), intents=rules, supervision=supervision)
    return {each.intent: each for each in intent_phases(given, made)}


def test_an_intent_that_has_shown_all_that_is_asked_for_is_proposed_the_next_phase() -> None:
    refund = found(outcomes("refund", 180, 20))["refund"]
    assert (refund.contacts, refund.resolved, refund.escalated) == (200, 180, 20)
    assert refund.resolved_at_least == lower_bound(0.9, 200)
    assert (refund.missing, refund.proposed) == ((), Phase.SCALING)


@pytest.mark.parametrize(
    ("given", "missing"),
    [
        (outcomes("refund", 60, 5), ("35 more contacts",)),
        (outcomes("refund", 74, 10, 16), ("resolved 0.662 at least, below 0.7",)),
        (outcomes("refund", 300, 100), ("escalated 0.250, above 0.2",)),
    ],
)
def test_what_is_not_shown_yet_is_told(given: list[Outcome], missing: tuple[str, ...]) -> None:
    refund = found(given)["refund"]
    assert (refund.missing, refund.proposed) == (missing, None)


def test_an_intent_has_its_own_phase_and_none_is_proposed_where_no_criteria_are_stated_or_it_is_the_last() -> None:
    given = outcomes("refund", 200, 0) + outcomes("loan", 200, 0) + outcomes("card", 200, 0)
    rules = (IntentRule(intent="refund", phase=Phase.PILOT), IntentRule(intent="loan", phase=Phase.SCALING))
    every = found(given, *rules, phase=Phase.MATURITY)
    assert {name: (each.phase, each.proposed) for name, each in every.items()} == {
        "refund": (Phase.PILOT, Phase.SCALING),
        "loan": (Phase.SCALING, None),
        "card": (Phase.MATURITY, None),
    }
    assert every["loan"].criteria is None


def test_an_intent_with_a_phase_and_without_contacts_is_shown_too() -> None:
    silent = found([], IntentRule(intent="refund", phase=Phase.PILOT))["refund"]
    assert (silent.contacts, silent.resolved_at_least, silent.proposed) == (0, 0.0, None)
    assert silent.missing[0] == "100 more contacts"
