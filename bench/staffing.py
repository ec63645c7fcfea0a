"""Staffing mathematics: solutions a second, and how exact they are beside sums and simulations.

A solution is the inverse: agents for a target. What is measured is one batched call with 10,000 loads that need 1
to 500 agents. Accuracy needs no clock: three tables, also in the JSON, are the same on any machine.
"""

from __future__ import annotations

import dataclasses
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.options import Options
from bench.queueing.outage import Followed, followed
from bench.queueing.steady import FIGURES, QUICK_SIZES, SEED, SIZES, Off, Seen, against_simulations, against_sums
from bench.report import Report, Row
from bench.stage import say
from processors.staffing.logic.erlang import Load, Targets, performance, required

SOLUTIONS, QUICK_SOLUTIONS = 10_000, 1_000
MOST_AGENTS = 500
AHT_SECONDS, PATIENCE_SECONDS = 300.0, 120.0
_REFERENCE = "Erlang C: agents for 80 % in 20 s"
_QUEUES = ((1, 0.7), (5, 0.8), (20, 0.85), (50, 0.9), (200, 0.95))
"""Agents, and traffic an agent, of the queues that ciw simulates; with patience, a third more traffic."""
_LARGE = ((1_000, 0.97, math.inf), (1_000, 1.15, 0.4), (5_000, 1.0, 0.4), (5_000, 1.15, 0.4))
"""With patience in handle times. Loads at which waiting is no rare event, for of such a run holds too few."""
_PATIENCE, _MORE = 0.4, 4 / 3
_OUTAGES = ((200, 1_000), (1_000, 200), (5_000, 40))
"""Agents, and runs of the simulation: so many that its error is a percent or two."""


def run(options: Options) -> Report:
    """Measure speed as often as asked, accuracy once; print the tables of accuracy."""
    quick = options.quick
    sums = list(against_sums(QUICK_SIZES if quick else SIZES))
    _print_sums(sums)
    seen = list(_simulations(quick=quick))
    _print_seen(seen)
    outages = list(_outages(quick=quick))
    _print_outages(outages)
    subjects = _subjects(options.contacts_or(SOLUTIONS, QUICK_SOLUTIONS))
    rates: dict[str, list[float]] = {name: [] for name in subjects}
    for repetition in range(options.repetitions()):
        for name, (solve, count) in subjects.items():
            rates[name].append(count / _seconds(solve))
        say(f"run {repetition + 1} of {options.repetitions()}: {rates[_REFERENCE][-1]:,.0f} Erlang C solutions/s")
    fields = {
        "seed": SEED,
        "sums": [each._asdict() for each in sums],
        "simulations": [{**each._asdict(), "agrees": each.agrees} for each in seen],
        "outages": [each._asdict() for each in outages],
    }
    return _report({name: (rates[name], count) for name, (_, count) in subjects.items()}, _finite(fields))


def _subjects(count: int) -> dict[str, tuple[Callable[[], Any], int]]:
    """Return what is timed, and the solutions in it."""
    rng = np.random.default_rng(SEED)
    agents = np.arange(count) % MOST_AGENTS + 1
    rates = agents * rng.uniform(0.5, 0.97, count) / AHT_SECONDS * 60.0
    waiting, leaving = Load(rates, AHT_SECONDS), Load(rates, AHT_SECONDS, PATIENCE_SECONDS)
    free = Targets(max_occupancy=1.0)
    quick = dataclasses.replace(free, max_asa_seconds=10.0)
    one = Load(40.0, AHT_SECONDS)
    return {
        _REFERENCE: (lambda: required(waiting, free), count),
        "Erlang C: with occupancy at most 0.85": (lambda: required(waiting, Targets()), count),
        "Erlang A: agents for 80 % in 20 s": (lambda: required(leaving, free), count),
        "Erlang A: and ASA at most 10 s": (lambda: required(leaving, quick), count),
        "Erlang C: what given agents give": (lambda: performance(waiting, agents), count),
        "Erlang A: what given agents give": (lambda: performance(leaving, agents), count),
        "Erlang C: one load a call": (lambda: [required(one, free) for _ in range(100)], 100),
    }


def _seconds(solve: Callable[[], Any]) -> float:
    began = time.perf_counter()
    solve()
    return time.perf_counter() - began


