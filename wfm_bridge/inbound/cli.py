"""`trunkline wfm availability|plan|schedule`: what WFM says, from the command line and from CSV files."""

from __future__ import annotations

import contextlib
import datetime as dt
import re
from collections.abc import Iterator, Sequence
from typing import Any

import click

from runtime.options import TOOL, Moment, with_settings
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from schemas.control import Availability
from schemas.envelope import iso_time
from schemas.fields import MICROS_PER_SECOND
from schemas.topics import AVAILABILITY, queue_key
from wfm_bridge.inbound.checks import Said
from wfm_bridge.inbound.desk import Desk, Written
from wfm_bridge.inbound.errors import InboundError
from wfm_bridge.inbound.plans import PlanRow, counted, plans_of_csv, rows_between
from wfm_bridge.inbound.schedules import Activity, people_at, plans_of, stretches_of_csv
from wfm_bridge.models import Fault

_SOURCE = "wfm"
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_FILE = click.Path(exists=True, dir_okay=False, allow_dash=True)


class Duration(click.ParamType):
    """A length of time such as 30m, as seconds."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the seconds; fails where the text is no length of time."""
        if isinstance(value, int):
            return value
        found = re.fullmatch(r"([1-9]\d{0,6})([smhd])", value)
        if found is None:
            self.fail(f"{value!r} is no length of time: write 90s, 30m, 8h or 2d", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


class QueueNumber(click.ParamType):
    """A number for a queue, as QUEUE=N."""

    name = "queue=n"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, float]:
        """Return queue and number; fails where the text is not both."""
        if isinstance(value, tuple):
            return value
        queue, _, number = value.rpartition("=")
        if not queue or not re.fullmatch(r"\d{1,9}(\.\d+)?", number):
            self.fail(f"{value!r} is no number of people for a queue: write billing=40", param, ctx)
        return queue, float(number)


_TENANT = click.option("--tenant", required=True, help="whose queues")
_PEOPLE = click.FloatRange(min=0.0, max=1e9)
_FOR = click.option("--for", "seconds", type=Duration(), default="30m", show_default=True, help="how long it holds")
_DRY_RUN = click.option("--dry-run", is_flag=True, help="say what would be written, and write nothing")


@click.group()
def availability() -> None:
    """How many people a queue needs and has: what routers go by when they send contacts to people."""


@availability.command("set")
@with_settings(*TOOL)
@_TENANT
@click.option("--queue", required=True, help="which queue, as the policy names it")
@click.option("--agents-available", type=_PEOPLE, required=True, help="people in seats")
@click.option("--agents-required", type=_PEOPLE, required=True, help="people needed for the queue's service level")
@click.option("--on-break", type=_PEOPLE, default=0.0, help="people on a break that can wait")
@click.option("--off-phone", type=_PEOPLE, default=0.0, help="people at work off the phone that can wait")
@click.option("--overtime", type=_PEOPLE, default=0.0, help="people who could work overtime")
@click.option("--from", "starts_at", type=Moment(), default=0, metavar="TIME", help="from when  [default: now]")
@_FOR
def set_(
    settings: Settings, tenant: str, queue: str, agents_available: float, agents_required: float, on_break: float,
    off_phone: float, overtime: float, starts_at: int, seconds: int,
) -> None:  # fmt: skip
    """Say how many people a queue has, and needs, from now on; routers obey within a second.

    \b
    Example:
      trunkline wfm availability set --tenant acme --queue billing --agents-available 34 --agents-required 40 --for 30m
    """  # noqa: D301 - \b is click's mark for lines that stay as they are

    def said(_snapshot: Snapshot, now: int) -> list[Said]:
        return [
            Availability(
                tenant=tenant, queue=queue, agents_required=agents_required, agents_available=agents_available,
                starts_at=starts_at, expires_at=max(now, starts_at) + seconds * MICROS_PER_SECOND, occurred_at=now,
                agents_on_break=on_break, agents_off_phone=off_phone, agents_overtime=overtime,
            )
        ]  # fmt: skip

    with _desk(settings) as desk:
        _tell(desk.say(said))


@click.group()
def plan() -> None:
    """What WFM plans for queues, interval by interval: contacts for people, their handle time, people in seats."""


@plan.command("load")
@with_settings(*TOOL)
@click.argument("file", type=_FILE)
@_TENANT
@_DRY_RUN
def load_plan(settings: Settings, file: str, tenant: str, *, dry_run: bool) -> None:
    """Write the plans in FILE, a CSV ('-': standard input): all of it, or nothing.

    Columns: queue, starts_at (ISO 8601), and of interval_seconds (900), contacts, aht_seconds and agents those that
    there are. A row is an interval of a queue. What a row leaves empty stays as it was planned from the same start on.
    """
    plans = plans_of_csv(_text(file), tenant)
    with _desk(settings) as desk:
        written = desk.say(lambda _snapshot, _now: plans, dry_run=dry_run)
    click.echo(f"{counted(plans)}{': would be written so' if dry_run else ''}", err=True)
    _tell(written, dry_run=dry_run)


