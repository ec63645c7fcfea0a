"""Tenants that share a machine share its outages, and nothing else."""

from __future__ import annotations

import msgspec
import pytest

from router.decide.decision import decide
from router.decide.world import world_of
from runtime.snapshot import Snapshot
from schemas.agents import Transition
from schemas.control import Policy
from schemas.fields import BreakerState, Supervision
from schemas.interactions import Decision, Load
from schemas.topics import POLICY, TRANSITIONS, endpoint_key
from tests.offers import NOW, breaker, contact, policy

GROUP = "eu-cluster"


def tenant(name: str, group: str | None = GROUP) -> Policy:
    agents = tuple(msgspec.structs.replace(each, shared_health=group) for each in policy().endpoints)
    return policy(tenant=name, endpoints=agents)


def given(*policies: Policy, moved: Transition) -> Snapshot:
    snapshot = Snapshot()
    for offset, each in enumerate(policies):
        snapshot = snapshot.with_record(POLICY, each.tenant, each, offset)
    return snapshot.with_record(TRANSITIONS, endpoint_key(moved.tenant, moved.endpoint), moved, 0)


def of_acme(snapshot: Snapshot) -> Decision:
    return decide(contact("card_lost", 0.97), world_of(snapshot), Load(), NOW)


def out(reason: str = "consecutive_failures", state: BreakerState = BreakerState.OPEN) -> Transition:
    return breaker("vega", state, tenant="other", reason=reason)


@pytest.mark.parametrize("reason", ["consecutive_failures", "failure_rate", "failure_posterior", "latency"])
def test_an_agent_whose_machine_fails_another_tenant_is_watched(reason: str) -> None:
    decision = of_acme(given(tenant("acme"), tenant("other"), moved=out(reason)))
    assert (decision.endpoint, decision.supervision) == ("vega", Supervision.SEMI)
    assert [reason.code for reason in decision.reasons] == ["shared_health", "degraded_needs_watching"]
    assert decision.reasons[0].detail == "vega: 1 out of eu-cluster", "whose it is stays theirs"


@pytest.mark.parametrize("reason", ["quality", "command"])
def test_what_is_not_the_machine_s_stays_the_tenant_s_own(reason: str) -> None:
    assert of_acme(given(tenant("acme"), tenant("other"), moved=out(reason))).supervision is Supervision.AUTONOMOUS


@pytest.mark.parametrize("state", [BreakerState.CLOSED, BreakerState.DEGRADED, BreakerState.FORCED_OPEN])
def test_only_an_outage_is_shared(state: BreakerState) -> None:
    snapshot = given(tenant("acme"), tenant("other"), moved=out(state=state))
    assert of_acme(snapshot).supervision is Supervision.AUTONOMOUS


@pytest.mark.parametrize("groups", [(None, None), (GROUP, None), (None, GROUP), (GROUP, "us-cluster")])
def test_who_names_no_group_shares_nothing(groups: tuple[str | None, str | None]) -> None:
    mine, theirs = groups
    snapshot = given(tenant("acme", mine), tenant("other", theirs), moved=out())
    assert of_acme(snapshot).supervision is Supervision.AUTONOMOUS


def test_a_world_that_is_taken_over_knows_when_the_other_is_well_again() -> None:
    before = given(tenant("acme"), tenant("other"), moved=out())
    earlier = world_of(before)
    assert decide(contact("card_lost", 0.97), earlier, Load(), NOW).supervision is Supervision.SEMI
    well = breaker("vega", BreakerState.CLOSED, 5, tenant="other", reason="recovered")
    after = world_of(before.with_record(TRANSITIONS, endpoint_key("other", "vega"), well, 1), earlier)
    assert decide(contact("card_lost", 0.97), after, Load(), NOW).supervision is Supervision.AUTONOMOUS
