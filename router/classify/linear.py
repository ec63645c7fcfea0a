"""The baseline: a softmax over a linear function of weighted, hashed n-grams.

The value of a feature is (1 + ln count) * scale, scaled over the text to length 1; the scale of a
bucket is its kind's weight times its inverse document frequency. Features that training did not
see count for the length: a text with many of them has small logits, hence little confidence.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from router.classify.features import BUCKET_BITS, BUCKETS, FEATURES_VERSION, Counts, count_features
from router.classify.result import OUT_OF_SCOPE, Classifications

Floats32 = npt.NDArray[np.float32]
Floats64 = npt.NDArray[np.float64]


@dataclasses.dataclass(frozen=True, slots=True)
class Vocabulary:
    """The buckets that a corpus uses, and how much each feature weighs.

    buckets: int32[m], ascending. scales: float32[m]. unseen_scales: float32 per kind.
    """

    buckets: npt.NDArray[np.int32]
    scales: Floats32
    unseen_scales: Floats32

    def slots(self) -> npt.NDArray[np.int32]:
        """Return int32[BUCKETS]: the place of each bucket in `buckets`, m for one not in it."""
        slots = np.full(BUCKETS, self.buckets.size, dtype=np.int32)
        slots[self.buckets] = np.arange(self.buckets.size, dtype=np.int32)
        return slots


@dataclasses.dataclass(frozen=True, slots=True)
class LinearModel:
    """A trained model: plain arrays and a little text.

    weights: float32[m, intents], bias: float32[intents]; `temperature` divides the logits.
    """

    name: str
    intents: tuple[str, ...]
    temperature: float
    corpus_sha256: str
    vocabulary: Vocabulary
    weights: Floats32
    bias: Floats32

    def manifest(self) -> dict[str, Any]:
        """Return what is not an array, as JSON data."""
        return {
            "name": self.name,
            "features_version": FEATURES_VERSION,
            "intents": list(self.intents),
            "temperature": self.temperature,
            "corpus_sha256": self.corpus_sha256,
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by name."""
        return {
            "buckets": self.vocabulary.buckets,
            "scales": self.vocabulary.scales,
            "unseen_scales": self.vocabulary.unseen_scales,
            "weights": self.weights,
            "bias": self.bias,
        }

    def content_sha256(self) -> str:
        """Return the hash of everything that decides what the model says."""
        digest = hashlib.sha256(json.dumps(self.manifest(), sort_keys=True).encode())
        for name, array in self.arrays().items():
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def feature_matrix(counts: Counts, texts: int, vocabulary: Vocabulary, slots: npt.NDArray[np.int32]) -> Any:
    """Return the features of a batch as a scipy CSR matrix, float64[texts, m], rows of length <= 1."""
    known_slots = slots[counts.buckets]
    known = known_slots < vocabulary.buckets.size
    scales = vocabulary.unseen_scales[counts.buckets >> BUCKET_BITS].astype(np.float64)
    scales[known] = vocabulary.scales[known_slots[known]]
    values = (1.0 + np.log(counts.counts)) * scales
    lengths = np.sqrt(np.bincount(counts.rows, weights=values * values, minlength=texts))
    starts = np.zeros(texts + 1, dtype=np.int64)
    np.cumsum(np.bincount(counts.rows[known], minlength=texts), out=starts[1:])
    unit = values[known] / lengths[counts.rows[known]]
    return scipy.sparse.csr_matrix((unit, known_slots[known], starts), shape=(texts, vocabulary.buckets.size))


def softmax(logits: Floats64) -> Floats64:
    """Return probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats64 = powers / powers.sum(axis=-1, keepdims=True)
    return shares


class LinearClassifier:
    """Classifies with a LinearModel (a `router.classify.result.Classifier`)."""

    def __init__(self, model: LinearModel) -> None:
        self.intents = model.intents
        self.version = f"{model.name}-{model.content_sha256()[:12]}"
        self._vocabulary = model.vocabulary
        self._slots = model.vocabulary.slots()
        self._weights = model.weights.astype(np.float64) / model.temperature
        self._bias = model.bias.astype(np.float64) / model.temperature
        self._out_of_scope = model.intents.index(OUT_OF_SCOPE)

    def classify(self, texts: Sequence[str]) -> Classifications:
        """Return a row per text; one without a known feature is `oos` at 1 / intents, gap 0."""
        probabilities = self.probabilities(texts)
        every = np.arange(len(texts))
        first = probabilities.argmax(axis=1)
        # Equal shares all round come from a text that says nothing: that is out of scope.
        first[probabilities.min(axis=1) == probabilities.max(axis=1)] = self._out_of_scope
        confidence = probabilities[every, first]
        rest = probabilities.copy()
        rest[every, first] = -1.0
        second = rest.argmax(axis=1)
        return Classifications(
            intent=first.astype(np.int32),
            confidence=confidence,
            runner_up=second.astype(np.int32),
            runner_up_gap=confidence - probabilities[every, second],
            intents=self.intents,
            model=self.version,
        )

    def probabilities(self, texts: Sequence[str]) -> Floats64:
        """Return float64[n, intents], each row adding up to 1."""
        features = feature_matrix(count_features(texts), len(texts), self._vocabulary, self._slots)
        logits: Floats64 = features @ self._weights + self._bias
        logits[np.diff(features.indptr) == 0] = 0.0
        return softmax(logits)
