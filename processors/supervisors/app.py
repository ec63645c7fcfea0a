"""The assignment of supervisors as a process."""

from __future__ import annotations

from processors.supervisors.logic import step
from runtime.quix import run_stateful
from runtime.service import Process
from runtime.settings import Settings
from schemas.topics import SUPERVISION_EVENTS

SERVICE = "supervisors"


def run(settings: Settings, process: Process) -> None:
    """Give a supervisor to each contact that needs one."""
    run_stateful(settings, SERVICE, SUPERVISION_EVENTS, step, (), process)
