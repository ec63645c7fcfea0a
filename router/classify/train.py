"""Training of the baseline: multinomial logistic regression, calibrated by cross-validation.

Only this module needs scikit-learn; import it where a model is trained, not where one is used.
The same corpus gives the same model, bit by bit, on one machine with one set of libraries.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.optimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from router.classify.corpus import Utterance, corpus_sha256
from router.classify.errors import ModelError
from router.classify.features import count_features
from router.classify.linear import LinearModel, softmax
from router.classify.result import OUT_OF_SCOPE
from router.classify.vocabulary import Floats64, feature_matrix, vocabulary_of

INVERSE_REGULARISATION = 10.0
"""scikit-learn's C. Cross-validated log loss on the seed corpus: 1.51 at 3, 1.45 at 10, 1.46 at 30."""
FOLDS = 5
FOLD_SEED = 7
"""Any fixed number: it makes the folds, hence the temperature, the same in every run."""
LOG_TEMPERATURE_RANGE = (-4.0, 4.0)
_RIDGE = 1e-6
"""Added to the diagonal (1) of the texts' products, so that two equal texts leave it invertible."""


class _Problem(NamedTuple):
    """Rows of `coordinates` have the same products as the texts' features; labels: int64[n]."""

    coordinates: Floats64
    labels: npt.NDArray[np.int64]


def train(utterances: Sequence[Utterance], name: str) -> LinearModel:
    """Return a model of a corpus; `name` opens its version id.

    Raises ModelError where the corpus lacks the intent `oos`, a second one, or FOLDS utterances
    of any.
    """
    intents = _intents(utterances)
    texts = [utterance.text for utterance in utterances]
    counts = count_features(texts)
    vocabulary = vocabulary_of(counts, len(texts))
    features = feature_matrix(counts, len(texts), vocabulary, vocabulary.slots())
    place = {intent: at for at, intent in enumerate(intents)}
    labels = np.array([place[utterance.intent] for utterance in utterances], dtype=np.int64)
    # One thread: the products are small, and threads that contend for cores made this 30 times slower.
    with threadpool_limits(limits=1):
        # A fit with 10**3 texts and 10**4 features depends on the texts' products alone, so it is
        # made in as many dimensions as there are texts, and carried back: 6 fits in 1 s, not in 5.
        products = (features @ features.T).toarray() + _RIDGE * np.eye(len(texts))
        coordinates = scipy.linalg.cholesky(products, lower=True)
        problem = _Problem(coordinates, labels)
        temperature = _temperature(problem, len(intents))
        fit = _fit(problem)
        shares = scipy.linalg.solve_triangular(coordinates, fit.coef_.T, lower=True, trans="T")
        weights = features.T @ shares
    return LinearModel(
        name=name,
        intents=intents,
        temperature=temperature,
        corpus_sha256=corpus_sha256(utterances),
        vocabulary=vocabulary,
        weights=np.ascontiguousarray(weights, dtype=np.float32),
        bias=fit.intercept_.astype(np.float32),
    )


def _intents(utterances: Sequence[Utterance]) -> tuple[str, ...]:
    sizes = Counter(utterance.intent for utterance in utterances)
    # Two intents besides oos: with one, scikit-learn fits a single logit in place of one per intent.
    if OUT_OF_SCOPE not in sizes or len(sizes) < 3:  # noqa: PLR2004
        raise ModelError(f"a corpus needs the intent {OUT_OF_SCOPE!r} and two more; this one has {sorted(sizes)}")
    few = sorted(intent for intent, size in sizes.items() if size < FOLDS)
    if few:
        raise ModelError(f"each intent needs at least {FOLDS} utterances; these have fewer: {few}")
    return tuple(sorted(sizes))


def _fit(problem: _Problem) -> Any:
    # tol: cross-validated log loss is 1.454 at 1e-3 and 1.462 at 1e-4, which takes four times as long.
    return LogisticRegression(C=INVERSE_REGULARISATION, tol=1e-3, max_iter=500).fit(*problem)


def _temperature(problem: _Problem, intents: int) -> float:
    """Return the temperature of least log loss on texts that the fitted model had not seen.

    Temperature scaling (Guo et al. 2017, "On Calibration of Modern Neural Networks"), on the
    held-out logits of every fold together.
    """
    coordinates, labels = problem
    logits = np.zeros((labels.size, intents))
    for seen, unseen in StratifiedKFold(FOLDS, shuffle=True, random_state=FOLD_SEED).split(coordinates, labels):
        fit = _fit(_Problem(coordinates[seen], labels[seen]))
        logits[unseen] = fit.decision_function(coordinates[unseen])

    def log_loss(log_temperature: float) -> float:
        right = softmax(logits / np.exp(log_temperature))[np.arange(labels.size), labels]
        return float(-np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean())

    best = scipy.optimize.minimize_scalar(log_loss, bounds=LOG_TEMPERATURE_RANGE, method="bounded")
    return float(np.exp(best.x))
