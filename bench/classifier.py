"""What the classifier takes: by size of the batch and of the model, to load, and in memory. No broker."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.contacts import INTENTS, bench_model
from bench.options import Options
from bench.report import Report, Row
from bench.stage import say
from bench.timed_classifier import BATCH_SIZES

MODEL_INTENTS = (25, INTENTS, 500, 1000)
BATCH = 500
"""Texts of a step: `runtime.loop.LoopOptions.slice_records`."""

Runs = Mapping[int, Sequence[Mapping[str, Any]]]


def run(options: Options) -> Report:
    """Time models of four sizes, each in a process of its own, in turns; return the report."""
    runs: dict[int, list[Mapping[str, Any]]] = {intents: [] for intents in MODEL_INTENTS}
    with tempfile.TemporaryDirectory(prefix="trunkline-bench-") as folder:
        say(f"making models of {', '.join(map(str, MODEL_INTENTS))} intents")
        models = {intents: bench_model(Path(folder), intents) for intents in MODEL_INTENTS}
        for repetition in range(options.repetitions()):
            for intents, model in models.items():
                runs[intents].append(_timed(model, intents, quick=options.quick))
                each = runs[intents][-1]["microseconds"][str(BATCH)]
                say(f"run {repetition + 1} of {options.repetitions()}, {intents} intents: {each:.1f} microseconds")
    return _report(runs)


def _timed(model: Path, intents: int, *, quick: bool) -> dict[str, Any]:
    argv = [sys.executable, "-m", "bench.timed_classifier", "--model", str(model), "--intents", str(intents)]
    argv += ["--quick"] if quick else []
    answer = subprocess.run(argv, check=True, stdout=subprocess.PIPE, cwd=Path(__file__).parent.parent)
    figures: dict[str, Any] = json.loads(answer.stdout)
    return figures


def _report(runs: Runs) -> Report:
    sizes = [_row(runs, f"{INTENTS} intents, batches of {size}", INTENTS, size) for size in BATCH_SIZES]
    models = [
        _row(runs, f"{intents} intents, batches of {BATCH}", intents, BATCH)
        for intents in MODEL_INTENTS
        if intents != INTENTS
    ]
    table = {
        str(intents): {str(size): _median(of, "microseconds", size) for size in BATCH_SIZES}
        for intents, of in runs.items()
    }
    single = ("p50_ms", "p99_ms", "import_seconds", "load_seconds", "resident_megabytes")
    fields = {
        "microseconds": table,
        **{name: {str(intents): _median(of, name) for intents, of in runs.items()} for name in single},
    }
    return Report(
        "classifier",
        "Classifier: microseconds a text",
        "microseconds",
        [*sizes, *models],
        f"{INTENTS} intents, batches of {BATCH}",
        fields,
        lambda figure: _draw(figure, table),
    )


def _row(runs: Runs, name: str, intents: int, size: int) -> Row:
    of = runs[intents]
    values = tuple(figures["microseconds"][str(size)] for figures in of)
    single = f"one text: p50 {_median(of, 'p50_ms'):.2f} ms, p99 {_median(of, 'p99_ms'):.2f} ms"
    loading = f"import {_median(of, 'import_seconds'):.2f} s, load {_median(of, 'load_seconds'):.2f} s"
    resident = max(figures["resident_megabytes"] for figures in of)
    if size == BATCH:
        return Row(name, values, resident_megabytes=resident, note=f"{single}; {loading}")
    return Row(name, values, note=single if size == 1 else "")


def _median(of: Sequence[Mapping[str, Any]], name: str, size: int | None = None) -> float:
    return float(statistics.median(figures[name] if size is None else figures[name][str(size)] for figures in of))


def _draw(figure: Any, table: Mapping[str, Mapping[str, float]]) -> None:
    by_size, by_intents = figure.subplots(1, 2)
    for intents, microseconds in table.items():
        by_size.plot([int(size) for size in microseconds], list(microseconds.values()), marker="o", label=intents)
    by_size.set(xscale="log", yscale="log", xlabel="texts a batch", ylabel="microseconds a text")
    by_size.legend(title="intents", fontsize=8)
    by_intents.plot([int(intents) for intents in table], [of[str(BATCH)] for of in table.values()], marker="o")
    by_intents.set(xlabel=f"intents (batches of {BATCH})", ylabel="microseconds a text", ylim=(0, None))
    for axes in (by_size, by_intents):
        axes.spines[["top", "right"]].set_visible(False)
