"""`trunkline wfm what-if`: people required as AI is, and as it might be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Collection, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

import click
from click.core import ParameterSource

from processors.staffing.options import INTERVAL_MINUTES, SECONDS, SHARE, Goals, aht_seconds, contacts, goals
from runtime.options import TOOL, Moment, with_settings
from runtime.settings import Settings
from schemas.errors import TrunklineError

if TYPE_CHECKING:
    from trunkline.what_if.base import Base
    from trunkline.what_if.changes import Wanted
    from wfm_bridge.history.versions import Versions

_LOAD = ("containment_now", "watched_now", "sessions_per_supervisor", "aht_seconds", "interval_minutes", *Goals._fields)
"""Options that describe a load by hand."""
_RUNNING = ("bootstrap", "prefix", "tenant", "hours", "interval", "model", "model_containment", "model_ai_seconds")
"""Options about what runs."""
_WORDS = "pilot|scaling|maturity|full|semi|autonomous"

_EXAMPLE = """\b
Examples:
  Containment falls from 70 % to 60 %, where 400 contacts come in half an hour:
    trunkline wfm what-if --contacts 400 --aht-seconds 300 --containment-now 0.7 --containment 0.6
  Of what runs: refunds are contained 10 points less, and are not watched any more:
    trunkline wfm what-if --tenant acme --containment -10 --intent refund --phase refund=maturity
  Tomorrow at 10 as planned, with version 2 of an agent, and half of AI's capacity:
    trunkline wfm what-if --tenant acme --interval 2026-12-01T10:00Z --model nova=2 --ai-capacity 50%
