"""Offered to decision visible, at loads that the router can bear: what a contact waits for its route.

An open loop: every offer has its instant, fixed before the run, and its latency counts from there, whenever it was
written, until a read-committed consumer has the decision in hand. So a stall of any party counts for all who come
meanwhile. Generator, router and reader are processes of their own and read the same clock, CLOCK_MONOTONIC.
"""

from __future__ import annotations

import contextlib
import dataclasses
import os
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import psutil

from bench.child import Generator
from bench.hotpath import router_argv
from bench.openloop import Floats, Sent, percentile, schedule
from bench.options import Options
from bench.receipts import Receipts, load_receipts
from bench.report import Report, Row
from bench.stage import Stage, say
from bench.subject import Subject, SubjectError, measure, stop, use_of
from runtime.embedded.kafka import STEADY
from runtime.embedded.spawn import spawn
from runtime.programs import http_ready
from runtime.settings import Settings
from trunkline.installation import free_port

DELIVERIES = ("exactly_once", "at_least_once")
LOADS = (0.2, 0.5, 0.8)
RATE_CONTACTS, QUICK_RATE_CONTACTS = 200_000, 20_000
WARM_UP_SECONDS, MEASURED_SECONDS = 5.0, 15.0
QUICK_WARM_UP_SECONDS, QUICK_SECONDS = 0.5, 1.5
BROKER_WARM_UP_LOADS = (0.5,)
"""Runs that are dropped, of each delivery: a young broker compiles what small requests need."""
QUANTILES = 1.0 - np.logspace(0, -4, 81)
"""The curve of the chart: from the median's side to 99.99 %."""
MACHINE = "whole machine"
"""All that its cores do: where it is about as many as there are, everybody waits for a core."""
_READY_SECONDS = 60.0
_WARM_UP_SEED = 1_000
_ROOT = Path(__file__).parent.parent


@dataclasses.dataclass(frozen=True, slots=True)
class Repetition:
    """One run of one case: milliseconds, counts, and shares of a core by process. curve: at QUANTILES."""

    per_second: float
    p50_ms: float
    p99_ms: float
    p999_ms: float
    max_ms: float
    lost: int
    doubled: int
    generator_late_p99_ms: float
    cpu_share: Mapping[str, float]
    curve: tuple[float, ...]


def latencies(receipts: Receipts, scheduled: Floats, start: float, warm_up_seconds: float) -> tuple[Floats, int, int]:
    """Return (seconds of each contact due after the warm-up, lost, doubled).

    scheduled: seconds after `start`, an instant of the clock of the receipts. A contact that came twice counts with its
    first receipt; one that was lost is in no percentile and must be reported.
    """
    numbers, first = np.unique(receipts.numbers, return_index=True)  # the first of each: receipts are in order
    waits: Floats = receipts.instants[first] - start - scheduled[numbers]
    return (
        waits[scheduled[numbers] >= warm_up_seconds],
        len(scheduled) - len(numbers),
        len(receipts.numbers) - len(numbers),
    )


@dataclasses.dataclass(frozen=True, slots=True)
class Case:
    """One case: how the router delivers, the share of the measured rate, and what comes per second."""

    delivery: str
    load: float
    per_second: float

    @property
    def name(self) -> str:
        """As tables have it."""
        return f"{self.delivery.replace('_', ' ')}, {self.load:.0%} load"


