"""WFM analytics as a process."""

from __future__ import annotations

from processors.analytics.logic import step
from runtime.metrics import METRICS
from runtime.quix import run_stateful
from runtime.service import Process
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas.fields import Event
from schemas.topics import POLICY, WFM_EVENTS, Effect
from schemas.wfm import VolumeRow

SERVICE = "analytics"


def run(settings: Settings, process: Process) -> None:
    """Add up volumes, handle times, containment and quality, publish what changed at every tick, and warn of a fall."""
    run_stateful(settings, SERVICE, WFM_EVENTS, checked, (POLICY,), process)


def checked(event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    """Step, and count the rows of volumes that come of it: all, and those that are not conserved."""
    effects = step(event, state, snapshot, now)
    for effect in effects:
        if isinstance(effect.event, VolumeRow):
            METRICS.volume_rows_checked.inc()
            if not effect.event.conserved:
                METRICS.volume_rows_unbalanced.inc()
    return effects
