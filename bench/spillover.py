"""A full outage of AI at the peak of a bank's busiest day: what becomes of people's queue, by what is done about it.

Three measures on the same contacts, in virtual time, through the product's own logic: none (all that AI would have had
goes to people at once), metering (as many as there is room for, the others wait in Trunkline's buffer), and metering
with deflection (customers of low priority to self-service) and callback (callers). Arrivals are those of
`bank1999_arrivals.csv` in the folder that `TRUNKLINE_BENCH_CORPORA` names (Brown et al., "Statistical Analysis of a
Telephone Call Center", JASA 100(469), 2005), ten times over; without it, a made-up day of the same size. What else is
assumed: `bench.spill.setting`. No broker.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.options import Options
from bench.report import Report, Row, number
from bench.spill.day import Days, days
from bench.spill.figures import Figures, fates, figures, spread, waiting_over_time, waits_over_time
from bench.spill.outage import Outage, Outcome
from bench.spill.setting import Measure, Setting, measures
from bench.stage import say
from schemas.fields import MICROS_PER_SECOND

SEEDS_A_RUN = 5
"""Days simulated in each repetition: cheap, and a median of three would say little."""
_STEP_SECONDS = 300
_SHOWN_HOURS = (-1, 4)
"""Of the outage's beginning: what the picture shows."""
_COLOURS = ("#b5432f", "#d9a441", "#1f5f8b")
_PANELS = {
    "wait_seconds": "mean wait, s",
    "own_wait_seconds": "mean wait, s:\npeople's own contacts",
    "waiting": "waiting,\nline and buffer",
}
"""Of the picture, from the top: what of the lines over time, and its label."""
_WIDTH = 170

Spread = Mapping[str, Mapping[str, float | None]]


class Run(NamedTuple):
    """One day with one measure."""

    figures: Figures
    fates: dict[str, dict[str, int]]
    waits: list[float | None]
    own_waits: list[float | None]
    waiting: list[float | None]


def run(options: Options) -> Report:
    """Simulate; raises SettingsError where the arrivals cannot be read, LostContactError where one is lost."""
    setting, arrivals = Setting(), days()
    seeds = range(1 if options.quick else options.runs * SEEDS_A_RUN)
    say(f"arrivals: {arrivals.source}; {len(seeds)} day(s) of each measure")
    runs = {
        measure.name: [simulated(measure, setting, arrivals, seed) for seed in seeds] for measure in measures(setting)
    }
    return report(setting, arrivals, runs)


def simulated(measure: Measure, setting: Setting, arrivals: Days, seed: int) -> Run:
    """Return one day with one measure; contacts are the same for all measures of a seed."""
    outcome = Outage(measure, setting, arrivals, seed).run()
    starts = _starts(outcome)
    width = _STEP_SECONDS * MICROS_PER_SECOND
    made = Run(
        figures(outcome),
        fates(outcome),
        waits_over_time(outcome, starts, width),
        waits_over_time(_own(outcome), starts, width),
        waiting_over_time(outcome, starts, width),
    )
    say(f"{measure.title}, seed {seed}: {_told({name: {'median': value} for name, value in made.figures.items()})}")
    return made


def report(setting: Setting, arrivals: Days, runs: Mapping[str, Sequence[Run]]) -> Report:
    """Print the tables by measure; return what goes to the files."""
    titles = {measure.name: measure.title for measure in measures(setting)}
    found = {name: spread([each.figures for each in of]) for name, of in runs.items()}
    counted = {name: _median_fates([each.fates for each in of]) for name, of in runs.items()}
    lines = {
        name: {
            "wait_seconds": _median_line([each.waits for each in of]),
            "own_wait_seconds": _median_line([each.own_waits for each in of]),
            "waiting": _median_line([each.waiting for each in of]),
        }
        for name, of in runs.items()
    }
    _print(titles, found, counted)
    rows = [
        Row(titles[name], tuple(each.figures["wait_mean_seconds"] or 0.0 for each in of), note=_told(found[name]))
        for name, of in runs.items()
    ]
    hours = [_SHOWN_HOURS[0] + at * _STEP_SECONDS / 3600 for at in range(_steps())]
    fields = {
        "arrivals": arrivals.source,
        "seeds": len(next(iter(runs.values()))),
        "assumptions": dataclasses.asdict(setting),
        "measures": {name: {"figures": found[name], "contacts": counted[name]} for name in runs},
        "over_time": {"hours_from_outage": hours, **lines},
    }
    title = "AI out for an hour at the peak: mean wait of the contacts that sought a person meanwhile"

    def draw(figure: Any) -> None:
        _draw(figure, hours, {titles[name]: lines[name] for name in runs}, setting.outage_seconds / 3600)

    return Report("spillover", title, "seconds", rows, rows[0].name, fields, draw)


