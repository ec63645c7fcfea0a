"""Training: support vector machines, one intent against the rest, and what their margins are worth on unseen texts.

Only this module needs scikit-learn; import it where a model is trained, not where one is used.
The same corpus gives the same model, bit by bit, on one machine with one set of libraries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler
from sklearn.svm import LinearSVC

from router.classify.corpus import Utterance, corpus_sha256
from router.classify.errors import ModelError
from router.classify.evaluate import auroc, calibration_bins, expected_calibration_error
from router.classify.features import Counts, count_features
from router.classify.linear import EVIDENCE, NEVER, LinearModel, evidence, odds_to_probability
from router.classify.result import OUT_OF_SCOPE
from router.classify.vocabulary import KIND_WEIGHTS, Floats32, Floats64, Vocabulary, feature_matrix, vocabulary_of

Ints = npt.NDArray[np.int64]

PENALTY = 4.0
"""scikit-learn's C. CLINC150's validation set: accuracy 0.935 at 2, 0.936 at 4."""
_TOLERANCE = 1e-2
"""liblinear's; a hundredth of it takes half as long again and changes no figure."""
KIND_WEIGHTS_TRIED = (KIND_WEIGHTS, np.array([0.85, 0.7, 0.4, 0.4]), np.array([0.7, 0.7, 0.4, 0.7]))
"""Utterances as people type them to a bank want characters (Banking77: accuracy 0.899 with the first, 0.907 with the
last), those of CLINC150 words (0.936 and 0.934)."""
CHOICE_FOLDS = 2
LEAST_OF_AN_INTENT = 2
FOLDS, SMALL_FOLDS, SMALL_CORPUS = 5, 10, 3_000
"""A small corpus misses what is held out more, so less is held out at a time."""
FOLD_SEED = 7
"""Any fixed number: it makes the folds, hence the calibration, the same in every run."""
LEAST_OUT_OF_SCOPE = 20
"""Examples of out of scope from which it can be told; with fewer, intents that are left out stand in for it."""
OUTSIDE_SHARE = 0.007
"""Weight of out-of-scope examples in the calibration, as a share of the corpus."""

Progress = Callable[[str], None]


class _Problem(NamedTuple):
    """What is to be learnt. labels: int64[n], places in `intents`, of which `out_of_scope` is one."""

    counts: Counts
    labels: Ints
    intents: tuple[str, ...]
    out_of_scope: int


class _Fit(NamedTuple):
    """Weights of a vocabulary: float32[m, intents] and float32[intents]."""

    vocabulary: Vocabulary
    weights: Floats32
    bias: Floats32


def train(utterances: Sequence[Utterance], name: str, *, progress: Progress | None = None) -> LinearModel:
    """Return a model of a corpus; `name` opens its version id. `progress` is told what is being done.

    Raises ModelError where the corpus has fewer than two intents besides `oos`, or an intent has fewer than
    LEAST_OF_AN_INTENT utterances.
    """
    say = progress or (lambda _line: None)
    problem = _problem(utterances)
    texts = len(problem.labels)
    say(f"{texts:,} utterances of {len(problem.intents)} intents; {problem.counts.rows.size / texts:.0f} features each")
    folds = _folds(problem.labels, FOLDS if texts >= SMALL_CORPUS else SMALL_FOLDS)
    # One after the other: liblinear draws from one generator for all threads, and no two runs would be the same.
    kind_weights = _kind_weights(problem, folds, say)
    unseen = np.zeros((texts, len(problem.intents)), dtype=np.float32)
    for number, held_out in enumerate(folds, start=1):
        unseen[held_out] = _unseen_margins(problem, held_out, kind_weights)
        say(f"fold {number} of {len(folds)} measured")
    strangers = _strangers(problem, kind_weights, say)
    fit = _fitted(problem, np.arange(texts), kind_weights)
    right, outside, metrics = _calibrate(unseen, strangers, problem)
    say(f"trained: of texts that were held out, {metrics['accuracy']:.1%} right")
    return LinearModel(
        name=name,
        intents=problem.intents,
        corpus_sha256=corpus_sha256(utterances),
        vocabulary=fit.vocabulary,
        weights=fit.weights.astype(np.float16),
        bias=fit.bias,
        right=right,
        outside=outside,
        metrics=metrics,
    )


def _problem(utterances: Sequence[Utterance]) -> _Problem:
    sizes = Counter(utterance.intent for utterance in utterances)
    few = sorted(intent for intent, size in sizes.items() if size < LEAST_OF_AN_INTENT)
    if len(sizes.keys() - {OUT_OF_SCOPE}) < 2:  # noqa: PLR2004
        raise ModelError(f"a corpus needs two intents besides {OUT_OF_SCOPE!r}; this one has {sorted(sizes)}")
    if few:
        raise ModelError(f"each intent needs at least {LEAST_OF_AN_INTENT} utterances; these have fewer: {few}")
    intents = tuple(sorted(sizes.keys() | {OUT_OF_SCOPE}))
    place = {intent: at for at, intent in enumerate(intents)}
    labels = np.array([place[utterance.intent] for utterance in utterances], dtype=np.int64)
    return _Problem(count_features([each.text for each in utterances]), labels, intents, place[OUT_OF_SCOPE])


