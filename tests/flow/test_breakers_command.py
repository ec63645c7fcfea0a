"""Breakers as operators see and order them: the real health monitor obeys, and the commands tell what it did."""

from __future__ import annotations

import json

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.agents import BreakerCommand
from schemas.fields import BreakerState, TurnResult
from schemas.topics import AGENT_EVENTS, TRANSITIONS
from tests.flow.command import trunkline
from tests.flow.steps import Watch, outcome, policy, publish_policy, publish_transition, running, transition, write


def asked(settings: Settings, *arguments: str, ends: int = 0) -> str:
    done = trunkline("breakers", *arguments, "--bootstrap", settings.bootstrap, "--prefix", settings.prefix)
    assert done.returncode == ends, done.stderr
    return done.stdout if ends == 0 else done.stderr


def test_a_breaker_is_opened_looked_at_and_closed_by_command(settings: Settings) -> None:
    publish_policy(settings, policy("acme"))
    with running(settings, "health"):
        assert asked(settings, "list") == "acme/nova  closed  since ever  epoch 0  never moved\n"
        write(settings, AGENT_EVENTS, *(outcome("acme", f"c-{number}", 0, TurnResult.OK) for number in range(20)))

        told = asked(settings, "open", "nova", "--tenant", "acme", "--reason", "gives refunds", "--by", "ann")
        assert told == "acme/nova: closed -> forced_open, epoch 1, forced_by_command: gives refunds (by ann)\n"
        again = asked(settings, "open", "acme/nova", "--reason", "once more")
        assert again.startswith("nothing to do: acme/nova  forced_open  since ")

        (listed,) = [json.loads(line) for line in asked(settings, "list", "--json").splitlines()]
        assert (listed["tenant"], listed["endpoint"], listed["state"]) == ("acme", "nova", "forced_open")
        assert listed["transition"]["detail"] == "gives refunds"
        assert asked(settings, "list", "--state", "open") == ""

        shown = asked(settings, "show", "nova")
        assert shown.startswith("acme/nova: forced_open since ")
        assert "window:      20 outcomes in 60 s, 0 failed (0.0%)" in shown
        assert "contacts/min of queue retail: balance" in shown
        assert "expected:    5 min (p50), 30 min (p90), from " in shown
        assert json.loads(asked(settings, "show", "nova", "--json"))["impact"]["epoch"] == listed["epoch"]

        told = asked(settings, "close", "nova", "--tenant", "acme", "--reason", "fixed", "--by", "bob")
        assert told.startswith("acme/nova: forced_open -> closed, epoch ")
        first, second, total = asked(settings, "history", "nova").splitlines()
        assert "closed -> forced_open  epoch 1" in first
        assert "forced_open -> closed" in second
        assert second.endswith("closed_by_command: fixed (by bob)")
        assert " so far  " in second
        assert total.startswith("since its first move: closed ")


def test_who_ordered_it_stands_on_the_order(settings: Settings) -> None:
    publish_policy(settings, policy("acme"))
    told = asked(settings, "open", "nova", "--reason", "drill", "--by", "ann", "--version", "7", "--wait", "0")
    assert told == "ordered force_open of acme/nova/7; not waited for\n"
    with Watch(settings, AGENT_EVENTS) as watch:
        watch.until("the order", lambda: watch.of(AGENT_EVENTS))
        (order,) = watch.of(AGENT_EVENTS)
    assert isinstance(order, BreakerCommand)
    assert (order.provider, order.version, order.by, order.reason) == ("north", "7", "ann", "drill")


def test_an_order_that_nobody_obeys_says_so_and_one_to_reset_is_given_to_a_closed_breaker_too(
    settings: Settings,
) -> None:
    publish_policy(settings, policy("acme"))
    told = asked(settings, "open", "nova", "--reason", "drill", "--wait", "0.2", ends=1)
    assert "the order is written, but the breaker of acme/nova has not moved in 0.2 s: is 'trunkline health'" in told
    assert "nothing to do: acme/nova  closed  since ever" in asked(settings, "close", "nova", "--reason", "drill")
    told = asked(settings, "reset", "nova", "--reason", "another model")
    assert (
        told == "no move: acme/nova  closed  since ever  epoch 0  never moved; told to forget what was learnt of it\n"
    )
    with Watch(settings, AGENT_EVENTS) as watch:
        watch.until("both orders", lambda: len(watch.of(AGENT_EVENTS)) == 2)
        assert [order.action for order in watch.of(AGENT_EVENTS)] == ["force_open", "reset"]


def test_an_agent_that_is_not_there_is_refused_with_those_that_are(settings: Settings) -> None:
    publish_policy(settings, policy("acme"))
    publish_policy(settings, policy("other"))
    gone = transition("acme", BreakerState.OPEN, 4, endpoint="former")
    publish_transition(settings, gone)
    for arguments, says in (
        (["show", "nova"], "2 agents are called 'nova'; name one of acme/nova, other/nova"),
        (
            ["open", "nobody", "--reason", "x"],
            "no agents are called 'nobody'; name one of acme/former, acme/nova, other",
        ),
        (
            ["open", "nova", "--tenant", "nobody", "--reason", "x"],
            "'nobody' has no policy; tenants with one: acme, other",
        ),
        (["close", "former", "--reason", "x"], "the policy of 'acme' has no agent 'former' any more; it has acme/nova"),
        (["show", "acme/nova", "--version", "9"], "no breaker of version '9' of acme/nova has ever moved"),
        (["history", "acme/nova", "--version", "9"], "versions whose breakers have: none"),
    ):
        assert says in asked(settings, *arguments, ends=1)
    assert 'say why: --reason "..."' in asked(settings, "open", "acme/nova", "--reason", " ", ends=2)
    assert "Missing option '--reason'" in asked(settings, "open", "acme/nova", ends=2)


def test_breakers_of_versions_and_states_that_last_over_renewals_are_told(settings: Settings) -> None:
    publish_policy(settings, policy("acme"))
    start = real_now() - 600_000_000
    with Watch(settings, TRANSITIONS):
        for second, to_state, changes in (
            (0, BreakerState.OPEN, {}),
            (30, BreakerState.HALF_OPEN, {"from_state": BreakerState.OPEN, "probe_permits": (1, 0, 1, 1)}),
            (90, BreakerState.HALF_OPEN, {"from_state": BreakerState.HALF_OPEN, "probe_permits": (1, 1, 1, 0)}),
            (100, BreakerState.DEGRADED, {"version": "8", "shed_intents": ("balance",), "intents_only": True}),
        ):
            made = transition("acme", to_state, second + 1, occurred_at=start + second * 1_000_000, **changes)
            publish_transition(settings, made)
    first, second = (json.loads(line) for line in asked(settings, "list", "--endpoint", "nova", "--json").splitlines())
    assert (first["state"], first["version"], first["epoch"]) == ("half_open", None, 91)
    assert first["since"] < second["since"], "the state began with the first issue of permits"
    assert (second["state"], second["version"]) == ("degraded", "8")
    shown = asked(settings, "show", "nova")
    assert "acme/nova: half_open since " in shown
    assert "acme/nova/8: degraded since " in shown
    assert "it does not get balance; it is well for all others" in shown
    assert "what WFM was told of it is not on wfm.events" in shown
    assert "for 1 min  " in asked(settings, "history", "nova")
    only = asked(settings, "show", "nova", "--version", "8")
    assert "half_open since" not in only
