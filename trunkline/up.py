"""`trunkline up`: everything on this machine, with one command."""

from __future__ import annotations

import signal
import threading
from pathlib import Path

import click

from runtime.options import with_settings
from runtime.service import configure_logging
from runtime.settings import Settings
from trunkline.installation import SERVICES, Installation


def _slots(_context: click.Context, _parameter: click.Parameter, texts: tuple[str, ...]) -> dict[str, int]:
    slots = {}
    for text in texts:
        service, _, count = text.partition("=")
        if service not in SERVICES or not count.isdigit() or int(count) < 1:
            raise click.BadParameter(f"{text!r}: write SERVICE=N, with a service of {', '.join(SERVICES)}")
        slots[service] = int(count)
    return slots


@click.command()
@with_settings("prefix", "data")
@click.option(
    "--bootstrap",
    envvar="TRUNKLINE_BOOTSTRAP",
    show_envvar=True,
    help="a Kafka of yours; without it, one is started here",
)
@click.option(
    "--redis-url",
    envvar="TRUNKLINE_REDIS_URL",
    show_envvar=True,
    help="a Redis of yours; without it, one is started here",
)
@click.option(
    "--slots", multiple=True, callback=_slots, metavar="SERVICE=N", help="processes of a service  [default: 1]"
)
def up(settings: Settings, bootstrap: str | None, redis_url: str | None, slots: dict[str, int]) -> None:
    """Start Kafka, Redis and every service, each in its own process, and keep them running.

    A service that dies is started again in its slot within a second; after five deaths in a minute
    it stays down and the reason is printed. Ctrl-C stops everything that was started here. Data, logs
    and state are in the folder --data; started again, everything goes on where it was.
    """
    configure_logging(settings.model_copy(update={"log_level": "WARNING"}))
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):  # SIGINT too: it may have been ignored where this was started
        signal.signal(number, interrupt)
    try:
        with Installation(settings, click.echo, bootstrap=bootstrap, redis_url=redis_url, slots=slots) as running:
            click.echo(addresses(running, settings.data))
            running.supervisor.run_until(stop)
    except KeyboardInterrupt:
        click.echo("everything that was started here has stopped")


def interrupt(*_: object) -> None:
    """Handle SIGTERM as Ctrl-C."""
    raise KeyboardInterrupt


def addresses(running: Installation, data: Path) -> str:
    """Return where everything is, and what to try next."""
    settings = running.settings
    lines = [
        "",
        "Trunkline is up.",
        f"  Kafka      {settings.bootstrap}",
        f"  Redis      {settings.redis_url}",
        f"  live view  {running.url('bridge')}/v1/staffing  (/v1/volume, /v1/breakers, /openapi.json)",
        *(f"  {name + ' ' + str(slot):10} {url}/metrics" for (name, slot), url in running.urls.items()),
        f"  logs       {data / 'logs'}",
        "",
        "In another terminal:",
        f"  export TRUNKLINE_BOOTSTRAP={settings.bootstrap}",
        "  trunkline simulate --rate 20 --contacts 500 --pace 0.05",
        "  trunkline tail wfm.staffing --from-beginning",
        "Ctrl-C stops everything.",
    ]
    return "\n".join(lines)
