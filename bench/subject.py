"""A program that is measured: its rate between 10 and 90 % of its work, its CPU time, and what came out of it.

The rate is a slope over the offsets that a read-committed consumer may read, asked from outside: the
start of the program and its last, half-filled transaction do not count, and nothing is consumed meanwhile.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import psutil
from confluent_kafka import Consumer, IsolationLevel, KafkaError
from confluent_kafka import TopicPartition as Partition
from confluent_kafka.admin import AdminClient, OffsetSpec

from bench.stage import PARTITIONS, Stage, say
from runtime.embedded.spawn import spawn
from runtime.kafka import client_config, consumer_config
from runtime.settings import Settings
from schemas.errors import TrunklineError
from schemas.topics import ROUTED

LOW, HIGH = 0.1, 0.9
_POLL_SECONDS = 0.1
_STILL_SECONDS = 1.0
"""The output has ended when it has not grown for so long: ten looks, and twice the longest commit interval here."""
_STUCK_SECONDS = 90.0
"""A program that has written nothing new for so long has failed; a JVM that fetches its jars takes half of it."""
_STOP_SECONDS = 10.0
_ROOT = Path(__file__).parent.parent


class SubjectError(TrunklineError):
    """A program that is measured ended or stood still before its work was done."""


@dataclasses.dataclass(frozen=True, slots=True)
class Subject:
    """What to start, and where its output is to be seen.

    argv: the command, for the settings of a run. records_per_contact: on `output_topic`.
    exactly_once: whether it promises that; what comes out is counted either way.
    """

    name: str
    argv: Callable[[Settings], list[str]]
    output_topic: str = ROUTED.name
    records_per_contact: int = 1
    exactly_once: bool = True


class Sample(NamedTuple):
    """A look at a running subject. cpu: seconds since each process began, by its name in tables."""

    seconds: float
    offsets: int
    cpu: Mapping[str, float]


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """One run of a subject. cpu: seconds per 1,000 contacts, by process. resident_megabytes: its most."""

    subject: str
    contacts: int
    per_second: float
    cpu: Mapping[str, float]
    resident_megabytes: float
    lost: int
    doubled: int


def slope(samples: Sequence[Sample], contacts: int) -> tuple[float, dict[str, float]]:
    """Return contacts per second, and CPU seconds per 1,000 contacts, between LOW and HIGH of the growth.

    Control markers take offsets too, so the final growth stands for `contacts`. Times between two looks
    are interpolated. Raises SubjectError where nothing has grown.
    """
    first, growth = samples[0].offsets, samples[-1].offsets - samples[0].offsets
    if growth <= 0:
        raise SubjectError("nothing was written: the rate of nothing is not known")
    start, end = (_at(samples, first + share * growth) for share in (LOW, HIGH))
    done = (HIGH - LOW) * contacts
    if end.seconds <= start.seconds:
        raise SubjectError(f"all came within one look of {_POLL_SECONDS:g} s: measure with more contacts")
    cpu = {name: (end.cpu[name] - start.cpu[name]) / done * 1000 for name in end.cpu}
    return done / (end.seconds - start.seconds), cpu


def _at(samples: Sequence[Sample], offsets: float) -> Sample:
    """Return what a look would have shown at the moment when the output had grown to `offsets`."""
    after = next(at for at, sample in enumerate(samples) if sample.offsets >= offsets)
    b = samples[after]
    a = samples[max(after - 1, 0)]
    share = (offsets - a.offsets) / (b.offsets - a.offsets) if b.offsets > a.offsets else 1.0
    cpu = {name: a.cpu.get(name, 0.0) + share * (b.cpu[name] - a.cpu.get(name, 0.0)) for name in b.cpu}
    return Sample(a.seconds + share * (b.seconds - a.seconds), round(offsets), cpu)


def measure(stage: Stage, settings: Settings, subject: Subject, contacts: int) -> Run:
    """Start a subject on preloaded contacts, watch it to their end, stop it, and count what came out."""
    log = settings.data / f"{subject.name.replace(' ', '-')}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    watch = _Watch(stage, settings, subject)
    with log.open("wb") as output:
        process = spawn(subject.argv(settings), folder=_ROOT, output=output, environment=os.environ)
        try:
            watch.to_the_end(process, contacts, log)
        finally:
            stop(process)
    per_second, cpu = slope(watch.samples, contacts)
    lost, doubled = count_output(settings, subject, contacts)
    return Run(subject.name, contacts, per_second, cpu, watch.resident_bytes / 1e6, lost, doubled)


class _Watch:
    """Looks at the output's offsets and at CPU times, about ten times a second."""

    def __init__(self, stage: Stage, settings: Settings, subject: Subject) -> None:
        self._subject = subject
        self._admin = AdminClient(client_config(settings))
        topic = settings.topic(subject.output_topic)
        self._asked = {Partition(topic, partition): OffsetSpec.latest() for partition in range(PARTITIONS)}
        self._servers = stage.servers()
        self.samples: list[Sample] = []
        self.resident_bytes = 0
        self._offsets()  # the first answer may take a second: by then a subject would be at work, unseen

    def _offsets(self) -> int:
        futures = self._admin.list_offsets(
            self._asked, isolation_level=IsolationLevel.READ_COMMITTED, request_timeout=10
        )
        return sum(future.result().offset for future in futures.values())

    def to_the_end(self, process: subprocess.Popen[bytes], contacts: int, log: Path) -> None:
        """Return when the output is complete and stands still; raise SubjectError where that does not come."""
        expected = contacts * self._subject.records_per_contact
        grown_at = time.perf_counter()
        while True:
            sample = self._look(process, log)
            if not self.samples or sample.offsets > self.samples[-1].offsets:
                grown_at = sample.seconds
            self.samples.append(sample)
            still = sample.seconds - grown_at
            if sample.offsets >= expected and still >= _STILL_SECONDS:
                return
            if still > _STUCK_SECONDS:
                raise self._failed(f"stood still at {sample.offsets:,} of {expected:,} records", log)
            time.sleep(_POLL_SECONDS)

    def _look(self, process: subprocess.Popen[bytes], log: Path) -> Sample:
        offsets = self._offsets()
        if process.poll() is not None:
            raise self._failed(f"ended with exit code {process.returncode}", log)
        seconds, resident = use_of(psutil.Process(process.pid))
        self.resident_bytes = max(self.resident_bytes, resident)
        cpu = {"subject": seconds}
        cpu |= {name: cpu_seconds(server) for name, server in self._servers.items()}
        return Sample(time.perf_counter(), offsets, cpu)

    def _failed(self, what: str, log: Path) -> SubjectError:
        tail = "\n  ".join(log.read_text(errors="replace").splitlines()[-20:])
        return SubjectError(f"{self._subject.name} {what}. The end of its log:\n  {tail}")


