"""docs/export.md tells the columns that there are, and its lines of Python read what is exported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wfm_bridge.formats.genesys import HEADER, MEDIA_TYPES
from wfm_bridge.formats.tables import TABLES, Table

PAGE = (Path(__file__).parents[2] / "docs" / "export.md").read_text(encoding="utf-8")


def shown(table: Table) -> str:
    lines = ["| column | type | what |", "|---|---|---|"]
    for column in table.columns:
        kind = "instant" if column.kind.value.startswith("instant") else column.kind.value
        lines.append(f"| `{column.name}` | {kind} | {column.about} |")
    return "\n".join(lines)


@pytest.mark.parametrize("name", list(TABLES))
def test_the_page_has_the_columns_of_each_table(name: str) -> None:
    (found,) = re.findall(rf"<!-- {name} -->\n(.*?)\n<!-- end -->", PAGE, re.DOTALL)
    assert found == shown(TABLES[name])


def test_the_page_has_the_header_and_the_media_types_of_genesys() -> None:
    assert f"\n{','.join(HEADER)}\n" in PAGE
    (row,) = re.findall(r"\| Media Type \| (.*?);", PAGE)
    assert set(re.findall(r"`([A-Z]+)`", row)) == set(MEDIA_TYPES.values())
