"""Classifiers by name: Trunkline's own, and others that an installed package brings.

A package names a callable `(path: Path) -> Classifier` in the entry-point group `trunkline.classifiers`. The
classifier is opened in one thread and works in another, never in two at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import NamedTuple

from router.classify.errors import ModelError
from router.classify.model import open_classifier
from router.classify.result import Classifier

GROUP = "trunkline.classifiers"
BUILT_IN = "trunkline"
"""The name of Trunkline's own classifier; no entry point takes its place."""
_HASH_DIGITS = 12


class OpenedModel(NamedTuple):
    """A model that was loaded: its version id `<name>-<first 12 hex of its hash>`, and what classifies with it."""

    version: str
    classifier: Classifier


def classifier_names() -> list[str]:
    """Return the names that can be assigned, Trunkline's own first."""
    return [BUILT_IN, *sorted(entry_points(group=GROUP).names - {BUILT_IN})]


def open_model(name: str, path: Path) -> OpenedModel:
    """Load a model file with the classifier of a name.

    Trunkline's own files hold their version; a file of another's is `<classifier>-<first 12 hex of its SHA-256>`.
    Raises ModelError where no such classifier is installed, or where it does not take the file.
    """
    if name == BUILT_IN:
        own = open_classifier(path)
        return OpenedModel(own.classify([""]).model, own)
    entry_point = _entry_point(name)
    version = f"{name}-{_file_sha256(path)[:_HASH_DIGITS]}"
    try:
        opener: Callable[[Path], Classifier] = entry_point.load()
        classifier = opener(path)
    except Exception as problem:  # a package of someone else's raises whatever it likes
        raise ModelError(
            f"the classifier {name!r} ({entry_point.value}) does not open {path}: {problem!r}; "
            "give it a file of its own format, or mend the package"
        ) from problem
    if not callable(getattr(classifier, "classify", None)):
        raise ModelError(
            f"the classifier {name!r} ({entry_point.value}) gave {type(classifier).__name__} for {path}, which has no "
            "method `classify`: its entry point must be a callable (path) -> Classifier"
        )
    return OpenedModel(version, classifier)


def _entry_point(name: str) -> EntryPoint:
    for found in entry_points(group=GROUP):
        if found.name == name:
            return found
    raise ModelError(
        f"no classifier {name!r} is installed: there are {', '.join(classifier_names())}; install the package that "
        f"brings it (entry-point group {GROUP}) where the routers run, or name one of these"
    )


def _file_sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as problem:
        raise ModelError(f"{path} cannot be read: {problem}; give a model file that the router may read") from problem
