"""The loop of a run: read what has come, step the world, write its effects, report."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from typing import NamedTuple

from runtime.clock import real_now, virtual_now
from runtime.control import ControlFollower
from runtime.kafka import Reader, Record, Writer
from schemas.codec import Codec
from schemas.control import ClockSetting
from schemas.errors import DecodeError
from schemas.fields import MICROS_PER_SECOND
from schemas.interactions import Offered
from schemas.topics import BY_NAME, FAULTS, OFFERED, POLICY, PROBES, Effect
from simulator.malformed import Malformed
from simulator.options import Options
from simulator.report import AppliedFault, Progress, Summary, describe_missing
from simulator.world import Input, World

log = logging.getLogger(__name__)

_WAKE_SECONDS_MIN, _WAKE_SECONDS_MAX = 0.002, 0.05
"""A shorter wait makes batches of one; a longer one is late to stop and to hear of a policy."""
_READ_RECORDS = 5000
_FLUSH_SECONDS = 30.0
_EXAMPLES = 3
_ABOUT_AGENTS = frozenset((FAULTS.name, PROBES.name))
"""Topics whose records are about agents, not about contacts of some run."""


class Links(NamedTuple):
    """What ties a run to Kafka. `reader` follows decisions, what sessions tell, faults, and the probes wanted."""

    codec: Codec
    control: ControlFollower
    reader: Reader
    writer: Writer


class Run:
    """One run, its connections open and its world ready. `clock`: None is real time."""

    def __init__(
        self,
        options: Options,
        run_id: str,
        clock: ClockSetting | None,
        world: World,
        links: Links,
        stop: threading.Event,
        report: Callable[[Progress], None],
    ) -> None:
        self._options = options
        self._run_id = run_id
        self._key_prefix = f"{run_id}-".encode()
        self._clock = clock
        self._world = world
        self._codec, self._control, self._reader, self._writer = links
        self._stop = stop
        self._report = report
        self._malformed = Malformed(options.malformed, run_id, links.codec, random.Random(f"malformed-{options.seed}"))
        self._policy_epoch = links.control.snapshot.epoch(POLICY)

    def to_end(self, start: int) -> Summary:
        """Run and return the summary; `start` is the virtual instant at which traffic starts."""
        began = next_report = time.monotonic()
        drain_until: float | None = None
        world = self._world
        while not world.finished and not self._stop.is_set():
            inputs = self._inputs(self._reader.read(_READ_RECORDS, self._wait_seconds()))
            self._write(world.step(virtual_now(self._clock, real_now()), inputs))
            now = time.monotonic()
            if now >= next_report:
                next_report = now + self._options.report_seconds
                self._report(self._progress())
            if not world.offering:
                drain_until = drain_until or now + self._options.drain_limit_seconds
                if now >= drain_until:
                    break
        self._write(world.ended(virtual_now(self._clock, real_now())))
        self._writer.flush(_FLUSH_SECONDS)
        self._report(self._progress())
        return self._summary(start, time.monotonic() - began)

    def _wait_seconds(self) -> float:
        wakes_at = self._world.wakes_at()
        if wakes_at is None:
            return _WAKE_SECONDS_MAX
        virtual_seconds = (wakes_at - virtual_now(self._clock, real_now())) / MICROS_PER_SECOND
        return min(_WAKE_SECONDS_MAX, max(_WAKE_SECONDS_MIN, virtual_seconds / self._options.speed))

    def _inputs(self, records: list[Record]) -> list[Input]:
        inputs: list[Input] = []
        snapshot = self._control.poll()
        if snapshot.epoch(POLICY) != self._policy_epoch:
            self._policy_epoch = snapshot.epoch(POLICY)
            inputs += [policy for policy in snapshot.of(POLICY).values() if policy.tenant == self._options.tenant]
        for record in records:
            if record.topic not in _ABOUT_AGENTS and not (record.key or b"").startswith(self._key_prefix):
                continue  # another run's
            try:
                event = self._codec.decode(record.value, BY_NAME[record.topic].types)
            except DecodeError as problem:
                log.warning("%s-%d offset %d: %s", record.topic, record.partition, record.offset, problem)
                continue
            inputs.append(event)  # type: ignore[arg-type]  # the topics carry inputs alone
        return inputs

    def _write(self, effects: list[Effect]) -> None:
        for effect in effects:
            self._writer.write(effect)
            if effect.topic is OFFERED and isinstance(effect.event, Offered):
                malformed = self._malformed.beside(effect.event)
                if malformed is not None:
                    self._writer.write_packed(malformed)
        self._writer.poll()

    def _progress(self) -> Progress:
        return self._world.progress(malformed=self._malformed.counts.total())

    def _summary(self, start: int, real_seconds: float) -> Summary:
        world, progress = self._world, self._progress()
        stopped, tally = self._stop.is_set() and not world.finished, world.tally
        return Summary(
            run_id=self._run_id,
            tenant=self._options.tenant,
            offered=tally.offered,
            repeats=tally.repeats,
            malformed=dict(self._malformed.counts),
            decided=tally.decided,
            turns=tally.turns,
            transfers=tally.transfers,
            acknowledged=tally.acknowledged,
            handovers=tally.handovers,
            refused=tally.refused,
            verdicts=tally.verdicts,
            probes=tally.probes,
            spill=tally.spill,
            grading=tally.grading,
            completed=dict(tally.completed),
            pools=dict(tally.pools),
            faults=[
                AppliedFault(fault.endpoint, fault.kind, fault.severity, at, self._real(at))
                for at, fault in world.applied_faults
            ],
            open=tally.offered - tally.completed.total(),
            complete=world.finished,
            stopped=stopped,
            missing=describe_missing(progress, world.undecided(_EXAMPLES)),
            started_at=start,
            ended_at=progress.now,
            real_seconds=round(real_seconds, 3),
        )

    def _real(self, at: int) -> int:
        clock = self._clock
        return at if clock is None else clock.real_origin + int((at - clock.origin) / clock.speed)
