"""`trunkline providers`: how those who run AI agents keep their promise, and what they say of themselves."""

from __future__ import annotations

import json

import click

from runtime.errors import SettingsError
from runtime.options import BY, TOOL, with_settings
from runtime.settings import Settings
from schemas.agents import ProviderState, ProviderStatus

_DAYS = 30.0
"""A month, over which availability is mostly promised."""
_EXAMPLE = """\b
Example:
  trunkline providers report --tenant acme --days 7
  trunkline providers status north --tenant acme --outage --until 2026-12-01T14:00:00Z --text "region eu is down"
  trunkline providers status north --tenant acme --operational
"""


@click.group(epilog=_EXAMPLE)
def providers() -> None:
    """Compare providers of AI agents with what they promised, and pass on what they say of themselves."""


@providers.command()
@with_settings(*TOOL)
@click.option("--tenant", help="only this tenant's")
@click.option("--since", metavar="TIME", help="from then on, as 2026-12-01T00:00:00Z")
@click.option("--until", metavar="TIME", help="up to then  [default: now]")
@click.option("--days", type=click.FloatRange(min=0.0, min_open=True), help=f"so many days  [default: {_DAYS:g}]")
@click.option("--json", "as_json", is_flag=True, help="a JSON line for each provider, with its agents")
def report(
    settings: Settings, tenant: str | None, since: str | None, until: str | None, days: float | None, *, as_json: bool
) -> None:
    """Print availability, outages and drift of each provider and agent, from the transitions of their breakers.

    Availability is the share of time in normal traffic (closed or degraded). Time that an operator forced a breaker
    open, and maintenance that the policy then named, are stated apart and do not count. The promise is the policy's,
    breaker.targets.availability.
    """
    from processors.breakers.logic import tables  # noqa: PLC0415 - `--help` need not load Kafka's client
    from processors.breakers.logic.report import report as made_from  # noqa: PLC0415
    from processors.breakers.reading import Breakers  # noqa: PLC0415

    if since is not None and days is not None:
        raise click.UsageError("say from when: one of --since and --days")
    with Breakers(settings) as read:
        if tenant is not None and all(tenant != each.tenant for each in read.agents()):
            read.policy(tenant)
        now = read.now
        end = now if until is None else min(now, _instant(until, "--until"))
        start = end - round((days or _DAYS) * 86_400_000_000) if since is None else _instant(since, "--since")
        if start >= end:
            raise SettingsError(
                "there is no time between --since and --until, or it is all to come: give earlier times"
            )
        found = made_from(read.agents(tenant), (max(0, start), end))
    if not found:
        click.echo("no policy names an agent, and no breaker has ever moved", err=True)
    for line in map(json.dumps, map(tables.as_json, found)) if as_json else tables.as_text(found, (max(0, start), end)):
        click.echo(line)


@providers.command()
@click.argument("provider")
@with_settings(*TOOL)
@click.option("--tenant", required=True, help="for whose agents")
@click.option("--outage", "status", flag_value=ProviderState.OUTAGE.value, help="it says that it is down")
@click.option("--degraded", "status", flag_value=ProviderState.DEGRADED.value, help="it says that it is not well")
@click.option("--operational", "status", flag_value=ProviderState.OPERATIONAL.value, help="it says that all is well")
@click.option("--until", metavar="TIME", help="until when, by its own word, as 2026-12-01T14:00:00Z")
@click.option("--text", default="", help="what it says")
@BY
def status(
    settings: Settings, provider: str, tenant: str, status: str | None, until: str | None, text: str, by: str
) -> None:
    """Pass on what PROVIDER says of itself; the last word stands.

    It moves no breaker, which goes by what the agents do. With a time it is the expected duration that WFM is told.
    """
    from processors.breakers.orders import SOURCE  # noqa: PLC0415 - as above
    from processors.breakers.reading import Breakers  # noqa: PLC0415
    from runtime.once import write_once  # noqa: PLC0415
    from schemas.topics import AGENT_EVENTS, Effect  # noqa: PLC0415

    if status is None:
        raise click.UsageError("say what it says: one of --outage, --degraded and --operational")
    with Breakers(settings) as read:
        names = sorted({each.provider for each in read.policy(tenant).endpoints})
        now = read.now
    if provider not in names:
        raise SettingsError(
            f"the policy of {tenant!r} has no provider {provider!r}; it has {', '.join(names) or 'none'}"
        )
    ends = None if until is None else _instant(until, "--until")
    if ends is not None and ends <= now:
        raise SettingsError(f"--until {until} is over: give a time to come, or leave it out")
    said = ProviderStatus(
        tenant=tenant, provider=provider, status=ProviderState(status), until=ends, text=text, by=by, occurred_at=now
    )
    write_once(settings, SOURCE, Effect(AGENT_EVENTS, said))
    click.echo(f"{tenant}/{provider}: {status}{'' if until is None else f' until {until}'}")


def _instant(text: str, option: str) -> int:
    from schemas.hours import instant  # noqa: PLC0415 - as above

    try:
        return instant(text)
    except ValueError as problem:
        raise SettingsError(f"{option}: {problem}; write it as 2026-12-01T00:00:00Z") from problem
