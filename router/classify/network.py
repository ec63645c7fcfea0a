"""Training of the network beside the support vector machines: one layer of hidden units on a text's features.

It errs elsewhere than the machines do, so their margins together are right more often than either's. Most of a text's
features are left out at random each time that it is learnt from, so that no phrase is relied on alone. Stochastic
gradient descent on the cross entropy, in numpy; each step touches the features of its own texts only.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from router.classify.vocabulary import Floats32

Ints = npt.NDArray[np.int64]

UNITS = 96
"""Hidden units. CLINC150's validation set, with the machines: accuracy 0.938 at 64 and 96, 0.940 at 128."""
LEFT_OUT = 0.7
"""Share of a text's features that a step leaves out; 0.5 makes 0.001 to 0.002 less of the accuracy of small corpora."""
UNITS_LEFT_OUT = 0.3
TEXTS_PER_STEP = 32
LEAST_STEPS, FEWEST_EPOCHS, MOST_EPOCHS = 200, 10, 60
"""Passes over a corpus: as many as LEAST_STEPS take, within bounds. Twice as many make no difference in accuracy."""
_RATE, _ADAM_RATE = 0.05, 2e-3
_SPREAD = 0.1
_FEATURE_SCALE = 4.0
"""A text's features have length 1, spread over some hundred; times four, hidden units begin with a spread of 0.4."""
_TINY = 1e-8


class Network(NamedTuple):
    """logits = max(features @ embeddings + hidden_bias, 0) @ outputs + bias, of k intents.

    embeddings: float32[m, UNITS]; hidden_bias: float32[UNITS]; outputs: float32[UNITS, k]; bias: float32[k].
    """

    embeddings: Floats32
    hidden_bias: Floats32
    outputs: Floats32
    bias: Floats32


def train_network(features: Any, labels: Ints, intents: int, seed: int) -> Network:
    """Return the network of a corpus; the same features, labels and seed give the same one.

    features: scipy CSR matrix [n, m]; labels: int64[n], below `intents`.
    """
    texts = features.shape[0]
    epochs = min(max(math.ceil(LEAST_STEPS * TEXTS_PER_STEP / texts), FEWEST_EPOCHS), MOST_EPOCHS)
    steps = epochs * math.ceil(texts / TEXTS_PER_STEP)
    descent = _Descent(features.shape[1], intents, np.random.default_rng(seed))
    scaled = (features * _FEATURE_SCALE).astype(np.float32)
    step = 0
    for _epoch in range(epochs):
        order = descent.rng.permutation(texts)
        for start in range(0, texts, TEXTS_PER_STEP):
            rows = order[start : start + TEXTS_PER_STEP]
            step += 1
            descent.step(scaled[rows], labels[rows], 0.5 * (1.0 + math.cos(math.pi * step / steps)))
    embeddings, (hidden_bias, outputs, bias) = descent.embeddings, descent.rest
    return Network(embeddings * np.float32(_FEATURE_SCALE), hidden_bias, outputs, bias)


class _Descent:
    """The parameters on their way down: Adagrad by row for embeddings (Duchi et al. 2011), Adam for the rest."""

    def __init__(self, features: int, intents: int, rng: np.random.Generator) -> None:
        self.rng = rng
        self.embeddings: Floats32 = rng.standard_normal((features, UNITS), dtype=np.float32) * np.float32(_SPREAD)
        outputs = rng.standard_normal((UNITS, intents), dtype=np.float32) / np.float32(math.sqrt(UNITS))
        self.rest: tuple[Floats32, ...] = (np.zeros(UNITS, np.float32), outputs, np.zeros(intents, np.float32))
        self._squares = np.full(features, _TINY, dtype=np.float32)
        self._adam = _Adam(self.rest)

    def step(self, features: Any, labels: Ints, pace: float) -> None:
        """Learn from a few texts: scipy CSR matrix [b, m], int64[b]; `pace`, from 1 to 0, slows all rates."""
        features.data *= self._kept(features.data.size, LEFT_OUT)
        touched, places = np.unique(features.indices, return_inverse=True)
        few = type(features)((features.data, places, features.indptr), shape=(labels.size, touched.size))
        hidden_bias, outputs, bias = self.rest
        embeddings = self.embeddings[touched]
        raw = few @ embeddings + hidden_bias
        kept = self._kept(raw.size, UNITS_LEFT_OUT).reshape(raw.shape) * (raw > 0)
        hidden = raw * kept
        errors = _softmax(hidden @ outputs + bias)
        errors[np.arange(labels.size), labels] -= 1.0
        errors /= np.float32(labels.size)
        of_hidden = (errors @ outputs.T) * kept
        of_embeddings = few.T @ of_hidden
        self._squares[touched] += np.square(of_embeddings).mean(axis=1)
        rates = np.float32(_RATE * pace) / np.sqrt(self._squares[touched])
        self.embeddings[touched] = embeddings - of_embeddings * rates[:, np.newaxis]
        self._adam.step(self.rest, (of_hidden.sum(axis=0), hidden.T @ errors, errors.sum(axis=0)), _ADAM_RATE * pace)

    def _kept(self, size: int, left_out: float) -> Floats32:
        """Return float32[size]: 0 for what is left out, else what makes up for it."""
        return (self.rng.random(size, dtype=np.float32) >= left_out) * np.float32(1.0 / (1.0 - left_out))


class _Adam:
    """Moments of gradients (Kingma and Ba 2015)."""

    _FIRST, _SECOND = 0.9, 0.998

    def __init__(self, parameters: tuple[Floats32, ...]) -> None:
        self._means = [np.zeros_like(each) for each in parameters]
        self._squares = [np.zeros_like(each) for each in parameters]
        self._steps = 0

    def step(self, parameters: tuple[Floats32, ...], gradients: tuple[Floats32, ...], rate: float) -> None:
        """Move the parameters in place."""
        self._steps += 1
        of_means, of_squares = 1.0 - self._FIRST**self._steps, 1.0 - self._SECOND**self._steps
        for at, (parameter, gradient) in enumerate(zip(parameters, gradients, strict=True)):
            mean, square = self._means[at], self._squares[at]
            np.add(mean, (1.0 - self._FIRST) * (gradient - mean), out=mean)
            np.add(square, (1.0 - self._SECOND) * (np.square(gradient) - square), out=square)
            change = rate * (mean / of_means) / (np.sqrt(square / of_squares) + _TINY)
            np.subtract(parameter, change, out=parameter)


def _softmax(logits: Floats32) -> Floats32:
    powers: Floats32 = np.exp(logits - logits.max(axis=1, keepdims=True))
    powers /= powers.sum(axis=1, keepdims=True)
    return powers