def _own(outcome: Outcome) -> Outcome:
    """Return a run with people's own contacts alone: those that AI would never have had."""
    return outcome._replace(contacts=[each for each in outcome.contacts if not each.displaced])


def _steps() -> int:
    return (_SHOWN_HOURS[1] - _SHOWN_HOURS[0]) * 3600 // _STEP_SECONDS


def _starts(outcome: Outcome) -> list[int]:
    first = outcome.out_at + _SHOWN_HOURS[0] * 3600 * MICROS_PER_SECOND
    return [first + at * _STEP_SECONDS * MICROS_PER_SECOND for at in range(_steps())]


def _told(found: Spread) -> str:
    """Return the figures of a measure in a line."""
    of = {name: each["median"] for name, each in found.items()}
    return (
        f"p95 {_seconds(of['wait_p95_seconds'])}; {_share(of['abandoned'])} abandoned; "
        f"{_share(of['service_level'])} in 20 s; peak {number(of['peak_waiting'] or 0.0)}; "
        f"normal after {_minutes(of['normal_after_minutes'])}; {_share(of['customers_helped'])} helped"
    )


def _seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:,.0f} s"


def _minutes(value: float | None) -> str:
    return "never" if value is None else f"{value:,.0f} min"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.0%}"


def _print(titles: Mapping[str, str], found: Mapping[str, Spread], counted: Mapping[str, Mapping[str, Any]]) -> None:
    """Print all figures, median with lowest and highest, and contacts by fate: a column for each measure."""
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    first = next(iter(found.values()))
    console.print(
        _table("median (lowest - highest)", titles, {name: _ranges(found, name) for name in first}), highlight=False
    )
    for group in next(iter(counted.values())):
        names = dict.fromkeys(name for each in counted.values() for name in each[group])
        rows = {name: [f"{each[group].get(name, 0):,.0f}" for each in counted.values()] for name in names}
        console.print(_table(f"contacts of: {group}", titles, rows), highlight=False)


def _ranges(found: Mapping[str, Spread], name: str) -> list[str]:
    """Return a figure as text, for each measure."""
    cells = []
    for each in found.values():
        values = [each[name][which] for which in ("median", "lowest", "highest")]
        shown = [_shown(name, value) for value in values]
        cells.append(f"{shown[0]} ({shown[1]} - {shown[2]})")
    return cells


def _shown(name: str, value: float | None) -> str:
    if value is None:
        return "-"
    is_share = name.endswith(("abandoned", "service_level", "customers_helped"))
    return f"{value:.1%}" if is_share else number(value)


def _table(corner: str, titles: Mapping[str, str], rows: Mapping[str, Sequence[str]]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    table.add_column(corner, no_wrap=True)
    for title in titles.values():
        table.add_column(title, justify="right")
    for name, cells in rows.items():
        table.add_row(name.replace("_", " "), *cells)
    return table


def _median_fates(runs: Sequence[dict[str, dict[str, int]]]) -> dict[str, dict[str, float]]:
    """Return the median count of each fate in each group; one that a run did not meet counts 0."""
    groups = {group: dict.fromkeys(name for each in runs for name in each[group]) for group in runs[0]}
    return {
        group: {name: statistics.median(each[group].get(name, 0) for each in runs) for name in names}
        for group, names in groups.items()
    }


def _median_line(runs: Sequence[Sequence[float | None]]) -> list[float | None]:
    """Return the median over runs at each step, None where no run has a value."""
    steps = ([value for value in step if value is not None] for step in zip(*runs, strict=True))
    return [statistics.median(values) if values else None for values in steps]


def _draw(figure: Any, hours: Sequence[float], lines: Mapping[str, Mapping[str, Any]], outage_hours: float) -> None:
    """Draw waiting time and the number of those who wait over time, a line for each measure."""
    panels = figure.subplots(3, 1, sharex=True)
    for axes, (name, label) in zip(panels, _PANELS.items(), strict=True):
        axes.axvspan(0.0, outage_hours, color="#eeeeee", label="AI is out")
        for (title, line), colour in zip(lines.items(), _COLOURS, strict=True):
            values = [float("nan") if value is None else value for value in line[name]]
            axes.plot(hours, values, color=colour, label=title)
        axes.set_ylabel(label, fontsize=8)
        axes.set_ylim(bottom=0)
        axes.spines[["top", "right"]].set_visible(False)
    panels[0].legend(fontsize=8, frameon=False)
    panels[-1].set_xlabel("hours from the outage's beginning")
