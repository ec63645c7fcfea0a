"""The page on breakers shows the states and moves that the table has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from processors.health.diagram import BEGIN, END, block, placed
from processors.health.logic.breaker import TABLE
from processors.health.logic.signals import KINDS, Signal
from schemas.control import BreakerPolicy
from schemas.errors import TrunklineError
from schemas.fields import BreakerState

PAGE = Path(__file__).parents[2] / "docs" / "breakers.md"


def test_the_page_is_what_the_table_says() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page == placed(page, "docs/breakers.md"), (
        "the table of moves has changed: run `.venv/bin/trunkline breakers diagram --into docs/breakers.md`"
    )


def test_every_move_of_the_table_is_an_arrow_and_a_row_with_all_its_reasons_and_nothing_else_is() -> None:
    arrows = {
        (start, to): set(re.split(r",\s*|<br/>", label))
        for start, to, label in re.findall(r"^    (\w+) --> (\w+): (.+)$", block(), flags=re.MULTILINE)
    }
    rows = {
        (start, to): set(re.findall(r"`(\w+)`", reasons))
        for start, to, reasons in re.findall(r"^\| (\w+) \| (\w+) \| (.+) \|$", block(), flags=re.MULTILINE)
        if start != "from"
    }
    wanted = {(str(start), str(to)): {str(each) for each in reasons} for (start, to), reasons in TABLE.items()}
    assert arrows == wanted
    assert rows == wanted


def test_every_signal_is_a_row_with_the_figures_of_its_test() -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \| (.+) \|$", block(), flags=re.MULTILINE))
    assert set(rows) == set(Signal)
    for signal, kind in KINDS.items():
        test = kind.test(BreakerPolicy())
        cells = [cell.strip() for cell in rows[signal].split("|")]
        assert cells[:2] == [str(kind.to_state), f"`{kind.reason}`"]
        if test is None:
            assert cells[2] == "only where the policy asks for it"
        else:
            assert [float(cell.replace(",", "")) for cell in cells[2:]] == pytest.approx(
                [test.good, test.bad, test.limit, test.false_alarm_observations], rel=0.005
            )


def test_the_page_explains_every_state_every_reason_and_every_signal() -> None:
    page = PAGE.read_text(encoding="utf-8")
    told = page.partition(BEGIN)[0] + page.partition(END)[2]
    reasons = {str(each) for found in TABLE.values() for each in found}
    missing = {name for name in [*BreakerState, *sorted(reasons), *Signal] if f"`{name}`" not in told}
    assert not missing, f"say in docs/breakers.md, outside the diagram, what these are: {sorted(missing)}"


def test_only_what_is_between_the_marks_is_made_anew() -> None:
    page = f"before\n{BEGIN}\nold\n{END}\nafter\n"
    assert placed(page, "page.md") == f"before\n{BEGIN}\n{block()}{END}\nafter\n"
    assert placed(placed(page, "page.md"), "page.md") == placed(page, "page.md")
    for spoilt in ("no marks\n", f"{BEGIN}\nno end\n"):
        with pytest.raises(TrunklineError, match=r"page\.md has no place for the diagram: put in the lines"):
            placed(spoilt, "page.md")