def use_of(parent: psutil.Process) -> tuple[float, int]:
    """Return CPU seconds and resident bytes of a process and its children; one that is just gone counts nothing."""
    seconds, resident = 0.0, 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for member in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                seconds += cpu_seconds(member)
                resident += member.memory_info().rss
    return seconds, resident


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds of one process since it began."""
    times = process.cpu_times()
    return float(times.user + times.system)


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a subject and whatever it started, by force where it does not end by itself."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for member in family:
        if member.is_running():
            member.kill()


def count_output(settings: Settings, subject: Subject, contacts: int) -> tuple[int, int]:
    """Return (lost, doubled): contacts that did not come out, and records more than there should be.

    Reads the whole output as a read-committed consumer; keys are those of `bench.contacts.offers`.
    """
    consumer = Consumer({**consumer_config(settings), "group.id": f"{settings.prefix}count"})
    topic = settings.topic(subject.output_topic)
    consumer.assign([Partition(topic, partition, 0) for partition in range(PARTITIONS)])
    counts: dict[bytes, int] = {}
    at_end: set[int] = set()
    try:
        while len(at_end) < PARTITIONS:
            for message in consumer.consume(10_000, 1.0):
                error = message.error()
                if error is None:
                    counts[message.key()] = counts.get(message.key(), 0) + 1
                elif error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public codes bear it
                    at_end.add(message.partition())
                else:
                    raise SubjectError(f"the output of {subject.name} cannot be read: {error.str()}")
    finally:
        consumer.close()
    each = subject.records_per_contact
    expected = [f"bench-{number}".encode() for number in range(contacts)]
    lost = sum(counts.get(key, 0) < each for key in expected)
    doubled = sum(max(0, counts.get(key, 0) - each) for key in expected)
    if lost or doubled:
        say(f"  {subject.name}: {lost} contacts lost, {doubled} records doubled")
    return lost, doubled
