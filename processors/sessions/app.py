"""The session manager as a process."""

from __future__ import annotations

from processors.sessions.logic import step
from runtime.quix import run_stateful
from runtime.service import Process
from runtime.settings import Settings
from schemas.topics import INTERACTION_EVENTS

SERVICE = "sessions"


def run(settings: Settings, process: Process) -> None:
    """Follow contacts from their decision to their end."""
    run_stateful(settings, SERVICE, INTERACTION_EVENTS, step, (), process)
