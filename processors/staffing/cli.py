"""`trunkline wfm staffing`: agents for a load and a target, or what so many agents give, without Kafka."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import click

from schemas.errors import TrunklineError


class _Range(click.ParamType):
    """A finite number in a range; the refusal says which numbers make sense."""

    name = "number"

    def __init__(self, is_good: Callable[[float], bool], wanted: str) -> None:
        self._is_good = is_good
        self._wanted = wanted

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and self._is_good(number)):
            self.fail(f"{value} is not {self._wanted}", param, ctx)
        return number


_COUNT = _Range(lambda number: number >= 0, "a number, 0 or more")
_SECONDS = _Range(lambda number: number > 0, "seconds above 0")
_MINUTES = _Range(lambda number: number > 0, "minutes above 0, such as 30")
_TIME = _Range(lambda number: number >= 0, "seconds, 0 or more")
_SHARE = _Range(lambda number: 0 <= number <= 1, "a share from 0 to 1, such as 0.8 for 80 %")
_BUSY = _Range(lambda number: 0 < number <= 1, "a share above 0, at most 1, such as 0.85 for 85 %")
_AWAY = _Range(lambda number: 0 <= number < 1, "a share from 0 to under 1, such as 0.3 for 30 %")


class _Asked(NamedTuple):
    """The options, as given."""

    contacts: float
    interval_minutes: float
    aht_seconds: float
    service_level: float
    within_seconds: float
    max_occupancy: float
    max_asa_seconds: float | None
    max_abandonment: float | None
    patience_seconds: float | None
    concurrency: int
    shrinkage: float
    agents: int | None


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
@click.option("--contacts", type=_COUNT, required=True, help="contacts that people get in the interval")
@click.option("--interval-minutes", type=_MINUTES, default=30.0, show_default=True, help="length of the interval")
@click.option("--aht-seconds", type=_SECONDS, required=True, help="average handle time: talk and wrap")
@click.option("--service-level", type=_SHARE, default=0.8, show_default=True, help="share to be answered in time")
@click.option("--within-seconds", type=_TIME, default=20.0, show_default=True, help="in that time")
@click.option("--max-occupancy", type=_BUSY, default=0.85, show_default=True, help="share of agents' time on contacts")
@click.option("--max-asa-seconds", type=_SECONDS, help="average wait of the answered, at most")
@click.option("--max-abandonment", type=_SHARE, help="share that leaves unanswered, at most; needs --patience-seconds")
@click.option("--patience-seconds", type=_SECONDS, help="mean time after which callers leave  [default: never]")
@click.option(
    "--concurrency",
    type=click.IntRange(1, 100),
    default=1,
    show_default=True,
    help="chats that an agent has at once; --aht-seconds is then how long a chat lasts beside the others",
)
@click.option("--shrinkage", type=_AWAY, default=0.3, show_default=True, help="share of paid time away from contacts")
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
    asked = _Asked(**options)
    if asked.max_abandonment is not None and asked.patience_seconds is None:
        raise click.UsageError(
            "--max-abandonment without --patience-seconds asks for nothing: give the patience, or leave it out"
        )
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
        Targets,
        meets,
        performance,
        required,
        scheduled,
    )

    load = Load(
        contacts_per_minute=asked.contacts / asked.interval_minutes,
        aht_seconds=asked.aht_seconds,
        patience_seconds=math.inf if asked.patience_seconds is None else asked.patience_seconds,
        concurrency=asked.concurrency,
    )
    targets = Targets(
        service_level=asked.service_level,
        within_seconds=asked.within_seconds,
        max_occupancy=asked.max_occupancy,
        max_asa_seconds=math.inf if asked.max_asa_seconds is None else asked.max_asa_seconds,
        max_abandonment=1.0 if asked.max_abandonment is None else asked.max_abandonment,
    )
    agents: int = required(load, targets) if asked.agents is None else asked.agents
    found = performance(load, agents, asked.within_seconds)
    return _Answer(
        model="erlang_c" if asked.patience_seconds is None else "erlang_a",
        traffic_erlangs=load.traffic_erlangs,
        agents=agents,
        scheduled=scheduled(agents, asked.shrinkage),
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
    limits = [f"{asked.service_level:.3g} in {asked.within_seconds:g} s", f"occupancy at most {asked.max_occupancy:g}"]
    if asked.max_asa_seconds is not None:
        limits.append(f"average wait at most {asked.max_asa_seconds:g} s")
    if asked.max_abandonment is not None:
        limits.append(f"abandonment at most {asked.max_abandonment:g}")
    verdict = "enough for" if answer.meets_targets else "too few for"
    word = "the least for" if asked.agents is None else verdict
    asa = f"{answer.asa_seconds:.1f} s" if math.isfinite(answer.asa_seconds) else "without end"
    rows = [
        ("traffic", f"{answer.traffic_erlangs:.4g}", "Erlangs"),
        ("agents", f"{answer.agents}", f"{word} {', '.join(limits)}"),
        ("scheduled", f"{answer.scheduled}", f"with shrinkage {asked.shrinkage:g}"),
        ("service level", f"{answer.service_level:.1%}", f"of all, answered within {asked.within_seconds:g} s"),
        ("occupancy", f"{answer.occupancy:.1%}", "of the agents' time"),
        ("average wait", asa, "of the answered"),
        ("have to wait", f"{answer.wait_probability:.1%}", "of all"),
        ("abandonment", f"{answer.abandonment:.1%}", "of all"),
    ]
    return [f"{name:<14}{figure:>12}  {about}" for name, figure, about in rows]
