"""Exports and reports of what the real topics hold, as a planner asks for them."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import msgspec

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.agents import Tick
from schemas.analytics import HandleTimeRow
from schemas.control import PlannedInterval, QueuePlan
from schemas.envelope import iso_time
from schemas.fields import BreakerState, Channel, Handling, Pool
from schemas.topics import HANDLE_TIME, PLANS, TRANSITIONS, VOLUME, WFM_EVENTS
from schemas.wfm import INTERVAL_MICROS, VolumeDelta, VolumeRow
from tests.flow.command import together, trunkline
from tests.flow.steps import Watch, publish_policy, running, transition, write
from tests.history import DAY, HOUR, policy, times, volume

YESTERDAY = real_now() // DAY * DAY - DAY
NINE = YESTERDAY + 9 * HOUR
RANGE = ("--from", iso_time(YESTERDAY), "--to", iso_time(YESTERDAY + DAY))


def fill(settings: Settings) -> VolumeRow:
    publish_policy(settings, policy())
    row = volume(0, human_only=3, ai_contained=5, interval_start=NINE, updated_at=NINE + DAY // 2)
    late = msgspec.structs.replace(row, interval_start=0, late=True)
    other = volume(0, human_only=1, tenant="beta", interval_start=NINE + INTERVAL_MICROS, updated_at=NINE + DAY // 2)
    write(settings, VOLUME, msgspec.structs.replace(row, human_only=2, offered=7, revision=0), row, late, other)
    write(settings, HANDLE_TIME, *handle_times())
    return row


def handle_times() -> list[HandleTimeRow]:
    talks = times(0, [{"talk": 100.0, "wrap": 11.0}] * 3, interval_start=NINE)
    return [talks, times(0, [{"ai": 60.0}] * 5, handling=Handling.AI_CONTAINED, interval_start=NINE)]


def at(settings: Settings) -> tuple[str, ...]:
    return "--bootstrap", settings.bootstrap, "--prefix", settings.prefix


def exported(settings: Settings, into: Path, *arguments: str) -> dict[str, bytes]:
    done = trunkline("export", *at(settings), *RANGE, "--into", str(into), *arguments)
    assert (done.returncode, done.stderr) == (0, ""), done.stderr
    files = {file.name: file.read_bytes() for file in into.iterdir()}
    assert len(done.stdout.splitlines()) == len(files)
    return files


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(content.decode().splitlines()))


def test_a_range_exported_twice_is_the_same_and_a_correction_comes_alone(settings: Settings, tmp_path: Path) -> None:
    row = fill(settings)
    for layout in ("csv", "parquet"):
        first, second = (exported(settings, tmp_path / f"{layout}{n}", "--format", layout) for n in (1, 2))
        assert first == second
        assert [name.split("-")[0] for name in sorted(first)] == ["handle_time", "volume"]
    volumes = rows_of(next(content for name, content in exported(settings, tmp_path / "csv1", "--format", "csv").items()
                           if name.startswith("volume")))  # fmt: skip
    assert len(volumes) == 96 * 2  # a cell of acme, one of beta
    assert sum(int(line["offered"]) for line in volumes) == 8 + 1
    (nine,) = (line for line in volumes if line["interval_start"] == iso_time(NINE) and line["tenant"] == "acme")
    assert (nine["offered"], nine["human_only"], nine["revision"]) == ("8", "3", "1")
    write(settings, VOLUME, msgspec.structs.replace(row, offered=9, human_only=4, revision=2, updated_at=NINE + DAY))
    changed = ("--format", "csv", "--changed-since", iso_time(NINE + DAY - 1), "--table", "volume")
    (content,) = exported(settings, tmp_path / "changed", *changed).values()
    assert [(line["offered"], line["revision"]) for line in rows_of(content)] == [("9", "2")]


def delta(number: int, start: int, handling: Handling, **seconds: float) -> VolumeDelta:
    """A contact that came in an interval and is over."""
    return VolumeDelta(
        tenant="acme", interaction_id=f"i-{number}", queue="billing", intent="refund", channel=Channel.VOICE,
        language="en", interval_start=start, pool=Pool.HUMAN_EXCLUSIVE, from_handling=None, to_handling=handling,
        occurred_at=start + number, **{f"{name}_seconds": value for name, value in seconds.items()},
    )  # fmt: skip


def test_what_analytics_counts_is_exported_and_a_late_contact_is_a_correction(
    settings: Settings, tmp_path: Path
) -> None:
    #  yesterday  9:00 people, people, left | 9:15 AI | a tick || today: one more of 9:00, which comes late
    first = [
        delta(1, NINE, Handling.HUMAN_ONLY, talk=100.0, wrap=20.0),
        delta(2, NINE, Handling.HUMAN_ONLY, talk=60.0),
        delta(3, NINE, Handling.ABANDONED, wait=30.0),
        delta(4, NINE + INTERVAL_MICROS, Handling.AI_CONTAINED, ai=50.0),
    ]
    late = delta(5, NINE, Handling.AI_ESCALATED, ai=10.0, talk=200.0)
    with running(settings, "analytics"), Watch(settings, VOLUME, HANDLE_TIME) as watch:
        write(settings, WFM_EVENTS, *first, Tick(key="acme", now=real_now()))
        watch.until("the rows", lambda: len(watch.of(VOLUME)) == 2 and len(watch.of(HANDLE_TIME)) == 3)
        before = exported(settings, tmp_path / "before", "--format", "csv", "--table", "volume")
        corrected = real_now()
        write(settings, WFM_EVENTS, late, Tick(key="acme", now=corrected))
        watch.until("the corrections", lambda: len(watch.of(VOLUME)) == 3 and len(watch.of(HANDLE_TIME)) == 4)
    (lines,) = map(rows_of, before.values())
    assert sum(int(line["offered"]) for line in lines) == 4
    since = ("--format", "csv", "--table", "volume", "--changed-since", iso_time(corrected))
    ((changed,),) = map(rows_of, exported(settings, tmp_path / "since", *since).values())
    assert (changed["interval_start"], changed["offered"], changed["ai_escalated"]) == (iso_time(NINE), "4", "1")
    genesys = exported(settings, tmp_path / "genesys", "--format", "genesys", "--tenant", "acme")
    ((nine, *_),) = ([line for line in rows_of(content) if line["Offered"] != "0"] for content in genesys.values())
    assert (nine["Offered"], nine["Interactions Handled"], nine["Total Handle Time"]) == ("4", "3", "380")


def test_genesys_gets_one_file_of_one_tenant(settings: Settings, tmp_path: Path) -> None:
    fill(settings)
    into = tmp_path / "acme.csv"
    done = trunkline(
        "export", *at(settings), *RANGE, "--format", "genesys", "--tenant", "acme", "--into", str(into)
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, f"{into}: 96 rows\n"), done.stderr
    header, *lines = into.read_text().splitlines()
    assert header.startswith("Interval Start UTC Date,Queue,Media Type,")
    assert [line for line in lines if not line.endswith("0,0,0")] == [f"{iso_time(NINE)},billing,VOICE,,,3,3,333"]


def test_what_cannot_be_exported_is_refused_with_the_remedy(settings: Settings, tmp_path: Path) -> None:
    fill(settings)
    tomorrow = iso_time(YESTERDAY + 3 * DAY)
    into = ("--into", str(tmp_path / "x.csv"))
    asked = [
        (("--format", "csv", *RANGE, *into), 2, "a file holds one table: choose with --table volume or handle_time"),
        (("--format", "parquet", *RANGE, *into), 2, "x.csv ends in .csv, but these are .parquet files"),
        (("--format", "csv", *RANGE, "--table", "agents"), 2, "no table 'agents': it has volume, handle_time"),
        (("--format", "csv", *RANGE, "--from", "yesterday"), 2, "'yesterday' is no time"),
        (("--format", "csv", *RANGE, "--to", tomorrow), 1, "is to come"),
        (("--format", "genesys", *RANGE), 1, "say whose contacts with --tenant"),
        (("--format", "csv", *RANGE, "--tenant", "nobody"), 1, "tenants with one: acme"),
    ]
    for (_, code, says), done in zip(
        asked, together([("export", *at(settings), *each) for each, _, _ in asked]), strict=True
    ):
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr
    assert list(tmp_path.glob("*.csv")) == []


def test_a_day_is_reported_as_text_and_as_a_page(settings: Settings, tmp_path: Path) -> None:
    fill(settings)
    planned = PlannedInterval(contacts=4.0, aht_seconds=100.0, agents=2.0)
    write(settings, PLANS, QueuePlan(tenant="acme", queue="billing", starts_at=NINE, intervals=(planned,) * 4,
                                     occurred_at=YESTERDAY))  # fmt: skip
    for epoch, state, minute in ((1, BreakerState.OPEN, 5), (2, BreakerState.CLOSED, 7)):
        write(settings, TRANSITIONS, transition("acme", state, epoch, occurred_at=NINE + minute * 60_000_000))
    date = dt.datetime.fromtimestamp(YESTERDAY / 1_000_000, dt.UTC).date()
    asked = ("wfm", "report", *at(settings), "--tenant", "acme", "--day", date.isoformat())
    file = tmp_path / "day.html"
    printed, paged = together([asked, (*asked, "--html", str(file))])
    assert printed.returncode == 0, printed.stderr
    assert "  AI out: nova 09:05-09:07, test" in printed.stdout
    assert "  people had 3 of 8 contacts offered; planned 16.0" in printed.stdout
    nine = next(line for line in printed.stdout.splitlines() if line.startswith("  09:00"))
    assert " ".join(nine.split()) == "09:00 16 3 -13 100 111 2 - 8 5 0 0 3 0 0 0 nova"
    assert (paged.returncode, paged.stdout) == (0, f"{file}: acme, {date:%A} {date.isoformat()}, UTC\n"), paged.stderr
    assert file.read_text().count("<svg") == 4


def test_a_report_that_cannot_be_made_says_why(settings: Settings) -> None:
    asked = [
        (("--day", "9 o'clock"), 2, "is no day: write it as 2026-11-27"),
        (("--day", "0001-01-01"), 2, "of no year that contacts came in"),
        (("--day", "2999-01-01"), 1, "is to come in UTC"),
        (("--day", "2026-03-02", "--time-zone", "Mars/Olympus"), 1, "--time-zone 'Mars/Olympus' is not known"),
        (
            ("--day", "2026-03-02"),
            1,
            "'nobody' has no policy, and no contacts of that day; tenants with a policy: none",
        ),
    ]
    commands = [("wfm", "report", *at(settings), "--tenant", "nobody", *arguments) for arguments, _, _ in asked]
    for (_, code, says), done in zip(asked, together(commands), strict=True):
        assert (done.returncode, done.stdout) == (code, ""), done.stderr
        assert says in done.stderr
        assert "Traceback" not in done.stderr
