"""The way in: the classifier that a router works with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from router.classify.corpus import Utterance, corpus_sha256, read_corpus
from router.classify.errors import ModelError
from router.classify.margins import MarginClassifier, MarginModel
from router.classify.result import OUT_OF_SCOPE, Classifications, Classifier
from router.classify.store import load_model, save_model

__all__ = ["OUT_OF_SCOPE", "Classifications", "Classifier", "ModelError", "load_seed_model", "open_classifier"]

NAME = "seed"
RECIPE = 5
"""Grows with every change of `train` that changes a model, so that no older one is taken from a cache."""


def load_seed_model(cache_folder: Path) -> Classifier:
    """Return the baseline classifier, trained from the seed corpus where the cache has it not.

    The cache is named after the corpus and the recipe. A damaged file in it is trained again: the
    outcome is the same, down to its version id. Raises ModelError where the cache cannot be written.
    """
    corpus = read_corpus()
    path = cache_folder / f"{NAME}-{RECIPE}-{corpus_sha256(corpus)[:12]}.npz"
    return MarginClassifier(_cached(path) or _trained(corpus, path))


def open_classifier(path: Path) -> Classifier:
    """Return the classifier of a model file; raise ModelError where it is damaged, foreign or not there."""
    return MarginClassifier(load_model(path))


def _cached(path: Path) -> MarginModel | None:
    try:
        return load_model(path) if path.exists() else None
    except ModelError:
        return None


def _trained(corpus: Sequence[Utterance], path: Path) -> MarginModel:
    # Imported here, for scikit-learn takes a second to import and a router that restarts needs none of it.
    from router.classify.train import train  # noqa: PLC0415

    model = train(corpus, NAME)
    save_model(model, path)
    return model
