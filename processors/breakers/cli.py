"""`trunkline breakers`: what the breakers of AI agents do, why, and orders to them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.errors import SettingsError
from runtime.options import BY, TOOL, with_settings
from runtime.settings import Settings
from schemas.agents import BreakerAction, Transition
from schemas.fields import BreakerState

if TYPE_CHECKING:
    from processors.breakers.reading import Breakers

_EXAMPLE = """\b
Example:
  trunkline breakers list --state open
  trunkline breakers show acme/support-bot
  trunkline breakers open support-bot --tenant acme --reason "gives refunds to everybody"
  trunkline breakers close support-bot --tenant acme --reason "fixed"
"""
_TENANT = click.option("--tenant", help="whose agent; needed where several tenants have one of that name")
_JSON = click.option("--json", "as_json", is_flag=True, help="as lines of JSON")


@click.group(epilog=_EXAMPLE)
def breakers() -> None:
    """Look at the circuit breakers of AI agents, and open, close or reset them.

    ENDPOINT is an agent as its policy calls it, or TENANT/ENDPOINT. An agent that is seen with several versions has a
    breaker for each besides its own. `docs/breakers.md` explains states, signals and what a transition carries.
    """


@breakers.command(name="list")
@with_settings(*TOOL)
@click.option("--tenant", help="only this tenant's")
@click.option("--endpoint", help="only this agent's")
@click.option("--state", type=click.Choice([state.value for state in BreakerState]), help="only those in this state")
@_JSON
def list_(settings: Settings, tenant: str | None, endpoint: str | None, state: str | None, *, as_json: bool) -> None:
    """List the breakers: whose, state, since when (UTC), epoch, why. One that has never moved is closed, in epoch 0."""
    from processors.breakers import listing  # noqa: PLC0415 - `--help` need not load Kafka's client
    from processors.breakers.reading import Breakers  # noqa: PLC0415

    with Breakers(settings) as read:
        rows = [
            row
            for row in listing.rows(read)
            if tenant in (None, row.tenant) and endpoint in (None, row.endpoint) and state in (None, row.state)
        ]
    if not rows:
        click.echo("there is no such breaker", err=True)
    for line in listing.as_json(rows) if as_json else listing.as_text(rows):
        click.echo(line)


@breakers.command()
@click.argument("endpoint")
@with_settings(*TOOL)
@_TENANT
@click.option("--version", help="the breaker of this version alone")
@_JSON
def show(settings: Settings, endpoint: str, tenant: str | None, version: str | None, *, as_json: bool) -> None:
    """Print the state of an agent's breakers, what they had seen when they moved, and what WFM was told."""
    from processors.breakers import listing  # noqa: PLC0415 - as above
    from processors.breakers.impacts import last_impact  # noqa: PLC0415
    from processors.breakers.reading import Breakers  # noqa: PLC0415

    with Breakers(settings) as read:
        agent = read.named(endpoint, tenant)
        rows = [row for row in listing.rows(read, agent) if version in (None, row.version)]
        if not rows:
            raise SettingsError(_no_version(read, agent.tenant, agent.name, version))
        told = last_impact(read, agent.tenant, agent.name)
        if as_json:
            click.echo(json.dumps(listing.shown_as_json(rows, told.impact), ensure_ascii=False))
            return
        for line in listing.shown(rows, agent, told, read.now):
            click.echo(line)


