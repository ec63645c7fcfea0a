"""The command that runs the router."""

from __future__ import annotations

from pathlib import Path

import click

from runtime.options import SERVICE, with_settings
from runtime.service import service
from runtime.settings import Settings
from runtime.step import LoopOptions


@click.command(help="Decide who handles each offered contact. Runs until SIGTERM; start one process per slot.")
@with_settings(*SERVICE, "delivery")
@click.option(
    "--model",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="file of the model that finds intents of tenants to whom `trunkline models` assigns none; by default the "
    "seed model that comes with the product",
)
@click.option(
    "--batch-records",
    type=click.IntRange(1, 100_000),
    default=LoopOptions().batch_records,
    show_default=True,
    help="most contacts per transaction: more is faster under load, and more is done again after a crash",
)
def router(settings: Settings, model: Path | None, batch_records: int) -> None:
    """Run the router."""
    from router.service import run  # noqa: PLC0415 - `trunkline --help` need not load numpy

    with service("router", settings) as process:
        run(settings, process, LoopOptions(batch_records=batch_records), model)
