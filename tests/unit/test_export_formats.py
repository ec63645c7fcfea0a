"""Exported files: what is in them, as pandas, DuckDB and Genesys Cloud's import read them."""

from __future__ import annotations

import csv
import datetime as dt
import io
import sys
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest

from runtime.errors import SettingsError
from schemas.control import ChannelQuality, HumanQueue, LanguageQuality
from schemas.fields import Channel, Event, Handling
from tests.history import MARCH_2ND, at, kept, policy, span, times, volume
from wfm_bridge.formats import MODULES, Asked, load
from wfm_bridge.formats.files import file_name, whole_file
from wfm_bridge.formats.genesys import HEADER, MEDIA_TYPES
from wfm_bridge.formats.tables import TABLES, Kind
from wfm_bridge.history.grid import Grid
from wfm_bridge.history.kept import Span, whole_intervals

GOLDEN = Path(__file__).parent.parent / "genesys_history.csv"
ROWS: list[Event] = [
    volume(36, human_only=2, ai_contained=5, revision=3),
    volume(37, human_only=1, language="", intent='a "b", c'),
    times(36, [{"talk": 100.5, "wrap": 20.0, "wait": 9.0}, {"talk": 30.0}], revision=4),
    times(36, [{"ai": 60.0}] * 5, handling=Handling.AI_CONTAINED),
]


def bytes_of(name: str, table: str, grid: Grid) -> bytes:
    out = io.BytesIO()
    load(name).write(table, grid, out)
    return out.getvalue()


def a_grid(**changes: Any) -> Grid:
    return Grid(kept(span(36, 38), ROWS), [policy()], span(36, 38), **changes)


# CSV.


def test_csv_has_a_header_whole_times_and_nothing_for_null() -> None:
    header, *lines = bytes_of("csv", "volume", a_grid()).decode().split("\n")
    assert header == (
        "tenant,queue,intent,channel,language,interval_start,offered,in_progress,ai_contained,ai_assisted,ai_escalated,"
        "human_only,deflected,abandoned,revision,updated_at"
    )
    assert lines == [
        'acme,billing,"a ""b"", c",voice,,2026-03-02T09:00:00Z,0,0,0,0,0,0,0,0,0,',
        "acme,billing,refund,voice,,2026-03-02T09:00:00Z,0,0,0,0,0,0,0,0,0,",
        "acme,billing,refund,voice,en,2026-03-02T09:00:00Z,7,0,5,0,0,2,0,0,3,2026-03-02T09:00:00.000003Z",
        'acme,billing,"a ""b"", c",voice,,2026-03-02T09:15:00Z,1,0,0,0,0,1,0,0,1,2026-03-02T09:15:00.000001Z',
        "acme,billing,refund,voice,,2026-03-02T09:15:00Z,0,0,0,0,0,0,0,0,0,",
        "acme,billing,refund,voice,en,2026-03-02T09:15:00Z,0,0,0,0,0,0,0,0,0,",
        "",
    ]


def test_handle_times_have_sums_and_counts_of_each_component() -> None:
    rows = list(csv.DictReader(io.StringIO(bytes_of("csv", "handle_time", a_grid()).decode())))
    people = next(row for row in rows if row["handling"] == "human_only" and row["contacts"] == "2")
    assert (people["talk_contacts"], people["talk_seconds"]) == ("2", "130.5")
    assert (people["wrap_contacts"], people["wrap_seconds"]) == ("1", "20.0")
    assert (people["ai_contacts"], people["ai_seconds"]) == ("0", "0.0")
    assert (people["wait_seconds"], people["handle_seconds"], people["aht_seconds"]) == ("9.0", "150.5", "75.25")
    assert {row["aht_seconds"] for row in rows if row["contacts"] == "0"} == {""}
    assert len(rows) == 2 * 6  # each interval has a row for each way in which a contact can end


# Columns as pandas and DuckDB see them.


