"""The health monitor as a process."""

from __future__ import annotations

from processors.health.logic import HealthMonitor
from runtime.kafka import partitions_of
from runtime.quix import run_stateful
from runtime.service import Process
from runtime.settings import Settings
from runtime.start import wait_for_broker
from schemas.topics import AGENT_EVENTS, COMMANDS, OFFERED, POLICY, TRANSITIONS

SERVICE = "health"


def run(settings: Settings, process: Process) -> None:
    """Turn outcomes of AI agents into breaker transitions and their impact."""
    wait_for_broker(settings, process)
    monitor = HealthMonitor(offered_partitions=len(partitions_of(settings, [OFFERED.name])))
    run_stateful(settings, SERVICE, AGENT_EVENTS, monitor.step, (POLICY, TRANSITIONS, COMMANDS), process)
