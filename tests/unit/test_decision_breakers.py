"""What several breakers of one agent come to: of versions, of intents, and of agents that come back."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest

from router.decide.counterfactual import counterfactuals
from router.decide.decision import decide, eligible_probes
from router.decide.permits import PermitLedger
from router.decide.world import World, world_of
from schemas.agents import Transition
from schemas.fields import BreakerState, Supervision
from schemas.interactions import Decision, Load
from schemas.topics import TRANSITIONS, breaker_key
from tests.offers import NOW, SECOND, breaker, contact, policy, recovering, snapshot, world

CLOSED, DEGRADED, OPEN, HALF_OPEN, FORCED = BreakerState
FROM_BEST = (CLOSED, DEGRADED, HALF_OPEN, OPEN, FORCED)
VERSION = "2"
"""Of vega, in the policy."""


def of(given: World, name: str = "c-1", now: int = NOW, **load: Any) -> Decision:
    return decide(contact("card_lost", 0.97, interaction_id=name, occurred_at=now), given, Load(**load), now)


def codes(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def in_state(state: BreakerState, epoch: int = 4, **changes: Any) -> Transition:
    if state is HALF_OPEN:
        return recovering("vega", epoch=epoch, **changes)
    return breaker("vega", state, epoch, **changes)


# Versions.


@pytest.mark.parametrize("own", FROM_BEST)
@pytest.mark.parametrize("of_version", FROM_BEST)
def test_the_worse_of_both_breakers_holds_under_the_higher_epoch(own: BreakerState, of_version: BreakerState) -> None:
    both = (in_state(own, 11), in_state(of_version, 9, version=VERSION))
    decision = of(world(*both), probe_permits={"vega": 1})
    worst = max(own, of_version, key=FROM_BEST.index)
    assert (decision.endpoint is None) == (worst in (OPEN, FORCED))
    assert decision.supervision is {CLOSED: Supervision.AUTONOMOUS, DEGRADED: Supervision.SEMI,
                                    HALF_OPEN: Supervision.SEMI}.get(worst)  # fmt: skip
    assert decision.breaker_epoch == (0 if decision.endpoint is None else 11)
    if worst is not CLOSED:
        assert codes(decision)[0] == f"breaker_{worst}"


@pytest.mark.parametrize(("own", "of_version"), [(3, 12), (12, 3)])
def test_a_contact_is_admitted_under_the_higher_epoch_whoever_has_it(own: int, of_version: int) -> None:
    decision = of(world(in_state(CLOSED, own), in_state(CLOSED, of_version, version=VERSION)))
    assert decision.breaker_epoch == 12


def test_the_breaker_of_another_version_counts_for_nothing() -> None:
    decision = of(world(in_state(OPEN, 7, version="1")))
    assert (decision.endpoint, decision.breaker_epoch) == ("vega", 0)


def test_a_breaker_of_the_version_reaches_a_world_that_was_arranged_before() -> None:
    first = snapshot(in_state(CLOSED, 1))
    key = breaker_key("acme", "vega", VERSION)
    opened, closed = (in_state(state, epoch, version=VERSION) for state, epoch in ((OPEN, 2), (CLOSED, 3)))
    found, previous = [], None
    for given in (
        first,
        first.with_record(TRANSITIONS, key, opened, 1),
        first.with_record(TRANSITIONS, key, closed, 2),
        first.with_record(TRANSITIONS, key, None, 3),
    ):
        previous = world_of(given, previous)
        decision = of(previous)
        found.append((decision.endpoint, decision.breaker_epoch))
    assert found == [("vega", 1), (None, 0), ("vega", 3), ("vega", 1)]


def test_the_first_breaker_of_all_reaches_a_world_that_was_arranged_without_any() -> None:
    before = world_of(snapshot())
    assert of(before).endpoint == "vega"
    after = world_of(snapshot(in_state(OPEN, version=VERSION)), before)
    assert of(after).endpoint is None


def test_a_new_version_in_the_policy_has_the_breaker_of_its_own() -> None:
    newer = [msgspec.structs.replace(each, version="3") for each in policy().endpoints]
    opened = in_state(OPEN, version="3")
    assert of(world(opened)).endpoint == "vega"
    assert of(world(opened, of=policy(endpoints=tuple(newer)))).endpoint is None


def left_for_vega(ledger: PermitLedger, given: World, partition: int = 0) -> int:
    (agent,) = eligible_probes(contact("card_lost"), given, NOW)
    return ledger.left(agent.grants, partition, NOW)


def test_where_both_breakers_try_again_a_probe_is_spent_under_each() -> None:
    own = recovering("vega", permits=(2, 5), epoch=5)
    version = recovering("vega", permits=(1, 9), epoch=6, version=VERSION)
    ledger, both = PermitLedger(), world(own, version)
    assert [left_for_vega(ledger, both, partition) for partition in (0, 1)] == [1, 5]
    (agent,) = eligible_probes(contact("card_lost"), both, NOW)
    ledger.spend(agent.grants, 0)
    assert left_for_vega(ledger, both) == 0
    assert left_for_vega(ledger, world(own)) == 1, "the agent's own breaker counts it too"
    again = recovering("vega", permits=(4, 4), epoch=7, version=VERSION)
    assert left_for_vega(ledger, world(own, again)) == 1, "a new epoch of one gives nothing more of the other's"


def test_the_outage_of_a_version_is_no_outage_of_the_machine() -> None:
    shared = [msgspec.structs.replace(each, shared_health="cluster") for each in policy().endpoints]
    of_nova = breaker("nova", OPEN, reason="consecutive_failures", version="7")
    assert of(world(of_nova, of=policy(endpoints=tuple(shared)))).supervision is Supervision.AUTONOMOUS
    own = msgspec.structs.replace(of_nova, version=None)
    assert of(world(own, of=policy(endpoints=tuple(shared)))).supervision is Supervision.SEMI


# Agents that come back.


def place(name: str) -> float:
    return zlib.crc32(f"{name}/vega".encode()) / 2**32


def coming_back(seconds: float = 60.0, start: float = 0.2, **changes: Any) -> Transition:
    return in_state(CLOSED, ramp_seconds=seconds, ramp_from=start, **changes)


def test_right_after_recovery_an_agent_gets_its_first_share_and_then_more_each_second_until_it_has_all() -> None:
    given, names = world(coming_back()), [f"c-{n}" for n in range(1000)]
    # share  0.2 .......... 0.6 .......... 1.0
    # second  0      15      30      45     60
    had: set[str] = set()
    for second, expected in ((0, 200), (15, 400), (30, 600), (45, 800), (60, 1000)):
        now = NOW + second * SECOND
        has = {name for name in names if of(given, name, now).endpoint == "vega"}
        assert has >= had, "who was let in stays in"
        assert has == {name for name in names if place(name) < 0.2 + 0.8 * second / 60}
        assert abs(len(has) - expected) <= 50  # three standard deviations of a count of 1,000
        had = has


def test_when_a_ramp_is_over_nothing_is_left_of_it_and_a_replay_may_ask_in_any_order() -> None:
    given = world(coming_back())
    late = max((f"c-{n}" for n in range(100)), key=place)
    ends = NOW + 60 * SECOND
    asked = (NOW, ends, ends - 5 * SECOND, ends + SECOND, NOW - SECOND, ends)
    assert [of(given, late, now).endpoint for now in asked] == [None, "vega", None, "vega", None, "vega"]
    tenant = given.tenant("acme", ends)
    assert tenant is not None
    assert tenant.route("card_lost", contact().offered).agents.ramping == ()


def test_others_of_the_intent_have_what_a_ramp_holds_back() -> None:
    held = next(f"c-{n}" for n in range(100) if place(f"c-{n}") > 0.5)
    about = contact("balance", interaction_id=held)
    decision = decide(about, world(coming_back()), Load(), NOW)
    assert (decision.endpoint, decision.supervision) == ("nova", Supervision.AUTONOMOUS)
    assert codes(decision) == ["ramping", "confidence_contained"]


def test_a_ramp_of_one_agent_costs_contacts_of_others_nothing() -> None:
    tenant = world(coming_back()).tenant("acme", NOW)
    assert tenant is not None
    assert tenant.route("loan", contact().offered).agents.ramping == ()


# What would have changed it.


def moves(of_contact: Any, *breakers: Transition) -> dict[str, tuple[Any, Any, str | None]]:
    found = counterfactuals(of_contact, snapshot(*breakers), Load(), NOW)
    return {each.move.name: (each.move.was, each.move.now, each.outcome.endpoint) for each in found}


def test_a_contact_that_a_ramp_held_back_is_told_so() -> None:
    held = next(f"c-{n}" for n in range(100) if place(f"c-{n}") > 0.5)
    found = moves(contact("card_lost", interaction_id=held), coming_back())
    assert found["ramp acme/vega"] == (0.2, 1.0, "vega")


def test_an_intent_that_is_shed_is_told_so_and_so_is_the_breaker_of_the_version() -> None:
    shed = in_state(DEGRADED, version=VERSION, shed_intents=("loan", "card_lost"), intents_only=True)
    found = moves(contact("card_lost"), shed)
    assert found["shed_intents acme/vega/2"] == (["loan", "card_lost"], ["loan"], "vega")
    assert found["breaker acme/vega/2"] == ("degraded", "closed", "vega")
    assert "breaker acme/vega" not in found
