"""Reports on providers, from transitions of the real topic, and their own word passed on."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.agents import ProviderState, ProviderStatus
from schemas.envelope import iso_time
from schemas.fields import BreakerState
from schemas.rules import Maintenance
from schemas.topics import AGENT_EVENTS
from tests.flow.command import trunkline
from tests.flow.steps import Watch, policy, publish_policy, publish_transition, running, transition

MINUTE = 60_000_000


def minutes_from_now(minutes: int) -> int:
    """A whole second, as people write instants."""
    return real_now() // 1_000_000 * 1_000_000 + minutes * MINUTE


def asked(settings: Settings, *arguments: str, ends: int = 0) -> str:
    done = trunkline("providers", *arguments, "--bootstrap", settings.bootstrap, "--prefix", settings.prefix)
    assert done.returncode == ends, done.stderr
    return done.stdout if ends == 0 else done.stderr


def reported(settings: Settings, *arguments: str) -> dict[str, Any]:
    (line,) = asked(settings, "report", *arguments, "--json").splitlines()
    made: dict[str, Any] = json.loads(line)
    return made


def test_availability_outages_and_drift_are_told_beside_the_promise(settings: Settings) -> None:
    start = minutes_from_now(-100)
    made = policy("acme", revision=1)
    planned = Maintenance(starts=iso_time(start + 60 * MINUTE), ends=iso_time(start + 70 * MINUTE))
    nova = msgspec.structs.replace(made.endpoints[0], maintenance=(planned,))
    idle = msgspec.structs.replace(nova, endpoint="idle")
    publish_policy(settings, msgspec.structs.replace(made, endpoints=(nova, idle), occurred_at=start))
    state = BreakerState.CLOSED
    for minute, to_state, latency in (
        (20, BreakerState.DEGRADED, 800.0),
        (30, BreakerState.OPEN, 0.0),
        (35, BreakerState.CLOSED, 1000.0),
        (80, BreakerState.FORCED_OPEN, 1000.0),
    ):
        step = transition("acme", to_state, minute, from_state=state, occurred_at=start + minute * MINUTE)
        evidence = msgspec.structs.replace(step.evidence, latency_baseline_ms=latency)
        publish_transition(settings, msgspec.structs.replace(step, evidence=evidence))
        state = to_state
    until = iso_time(start + 90 * MINUTE)
    found = reported(settings, "--tenant", "acme", "--until", until)
    idle_row, nova_row = found["agents"]
    assert (found["provider"], found["promised"]) == ("north", 0.995)
    assert idle_row["availability"] is None
    times = nova_row["times"]
    minutes = {name.removesuffix("_seconds"): round(seconds / 60, 6) for name, seconds in times.items()}
    assert minutes == {"measured": 90, "normal": 65, "degraded": 10, "out": 5, "forced": 10, "maintenance": 10}
    assert nova_row["availability"] == pytest.approx(65 / 70)
    assert nova_row["outages"]["p50_seconds"] == 300.0
    assert (nova_row["latency_ms"]["first"], nova_row["latency_ms"]["last"]) == (800.0, 1000.0)

    told = asked(settings, "report", "--until", until)
    assert "acme, provider north: available 92.857% of 1 h 10 min, promised 99.500%: missed by 6.643 points" in told
    assert "idle: no transitions" in told
    assert "normally 800 ms, then normally 1,000 ms (+25.0%)" in told
    part = reported(settings, "--since", iso_time(start + 32 * MINUTE), "--until", iso_time(start + 40 * MINUTE))
    assert part["times"]["out_seconds"] == pytest.approx(180)


def test_an_outage_by_order_is_seen_in_a_report_as_time_that_does_not_count(settings: Settings) -> None:
    publish_policy(settings, policy("acme"))
    at = ["--bootstrap", settings.bootstrap, "--prefix", settings.prefix]
    with running(settings, "health"):
        asked(settings, "status", "north", "--tenant", "acme", "--outage", "--until", iso_time(minutes_from_now(10)))
        for command in (["open", "nova", "--reason", "drill"], ["show", "nova"], ["close", "nova", "--reason", "over"]):
            done = trunkline("breakers", *command, "--tenant", "acme", *at)
            assert done.returncode == 0, done.stderr
            if command[0] == "show":
                assert "expected:    9 min" in done.stdout
                assert "from the provider's own word (0 samples)" in done.stdout
    found = reported(settings, "--days", "1")
    assert found["availability"] == 1.0
    (nova,) = found["agents"]
    assert nova["times"]["forced_seconds"] > 0
    assert nova["outages"]["number"] == 0
    assert (nova["transitions"], nova["state"]) == (2, "closed")


def test_what_a_provider_says_of_itself_is_passed_on(settings: Settings) -> None:
    publish_policy(settings, policy("acme"))
    until = iso_time(minutes_from_now(60))
    told = asked(settings, "status", "north", "--tenant", "acme", "--outage", "--until", until, "--text", "eu is down",
                 "--by", "ann")  # fmt: skip
    assert told == f"acme/north: outage until {until}\n"
    assert asked(settings, "status", "north", "--tenant", "acme", "--operational") == "acme/north: operational\n"
    with Watch(settings, AGENT_EVENTS) as watch:
        watch.until("both", lambda: len(watch.of(AGENT_EVENTS)) == 2)
        outage, well = watch.of(AGENT_EVENTS)
    assert isinstance(outage, ProviderStatus)
    assert (outage.status, outage.text, outage.by) == (ProviderState.OUTAGE, "eu is down", "ann")
    assert outage.until is not None
    assert iso_time(outage.until) == until
    assert (well.status, well.until) == (ProviderState.OPERATIONAL, None)


def test_a_word_or_a_time_that_cannot_be_meant_is_refused_with_the_remedy(settings: Settings) -> None:
    publish_policy(settings, policy("acme"))
    status = ["status", "north", "--tenant", "acme"]
    for arguments, says in (
        ([*status], "one of --outage, --degraded and --operational"),
        (["report", "--since", "2026-01-01T00:00:00Z", "--days", "2"], "one of --since and --days"),
    ):
        assert says in asked(settings, *arguments, ends=2)
    for arguments, says in (
        (["status", "east", "--tenant", "acme", "--outage"], "has no provider 'east'; it has north"),
        (["status", "north", "--tenant", "nobody", "--outage"], "'nobody' has no policy; tenants with one: acme"),
        ([*status, "--outage", "--until", "2020-01-01T00:00:00Z"], "--until 2020-01-01T00:00:00Z is over"),
        ([*status, "--outage", "--until", "soon"], "--until: Invalid isoformat string: 'soon'; write it as 2026-"),
        (["report", "--since", "2026-01-01T00:00:00"], "has no time zone"),
        (["report", "--since", "9026-01-01T00:00:00Z"], "there is no time between --since and --until"),
        (["report", "--tenant", "nobody"], "'nobody' has no policy; tenants with one: acme"),
    ):
        assert says in asked(settings, *arguments, ends=1)