class Bench:
    """Runs cases on a stage."""

    def __init__(self, stage: Stage, contacts: Path, warm_up_seconds: float, measured_seconds: float) -> None:
        self._stage = stage
        self._contacts = contacts
        self._warm_up = warm_up_seconds
        self._seconds = warm_up_seconds + measured_seconds

    def run(self, case: Case, seed: int) -> Repetition:
        """Start a router, put it under the load of the case, and return what contacts waited."""
        scheduled = schedule(case.per_second, self._seconds, seed)
        with self._stage.run([]) as settings:
            out = settings.data / "receipts.npz"
            where = ("--bootstrap", settings.bootstrap, "--prefix", settings.prefix, "--seconds", str(self._seconds))
            reading = ("bench.receipts", *where, "--expected", str(len(scheduled)), "--out", str(out))
            sending = ("bench.openloop", *where, "--file", str(self._contacts), "--per-second", str(case.per_second),
                       "--seed", str(seed))  # fmt: skip
            with (
                Generator(reading) as reader,
                Generator(sending) as generator,
                ready_router(self._stage, settings, case.delivery) as router,
            ):
                reader.wait_ready()
                generator.wait_ready()
                start = generator.begin()
                reader.begin(start)
                pids = {"router": router.pid, "generator": generator.pid, "reader": reader.pid}
                shares = self._shares(start, {name: psutil.Process(pid) for name, pid in pids.items()})
                sent = msgspec.json.decode(generator.end(), type=Sent)
                reader.end()
            waits, lost, doubled = latencies(load_receipts(out), scheduled, start, self._warm_up)
        return _repetition(waits * 1000, len(scheduled) / self._seconds, lost, doubled, sent, shares)

    def _shares(self, start: float, ours: Mapping[str, psutil.Process]) -> dict[str, float]:
        """Return shares of a core between warm-up and end; returns at the end."""
        processes = {**ours, **self._stage.servers()}
        looks = []
        for until in (self._warm_up, self._seconds):
            time.sleep(max(0.0, start + until - time.monotonic()))
            used = {name: use_of(process)[0] for name, process in processes.items()}
            looks.append((time.monotonic(), {**used, MACHINE: _busy_seconds()}))
        (began, before), (ended, after) = looks
        return {name: (after[name] - before[name]) / (ended - began) for name in after}


@contextlib.contextmanager
def ready_router(stage: Stage, settings: Settings, delivery: str) -> Iterator[psutil.Process]:
    """Give a router that takes contacts."""
    port = free_port()
    argv = router_argv(stage.model(), "--delivery", delivery, "--port", str(port))(settings)
    log = settings.data / "router.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        process = spawn(argv, folder=_ROOT, output=output, environment=os.environ)
        try:
            ready, deadline = http_ready(f"http://127.0.0.1:{port}"), time.monotonic() + _READY_SECONDS
            while not ready():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise SubjectError(f"the router did not become ready:\n{log.read_text()[-2000:]}")
                time.sleep(0.05)
            yield psutil.Process(process.pid)
        finally:
            stop(process)


def _busy_seconds() -> float:
    """Return the CPU seconds that all cores have worked."""
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - times.iowait - times.guest - times.guest_nice)


def _repetition(
    waits_ms: Floats, per_second: float, lost: int, doubled: int, sent: Sent, shares: Mapping[str, float]
) -> Repetition:
    if not len(waits_ms):
        raise SubjectError("no decision came")
    return Repetition(
        per_second=per_second,
        p50_ms=percentile(waits_ms, 0.5),
        p99_ms=percentile(waits_ms, 0.99),
        p999_ms=percentile(waits_ms, 0.999),
        max_ms=float(waits_ms.max()),
        lost=lost,
        doubled=doubled,
        generator_late_p99_ms=sent.late_p99_ms,
        cpu_share=shares,
        curve=tuple(np.quantile(waits_ms, QUANTILES).tolist()),
    )


def run(options: Options) -> Report:
    """Measure the router's rate, then latency at shares of it, for both deliveries; return the report."""
    warm_up, measured = (QUICK_WARM_UP_SECONDS, QUICK_SECONDS) if options.quick else (WARM_UP_SECONDS, MEASURED_SECONDS)
    with Stage(STEADY) as stage:
        rates = measured_rates(stage, options)
        rate = statistics.median(rates)
        cases = [Case(delivery, load, load * rate) for load in LOADS for delivery in DELIVERIES]
        most = len(schedule(max(case.per_second for case in cases), warm_up + measured, 0)) + 10_000
        bench = Bench(stage, stage.contacts_file(stage.contacts(most)), warm_up, measured)
        runs: dict[Case, list[Repetition]] = {case: [] for case in cases}
        for case in (case for case in cases if case.load in BROKER_WARM_UP_LOADS and not options.quick):
            say(f"warm-up: {case.name}: {_said(bench.run(case, seed=_WARM_UP_SEED))}")
        for repetition in range(options.repetitions()):
            for case in cases:
                outcome = bench.run(case, seed=repetition)
                runs[case].append(outcome)
                say(f"run {repetition + 1}: {case.name}: {_said(outcome)}")
    return report(rates, runs)


