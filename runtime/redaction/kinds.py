"""What is taken out of a text, where it stood, and what is left."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Mapping
from typing import NamedTuple


class Kind(enum.StrEnum):
    """What a value is; the word in its token. Names and places are found by Presidio alone."""

    CARD = "card"
    IBAN = "iban"
    EMAIL = "email"
    PHONE = "phone"
    NATIONAL_ID = "national_id"
    NAME = "name"
    PLACE = "place"


class Span(NamedTuple):
    """A value at text[start:end]; the value itself is left where it is, so that spans can be counted and printed."""

    kind: Kind
    start: int
    end: int


@dataclasses.dataclass(frozen=True, slots=True)
class Redacted:
    """A text without its values. counts: how many of each kind there were. spans: where, in the text as it came."""

    text: str
    counts: Mapping[Kind, int]
    spans: tuple[Span, ...]
