"""The command that runs the router."""

from __future__ import annotations

import click

from runtime.options import SERVICE, with_settings
from runtime.service import service
from runtime.settings import Settings


@click.command(help="Decide who handles each offered contact. Runs until SIGTERM; start one process per slot.")
@with_settings(*SERVICE)
@click.option(
    "--batch-records",
    type=click.IntRange(1, 10_000),
    default=500,
    show_default=True,
    help="most contacts per transaction: more is faster under load, an aborted batch is longer",
)
def router(settings: Settings, batch_records: int) -> None:
    """Run the router."""
    from router.service import run  # noqa: PLC0415 - `trunkline --help` need not load numpy

    with service("router", settings) as process:
        run(settings, process, batch_records)
