"""The clock as a step of the transactional loop: timers in; ticks, due timers and word of lost agents out.

The heap of a partition is rebuilt from the compacted topic `timers` whenever the partition is
assigned, so the clock keeps no state of its own and no offsets. Ticks come from the owner of
partition 0, one process of any number, as do the dead letters of control records that make no sense.

The contacts of an agent whose breaker opens are told in slices, one a transaction, so that ticks and timers go on.
After a restart or a rebalance they are told again, all whose timer is older than the agent's last loss: at least once.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from functools import partial

from processors.clock.logic import Losses, TickSchedule, TimerHeap, Watches, ticks
from processors.clock.refused import RefusedRecords
from runtime import clock
from runtime.control import ControlFollower
from runtime.kafka import Record
from runtime.loop import TransactionalLoop
from runtime.metrics import METRICS
from runtime.service import Process
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.start import service_codec
from runtime.step import Batch, LoopOptions
from schemas.codec import Codec
from schemas.conversations import AgentLost
from schemas.envelope import Envelope, Packed
from schemas.errors import DecodeError
from schemas.fields import MICROS_PER_SECOND
from schemas.interactions import TimerDue, TimerSet
from schemas.topics import CLOCK, COMMANDS, INTERACTION_EVENTS, POLICY, TIMERS, TRANSITIONS, Effect, Topic

log = logging.getLogger(__name__)

SERVICE = "clock"
_TICKING_PARTITION = 0
TOLD_AT_ONCE = 1_000
"""Contacts looked at in a transaction for whether they are to be told of a loss: some 5 ms of work."""

_Taken = tuple[int, Callable[[], None]]
"""What was taken out to be written: its partition, and how to put it back."""


class ClockStep:
    """Keeps the timers of the owned partitions (a `runtime.step.Step`)."""

    def __init__(self, codec: Codec, refused: RefusedRecords, losses: Losses) -> None:
        self._refused = refused
        self._losses = losses
        self._codec = codec
        self._envelope = Envelope(codec, SERVICE)
        self._heaps: dict[int, TimerHeap] = defaultdict(TimerHeap)
        self._watches: dict[int, Watches] = defaultdict(lambda: Watches(losses))
        self._stepped: list[_Taken] = []
        self._taken: list[_Taken] = []
        self._room = TOLD_AT_ONCE
        self._schedule = TickSchedule()

    def begin(self) -> None:
        """Put back what was taken and not written."""
        for _, put_back in self._taken + self._stepped:
            put_back()
        self._taken, self._stepped = [], []
        self._room = TOLD_AT_ONCE
        self._refused.begin()

    def kept(self) -> None:
        """What was taken since the last time is in the transaction."""
        self._taken += self._stepped
        self._stepped = []

    def sealed(self) -> None:
        """Without overlap the next transaction begins when this one stands."""

    def committed(self) -> None:
        """What was taken is written."""
        self._taken = []
        self._refused.committed()

    def aborted(self) -> None:
        """Put back what was taken and not written."""
        self.begin()

    def dropped(self, partitions: frozenset[int]) -> None:
        """Forget timers and watches that another process keeps now."""
        for partition in partitions:
            self._heaps.pop(partition, None)
            self._watches.pop(partition, None)
        self._taken = [taken for taken in self._taken if taken[0] not in partitions]
        self._stepped = [taken for taken in self._stepped if taken[0] not in partitions]

    def wake_seconds(self, snapshot: Snapshot) -> float | None:
        """Return the real seconds until the next tick or timer; 0 while there are contacts to be told of a loss."""
        if self._losses.has_fresh() or any(watches.is_waiting() for watches in self._watches.values()):
            return 0.0
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
        """Take note of timers that were set or cleared; return what is due, who is to be told of a loss, the ticks."""
        for record in batch.records:
            self._note(record)
        for agent in self._losses.fresh():
            for watches in self._watches.values():
                watches.lost(agent)
        outputs = [*self._due(batch), *self._lost()] if batch.caught_up else []
        # Asked by all, or one that does not tick would be woken all the time.
        if self._schedule.is_due(clock.real_now()) and _TICKING_PARTITION in batch.owned:
            outputs += [self._envelope.pack(effect) for effect in ticks(batch.snapshot, batch.now)]
            outputs += self._refused.letters()
        return outputs

    def _note(self, record: Record) -> None:
        heap, watches = self._heaps[record.partition], self._watches[record.partition]
        if record.value is None:
            interaction_id = (record.key or b"").decode(errors="replace")
            heap.clear(interaction_id)
            watches.clear(interaction_id)
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
        if event.agent is None:
            watches.clear(event.interaction_id)
        else:
            watches.set(event.interaction_id, event.agent, event.breaker_epoch)

    def _due(self, batch: Batch) -> list[Packed]:
        outputs = []
        for partition, heap in self._heaps.items():
            for interaction_id, due_at in heap.due(batch.now):
                self._stepped.append((partition, partial(heap.set, interaction_id, due_at)))
                event = TimerDue(interaction_id=interaction_id, due_at=due_at)
                outputs.append(self._envelope.pack(Effect(INTERACTION_EVENTS, event)))
        return outputs

    def _lost(self) -> list[Packed]:
        """Tell contacts whose agent was lost, as many as there is room for in this transaction."""
        outputs = []
        for partition, watches in self._watches.items():
            told, looked = watches.take(self._room)
            self._room -= looked
            for each in told:
                self._stepped.append((partition, partial(watches.put_back, each)))
                event = AgentLost(
                    interaction_id=each.interaction_id,
                    agent=each.agent,
                    breaker_epoch=each.loss.epoch,
                    occurred_at=each.loss.at,
                )
                outputs.append(self._envelope.pack(Effect(INTERACTION_EVENTS, event)))
        return outputs


class LossFollower(ControlFollower):
    """Follows control topics, and has `losses` take note of each transition: one that opens may be over at once."""

    def __init__(self, settings: Settings, service: str, topics: Sequence[Topic], codec: Codec, losses: Losses) -> None:
        super().__init__(settings, service, topics, codec)
        self._losses = losses

    def applied(self, topic: Topic) -> None:
        """Tell the losses."""
        if topic is TRANSITIONS:
            self._losses.note(self.snapshot.of(TRANSITIONS))


def run(settings: Settings, process: Process) -> None:
    """Run the clock until the process is told to stop."""
    codec = service_codec(settings, process)
    losses = Losses()
    control = LossFollower(settings, SERVICE, (POLICY, COMMANDS, CLOCK, TRANSITIONS), codec, losses)
    control.read_to_end()
    options = LoopOptions(from_beginning=True, overlap=False)
    step = ClockStep(codec, RefusedRecords(settings, control), losses)
    TransactionalLoop(settings, SERVICE, TIMERS, step, control, options).run(process)
