"""The router's core as a peer calls it: records in, packed records out."""

from __future__ import annotations

from collections.abc import Sequence

from bench.core import make_core
from bench.peers.options import Options
from router.decide.world import FOLLOWED
from runtime.clock import real_now
from runtime.control import ControlFollower
from runtime.kafka import Record
from runtime.options import settings_of
from runtime.service import tune_interpreter
from runtime.step import Batch
from schemas.codec import Codec
from schemas.envelope import Packed
from schemas.topics import CLASSIFIED, INTERACTION_EVENTS, OFFERED, ROUTED

OUTPUTS = (CLASSIFIED.name, ROUTED.name, INTERACTION_EVENTS.name, OFFERED.dead_letter_name)
"""Topics that the step writes to."""


class Core:
    """The step with its model, a guard in memory, and the policies that the control topics hold at the start."""

    def __init__(self, options: Options) -> None:
        assert options.model is not None  # noqa: S101 - read with `with_core`
        settings = settings_of({"bootstrap": options.bootstrap, "prefix": options.prefix, "data": options.data})
        control = ControlFollower(settings, options.peer, FOLLOWED, Codec())
        control.read_to_end()
        control.close()
        self._snapshot = control.snapshot
        self._core = make_core(options.model)
        self._offered = OFFERED.name
        tune_interpreter()

    def record(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> Record:
        """Return a consumed offer as the step wants it."""
        return Record(self._offered, partition, offset, key, value)

    def step(self, records: Sequence[Record]) -> list[Packed]:
        """Return what a batch makes, three records a contact."""
        self._core.begin()
        outputs = self._core.step(Batch(records, self._snapshot, real_now()))
        self._core.kept()
        self._core.sealed()
        self._core.committed()
        return outputs
