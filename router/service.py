"""The router as a process: its step, its models and its guard on the transactional loop."""

from __future__ import annotations

from pathlib import Path

from router.app import GUARD_SECONDS, SERVICE, Router
from router.classify.model import load_seed_model
from router.classify.plugins import BUILT_IN, open_model
from router.decide.world import FOLLOWED
from router.limits import Capacity, Limits
from router.models import ModelsFollower
from runtime.counts import ContactsAtOnce, WindowCounts
from runtime.kafka import partitions_of
from runtime.loop import TransactionalLoop
from runtime.redis import FirstSeen
from runtime.service import Process
from runtime.settings import Settings
from runtime.start import service_codec
from runtime.step import LoopOptions
from schemas.topics import MODELS, OFFERED


def run(settings: Settings, process: Process, options: LoopOptions, model: Path | None = None) -> None:
    """Run the router until the process is told to stop.

    `model`: a file in place of the seed model, for tenants without an assigned one. Raises ModelError where it is
    no model of Trunkline's.
    """
    codec = service_codec(settings, process)
    own = open_model(BUILT_IN, model).classifier if model else load_seed_model(settings.data / "models")
    capacity = Capacity(ContactsAtOnce(settings), len(partitions_of(settings, (OFFERED.name,))))
    step = Router(codec, own, FirstSeen(settings, "offer", GUARD_SECONDS), Limits(WindowCounts(settings)), capacity)
    try:
        control = ModelsFollower(settings, SERVICE, (*FOLLOWED, MODELS), codec, step.models)
        control.read_to_end()
        step.models.load_all(control.snapshot)
        TransactionalLoop(settings, SERVICE, OFFERED, step, control, options).run(process)
    finally:
        step.models.close()