@pytest.mark.parametrize("table", list(TABLES))
def test_parquet_opens_in_pandas_with_the_right_types(table: str, tmp_path: Path) -> None:
    file = tmp_path / f"{table}.parquet"
    file.write_bytes(bytes_of("parquet", table, a_grid()))
    read = pd.read_parquet(file)
    assert list(read.columns) == [column.name for column in TABLES[table].columns]
    for column in TABLES[table].columns:
        kind = str(read[column.name].dtype)
        expected = {Kind.TEXT: ("str", "object"), Kind.COUNT: ("int64",), Kind.SECONDS: ("float64",)}
        assert kind in expected.get(column.kind, ("datetime64[us, UTC]",)), column.name
    assert read["interval_start"].min() == pd.Timestamp("2026-03-02T09:00:00Z")


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_both_files_open_in_duckdb_with_the_right_types_and_the_same_sums(suffix: str, tmp_path: Path) -> None:
    for table in TABLES:
        (tmp_path / f"{table}.{suffix}").write_bytes(bytes_of(suffix, table, a_grid()))
    with duckdb.connect() as db:
        db.execute("SET TimeZone = 'UTC'")
        for table, layout in TABLES.items():
            described = db.execute(f"DESCRIBE FROM '{tmp_path}/{table}.{suffix}'").fetchall()
            types = {Kind.TEXT: "VARCHAR", Kind.COUNT: "BIGINT", Kind.SECONDS: "DOUBLE"}
            assert {row[0]: row[1] for row in described} == {
                column.name: types.get(column.kind, "TIMESTAMP WITH TIME ZONE") for column in layout.columns
            }
        db.execute(f"CREATE VIEW volume AS FROM '{tmp_path}/volume.{suffix}'")
        db.execute(f"CREATE VIEW handle_time AS FROM '{tmp_path}/handle_time.{suffix}'")
        offered, first = db.execute("SELECT sum(offered), min(interval_start) FROM volume").fetchone()
        seconds, missing = db.execute(
            "SELECT sum(handle_seconds), count(*) - count(aht_seconds) FROM handle_time"
        ).fetchone()
    assert (offered, first) == (8, dt.datetime(2026, 3, 2, 9, tzinfo=dt.UTC))
    assert (seconds, missing) == (450.5, 10)


def test_csv_opens_in_pandas_as_the_documentation_says(tmp_path: Path) -> None:
    file = tmp_path / "volume.csv"
    file.write_bytes(bytes_of("csv", "volume", a_grid()))
    read = pd.read_csv(file, parse_dates=["interval_start", "updated_at"], keep_default_na=False)
    assert str(read["interval_start"].dtype).endswith(", UTC]")
    assert str(read["updated_at"].dtype).endswith(", UTC]")
    assert (read["offered"].sum(), set(read["language"])) == (8, {"", "en"})


# Genesys Cloud.


def genesys_grid() -> Grid:
    where = {"queue": "billing, north"}
    rows: list[Event] = [
        times(36, [{"talk": 300.0, "wrap": 30.4}, {"talk": 300.0, "wrap": 30.4}], **where),
        times(36, [{"ai": 90.0, "talk": 300.0, "wrap": 30.4}], handling=Handling.AI_ESCALATED, **where),
        times(36, [{"wait": 50.0}, {"ai": 20.0}], handling=Handling.ABANDONED, **where),
        times(36, [{"ai": 200.0}] * 9, handling=Handling.AI_CONTAINED, **where),
        times(36, [{"talk": 40.0}], channel=Channel.SOCIAL, **where),
        times(36, [{"talk": 45.0}], channel=Channel.MESSAGING, **where),
        times(36, [{"wait": 45.0}], channel=Channel.MESSAGING, handling=Handling.ABANDONED, **where),
        times(37, [{"talk": 60.0}], **where),
        times(38, [{"talk": 999.0}], **where),
        times(36, [{"talk": 999.0}], tenant="beta"),
    ]
    voice, social = (ChannelQuality(channel=channel, quality=1.0) for channel in (Channel.VOICE, Channel.SOCIAL))
    sales = HumanQueue(queue="sales", intents=(), channels=(voice, social))
    return Grid(kept(span(36, 38), rows, "acme"), [policy(sales)], span(36, 38))


def test_the_genesys_file_is_the_golden_one() -> None:
    # Of 9:00, voice: 2 by people alone, 1 from AI, and of two who left the one whom AI never had; 3 x 330.4 s.
    assert bytes_of("genesys", "genesys", genesys_grid()).decode() == GOLDEN.read_text()


def test_the_golden_file_keeps_the_rules_of_the_import() -> None:
    header, *lines = csv.reader(GOLDEN.read_text().splitlines())
    assert ",".join(header) == (
        "Interval Start UTC Date,Queue,Media Type,Skill Set,Language,Offered,Interactions Handled,Total Handle Time"
    )
    assert lines
    assert {len(line) for line in lines} == {8}
    for start, _, media_type, _, _, offered, handled, seconds in lines:
        moment = dt.datetime.strptime(start, "%Y-%m-%dT%H:%M:00Z").replace(tzinfo=dt.UTC)
        assert moment.minute in {0, 15, 30, 45}
        assert media_type in {"VOICE", "CHAT", "EMAIL", "CALLBACK", "MESSAGE"}
        assert all(number.isdigit() for number in (offered, handled, seconds))
    assert len({tuple(line[:5]) for line in lines}) == len(lines)


