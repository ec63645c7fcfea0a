"""`trunkline wfm report`: a day, plan against actual, by stream of contacts."""

from __future__ import annotations

import datetime as dt
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from runtime.errors import SettingsError
from runtime.options import TOOL, with_settings
from runtime.settings import Settings

if TYPE_CHECKING:
    from runtime.snapshot import Snapshot
    from wfm_bridge.report.day import Day, Grain

_EXAMPLE = """\b
Example:
  trunkline wfm report --tenant acme --day 2026-11-27 --time-zone Europe/Berlin
  trunkline wfm report --tenant acme --day 2026-11-27 --by interval --html day.html
"""


_FIRST_YEAR = 1970


class _Date(click.ParamType):
    """A day, as 2026-11-27."""

    name = "date"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dt.date:
        try:
            day = dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no day: write it as 2026-11-27", param, ctx)
        if not _FIRST_YEAR <= day.year < dt.MAXYEAR:
            self.fail(f"{value} is of no year that contacts came in", param, ctx)
        return day


@click.command(epilog=_EXAMPLE)
@with_settings(*TOOL)
@click.option("--tenant", required=True, help="whose contacts")
@click.option("--day", type=_Date(), required=True, metavar="DATE", help="day, as 2026-11-27")
@click.option("--time-zone", default="UTC", show_default=True, help="of which zone, as Europe/Berlin")
@click.option("--by", type=click.Choice(["hour", "interval"]), default="hour", show_default=True, help="how fine")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="write a page with plots to this file")
def report(settings: Settings, tenant: str, day: dt.date, time_zone: str, by: str, html: Path | None) -> None:
    """Print a day by queue: contacts and handle time of people against the plan, people planned against required.

    By stream: what AI contained, assisted and escalated, people alone, deflected, abandoned; with what AI agents were
    out. Without a plan of the day (wfm.plans) it is compared with the same weekday of the week before. docs/export.md
    says what the figures are.
    """
    from wfm_bridge.report.day import Grain  # noqa: PLC0415 - `--help` need not load Kafka's client
    from wfm_bridge.report.words import text, title  # noqa: PLC0415

    made = _day(settings, tenant, day, time_zone, Grain(by))
    if html is None:
        click.echo("\n".join(text(made)))
        return
    from wfm_bridge.formats.files import whole_file  # noqa: PLC0415 - as above
    from wfm_bridge.report.page import page  # noqa: PLC0415

    with whole_file(html) as out:
        out.write(page(made).encode())
    click.echo(f"{html}: {title(made)}")


def _day(settings: Settings, tenant: str, date: dt.date, time_zone: str, grain: Grain) -> Day:
    from runtime.clock import now  # noqa: PLC0415 - as above
    from runtime.once import look_at  # noqa: PLC0415
    from runtime.reading import events  # noqa: PLC0415
    from schemas.agents import Transition  # noqa: PLC0415
    from schemas.topics import CLOCK, HANDLE_TIME, PLANS, POLICY, STAFFING, TRANSITIONS, VOLUME  # noqa: PLC0415
    from schemas.wfm import StaffingRequirement  # noqa: PLC0415
    from wfm_bridge.history.kept import Kept, Span  # noqa: PLC0415
    from wfm_bridge.report.day import Known, day_of, span_of, week_before  # noqa: PLC0415
    from wfm_bridge.report.outages import outages  # noqa: PLC0415
    from wfm_bridge.report.plans import required_people  # noqa: PLC0415

    zone = _zone(time_zone)
    span = span_of(date, zone)
    control = look_at(settings, "report", (POLICY, CLOCK, PLANS))
    at = now(control)
    if span.start >= at:
        raise SettingsError(f"--day {date.isoformat()} is to come in {time_zone}: give one that has begun")
    kept = Kept(Span(week_before(span.start, zone), span.end), tenant)
    told: list[StaffingRequirement] = []
    moves: list[Transition] = []
    for event in events(settings, (VOLUME, HANDLE_TIME, STAFFING, TRANSITIONS), partial(click.echo, err=True)):
        if isinstance(event, Transition) and event.tenant == tenant:
            moves.append(event)
        elif isinstance(event, StaffingRequirement) and event.tenant == tenant:
            told.append(event)
        else:
            kept.take(event)
    policy = control.of(POLICY).get(tenant)
    if policy is None and not kept.volumes:
        raise _unknown(tenant, control)
    known = Known(
        kept=kept,
        plans=control.of(PLANS).values(),
        required=required_people(told),
        outages=outages(moves, policy, span.start, min(span.end, at)),
        queues=[each.queue for each in policy.queues] if policy else [],
    )
    return day_of(tenant, date, zone, grain, at, known)


def _unknown(tenant: str, control: Snapshot) -> SettingsError:
    from schemas.topics import POLICY  # noqa: PLC0415 - as above

    names = ", ".join(sorted(control.of(POLICY))) or "none"
    return SettingsError(f"{tenant!r} has no policy, and no contacts of that day; tenants with a policy: {names}")


def _zone(name: str) -> Any:
    from schemas.hours import zone  # noqa: PLC0415 - as above

    try:
        return zone(name)
    except (KeyError, ValueError, OSError) as problem:
        raise SettingsError(f"--time-zone {name!r} is not known: give one as Europe/Berlin, or UTC") from problem
