"""Agents that fail together: which siblings tighten, for what, and for how long. And the provider's own word."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from processors.health.logic.breaker import MoveReason
from processors.health.logic.siblings import Siblings
from runtime.snapshot import Snapshot
from schemas import topics
from schemas.agents import MACHINE_REASONS, BreakerAction, Evidence, ProviderState, Transition
from schemas.control import Endpoint, Policy
from schemas.fields import BreakerState, TurnResult
from schemas.topics import endpoint_key
from schemas.wfm import DurationSource
from tests.endpoints import START, Bench, policy

TIMEOUT = TurnResult.TIMEOUT
OUT, HALF, CLOSED = BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED
NOTHING_SEEN = Evidence(
    window_seconds=60.0, outcomes=0, failures=0, consecutive_failures=0, failure_rate=0.0, posterior_mean=0.1,
    latency_mean_ms=0.0, latency_baseline_ms=0.0,
)  # fmt: skip


def agents(tenant: str, *endpoints: Endpoint) -> Policy:
    return msgspec.structs.replace(policy(), tenant=tenant, endpoints=endpoints)


def agent(name: str, provider: str = "north", **fields: Any) -> Endpoint:
    return Endpoint(endpoint=name, provider=provider, version="1", intents=("balance",), **fields)


def moved(
    endpoint: str,
    to_state: BreakerState = OUT,
    reason: str = "consecutive_failures",
    tenant: str = "acme",
    version: str | None = None,
) -> Transition:
    return Transition(
        tenant=tenant, provider="north", endpoint=endpoint, from_state=CLOSED, to_state=to_state, epoch=1,
        reason=reason, evidence=NOTHING_SEEN, occurred_at=START, version=version,
    )  # fmt: skip


def snapshot(*records: Policy | Transition) -> Snapshot:
    made = Snapshot()
    for record in records:
        topic = topics.POLICY if isinstance(record, Policy) else topics.TRANSITIONS
        made = made.with_record(topic, topic.key_of(record), record, 0)
    return made


def tight(made: Snapshot, tenant: str = "acme", endpoint: str = "c") -> bool:
    return Siblings().are_out(tenant, endpoint, made)


THREE = agents("acme", agent("a"), agent("b"), agent("c"))


def test_two_of_three_of_one_provider_tighten_the_third_and_one_does_not() -> None:
    assert not tight(snapshot(THREE))
    assert not tight(snapshot(THREE, moved("a")))
    both = snapshot(THREE, moved("a"), moved("b"))
    assert tight(both)
    assert not tight(both, endpoint="a")
    assert not tight(both, tenant="other")


def test_the_only_sibling_is_enough_and_an_agent_alone_has_none() -> None:
    assert tight(snapshot(agents("acme", agent("a"), agent("c")), moved("a")))
    assert not tight(snapshot(agents("acme", agent("a", "south"), agent("c")), moved("a")))


@pytest.mark.parametrize(
    ("to_state", "reason", "counts"),
    [
        (OUT, "failure_rate", True),
        (OUT, "retry_after", True),
        (OUT, "probe_failed", True),
        (HALF, "open_elapsed", True),
        (HALF, "probes_renewed", True),
        (BreakerState.FORCED_OPEN, "forced_by_command", False),
        (BreakerState.DEGRADED, "latency", False),
        (CLOSED, "probes_succeeded", False),
    ],
)
def test_only_what_is_the_machines_own_counts(to_state: BreakerState, reason: str, counts: bool) -> None:
    made = snapshot(THREE, moved("a", to_state, reason), moved("b", to_state, reason))
    assert tight(made) is counts


def test_a_version_that_is_out_says_nothing_of_siblings() -> None:
    assert not tight(snapshot(THREE, moved("a", version="2"), moved("b", version="2")))


def test_regions_join_agents_of_several_providers() -> None:
    made = agents(
        "acme", agent("a", "x", region="eu"), agent("b", "y", region="eu"), agent("c", "z", region="eu"),
        agent("d", "w", region="us"),
    )  # fmt: skip
    both = snapshot(made, moved("a"), moved("b"))
    assert tight(both)
    assert not tight(both, endpoint="d")


def test_providers_and_regions_are_each_tenants_own_and_shared_machines_are_not() -> None:
    ours = agents("acme", agent("c", region="eu", shared_health="rack-1"))
    theirs = agents("apex", agent("a", region="eu"), agent("b", region="eu", shared_health="rack-1"))
    assert not tight(snapshot(ours, theirs, moved("a", tenant="apex")))
    assert tight(snapshot(ours, theirs, moved("b", tenant="apex")))


def test_what_was_worked_out_holds_for_its_snapshot_alone() -> None:
    siblings, out = Siblings(), snapshot(THREE, moved("a"), moved("b"))
    back = out.with_record(topics.TRANSITIONS, endpoint_key("acme", "a"), moved("a", CLOSED, "probes_succeeded"), 1)
    assert siblings.are_out("acme", "c", out)
    assert not siblings.are_out("acme", "c", back)
    assert siblings.are_out("acme", "c", out)


def test_an_agent_whose_sibling_is_out_opens_after_two_hard_failures_until_it_is_back() -> None:
    bench = Bench(open_jitter=0.0)
    bench.turns_of(2, 0.0, TIMEOUT)
    assert bench.path == []
    bench.turns_of(30, 0.0)
    bench.turns_of(5, 1.0, TIMEOUT, endpoint="vega")
    bench.follow(bench.transitions[-1])
    bench.turn(2.0, TIMEOUT)
    assert bench.path == ["open"]
    bench.turn(2.0, TIMEOUT)
    assert (bench.transitions[-1].endpoint, bench.transitions[-1].reason) == ("nova", "consecutive_failures")
    assert "siblings" in bench.transitions[-1].detail
    other = Bench()
    other.turns_of(5, 1.0, TIMEOUT, endpoint="vega")
    other.follow(other.transitions[-1])
    other.order(BreakerAction.CLOSE, 2.0, "vega")
    other.follow(other.transitions[-1])
    other.turns_of(4, 3.0, TIMEOUT)
    assert other.breaker().state is CLOSED


def test_a_sibling_that_is_well_trips_by_nothing_but_its_own_outcomes() -> None:
    bench = Bench()
    bench.turns_of(5, 0.0, TIMEOUT, endpoint="vega")
    bench.follow(bench.transitions[-1])
    for second in range(1, 200):
        bench.turn(float(second))
    assert bench.breaker().epoch == 0


def test_a_provider_that_says_it_is_out_tightens_its_agents_and_gives_the_duration() -> None:
    bench = Bench()
    bench.provider(0.0, ProviderState.OUTAGE, until=600.0)
    bench.turns_of(2, 1.0, TIMEOUT)
    assert bench.path == ["open"]
    impact = bench.impacts[-1]
    assert impact.duration_source is DurationSource.PROVIDER
    assert (impact.expected_seconds_p50, impact.expected_seconds_p90) == (599.0, 599.0 * 6)


def test_a_provider_that_is_well_again_tightens_no_more_and_an_older_word_is_ignored() -> None:
    bench = Bench()
    bench.provider(0.0, ProviderState.OUTAGE)
    bench.provider(10.0, ProviderState.OPERATIONAL)
    bench.provider(5.0, ProviderState.OUTAGE, until=600.0)
    bench.turns_of(4, 11.0, TIMEOUT)
    assert bench.path == []
    bench.turn(11.0, TIMEOUT)
    assert bench.impacts[-1].duration_source is DurationSource.PRIOR


def test_a_provider_without_a_time_or_past_it_is_believed_for_little() -> None:
    without, past = Bench(), Bench()
    without.provider(0.0, ProviderState.DEGRADED)
    past.provider(0.0, ProviderState.OUTAGE, until=5.0)
    without.turns_of(2, 100.0, TIMEOUT)
    past.turns_of(4, 100.0, TIMEOUT)
    assert (without.path, past.path) == (["open"], [])
    past.turn(100.0, TIMEOUT)
    assert without.impacts[-1].duration_source is DurationSource.PRIOR
    assert past.impacts[-1].expected_seconds_p50 == 30.0


def test_the_reasons_that_are_the_machine_s_own_are_reasons_of_moves() -> None:
    assert set(MoveReason) >= MACHINE_REASONS
