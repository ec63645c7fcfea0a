"""What the demonstration shows while it runs: a live table, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from typing import Protocol, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from trunkline.demo.observe import Witness, percentile

_PLAIN_EVERY_SECONDS = 2.0
_STATE_STYLE = {"closed": "green", "degraded": "yellow", "half_open": "cyan", "open": "bold red"}


class View(Protocol):
    """Shows the state of the run."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(self, *_: object) -> None:
        """End."""

    def say(self, sentence: str) -> None:
        """Say something once."""

    def show(self, witness: Witness, seconds: float) -> None:
        """Show the figures of now. seconds: since traffic began."""


def view() -> View:
    """Return a live view where standard output is a terminal, else plain lines."""
    console = Console()
    return _LiveView(console) if console.is_terminal else _PlainView()


class _PlainView:
    def __init__(self) -> None:
        self._next = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None: ...

    def say(self, sentence: str) -> None:
        print(sentence, flush=True)

    def show(self, witness: Witness, seconds: float) -> None:
        if time.monotonic() < self._next or not witness.offered:
            return
        self._next = time.monotonic() + _PLAIN_EVERY_SECONDS
        breakers = " ".join(f"{name}={state}" for name, state in sorted(witness.breaker_states().items()))
        people = " ".join(
            f"{queue}={each.agents_required_before}->{each.agents_required_after}"
            for queue, each in sorted(witness.standing().items())
        )
        pools = " ".join(f"{pool}={count}" for pool, count in sorted(witness.pools.items()))
        self.say(
            f"{seconds:5.0f} s  offered={len(witness.offered)} decided={witness.decided} closed={len(witness.closed)} "
            f"{pools}  breakers: {breakers or 'all closed'}  people required: {people or 'unchanged'}"
        )


class _LiveView:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, refresh_per_second=8, transient=False)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False)

    def show(self, witness: Witness, seconds: float) -> None:
        self._live.update(Group(_contacts(witness, seconds), _breakers(witness), _people(witness)))


def _contacts(witness: Witness, seconds: float) -> Table:
    table = Table(title=f"Trunkline, {seconds:.0f} s of traffic", title_justify="left", expand=False)
    for column in ("offered", "decided", "closed", *sorted(witness.pools), "p50 ms", "p99 ms"):
        table.add_column(column, justify="right")
    recent = witness.latencies_ms[-500:]
    table.add_row(
        str(len(witness.offered)),
        str(witness.decided),
        str(len(witness.closed)),
        *(str(witness.pools[pool]) for pool in sorted(witness.pools)),
        *(f"{percentile(recent, share) or 0.0:.0f}" for share in (0.50, 0.99)),
    )
    return table


def _breakers(witness: Witness) -> Table:
    table = Table(title="breakers", title_justify="left")
    table.add_column("AI endpoint")
    table.add_column("state")
    states = witness.breaker_states()
    for endpoint, state in sorted(states.items()):
        table.add_row(endpoint, Text(str(state), style=_STATE_STYLE.get(str(state), "bold")))
    if not states:
        table.add_row("all", Text("closed", style="green"))
    return table


def _people(witness: Witness) -> Table:
    table = Table(title="people required (Erlang C, from wfm.staffing)", title_justify="left")
    for column in ("queue", "before", "now", "human contacts/min before", "now", "because of"):
        table.add_column(column, justify="left" if column in ("queue", "because of") else "right")
    for queue, each in sorted(witness.standing().items()):
        table.add_row(
            queue,
            str(each.agents_required_before),
            str(each.agents_required_after),
            f"{each.human_contacts_per_minute_before:.0f}",
            f"{each.human_contacts_per_minute_after:.0f}",
            f"{each.cause_endpoint} {each.cause_state}",
        )
    return table
