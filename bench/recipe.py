"""The recipe that a trained classifier is measured beside: TF-IDF, a linear support vector machine, one temperature.

Words of 1 and 2 and characters of 2 to 5, as scikit-learn makes them; the temperature is that of least log loss on
margins of folds that were held out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import scipy.optimize
import scipy.sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

Floats64 = npt.NDArray[np.float64]


class Outcome(NamedTuple):
    """What a classifier says of n texts: its intents, and the probabilities that they are right."""

    intents: npt.NDArray[np.str_]
    confidence: Floats64


class Recipe:
    """Trained on texts and their intents."""

    def __init__(self, texts: Sequence[str], intents: Sequence[str], folds: int = 5) -> None:
        self._labels = np.array(intents)
        self._classes, labels = np.unique(self._labels, return_inverse=True)
        held_out = np.zeros((len(texts), len(self._classes)))
        every = np.array(texts, dtype=object)
        for seen, unseen in StratifiedKFold(folds, shuffle=True, random_state=0).split(every, labels):
            held_out[unseen] = self._margins(*self._fit(every[seen].tolist(), labels[seen]), every[unseen].tolist())
        self._temperature = _temperature(held_out, labels)
        self._whole = self._fit(texts, labels)

    def __call__(self, texts: Sequence[str]) -> Outcome:
        """Classify texts."""
        shares = _softmax(self._margins(*self._whole, texts) / self._temperature)
        return Outcome(self._classes[shares.argmax(axis=1)], shares.max(axis=1))

    @staticmethod
    def _fit(texts: Sequence[str], labels: npt.NDArray[np.int64]) -> tuple[list[TfidfVectorizer], Any]:
        vectorizers = [
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 5), sublinear_tf=True),
        ]
        features = scipy.sparse.hstack([each.fit_transform(texts) for each in vectorizers]).tocsr()
        return vectorizers, LinearSVC(C=1.0, random_state=0).fit(features, labels)

    @staticmethod
    def _margins(vectorizers: list[TfidfVectorizer], machine: Any, texts: Sequence[str]) -> Floats64:
        margins: Floats64 = machine.decision_function(
            scipy.sparse.hstack([each.transform(texts) for each in vectorizers]).tocsr()
        )
        return margins


def _softmax(logits: Floats64) -> Floats64:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: Floats64 = powers / powers.sum(axis=1, keepdims=True)
    return shares


def _temperature(margins: Floats64, labels: npt.NDArray[np.int64]) -> float:
    def log_loss(log_temperature: float) -> float:
        right = _softmax(margins / np.exp(log_temperature))[np.arange(len(labels)), labels]
        return float(-np.log(np.maximum(right, np.finfo(np.float64).tiny)).mean())

    return float(np.exp(scipy.optimize.minimize_scalar(log_loss, bounds=(-5.0, 2.0), method="bounded").x))
