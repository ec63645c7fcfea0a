"""The command `bridge`: live views of volumes, staffing, capacity and breakers over HTTP."""

from __future__ import annotations

import asyncio

import click

from runtime.options import SERVICE, with_settings
from runtime.service import configure_logging
from runtime.settings import Settings
from schemas.errors import TrunklineError
from wfm_bridge.service import run


@click.command()
@with_settings(*SERVICE, "require_keys")
def bridge(settings: Settings) -> None:
    """Serve live views of volumes, staffing, AI capacity and breakers over HTTP.

    Prints the address once it answers; /openapi.json describes the paths. Ends on SIGTERM or Ctrl-C. Beyond this
    machine (--host) views are shown to holders of a key alone, unless --no-require-keys says otherwise.
    """
    configure_logging(settings)
    try:
        asyncio.run(run(settings, click.echo))
    except TrunklineError as problem:
        raise click.ClickException(str(problem)) from problem
