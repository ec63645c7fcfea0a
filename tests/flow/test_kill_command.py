"""The kill switch: obeyed by the router alone, over a restart, and taken back."""

from __future__ import annotations

from runtime.settings import Settings
from schemas.fields import Pool
from schemas.topics import COMMANDS, OFFERED, ROUTED
from tests.flow.command import trunkline
from tests.flow.steps import Watch, offered, policy, publish_policy, reasons, running, write


def asked(settings: Settings, *arguments: str, ends: int = 0) -> str:
    done = trunkline(*arguments, "--bootstrap", settings.bootstrap, "--prefix", settings.prefix)
    assert done.returncode == ends, done.stderr
    return done.stdout if ends == 0 else done.stderr


def test_a_kill_holds_without_the_health_monitor_and_over_a_restart_until_it_is_taken_back(settings: Settings) -> None:
    publish_policy(settings, policy("acme"))
    with Watch(settings, ROUTED) as watch:
        with running(settings, "router"):
            write(settings, OFFERED, offered("before", "acme"))
            assert watch.decision("before").pool is Pool.AI_CONTAINED
            told = asked(settings, "kill", "--agent", "nova", "--reason", "drill", "--by", "ann")
            assert told == "agent/acme/nova: killed\n"
            write(settings, OFFERED, offered("during", "acme"))
            during = watch.decision("during")
            assert (during.pool, reasons(during)) == (Pool.HUMAN_EXCLUSIVE, ["killed", "all_ai_unavailable"])
        with running(settings, "router"):
            write(settings, OFFERED, offered("restarted", "acme"))
            assert watch.decision("restarted").pool is Pool.HUMAN_EXCLUSIVE
            listed = asked(settings, "kill", "--list")
            assert listed.startswith("agent/acme/nova  since ")
            assert listed.endswith(", ann: drill\n")
            asked(settings, "kill", "--all", "--reason", "worse")
            asked(settings, "restore", "--agent", "acme/nova", "--reason", "well again")
            write(settings, OFFERED, offered("all", "acme"))
            decision = watch.decision("all")
            assert (decision.pool, reasons(decision)) == (Pool.HUMAN_EXCLUSIVE, ["kill_switch"])
            assert decision.epochs[COMMANDS.name] == 2
            asked(settings, "restore", "--all", "--reason", "over")
            write(settings, OFFERED, offered("after", "acme"))
            assert watch.decision("after").pool is Pool.AI_CONTAINED


def test_an_order_that_cannot_be_meant_is_refused_with_the_remedy(settings: Settings) -> None:
    publish_policy(settings, policy("acme"))
    publish_policy(settings, policy("other"))
    for arguments, says in (
        (["kill", "--reason", "x"], "one of --agent, --tenant and --all"),
        (["kill", "--all", "--tenant", "acme", "--reason", "x"], "one of --agent, --tenant and --all"),
        (["kill", "--all"], 'say why: --reason "..."'),
    ):
        assert says in asked(settings, *arguments, ends=2)
    for arguments, says in (
        (["kill", "--agent", "nova", "--reason", "x"], "2 agents are called 'nova'; name one of acme/nova, other/nova"),
        (["kill", "--agent", "nobody", "--reason", "x"], "no agents are called 'nobody'; name one of acme/"),
        (["kill", "--tenant", "nobody", "--reason", "x"], "'nobody' has no policy; tenants with one: acme, other"),
        (["restore", "--all", "--reason", "x"], "all is not killed, so there is nothing to restore"),
    ):
        assert says in asked(settings, *arguments, ends=1)
