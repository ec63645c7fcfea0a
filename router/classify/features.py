"""Text to words, and words to hashed n-grams, for a whole batch at once, in numpy alone.

A text is normalised (NFKC, case folded, apostrophes dropped, digits made 0, all else that is no
letter a space) and gives four kinds of features: words; pairs of neighbouring words, where the start and
the end of a text count as words; pairs of words with one word between them; and n-grams of 3 to 5
characters within a word (its edges marked by a space), which survive typos and endings.
All but the pairs depend on one word alone, so they need computing once per word, not per text.

Every n-gram is a slice of one array of code points, so its hash is a difference of prefix sums of
the polynomial sum(c[i] * BASE**i) mod 2**64, divided by BASE**start: no Python per n-gram.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Words64 = npt.NDArray[np.uint64]
Flags = npt.NDArray[np.bool_]

MAX_CHARACTERS = 2_000
"""Only the start of a text is read: some 350 words, so one long letter cannot hold up a batch."""
MAX_WORDS = MAX_CHARACTERS // 2
"""The most words in a text: each takes a letter and a space."""

FEATURES_VERSION = 3
"""Grows with every change that moves a bucket or a value: a model is of use with its own version alone."""

KINDS = ("word", "word_pair", "skip_pair", "character_gram")
CHARACTER_GRAM_SIZES = (3, 4, 5)
BUCKET_BITS = 20
"""Buckets per kind: 2**20, of which CLINC150 uses 30,000. With 2**18 its accuracy is 0.001 less."""
BUCKETS = len(KINDS) << BUCKET_BITS

_WORD, _PAIR, _SKIP, _GRAM = range(len(KINDS))
_EDGES = np.array([0x5851F42D4C957F2D, 0x14057B7EF767814F], dtype=np.uint64)
"""In place of the hashes of words: the start and the end of a text (any two numbers; these are Knuth's for MMIX)."""
_SPACE = ord(" ")
_APOSTROPHES = frozenset("'\u2019\u02bc`")
_BASE = 0x9E3779B97F4A7C15
"""2**64 divided by the golden ratio, made odd: odd, so it has an inverse mod 2**64."""
_INVERSE = pow(_BASE, -1, 1 << 64)
# Multipliers and shifts of the finaliser of splitmix64 (Steele, Lea, Flood 2014).
_MIX = ((np.uint64(30), np.uint64(0xBF58476D1CE4E5B9)), (np.uint64(27), np.uint64(0x94D049BB133111EB)))


class Counts(NamedTuple):
    """How many distinct words or pairs of each text have each feature; each (row, bucket) once, in ascending order.

    rows, buckets, counts: int64[m]; `rows` index the batch, `buckets` are below BUCKETS, and
    `buckets >> BUCKET_BITS` is the index of the kind in KINDS.
    """

    rows: Ints
    buckets: Ints
    counts: Ints


class WordFeatures(NamedTuple):
    """The features of n words: the word itself and its character grams, each once, in ascending order.

    hashes: uint64[n], of the whole word. counts: int64[n], features of each word. buckets:
    int64[counts.sum()], word after word, below BUCKETS; `buckets >> BUCKET_BITS` indexes KINDS.
    """

    hashes: Words64
    counts: Ints
    buckets: Ints


class Occurrences(NamedTuple):
    """The distinct words of each text and its distinct pairs of either kind, in the order of their first mention.

    word_rows, words: int64[m], the text and the place of the word. pair_rows, pairs: int64[k], the text
    and the bucket of the pair. Rows ascend.
    """

    word_rows: Ints
    words: Ints
    pair_rows: Ints
    pairs: Ints


class _Plain(dict[int, str | None]):
    """What becomes of a case-folded code point, for str.translate: found out when it is first met."""

    _MOST = 4_096
    """Code points kept, some 0.5 MB: two dozen alphabets, or the common Chinese characters."""

    def __missing__(self, point: int) -> str | None:
        if len(self) >= self._MOST:
            self.clear()
        self[point] = plain = _plain(chr(point))
        return plain


def _plain(character: str) -> str | None:
    if character in _APOSTROPHES:
        return None
    if character.isdecimal():
        return "0"
    return character if character.isalnum() else " "


_PLAIN = _Plain()
_LINE_END = "\n"
_ASCII = bytes(ord(_plain(chr(point).lower()) or " ") for point in range(128)).ljust(256)
_ASCII_LINES = _ASCII[: ord(_LINE_END)] + _LINE_END.encode() + _ASCII[ord(_LINE_END) + 1 :]
_ASCII_DROPPED = "".join(sorted(_APOSTROPHES)).encode("ascii", "ignore")


def words_of(texts: Sequence[str]) -> list[list[str]]:
    """Return the normalised words of each text, at most MAX_WORDS; no word for a text without a letter or digit."""
    # ASCII needs no NFKC and folds letter by letter: one look-up table for the whole batch.
    lines = [text[:MAX_CHARACTERS].replace(_LINE_END, " ") if text.isascii() else "" for text in texts]
    plain = _LINE_END.join(lines).encode().translate(_ASCII_LINES, _ASCII_DROPPED).decode()
    words = [line.split() for line in plain.split(_LINE_END)] if lines else []
    for at, text in enumerate(texts):
        if not text.isascii():
            words[at] = _words_beyond_ascii(text)
    return words


def _words_beyond_ascii(text: str) -> list[str]:
    folded = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold()[:MAX_CHARACTERS]
    return folded.translate(_PLAIN).split()


def features_of(words: Sequence[str]) -> WordFeatures:
    """Return the features of words that `words_of` gave."""
    lines = [f" {word} " for word in words]
    lengths = np.fromiter(map(len, lines), dtype=np.int64, count=len(lines))
    points = np.frombuffer("".join(lines).encode("utf-32-le"), dtype="<u4").astype(np.int64)
    ends = np.cumsum(lengths)
    slices = _Slices(points)
    hashes = slices.hashes(ends - lengths + 1, ends - 1)
    word_of = np.repeat(np.arange(len(lines), dtype=np.int64), lengths)
    keys = [_keys(np.arange(len(lines), dtype=np.int64), _WORD, hashes)]
    keys += [_grams(points, word_of, slices, size) for size in CHARACTER_GRAM_SIZES]
    found = np.sort(np.concatenate(keys))
    found = found[np.diff(found, prepend=-1) > 0]  # each once, in a tenth of the time that np.unique takes
    return WordFeatures(hashes, np.bincount(found // BUCKETS, minlength=len(lines)), found % BUCKETS)


def occurrences(places: Ints, lengths: Ints, hashes: Words64) -> Occurrences:
    """Return what n texts say, whatever they repeat: saying it again changes nothing.

    places: int64[lengths.sum()], for each word its place in `hashes`, text after text; lengths: int64[n].
    """
    row_of = np.repeat(np.arange(lengths.size, dtype=np.int64), lengths)
    # Each has a key of its own: 2**63 is enough for 10**6 texts of 10**6 different words.
    keys = row_of * hashes.size + places
    first = _first_times(keys)
    pair_rows, pairs = _pairs(places, lengths, row_of, hashes)
    return Occurrences(word_rows=row_of[first], words=places[first], pair_rows=pair_rows, pairs=pairs)


def _pairs(places: Ints, lengths: Ints, row_of: Ints, hashes: Words64) -> tuple[Ints, Ints]:
    """Return the distinct pairs of each text: its row and its bucket, neighbours and words with one between them."""
    start, end, size = hashes.size, hashes.size + 1, hashes.size + 2
    some = lengths > 0
    bounded = lengths + 2 * some
    rows = np.repeat(np.arange(lengths.size, dtype=np.int64), bounded)
    said = np.full(rows.size, end, dtype=np.int64)
    said[(np.cumsum(bounded) - bounded)[some]] = start
    said[np.arange(places.size) + (2 * np.cumsum(some) - 1)[row_of]] = places
    # All but the end have a neighbour; two words with an end and a start between them are further apart than two.
    near = np.flatnonzero(said != end)
    word = said < start
    over = np.flatnonzero(word[:-2] & word[2:])
    at = np.concatenate((near, over))
    order = at.argsort(kind="stable")
    skips, at = order >= near.size, at[order]
    left, right, row = said[at], said[at + 1 + skips], rows[at]
    once = np.flatnonzero(_first_times(((row * 2 + skips) * size + left) * size + right))
    left, right, skips, row = left[once], right[once], skips[once], row[once]
    known = np.concatenate((hashes, _EDGES))
    mixed = _mixed(known[left] * np.uint64(_BASE) + known[right])
    kind = np.where(skips, _SKIP, _PAIR)
    return row, (kind << BUCKET_BITS) + (mixed >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)


def count_features(texts: Sequence[str]) -> Counts:
    """Return the features of any texts, for training; a classifier remembers words instead (`words.Memory`)."""
    words = words_of(texts)
    known = {word: place for place, word in enumerate(dict.fromkeys(chain.from_iterable(words)))}
    lengths = np.fromiter(map(len, words), dtype=np.int64, count=len(words))
    places = np.fromiter(map(known.__getitem__, chain.from_iterable(words)), dtype=np.int64, count=lengths.sum())
    of_words = features_of(list(known))
    said = occurrences(places, lengths, of_words.hashes)
    each = of_words.counts[said.words]
    starts = (np.cumsum(of_words.counts) - of_words.counts)[said.words]
    within = np.arange(each.sum()) - np.repeat(np.cumsum(each) - each, each)
    of_all = np.repeat(said.word_rows, each) * BUCKETS + of_words.buckets[np.repeat(starts, each) + within]
    keys = np.concatenate((of_all, said.pair_rows * BUCKETS + said.pairs))
    found, counts = np.unique(keys, return_counts=True)
    return Counts(found // BUCKETS, found % BUCKETS, counts.astype(np.int64))


def _first_times(keys: Ints) -> Flags:
    """Return which of the keys were not there before in the array."""
    first = np.ones(keys.size, dtype=np.bool_)
    ordered = np.sort(keys)
    again = ordered[1:][ordered[1:] == ordered[:-1]]
    if again.size:
        # Few words are there twice: only those are sorted with their places, which takes longer.
        at = np.flatnonzero(again[np.minimum(np.searchsorted(again, keys), again.size - 1)] == keys)
        at = at[np.argsort(keys[at], kind="stable")]
        first[at[1:]] = keys[at[1:]] != keys[at[:-1]]
    return first


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


def _grams(points: Ints, word_of: Ints, slices: _Slices, size: int) -> Ints:
    starts = np.arange(max(points.size - size + 1, 0), dtype=np.int64)
    # Words are padded with a space on either side, and a gram lies within one padded word.
    starts = starts[word_of[starts] == word_of[starts + size - 1]]
    return _keys(word_of[starts], _GRAM, slices.hashes(starts, starts + size))


def _keys(rows: Ints, kind: int, hashes: Words64) -> Ints:
    """Return one sortable number per occurrence: row, then kind, then the hash's upper bits."""
    buckets = (hashes >> np.uint64(64 - BUCKET_BITS)).astype(np.int64)
    return rows * BUCKETS + (kind << BUCKET_BITS) + buckets
