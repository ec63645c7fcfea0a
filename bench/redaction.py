"""What redaction finds of what was planted (`bench.planted`), what it takes for a value that is none, and its time.

A value is found where a span of its kind covers it whole, and left where none of any kind does: what stays in the text
is the privacy that is lost, what goes as another kind is not. A span is wrong where no value of its kind is.
"""

from __future__ import annotations

import dataclasses
import statistics
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import cycle, islice
from typing import Any, NamedTuple

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from bench.options import Options
from bench.planted import Line, planted
from bench.planted_speech import SPEECH
from bench.report import Report, Row
from bench.stage import say
from runtime.redaction import Kind, Redactor

SEED = 2026
"""Rules are tuned on other seeds."""
LINES, QUICK_LINES = 10_000, 1_000
_KEY = b"bench: thirty-two bytes of a key"
_TARGETS = {Kind.CARD: 0.99, Kind.IBAN: 0.99, Kind.EMAIL: 0.99, Kind.PHONE: 0.97, Kind.NATIONAL_ID: 0.97}
_LEAST_PRECISION = 0.98
_MIX = (("nothing", 14), ("a number", 5), ("a value", 1))
"""Of twenty lines that a centre hears: most have no digit, five an order, an amount or a day, one has a value."""
_LENGTH = 100
"""Characters of a line that has nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Found:
    """What became of the values of one kind. missed: by locale. left: not covered by any span."""

    planted: int
    missed: Mapping[str, int]
    left: int
    spans: int
    wrong: int

    @property
    def recall(self) -> float:
        """Share of the values that were found."""
        return 1.0 - sum(self.missed.values()) / max(1, self.planted)

    @property
    def precision(self) -> float:
        """Share of the spans that have a value."""
        return 1.0 - self.wrong / max(1, self.spans)


class Times(NamedTuple):
    """Microseconds a line, by the thread's CPU clock: of the others, each reading has its own 0.3 in it."""

    mean: float
    p50: float
    p99: float


def run(options: Options) -> Report:
    """Measure recall and precision once, times as often as asked; print the table of kinds."""
    lines = list(planted(options.contacts_or(LINES, QUICK_LINES), SEED))
    redactor = Redactor(_KEY)
    found = measured(redactor, lines)
    _print(found, len(lines))
    mixes = _mixes(lines)
    times: dict[str, list[Times]] = {name: [] for name in mixes}
    for repetition in range(options.repetitions()):
        for name, texts in mixes.items():
            times[name].append(_times(redactor, texts))
        said = ", ".join(f"{name} {of[-1].mean:.2f}" for name, of in times.items())
        say(f"run {repetition + 1} of {options.repetitions()}: {said} microseconds a line")
    return _report(times, found, mixes)


def measured(redactor: Redactor, lines: Sequence[Line]) -> dict[Kind, Found]:
    """Return what a redactor finds of the values planted in lines."""
    counts: dict[str, Counter[Kind]] = {name: Counter() for name in ("planted", "left", "spans", "wrong")}
    missed: dict[Kind, Counter[str]] = {kind: Counter() for kind in _TARGETS}
    for line in lines:
        spans = redactor.found(line.text).spans
        for value in line.values:
            covering = [span for span in spans if span.start <= value.start and value.end <= span.end]
            counts["planted"][value.kind] += 1
            counts["left"][value.kind] += not covering
            missed[value.kind][line.locale] += all(span.kind is not value.kind for span in covering)
        for span in spans:
            values = [value for value in line.values if value.start < span.end and span.start < value.end]
            counts["spans"][span.kind] += 1
            counts["wrong"][span.kind] += all(value.kind is not span.kind for value in values)
    return {
        kind: Found(missed=dict(+missed[kind]), **{name: of[kind] for name, of in counts.items()}) for kind in _TARGETS
    }


def _mixes(lines: Sequence[Line]) -> dict[str, list[str]]:
    """Return texts by what is in them, and the mix of a centre."""
    fillers = [filler for speech in SPEECH.values() for filler in speech.fillers]
    spoken = cycle(fillers)
    nothing = []
    for _ in lines:
        text = next(spoken)
        while len(text) < _LENGTH:
            text += f". {next(spoken)}"
        nothing.append(text)
    number = [line.text for line in lines if not line.values and any(map(str.isdigit, line.text))]
    value = [line.text for line in lines if line.values]
    texts = {"nothing": nothing, "a number": number, "a value": value}
    drawn = [islice(cycle(texts[name]), len(lines) * weight // 20) for name, weight in _MIX]
    return {"the mix of a centre": [text for of in drawn for text in of], **texts}


def _times(redactor: Redactor, texts: Sequence[str]) -> Times:
    start = time.thread_time_ns()
    for text in texts:
        redactor.text(text)
    mean = (time.thread_time_ns() - start) / 1e3 / len(texts)
    each = []
    for text in texts:
        start = time.thread_time_ns()
        redactor.text(text)
        each.append((time.thread_time_ns() - start) / 1e3)
    each.sort()
    return Times(mean, each[len(each) // 2], each[len(each) * 99 // 100])


def _report(
    times: Mapping[str, Sequence[Times]], found: Mapping[Kind, Found], texts: Mapping[str, Sequence[str]]
) -> Report:
    rows = []
    for name, runs in times.items():
        p50, p99 = statistics.median(run.p50 for run in runs), statistics.median(run.p99 for run in runs)
        characters = statistics.fmean(map(len, texts[name]))
        note = f"p50 {p50:.1f}, p99 {p99:.1f}; {len(texts[name]):,} lines of {characters:.0f} characters"
        rows.append(Row(name, tuple(run.mean for run in runs), note=note))
    fields: dict[str, Any] = {
        "seed": SEED,
        "kinds": {
            kind: {**dataclasses.asdict(of), "recall": of.recall, "precision": of.precision}
            for kind, of in found.items()
        },
    }
    return Report("redaction", "Redaction: microseconds a line, mean", "microseconds", rows, rows[0].name, fields)


def _print(found: Mapping[Kind, Found], lines: int) -> None:
    """Print the table of kinds; what falls short of its target has a mark."""
    table = Table(box=SIMPLE_HEAD, pad_edge=False, title=f"{lines:,} lines, seed {SEED}", title_justify="left")
    for title in ("", "planted", "recall", "left", "spans", "wrong", "precision", "missed"):
        table.add_column(title, justify="left" if title in ("", "missed") else "right")
    for kind, of in found.items():
        missed = ", ".join(f"{locale} {count}" for locale, count in sorted(of.missed.items()))
        recall = f"{of.recall:.4f}{'' if of.recall >= _TARGETS[kind] else ' !'}"
        precision = f"{of.precision:.4f}{'' if of.precision >= _LEAST_PRECISION else ' !'}"
        cells = (kind, f"{of.planted:,}", recall, str(of.left), f"{of.spans:,}", str(of.wrong), precision, missed)
        table.add_row(*cells)
    Console(width=None if sys.stdout.isatty() else 170).print(table, highlight=False)