@plan.command("show")
@with_settings(*TOOL)
@_TENANT
@click.option("--queue", required=True, help="which queue")
@click.option("--day", type=click.DateTime(["%Y-%m-%d"]), help="which day, in UTC  [default: today]")
def show_plan(settings: Settings, tenant: str, queue: str, day: dt.datetime | None) -> None:
    """Print what is planned for a queue on a day, put together from all its plans."""
    with _desk(settings) as desk:
        plans = desk.plans.of(desk.look(), tenant, queue)
        now = desk.now() // MICROS_PER_SECOND
    start = int(day.replace(tzinfo=dt.UTC).timestamp()) if day is not None else now - now % 86_400
    rows = rows_between(plans, start * MICROS_PER_SECOND, (start + 86_400) * MICROS_PER_SECOND)
    if not rows:
        click.echo(
            f"nothing is planned for {tenant}'s queue {queue} on {iso_time(start * MICROS_PER_SECOND)[:10]}", err=True
        )
        return
    click.echo(f"{'starts_at':20} {'minutes':>7} {'contacts':>9} {'aht_seconds':>11} {'agents':>8}")
    for row in rows:
        click.echo(_shown(row))


@click.group()
def schedule() -> None:
    """Who works when: people's schedules, as numbers of people for each queue."""


@schedule.command("load")
@with_settings(*TOOL)
@click.argument("file", type=_FILE)
@_TENANT
@click.option("--interval", "interval_seconds", type=Duration(), default="15m", show_default=True, help="of the plan")
@click.option("--publish-availability", is_flag=True, help="say as well who is there now")
@click.option(
    "--required", type=QueueNumber(), multiple=True, metavar="QUEUE=N",
    help="with it: people that a queue needs  [default: as was said last]",
)  # fmt: skip
@_FOR
@_DRY_RUN
def load_schedule(
    settings: Settings, file: str, tenant: str, interval_seconds: int, required: Sequence[tuple[str, float]],
    seconds: int, *, publish_availability: bool, dry_run: bool,
) -> None:  # fmt: skip
    """Plan the people of each queue by the schedules in FILE, a CSV ('-': standard input): all of it, or nothing.

    Columns: agent, queue, starts_at, ends_at (ISO 8601), activity (on_queue, break, off_phone or overtime; on_queue
    where it is empty). A row is what an agent does for so long. What is planned of contacts stays as it is.
    """
    stretches = stretches_of_csv(_text(file))
    plans = plans_of(stretches, tenant, interval_seconds)

    def said(snapshot: Snapshot, now: int) -> list[Said]:
        if not publish_availability:
            return list(plans)
        people = people_at(stretches, now)
        expires_at = now + seconds * MICROS_PER_SECOND
        return [*plans, *_present(snapshot, tenant, people, dict(required), now, expires_at)]

    with _desk(settings) as desk:
        written = desk.say(said, dry_run=dry_run)
    click.echo(f"{counted(plans)}{': would be written so' if dry_run else ''}", err=True)
    _tell(written, dry_run=dry_run)


def _present(
    snapshot: Snapshot, tenant: str, people: dict[str, dict[Activity, float]], required: dict[str, float], now: int,
    expires_at: int,
) -> list[Availability]:  # fmt: skip
    """Return who is there now; raises InboundError where nobody says how many a queue needs."""
    made, faults = [], []
    for queue, counts in people.items():
        before: Availability | None = snapshot.of(AVAILABILITY).get(queue_key(tenant, queue))
        needed = required.get(queue, None if before is None else before.agents_required)
        if needed is None:
            remedy = f"Say it: --required {queue}=N"
            faults.append(Fault(field=queue, detail="it is not known how many people it needs", remedy=remedy))
            continue
        made.append(
            Availability(
                tenant=tenant, queue=queue, agents_required=needed, agents_available=counts[Activity.ON_QUEUE],
                starts_at=0, expires_at=expires_at, occurred_at=now, agents_on_break=counts[Activity.BREAK],
                agents_off_phone=counts[Activity.OFF_PHONE], agents_overtime=counts[Activity.OVERTIME],
            )
        )  # fmt: skip
    if faults:
        raise InboundError("nothing was taken: a schedule tells who is there, not who is needed", faults)
    return made


@contextlib.contextmanager
def _desk(settings: Settings) -> Iterator[Desk]:
    desk = Desk(settings, _SOURCE)
    try:
        yield desk
    finally:
        desk.close()


def _text(file: str) -> str:
    with click.open_file(file, "rb") as opened:
        data: bytes = opened.read()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        detail = f"{file} is not UTF-8: {problem.reason}"
        raise InboundError("nothing was taken", [Fault(detail=detail, remedy="Save it as UTF-8")]) from problem


def _tell(written: Sequence[Written], *, dry_run: bool = False) -> None:
    for each in written:
        if not each.new:
            click.echo(f"{each.topic} {each.queue}: stands already")
        elif dry_run:
            click.echo(f"{each.topic} {each.queue}: new")
        else:
            click.echo(f"{each.topic} {each.queue}: written, epoch {each.epoch}")


def _shown(row: PlanRow) -> str:
    def cell(value: float | None, width: int) -> str:
        return f"{'-' if value is None else f'{value:g}':>{width}}"

    start = iso_time(row.starts_at)
    minutes = row.interval_seconds / 60
    return f"{start[:19]}Z {minutes:7g} {cell(row.contacts, 9)} {cell(row.aht_seconds, 11)} {cell(row.agents, 8)}"
