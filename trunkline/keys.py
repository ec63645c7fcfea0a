"""`trunkline keys create|list|revoke`: who may ask the bridge what, of which tenant."""

from __future__ import annotations

import datetime as dt

import click

from runtime.keys import ALL_TENANTS, Scope, create_key, read_keys, revoke_key
from runtime.options import with_settings
from runtime.settings import Settings


@click.group()
def keys() -> None:
    """API keys of the bridge: AI platforms and desktops look up contacts by them, WFM platforms read and write.

    They are in the file of TRUNKLINE_API_KEYS, by default api-keys.json in the data folder, as digests. A bridge
    takes a change at once.
    """


@keys.command()
@with_settings("data")
@click.argument("name")
@click.option("--tenant", required=True, help=f"whose data it is for; '{ALL_TENANTS}': of all, but no contacts")
@click.option(
    "--scope",
    "scopes",
    type=click.Choice([each.value for each in Scope]),
    multiple=True,
    default=[Scope.READ_SESSIONS.value],
    show_default=True,
    help="what it is good for, once or more",
)
@click.option("--days", type=click.IntRange(1, 36_500), help="good for so many days  [default: until it is revoked]")
def create(settings: Settings, name: str, tenant: str, scopes: tuple[str, ...], days: int | None) -> None:
    """Make a key called NAME and print it, this once: nobody can show it again.

    \b
    Example:
      trunkline keys create desk-17 --tenant acme --days 365
      trunkline keys create wfm --tenant acme --scope read:wfm --scope write:wfm
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    expires_at = None if days is None else dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    given = tuple(dict.fromkeys(map(Scope, scopes)))
    click.echo(create_key(settings.api_keys_file, name, tenant, expires_at, given))
    until = "it is revoked" if expires_at is None else _time(expires_at)
    click.echo(f"{name}: {', '.join(given)} of {tenant}, until {until}; in {settings.api_keys_file}", err=True)


@keys.command("list")
@with_settings("data")
def list_(settings: Settings) -> None:
    """List the keys by name: their tenants and times, never the keys themselves."""
    known = read_keys(settings.api_keys_file)
    if not known:
        click.echo(f"there are no keys in {settings.api_keys_file}", err=True)
    for each in known:
        until = "until it is revoked"
        if each.expires_at is not None:
            until = f"{'until' if each.is_good(dt.datetime.now(dt.UTC)) else 'EXPIRED'} {_time(each.expires_at)}"
        click.echo(f"{each.name:24} {each.tenant:24} {','.join(each.scopes):32} made {_time(each.created_at)}, {until}")


@keys.command()
@with_settings("data")
@click.argument("name")
def revoke(settings: Settings, name: str) -> None:
    """Take the key called NAME back: requests with it are refused from now on."""
    revoked = revoke_key(settings.api_keys_file, name)
    click.echo(f"{name}: revoked, was {', '.join(revoked.scopes)} of {revoked.tenant}")


def _time(instant: dt.datetime) -> str:
    return instant.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
