"""Staffing as a process."""

from __future__ import annotations

from processors.staffing.logic import Staffing
from runtime.kafka import partitions_of
from runtime.quix import run_stateful
from runtime.service import Process
from runtime.settings import Settings
from runtime.start import wait_for_broker
from schemas.topics import AVAILABILITY, OFFERED, PLANS, POLICY, WFM_EVENTS

SERVICE = "staffing"


def run(settings: Settings, process: Process) -> None:
    """Turn the impact of breakers into the people required and the contacts that they can have, by queue."""
    wait_for_broker(settings, process)
    staffing = Staffing(offered_partitions=len(partitions_of(settings, [OFFERED.name])))
    run_stateful(settings, SERVICE, WFM_EVENTS, staffing.step, (POLICY, AVAILABILITY, PLANS), process)
