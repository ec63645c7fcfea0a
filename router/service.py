"""The router as a process: its step, its model and its guard on the transactional loop."""

from __future__ import annotations

from router.app import GUARD_SECONDS, SERVICE, Router
from router.classify.model import load_seed_model
from router.decide.world import FOLLOWED
from runtime.control import ControlFollower
from runtime.loop import LoopOptions, TransactionalLoop
from runtime.redis import FirstSeen
from runtime.service import Process
from runtime.settings import Settings
from runtime.start import service_codec
from schemas.topics import OFFERED


def run(settings: Settings, process: Process, batch_records: int = 500) -> None:
    """Run the router until the process is told to stop."""
    codec = service_codec(settings, process)
    step = Router(codec, load_seed_model(settings.data / "models"), FirstSeen(settings, "offer", GUARD_SECONDS))
    control = ControlFollower(settings, SERVICE, FOLLOWED, codec)
    control.read_to_end()
    options = LoopOptions(batch_records=batch_records)
    TransactionalLoop(settings, SERVICE, OFFERED, step, control, options).run(process)
