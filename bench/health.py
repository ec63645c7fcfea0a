"""How soon a failing AI agent is noticed, how often a well one is suspected: Trunkline's rule beside two in wide use.

Simulated agents and faults (`bench/health.yaml`), the same contacts before each rule. `python -m bench.health
--scenario silent_wrong --runs 50 --seed 0` plays one scenario from a seed on, for tuning; the suite reports on seeds
from 1,000, so tune below.
"""

from __future__ import annotations

import collections
import dataclasses
import functools
import math
import time
from collections.abc import Mapping, Sequence

import click

from bench.fleet.findings import HealthReport, draw, fields, note
from bench.fleet.parameters import scenarios
from bench.fleet.runs import RULES, Job, Run, play_all
from bench.fleet.scores import detections, score
from bench.options import Options
from bench.report import Report, Row
from bench.stage import say

FIRST_SEED = 1000
"""Seeds below are for tuning."""
RUNS, QUICK_RUNS = 200, 4
DAYS, QUICK_HOURS = 28, 8.0
HEALTHY = "healthy"


def run(options: Options) -> Report:
    """Play every scenario; `quick` in a minute. The numbers of contacts and repetitions are the suite's own."""
    return report(played(jobs(quick=options.quick)))


def report(runs: Mapping[str, Sequence[Run]]) -> Report:
    """Score the runs of each scenario under every rule."""
    scores = {name: {rule: score(of, rule) for rule in RULES} for name, of in runs.items()}
    rows = [
        Row(f"{name}: {rule}", found, note=f"{missed} missed")
        for name, of in runs.items()
        for rule in RULES
        if (found := tuple(each for each in detections(of, rule) if math.isfinite(each)))
        for missed in [scores[name][rule].missed]
    ]
    return HealthReport(
        "health",
        "Failing AI agents: time to detect, false alarms, recovery, contacts harmed",
        "seconds to detect",
        rows,
        fields=fields(scores),
        draw=functools.partial(draw, scores),
        scores=scores,
        note=note(scores),
    )


def jobs(*, quick: bool) -> list[Job]:
    """Return all runs of the suite, the longest first."""
    names = scenarios()
    healthy = [name for name in reversed(names) if name.startswith(HEALTHY)]
    faulty = [name for name in names if not name.startswith(HEALTHY)]
    days, hours = (1, QUICK_HOURS) if quick else (DAYS, None)
    runs = QUICK_RUNS if quick else RUNS
    return [
        *(Job(name, FIRST_SEED + day, hours=hours) for name in healthy for day in range(days)),
        *(Job(name, FIRST_SEED + run) for name in faulty for run in range(runs)),
    ]


def played(todo: Sequence[Job], processes: int | None = None) -> dict[str, list[Run]]:
    """Play runs, say how it goes, and return them by scenario, in the file's order."""
    runs: dict[str, list[Run]] = {name: [] for name in scenarios() if any(job.scenario == name for job in todo)}
    waiting = collections.Counter(job.scenario for job in todo)
    began = time.monotonic()
    for done, run in enumerate(play_all(todo, processes), start=1):
        runs[run.scenario].append(run)
        waiting[run.scenario] -= 1
        if not waiting[run.scenario] or done % 50 == 0:
            say(f"{done} of {len(todo)} runs after {time.monotonic() - began:.0f} s, last of {run.scenario}")
    return {name: sorted(of, key=lambda run: run.seed) for name, of in runs.items()}


@click.command(help="Play one scenario and print what was detected when; for tuning, on seeds below 1,000.")
@click.option("--scenario", type=click.Choice(list(scenarios())), required=True)
@click.option("--runs", type=click.IntRange(min=1), default=20, show_default=True, help="seeds; days of a healthy one")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="the first")
@click.option("--hours", type=float, help="hours of a healthy run, in place of a day")
@click.option("--rule", "rules", type=click.Choice(RULES), multiple=True, default=("trunkline",), show_default=True)
@click.option("--processes", type=click.IntRange(min=1), help="at once, in place of one per core")
def tune(
    scenario: str, runs: int, seed: int, hours: float | None, rules: tuple[str, ...], processes: int | None
) -> None:
    """Print the quantiles of one scenario."""
    todo = [Job(scenario, seed + run, rules, hours) for run in range(runs)]
    found = played(todo, processes)[scenario]
    for rule in rules:
        click.echo(f"{scenario}, seeds {seed} to {seed + runs - 1}, {rule}")
        for name, value in dataclasses.asdict(score(found, rule)).items():
            click.echo(f"  {name:26} {value if not isinstance(value, float) else round(value, 2)}")
        reasons = collections.Counter(_first_move(run, rule) for run in found)
        click.echo(f"  first moves (before | after the fault began): {dict(reasons.most_common())}")


def _first_move(run: Run, rule: str) -> str:
    begins = run.seconds if run.begins is None else run.begins
    before = [f"{each.state} {each.reason}" for each in run.watched[rule].stretches if each.at < begins]
    after = [f"{each.state} {each.reason}" for each in run.watched[rule].stretches if each.at >= begins]
    return f"{(before or ['-'])[0]} | {(after or ['-'])[0]}"


if __name__ == "__main__":
    tune()
