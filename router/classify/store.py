"""Models as files: one .npz of plain arrays and a JSON manifest, nothing that could run."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from router.classify.errors import ModelError
from router.classify.features import BUCKETS, FEATURES_VERSION, KINDS
from router.classify.linear import EVIDENCE, LinearModel
from router.classify.result import OUT_OF_SCOPE
from router.classify.vocabulary import Vocabulary

FORMAT = "trunkline-linear-model-2"
_REMEDY = "remove the file, so that the model is trained again, or put back the file that was saved"


def save_model(model: LinearModel, path: Path) -> None:
    """Write a model so that a reader sees the whole of it or nothing, whenever this is killed.

    Raises ModelError where the folder cannot be written.
    """
    manifest = {**model.manifest(), "format": FORMAT, "content_sha256": model.content_sha256()}
    text = np.frombuffer(json.dumps(manifest, sort_keys=True).encode(), dtype=np.uint8)
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as file:
            temporary = Path(file.name)
            np.savez(file, allow_pickle=False, **{"manifest": text, **model.arrays()})
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as problem:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise ModelError(f"the model cannot be saved as {path}: {problem}; make the folder writable") from problem


def load_model(path: Path) -> LinearModel:
    """Return the model of a file; raise ModelError where it is damaged, foreign or not there."""
    try:
        with path.open("rb") as raw, np.load(raw, allow_pickle=False) as file:  # np.load leaks what it fails on
            arrays: dict[str, npt.NDArray[Any]] = {name: file[name] for name in file.files}
        manifest = json.loads(arrays.pop("manifest").tobytes())
        form, version = manifest["format"], manifest["features_version"]
    except Exception as problem:  # zip, npy and JSON raise whatever the bytes provoke
        raise ModelError(f"{path} is no model or is damaged ({problem!r}): {_REMEDY}") from problem
    if form != FORMAT or version != FEATURES_VERSION:
        raise ModelError(
            f"{path} is of format {form!r} with features {version!r}, this release reads {FORMAT!r} with "
            f"{FEATURES_VERSION}: {_REMEDY}"
        )
    try:
        model = _model(manifest, arrays)
        intact = model.content_sha256() == manifest["content_sha256"] and _consistent(model)
    except (KeyError, TypeError, ValueError, AttributeError) as problem:
        raise ModelError(f"{path} lacks a part of a model ({problem!r}): {_REMEDY}") from problem
    if not intact:
        raise ModelError(f"{path} is damaged, its content does not match its hash: {_REMEDY}")
    return model


def _model(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> LinearModel:
    vocabulary = Vocabulary(arrays["buckets"], arrays["scales"], arrays["unseen_scales"])
    return LinearModel(
        name=manifest["name"],
        intents=tuple(manifest["intents"]),
        corpus_sha256=manifest["corpus_sha256"],
        vocabulary=vocabulary,
        weights=arrays["weights"],
        bias=arrays["bias"],
        right=arrays["right"],
        outside=arrays["outside"],
        metrics=manifest["metrics"],
    )


def _consistent(model: LinearModel) -> bool:
    """Say whether the shapes fit each other: a hash that matches does not say so of a foreign file."""
    buckets, intents = model.vocabulary.buckets, len(model.intents)
    return (
        buckets.ndim == 1
        and model.vocabulary.scales.shape == buckets.shape
        and model.vocabulary.unseen_scales.shape == (len(KINDS),)
        and model.weights.shape == (buckets.size, intents)
        and model.bias.shape == (intents,)
        and model.right.shape == model.outside.shape == (EVIDENCE + 1,)
        and bool(np.all((buckets >= 0) & (buckets < BUCKETS)))
        and OUT_OF_SCOPE in model.intents
    )
