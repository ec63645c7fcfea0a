"""CSV as RFC 4180 has it, in UTF-8, but with lines that end in a line feed alone."""

from __future__ import annotations

import csv
import datetime as dt
import io
from collections.abc import Iterable
from typing import Any, BinaryIO

from wfm_bridge.formats import Asked
from wfm_bridge.formats.tables import TABLES, Column, Kind
from wfm_bridge.history.grid import Grid

_UNIX_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


class _CommaSeparated:
    suffix = ".csv"
    tables = tuple(TABLES)

    def check(self, _asked: Asked) -> None:
        """Do nothing: it holds anything."""

    def write(self, table: str, grid: Grid, out: BinaryIO) -> int:
        """Write a table with a header."""
        layout = TABLES[table]
        lines = ([_text(column, row) for column in layout.columns] for row in layout.rows(grid))
        return write_lines(out, [column.name for column in layout.columns], lines)


def write_lines(out: BinaryIO, header: Iterable[str], lines: Iterable[Iterable[Any]]) -> int:
    """Write a header and lines in the dialect of all our files, and return how many lines."""
    text = io.TextIOWrapper(out, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    count = 0
    for count, line in enumerate(lines, 1):  # noqa: B007 - how many is what is returned
        writer.writerow(line)
    text.detach()
    return count


def instant(micros: int, digits: str = "seconds") -> str:
    """Return UTC microseconds in ISO 8601 with a Z: always of the same form, which readers guess from one line."""
    moment = _UNIX_EPOCH + dt.timedelta(microseconds=micros)
    return moment.isoformat(timespec=digits).replace("+00:00", "Z")


def _text(column: Column, row: Any) -> Any:
    value = column.of(row)
    if value is None:
        return ""
    if column.kind is Kind.INTERVAL:
        return instant(value)
    return instant(value, "microseconds") if column.kind is Kind.INSTANT else value


FORMAT = _CommaSeparated()
