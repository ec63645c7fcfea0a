"""The kill switch under load: how long after the order the last contact goes to AI.

A router alone, without the health monitor, takes an open loop of offers at LOAD of its own full rate. In the middle
all AI is killed. From the order's instant count: the last decision for AI that the router took, and the instant at
which the last of them was visible to a read-committed consumer.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path
from typing import NamedTuple

from bench.child import Generator
from bench.latency import measured_rates, ready_router
from bench.openloop import schedule
from bench.options import Options
from bench.report import Report, Row
from bench.stage import Stage, say
from bench.subject import SubjectError
from runtime.clock import real_now
from runtime.embedded.kafka import STEADY
from runtime.kafka import Reader, Record
from runtime.once import write_once
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.control import KillSwitch
from schemas.fields import Pool
from schemas.interactions import Decision
from schemas.topics import COMMANDS, ROUTED, Effect

LOAD = 0.8
SECONDS, QUICK_SECONDS = 12.0, 3.0
_LOST_SECONDS = 20.0
_READ_RECORDS = 20_000


class Outcome(NamedTuple):
    """One kill. decided_ms, visible_ms: of the last decision for AI, since the order; after: decisions since then."""

    per_second: float
    decided_ms: float
    visible_ms: float
    after: int
    for_ai_after: int
    lost: int


def run(options: Options) -> Report:
    """Measure the router's rate, then kills at a share of it."""
    seconds = QUICK_SECONDS if options.quick else SECONDS
    with Stage(STEADY) as stage:
        rate = LOAD * statistics.median(measured_rates(stage, options))
        contacts = stage.contacts_file(stage.contacts(len(schedule(rate, seconds, 0)) + 10_000))
        outcomes = []
        for repetition in range(options.repetitions()):
            outcomes.append(_kill(stage, contacts, rate, seconds, repetition))
            say(f"run {repetition + 1}: {_said(outcomes[-1])}")
    rows = [
        Row("last decision for AI", tuple(each.decided_ms for each in outcomes), note=_said(outcomes[-1])),
        Row("last of them visible", tuple(each.visible_ms for each in outcomes)),
    ]
    fields = {"load": LOAD, "kills": [each._asdict() for each in outcomes]}
    return Report(
        "kill", f"Kill switch at {LOAD:.0%} of the router's rate, no health monitor", "ms", rows, fields=fields
    )


def _kill(stage: Stage, contacts: Path, per_second: float, seconds: float, seed: int) -> Outcome:
    expected = len(schedule(per_second, seconds, seed))
    with stage.run([]) as settings:
        where = ("--bootstrap", settings.bootstrap, "--prefix", settings.prefix, "--seconds", str(seconds))
        sending = ("bench.openloop", *where, "--file", str(contacts), "--per-second", str(per_second),
                   "--seed", str(seed))  # fmt: skip
        with Generator(sending) as generator, ready_router(stage, settings, "exactly_once"):
            generator.wait_ready()
            reader = Reader(settings, [ROUTED.name], start="beginning")
            start = generator.begin()
            seen = _read(reader, expected, until=start + seconds / 2)
            ordered = _order(settings)
            seen += _read(
                reader, expected - sum(len(records) for _at, records in seen), start + seconds + _LOST_SECONDS
            )
            generator.end()
            reader.close()
    return _outcome(seen, ordered, expected, per_second)


def _read(reader: Reader, most: int, until: float) -> list[tuple[int, list[Record]]]:
    """Return what comes, each batch with its instant in microseconds, until so many have come or the time is over."""
    batches: list[tuple[int, list[Record]]] = []
    while most > 0 and time.monotonic() < until:
        records = reader.read(_READ_RECORDS, 0.05)
        if records:
            batches.append((real_now(), records))
            most -= len(records)
    return batches


def _order(settings: Settings) -> int:
    ordered = real_now()
    write_once(settings, "bench", Effect(COMMANDS, KillSwitch(killed=True, reason="bench", occurred_at=ordered)))
    return ordered


def _outcome(seen: list[tuple[int, list[Record]]], ordered: int, expected: int, per_second: float) -> Outcome:
    codec = Codec()
    decided, visible, after, for_ai = 0, 0, 0, 0
    for instant, records in seen:
        for record in records:
            decision = codec.decode(record.value, ROUTED.types)
            assert isinstance(decision, Decision)  # noqa: S101 - the only type of the topic
            late = decision.decided_at > ordered
            after += late
            if decision.pool is not Pool.HUMAN_EXCLUSIVE:
                for_ai += late
                decided, visible = max(decided, decision.decided_at), max(visible, instant)
    if not decided:
        raise SubjectError("no contact went to AI before the kill")
    lost = expected - sum(len(records) for _instant, records in seen)
    return Outcome(per_second, max(0, decided - ordered) / 1e3, max(0, visible - ordered) / 1e3, after, for_ai, lost)


def _said(outcome: Outcome) -> str:
    return (
        f"{outcome.per_second:,.0f}/s; last decision for AI {outcome.decided_ms:.0f} ms after the order, visible after "
        f"{outcome.visible_ms:.0f} ms; of {outcome.after:,} decisions since, {outcome.for_ai_after:,} for AI; "
        f"{outcome.lost} lost"
    )
