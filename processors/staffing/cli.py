"""`trunkline wfm staffing`: agents for a load and a target, or what so many agents give, without Kafka."""

from __future__ import annotations

import json
import math
from typing import Any, NamedTuple

import click

from processors.staffing.options import INTERVAL_MINUTES, Goals, aht_seconds, contacts, goals
from schemas.errors import TrunklineError


class _Asked(NamedTuple):
    """The options, as given."""

    contacts: float
    interval_minutes: float
    aht_seconds: float
    agents: int | None
    goals: Goals


class _Answer(NamedTuple):
    """What is printed, under these names with --json."""

    model: str
    traffic_erlangs: float
    agents: int
    scheduled: int
    service_level: float
    occupancy: float
    asa_seconds: float
    wait_probability: float
    abandonment: float
    meets_targets: bool


@click.command()
@contacts("contacts that people get in the interval", required=True)
@INTERVAL_MINUTES
@aht_seconds(required=True)
@goals
@click.option("--agents", type=click.IntRange(0, 1_000_000), help="say what so many give  [default: the least that do]")
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def staffing(*, as_json: bool, **options: Any) -> None:
    """Print the least agents that meet the targets in an interval, and what contacts get from them.

    Without --patience-seconds by Erlang C, in which everybody waits; with it by Erlang A, in which who loses patience
    leaves: that one knows overload. `service_level` is the share answered in time of all contacts offered;
    `asa_seconds` the average wait of the answered, null where the queue grows without end; `agents` are in their
    seats, `scheduled` are paid for. docs/staffing.md has the formulas.

    \b
    Example: 100 calls in half an hour of 3 minutes each, 80 % within 20 seconds:
      trunkline wfm staffing --contacts 100 --interval-minutes 30 --aht-seconds 180
    What 11 agents would give, where callers wait 90 seconds on average before they leave:
      trunkline wfm staffing --contacts 100 --aht-seconds 180 --agents 11 --patience-seconds 90 --json
    Chats, three at once, each of which then lasts 12 minutes:
      trunkline wfm staffing --contacts 100 --aht-seconds 720 --concurrency 3
    """  # noqa: D301 - \b is click's mark for lines that stay as they are
    owed = Goals.taken_from(options)
    asked = _Asked(**options, goals=owed)
    try:
        answer = _answered(asked)
    except TrunklineError as problem:
        raise click.UsageError(
            f"no number of agents: {problem} (--contacts, --interval-minutes, --aht-seconds)"
        ) from problem
    if as_json:
        click.echo(json.dumps({name: _plain(value) for name, value in answer._asdict().items()}))
    else:
        click.echo("\n".join(_lines(asked, answer)))


def _answered(asked: _Asked) -> _Answer:
    from processors.staffing.logic.erlang import (  # noqa: PLC0415 - `--help` need not load scipy
        Load,
        meets,
        performance,
        required,
        scheduled,
    )

    owed = asked.goals
    load = Load(
        contacts_per_minute=asked.contacts / asked.interval_minutes,
        aht_seconds=asked.aht_seconds,
        patience_seconds=owed.patience,
        concurrency=owed.concurrency,
    )
    targets = owed.targets()
    agents: int = required(load, targets) if asked.agents is None else asked.agents
    found = performance(load, agents, owed.within_seconds)
    return _Answer(
        model="erlang_c" if owed.patience_seconds is None else "erlang_a",
        traffic_erlangs=load.traffic_erlangs,
        agents=agents,
        scheduled=scheduled(agents, owed.shrinkage),
        service_level=found.service_level,
        occupancy=found.occupancy,
        asa_seconds=found.asa_seconds,
        wait_probability=found.wait_probability,
        abandonment=found.abandonment,
        meets_targets=meets(load, targets, agents),
    )


def _plain(value: Any) -> Any:
    """Return a value for JSON, which has no infinity."""
    return None if value == math.inf else value


def _lines(asked: _Asked, answer: _Answer) -> list[str]:
    owed = asked.goals
    limits = [f"{owed.service_level:.3g} in {owed.within_seconds:g} s", f"occupancy at most {owed.max_occupancy:g}"]
    if owed.max_asa_seconds is not None:
        limits.append(f"average wait at most {owed.max_asa_seconds:g} s")
    if owed.max_abandonment is not None:
        limits.append(f"abandonment at most {owed.max_abandonment:g}")
    verdict = "enough for" if answer.meets_targets else "too few for"
    word = "the least for" if asked.agents is None else verdict
    asa = f"{answer.asa_seconds:.1f} s" if math.isfinite(answer.asa_seconds) else "without end"
    rows = [
        ("traffic", f"{answer.traffic_erlangs:.4g}", "Erlangs"),
        ("agents", f"{answer.agents}", f"{word} {', '.join(limits)}"),
        ("scheduled", f"{answer.scheduled}", f"with shrinkage {owed.shrinkage:g}"),
        ("service level", f"{answer.service_level:.1%}", f"of all, answered within {owed.within_seconds:g} s"),
        ("occupancy", f"{answer.occupancy:.1%}", "of the agents' time"),
        ("average wait", asa, "of the answered"),
        ("have to wait", f"{answer.wait_probability:.1%}", "of all"),
        ("abandonment", f"{answer.abandonment:.1%}", "of all"),
    ]
    return [f"{name:<14}{figure:>12}  {about}" for name, figure, about in rows]
