"""The router's core in memory, no Kafka: what the peers call, and the rate that the router is held against.

`python -m bench.core` times it in a process of its own, as the router's is one.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec
import psutil

from bench.contacts import INTENTS, policies, read_contacts
from bench.memory import MemoryAtOnce, MemoryGuard, MemoryWindows
from router.app import Router
from router.classify.margins import MarginClassifier
from router.classify.store import load_model
from router.decide.world import FOLLOWED
from router.limits import Capacity, Limits
from runtime.clock import real_now
from runtime.kafka import Record
from runtime.partitioner import partition_of
from runtime.service import tune_interpreter
from runtime.snapshot import Snapshot
from runtime.step import Batch, LoopOptions
from schemas.codec import Codec
from schemas.control import Policy
from schemas.topics import OFFERED, POLICY

PARTITIONS = 4
_WARM_UP_CONTACTS = 4_000


class CoreTimes(NamedTuple):
    """Microseconds a contact, by the wall clock and by the thread's CPU clock; memory of the process."""

    contacts: int
    wall_microseconds: float
    cpu_microseconds: float
    resident_megabytes: float = 0.0


def make_core(model: Path, clock: Callable[[], float] = time.monotonic) -> Router:
    """Return the router's step with a model's classifier, and in memory what Redis holds.

    clock: real seconds, by which the counts of contacts at once grow old.
    """
    classifier = MarginClassifier(load_model(model))
    capacity = Capacity(MemoryAtOnce(), PARTITIONS, clock)
    return Router(Codec(), classifier, MemoryGuard(), Limits(MemoryWindows()), capacity)


def world(given: Iterable[Policy]) -> Snapshot:
    """Return what the router's control topics say where they hold these policies and nothing else."""
    snapshot = Snapshot(epochs={topic.name: -1 for topic in FOLLOWED})
    for offset, policy in enumerate(given):
        snapshot = snapshot.with_record(POLICY, policy.tenant, policy, offset)
    return snapshot


def consumed(contacts: Iterable[tuple[bytes, bytes]]) -> list[Record]:
    """Return keys and values as the consumer of four partitions hands them out."""
    offsets = [0] * PARTITIONS
    records = []
    for key, value in contacts:
        partition = partition_of(key, PARTITIONS)
        records.append(Record(OFFERED.name, partition, offsets[partition], key, value))
        offsets[partition] += 1
    return records


def time_core(core: Router, records: Sequence[Record], snapshot: Snapshot) -> CoreTimes:
    """Step records as the loop does, in slices of transactions, and say what a contact took."""
    options = LoopOptions()
    wall, cpu = time.perf_counter(), time.thread_time()
    for first in range(0, len(records), options.batch_records):
        core.begin()
        now, last = real_now(), min(first + options.batch_records, len(records))
        for start in range(first, last, options.slice_records):
            core.step(Batch(records[start : min(start + options.slice_records, last)], snapshot, now))
        core.kept()
        core.sealed()
        core.committed()
    wall, cpu = time.perf_counter() - wall, time.thread_time() - cpu
    return CoreTimes(len(records), wall / len(records) * 1e6, cpu / len(records) * 1e6)


def main() -> None:
    """Time the core on a file of contacts and print the outcome as JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench.core", description=__doc__)
    parser.add_argument("--file", required=True, type=Path, help="contacts of bench.contacts.write_contacts")
    parser.add_argument("--model", required=True, type=Path)
    parser.add_argument("--contacts", type=int, default=100_000, help="take so many of the file, from its start")
    parser.add_argument("--tenants", type=int, default=1)
    parser.add_argument("--intents", type=int, default=INTENTS)
    given = parser.parse_args()
    records = consumed(read_contacts(given.file)[: given.contacts])
    snapshot = world(policies(given.tenants, given.intents))
    core = make_core(given.model)
    tune_interpreter()
    time_core(core, records[:_WARM_UP_CONTACTS], snapshot)
    times = time_core(core, records, snapshot)
    resident = psutil.Process().memory_info().rss / 1e6
    print(msgspec.json.encode(times._replace(resident_megabytes=resident)).decode())


if __name__ == "__main__":
    main()
