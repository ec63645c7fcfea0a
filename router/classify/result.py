"""What a classifier is, and what it says about a batch of texts."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from schemas.interactions import Classification

OUT_OF_SCOPE = "oos"
"""The intent of texts that are none of the centre's business, or that say nothing."""


@dataclasses.dataclass(frozen=True, slots=True)
class Classifications:
    """The intents of n texts, in columns.

    `intent` and `runner_up` index `intents`. `confidence` is the probability that `intent` is right, whatever
    else may be the case, out of scope included; `runner_up_gap` is what it is ahead of the second.
    `out_of_scope`, from 0 to 1, ranks texts by how little they look like any intent: 0.5 where both are as likely
    in a sample with as many of either. `model` names the model and its content.
    """

    intent: npt.NDArray[np.int32]
    confidence: npt.NDArray[np.float64]
    runner_up: npt.NDArray[np.int32]
    runner_up_gap: npt.NDArray[np.float64]
    out_of_scope: npt.NDArray[np.float64]
    intents: tuple[str, ...]
    model: str

    def rows(self) -> list[Classification]:
        """Return one event field per text, in the order of the batch."""
        names = self.intents
        columns = (self.intent.tolist(), self.confidence.tolist(), self.runner_up.tolist(), self.runner_up_gap.tolist())
        return [
            Classification(
                intent=names[first],
                confidence=confidence,
                runner_up=names[second],
                runner_up_gap=gap,
                model=self.model,
            )
            for first, confidence, second, gap in zip(*columns, strict=True)
        ]


class Classifier(Protocol):
    """Anything that finds the intents of a batch of texts."""

    def classify(self, texts: Sequence[str]) -> Classifications:
        """Return a row per text, in order; raise for no text, whatever is in it."""

    def explain(self, text: str) -> list[tuple[str, float]]:
        """Return the distinct words of a text with what each added to its intent's margin, heaviest first."""