def _said(outcome: Repetition) -> str:
    shares = ", ".join(f"{name} {share:.2f}" for name, share in outcome.cpu_share.items())
    return (
        f"{outcome.per_second:,.0f}/s, p50 {outcome.p50_ms:.1f}, p99 {outcome.p99_ms:.1f}, "
        f"p99.9 {outcome.p999_ms:.1f}, max {outcome.max_ms:.0f} ms; "
        f"generator late p99 {outcome.generator_late_p99_ms:.1f} ms; cores: {shares}"
    )


def measured_rates(stage: Stage, options: Options) -> list[float]:
    """Return contacts per second of a router at full speed, exactly once: the loads are shares of their median."""
    contacts = options.contacts_or(RATE_CONTACTS, QUICK_RATE_CONTACTS)
    subject = Subject("router", router_argv(stage.model()))
    rates = []
    dropped = 0 if options.quick else 1  # lets the broker compile what it runs most
    for repetition in range(options.repetitions() + dropped):
        with stage.run(stage.contacts(contacts)) as settings:
            rates.append(measure(stage, settings, subject, contacts).per_second)
        say(f"rate: {rates[-1]:,.0f} contacts/s{' (warm-up, dropped)' if repetition < dropped else ''}")
    return rates[dropped:]


def report(rates: Sequence[float], runs: Mapping[Case, Sequence[Repetition]]) -> Report:
    """Return the report of repetitions by case."""
    fields: dict[str, Any] = {
        "rate_per_second": statistics.median(rates),
        "rates_per_second": list(rates),
        "loads": "shares of the rate at full speed, exactly once, for both deliveries",
    }
    for delivery in DELIVERIES:
        fields[delivery] = {
            f"{case.load:g}": _medians(each) for case, each in runs.items() if case.delivery == delivery
        }
    rows = [
        Row(case.name, tuple(each.p99_ms for each in outcomes), note=_note(fields[case.delivery][f"{case.load:g}"]))
        for case, outcomes in sorted(runs.items(), key=lambda item: (item[0].delivery != DELIVERIES[0], item[0].load))
    ]
    title = "Offered to decision visible (read committed), open loop"
    return Report("latency", title, "p99 ms", rows, fields=fields, draw=lambda figure: draw(figure, runs))


def _medians(outcomes: Sequence[Repetition]) -> dict[str, Any]:
    """Return the medians over repetitions; what was lost or doubled adds up."""
    numbers = ("p50_ms", "p99_ms", "p999_ms", "max_ms", "generator_late_p99_ms")
    return {
        "rate_per_second": statistics.median(each.per_second for each in outcomes),
        **{name: statistics.median(getattr(each, name) for each in outcomes) for name in numbers},
        "lost": sum(each.lost for each in outcomes),
        "doubled": sum(each.doubled for each in outcomes),
        "cpu_share": {
            name: statistics.median(each.cpu_share[name] for each in outcomes) for name in outcomes[0].cpu_share
        },
    }


def _note(medians: Mapping[str, Any]) -> str:
    shares = ", ".join(f"{name} {share:.2f}" for name, share in medians["cpu_share"].items())
    return (
        f"{medians['rate_per_second']:,.0f}/s; p50 {medians['p50_ms']:.1f}, p99.9 {medians['p999_ms']:.1f}, "
        f"max {medians['max_ms']:.0f} ms; cores: {shares}; {medians['lost']} lost, {medians['doubled']} doubled"
    )


def draw(figure: Any, runs: Mapping[Case, Sequence[Repetition]]) -> None:
    """Draw latency over percentile, one curve a case."""
    axes = figure.subplots()
    colours = dict(zip(LOADS, ("#8fb8d4", "#3d82b0", "#123f5e"), strict=True))
    for case, outcomes in runs.items():
        curve = np.median([each.curve for each in outcomes], axis=0)
        style = "-" if case.delivery == "exactly_once" else "--"
        axes.plot(1 / (1 - QUANTILES), curve, style, color=colours[case.load], label=case.name)
    axes.set(xscale="log", yscale="log", xlabel="percentile", ylabel="ms from due to visible")
    shares = (0.5, 0.9, 0.99, 0.999, 0.9999)
    axes.set_xticks([1 / (1 - share) for share in shares], [f"{share * 100:g} %" for share in shares])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