def test_every_channel_has_a_media_type() -> None:
    assert set(MEDIA_TYPES) == set(Channel)
    assert len(HEADER) == 8


@pytest.mark.parametrize(
    ("asked", "says"),
    [(Asked(None, None), "say whose contacts with --tenant"), (Asked("acme", 1), "export all of it again")],
)
def test_genesys_refuses_what_its_import_would_misread(asked: Asked, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        load("genesys").check(asked)


# Grid, range and corrections.


def test_queues_of_the_policy_have_rows_though_nothing_came() -> None:
    quiet = HumanQueue(
        queue="quiet",
        intents=("cancel",),
        channels=(ChannelQuality(channel=Channel.EMAIL, quality=1.0),),
        languages=(LanguageQuality(language="de", quality=1.0),),
    )
    grid = Grid(kept(span(36, 38), ROWS), [policy(quiet)], span(36, 38))
    mine = [row for row in grid.volumes() if row.queue == "quiet"]
    assert [(row.intent, row.channel, row.language, row.offered, row.revision) for row in mine] == [
        ("cancel", "email", "de", 0, 0)
    ] * 2
    assert {row.handling for row in grid.handle_times() if row.queue == "quiet"} == set(Handling) - {"in_progress"}


def test_only_rows_corrected_since_then_are_exported_and_no_zeros() -> None:
    corrected = at(36) + 4
    grid = a_grid(changed_since=corrected)
    assert [row.interval_start for row in grid.volumes()] == [at(37)]
    assert [(row.handling, row.revision) for row in grid.handle_times()] == [("human_only", 4)]


def test_totals_of_what_came_too_late_are_of_no_range() -> None:
    late = volume(0, human_only=9, interval_start=0, late=True)
    everything = kept(Span(0, at(99)), [late])
    assert everything.volumes == {}


@pytest.mark.parametrize(
    ("start", "end", "says"),
    [
        (at(0) + 1, at(1), "is within a 15-minute interval: give 2026-03-02T00:00:00Z or 2026-03-02T00:15:00Z"),
        (at(0), at(1) - 1, "--to 2026-03-02T00:14:59.999999Z is within"),
        (at(1), at(1), "is not after --from"),
        (at(0), at(9), "is to come, and zeros for it would be untrue: give 2026-03-02T01:00:00Z at most"),
        (-1, at(1), "not between the years 1970 and 9999"),
    ],
)  # fmt: skip
def test_a_range_that_cannot_be_told_truly_is_refused(start: int, end: int, says: str) -> None:
    with pytest.raises(SettingsError) as refused:
        whole_intervals(start, end, at(4) + 1)
    assert says in str(refused.value)


# Files.


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path) -> None:
    file = tmp_path / "new" / "volume.csv"
    with whole_file(file) as out:
        out.write(b"first")
    with pytest.raises(ZeroDivisionError), whole_file(file) as out:
        out.write(b"%d" % (1 // 0))
    assert [each.name for each in file.parent.iterdir()] == ["volume.csv"]
    assert file.read_bytes() == b"first"


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(SettingsError, match=r"file/x\.csv cannot be written.*give another place"),
        whole_file(tmp_path / "file" / "x.csv"),
    ):
        pass


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        (Asked(None, None), "volume-20260302T000000Z-20260302T010000Z.csv"),
        (Asked("acme", None), "acme-volume-20260302T000000Z-20260302T010000Z.csv"),
        (
            Asked("acme", MARCH_2ND + 5),
            "acme-volume-20260302T000000Z-20260302T010000Z-changed-since-20260302T000000.000005Z.csv",
        ),
        (Asked("a/b", None), "a_b-c14cddc0-volume-20260302T000000Z-20260302T010000Z.csv"),
    ],
)
def test_file_names_tell_ranges_and_tenants_apart(asked: Asked, name: str) -> None:
    assert file_name("volume", span(0, 4), asked, ".csv") == name


def test_without_pyarrow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    load("parquet").check(Asked(None, None))
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SettingsError, match=r"pip install 'trunkline\[export\]', or take --format csv"):
        load("parquet").check(Asked(None, None))


def test_every_format_is_one_module_that_says_its_tables() -> None:
    for name in MODULES:
        made = load(name)
        assert made.suffix.startswith(".")
        assert made.tables
