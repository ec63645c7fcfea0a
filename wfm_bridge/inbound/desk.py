"""The desk at which WFM says something: it is checked against what stands, written if it is new, and acknowledged."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

import msgspec

from runtime.clock import now
from runtime.control import ControlFollower
from runtime.errors import KafkaUnavailableError
from runtime.kafka import Writer
from runtime.plans import Plans
from runtime.schemas_topic import PublishedSchemas
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from schemas.codec import Codec
from schemas.control import Availability, QueuePlan
from schemas.topics import AVAILABILITY, CLOCK, PLANS, POLICY, Effect, Topic
from wfm_bridge.inbound.checks import Said, check
from wfm_bridge.inbound.plans import filled, is_hidden

SECONDS = 5.0
"""Longest wait for the broker to take what is written."""
_UNWRITTEN = -1
_READ_BACK_SECONDS = 2.0
"""Longest wait to see what was written before: without it the same may be written again, which is harmless."""


class Written(NamedTuple):
    """What became of something said. `new`: it was written, else it stood already.

    `epoch`: the offset of the topic's record, or, where nothing was written, of the last that was read. Decisions whose
    epoch of the topic is this or higher go by it.
    """

    topic: str
    queue: str
    new: bool
    epoch: int


class Desk:
    """Follows what WFM said and the policies, and writes what is new. To be used by any thread, one after another.

    Raises KafkaUnavailableError where the topics cannot be read to their end.
    """

    def __init__(self, settings: Settings, source: str) -> None:
        self._settings, self._source = settings, source
        self._schemas = PublishedSchemas(settings)
        topics = (POLICY, AVAILABILITY, PLANS, CLOCK)
        self._control = ControlFollower(settings, source, topics, Codec(self._schemas.fetch))
        self._control.read_to_end()
        self._writer: Writer | None = None
        self._written: dict[str, int] = {}
        self._turn = threading.Lock()
        self.plans = Plans()

    def look(self) -> Snapshot:
        """Return what stands now, with all that was written here."""
        with self._turn:
            return self._look()

    def now(self) -> int:
        """Return Trunkline's present time, UTC microseconds."""
        return now(self._control.snapshot)

    def say(self, make: Callable[[Snapshot, int], Sequence[Said]], *, dry_run: bool = False) -> list[Written]:
        """Have written what `make` makes of what stands and of the present time; all of it, or nothing.

        What stands already, whenever it was said, is not written again. dry_run: nothing is.

        Raises InboundError where something makes no sense, and KafkaUnavailableError where the broker does not take it
        within SECONDS: some of it may have been written then, and to say it again does no harm.
        """
        with self._turn:
            snapshot = self._look()
            at = now(snapshot)
            said = make(snapshot, at)
            check(said, snapshot.of(POLICY), at)
            effects = [effect_of(snapshot, each, at) for each in said]
            new = [effect for effect in effects if effect is not None]
            offsets = iter([_UNWRITTEN] * len(new) if dry_run else self._deliver(new))
            out = []
            for each, effect in zip(said, effects, strict=True):
                topic = topic_of(each)
                epoch = snapshot.epoch(topic) if effect is None else next(offsets)
                out.append(Written(topic.name, each.queue, effect is not None, epoch))
            return out

    def close(self) -> None:
        """Close the connections."""
        with self._turn:
            self._control.close()
            self._schemas.close()

    def _look(self) -> Snapshot:
        snapshot = self._control.poll()
        deadline = time.monotonic() + _READ_BACK_SECONDS
        while True:
            before, snapshot = snapshot, self._control.poll()
            if snapshot is not before:
                continue
            if all(snapshot.epochs.get(topic, -1) >= offset for topic, offset in self._written.items()):
                return snapshot
            if time.monotonic() > deadline:
                self._written.clear()
                return snapshot
            snapshot = self._control.poll(0.05)

    def _deliver(self, effects: Sequence[Effect]) -> list[int]:
        if not effects:
            return []
        if self._writer is None:
            self._writer = Writer(self._settings, self._source, at_once=True)
        try:
            offsets = self._writer.deliver(effects, SECONDS)
        except KafkaUnavailableError:
            self._writer = None
            raise
        for effect, offset in zip(effects, offsets, strict=True):
            self._written[effect.topic.name] = max(offset, self._written.get(effect.topic.name, -1))
        return offsets


def topic_of(said: Said) -> Topic:
    """Return the topic that has it."""
    return AVAILABILITY if isinstance(said, Availability) else PLANS


def effect_of(snapshot: Snapshot, said: Said, at: int) -> Effect | None:
    """Return what to write; None where the same stands already, and no later plan hides it."""
    topic = topic_of(said)
    before = snapshot.of(topic).get(topic.key_of(said))
    if isinstance(said, QueuePlan):
        said = filled(said, before)
    stands = before is not None and msgspec.structs.replace(said, occurred_at=before.occurred_at) == before
    if stands and not (isinstance(before, QueuePlan) and is_hidden(before, snapshot.of(topic).values())):
        return None
    return Effect(topic, msgspec.structs.replace(said, occurred_at=at))
