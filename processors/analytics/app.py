"""WFM analytics as a process."""

from __future__ import annotations

from processors.analytics.logic import step
from runtime.quix import run_stateful
from runtime.service import Process
from runtime.settings import Settings
from schemas.topics import WFM_EVENTS

SERVICE = "analytics"


def run(settings: Settings, process: Process) -> None:
    """Add up volumes and containment, publish the rows that changed at every tick, and warn of a fall."""
    run_stateful(settings, SERVICE, WFM_EVENTS, step, (), process)
