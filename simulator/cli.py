"""Commands of the simulator: `trunkline simulate` and `trunkline simulate-fault`."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from runtime.options import TOOL, with_settings
from runtime.settings import Settings
from schemas.control import FaultKind
from simulator.app import Simulation, order_fault
from simulator.centre import (
    DEFAULT_QA_AFTER_SECONDS,
    DEFAULT_QA_SHARE,
    DEFAULT_RATED_SHARE,
    DEFAULT_SUPERVISORS,
)
from simulator.options import Options, parse_fault, parse_people
from simulator.people import CALLBACK_SECONDS
from simulator.report import Progress
from simulator.utterances import DEFAULT_FILE

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_SHARE = click.FloatRange(0.0, 1.0)
_ABOVE_ZERO = click.FloatRange(min=0.0, min_open=True)


@click.command()
@with_settings(*TOOL)
@click.option("--tenant", default="demo", show_default=True, help="Tenant of the contacts.")
@click.option("--utterances", type=_FILE, default=DEFAULT_FILE, show_default="a set of its own",
              help="What customers say: CSV text,intent.")  # fmt: skip
@click.option("--arrivals", type=_FILE, help="Expected contacts per interval: CSV interval_start,calls (UTC).")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="Day to play; time starts at its midnight, UTC.")
@click.option("--rate", type=_ABOVE_ZERO, show_default="10",
              help="Contacts per virtual second, Poisson.")  # fmt: skip
@click.option("--duration", type=_ABOVE_ZERO, help="Stop offering after so many virtual seconds.")
@click.option("--contacts", type=click.IntRange(min=0), help="Stop offering after so many contacts.")
@click.option("--speed", type=_ABOVE_ZERO, default=1.0, show_default=True, help="Virtual seconds per real second.")
@click.option("--pace", type=_ABOVE_ZERO, default=1.0, show_default=True, help="Factor on all handling durations.")
@click.option("--people", "people_per_queue", type=click.IntRange(min=0), default=50, show_default=True,
              help="People in each queue.")  # fmt: skip
@click.option("--people-in", metavar="QUEUE=N", multiple=True, help="People in one queue. Repeatable.")
@click.option("--offer-twice", type=_SHARE, default=0.0, help="Share of contacts that are offered a second time.")
@click.option("--change-matter", type=_SHARE, default=0.0,
              help="Share of AI contacts that turn to another matter half-way, for another agent.")  # fmt: skip
@click.option("--supervisors", type=click.IntRange(min=0), default=DEFAULT_SUPERVISORS, show_default=True,
              help="Supervisors who come, where the policy has sessions_per_supervisor.")  # fmt: skip
@click.option("--qa-share", type=_SHARE, default=DEFAULT_QA_SHARE, show_default=True,
              help="Share of contacts finished by AI that QA labels.")  # fmt: skip
@click.option("--qa-after", "qa_after_seconds", type=click.FloatRange(min=0.0), default=DEFAULT_QA_AFTER_SECONDS,
              show_default=True, help="Virtual seconds from the end of a contact to its label.")  # fmt: skip
@click.option("--rated-share", type=_SHARE, default=DEFAULT_RATED_SHARE, show_default=True,
              help="Share of contacts with AI that the customer rates.")  # fmt: skip
@click.option("--callback-within", "callback_seconds", type=_ABOVE_ZERO, default=CALLBACK_SECONDS, show_default=True,
              help="Seconds at pace 1 after which a promised callback is given up.")  # fmt: skip
@click.option("--malformed", type=_SHARE, default=0.0, help="Malformed records per contact, beside the contacts.")
@click.option("--fault", metavar="ENDPOINT:KIND[:SEVERITY]@START+DURATION", multiple=True,
              help="Fault of an AI endpoint, in virtual seconds after traffic starts. Repeatable.")  # fmt: skip
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed offers the same contacts.")
@click.option("--run-id", show_default="from the seed and the time",
              help="Prefix of the interaction ids, unique.")  # fmt: skip
@click.option("--drain-seconds", type=click.FloatRange(min=0.0),
              show_default="60 + 1800 x pace / speed",
              help="Longest real time from the last offer to the end.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON; progress goes to standard error.")
def simulate(
    settings: Settings, *, as_json: bool, day: datetime | None, rate: float | None, duration: float | None,
    people_in: tuple[str, ...], fault: tuple[str, ...], **plain: Any,
) -> None:  # fmt: skip
    """Offer contacts, play the AI fleet turn by turn, the people, and supervisors where there are any.

    Warm transfers, handovers, verdicts, holds, callbacks and deflections are obeyed; packets of transfers are
    acknowledged, and probes wanted of agents made. Ends when every contact is closed; labels of QA that are due later
    are not written. Exit code 1 where contacts are open, and it was not stopped.
    """
    options = Options(
        day=day.date() if day is not None else None,
        rate_per_second=rate,
        duration_seconds=duration,
        people=parse_people(people_in),
        faults=tuple(parse_fault(text) for text in fault),
        **plain,
    )

    def report(progress: Progress) -> None:
        click.echo(f"{_clock_time(progress.now)} {progress.line()}", err=as_json)

    with _stopped_by_signal() as stop:
        summary = Simulation(settings, options, stop, report).run()
    click.echo(json.dumps(summary.as_json()) if as_json else "\n".join(summary.lines()))
    if options.sets_clock:
        click.echo(
            "Trunkline's time still runs as it was set; the next run without --day and --speed resets it", err=True
        )
    if not summary.complete and not summary.stopped:
        sys.exit(1)


@contextlib.contextmanager
def _stopped_by_signal() -> Iterator[threading.Event]:
    """Give an event that SIGINT and SIGTERM set, and put their old handlers back."""
    stop = threading.Event()
    old = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)


def _clock_time(micros: int) -> str:
    return datetime.fromtimestamp(micros / 1e6, UTC).isoformat(sep=" ", timespec="seconds").removesuffix("+00:00")


@click.command("simulate-fault")
@with_settings(*TOOL)
@click.argument("endpoint")
@click.argument("kind", type=click.Choice([kind.value for kind in FaultKind]))
@click.option("--severity", type=click.FloatRange(min=0.0),
              show_default="0.6, wrong_answers 0.8, latency 5",
              help="Share of turns hit, or factor on latency.")  # fmt: skip
def simulate_fault(settings: Settings, endpoint: str, kind: str, severity: float | None) -> None:
    """Make ENDPOINT of the running simulation misbehave from now on; the kind `none` heals it."""
    fault = order_fault(settings, endpoint, FaultKind(kind), severity)
    click.echo(f"{fault.endpoint}: {fault.kind}, severity {fault.severity:g}, at {_clock_time(fault.occurred_at)}")
