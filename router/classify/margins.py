"""The model: from hashed n-grams (see `vocabulary`) to margins, and from margins to a classification.

A margin says how far a text lies on an intent's side of its border (one against the rest). It is a linear function of
the text's features, learnt by a support vector machine, and a little from hidden units beside it (see `network`). What
the margins of a text are worth is the business of `evidence`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from router.classify.evidence import SHARPNESS, evidence, odds_to_probability
from router.classify.features import FEATURES_VERSION, words_of
from router.classify.result import OUT_OF_SCOPE, Classifications
from router.classify.vocabulary import Floats32, Floats64, Vocabulary
from router.classify.words import WordMemory

Floats16 = npt.NDArray[np.float16]

NEVER = -10.0
"""The margin of an intent that no text has: out of scope, where a corpus has no example of it."""
EVEN = 0.5
_LEAST_LENGTH = float(np.finfo(np.float32).eps)
"""In place of the length 0 of a text without words, whose sums are 0 too."""


@dataclasses.dataclass(frozen=True, slots=True)
class Borders:
    """The function from features to margins of k intents, with h hidden units.

    margins = features @ weights[:, :k] + bias + max(features @ weights[:, k:] + hidden_bias, 0) @ outputs

    weights: float16 or float32 [m, k + h], a row for each bucket of the vocabulary; bias: float32[k]; hidden_bias:
    float32[h]; outputs: float32[h, k].
    """

    vocabulary: Vocabulary
    weights: Floats16 | Floats32
    bias: Floats32
    hidden_bias: Floats32
    outputs: Floats32

    def margins(self, weighed: Floats32) -> Floats32:
        """Return float32[n, k] from `features @ weights`, float32[n, k + h]."""
        intents = self.bias.size
        hidden = np.maximum(weighed[:, intents:] + self.hidden_bias, 0)
        # One product per text: in a product of matrices the other rows may change the bits of this one.
        margins: Floats32 = np.matmul(hidden[:, np.newaxis, :], self.outputs)[:, 0, :]
        margins += weighed[:, :intents]
        margins += self.bias
        return margins


@dataclasses.dataclass(frozen=True, slots=True)
class MarginModel:
    """A trained model: plain arrays and a little text.

    The weights of `borders` are float16. right, outside: float64[EVIDENCE + 1], coefficients of the evidence and a
    constant, of the log odds that the first intent is right and that a text is out of scope. metrics: what training
    measured, by name.
    """

    name: str
    intents: tuple[str, ...]
    corpus_sha256: str
    borders: Borders
    right: Floats64
    outside: Floats64
    metrics: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def manifest(self) -> dict[str, Any]:
        """Return what is not an array, as JSON data."""
        return {
            "name": self.name,
            "features_version": FEATURES_VERSION,
            "intents": list(self.intents),
            "corpus_sha256": self.corpus_sha256,
            "metrics": dict(self.metrics),
        }

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """Return the arrays by name."""
        borders = self.borders
        return {
            "buckets": borders.vocabulary.buckets,
            "scales": borders.vocabulary.scales,
            "unseen_scales": borders.vocabulary.unseen_scales,
            "weights": borders.weights,
            "bias": borders.bias,
            "hidden_bias": borders.hidden_bias,
            "outputs": borders.outputs,
            "right": self.right,
            "outside": self.outside,
        }

    def content_sha256(self) -> str:
        """Return the hash of everything that decides what the model says."""
        digest = hashlib.sha256(json.dumps(self.manifest(), sort_keys=True).encode())
        for name, array in self.arrays().items():
            digest.update(f"{name} {array.dtype.str} {array.shape}".encode())
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


class MarginClassifier:
    """Classifies with a MarginModel (a `router.classify.result.Classifier`). For one thread.

    A text has the same bits in its row whatever its batch, and whatever was classified before.
    """

    def __init__(self, model: MarginModel) -> None:
        self.intents = model.intents
        self.version = f"{model.name}-{model.content_sha256()[:12]}"
        # Rows of weights are what is read, so they lie in one piece each; those in float16 are not kept.
        weights = np.ascontiguousarray(model.borders.weights, dtype=np.float32)
        self._borders = dataclasses.replace(model.borders, weights=weights)
        self._memory = WordMemory(model.borders.vocabulary, weights)
        self._right, self._outside = model.right, model.outside
        self._out_of_scope = model.intents.index(OUT_OF_SCOPE)

    def classify(self, texts: Sequence[str]) -> Classifications:
        """Return a row per text; one without a known feature is `oos` at 1 / intents, gap 0."""
        margins, silent = self.margins(texts)
        found = evidence(margins, self._out_of_scope)
        right = odds_to_probability(found.columns, self._right)
        outside = odds_to_probability(found.columns, self._outside)
        # The rest of the probability is shared out by the soft maximum's terms; the second has its part of it.
        ahead, above = found.columns[:, 1] * SHARPNESS, found.columns[:, 2] * SHARPNESS
        others = np.maximum(np.expm1(above), np.finfo(np.float64).tiny)
        next_best = np.minimum(right, (1.0 - right) * np.exp(-ahead) / others)
        gap = right - next_best
        intent, runner_up, confidence = found.first.copy(), found.second.copy(), right.copy()
        stranger = found.outside_leads & (outside > EVEN)
        confidence[stranger] = (1.0 - right[stranger]) * outside[stranger]
        gap[stranger] = np.maximum(confidence[stranger] - right[stranger], 0.0)
        confidence[silent], gap[silent] = 1.0 / len(self.intents), 0.0
        nobody = stranger | silent
        intent[nobody], runner_up[nobody] = self._out_of_scope, found.first[nobody]
        outside[silent] = 1.0
        return Classifications(
            intent=intent.astype(np.int32),
            confidence=confidence,
            runner_up=runner_up.astype(np.int32),
            runner_up_gap=gap,
            out_of_scope=outside,
            intents=self.intents,
            model=self.version,
        )

    def explain(self, text: str) -> list[tuple[str, float]]:
        """Return the distinct words of a text and what the margin of its intent loses without each, heaviest first."""
        (said,) = words_of([text])
        words = list(dict.fromkeys(said))
        if not words:
            return []
        intent = int(self.classify([text]).intent[0])
        without = [" ".join(other for other in said if other != word) for word in words]
        margins, _silent = self.margins([text, *without])
        losses = margins[0, intent] - margins[1:, intent]
        return sorted(zip(words, losses.tolist(), strict=True), key=lambda each: -each[1])

    def margins(self, texts: Sequence[str]) -> tuple[Floats32, npt.NDArray[np.bool_]]:
        """Return float32[n, intents], and of which texts nothing is known."""
        weighed, lengths = self._memory.sums(words_of(texts))
        silent = np.logical_not(weighed.any(axis=1))
        weighed *= (1.0 / np.maximum(lengths, _LEAST_LENGTH)).astype(np.float32)[:, np.newaxis]
        return self._borders.margins(weighed), silent
