"""The router as a process: its step, its model and its guard on the transactional loop."""

from __future__ import annotations

from pathlib import Path

from router.app import GUARD_SECONDS, SERVICE, Router
from router.classify.linear import LinearClassifier
from router.classify.model import load_seed_model
from router.classify.store import load_model
from router.decide.world import FOLLOWED
from runtime.control import ControlFollower
from runtime.loop import LoopOptions, TransactionalLoop
from runtime.redis import FirstSeen
from runtime.service import Process
from runtime.settings import Settings
from runtime.start import service_codec
from schemas.topics import OFFERED


def run(settings: Settings, process: Process, options: LoopOptions, model: Path | None = None) -> None:
    """Run the router until the process is told to stop. `model`: a model file in place of the seed model.

    Raises ModelError where that file is no model.
    """
    codec = service_codec(settings, process)
    classifier = LinearClassifier(load_model(model)) if model else load_seed_model(settings.data / "models")
    step = Router(codec, classifier, FirstSeen(settings, "offer", GUARD_SECONDS))
    control = ControlFollower(settings, SERVICE, FOLLOWED, codec)
    control.read_to_end()
    TransactionalLoop(settings, SERVICE, OFFERED, step, control, options).run(process)
