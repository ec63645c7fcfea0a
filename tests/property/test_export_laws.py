"""Exports hold every row once, every cell in every interval, and the same bytes whatever the order of the topic."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from schemas.control import HumanQueue
from schemas.fields import Channel, Event, Handling
from tests.history import kept, policy, span, times, volume
from wfm_bridge.formats import load
from wfm_bridge.formats.tables import TABLES
from wfm_bridge.history.grid import Grid
from wfm_bridge.history.kept import Kept

INTERVALS = 4
SPAN = span(1, 1 + INTERVALS)
NAMES = st.sampled_from(["billing", "sales", "a,b", 'quote"', "línea\n2"])
ENDINGS = [handling for handling in Handling if handling is not Handling.IN_PROGRESS]

volumes = st.builds(
    lambda interval, revision, queue, intent, channel, language, counts: volume(
        interval, revision, queue=queue, intent=intent, channel=channel, language=language,
        **dict(zip((handling.value for handling in Handling), counts, strict=True)),
    ),
    st.integers(0, INTERVALS + 1), st.integers(1, 9), NAMES, NAMES, st.sampled_from(Channel),
    st.sampled_from(["", "en"]), st.tuples(*[st.integers(0, 5)] * len(Handling)),
)  # fmt: skip
handle_times = st.builds(
    lambda interval, revision, queue, channel, handling, seconds: times(
        interval, [{"ai": ai, "talk": talk} for ai, talk in seconds], revision, queue=queue, channel=channel,
        handling=handling,
    ),
    st.integers(0, INTERVALS + 1), st.integers(1, 9), NAMES, st.sampled_from(Channel), st.sampled_from(ENDINGS),
    st.lists(st.tuples(st.sampled_from([0.0, 12.25]), st.sampled_from([0.0, 90.5])), max_size=3),
)  # fmt: skip
policies = st.lists(NAMES, max_size=3, unique=True).map(
    lambda names: [policy(*(HumanQueue(queue=name, intents=("refund",)) for name in names))] if names else []
)


def cell_of(row: Event) -> tuple[object, ...]:
    names = ("queue", "intent", "channel", "language", "handling", "interval_start")
    return tuple(getattr(row, name, None) for name in names)


def told_once(rows: list[Event]) -> list[Event]:
    """Rows of which no two are the same revision of one cell: analytics never writes such."""
    return list({(cell_of(row), row.revision): row for row in rows}.values())


def written(rows: list[Event], made: list, name: str, table: str) -> bytes:
    out = io.BytesIO()
    load(name).write(table, Grid(kept(SPAN, rows), made, SPAN), out)
    return out.getvalue()


@given(st.lists(st.one_of(volumes, handle_times), max_size=25), policies, st.randoms(use_true_random=False))
def test_any_order_and_repetition_of_the_topic_gives_the_same_bytes(
    rows: list[Event], made: list, order: random.Random
) -> None:
    rows = told_once(rows)
    shuffled = rows + order.sample(rows, len(rows) // 2)
    order.shuffle(shuffled)
    for name in ("csv", "parquet", "genesys"):
        for table in load(name).tables:
            assert written(rows, made, name, table) == written(shuffled, made, name, table)


@given(st.lists(volumes, max_size=25), policies)
def test_the_sums_of_an_export_are_those_of_the_rows_that_stand(rows: list[Event], made: list) -> None:
    last: dict[tuple[object, ...], Event] = {}
    rows = told_once(rows)
    for row in sorted(rows, key=lambda row: row.revision):
        if SPAN.start <= row.interval_start < SPAN.end:
            last[cell_of(row)] = row
    read = list(csv.DictReader(io.StringIO(written(rows, made, "csv", "volume").decode(), newline="")))
    for name in ("offered", *(handling.value for handling in Handling)):
        assert sum(int(line[name]) for line in read) == sum(getattr(row, name) for row in last.values())
    for line in read:
        assert int(line["offered"]) == sum(int(line[handling.value]) for handling in Handling)


@given(st.lists(st.one_of(volumes, handle_times), max_size=25), policies)
def test_every_cell_has_one_row_in_every_interval(rows: list[Event], made: list) -> None:
    grid = Grid(kept(SPAN, rows), made, SPAN)
    for table in TABLES.values():
        found = [cell_of(row) for row in table.rows(grid)]
        assert len(found) == len(set(found))
        per_cell = Counter(cell[:-1] for cell in found)
        assert set(per_cell.values()) <= {INTERVALS}
        assert {cell[-1] for cell in found} <= set(SPAN.intervals())
    seen: Kept = kept(SPAN, rows)
    assert {row.queue for row in seen.volumes.values()} <= {row.queue for row in grid.volumes()}
    if seen.volumes and made:
        assert {each.queue for each in made[0].queues} <= {row.queue for row in grid.volumes()}


@given(st.lists(handle_times, max_size=25))
def test_genesys_has_all_that_people_finished_and_their_time(rows: list[Event]) -> None:
    standing = kept(SPAN, told_once(rows), "acme")
    finished = [row for row in standing.times.values() if row.handling in {"human_only", "ai_escalated"}]
    lines = list(csv.DictReader(io.StringIO(written(told_once(rows), [], "genesys", "genesys").decode(), newline="")))
    assert sum(int(line["Interactions Handled"]) for line in lines) == sum(row.contacts for row in finished)
    total = sum(row.talk.sum_seconds + row.wrap.sum_seconds for row in finished)
    assert abs(sum(int(line["Total Handle Time"]) for line in lines) - total) <= 0.5 * len(lines)
    assert all(int(line["Offered"]) >= int(line["Interactions Handled"]) for line in lines)
