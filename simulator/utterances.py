"""What customers say: pairs of text and intent, from a file or from the package."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

from runtime.errors import SettingsError

DEFAULT_FILE = Path(__file__).with_name("utterances.csv")
_MAX_TEXT = 100_000
"""Longest text of an Offered (`schemas.interactions.Text`)."""


class Utterance(NamedTuple):
    """What a customer says first, and the intent that it was written for (Trunkline never sees that)."""

    text: str
    intent: str


def read_utterances(path: Path = DEFAULT_FILE) -> list[Utterance]:
    """Return the rows of a file `text,intent`; rows without text are left out.

    Raises SettingsError where the file cannot be read, lacks a column, has no row or too long a text.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            if not {"text", "intent"} <= set(reader.fieldnames or ()):
                raise SettingsError(f"{path} needs the columns text,intent; it has {reader.fieldnames}")
            rows = [Utterance(row["text"].strip(), (row["intent"] or "").strip()) for row in reader if row["text"]]
    except (OSError, UnicodeDecodeError) as problem:
        raise SettingsError(f"the utterances file {path} cannot be read: {problem}") from problem
    rows = [row for row in rows if row.text]
    if not rows:
        raise SettingsError(f"{path} holds no utterance: give one text,intent per line")
    longest = max(len(row.text) for row in rows)
    if longest > _MAX_TEXT:
        raise SettingsError(
            f"{path} has a text of {longest} characters: {_MAX_TEXT} is the most that a contact carries"
        )
    return rows
