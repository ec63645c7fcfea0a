"""Layouts of exported files: a module each, named here; a vendor's is one more."""

from __future__ import annotations

import importlib
from typing import BinaryIO, NamedTuple, Protocol

from wfm_bridge.history.grid import Grid

MODULES = {
    "parquet": "wfm_bridge.formats.parquet",
    "csv": "wfm_bridge.formats.comma_separated",
    "genesys": "wfm_bridge.formats.genesys",
}
"""Name of each format, as `--format` takes it, and the module whose `FORMAT` it is."""


class Asked(NamedTuple):
    """What an export is asked to hold. `changed_since`: only rows written then or later, UTC microseconds."""

    tenant: str | None
    changed_since: int | None


class Format(Protocol):
    """A layout. `suffix`: of its files. `tables`: what it can write, a file each."""

    suffix: str
    tables: tuple[str, ...]

    def check(self, asked: Asked) -> None:
        """Raise SettingsError where the layout cannot hold what is asked, or something it needs is not installed."""

    def write(self, table: str, grid: Grid, out: BinaryIO) -> int:
        """Write a table and return its rows. The same grid gives the same bytes."""


def load(name: str) -> Format:
    """Return the format of a name in MODULES."""
    made: Format = importlib.import_module(MODULES[name]).FORMAT
    return made