def _simulations(*, quick: bool) -> Sequence[Seen]:
    queues = _QUEUES[1:3] if quick else _QUEUES
    both = [
        each
        for agents, load in queues
        for each in ((agents, load, math.inf), (agents, min(load * _MORE, 1.15), _PATIENCE))
    ]
    runs, contacts = (5, 1_000) if quick else (20, 10_000)
    both += () if quick else _LARGE
    say(f"simulating {len(both)} queues, {runs} runs of {contacts:,} contacts each")
    return list(against_simulations(both, runs, contacts, most_for_ciw=_QUEUES[-1][0]))


def _outages(*, quick: bool) -> Sequence[Followed]:
    told: list[Followed] = []
    for agents, runs in ((200, 20),) if quick else _OUTAGES:
        for patience in (math.inf, PATIENCE_SECONDS):
            for more in (1.3, 1.6):
                say(f"simulating an outage: {agents:,} agents, {runs} runs")
                told += followed(agents, patience, more, runs)
    return told


def _report(rates: dict[str, tuple[list[float], int]], fields: dict[str, Any]) -> Report:
    rows = [Row(name, tuple(values), note=f"{count:,} a call") for name, (values, count) in rates.items()]
    return Report("staffing", "Staffing mathematics: solutions a second", "solutions/s", rows, _REFERENCE, fields)


def _finite(value: Any) -> Any:
    """Return the value for JSON, which has no infinity: endless patience is null."""
    if isinstance(value, dict):
        return {name: _finite(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _print_sums(rows: Sequence[Off]) -> None:
    table = _table(
        "Largest errors against sums in 40 digits: relative, of the service level absolute", ("model", "agents")
    )
    for name in FIGURES:
        table.add_column(name, justify="right")
    for row in rows:
        table.add_row(row.model, f"{row.agents:,}", *(f"{row.errors[name]:.0e}" for name in FIGURES))
    _print(table)


def _print_seen(rows: Sequence[Seen]) -> None:
    agreed = sum(row.agrees for row in rows)
    title = f"Beside simulations, 99 % confidence: {agreed} of {len(rows)} figures agree"
    table = _table(title, ("agents", "load", "patience / AHT", "figure"))
    for name in ("formula", "heap simulation", "ciw", ""):
        table.add_column(name, justify="right")
    for row in rows:
        patience = "endless" if math.isinf(row.patience) else f"{row.patience:g}"
        peer = "" if row.ciw is None else f"{row.ciw[0]:.4g} ± {row.ciw[1]:.2g}"
        cells = (f"{row.formula:.4g}", f"{row.heap[0]:.4g} ± {row.heap[1]:.2g}", peer, "" if row.agrees else "!")
        table.add_row(f"{row.agents:,}", f"{row.load:.3g}", patience, row.figure, *cells)
    _print(table)


def _print_outages(rows: Sequence[Followed]) -> None:
    title = "An hour of overload, means over it: simulated, and each model with its distance (of shares in points)"
    table = _table(title, ("agents", "load", "patience", "figure"))
    names = tuple(dict.fromkeys(name for row in rows for name in row.models))
    for name in ("simulated", *names):
        table.add_column(name, justify="right")
    for row in rows:
        patience = "endless" if math.isinf(row.patience) else f"{row.patience:g} s"
        if row.figure == "abandonment" and math.isinf(row.patience):
            continue
        cells = [_beside(row, row.models[name]) if name in row.models else "" for name in names]
        simulated = f"{row.simulated:.4g} ± {row.standard_error:.1g}"
        table.add_row(f"{row.agents:,}", f"x {row.more:g}", patience, row.figure, simulated, *cells)
    _print(table)


def _beside(row: Followed, value: float) -> str:
    off = value - row.simulated
    is_share = row.figure in ("within 20 s", "abandonment")
    return f"{value:.4g} ({off * 100:+.1f})" if is_share else f"{value:.4g} ({off / row.simulated:+.1%})"


def _table(title: str, left: Sequence[str]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for name in left:
        table.add_column(name, no_wrap=True)
    return table


def _print(table: Table) -> None:
    Console(width=None if sys.stdout.isatty() else 170).print(table, highlight=False)
