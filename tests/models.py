"""Classifier models for tests."""

from __future__ import annotations

import dataclasses

import numpy as np

from router.classify.margins import MarginModel


def biased(model: MarginModel, name: str, most: float) -> MarginModel:
    """Return a model that says something else: each intent's margin is raised, the last one's by `most`."""
    borders = model.borders
    bias = borders.bias + np.linspace(0, most, borders.bias.size, dtype=borders.bias.dtype)
    return dataclasses.replace(model, name=name, borders=dataclasses.replace(borders, bias=bias))
