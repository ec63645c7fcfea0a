"""Offered to routed at full speed: the router beside its own core, its ceiling, and its peers.

Every subject is a process of its own on contacts that were preloaded on 4 partitions, and works alone.
The subjects take turns, run by run, so that a machine that slows down or warms up does so for all.
"""

from __future__ import annotations

import dataclasses
import statistics
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from bench.contacts import INTENTS
from bench.core import CoreTimes
from bench.options import Options
from bench.report import Report, Row
from bench.stage import Stage, say
from bench.subject import Run, Subject, SubjectError, measure
from runtime.settings import Settings

CONTACTS, QUICK_CONTACTS = 400_000, 20_000
CORE_CONTACTS = 100_000
WARM_UP_CONTACTS = 20_000
CORE = "core in memory"


@dataclasses.dataclass(frozen=True, slots=True)
class Entry:
    """A subject of this suite: its field in the JSON, and the part of the contacts that it gets.

    A slower peer gets fewer, so that it takes about as long as the others.
    """

    subject: Subject
    field: str
    share: float = 1.0
    ours: bool = False


def router_argv(model: Path, *more: str) -> Callable[[Settings], list[str]]:
    """Return the command of a router with a model file."""
    return lambda s: [
        sys.executable, "-m", "trunkline", "router", *addresses(s), "--redis-url", s.redis_url, "--port", "0",
        "--model", str(model), *more,
    ]  # fmt: skip


def addresses(settings: Settings) -> list[str]:
    """Return the options that every subject takes."""
    return ["--bootstrap", settings.bootstrap, "--prefix", settings.prefix, "--data", str(settings.data)]


def module_argv(module: str, *more: str) -> Callable[[Settings], list[str]]:
    """Return the command of a module that takes the options of every subject."""
    return lambda settings: [sys.executable, "-m", module, *addresses(settings), *more]


def entries(model: Path) -> list[Entry]:
    """Return the subjects, in the order in which they take turns."""
    with_core = ("--model", str(model))
    return [
        Entry(Subject("router", router_argv(model)), "router_per_second", ours=True),
        Entry(Subject("raw ceiling", module_argv("bench.peers.raw")), "ceiling_per_second"),
        Entry(
            Subject("our loop, pass-through", module_argv("bench.passthrough")),
            "loop_passthrough_per_second",
            ours=True,
        ),
        Entry(
            Subject("Kafka Streams, pass-through", module_argv("bench.peers.kafka_streams")),
            "kafka_streams_passthrough_per_second",
        ),
        Entry(
            Subject("Quix Streams, pass-through", module_argv("bench.peers.quix_passthrough")),
            "quix_passthrough_per_second",
        ),
        Entry(
            Subject("core in Quix Streams", module_argv("bench.peers.quix_core", *with_core)),
            "quix_per_second",
            share=0.05,
        ),
        Entry(
            Subject("core in Faust", module_argv("bench.peers.faust_core", *with_core), exactly_once=False),
            "faust_per_second",
            share=0.075,
        ),
    ]


def run(options: Options) -> Report:
    """Measure every subject and return the report. A peer that fails is left out; raises SubjectError for ours."""
    contacts = options.contacts_or(CONTACTS, QUICK_CONTACTS)
    with Stage() as stage:
        say(f"making {contacts:,} contacts and a model of {INTENTS} intents")
        stage.contacts(contacts)
        taking_part = entries(stage.model())
        _warm_up(stage, taking_part[:2], min(contacts, WARM_UP_CONTACTS))
        runs: dict[str, list[Run]] = {entry.field: [] for entry in taking_part}
        cores: list[CoreTimes] = []
        failed: dict[str, str] = {}
        for repetition in range(options.repetitions()):
            which = f"run {repetition + 1} of {options.repetitions()}"
            say(f"{which}: {CORE}")
            cores.append(time_core_apart(stage, min(contacts, CORE_CONTACTS)))
            say(f"  {1e6 / cores[-1].wall_microseconds:,.0f} contacts/s")
            for entry in [entry for entry in taking_part if entry.subject.name not in failed]:
                say(f"{which}: {entry.subject.name}")
                try:
                    runs[entry.field].append(_measure(stage, entry, contacts))
                except SubjectError as problem:
                    if entry.ours:
                        raise
                    failed[entry.subject.name] = str(problem)
                    say(f"  left out: {problem}")
    return report([entry for entry in taking_part if entry.subject.name not in failed], runs, cores, failed)


