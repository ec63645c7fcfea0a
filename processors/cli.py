"""Commands that run the processors, one process each."""

from __future__ import annotations

import importlib

import click

from runtime.options import SERVICE, with_settings
from runtime.service import service
from runtime.settings import Settings


def _command(name: str, about: str) -> click.Command:
    @click.command(name, help=f"{about} Runs until SIGTERM; start one process per slot.")
    @with_settings(*SERVICE)
    def run(settings: Settings) -> None:
        app = importlib.import_module(f"processors.{name}.app")  # a service loads its own libraries only
        with service(name, settings) as process:
            app.run(settings, process)

    return run


supervisors = _command("supervisors", "Give a supervisor to each contact that needs one, and to nobody too many.")
clock = _command("clock", "Write the ticks and timers that the other services live by.")
health = _command("health", "Watch the AI agents; open and close their circuit breakers.")
analytics = _command("analytics", "Add up volumes by queue, intent, channel, language and 15-minute interval.")
staffing = _command("staffing", "Turn AI outages into people required, by queue.")
counts = _command("counts", "Take contacts that have ended off the counts of contacts at once.")
copies = _command("copies", "Keep copies of contacts in Redis, for look-ups.")
