"""What is said around values, by language: `planted_speech.yaml`, written by hand."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path

from ruamel.yaml import YAML

from runtime.redaction import Kind

_FILE = Path(__file__).with_suffix(".yaml")


@dataclasses.dataclass(frozen=True, slots=True)
class Speech:
    """Sentences of one language. `{}` is the slot for a value or for what looks like one.

    carriers: by the kind of value. national: of national numbers, by locale. decoys: by what the number is of.
    unnamed: say nothing of it. fillers: have no slot.
    """

    carriers: Mapping[Kind, Sequence[str]]
    national: Mapping[str, Sequence[str]]
    decoys: Mapping[str, Sequence[str]]
    unnamed: Sequence[str]
    fillers: Sequence[str]


def _read() -> dict[str, Speech]:
    read = YAML(typ="safe").load(_FILE.read_text(encoding="utf-8"))
    return {
        language: Speech(
            {Kind(kind): sentences for kind, sentences in said["carriers"].items()},
            said.get("national", {}),
            said["decoys"],
            said["unnamed"],
            said["fillers"],
        )
        for language, said in read.items()
    }


SPEECH = _read()
"""Language, as the first two letters of a locale -> what is said in it."""