def _folds(labels: Ints, folds: int) -> list[Ints]:
    """Return the rows of each fold; an intent is spread over all folds, and over one at least by one of its rows."""
    order = np.random.default_rng(FOLD_SEED).permutation(labels.size)
    order = order[np.argsort(labels[order], kind="stable")]
    fold_of = np.empty(labels.size, dtype=np.int64)
    fold_of[order] = np.arange(labels.size) % folds
    return [rows for fold in range(folds) if (rows := np.flatnonzero(fold_of == fold)).size]


def _kind_weights(problem: _Problem, folds: Sequence[Ints], say: Progress) -> Floats64:
    """Return the weights of kinds of features that serve a corpus best, by its first folds."""
    held_out = np.sort(np.concatenate(folds[:CHOICE_FOLDS]))
    held_out = held_out[problem.labels[held_out] != problem.out_of_scope]
    right = []
    for weights in KIND_WEIGHTS_TRIED:
        margins = _unseen_margins(problem, held_out, weights)
        margins[:, problem.out_of_scope] = NEVER
        right.append(int((margins.argmax(axis=1) == problem.labels[held_out]).sum()))
    best = int(np.argmax(right))
    told = ", ".join(f"{count / held_out.size:.1%}" for count in right)
    say(
        f"words, neighbours, pairs over a word and characters weigh {KIND_WEIGHTS_TRIED[best].tolist()} (tried: {told})"
    )
    return KIND_WEIGHTS_TRIED[best]


def _rows_of(counts: Counts, rows: Ints, texts: int) -> Counts:
    """Return the features of some texts, numbered anew; rows ascend."""
    number = np.full(texts, -1, dtype=np.int64)
    number[rows] = np.arange(rows.size)
    mine = number[counts.rows] >= 0
    return Counts(number[counts.rows[mine]], counts.buckets[mine], counts.counts[mine])


def _fitted(problem: _Problem, rows: Ints, kind_weights: Floats64) -> _Fit:
    """Return the weights that some texts teach; intents that none of them has get NEVER."""
    counts = _rows_of(problem.counts, rows, problem.labels.size)
    vocabulary = vocabulary_of(counts, rows.size, kind_weights)
    features = feature_matrix(counts, rows.size, vocabulary, vocabulary.slots())
    machine = LinearSVC(C=PENALTY, tol=_TOLERANCE, random_state=FOLD_SEED).fit(features, problem.labels[rows])
    weights = np.zeros((vocabulary.buckets.size, len(problem.intents)), dtype=np.float32)
    bias = np.full(len(problem.intents), NEVER, dtype=np.float32)
    coefficients, intercepts = machine.coef_, machine.intercept_
    if len(machine.classes_) == 2:  # noqa: PLR2004 - then one border serves both
        coefficients, intercepts = np.concatenate((-coefficients, coefficients)), np.append(-intercepts, intercepts)
    weights[:, machine.classes_] = coefficients.T
    bias[machine.classes_] = intercepts
    return _Fit(vocabulary, weights, bias)


def _margins(problem: _Problem, fit: _Fit, rows: Ints) -> Floats32:
    counts = _rows_of(problem.counts, rows, problem.labels.size)
    features = feature_matrix(counts, rows.size, fit.vocabulary, fit.vocabulary.slots())
    margins: Floats32 = (features @ fit.weights + fit.bias).astype(np.float32)
    return margins


def _unseen_margins(problem: _Problem, held_out: Ints, kind_weights: Floats64) -> Floats32:
    """Return the margins of some texts under a fit that has not seen them."""
    seen = np.setdiff1d(np.arange(problem.labels.size), held_out)
    return _margins(problem, _fitted(problem, seen, kind_weights), held_out)


def _strangers(problem: _Problem, kind_weights: Floats64, say: Progress) -> Floats32:
    """Return the margins of texts whose intent a fit does not know: they stand in for out of scope, where it is short.

    float32[k, intents]; none where the corpus has examples enough.
    """
    inside = np.setdiff1d(np.unique(problem.labels), [problem.out_of_scope])
    if np.sum(problem.labels == problem.out_of_scope) >= LEAST_OUT_OF_SCOPE or inside.size < FOLDS * 2:
        return np.zeros((0, len(problem.intents)), dtype=np.float32)
    groups = np.array_split(np.random.default_rng(FOLD_SEED).permutation(inside), FOLDS)
    rows = [np.flatnonzero(np.isin(problem.labels, group)) for group in groups]
    found = [_unseen_margins(problem, of_these, kind_weights) for of_these in rows]
    say("out of scope measured by intents that were left out")
    return np.concatenate(found)


def _calibrate(unseen: Floats32, strangers: Floats32, problem: _Problem) -> tuple[Floats64, Floats64, dict[str, float]]:
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
