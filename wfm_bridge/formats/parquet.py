"""Parquet, by pyarrow: the extra `export`, 170 MB that no service needs."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any, BinaryIO

from runtime.errors import SettingsError
from wfm_bridge.formats import Asked
from wfm_bridge.formats.tables import TABLES, Kind, Table
from wfm_bridge.history.grid import Grid

if TYPE_CHECKING:
    import pyarrow as pa

_GROUP_ROWS = 100_000
"""Rows of a row group: what of a table is in memory at once."""


class _Parquet:
    suffix = ".parquet"
    tables = tuple(TABLES)

    def check(self, _asked: Asked) -> None:
        """Raise SettingsError where pyarrow is not installed."""
        try:
            import pyarrow as pa  # noqa: F401, PLC0415 - an extra
        except ImportError as problem:
            raise SettingsError(
                "--format parquet needs pyarrow, which is not installed: pip install 'trunkline[export]', or take "
                "--format csv"
            ) from problem

    def write(self, table: str, grid: Grid, out: BinaryIO) -> int:
        """Write a table, compressed with Zstandard."""
        import pyarrow as pa  # noqa: PLC0415 - an extra
        import pyarrow.parquet as pq  # noqa: PLC0415

        layout, written = TABLES[table], 0
        schema = _schema(layout)
        with pq.ParquetWriter(out, schema, compression="zstd") as writer:
            rows = layout.rows(grid)
            while group := list(itertools.islice(rows, _GROUP_ROWS)):
                columns = [
                    pa.array(map(column.of, group), field.type)
                    for column, field in zip(layout.columns, schema, strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=schema))
                written += len(group)
        return written


def _schema(layout: Table) -> pa.Schema:
    import pyarrow as pa  # noqa: PLC0415 - an extra

    types: dict[Kind, Any] = {
        Kind.TEXT: pa.string(),
        Kind.COUNT: pa.int64(),
        Kind.SECONDS: pa.float64(),
        Kind.INTERVAL: pa.timestamp("us", tz="UTC"),
        Kind.INSTANT: pa.timestamp("us", tz="UTC"),
    }
    return pa.schema([pa.field(each.name, types[each.kind], nullable=each.nullable) for each in layout.columns])


FORMAT = _Parquet()