@breakers.command()
@click.argument("endpoint")
@with_settings(*TOOL)
@_TENANT
@click.option("--version", help="the breaker of this version  [default: that of the agent]")
@_JSON
def history(settings: Settings, endpoint: str, tenant: str | None, version: str | None, *, as_json: bool) -> None:
    """Print the transitions of a breaker in order: when (UTC), how long it stood, the move, epoch, why."""
    from processors.breakers import listing  # noqa: PLC0415 - as above
    from processors.breakers.reading import Breakers  # noqa: PLC0415

    with Breakers(settings) as read:
        agent = read.named(endpoint, tenant)
        moves = read.of(agent.tenant, agent.name, version).since(0)
        if not moves and version is not None:
            raise SettingsError(_no_version(read, agent.tenant, agent.name, version))
        lines = listing.history_as_json(moves, read.now) if as_json else listing.history(moves, read.now)
    for line in lines:
        click.echo(line)
    if not moves:
        click.echo(f"{agent.tenant}/{agent.name} has never moved: closed, in epoch 0", err=True)


def _no_version(read: Breakers, tenant: str, name: str, version: str | None) -> str:
    known = ", ".join(read.versions(tenant, name)) or "none"
    return f"no breaker of version {version!r} of {tenant}/{name} has ever moved; versions whose breakers have: {known}"


def _order(function: Callable[..., None]) -> Callable[..., None]:
    options = (
        click.argument("endpoint"),
        with_settings(*TOOL),
        _TENANT,
        click.option("--reason", required=True, help="why: it stands on the transition"),
        click.option("--version", help="the breaker of this version alone"),
        BY,
        click.option("--wait", "wait_seconds", type=click.FloatRange(min=0.0), default=10.0, show_default=True,
                     help="seconds to wait for the breaker to move; 0 does not wait"),
    )  # fmt: skip
    for option in reversed(options):
        function = option(function)
    return function


@breakers.command(name="open")
@_order
def open_(settings: Settings, endpoint: str, **given: Any) -> None:
    """Force a breaker open: the agent gets no contacts until `close` or `reset`. WFM is told what that costs."""
    _give(settings, endpoint, BreakerAction.FORCE_OPEN, **given)


@breakers.command()
@_order
def close(settings: Settings, endpoint: str, **given: Any) -> None:
    """Close a breaker, whatever its state: you vouch for the agent. It begins with an empty window."""
    _give(settings, endpoint, BreakerAction.CLOSE, **given)


@breakers.command()
@_order
def reset(settings: Settings, endpoint: str, **given: Any) -> None:
    """Close a breaker and forget all that was learnt of the agent, for one that is not the agent it was."""
    _give(settings, endpoint, BreakerAction.RESET, **given)


def _give(
    settings: Settings, endpoint: str, action: BreakerAction,
    *, tenant: str | None, reason: str, version: str | None, by: str, wait_seconds: float,
) -> None:  # fmt: skip
    from processors.breakers import listing, orders  # noqa: PLC0415 - as above
    from processors.breakers.reading import Breakers  # noqa: PLC0415

    if not reason.strip():
        raise click.UsageError('say why: --reason "..."')
    with Breakers(settings) as read:
        order = orders.command(read, endpoint, tenant, action, reason=reason, version=version, by=by)
        row = listing.row(read, order.tenant, order.endpoint, order.version)
        there = orders.obeyed_already(read, order)
        if there and action is not BreakerAction.RESET:
            click.echo(f"nothing to do: {row.said}")
            return
        orders.write(read, order)
        if there:
            click.echo(f"no move: {row.said}; told to forget what was learnt of it")
        elif not wait_seconds:
            click.echo(f"ordered {action} of {row.name}; not waited for")
        else:
            moved: Transition = orders.wait(read, order, wait_seconds)
            click.echo(listing.moved(moved))


@breakers.command()
@click.option("--into", type=click.Path(exists=True, dir_okay=False, path_type=Path), metavar="FILE",
              help="put it into FILE, between its two marks")  # fmt: skip
def diagram(into: Path | None) -> None:
    """Print the states and moves of a breaker, as a Mermaid diagram and a table, made from the table of moves."""
    from processors.health.diagram import block, placed  # noqa: PLC0415 - as above

    if into is None:
        click.echo(block(), nl=False)
        return
    into.write_text(placed(into.read_text(encoding="utf-8"), str(into)), encoding="utf-8")
