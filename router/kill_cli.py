"""`trunkline kill` and `trunkline restore`: AI gets no contact, at once, whatever else runs or does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from runtime.clock import now
from runtime.errors import SettingsError
from runtime.once import look_at, write_once
from runtime.options import BY, TOOL, with_settings
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from schemas.control import KillSwitch, Policy
from schemas.envelope import iso_time
from schemas.topics import CLOCK, COMMANDS, POLICY, Effect, kill_key, kill_scope

_SOURCE = "kill"
_TOPICS = (POLICY, COMMANDS, CLOCK)


def _scope(function: Callable[..., Any]) -> Callable[..., Any]:
    options = (
        click.option("--agent", metavar="TENANT/ENDPOINT", help="one AI agent; ENDPOINT alone where one tenant has it"),
        click.option("--tenant", help="all AI agents of a tenant"),
        click.option("--all", "everything", is_flag=True, help="all AI agents of all tenants"),
        BY,
    )
    for option in reversed(options):
        function = option(function)
    return function


@click.command()
@with_settings(*TOOL)
@_scope
@click.option("--reason", help="why: it stands on every decision that it makes")
@click.option("--list", "listed", is_flag=True, help="list what is killed, and kill nothing")
def kill(
    settings: Settings, agent: str | None, tenant: str | None, by: str, reason: str | None,
    *, everything: bool, listed: bool,
) -> None:  # fmt: skip
    """Give no more contacts to an AI agent, to any of a tenant, or to any at all, until `trunkline restore`.

    The routers obey it themselves, from their next batch on: it holds with the health monitor stopped, and over
    restarts. Contacts go to the other agents of their intent, else to people. Those that AI has already stay there.

    \b
    Example:
      trunkline kill --agent acme/support-bot --reason "gives refunds to everybody"
      trunkline kill --all --reason "drill"
      trunkline kill --list
      trunkline restore --all --reason "drill is over"
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    if listed:
        _list(look_at(settings, _SOURCE, _TOPICS))
        return
    _order(settings, agent, tenant, by, reason, everything=everything, killed=True)


@click.command()
@with_settings(*TOOL)
@_scope
@click.option("--reason", help="why, for the record")
def restore(
    settings: Settings, agent: str | None, tenant: str | None, by: str, reason: str | None, *, everything: bool
) -> None:
    """Take a kill back: the same AI agents get contacts again, as their breakers allow.

    A kill of all is not taken back by restoring one tenant, nor a tenant's by restoring one agent: each order stands
    by itself. `trunkline kill --list` shows those in force.
    """
    _order(settings, agent, tenant, by, reason, everything=everything, killed=False)


def _order(
    settings: Settings, agent: str | None, tenant: str | None, by: str, reason: str | None,
    *, everything: bool, killed: bool,
) -> None:  # fmt: skip
    if (agent is not None) + (tenant is not None) + everything != 1:
        raise click.UsageError("say what it is about: one of --agent, --tenant and --all")
    if not reason:
        raise click.UsageError('say why: --reason "..."')
    snapshot = look_at(settings, _SOURCE, _TOPICS)
    policies: dict[str, Policy] = dict(snapshot.of(POLICY))
    endpoint = None
    if agent is not None:
        tenant, endpoint = _agent(agent, policies)
    elif tenant is not None and tenant not in policies:
        raise SettingsError(f"{tenant!r} has no policy; tenants with one: {', '.join(sorted(policies)) or 'none'}")
    standing = snapshot.of(COMMANDS).get(kill_scope(tenant, endpoint))
    in_force = standing is not None and standing.killed
    if not killed and not in_force:
        raise SettingsError(f"{kill_scope(tenant, endpoint)} is not killed, so there is nothing to restore: see --list")
    order = KillSwitch(
        tenant=tenant,
        endpoint=endpoint,
        killed=killed,
        reason=reason,
        changed_by=by,
        occurred_at=now(snapshot),
    )
    write_once(settings, _SOURCE, Effect(COMMANDS, order))
    click.echo(f"{kill_key(order)}: {'killed' if killed else 'restored'}")


def _agent(said: str, policies: dict[str, Policy]) -> tuple[str, str]:
    """Return tenant and endpoint of an agent as it was named; raises SettingsError where none or several fit."""
    known = [(name, each.endpoint) for name, policy in sorted(policies.items()) for each in policy.endpoints]
    found = [(tenant, endpoint) for tenant, endpoint in known if said in (endpoint, f"{tenant}/{endpoint}")]
    if len(found) == 1:
        return found[0]
    names = ", ".join(f"{tenant}/{endpoint}" for tenant, endpoint in (found or known)) or "none"
    raise SettingsError(f"{len(found) or 'no'} agents are called {said!r}; name one of {names}")


def _list(snapshot: Snapshot) -> None:
    orders = [order for _key, order in sorted(snapshot.of(COMMANDS).items()) if order.killed]
    if not orders:
        click.echo("nothing is killed", err=True)
    for order in orders:
        click.echo(f"{kill_key(order)}  since {iso_time(order.occurred_at)}, {order.changed_by or '-'}: {order.reason}")
