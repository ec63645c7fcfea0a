"""States, moves and signals of a breaker as a diagram and tables, made from the tables that the monitor goes by."""

from __future__ import annotations

from collections.abc import Iterator

from processors.health.logic.breaker import TABLE
from processors.health.logic.signals import KINDS
from schemas.control import BreakerPolicy
from schemas.errors import TrunklineError
from schemas.fields import BreakerState

BEGIN = "<!-- breaker-diagram: begin; made by `trunkline breakers diagram --into docs/breakers.md` -->"
END = "<!-- breaker-diagram: end -->"
_PER_LINE = 2
"""Reasons on one line of an arrow's label: more, and labels cover one another."""


def block() -> str:
    """Return the Mermaid diagram, the table of moves and that of signals, as Markdown that ends in a newline."""
    lines = ["```mermaid", "stateDiagram-v2", f"    [*] --> {BreakerState.CLOSED}", *_arrows(), "```"]
    return "\n".join([*lines, "", *_rows(), "", *_signals(BreakerPolicy())]) + "\n"


def placed(page: str, name: str) -> str:
    """Return a page with what is between its two marks made anew; raises TrunklineError where it has no marks."""
    before, begin, rest = page.partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise TrunklineError(f"{name} has no place for the diagram: put in the lines {BEGIN!r} and {END!r}")
    return f"{before}{begin}{block()}{end}{after}"


def _arrows() -> Iterator[str]:
    for (start, to), reasons in TABLE.items():
        names = sorted(reasons)
        parts = [", ".join(names[at : at + _PER_LINE]) for at in range(0, len(names), _PER_LINE)]
        yield f"    {start} --> {to}: {'<br/>'.join(parts)}"


def _rows() -> Iterator[str]:
    yield "| from | to | for these reasons only |"
    yield "|---|---|---|"
    for (start, to), reasons in TABLE.items():
        yield f"| {start} | {to} | {', '.join(f'`{reason}`' for reason in sorted(reasons))} |"


def _signals(policy: BreakerPolicy) -> Iterator[str]:
    """Each signal's test under a policy: what is accepted, what is noticed soonest, and how often it is wrong."""
    yield "| signal | leads to | for reason | accepted | noticed soonest at | limit | false alarm once in |"
    yield "|---|---|---|---|---|---|---|"
    for signal, kind in KINDS.items():
        test = kind.test(policy)
        figures = (
            "only where the policy asks for it | | |"
            if test is None
            else f"{test.good:.3g} | {test.bad:.3g} | {test.limit} | {test.false_alarm_observations:,.0f}"
        )
        yield f"| `{signal}` | {kind.to_state} | `{kind.reason}` | {figures} |"
