"""Margins of a linear function of weighted, hashed n-grams (see `vocabulary`), and what they are worth.

A margin says how far a text lies on an intent's side of its border (one against the rest). `evidence` boils the
margins of a text down to four numbers, and two logistic functions of them, fitted on texts that a model had not
seen, say how likely the first intent is right and how likely the text is none of the centre's business.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from router.classify.features import FEATURES_VERSION, Ints, words_of
from router.classify.result import OUT_OF_SCOPE, Classifications
from router.classify.vocabulary import Floats32, Floats64, Vocabulary
from router.classify.words import WordMemory

Floats16 = npt.NDArray[np.float16]

EVIDENCE = 4
"""Numbers in the evidence of a text."""
NEVER = -10.0
"""The margin of an intent that no text has: out of scope, where a corpus has no example of it."""
EVEN = 0.5
_SHARPNESS = 8.0
"""How steeply the soft maximum of margins prefers the highest. Calibration error on CLINC150's validation set: 0.014 at
2, 0.015 at 4, 0.010 at 8 and 12; coverage at 0.92 is highest at 4 and 8."""
_LEAST_LENGTH = float(np.finfo(np.float32).eps)
"""In place of the length 0 of a text without words, whose sums are 0 too."""


@dataclasses.dataclass(frozen=True, slots=True)
class LinearModel:
    """A trained model: plain arrays and a little text.

    weights: float16[m, intents], bias: float32[intents]. right, outside: float64[EVIDENCE + 1], coefficients of the
    evidence and a constant, of the log odds that the first intent is right and that a text is out of scope.
    metrics: what training measured, by name.
    """

    name: str
    intents: tuple[str, ...]
    corpus_sha256: str
    vocabulary: Vocabulary
    weights: Floats16
    bias: Floats32
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
        return {
            "buckets": self.vocabulary.buckets,
            "scales": self.vocabulary.scales,
            "unseen_scales": self.vocabulary.unseen_scales,
            "weights": self.weights,
            "bias": self.bias,
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


class Evidence(NamedTuple):
    """What the margins of n texts say. first, second: int64[n], intents; out of scope is neither.

    columns: float64[n, EVIDENCE]: the margin of the first, what it is ahead of the second, what the soft maximum of
    all is above it, and the margin of out of scope. outside_leads: bool[n], whether the last is the highest of all.
    """

    first: Ints
    second: Ints
    columns: Floats64
    outside_leads: npt.NDArray[np.bool_]


def evidence(margins: Floats32, out_of_scope: int) -> Evidence:
    """Return the evidence of float32[n, intents]; row by row, so that the rest of a batch changes no bit."""
    every = np.arange(len(margins))
    outside = margins[:, out_of_scope].astype(np.float64)
    inside = margins.copy()
    inside[:, out_of_scope] = -np.inf
    first = inside.argmax(axis=1)
    highest = inside[every, first]
    soft = np.exp((inside - highest[:, np.newaxis]) * np.float32(_SHARPNESS)).astype(np.float64).sum(axis=1)
    inside[every, first] = -np.inf
    second = inside.argmax(axis=1)
    top = highest.astype(np.float64)
    columns = np.stack((top, top - inside[every, second], np.log(soft) / _SHARPNESS, outside), axis=1)
    return Evidence(first, second, columns, outside > top)


def odds_to_probability(columns: Floats64, coefficients: Floats64) -> Floats64:
    """Return float64[n]: the logistic function of evidence under coefficients and a constant."""
    # Summed column by column: a product of matrices may add up otherwise in another batch.
    log_odds = np.full(len(columns), coefficients[-1])
    for column, coefficient in zip(columns.T, coefficients[:-1], strict=True):
        log_odds += column * coefficient
    probabilities: Floats64 = 1.0 / (1.0 + np.exp(-np.clip(log_odds, -30.0, 30.0)))
    return probabilities


class LinearClassifier:
    """Classifies with a LinearModel (a `router.classify.result.Classifier`). For one thread.

    A text has the same bits in its row whatever its batch, and whatever was classified before.
    """

    def __init__(self, model: LinearModel) -> None:
        self.intents = model.intents
        self.version = f"{model.name}-{model.content_sha256()[:12]}"
        # Rows of weights are what is read, so they lie in one piece each.
        self._memory = WordMemory(model.vocabulary, np.ascontiguousarray(model.weights, dtype=np.float32))
        self._model = model
        self._out_of_scope = model.intents.index(OUT_OF_SCOPE)

    def classify(self, texts: Sequence[str]) -> Classifications:
        """Return a row per text; one without a known feature is `oos` at 1 / intents, gap 0."""
        margins, silent = self.margins(texts)
        found = evidence(margins, self._out_of_scope)
        right = odds_to_probability(found.columns, self._model.right)
        outside = odds_to_probability(found.columns, self._model.outside)
        # The rest of the probability is shared out by the soft maximum's terms; the second has its part of it.
        ahead, above = found.columns[:, 1] * _SHARPNESS, found.columns[:, 2] * _SHARPNESS
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
        """Return the distinct words of a text with what each added to the margin of its intent, heaviest first.

        What pairs of words add is not in it.
        """
        words = list(dict.fromkeys(words_of([text])[0]))
        if not words:
            return []
        intent = int(self.classify([text]).intent[0])
        _sums, lengths = self._memory.sums([words])
        shares = self._memory.of_words(words)[:, intent] / max(float(lengths[0]), _LEAST_LENGTH)
        return sorted(zip(words, shares.tolist(), strict=True), key=lambda each: -each[1])

    def margins(self, texts: Sequence[str]) -> tuple[Floats32, npt.NDArray[np.bool_]]:
        """Return float32[n, intents], and of which texts nothing is known."""
        margins, lengths = self._memory.sums(words_of(texts))
        silent = np.logical_not(margins.any(axis=1))
        margins *= (1.0 / np.maximum(lengths, _LEAST_LENGTH)).astype(np.float32)[:, np.newaxis]
        margins += self._model.bias
        return margins, silent
