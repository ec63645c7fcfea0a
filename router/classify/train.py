"""Training: borders of intents (`fit`), and what their margins are worth on texts that a fit has not seen.

Only training needs scikit-learn; import it where a model is trained, not where one is used.
The same corpus gives the same model, bit by bit, on one machine with one set of libraries.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from router.classify.corpus import Utterance, corpus_sha256
from router.classify.errors import ModelError
from router.classify.evaluate import auroc, calibration_bins, expected_calibration_error
from router.classify.evidence import EVIDENCE, evidence, odds_to_probability
from router.classify.features import Ints, count_features
from router.classify.fit import SEED, Problem, all_unseen_margins, fitted
from router.classify.margins import MarginModel
from router.classify.result import OUT_OF_SCOPE
from router.classify.vocabulary import Floats32, Floats64

LEAST_OF_AN_INTENT = 2
FOLDS, SMALL_FOLDS, SMALL_CORPUS = 5, 10, 3_000
"""A small corpus misses what is held out more, so less is held out at a time."""
LEAST_OUT_OF_SCOPE = 20
"""Examples of out of scope from which it can be told; with fewer, intents that are left out stand in for it."""
OUTSIDE_SHARE = 0.02
"""Weight of out-of-scope examples in the calibration, as a share of the corpus: how many such contacts a centre has is
not in its corpus. CLINC150's validation set: calibration error 0.008 at 0.007, 0.011 at 0.02 and 0.03; coverage, where
a threshold lets 5 % of them through to AI alone, 0.82, 0.85 and 0.86."""

Progress = Callable[[str], None]


def train(utterances: Sequence[Utterance], name: str, *, progress: Progress | None = None) -> MarginModel:
    """Return a model of a corpus; `name` opens its version id. `progress` is told what is being done.

    Raises ModelError where the corpus has fewer than two intents besides `oos`, or an intent has fewer than
    LEAST_OF_AN_INTENT utterances.
    """
    say = progress or (lambda _line: None)
    problem = _problem(utterances)
    texts = len(problem.labels)
    say(f"{texts:,} utterances of {len(problem.intents)} intents; {problem.counts.rows.size / texts:.0f} features each")
    folds = _folds(problem.labels, SMALL_FOLDS if texts < SMALL_CORPUS else FOLDS)
    strangers = _strangers(problem)
    margins = all_unseen_margins(problem, [*folds, *strangers], side_by_side=texts >= SMALL_CORPUS, progress=say)
    unseen = np.zeros((texts, len(problem.intents)), dtype=np.float32)
    unseen[np.concatenate(folds)] = np.concatenate(margins[: len(folds)])
    of_strangers = np.concatenate([unseen[:0], *margins[len(folds) :]])
    right, outside, metrics = _calibrate(unseen, of_strangers, problem)
    borders = fitted(problem, np.arange(texts))
    say(f"trained: of texts that were held out, {metrics['accuracy']:.1%} right")
    return MarginModel(
        name=name,
        intents=problem.intents,
        corpus_sha256=corpus_sha256(utterances),
        borders=dataclasses.replace(borders, weights=borders.weights.astype(np.float16)),
        right=right,
        outside=outside,
        metrics=metrics,
    )


def _problem(utterances: Sequence[Utterance]) -> Problem:
    sizes = Counter(utterance.intent for utterance in utterances)
    few = sorted(intent for intent, size in sizes.items() if size < LEAST_OF_AN_INTENT)
    if len(sizes.keys() - {OUT_OF_SCOPE}) < 2:  # noqa: PLR2004
        raise ModelError(f"a corpus needs two intents besides {OUT_OF_SCOPE!r}; this one has {sorted(sizes)}")
    if few:
        raise ModelError(f"each intent needs at least {LEAST_OF_AN_INTENT} utterances; these have fewer: {few}")
    intents = tuple(sorted(sizes.keys() | {OUT_OF_SCOPE}))
    place = {intent: at for at, intent in enumerate(intents)}
    labels = np.array([place[utterance.intent] for utterance in utterances], dtype=np.int64)
    return Problem(count_features([each.text for each in utterances]), labels, intents, place[OUT_OF_SCOPE])


def _folds(labels: Ints, folds: int) -> list[Ints]:
    """Return the rows of each fold; an intent is spread over all folds, and over one at least by one of its rows."""
    order = np.random.default_rng(SEED).permutation(labels.size)
    order = order[np.argsort(labels[order], kind="stable")]
    fold_of = np.empty(labels.size, dtype=np.int64)
    fold_of[order] = np.arange(labels.size) % folds
    return [rows for fold in range(folds) if (rows := np.flatnonzero(fold_of == fold)).size]


def _strangers(problem: Problem) -> list[Ints]:
    """Return groups of texts, all of an intent in one: a fit of the others does not know their intents.

    They stand in for out of scope; none where the corpus has examples enough of it.
    """
    inside = np.setdiff1d(np.unique(problem.labels), [problem.out_of_scope])
    if np.sum(problem.labels == problem.out_of_scope) >= LEAST_OUT_OF_SCOPE or inside.size < FOLDS * 2:
        return []
    groups = np.array_split(np.random.default_rng(SEED).permutation(inside), FOLDS)
    return [np.flatnonzero(np.isin(problem.labels, group)) for group in groups]


def _calibrate(unseen: Floats32, strangers: Floats32, problem: Problem) -> tuple[Floats64, Floats64, dict[str, float]]:
    """Return the coefficients of "right" and of "out of scope", and what was measured on the way."""
    found = evidence(unseen, problem.out_of_scope)
    inside = problem.labels != problem.out_of_scope
    right = inside & (found.first == problem.labels)
    columns = np.concatenate((found.columns, evidence(strangers, problem.out_of_scope).columns))
    outsiders = np.concatenate((~inside, np.ones(len(strangers), dtype=np.bool_)))
    outside_weight = OUTSIDE_SHARE * inside.sum() / max(int(outsiders.sum()), 1)
    weights = np.where(outsiders, outside_weight, 1.0)
    answered = np.concatenate((right, np.zeros(len(strangers), dtype=np.bool_)))
    of_right = _log_odds(columns, answered, weights)
    balanced = np.where(outsiders, inside.sum() / max(int(outsiders.sum()), 1), 1.0)
    of_outside = _log_odds(columns, outsiders, balanced)
    confidence = odds_to_probability(found.columns[inside], of_right)
    metrics = {
        "accuracy": float(right[inside].mean()),
        "ece": expected_calibration_error(calibration_bins(confidence, right[inside])) or 0.0,
    }
    area = auroc(odds_to_probability(columns, of_outside), outsiders)
    if area is not None:
        metrics["oos_auroc"] = area
    return of_right, of_outside, metrics


def _log_odds(columns: Floats64, answers: npt.NDArray[np.bool_], weights: Floats64) -> Floats64:
    """Return float64[EVIDENCE + 1]: coefficients and constant of a logistic regression on evidence."""
    if answers.all() or not answers.any():
        # Nothing to tell apart: the share, as sure as one more of the other kind would leave it.
        share = (answers.sum() + 0.5) / (answers.size + 1.0)
        return np.append(np.zeros(EVIDENCE), np.log(share / (1.0 - share)))
    scaler = StandardScaler().fit(columns)
    fit: Any = LogisticRegression(C=1.0, max_iter=1_000).fit(scaler.transform(columns), answers, weights)
    coefficients = fit.coef_[0] / scaler.scale_
    return np.append(coefficients, fit.intercept_[0] - (coefficients * scaler.mean_).sum())
