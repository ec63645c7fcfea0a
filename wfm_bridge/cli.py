"""The command `bridge`: live views of volumes, staffing, capacity and breakers over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import click

from runtime.service import configure_logging
from runtime.settings import Settings
from schemas.errors import TrunklineError
from wfm_bridge.service import run


@click.command()
@click.option("--bootstrap", help="Kafka bootstrap servers, host:port[,host:port]  [env: TRUNKLINE_BOOTSTRAP]")
@click.option("--prefix", help="put before every topic and group name  [env: TRUNKLINE_PREFIX]")
@click.option("--host", help="address to serve on  [env: TRUNKLINE_HOST]")
@click.option(
    "--port", type=click.IntRange(0, 65535), help="port to serve on, 0 takes a free one  [env: TRUNKLINE_PORT]"
)
@click.option("--slot", type=click.IntRange(min=0), help="stable number of this process  [env: TRUNKLINE_SLOT]")
def bridge(bootstrap: str | None, prefix: str | None, host: str | None, port: int | None, slot: int | None) -> None:
    """Serve live views of volumes, staffing, AI capacity and breakers over HTTP.

    Prints the address once it answers; /openapi.json describes the paths. Ends on SIGTERM or Ctrl-C.
    """
    given: dict[str, Any] = {"bootstrap": bootstrap, "prefix": prefix, "host": host, "port": port, "slot": slot}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    configure_logging(settings)
    try:
        asyncio.run(run(settings, click.echo))
    except TrunklineError as problem:
        raise click.ClickException(str(problem)) from problem
