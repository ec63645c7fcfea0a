"""Staffing as a process."""

from __future__ import annotations

from processors.staffing.logic import step
from runtime.quix import run_stateful
from runtime.service import Process
from runtime.settings import Settings
from schemas.topics import POLICY, WFM_EVENTS

SERVICE = "staffing"


def run(settings: Settings, process: Process) -> None:
    """Turn the impact of breakers into the people required, by queue."""
    run_stateful(settings, SERVICE, WFM_EVENTS, step, (POLICY,), process)
