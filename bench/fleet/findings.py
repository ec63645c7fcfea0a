"""What the suite says of its scores: the table, the plot, the goals, the JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from bench.fleet.runs import RULES
from bench.fleet.scores import Score
from bench.report import Report, number

Scores = Mapping[str, Mapping[str, Score]]
"""Scenario -> rule -> score."""
_COLOURS = dict(zip(RULES, ("#1f5f8b", "#d9822b", "#7a9e4d"), strict=True))


@dataclasses.dataclass(frozen=True, slots=True)
class Goal:
    """What Trunkline's rule is to reach: a figure of its score in a scenario, at most so much."""

    scenario: str
    figure: str
    at_most: float

    def met(self, scores: Scores) -> dict[str, Any] | None:
        """Return the figure and whether the goal is met; None where the scenario was not played."""
        if self.scenario not in scores:
            return None
        value = getattr(scores[self.scenario]["trunkline"], self.figure)
        return {**dataclasses.asdict(self), "value": value, "met": value is not None and value <= self.at_most}


HEALTHY = ("healthy_0.5", "healthy_2", "healthy_5")
GOALS = (
    Goal("hard_outage_5", "detect_p95_seconds", 3.0),
    Goal("hard_outage_0.5", "detect_p95_seconds", 20.0),
    Goal("errors_30", "detect_p95_seconds", 15.0),
    Goal("silent_wrong", "labelled_p95_seconds", 600.0),
    *(Goal(name, "false_degraded_per_week", 1.0) for name in HEALTHY),
    *(Goal(name, "false_open_per_week", 0.0) for name in HEALTHY),
)


@dataclasses.dataclass(frozen=True, slots=True)
class HealthReport(Report):
    """A report whose table has a line for each rule in each scenario. note: below the table."""

    scores: Scores = dataclasses.field(default_factory=dict)
    note: str = ""

    def _table(self) -> Table:
        table = Table(box=SIMPLE_HEAD, pad_edge=False, caption=self.note, caption_justify="left")
        table.add_column("scenario", no_wrap=True)
        table.add_column("rule", no_wrap=True)
        for title in ("runs", *_COLUMNS):
            table.add_column(title, justify="right")
        for scenario, rules in self.scores.items():
            for at, (rule, of) in enumerate(rules.items()):
                cells = (_cell(getattr(of, figure)) for figure in _COLUMNS.values())
                last = at == len(rules) - 1
                table.add_row(scenario if at == 0 else "", rule, str(of.runs), *cells, end_section=last)
        return table


_COLUMNS = {
    "detect, median s": "detect_median_seconds",
    "p95 s": "detect_p95_seconds",
    "missed": "missed",
    "recover, median s": "recover_median_seconds",
    "harmed, median": "harmed_median",
    "unwatched": "unwatched_median",
    "false DEGRADED a week": "false_degraded_per_week",
    "false OPEN a week": "false_open_per_week",
}


_CAPTION = (
    "Seconds from the fault's beginning; - where more runs were missed. Harmed: contacts that failed, or were told "
    "something wrong, because they were let in; unwatched: with no person beside AI."
)


def _cell(value: float | None) -> str:
    return "-" if value is None else number(value)


def fields(scores: Scores) -> dict[str, Any]:
    """Return what the JSON has beside its rows: `scenarios` by name and rule, and the goals."""
    goals = [said for goal in GOALS if (said := goal.met(scores))]
    by_rule = {
        scenario: {rule: dataclasses.asdict(of) for rule, of in rules.items()} for scenario, rules in scores.items()
    }
    return {"scenarios": by_rule, "goals": goals}


def note(scores: Scores) -> str:
    """Say how much was simulated, and which goals were not met."""
    said = [
        f"{name}: {of.contacts:,} contacts and {of.outcomes:,} outcomes in {7.0 * of.healthy_weeks:.3g} days"
        for name in HEALTHY
        if name in scores and (of := scores[name]["trunkline"])
    ]
    missed = [
        f"{said['scenario']} {said['figure']} {_cell(said['value'])}, not {said['at_most']:g}"
        for said in fields(scores)["goals"]
        if not said["met"]
    ]
    verdict = f"Goals not met: {'; '.join(missed)}." if missed else "All goals are met."
    return "\n".join([_CAPTION, *said, verdict])


def draw(scores: Scores, figure: Any) -> None:
    """Draw times to detect on the left, false alarms on the right, on a matplotlib Figure."""
    faulty = [name for name in scores if name not in HEALTHY]
    left, right = figure.subplots(1, 2, width_ratios=(3, 1))
    for at, rule in enumerate(RULES):
        shift = 0.25 * (at - 1)
        _draw_detections(left, [scores[name][rule] for name in faulty], rule, shift)
        alarms = [_alarms(scores, name, rule) for name in HEALTHY]
        right.barh([place + shift for place in range(len(HEALTHY))], alarms, height=0.22, color=_COLOURS[rule])
    left.set_yticks(range(len(faulty)), faulty)
    left.set_xscale("log")
    left.set_xlim(0.3, 30_000.0)
    left.set_xlabel("seconds to detect: median to 95th percentile; at the edge, share missed")
    right.set_yticks(range(len(HEALTHY)), HEALTHY)
    right.set_xlabel("false alarms a week")
    right.axvline(1.0, color="#444444", linestyle=":", linewidth=1)
    right.set_xlim(0.0, max(1.2, right.get_xlim()[1]))
    left.legend(loc="lower right", fontsize=8)
    for axes in (left, right):
        axes.invert_yaxis()
        axes.spines[["top", "right"]].set_visible(False)


def _draw_detections(axes: Any, of: Sequence[Score], rule: str, shift: float) -> None:
    axes.plot([], [], "o-", color=_COLOURS[rule], label=rule)
    for place, each in enumerate(of):
        middle, late = each.detect_median_seconds, each.detect_p95_seconds
        if middle is not None:
            to = middle if late is None else late
            axes.plot([middle, to], [place + shift] * 2, "-", color=_COLOURS[rule], linewidth=2)
            axes.plot([middle], [place + shift], "o", color=_COLOURS[rule], markersize=4)
        if each.missed:
            at = (1.0, place + shift)
            text = f"{each.missed / each.runs:.0%} missed"
            axes.annotate(
                text, at, xycoords=("axes fraction", "data"), color=_COLOURS[rule], fontsize=6, va="center", ha="right"
            )


def _alarms(scores: Scores, scenario: str, rule: str) -> float:
    if scenario not in scores:
        return 0.0
    of = scores[scenario][rule]
    return of.false_degraded_per_week + of.false_open_per_week
