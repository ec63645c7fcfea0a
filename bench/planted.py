"""Lines of customers' and agents' speech with values planted in them, of known kind and place, and what looks like one.

Half of the lines have no value. A line is what is said of a value, of a thing with a number that is none (an order, an
amount, a day, a parcel, an address on the network ...), or of neither, in the words of its locale. The same seed gives
the same lines.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import NamedTuple

from faker import Faker

from bench.planted_decoys import decoy
from bench.planted_speech import SPEECH, Speech
from bench.planted_values import value
from runtime.redaction import Kind

LOCALES = (
    *("en_US", "en_GB", "de_DE", "fr_FR", "es_ES", "it_IT"),
    *("nl_NL", "pl_PL", "sv_SE", "pt_BR", "en_IN", "en_CA"),
)
_KINDS = (Kind.CARD, Kind.IBAN, Kind.EMAIL, Kind.PHONE, Kind.NATIONAL_ID)
_VALUES, _WEIGHTS = (0, 1, 2, 3), (50, 34, 11, 5)
"""Values of a line, and how many lines of 100 have so many."""
_DECOY_SHARE, _FILLER_SHARE = 0.55, 0.5
_UNNAMED_SHARE = 0.04
"""Values and decoys that are said alone: `it's 4471829`."""
_NATIONAL_SHARE = 0.9
"""National numbers that are called what they are called in the country."""
_TRANSCRIBED_SHARE = 0.15
"""Lines as recognised speech has them: small letters, no points."""
_ODD_SHARE = 0.03
"""Lines that come out of a word processor or a Japanese keyboard."""
_NO_BREAK, _EN_DASH = "\u00a0", "\u2013"
_FULL_WIDTH = {ord("0") + digit: 0xFF10 + digit for digit in range(10)}


class Planted(NamedTuple):
    """A value at text[start:end] of its line, as it is written there."""

    kind: Kind
    value: str
    start: int
    end: int


class Line(NamedTuple):
    """A line of speech, its locale, and the values in it, from left to right."""

    text: str
    values: tuple[Planted, ...]
    locale: str


def planted(count: int, seed: int) -> Iterator[Line]:
    """Yield lines of all locales in turn."""
    drawn = random.Random(seed)
    fakers = {locale: Faker(locale) for locale in LOCALES}
    for at, faker in enumerate(fakers.values()):
        faker.seed_instance(seed * len(LOCALES) + at)
    for number in range(count):
        locale = LOCALES[number % len(LOCALES)]
        yield _line(locale, fakers[locale], drawn)


def _line(locale: str, faker: Faker, drawn: random.Random) -> Line:
    """Return a line: parts in any order, each a sentence with or without a slot."""
    speech = SPEECH[locale[:2]]
    parts: list[tuple[str, Kind | None, str]] = []
    for _ in range(drawn.choices(_VALUES, _WEIGHTS)[0]):
        kind = drawn.choice(_KINDS)
        parts.append((_carrier(speech, kind, locale, drawn), kind, value(kind, locale, faker, drawn)))
    if drawn.random() < _DECOY_SHARE or not parts:
        name, written = decoy(locale, drawn)
        carriers = speech.unnamed if drawn.random() < _UNNAMED_SHARE else speech.decoys[name]
        parts.append((drawn.choice(carriers), None, written))
    if drawn.random() < _FILLER_SHARE:
        parts.append((drawn.choice(speech.fillers), None, ""))
    drawn.shuffle(parts)
    return _joined(parts, locale, drawn)


def _carrier(speech: Speech, kind: Kind, locale: str, drawn: random.Random) -> str:
    if drawn.random() < _UNNAMED_SHARE:
        return drawn.choice(speech.unnamed)
    national = speech.national.get(locale, ()) if kind is Kind.NATIONAL_ID else ()
    return drawn.choice(national if national and drawn.random() < _NATIONAL_SHARE else speech.carriers[kind])


def _joined(parts: list[tuple[str, Kind | None, str]], locale: str, drawn: random.Random) -> Line:
    transcribed = drawn.random() < _TRANSCRIBED_SHARE
    odd = drawn.choice("sdw") if drawn.random() < _ODD_SHARE else ""
    text, values = "", []
    for carrier, kind, plain in parts:
        before, slot, after = carrier.partition("{}")
        text += (" " if transcribed else drawn.choice((". ", ". ", ", ", " - ", "\n"))) if text else ""
        text += before.lower() if transcribed else before
        written = _in_odd_signs(plain, odd)
        if kind is not None and slot:
            values.append(Planted(kind, written, len(text), len(text) + len(written)))
        text += (written if slot else "") + (after.lower() if transcribed else after)
    return Line(text, tuple(values), locale)


def _in_odd_signs(written: str, odd: str) -> str:
    """Return a value with no-break spaces (s), en-dashes (d) or full-width digits (w); nothing of it for another."""
    if odd == "s":
        return written.replace(" ", _NO_BREAK)
    if odd == "d":
        return written.replace("-", _EN_DASH)
    return written.translate(_FULL_WIDTH) if odd == "w" else written
