"""What a suite found: a table for the terminal, SUITE.json and a bar chart SUITE.png."""

from __future__ import annotations

import dataclasses
import json
import os
import platform
import statistics
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import confluent_kafka
import psutil
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from runtime.embedded.jars import listed_jars

_PIPED_WIDTH = 170
"""Characters a line where the table goes to a file: wide enough for one line a row."""


@dataclasses.dataclass(frozen=True, slots=True)
class Row:
    """One thing measured. values: one per run. cpu: seconds per 1,000 contacts, by process (medians)."""

    name: str
    values: tuple[float, ...]
    contacts: int | None = None
    cpu: Mapping[str, float] = dataclasses.field(default_factory=dict)
    resident_megabytes: float | None = None
    note: str = ""

    @property
    def median(self) -> float:
        """The figure to quote."""
        return statistics.median(self.values)


@dataclasses.dataclass(frozen=True, slots=True)
class Report:
    """The outcome of a suite.

    unit: of the rows' values. reference: the row that the others are put in relation to, or None.
    fields: what goes into the JSON beside rows and machine. draw: draws on a matplotlib Figure
    in place of the bars.
    """

    suite: str
    title: str
    unit: str
    rows: Sequence[Row]
    reference: str | None = None
    fields: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    draw: Callable[[Any], None] | None = None

    def publish(self, folder: Path) -> None:
        """Print the table; write the JSON and the chart to a folder, which is made."""
        folder.mkdir(parents=True, exist_ok=True)
        self.print_table()
        data, chart = folder / f"{self.suite}.json", folder / f"{self.suite}.png"
        data.write_text(json.dumps(self.as_json(), indent=2) + "\n")
        self._write_chart(chart)
        print(f"{data} and {chart}", file=sys.stderr)

    def as_json(self) -> dict[str, Any]:
        """Return everything as JSON data: the suite's own fields on the top level."""
        ratios = self.ratios()
        rows = [
            {
                **dataclasses.asdict(row),
                "values": list(row.values),
                "median": row.median,
                "lowest": min(row.values),
                "highest": max(row.values),
                "ratio": ratios.get(row.name),
            }
            for row in self.rows
        ]
        about = {"suite": self.suite, "title": self.title, "unit": self.unit, "reference": self.reference}
        return {**about, **self.fields, "rows": rows, "machine": machine()}

    def ratios(self) -> dict[str, float]:
        """Return each row's median as a multiple of the reference's; empty without a reference."""
        medians = {row.name: row.median for row in self.rows}
        base = medians.get(self.reference or "", 0.0)
        return {name: median / base for name, median in medians.items()} if base else {}

    def print_table(self) -> None:
        """Print the rows as a table, readable in a terminal and in a file."""
        console = Console(width=None if sys.stdout.isatty() else _PIPED_WIDTH)
        facts = machine()
        console.print(f"\n{self.title}", highlight=False)
        console.print(
            f"{facts['cores']} cores of {facts['cpu']}; Kafka {facts['kafka']}, Python {facts['python']}, "
            f"confluent-kafka {facts['confluent_kafka']} (librdkafka {facts['librdkafka']})",
            highlight=False,
            style="dim",
        )
        console.print(self._table(), highlight=False)

    def _table(self) -> Table:
        parties = list(dict.fromkeys(party for row in self.rows for party in row.cpu))
        caption = "CPU: seconds per 1,000 contacts. MB: most resident memory." if parties else None
        table = Table(box=SIMPLE_HEAD, pad_edge=False, caption=caption, caption_justify="left")
        ratios = self.ratios()
        optional = {
            f"of {self.reference}": [f"{ratios[row.name]:.2f}" if row.name in ratios else "" for row in self.rows],
            "contacts": ["" if row.contacts is None else f"{row.contacts:,}" for row in self.rows],
            **{
                f"{party} CPU": [f"{row.cpu[party]:.3f}" if party in row.cpu else "" for row in self.rows]
                for party in parties
            },
            "MB": ["" if row.resident_megabytes is None else f"{row.resident_megabytes:,.0f}" for row in self.rows],
            "": [row.note for row in self.rows],
        }
        shown = {title: cells for title, cells in optional.items() if any(cells)}
        table.add_column("", no_wrap=True)
        for title in (self.unit, "spread", "runs", *shown):
            table.add_column(title, justify="left" if title == "" else "right")
        for at, row in enumerate(self.rows):
            spread = f"{number(min(row.values))} - {number(max(row.values))}"
            others = [cells[at] for cells in shown.values()]
            table.add_row(row.name, number(row.median), spread, str(len(row.values)), *others)
        return table

    def _write_chart(self, path: Path) -> None:
        import matplotlib as mpl  # noqa: PLC0415 - half a second, and only where a chart is drawn

        mpl.use("Agg")
        from matplotlib.figure import Figure  # noqa: PLC0415

        figure = Figure(figsize=(9.0, 1.2 + 0.45 * len(self.rows)) if self.draw is None else (9.0, 5.0))
        (self.draw or self._bars)(figure)
        figure.suptitle(self.title, fontsize=11)
        figure.tight_layout()
        figure.savefig(path, dpi=150)

    def _bars(self, figure: Any) -> None:
        axes = figure.subplots()
        rows = list(reversed(self.rows))
        medians = [row.median for row in rows]
        below = [row.median - min(row.values) for row in rows]
        above = [max(row.values) - row.median for row in rows]
        colours = ["#1f5f8b" if row.name == self.reference else "#8fb8d4" for row in rows]
        bars = axes.barh([row.name for row in rows], medians, xerr=[below, above], color=colours, ecolor="#444444")
        axes.bar_label(bars, labels=[f"  {number(median)}" for median in medians], fontsize=9)
        axes.set_xlabel(self.unit)
        axes.margins(x=0.15)
        axes.spines[["top", "right"]].set_visible(False)


def number(value: float) -> str:
    """Return a number with three significant digits or more, thousands apart."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def machine() -> dict[str, Any]:
    """Return what figures depend on beside the code: the machine, and versions."""
    broker = next((jar.coordinates[2] for jar in listed_jars() if jar.coordinates[1].startswith("kafka_2")), "unknown")
    return {
        "cores": os.cpu_count(),
        "cpu": _cpu_model(),
        "memory_gigabytes": round(psutil.virtual_memory().total / 1e9, 1),
        "system": platform.platform(),
        "kafka": broker,
        "python": platform.python_version(),
        "confluent_kafka": confluent_kafka.version(),
        "librdkafka": confluent_kafka.libversion()[0],
    }


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or "unknown"
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
