"""Models as files: one .npz of plain arrays and a JSON manifest, nothing that could run."""

from __future__ import annotations

import contextlib
import json
import os
import uuid
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from router.classify.errors import ModelError
from router.classify.evidence import EVIDENCE
from router.classify.features import BUCKETS, FEATURES_VERSION, KINDS
from router.classify.margins import Borders, MarginModel
from router.classify.result import OUT_OF_SCOPE
from router.classify.vocabulary import Vocabulary

FORMAT = "trunkline-margin-model-3"
_REMEDY = "remove the file, so that the model is trained again, or put back the file that was saved"


def save_model(model: MarginModel, path: Path) -> None:
    """Write a model so that a reader sees the whole of it or nothing, whenever this is killed.

    Raises ModelError where the folder cannot be written.
    """
    manifest = {**model.manifest(), "format": FORMAT, "content_sha256": model.content_sha256()}
    text = np.frombuffer(json.dumps(manifest, sort_keys=True).encode(), dtype=np.uint8)
    temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("xb") as file:
            np.savez(file, allow_pickle=False, **{"manifest": text, **model.arrays()})
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as problem:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise ModelError(f"the model cannot be saved as {path}: {problem}; make the folder writable") from problem


def load_model(path: Path) -> MarginModel:
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


def _model(manifest: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> MarginModel:
    vocabulary = Vocabulary(arrays["buckets"], arrays["scales"], arrays["unseen_scales"])
    return MarginModel(
        name=manifest["name"],
        intents=tuple(manifest["intents"]),
        corpus_sha256=manifest["corpus_sha256"],
        borders=Borders(vocabulary, arrays["weights"], arrays["bias"], arrays["hidden_bias"], arrays["outputs"]),
        right=arrays["right"],
        outside=arrays["outside"],
        metrics=manifest["metrics"],
    )


def _consistent(model: MarginModel) -> bool:
    """Say whether the shapes fit each other: a hash that matches does not say so of a foreign file."""
    borders, intents = model.borders, len(model.intents)
    buckets, hidden = borders.vocabulary.buckets, borders.hidden_bias.size
    return (
        buckets.ndim == 1
        and borders.vocabulary.scales.shape == buckets.shape
        and borders.vocabulary.unseen_scales.shape == (len(KINDS),)
        and borders.weights.shape == (buckets.size, intents + hidden)
        and borders.bias.shape == (intents,)
        and borders.outputs.shape == (hidden, intents)
        and model.right.shape == model.outside.shape == (EVIDENCE + 1,)
        and bool(np.all((buckets >= 0) & (buckets < BUCKETS)))
        and OUT_OF_SCOPE in model.intents
    )
