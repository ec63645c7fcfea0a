"""What words add to margins and hidden units, remembered from batch to batch.

All features of a text but its pairs of words belong to a single word, and a contact centre's words
repeat (Zipf): with the sum of a word's weights in memory, a text costs a row per word, not one per
n-gram. The memory is bounded and decides nothing: a word has the same bits in it whenever it came.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain, islice, pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from router.classify.features import MAX_WORDS, Ints, Words64, features_of, occurrences
from router.classify.vocabulary import Floats32, Floats64, Vocabulary

MOST_BYTES = 16 << 20
"""Bound of the remembered sums: 16,980 words at 151 intents and 96 hidden units; CLINC150 has 4,957 in 15,100 texts."""
LEAST_WORDS = 8 * MAX_WORDS
"""Remembered however many the intents, for a piece of a batch has to fit: 35 MB at 1,000 intents."""
MOST_CHARACTERS = 1 << 20
"""Bound of the remembered spellings, up to 4 bytes each: a flood of long words is forgotten sooner."""
_PIECE_CHARACTERS = 8_192
"""Of new words looked at in one go, 1,000 or so: an array of their n-grams is 0.2 MB. A text of 8 random
words takes 27, 25, 23, 26 us at 256, 512, 1,024, 4,096 words."""


class _Places(dict[str, int]):
    """Word -> place, given at the first look."""

    def __missing__(self, word: str) -> int:
        self[word] = place = len(self)
        return place


class WordMemory:
    """Sums of weighted features of words, and of the squares of their scales. For one thread."""

    def __init__(self, vocabulary: Vocabulary, weights: Floats32) -> None:
        """Take float32[m, width], in C order: what a feature of value 1 adds to each of some sums."""
        self._vocabulary = vocabulary
        self._slots = vocabulary.slots()
        self._weights = weights
        self._most_words = max(LEAST_WORDS, MOST_BYTES // max(weights[:1].nbytes, 1))
        self._places = _Places()
        self._characters = 0
        # Memory that is not written is not used: these grow with the words that come.
        self._hashes: Words64 = np.empty(self._most_words, dtype=np.uint64)
        self._squares: Floats64 = np.empty(self._most_words, dtype=np.float64)
        self._sums: Floats32 = np.empty((self._most_words, weights.shape[1]), dtype=np.float32)

    def sums(self, texts: Sequence[list[str]]) -> tuple[Floats32, Floats64]:
        """Return float32[n, width], what the words and pairs of texts add up to, and float64[n], their lengths."""
        lengths = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
        if len(texts) > 1 and lengths.sum() > LEAST_WORDS:
            middle = len(texts) // 2
            (left, left_lengths), (right, right_lengths) = self.sums(texts[:middle]), self.sums(texts[middle:])
            return np.concatenate((left, right)), np.concatenate((left_lengths, right_lengths))
        said = occurrences(self._places_of(texts, int(lengths.sum())), lengths, self._hashes)
        sums = sum_rows(
            self._sums,
            said.words,
            np.bincount(said.word_rows, minlength=len(texts)),
            np.ones(said.words.size, np.float32),
        )
        slots = self._slots[said.pairs]
        known = np.flatnonzero(slots < self._vocabulary.buckets.size)
        scales = self._vocabulary.scales_of(said.pairs, slots)
        known_counts = np.bincount(said.pair_rows[known], minlength=len(texts))
        sums += sum_rows(self._weights, slots[known], known_counts, scales[known].astype(np.float32))
        squares = np.bincount(said.word_rows, weights=self._squares[said.words], minlength=len(texts))
        squares += np.bincount(said.pair_rows, weights=scales * scales, minlength=len(texts))
        return sums, np.sqrt(squares)

    def _places_of(self, texts: Sequence[list[str]], words: int) -> Ints:
        """Return where the words of texts are remembered, once they are."""
        if self._characters > MOST_CHARACTERS:
            self._forget()
        try:
            before = len(self._places)
            places = np.fromiter(map(self._places.__getitem__, chain.from_iterable(texts)), np.int64, words)
            if len(self._places) > self._most_words:
                self._forget()
                before = 0
                places = np.fromiter(map(self._places.__getitem__, chain.from_iterable(texts)), np.int64, words)
            new = list(islice(reversed(self._places), len(self._places) - before))[::-1]
            if new:
                self._learn(new, before)
        except BaseException:  # a word must not stay without its sums, whatever interrupts
            self._forget()
            raise
        return places

    def _learn(self, words: list[str], place: int) -> None:
        """Fill the places from `place` on, in pieces of a bounded size."""
        ends = np.cumsum(np.fromiter(map(len, words), dtype=np.int64, count=len(words)))
        pieces = [0, *(np.flatnonzero(np.diff(ends // _PIECE_CHARACTERS)) + 1).tolist(), len(words)]
        for start, end in pairwise(pieces):
            self._learn_piece(words[start:end], slice(place + start, place + end))
        self._characters += int(ends[-1])

    def _learn_piece(self, words: list[str], places: slice) -> None:
        features = features_of(words)
        slots = self._slots[features.buckets]
        word_of = np.repeat(np.arange(len(words), dtype=np.int64), features.counts)
        scales = self._vocabulary.scales_of(features.buckets, slots)
        known = np.flatnonzero(slots < self._vocabulary.buckets.size)
        known_counts = np.bincount(word_of[known], minlength=len(words))
        self._hashes[places] = features.hashes
        self._squares[places] = np.bincount(word_of, weights=scales * scales, minlength=len(words))
        self._sums[places] = sum_rows(self._weights, slots[known], known_counts, scales[known].astype(np.float32))

    def _forget(self) -> None:
        self._places.clear()
        self._characters = 0


def sum_rows(table: Floats32, rows: npt.NDArray[np.signedinteger[Any]], counts: Ints, factors: Floats32) -> Floats32:
    """Return float32[n, width]: the sum of the next counts[i] of `rows` of a table, each times its factor.

    Each sum is made from its first row to its last, so its bits do not depend on the others.
    """
    if counts.size == 1:  # a text alone: a third of its time would go into the making of sparse matrices
        return np.add.reduce(table.take(rows, axis=0) * factors[:, np.newaxis], axis=0, keepdims=True)
    starts = np.zeros(counts.size + 1, dtype=np.int64)
    np.cumsum(counts, out=starts[1:])
    sums: Floats32 = scipy.sparse.csr_matrix((factors, rows, starts), shape=(counts.size, len(table))) @ table
    return sums
