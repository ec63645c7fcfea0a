"""What a trained classifier is worth beside the usual recipe (`bench.recipe`), on public corpora that you bring.

A folder, `TRUNKLINE_BENCH_CORPORA`, has `clinc150_train.csv` and `clinc150_val.csv` (Larson et al. 2019) and
`banking77_train.csv` (Casanueva et al. 2020), each with the columns `text` and `intent`. What is missing is left out.
Three questions: CLINC150, trained on its training set and measured on its validation set; Banking77, in five
stratified folds of its training set; and 600 utterances of 38 intents drawn from either, measured on the rest.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import StratifiedKFold

from bench.options import Options
from bench.recipe import Recipe
from bench.report import Report, Row
from bench.stage import say
from router.classify.corpus import Utterance, read_corpus
from router.classify.evaluate import calibration_bins, expected_calibration_error, figures, judge
from router.classify.margins import MarginClassifier
from router.classify.result import OUT_OF_SCOPE
from router.classify.train import train
from schemas.errors import TrunklineError

FOLDER = "TRUNKLINE_BENCH_CORPORA"
FOLDS, DRAWS, QUICK_DRAWS = 5, 10, 2
SMALL_ROWS, SMALL_INTENTS, LEAST_OF_AN_INTENT = 600, 38, 5

Corpus = Sequence[Utterance]


class Outcome(NamedTuple):
    """One training and its measurement: by name, of ours and of the recipe."""

    ours: dict[str, Any]
    recipe: dict[str, Any]


def run(options: Options) -> Report:
    """Train and measure; raises TrunklineError where there is no corpus."""
    folder = Path(os.environ.get(FOLDER, ""))
    if not os.environ.get(FOLDER) or not folder.is_dir():
        raise TrunklineError(f"this suite measures on corpora that you bring: name their folder in {FOLDER}")
    outcomes: dict[str, list[Outcome]] = {}
    for name, training, held_out in _questions(folder, QUICK_DRAWS if options.quick else DRAWS):
        outcome = compared(training, held_out)
        outcomes.setdefault(name, []).append(outcome)
        say(f"{name}: ours {_said(outcome.ours)}; recipe {_said(outcome.recipe)}")
    return _report(outcomes)


def compared(training: Corpus, held_out: Corpus) -> Outcome:
    """Train both on a corpus and measure them on another."""
    began = time.perf_counter()
    model = train(training, "quality")
    trained = time.perf_counter() - began
    ours = {**figures(judge(MarginClassifier(model), held_out)), "train_seconds": trained}
    began = time.perf_counter()
    recipe = Recipe([each.text for each in training], [each.intent for each in training])
    trained = time.perf_counter() - began
    said = recipe([each.text for each in held_out])
    actual = np.array([each.intent for each in held_out])
    inside = actual != OUT_OF_SCOPE
    right = said.intents == actual
    return Outcome(
        ours,
        {
            "n": len(held_out),
            "accuracy": float(right[inside].mean()),
            "ece": expected_calibration_error(calibration_bins(said.confidence[inside], right[inside])),
            "train_seconds": trained,
        },
    )


def _questions(folder: Path, draws: int) -> Iterator[tuple[str, Corpus, Corpus]]:
    """Yield (name, what to train on, what to measure on)."""
    corpora = {path.stem: read_corpus(path) for path in sorted(folder.glob("*.csv")) if path.stem in _NAMES}
    for name in _NAMES:
        if name not in corpora:
            say(f"{name}.csv is not in {folder}: left out")
    clinc, validation, banking = (corpora.get(name) for name in _NAMES)
    if clinc and validation:
        yield "CLINC150, validation set", clinc, validation
    if banking:
        intents = np.array([each.intent for each in banking])
        for kept, out in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(intents, intents):
            yield f"Banking77, {FOLDS} folds", _taken(banking, kept), _taken(banking, out)
    for name, corpus in (("CLINC150", clinc), ("Banking77", banking)):
        for seed in range(draws) if corpus else ():
            kept, out = _small(corpus or (), seed)
            yield f"{name}, {SMALL_ROWS} rows of {SMALL_INTENTS} intents", kept, out


_NAMES = ("clinc150_train", "clinc150_val", "banking77_train")


def _small(corpus: Corpus, seed: int) -> tuple[Corpus, Corpus]:
    """Return some rows of some intents, each with LEAST_OF_AN_INTENT at least, and those intents' other rows."""
    rng = np.random.default_rng(seed)
    intents = np.array([each.intent for each in corpus])
    drawn = rng.choice(np.setdiff1d(np.unique(intents), [OUT_OF_SCOPE]), SMALL_INTENTS, replace=False)
    rows = np.flatnonzero(np.isin(intents, drawn))
    while True:
        kept = rng.choice(rows, SMALL_ROWS, replace=False)
        counts = np.unique(intents[kept], return_counts=True)[1]
        if counts.size == SMALL_INTENTS and counts.min() >= LEAST_OF_AN_INTENT:
            return _taken(corpus, kept), _taken(corpus, np.setdiff1d(rows, kept))


def _taken(corpus: Corpus, rows: npt.NDArray[np.int64]) -> Corpus:
    return [corpus[row] for row in rows.tolist()]


def _said(of: dict[str, Any]) -> str:
    names = ("accuracy", "ece", "oos_auroc", "coverage_ai", "precision_ai", "oos_leak_ai", "train_seconds")
    return ", ".join(f"{name} {of[name]:.4g}" for name in names if of.get(name) is not None)


def _report(outcomes: dict[str, list[Outcome]]) -> Report:
    rows, fields = [], {}
    for name, of in outcomes.items():
        fields[name] = {who: _means([getattr(each, who) for each in of]) for who in Outcome._fields}
        for who, means in fields[name].items():
            values = tuple(getattr(each, who)["accuracy"] for each in of)
            rows.append(Row(f"{name}: {who}", values, note=_said(means)))
    return Report("quality", "Classifier: accuracy in scope, means in the notes", "accuracy", rows, fields=fields)


def _means(of: list[dict[str, Any]]) -> dict[str, float]:
    names = [name for name, value in of[0].items() if isinstance(value, (int, float))]
    return {name: statistics.mean(each[name] for each in of) for name in names}