"""


class _Containment(NamedTuple):
    """A share, or points more or less (0.1 for 10)."""

    share: float | None
    by: float


class _ContainmentType(click.ParamType):
    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> _Containment:
        if isinstance(value, _Containment):
            return value
        number = _number(value.removesuffix("%"))
        if value[:1] in ("+", "-"):
            if 1 <= abs(number) <= 100 and not value.endswith("%"):  # noqa: PLR2004 - points
                return _Containment(None, number / 100)
            self.fail(f"{value} is not points from 1 to 100, such as -10 or +5; or give a share", param, ctx)
        share = number / 100 if value.endswith("%") else number
        if not 0 <= share <= 1:
            self.fail(f"{value} is not a share such as 0.6 or 60%, nor points such as -10 or +5", param, ctx)
        return _Containment(share, 0.0)


class _Pair(click.ParamType):
    """NAME=VALUE, the value one of some words where these are given."""

    name = "pair"

    def __init__(self, example: str, words: Collection[str] = ()) -> None:
        self._example = example
        self._words = words

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, _, word = value.rpartition("=")
        if not name or not word or (self._words and word not in self._words):
            of = f", of {', '.join(self._words)}" if self._words else ""
            self.fail(f"{value!r} is not as {self._example}{of}", param, ctx)
        return name, word


class _CapacityType(click.ParamType):
    """50%, 40 (contacts at once) or 30/min, as fields of `Limit`."""

    name = "capacity"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> Mapping[str, float | int]:
        if isinstance(value, Mapping):
            return value
        found = re.fullmatch(r"(\d+(?:\.\d+)?)(%|/min)?", value)
        unit = found[2] if found else None
        if found and unit == "%":
            return {"share": float(found[1]) / 100}
        if found and unit == "/min":
            return {"per_minute": float(found[1])}
        if found and found[1].isdigit() and int(found[1]) <= 1_000_000:  # noqa: PLR2004 - erlang's MAX_AGENTS
            return {"at_once": int(found[1])}
        return self.fail(f"{value} is not as 50%, 40 (contacts at once) or 30/min", param, ctx)


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


@click.command(epilog=_EXAMPLE)
@contacts(
    "a load by hand: contacts that AI gets in the interval  [default: what runs is read from Kafka]", required=False
)
@INTERVAL_MINUTES
@aht_seconds(required=False)
@click.option("--containment-now", type=SHARE, default=0.7, show_default=True, help="share that AI contains")
@click.option("--watched-now", type=SHARE, default=0.0, show_default=True, help="share of AI's that a person watches")
@click.option(
    "--sessions-per-supervisor",
    type=click.IntRange(3, 8),
    default=5,
    show_default=True,
    help="contacts that a person watches at once",
)
@goals
@with_settings(*TOOL)
@click.option("--tenant", help="whose contacts  [default: of the only policy]")
@click.option("--hours", type=click.IntRange(1, 8760), default=24, show_default=True, help="read the last so many")
@click.option(
    "--interval",
    type=Moment(),
    metavar="TIME",
    help="the 15 minutes with this instant in them: as measured, or as planned where they are to come",
)
@click.option(
    "--ai-seconds", type=SECONDS, default=180.0, show_default=True, help="how long AI has a contact, if not measured"
)
@click.option(
    "--model", type=_Pair("nova=2"), metavar="ENDPOINT=VERSION", help="change: a version has all its contacts"
)
@click.option("--model-containment", type=SHARE, help="what it contains  [default: as measured]")
@click.option("--model-ai-seconds", type=SECONDS, help="how long it has a contact  [default: as measured]")
@click.option(
    "--containment", type=_ContainmentType(), metavar="X", help="change: a share (0.6, 60%) or points (-10, +5)"
)
@click.option("--queue", "queues", multiple=True, help="change containment of this queue alone; may be repeated")
@click.option("--intent", "intents", multiple=True, help="change containment of this intent alone; may be repeated")
@click.option(
    "--phase",
    "phases",
    type=_Pair("refund=scaling, or *=scaling for all", _WORDS.split("|")),
    multiple=True,
    metavar=f"INTENT={_WORDS}",
    help="change: how closely AI is watched; may be repeated",
)
@click.option(
    "--ai-capacity",
    type=_CapacityType(),
    metavar="X",
    help="change: contacts that AI has at once (40), a share of those of now (50%), or takes in a minute (30/min)",
)
@click.option("--json", "as_json", is_flag=True, help="print JSON")
def what_if(settings: Settings, *, as_json: bool, **options: Any) -> None:
    """Print the people required by queue as AI is, and as it might be: contacts for people, agents, and the difference.

    As it is: a load by hand (--contacts), or what the topics hold of contacts, people, plans and the policy. Changes
    are laid on it in this order: model, containment, phase, AI's capacity. The last lines say which figures were
    measured, and which are defaults. Agents are in their seats, scheduled are paid for, both by the formulas of `wfm
    staffing`. docs/staffing.md says what is reckoned how.
    """
    from trunkline.what_if.changes import told_of  # noqa: PLC0415 - `--help` need not load scipy
    from trunkline.what_if.words import plain, text  # noqa: PLC0415

    _check(options)
    goals_given = Goals.taken_from(options)
    wanted = _wanted(options)
    if options["contacts"] is None:
        base, versions = _from_kafka(settings, options)
    else:
        base, versions = _by_hand(options, goals_given), None
    answer = _answered(base, wanted, versions)
    base = base._replace(sources=[*base.sources, *told_of(wanted, versions)])
    click.echo(json.dumps(plain(base, answer)) if as_json else "\n".join(text(base, answer)))


def _check(options: Mapping[str, Any]) -> None:
    """Refuse what has no meaning together."""
    by_hand = options["contacts"] is not None
    for name in filter(_is_given, _RUNNING if by_hand else _LOAD):
        raise click.UsageError(
            f"{_option(name)} is about what runs, and --contacts gives a load by hand: leave one of the two out"
            if by_hand
            else f"{_option(name)} is of a load by hand, and needs --contacts; what runs has the policy's and its own"
        )
    if by_hand and options["aht_seconds"] is None:
        raise click.UsageError("--contacts needs --aht-seconds: people's handle time, as 300")
    if options["containment"] is None and (options["queues"] or options["intents"]):
        raise click.UsageError("--queue and --intent say where containment changes: give --containment as well")
    supposed = (options["model_containment"], options["model_ai_seconds"])
    if options["model"] is None and supposed != (None, None):
        raise click.UsageError("--model-containment and --model-ai-seconds are of a version: name it with --model")
    if not any(options[name] for name in ("model", "containment", "phases", "ai_capacity")):
        raise click.UsageError("nothing is to change: give --containment, --phase, --model or --ai-capacity")


def _is_given(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _wanted(options: Mapping[str, Any]) -> Wanted:
    from processors.staffing.logic.changes import Contain, Limit, Scope  # noqa: PLC0415 - as above
    from trunkline.what_if.changes import Model, Wanted  # noqa: PLC0415

    model, containment, capacity = options["model"], options["containment"], options["ai_capacity"]
    return Wanted(
        model and Model(model[0], model[1], options["model_containment"], options["model_ai_seconds"]),
        containment and Contain(Scope(options["queues"], options["intents"]), *containment),
        options["phases"],
        capacity and Limit(**capacity),
    )


def _by_hand(options: Mapping[str, Any], owed: Goals) -> Base:
    from trunkline.what_if.base import Basis, Given, Source, given  # noqa: PLC0415 - as above

    values = {**options, **owed._asdict()}
    told: dict[Basis, list[str]] = {Basis.GIVEN: [], Basis.DEFAULT: []}
    for name in ("contacts", *_LOAD, "ai_seconds"):
        if values[name] is not None:
            told[Basis.GIVEN if _is_given(name) else Basis.DEFAULT].append(f"{_option(name)} {values[name]:g}")
    return given(
        Given(
            contacts=options["contacts"],
            interval_minutes=options["interval_minutes"],
            aht_seconds=options["aht_seconds"],
            containment=options["containment_now"],
            watched=options["watched_now"],
            ai_seconds=options["ai_seconds"],
            sessions_per_supervisor=options["sessions_per_supervisor"],
            goals=owed,
            sources=[Source(basis, ", ".join(each)) for basis, each in told.items() if each],
        )
    )


def _from_kafka(settings: Settings, options: Mapping[str, Any]) -> tuple[Base, Versions | None]:
    from trunkline.what_if.running import Asked, running  # noqa: PLC0415 - as above

    model = options["model"]
    asked = Asked(options["tenant"], options["hours"], options["interval"], model and model[0], options["ai_seconds"])
    return running(settings, asked, partial(click.echo, err=True))


def _answered(base: Base, wanted: Wanted, versions: Versions | None) -> Any:
    from processors.staffing.logic.changes import after  # noqa: PLC0415 - as above
    from processors.staffing.logic.erlang import ErlangInputError  # noqa: PLC0415
    from processors.staffing.logic.what_if import compare  # noqa: PLC0415
    from trunkline.what_if.changes import changes_of  # noqa: PLC0415

    try:
        return compare(base.centre, after(base.centre, changes_of(wanted, base, versions)))
    except ErlangInputError as problem:
        where = "the policy's queue, or --interval" if base.policy else "--contacts, --interval-minutes, --aht-seconds"
        raise click.UsageError(f"{problem} ({where})") from problem
    except TrunklineError as problem:
        raise click.UsageError(str(problem)) from problem
