"""Corpora of utterances: CSV files with the columns `text` and `intent`."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from router.classify.errors import ModelError

SEED_FILE = Path(__file__).parent / "seed" / "utterances.csv"
"""What the baseline model learns from: contact-centre intents and `oos`, written by hand."""


class Utterance(NamedTuple):
    """What a customer said, and the intent that a person gave it."""

    text: str
    intent: str


def read_corpus(path: Path = SEED_FILE) -> tuple[Utterance, ...]:
    """Return the utterances of a file; raise ModelError where it has not the two columns, filled."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as problem:
        raise ModelError(f"the corpus {path} cannot be read: {problem}; give a UTF-8 CSV file") from problem
    utterances = tuple(Utterance(row.get("text") or "", row.get("intent") or "") for row in rows)
    for line, utterance in enumerate(utterances, start=2):
        if not utterance.text.strip() or not utterance.intent.strip():
            raise ModelError(f"record {line} of the corpus {path} lacks its text or its intent: fill both columns")
    return utterances


def corpus_sha256(utterances: Sequence[Utterance]) -> str:
    """Return the hash of what a corpus says, however its file is laid out."""
    return hashlib.sha256(json.dumps(utterances).encode()).hexdigest()
