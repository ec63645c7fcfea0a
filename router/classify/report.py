"""What `trunkline classifier` tells of a corpus, a model and a measurement: lines for people, and JSON."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from router.classify.corpus import Utterance, corpus_sha256, survey
from router.classify.errors import ModelError
from router.classify.evaluate import (
    LEAST_TO_SPLIT,
    Judged,
    Speed,
    confusions,
    figures,
    hold_out,
    judge,
    unknown_intents,
)
from router.classify.model import open_classifier
from router.classify.result import OUT_OF_SCOPE
from router.classify.store import save_model

FEW_EXAMPLES = 20
"""Fewer than the seed corpus has of any intent."""
MOST_SHOWN = 10
_EXAMPLE_CHARACTERS = 60
_LABELS = {
    "n": "utterances",
    "n_in_scope": "  in scope",
    "n_oos": "  out of scope",
    "accuracy": "accuracy",
    "ece": "expected calibration error",
    "oos_auroc": "AUROC of out of scope",
    "coverage_ai": "AI alone, coverage",
    "precision_ai": "AI alone, precision",
    "coverage_assisted": "AI assisted, coverage",
    "precision_assisted": "AI assisted, precision",
    "oos_leak_ai": "out of scope sent to AI alone",
    "oos_leak_any": "out of scope sent to any AI",
    "microseconds_per_text": "microseconds a text, in batches",
    "single_ms_p99": "milliseconds a lone text, p99",
}


def about_model(out: Path) -> str:
    """Return the line of a model's file."""
    content = out.read_bytes()
    version = open_classifier(out).classify([""]).model
    return f"model     {out}, version {version}, {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}"


def about_corpus(data: Path, utterances: Sequence[Utterance]) -> Iterator[str]:
    """Yield what a corpus has, and what in it is doubtful."""
    sizes = Counter(utterance.intent for utterance in utterances)
    out_of_scope = sizes.pop(OUT_OF_SCOPE, 0)
    yield (
        f"data      {data}: {count(len(utterances), 'utterance')}, {count(len(sizes), 'intent')}, "
        f"{out_of_scope:,} out of scope, sha256 {corpus_sha256(utterances)}"
    )
    doubtful = survey(utterances)
    if doubtful.duplicates:
        yield f"          {count(doubtful.duplicates, 'utterance')} there more than once, case and spaces aside"
    few = sorted((size, intent) for intent, size in sizes.items() if size < FEW_EXAMPLES)
    if few:
        yield f"{count(len(few), 'intent')} with fewer than {FEW_EXAMPLES} utterances: write more of"
        yield from _shown([f"  {size:7,}  {intent}" for size, intent in few])
    if doubtful.conflicts:
        yield f"{count(len(doubtful.conflicts), 'utterance')} with more than one intent: keep one of"
        yield from _shown([f"  {', '.join(intents)}: {_example(text)}" for text, intents in doubtful.conflicts])


def told_by_training(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the training measured, where it did."""
    metrics = manifest.get("metrics")
    if metrics:
        told = ", ".join(f"{_LABELS.get(name, name)} {_figure(value)}" for name, value in metrics.items())
        yield f"training  {told}; on what it held out of its own, in turn"


def measured(out: Path, validation: Sequence[Utterance], say: Callable[[str], None]) -> list[str]:
    """Measure a saved model."""
    say(f"measuring on {count(len(validation), 'utterance')}")
    return [
        f"measured  on the {count(len(validation), 'utterance')} of the validation set",
        *table(judge(open_classifier(out), validation)),
    ]


def measured_apart(utterances: Sequence[Utterance], say: Callable[[str], None]) -> list[str]:
    """Train a second model on four fifths of a corpus, and measure it on the others."""
    from router.classify.train import train  # noqa: PLC0415 - with scikit-learn, which nothing else here needs

    kept, held = hold_out(utterances)
    if not held:
        return [f"measured  not at all: no intent has {LEAST_TO_SPLIT} utterances; give more, or a --validation file"]
    say(f"measuring on {count(len(held), 'utterance')} held out: training a second model on the other {len(kept):,}")
    with tempfile.TemporaryDirectory(prefix="trunkline-classifier-") as folder:
        path = Path(folder) / "measured.npz"
        try:
            save_model(train(kept, path.stem, progress=say), path)
        except ModelError as problem:
            return [f"measured  not at all, for without a fifth of it the corpus trains no model: {problem}"]
        judged = judge(open_classifier(path), held)
    told = (
        f"measured  on {count(len(held), 'utterance')} not seen by a second model, trained on the other {len(kept):,};"
    )
    return [f"{told} the model saved was trained on all", *table(judged)]


def as_json(judged: Judged, speed: Speed, utterances: Sequence[Utterance]) -> str:
    """Return the figures as one JSON object."""
    numbers = {name: or_null(value) for name, value in {**figures(judged), **speed._asdict()}.items()}
    said = {
        "model": judged.model,
        "data_sha256": corpus_sha256(utterances),
        "unknown_intents": unknown_intents(judged),
    }
    return json.dumps({**numbers, **said}, allow_nan=False)


def table(judged: Judged, speed: Speed | None = None) -> list[str]:
    """Return the figures, and the mistakes worth reading."""
    lines = _figure_lines({**figures(judged), **(speed._asdict() if speed else {})})
    unknown = unknown_intents(judged)
    if unknown:
        lines.append(f"{count(len(unknown), 'intent')} that the model does not know, counted as errors:")
        lines += _shown([f"  {count:7,}  {intent}" for intent, count in unknown.items()])
    found = confusions(judged)
    if found:
        lines.append("confusions worth reading: the intent given -> the one found, and the surest mistake")
        lines += _shown([f"  {of.times:7,}  {of.actual} -> {of.predicted}: {_example(of.example)}" for of in found])
    return lines


def _figure_lines(figures: Mapping[str, Any]) -> list[str]:
    return [f"  {_LABELS.get(name, name):34}{_figure(value):>10}" for name, value in figures.items()]


def _figure(value: Any) -> str:
    value = or_null(value)
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else json.dumps(value)


def or_null(value: Any) -> Any:
    """Return the value, None for a number that JSON has not."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def count(number: int, noun: str) -> str:
    """Return `1 utterance`, `2 utterances`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _shown(lines: list[str]) -> list[str]:
    left = len(lines) - MOST_SHOWN
    return lines if left <= 0 else [*lines[:MOST_SHOWN], f"  and {left:,} more"]


def _example(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _EXAMPLE_CHARACTERS else line[: _EXAMPLE_CHARACTERS - 3] + "...")
