"""The baseline: a softmax over a linear function of weighted, hashed n-grams (see `vocabulary`)."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from router.classify.features import FEATURES_VERSION, Ints, words_of
from router.classify.result import OUT_OF_SCOPE, Classifications
from router.classify.vocabulary import Floats32, Floats64, Vocabulary, feature_matrix
from router.classify.words import WordMemory

__all__ = ["LinearClassifier", "LinearModel", "Vocabulary", "feature_matrix", "softmax"]

_LEAST_LENGTH = float(np.finfo(np.float32).eps)
"""In place of the length 0 of a text without words, whose sums are 0 too."""


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


def softmax(logits: Floats64) -> Floats64:
    """Return probabilities along the last axis."""
    powers = np.exp(logits - logits.max(axis=-1, keepdims=True))
    shares: Floats64 = powers / powers.sum(axis=-1, keepdims=True)
    return shares


class LinearClassifier:
    """Classifies with a LinearModel (a `router.classify.result.Classifier`). For one thread.

    A text has the same bits in its row whatever its batch, and whatever was classified before.
    """

    def __init__(self, model: LinearModel) -> None:
        self.intents = model.intents
        self.version = f"{model.name}-{model.content_sha256()[:12]}"
        # Rows of weights are what is read, so they lie in one piece each; no copy where they do.
        self._memory = WordMemory(model.vocabulary, np.ascontiguousarray(model.weights, dtype=np.float32))
        self._temperature = model.temperature
        self._bias = model.bias / np.float32(model.temperature)
        self._out_of_scope = model.intents.index(OUT_OF_SCOPE)

    def classify(self, texts: Sequence[str]) -> Classifications:
        """Return a row per text; one without a known feature is `oos` at 1 / intents, gap 0."""
        logits, silent = self._logits(texts)
        every = np.arange(len(texts))
        first = logits.argmax(axis=1)
        first[silent] = self._out_of_scope
        # The power of the first is 1. Added up in float64, the total is at most the number of intents; converted
        # beforehand, for a sum that converts as it goes may depend on where in the batch a row stands.
        powers = np.exp(logits - logits[every, first, np.newaxis]).astype(np.float64)
        total = powers.sum(axis=1)
        logits[every, first] = -np.inf
        second = logits.argmax(axis=1)
        return Classifications(
            intent=first.astype(np.int32),
            confidence=1.0 / total,
            runner_up=second.astype(np.int32),
            runner_up_gap=(1.0 - powers[every, second]) / total,
            intents=self.intents,
            model=self.version,
        )

    def probabilities(self, texts: Sequence[str]) -> Floats64:
        """Return float64[n, intents], each row adding up to 1."""
        return softmax(self._logits(texts)[0].astype(np.float64))

    def _logits(self, texts: Sequence[str]) -> tuple[Floats32, Ints]:
        """Return float32[n, intents], and of which texts nothing is known: there all are 0."""
        logits, lengths = self._memory.sums(words_of(texts))
        silent: Ints = np.flatnonzero(~logits.any(axis=1))
        logits *= (1.0 / (np.maximum(lengths, _LEAST_LENGTH) * self._temperature)).astype(np.float32)[:, np.newaxis]
        logits += self._bias
        logits[silent] = 0.0
        return logits, silent
