"""CSV files with named columns: every row read, every mistake told with its line, its column and what to do. Pure."""

from __future__ import annotations

import csv
import datetime as dt
import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from schemas.fields import LATEST
from wfm_bridge.inbound.errors import InboundError
from wfm_bridge.models import Fault, to_micros

MOST_BYTES = 8_000_000
"""Largest file: 150,000 rows, a fortnight of 15 minutes for 100 queues."""
_NAME_LENGTH = 256
_TIME = "a time in ISO 8601 with its offset, or in UTC, such as 2026-12-01T08:00:00Z"


class Column(NamedTuple):
    """A column: `read` makes a value of a cell and raises ValueError, `wanted` says what it takes.

    `default`: of a cell that is empty and of a column that is not there; no default: both are mistakes.
    """

    name: str
    read: Callable[[str], Any]
    wanted: str
    default: Any = ...


class Row(NamedTuple):
    """A row that was read: its line in the file, from 1, and its values by column."""

    line: int
    values: Mapping[str, Any]


def instant(cell: str) -> int:
    """Return an instant as UTC microseconds; raises ValueError."""
    micros = to_micros(dt.datetime.fromisoformat(cell))
    if not 0 <= micros <= LATEST:
        raise ValueError(cell)
    return micros


def number(cell: str) -> float:
    """Return a finite number, 0 or more; raises ValueError."""
    value = float(cell)
    if not (math.isfinite(value) and value >= 0.0):
        raise ValueError(cell)
    return value


def name(cell: str) -> str:
    """Return a name as topics take it; raises ValueError."""
    if not 1 <= len(cell) <= _NAME_LENGTH:
        raise ValueError(cell)
    return cell


NAME = f"a name of 1 to {_NAME_LENGTH} characters"


def time_column(named: str) -> Column:
    """Return a column of instants."""
    return Column(named, instant, _TIME)


def number_column(named: str) -> Column:
    """Return a column of numbers, null where a cell is empty."""
    return Column(named, number, "a number, 0 or more, with a decimal point; empty where it is not known", None)


def read_table(text: str, columns: Sequence[Column]) -> list[Row]:
    """Return the rows of a file; lines without any value are left out. Separated by commas, or by semicolons.

    Raises InboundError that names every mistake, where there is one.
    """
    first = text.partition("\n")[0]
    source = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), delimiter=";" if ";" in first else ",")
    faults: list[Fault] = []
    rows: list[Row] = []
    try:
        header = [cell.strip() for cell in next(source, [])]
        faults += _of_header(header, columns)
        if not faults:
            told = (cells for cells in source if any(cell.strip() for cell in cells))
            rows += (_row(source.line_num, cells, header, columns, faults) for cells in told)
    except csv.Error as problem:
        faults.append(
            Fault(line=source.line_num, detail=f"this is no CSV: {problem}", remedy="Save it as CSV, in UTF-8")
        )
    if not rows and not faults:
        faults.append(Fault(line=1, detail="there is no row", remedy="Give one after the header"))
    refuse(faults)
    return rows


def refuse(faults: Sequence[Fault]) -> None:
    """Raise InboundError where something is wrong."""
    if faults:
        ordered = sorted(faults, key=lambda fault: fault.line or 0)
        raise InboundError(f"nothing was taken: {len(faults)} mistake{'s' * (len(faults) > 1)}", ordered)


def _of_header(header: Sequence[str], columns: Sequence[Column]) -> Iterator[Fault]:
    known = [column.name for column in columns]
    remedy = f"The columns are: {', '.join(known)}"
    for each in dict.fromkeys(header):
        if each not in known:
            yield Fault(line=1, field=each, detail="there is no such column", remedy=remedy)
        elif header.count(each) > 1:
            yield Fault(line=1, field=each, detail="the column is there twice", remedy=remedy)
    for column in columns:
        if column.default is ... and column.name not in header:
            yield Fault(line=1, field=column.name, detail="the column is missing", remedy=remedy)


def _row(line: int, cells: Sequence[str], header: Sequence[str], columns: Sequence[Column], faults: list[Fault]) -> Row:
    if len(cells) > len(header):
        detail = f"{len(cells)} cells where the header has {len(header)}"
        faults.append(Fault(line=line, detail=detail, remedy="Put a cell with the separator in it in double quotes"))
    given = dict(zip(header, (cell.strip() for cell in cells), strict=False))
    values = {}
    for column in columns:
        cell = given.get(column.name, "")
        if not cell and column.default is not ...:
            values[column.name] = column.default
            continue
        try:
            values[column.name] = column.read(cell)
        except (ValueError, OverflowError):
            faults.append(
                Fault(
                    line=line, field=column.name, detail=f"{cell[:80]!r} is not usable", remedy=f"Give {column.wanted}"
                )
            )
    return Row(line, values)
