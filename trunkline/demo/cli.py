"""`trunkline demo`."""

from __future__ import annotations

import shutil
import signal
import sys
import threading
import time
from pathlib import Path

import click

from runtime.options import with_settings
from runtime.service import configure_logging
from runtime.settings import Settings
from trunkline.demo import report
from trunkline.demo.run import Demo, Script, save
from trunkline.demo.view import view
from trunkline.installation import Installation
from trunkline.up import addresses, interrupt

_SLOTS = {"webhooks-sender": 0}
"""Nobody has subscribed to a demonstration, and it shares two cores."""


@click.command()
@with_settings("data")
@click.option("--bootstrap", help="a Kafka of yours; without it, one is started here")
@click.option("--redis-url", help="a Redis of yours; without it, one is started here")
@click.option("--contacts", type=click.IntRange(2000), default=2200, show_default=True, help="contacts to offer")
@click.option("--rate", type=click.FloatRange(1), default=44.0, show_default=True, help="contacts per second")
@click.option(
    "--report",
    "path",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path("build/demo-report.json"),
    show_default=True,
    help="file for the report",
)
@click.option("--keep", is_flag=True, help="leave everything running afterwards, until Ctrl-C")
def demo(
    settings: Settings,
    bootstrap: str | None,
    redis_url: str | None,
    contacts: int,
    rate: float,
    path: Path,
    *,
    keep: bool,
) -> None:
    """Start everything, offer contacts, break an AI agent at 20 s, heal it, drain, and check the run.

    Every figure of the report is read from the topics by a consumer that sees committed records only.
    Exit code 1 where an invariant does not hold: a contact lost or doubled, volumes that do not add up, a warm
    transfer that was never acknowledged, a breaker that opened after more than 5 s, WFM told more than 1 s after that.
    """
    began = time.monotonic()
    configure_logging(settings.model_copy(update={"log_level": "WARNING"}))
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT too: it may have been ignored where this was started
        signal.signal(number, interrupt)
    prefix = f"demo-{int(time.time())}." if bootstrap else ""
    folder = settings.data / "demo"
    if bootstrap is None:
        shutil.rmtree(folder, ignore_errors=True)
    settings = settings.model_copy(update={"data": folder, "prefix": prefix})
    try:
        with Installation(settings, click.echo, bootstrap=bootstrap, redis_url=redis_url, slots=_SLOTS) as running:
            with view() as shown:
                result = Demo(running, Script(contacts=contacts, rate_per_second=rate), shown).run()
            save(result, path)
            broken = report.failures(result)
            click.echo("\n".join(["", *report.lines(result), f"report     {path}"]))
            click.echo(f"took       {time.monotonic() - began:.0f} s")
            for sentence in broken:
                click.echo(f"FAILED: {sentence}", err=True)
            if keep:
                click.echo(addresses(running, settings.data))
                running.supervisor.run_until(threading.Event())
    except KeyboardInterrupt:
        click.echo("everything that was started here has stopped")
        sys.exit(0 if keep else 130)
    sys.exit(1 if broken else 0)