def _warm_up(stage: Stage, first: Sequence[Entry], contacts: int) -> None:
    """Let the broker compile what it runs most; the figures are dropped."""
    for entry in first:
        say(f"warm-up: {entry.subject.name}")
        _measure(stage, entry, contacts)


def _measure(stage: Stage, entry: Entry, contacts: int) -> Run:
    count = max(1000, int(contacts * entry.share))
    with stage.run(stage.contacts(count)) as settings:
        outcome = measure(stage, settings, entry.subject, count)
    say(f"  {outcome.per_second:,.0f} contacts/s")
    return outcome


def time_core_apart(stage: Stage, contacts: int) -> CoreTimes:
    """Time the core in a process of its own on the first of the contacts, while the broker has nothing to do."""
    file = stage.contacts_file(stage.contacts(contacts))
    argv = [sys.executable, "-m", "bench.core", "--file", str(file), "--model", str(stage.model())]
    answer = subprocess.run(argv, check=True, capture_output=True, cwd=Path(__file__).parent.parent)
    return msgspec.json.decode(answer.stdout, type=CoreTimes)


def report(
    taking_part: Sequence[Entry],
    runs: Mapping[str, Sequence[Run]],
    cores: Sequence[CoreTimes],
    failed: Mapping[str, str],
) -> Report:
    """Return the report of runs by JSON field, the router's first; failed: name -> why, of what was left out."""
    rows = [_row(entry, runs[entry.field]) for entry in taking_part]
    medians = {entry.field: row.median for entry, row in zip(taking_part, rows, strict=True)}
    rows.insert(1, _core_row(cores))
    medians["core_per_second"] = rows[1].median
    fields = {
        **medians,
        "core_microseconds": statistics.median(times.wall_microseconds for times in cores),
        "core_cpu_microseconds": statistics.median(times.cpu_microseconds for times in cores),
        "ratios": _ratios(medians),
        "contacts": runs["router_per_second"][0].contacts,
        "intents": INTENTS,
        "cpu_seconds_per_1000": {row.name: row.cpu for row in rows},
        "resident_megabytes": {row.name: row.resident_megabytes for row in rows},
        "lost": {entry.subject.name: sum(run.lost for run in runs[entry.field]) for entry in taking_part},
        "doubled": {entry.subject.name: sum(run.doubled for run in runs[entry.field]) for entry in taking_part},
        "failed": failed,
    }
    return Report("hotpath", "Offered to routed, one process", "contacts/s", rows, "router", fields)


def _core_row(cores: Sequence[CoreTimes]) -> Row:
    return Row(
        CORE,
        tuple(1e6 / times.wall_microseconds for times in cores),
        cores[0].contacts,
        {"subject": statistics.median(times.cpu_microseconds for times in cores) / 1e3},
        max(times.resident_megabytes for times in cores),
        "no Kafka, no Redis",
    )


def _row(entry: Entry, runs: Sequence[Run]) -> Row:
    lost, doubled = sum(run.lost for run in runs), sum(run.doubled for run in runs)
    promise = "exactly once" if entry.subject.exactly_once else "at least once"
    return Row(
        entry.subject.name,
        tuple(run.per_second for run in runs),
        runs[0].contacts,
        {party: statistics.median(run.cpu[party] for run in runs) for party in runs[0].cpu},
        max(run.resident_megabytes for run in runs),
        f"{promise}, {lost} lost, {doubled} doubled" if lost or doubled else promise,
    )


def _ratios(medians: Mapping[str, float]) -> dict[str, float]:
    """Return the ratios that the product is held to, where both sides were measured."""
    wanted = {
        "router_to_core": ("router_per_second", "core_per_second"),
        "router_to_ceiling": ("router_per_second", "ceiling_per_second"),
        "router_to_faust": ("router_per_second", "faust_per_second"),
        "router_to_quix": ("router_per_second", "quix_per_second"),
        "loop_to_ceiling": ("loop_passthrough_per_second", "ceiling_per_second"),
        "loop_to_quix": ("loop_passthrough_per_second", "quix_passthrough_per_second"),
        "loop_to_kafka_streams": ("loop_passthrough_per_second", "kafka_streams_passthrough_per_second"),
    }
    return {name: medians[a] / medians[b] for name, (a, b) in wanted.items() if a in medians and b in medians}
