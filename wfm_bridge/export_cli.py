"""`trunkline export`: volumes and handle times of a range of time as files, for planners and their tools."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from runtime.errors import SettingsError
from runtime.options import TOOL, Moment, with_settings
from runtime.settings import Settings
from wfm_bridge.formats import MODULES, Asked, Format, load

_EXAMPLE = """\b
Example:
  trunkline export --from 2026-11-01 --to 2026-12-01 --format parquet --into exports
  trunkline export --from 2026-11-01 --to 2026-12-01 --format parquet --changed-since 2026-12-01T06:00:00Z
  trunkline export --from 2026-11-01 --to 2026-12-01 --format genesys --tenant acme --into acme.csv
"""


@click.command(epilog=_EXAMPLE)
@with_settings(*TOOL)
@click.option(
    "--from",
    "start",
    type=Moment(),
    required=True,
    metavar="TIME",
    help="first interval: 2026-12-01 for midnight UTC, or 2026-12-01T08:15:00Z",
)
@click.option("--to", "end", type=Moment(), required=True, metavar="TIME", help="up to then, which is not in it")
@click.option("--format", "layout", type=click.Choice(list(MODULES)), required=True, help="layout of the files")
@click.option("--tenant", help="only this tenant's contacts; of all without, one table for all")
@click.option("--table", help="only this one: volume or handle_time")
@click.option(
    "--into",
    type=click.Path(path_type=Path),
    default=Path(),
    help="a folder, or a file where there is one table  [default: here]",
)
@click.option("--changed-since", type=Moment(), metavar="TIME", help="only rows corrected then or later; no zeros")
def export(
    settings: Settings, start: int, end: int, layout: str, tenant: str | None, table: str | None, into: Path,
    changed_since: int | None,
) -> None:  # fmt: skip
    """Write volumes and handle times by 15-minute interval, as the topics have them now, to files.

    Every queue of the range, or of the policy, has a row in every interval, of zeros where nothing came. The same range
    gives the same bytes until a row is corrected or the policy changes; --changed-since takes the corrected rows alone.
    A file is complete as soon as it is there. docs/export.md has the columns.
    """
    from runtime.clock import now  # noqa: PLC0415 - `--help` need not load Kafka's client
    from runtime.once import look_at  # noqa: PLC0415
    from runtime.reading import events  # noqa: PLC0415
    from schemas.topics import CLOCK, HANDLE_TIME, POLICY, VOLUME  # noqa: PLC0415
    from wfm_bridge.formats.files import file_name, whole_file  # noqa: PLC0415
    from wfm_bridge.history.grid import Grid  # noqa: PLC0415
    from wfm_bridge.history.kept import Kept, whole_intervals  # noqa: PLC0415

    chosen, asked = load(layout), Asked(tenant, changed_since)
    tables = _tables(chosen, layout, table)
    is_file = _is_file(into, chosen)
    if is_file and len(tables) > 1:
        raise click.UsageError(f"a file holds one table: choose with --table {' or '.join(tables)}, or give a folder")
    chosen.check(asked)
    control = look_at(settings, "export", (POLICY, CLOCK))
    span = whole_intervals(start, end, now(control))
    kept = Kept(span, tenant)
    for event in events(settings, (VOLUME, HANDLE_TIME), partial(click.echo, err=True)):
        kept.take(event)
    policies = [policy for policy in control.of(POLICY).values() if tenant in (None, policy.tenant)]
    if not policies and not kept.volumes:
        names = ", ".join(sorted(control.of(POLICY))) or "none"
        raise SettingsError(f"no contacts came in that time, and no policy names a queue; tenants with one: {names}")
    grid = Grid(kept, policies, span, changed_since=changed_since)
    for name in tables:
        path = into if is_file else into / file_name(name, span, asked, chosen.suffix)
        with whole_file(path) as out:
            rows = chosen.write(name, grid, out)
        click.echo(f"{path}: {rows} rows")


def _is_file(into: Path, chosen: Format) -> bool:
    suffixes = {load(name).suffix for name in MODULES}
    if into.is_dir() or into.suffix not in suffixes:
        return False
    if into.suffix != chosen.suffix:
        raise click.UsageError(f"--into {into} ends in {into.suffix}, but these are {chosen.suffix} files")
    return True


def _tables(chosen: Format, layout: str, table: str | None) -> tuple[str, ...]:
    if table is None:
        return chosen.tables
    if table not in chosen.tables:
        raise click.UsageError(f"--format {layout} has no table {table!r}: it has {', '.join(chosen.tables)}")
    return (table,)
