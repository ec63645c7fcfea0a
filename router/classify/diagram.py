"""A reliability diagram: how often a model is right, beside how sure it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from router.classify.evaluate import ASSISTED, BINS, CONTAINED, Judged, expected_calibration_error
from schemas.errors import TrunklineError

_LEAST_DRAWN = 0.004
"""Height of the bar of a bin that was never right, so that it is seen to be there."""


def new_figure() -> Any:
    """Return an empty matplotlib Figure; raise TrunklineError where matplotlib is missing."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415 - half a second, and only where a chart is drawn
    except ModuleNotFoundError as problem:
        raise TrunklineError(
            "a diagram needs matplotlib, which is not installed: run pip install 'trunkline[plot]', or leave out --plot"
        ) from problem
    return Figure(figsize=(6.0, 6.5))


def draw(figure: Any, judged: Judged, path: Path) -> None:
    """Draw what is in scope of `judged`, and write it to `path` as PNG; raise TrunklineError where that fails."""
    bins = judged.bins()
    reliability, sizes = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
    there = bins.counts > 0
    lefts = np.arange(BINS) / BINS
    bars = np.maximum(bins.accuracy, _LEAST_DRAWN)
    reliability.bar(
        lefts[there], bars[there], width=1 / BINS, align="edge", edgecolor="white", label="accuracy of the bin"
    )
    reliability.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="confidence = accuracy")
    means = (bins.confidence[there], bins.accuracy[there])
    reliability.plot(*means, "o", color="black", markersize=3, clip_on=False, label="its mean confidence")
    sizes.bar(lefts, bins.counts, width=1 / BINS, align="edge", edgecolor="white", color="grey")
    for axes in (reliability, sizes):
        for threshold in (ASSISTED, CONTAINED):
            axes.axvline(threshold, color="tab:red", linewidth=0.8)
        axes.spines[["top", "right"]].set_visible(False)
    reliability.set(xlim=(0, 1), ylim=(0, 1), ylabel="accuracy")
    reliability.legend(loc="upper left", fontsize=8)
    sizes.set(xlabel=f"confidence (red: thresholds {ASSISTED}, {CONTAINED})", ylabel="utterances")
    error = expected_calibration_error(bins)
    shown = "nothing in scope" if error is None else f"expected calibration error {error:.4f}"
    figure.suptitle(f"{judged.model}: {shown}, {int(bins.counts.sum())} utterances", fontsize=10)
    figure.tight_layout()
    try:
        figure.savefig(path, dpi=150, format="png")
    except OSError as problem:
        raise TrunklineError(f"the diagram cannot be written to {path}: {problem}; give a file that can") from problem
