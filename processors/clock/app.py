"""The clock as a step of the transactional loop: timers in, ticks and due timers out.

The heap of a partition is rebuilt from the compacted topic `timers` whenever the partition is
assigned, so the clock keeps no state of its own and no offsets. Ticks come from the owner of
partition 0, one process of any number, as do the dead letters of control records that make no sense.
"""

from __future__ import annotations

import logging
from collections import defaultdict

from processors.clock.logic import TickSchedule, TimerHeap, ticks
from processors.clock.refused import RefusedRecords
from runtime import clock
from runtime.control import ControlFollower
from runtime.kafka import Record
from runtime.loop import Batch, LoopOptions, TransactionalLoop
from runtime.metrics import METRICS
from runtime.service import Process
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.start import service_codec
from schemas.codec import Codec
from schemas.envelope import Envelope, Packed
from schemas.errors import DecodeError
from schemas.fields import MICROS_PER_SECOND
from schemas.interactions import TimerDue, TimerSet
from schemas.topics import CLOCK, COMMANDS, INTERACTION_EVENTS, POLICY, TIMERS, Effect

log = logging.getLogger(__name__)

SERVICE = "clock"
_TICKING_PARTITION = 0


class ClockStep:
    """Keeps the timers of the owned partitions (a `runtime.loop.Step`)."""

    def __init__(self, codec: Codec, refused: RefusedRecords) -> None:
        self._refused = refused
        self._codec = codec
        self._envelope = Envelope(codec, SERVICE)
        self._heaps: dict[int, TimerHeap] = defaultdict(TimerHeap)
        self._stepped: list[tuple[int, str, int]] = []
        self._taken: list[tuple[int, str, int]] = []
        self._schedule = TickSchedule()

    def begin(self) -> None:
        """Put back the timers that were taken and not written."""
        for partition, interaction_id, due_at in self._taken + self._stepped:
            self._heaps[partition].set(interaction_id, due_at)
        self._taken, self._stepped = [], []
        self._refused.begin()

    def kept(self) -> None:
        """The timers taken since the last time are in the transaction."""
        self._taken += self._stepped
        self._stepped = []

    def sealed(self) -> None:
        """Without overlap the next transaction begins when this one stands."""

    def committed(self) -> None:
        """The timers that were due are written."""
        self._taken = []
        self._refused.committed()

    def aborted(self) -> None:
        """Put back the timers that were taken and not written."""
        self.begin()

    def dropped(self, partitions: frozenset[int]) -> None:
        """Forget timers that another process keeps now."""
        for partition in partitions:
            self._heaps.pop(partition, None)
        self._taken = [taken for taken in self._taken if taken[0] not in partitions]
        self._stepped = [taken for taken in self._stepped if taken[0] not in partitions]

    def wake_seconds(self, snapshot: Snapshot) -> float | None:
        """Return the real seconds until the next tick or timer."""
        real = clock.real_now()
        waits = [(self._schedule.next_at(real) - real) / MICROS_PER_SECOND]
        setting = clock.clock_setting(snapshot)
        speed = setting.speed if setting else 1.0
        now = clock.virtual_now(setting, real)
        waits += [
            (due - now) / MICROS_PER_SECOND / speed
            for heap in self._heaps.values()
            if (due := heap.next_due()) is not None
        ]
        return max(0.0, min(waits))

    def step(self, batch: Batch) -> list[Packed]:
        """Take note of timers that were set or cleared; return what is due, and the ticks."""
        for record in batch.records:
            self._note(record)
        outputs = self._due(batch) if batch.caught_up else []
        if _TICKING_PARTITION in batch.owned and self._schedule.is_due(clock.real_now()):
            outputs += [self._envelope.pack(effect) for effect in ticks(batch.snapshot, batch.now)]
            outputs += self._refused.letters()
        return outputs

    def _note(self, record: Record) -> None:
        heap = self._heaps[record.partition]
        if record.value is None:
            heap.clear((record.key or b"").decode(errors="replace"))
            return
        try:
            event = self._codec.decode(record.value, TIMERS.types)
        except DecodeError as problem:
            # A compacted topic of our own: the record stays there, and nobody else can use it.
            METRICS.dead_letters.labels(SERVICE, "skipped", problem.reason).inc()
            log.warning("timers partition %d offset %d is skipped: %s", record.partition, record.offset, problem)
            return
        assert isinstance(event, TimerSet)  # noqa: S101 - the only type of the topic
        heap.set(event.interaction_id, event.due_at)

    def _due(self, batch: Batch) -> list[Packed]:
        outputs = []
        for partition, heap in self._heaps.items():
            for interaction_id, due_at in heap.due(batch.now):
                self._stepped.append((partition, interaction_id, due_at))
                event = TimerDue(interaction_id=interaction_id, due_at=due_at)
                outputs.append(self._envelope.pack(Effect(INTERACTION_EVENTS, event)))
        return outputs


def run(settings: Settings, process: Process) -> None:
    """Run the clock until the process is told to stop."""
    codec = service_codec(settings, process)
    control = ControlFollower(settings, SERVICE, (POLICY, COMMANDS, CLOCK), codec)
    control.read_to_end()
    options = LoopOptions(from_beginning=True, overlap=False)
    step = ClockStep(codec, RefusedRecords(settings, control))
    TransactionalLoop(settings, SERVICE, TIMERS, step, control, options).run(process)
