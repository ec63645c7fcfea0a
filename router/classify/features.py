"""Text to hashed n-gram counts, for a whole batch at once, in numpy alone.

A text is normalised (NFKC, case folded, apostrophes dropped, digits made 0, all else that is no
letter a space) and gives three kinds of features: words, pairs of neighbouring words, and n-grams
of 3 to 5 characters within a word (its edges marked by a space), which survive typos and endings.

Every n-gram is a slice of one array of code points, so its hash is a difference of prefix sums of
the polynomial sum(c[i] * BASE**i) mod 2**64, divided by BASE**start: no Python per n-gram.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words64 = npt.NDArray[np.uint64]

MAX_CHARACTERS = 2_000
"""Only the start of a text is read: some 350 words, so one long letter cannot hold up a batch."""

FEATURES_VERSION = 1
"""Grows with every change that moves a bucket: a model is of use with its own version alone."""

KINDS = ("word", "word_pair", "character_gram")
CHARACTER_GRAM_SIZES = (3, 4, 5)
BUCKET_BITS = 18
"""Buckets per kind: 2**18. The seed corpus has 10,733 character grams: each meets another at 4 %."""
BUCKETS = len(KINDS) << BUCKET_BITS

_SPACE = ord(" ")
_APOSTROPHES = re.compile("['\u2019\u02bc`]")
_DIGITS = re.compile(r"\d")
_NO_LETTERS = re.compile(r"[\W_]+")

_BASE = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio, made odd: odd, so it has an inverse mod 2**64."""
_INVERSE = pow(_BASE, -1, 1 << 64)
# Multipliers and shifts of the finaliser of splitmix64 (Steele, Lea, Flood 2014).
_MIX = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


class Counts(NamedTuple):
    """How often each feature occurs in each text; each (row, bucket) once, in ascending order.

    rows, buckets, counts: int64[m]; `rows` index the batch, `buckets` are below BUCKETS, and
    `buckets >> BUCKET_BITS` is the index of the kind in KINDS.
    """

    rows: Ints
    buckets: Ints
    counts: Ints


def normalise(text: str) -> str:
    """Return the lower-case words of a text, each between single spaces; `" "` for none."""
    folded = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold()[:MAX_CHARACTERS]
    bare = _DIGITS.sub("0", _APOSTROPHES.sub("", folded))
    return f" {_NO_LETTERS.sub(' ', bare).strip()} " if bare else " "


def count_features(texts: Sequence[str]) -> Counts:
    """Return the features of a batch of any texts; a text without a letter or digit has none."""
    lines = [normalise(text) for text in texts]
    lengths = np.fromiter(map(len, lines), dtype=np.int64, count=len(lines))
    points = np.frombuffer("".join(lines).encode("utf-32-le"), dtype="<u4").astype(np.int64)
    if points.size == 0:
        nothing = np.zeros(0, dtype=np.int64)
        return Counts(nothing, nothing, nothing)
    row_of = np.repeat(np.arange(len(lines), dtype=np.int64), lengths)
    slices = _Slices(points)
    starts, ends = _words(points)
    keys = [
        _keys(row_of[starts], 0, slices.hashes(starts, ends)),
        _pairs(row_of[starts], slices.hashes(starts, ends)),
        *(_grams(points, row_of, slices, size) for size in CHARACTER_GRAM_SIZES),
    ]
    found, counts = np.unique(np.concatenate(keys), return_counts=True)
    return Counts(found // BUCKETS, found % BUCKETS, counts.astype(np.int64))


class _Slices:
    """Hashes of slices of one array of code points."""

    def __init__(self, points: Ints) -> None:
        size = points.size + 1
        self._inverse_powers = _powers(_INVERSE, size)
        terms = _mixed(points.astype(np.uint64)) * _powers(_BASE, size)[:-1]
        self._prefix = np.concatenate((np.zeros(1, dtype=np.uint64), np.cumsum(terms, dtype=np.uint64)))

    def hashes(self, starts: Ints, ends: Ints) -> Words64:
        """Return uint64[m]: equal for equal slices `points[starts[i]:ends[i]]`, wherever they stand."""
        return _mixed((self._prefix[ends] - self._prefix[starts]) * self._inverse_powers[starts])


def _powers(base: int, size: int) -> Words64:
    factors = np.full(size, base, dtype=np.uint64)
    factors[0] = 1
    return np.cumprod(factors, dtype=np.uint64)


def _mixed(values: Words64) -> Words64:
    for shift, factor in _MIX:
        values = (values ^ (values >> shift)) * factor
    return values ^ (values >> np.uint64(31))


def _words(points: Ints) -> tuple[Ints, Ints]:
    """Return where words start and end (exclusive); each text begins and ends with a space."""
    letter = points != _SPACE
    starts = np.flatnonzero(letter[1:] & ~letter[:-1]) + 1
    ends = np.flatnonzero(letter[:-1] & ~letter[1:]) + 1
    return starts, ends


def _pairs(rows: Ints, words: Words64) -> Ints:
    same_text = rows[1:] == rows[:-1]
    pairs = _mixed(words[:-1] * np.uint64(_BASE) + words[1:])
    return _keys(rows[1:][same_text], 1, pairs[same_text])


def _grams(points: Ints, row_of: Ints, slices: _Slices, size: int) -> Ints:
    starts = np.arange(max(points.size - size + 1, 0), dtype=np.int64)
    spaces_before = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(points == _SPACE)))
    # A space may only be the first or the last character, so no gram spans two words or two texts.
    within = spaces_before[starts + size - 1] == spaces_before[starts + 1]
    starts = starts[within]
    return _keys(row_of[starts], 2, slices.hashes(starts, starts + size))


def _keys(rows: Ints, kind: int, hashes: Words64) -> Ints:
    """Return one sortable number per occurrence: row, then kind, then the hash's upper bits."""
    buckets = (hashes >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)
    return rows * BUCKETS + (kind << BUCKET_BITS) + buckets
