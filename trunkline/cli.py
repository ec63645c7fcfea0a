"""The command `trunkline`: composition only, each package brings its own commands."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from schemas.errors import TrunklineError
from trunkline.lazy import LazyGroup

_COMMANDS: dict[str, tuple[str, str, str]] = {
    # name: (module, attribute, the line that `trunkline --help` shows)
    "up": ("trunkline.up", "up", "Start Kafka, Redis and every service on this machine."),
    "demo": ("trunkline.demo.cli", "demo", "Break an AI agent under load, and watch the loop close."),
    "simulate": ("simulator.cli", "simulate", "Offer contacts and play the AI fleet and the people."),
    "simulate-fault": ("simulator.cli", "simulate_fault", "Make a simulated AI endpoint misbehave."),
    "topics": ("trunkline.topics", "topics", "Create or list the topics."),
    "tail": ("trunkline.records", "tail", "Print a topic's records as JSON lines."),
    "produce": ("trunkline.records", "produce", "Write JSON lines to a topic."),
    "classifier": ("router.classify.cli", "classifier", "Train, measure and ask a model that finds intents."),
    "models": ("router.models_cli", "models", "Choose which tenant is classified by which model."),
    "policy": ("router.policy.cli", "policy", "Say what a tenant wants: agents, queues, thresholds."),
    "thresholds": ("router.thresholds.cli", "thresholds", "Thresholds and phases that outcomes speak for."),
    "decide": ("router.decide_cli", "decide", "What the router would decide, and what would change it."),
    "kill": ("router.kill_cli", "kill", "Give no more contacts to an AI agent, to a tenant's, or to any."),
    "restore": ("router.kill_cli", "restore", "Take a kill back."),
    "breakers": ("processors.breakers.cli", "breakers", "What AI agents' breakers do, and orders to them."),
    "providers": ("processors.breakers.providers_cli", "providers", "How providers of AI agents keep their word."),
    "wfm": ("trunkline.wfm", "wfm", "What workforce planners ask and say."),
    "export": ("wfm_bridge.export_cli", "export", "Volumes and handle times as files: Parquet, CSV, Genesys Cloud."),
    "keys": ("trunkline.keys", "keys", "API keys: who may ask the bridge what."),
    "webhooks": ("wfm_bridge.webhooks.cli", "webhooks", "Who is sent what over HTTP; try and replay it."),
    "router": ("router.cli", "router", "Service: decide who handles each contact."),
    "sessions": ("processors.sessions.cli", "sessions", "Service: follow contacts to their end; `show` tells one."),
    "supervisors": ("processors.cli", "supervisors", "Service: who watches which contact."),
    "clock": ("processors.cli", "clock", "Service: ticks and timers."),
    "health": ("processors.cli", "health", "Service: circuit breakers of the AI agents."),
    "analytics": ("processors.cli", "analytics", "Service: volumes."),
    "staffing": ("processors.cli", "staffing", "Service: people required."),
    "counts": ("processors.cli", "counts", "Service: contacts at once that have ended."),
    "copies": ("processors.cli", "copies", "Service: copies of contacts for look-ups."),
    "bridge": ("wfm_bridge.cli", "bridge", "Service: live views over HTTP."),
    "webhooks-sender": ("wfm_bridge.webhooks.cli", "sender", "Service: webhooks to receivers."),
}
_BENCH = ("bench.cli", "bench", "Measure Trunkline beside its limit and its peers.")
"""Only in a checkout, where `bench` lies beside this package: what is installed does not bring it."""


def _commands() -> dict[str, tuple[str, str, str]]:
    return {**_COMMANDS, "bench": _BENCH} if _in_checkout() else _COMMANDS


def _in_checkout() -> bool:
    return (Path(__file__).parent.parent / "bench" / "cli.py").is_file()


class _Root(LazyGroup):
    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name == "bench" and not _in_checkout():
            raise click.UsageError(
                "the benchmarks are not part of the installed package: run 'make bench' in a checkout of the repository"
            )
        return super().get_command(context, name)


@click.group(cls=_Root, commands_by_name=_commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="trunkline")
def root() -> None:
    """Route contacts between an ACD, its AI agents and its people, on Apache Kafka.

    Start with `trunkline up` in one terminal and `trunkline simulate` in another. Options of the services
    and tools (--bootstrap, --prefix, ...) can be set in the environment as TRUNKLINE_BOOTSTRAP and so on.
    """


def main() -> None:
    """Run the command line; an error of ours is one line on standard error, exit code 1."""
    try:
        root(prog_name="trunkline")
    except TrunklineError as problem:
        click.echo(f"trunkline: {problem}", err=True)
        sys.exit(1)
