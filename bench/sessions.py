"""Sessions at full speed, then with 100,000 live contacts: turns a second, memory, disk, and recovery after a kill.

The inbox is preloaded with whole conversations of six turns with what was said; one process of sessions takes them
from their decisions to their ends. A contact's decision and end are work too and are not counted as turns. Beside it
stands the same step in memory, without Kafka and Quix Streams, which says what is the engine's share.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psutil

from bench.conversations import TURNS, conversations, turn
from bench.hotpath import addresses
from bench.options import Options
from bench.report import Report, Row
from bench.stage import Stage, say
from bench.subject import Subject, SubjectError, measure
from processors.sessions.app import Sessions
from runtime.clock import real_now
from runtime.embedded.spawn import spawn
from runtime.kafka import Reader, Record, last_stable_offsets, partitions_of
from runtime.once import write_once
from runtime.options import settings_of
from runtime.partitioner import partition_of
from runtime.quix import StatefulService
from runtime.redaction import redactor_of
from runtime.service import tune_interpreter
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas.agents import Outcome
from schemas.codec import Codec
from schemas.envelope import Packed
from schemas.topics import AGENT_EVENTS, CLOSED, INTERACTION_EVENTS, Effect

CONTACTS, QUICK_CONTACTS = 50_000, 3_000
LIVE, QUICK_LIVE = 100_000, 3_000
LIVE_TURNS = 3
_IN_MEMORY_CONTACTS = 4_000
_PARTITIONS = 4
_LONGEST_SECONDS = 300.0
_ROOT = Path(__file__).parent.parent


def run(options: Options) -> Report:
    """Measure the rate, then the live contacts."""
    contacts = QUICK_CONTACTS if options.quick else options.contacts or CONTACTS
    live = QUICK_LIVE if options.quick else LIVE
    in_memory = _microseconds_in_memory(options.repetitions())
    with Stage() as stage:
        rates = _rates(stage, contacts, options.repetitions())
        memory, disk, changelog, recoveries = _with_live_contacts(stage, live)
    turns = Row("turns, one process", tuple(rates), contacts=contacts, note=f"{TURNS} turns a contact, with texts")
    step = Row("turns, the step in memory", tuple(TURNS / (TURNS + 2) * 1e6 / each for each in in_memory),
               note=f"{statistics.median(in_memory):.1f} us an event, without Kafka and Quix Streams")  # fmt: skip
    fields = {
        "turns_per_second": turns.median,
        "in_memory_microseconds_per_event": statistics.median(in_memory),
        "live_contacts": live,
        "live_resident_megabytes": memory,
        "live_state_megabytes": disk,
        "live_changelog_megabytes": changelog,
        "recovery_seconds": recoveries,
    }
    say(
        f"{live:,} live contacts of {LIVE_TURNS} turns: {memory:,.0f} MB resident, {disk:,.0f} MB of state on disk, "
        f"{changelog:,.0f} MB of changelog; a turn is booked {recoveries['state kept']:.1f} s after SIGKILL, "
        f"{recoveries['state lost']:.1f} s where the state is lost as well"
    )
    return Report(
        "sessions", "Sessions: turns a second of one process", "turns/s", [turns, step], reference=turns.name,
        fields=fields,
    )  # fmt: skip


def _argv(settings: Settings) -> list[str]:
    return [sys.executable, "-m", "trunkline", "sessions", *addresses(settings), "--port", "0"]


def _rates(stage: Stage, contacts: int, repetitions: int) -> list[float]:
    inbox = list(conversations(contacts))
    subject = Subject("sessions", _argv, output_topic=CLOSED.name)
    rates = []
    for repetition in range(repetitions):
        with stage.run(inbox) as settings:
            found = measure(stage, settings, subject, contacts)
        rates.append(found.per_second * TURNS)
        cpu = found.cpu["subject"] / (TURNS + 2) * 1000
        say(
            f"run {repetition + 1}: {rates[-1]:,.0f} turns/s, {found.per_second * (TURNS + 2):,.0f} events/s, "
            f"{cpu:.0f} us of CPU an event, {found.resident_megabytes:.0f} MB; {found.lost} lost, "
            f"{found.doubled} doubled"
        )
    return rates


def _microseconds_in_memory(repetitions: int) -> list[float]:
    """Return microseconds of CPU an event takes from its bytes to the bytes that it makes."""
    tune_interpreter()
    records = list(_records(conversations(_IN_MEMORY_CONTACTS)))
    took = []
    for _ in range(repetitions):
        step = Sessions(redactor_of(settings_of({}))).step
        service = StatefulService("sessions", INTERACTION_EVENTS, step, Codec(), _PARTITIONS)
        states: dict[bytes | None, DictState] = {record.key: DictState() for record in records}
        began = time.thread_time()
        for record in records:
            service.handle(record, states[record.key], Snapshot())
        took.append((time.thread_time() - began) / len(records) * 1e6)
    return took


def _records(packed: Iterator[Packed]) -> Iterator[Record]:
    for offset, each in enumerate(packed):
        yield Record(each.topic, partition_of(each.key or b"", _PARTITIONS), offset, each.key, each.value)


def _with_live_contacts(stage: Stage, live: int) -> tuple[float, float, float, dict[str, float]]:
    """Return megabytes resident, of state and of changelog with live contacts, and seconds of two recoveries."""
    inbox = list(conversations(live, LIVE_TURNS, ends=False))
    with stage.run(inbox) as settings:
        with _sessions(settings) as process:
            _until(lambda: _written(settings) >= live * LIVE_TURNS, process)
            megabytes = psutil.Process(process.pid).memory_info().rss / 1e6
            kept = _recovery(settings, process, lambda: None)
        state = settings.state_folder("sessions")
        disk = _size(state)
        changelog = sum(_size(folder) for folder in stage.kafka_logs("changelog__", settings.prefix))
        with _sessions(settings) as process:
            _booked(settings, process, LIVE_TURNS + 2)
            lost = _recovery(settings, process, lambda: shutil.rmtree(state), LIVE_TURNS + 3)
    return megabytes, disk, changelog, {"state kept": kept, "state lost": lost}


def _recovery(
    settings: Settings, process: subprocess.Popen[bytes], between: Callable[[], None], nth: int = LIVE_TURNS + 1
) -> float:
    """Kill sessions, start them again, and return after how many seconds a turn written meanwhile is booked."""
    process.kill()
    process.wait()
    killed = time.monotonic()
    between()
    with _sessions(settings) as again:
        _booked(settings, again, nth)
        return time.monotonic() - killed


def _booked(settings: Settings, process: subprocess.Popen[bytes], nth: int) -> None:
    """Write a turn of the first contact, and return when it is booked."""
    reader = Reader(settings, [AGENT_EVENTS.name], start="end")
    codec = Codec()
    try:
        write_once(settings, "bench", Effect(INTERACTION_EVENTS, turn(0, nth, real_now())))

        def came() -> bool:
            events = [codec.decode(record.value) for record in reader.read(1000, 0.05)]
            return any(isinstance(event, Outcome) and event.turn == nth for event in events)

        _until(came, process)
    finally:
        reader.close()


def _until(reached: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _LONGEST_SECONDS
    while not reached():
        if process.poll() is not None or time.monotonic() > deadline:
            raise SubjectError(f"sessions did not get there (exit code {process.poll()})")
        time.sleep(0.1)


@contextmanager
def _sessions(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    log = settings.data / "sessions.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = spawn(_argv(settings), folder=_ROOT, output=output, environment=os.environ)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _written(settings: Settings) -> int:
    """Return how many offsets the outcomes of turns take; the markers of transactions take some too."""
    places: Sequence[tuple[str, int]] = partitions_of(settings, [AGENT_EVENTS.name])
    return sum(last_stable_offsets(settings, places).values())


def _size(folder: Path) -> float:
    """Return megabytes of the files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
