"""A made-up language of contact centres: utterances in any number, the same ones for the same seed.

Sized after CLINC150, the public corpus of 150 intents (15,100 training texts): 8.3 words and 40
characters a text, 6,000 different words, of which 60 are more than half of all that is said. An
utterance mixes what everybody says with words of its intent, each drawn by Zipf's law.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_COMMON_TEXT = (
    "my i to the you what a for me is how do on can in of need please tell have are know it get at and from when "
    "would like want there much does did with that not help been your any be could if this will so out has make about "
    "was up or we where they no an by"
)
_COMMON = _COMMON_TEXT.split()
_STEMS_TEXT = (
    "account address agent amount app appoint arrear balance bank bill block book box branch broadband browse bundle "
    "call cancel card carrier cash charge chat cheque claim code collect complain confirm connect contact contract "
    "copy country coverage credit customer damage data date debit deliver deposit device direct discount dispatch "
    "dispute document double download driver due email engineer error exchange expire extend fault fee fibre file "
    "fine fix flight fraud freeze full gift guarantee handset hotel hour house identity income install insure "
    "interest internet invoice item join key landline late letter limit line link loan lock login loss machine mail "
    "manage market meter minute miss mobile modem money month move name network night notice number offer office "
    "online open operator option order outage owe own pack paper parcel pass password pay penalty pension person "
    "phone pin plan plug point policy port post premium prepay price print private process product profile promo "
    "proof protect provide purchase query question quote rate receipt record recover redeem reduce refer refund "
    "register reject remind renew rent repair repeat replace report request reset resolve restore return review "
    "reward ring roam room route safe salary sale save scan schedule screen seat secure send service set share ship "
    "shop sign signal sim site slot slow speed spend staff stamp start state station statement stock stolen stop "
    "store street subscribe support swap switch system table target tariff tax team technic term test text ticket "
    "time top track trade train transfer travel trip unit update upgrade urgent usage use user valid value vehicle "
    "verify version visit voice voucher wait wallet warn waste watch water web wire word work wrong year zone"
)
_STEMS = _STEMS_TEXT.split()
_ENDINGS = ("", "s", "ed", "ing")
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_SYLLABLES = tuple(f"{a}{b}{c}" for a in "bdklmnrst" for b in "aeiou" for c in ("", "", "n", "r"))
LEXICON_WORDS = 6_000
"""As many as CLINC150's training texts have: 5,985."""
_PHRASES = 400
"""Turns of two or three common words ("how do", "is my the"): people do not draw each word afresh."""
_COMMON_SHARE, _INTENT_SHARE = 0.30, 0.60
_UNHEARD_SHARE = 0.032
"""Slips of the pen, for words that nobody used before. They make 2.3 % of the words; in CLINC150 2.6 % of those
of 3,100 texts are in none of 12,000 others."""
_MEAN_PARTS, _MOST_PARTS = 4.8, 15
_INTENT_WORDS = 40
"""Words that an intent prefers, drawn from the whole lexicon, so that intents overlap."""
_CHUNK = 4_096
_LEXICON_SEED, CORPUS_SEED = 150, 40


def lexicon() -> tuple[str, ...]:
    """Return the words: short common ones, a contact centre's, then names of products that nobody sells."""
    draw = np.random.default_rng(_LEXICON_SEED)
    stems = [f"{stem}{ending}" for ending in _ENDINGS for stem in _STEMS]
    names = ["".join(draw.choice(_SYLLABLES, size=size)) for size in draw.integers(2, 4, size=LEXICON_WORDS)]
    return tuple(dict.fromkeys([*_COMMON, *stems, *names]))[:LEXICON_WORDS]


class Language:
    """Utterances of a number of intents, 0 to intents - 1; intent -1 is out of scope: none of their words."""

    def __init__(self, intents: int) -> None:
        draw = np.random.default_rng(_LEXICON_SEED)
        common, rest = _COMMON, lexicon()[len(_COMMON) :]
        shares = _zipf(len(common), 0.9)
        sizes = draw.integers(2, 4, _PHRASES)
        turns = [" ".join(common[at] for at in _drawn(shares, draw.random(size))) for size in sizes]
        parts = [*common, *turns]
        # Three words of four keep company with one other: "my card".
        leads = [f"{common[at]} " for at in _drawn(shares, draw.random(len(rest)))]
        leads[::4] = [""] * len(leads[::4])
        pairs = [lead + word for lead, word in zip(leads, rest, strict=True)]
        self._parts = np.array([*parts, *pairs], dtype=object)
        self._first = len(parts)
        self._common = _zipf(len(parts), 0.75)
        self._rare = _zipf(len(rest), 0.9)
        self._own = _zipf(_INTENT_WORDS, 1.3)
        self._of_intent = _drawn(_zipf(len(rest), 0.75), draw.random((intents, _INTENT_WORDS))) + self._first

    def utterances(self, intents: Sequence[int], seed: int = CORPUS_SEED) -> Iterator[str]:
        """Yield one text per intent named, the same ones for the same seed."""
        draw = np.random.default_rng(seed)
        for start in range(0, len(intents), _CHUNK):
            yield from self._chunk(np.asarray(intents[start : start + _CHUNK], dtype=np.int64), draw)

    def _chunk(self, intents: Ints, draw: np.random.Generator) -> Iterator[str]:
        # A gamma distribution of shape 6: its spread is that of CLINC150's lengths, 40 % of the mean.
        sizes = np.clip(draw.gamma(6.0, _MEAN_PARTS / 6.0, size=intents.size).round(), 1, _MOST_PARTS).astype(np.int64)
        intent = np.repeat(intents, sizes)
        kind, where = draw.random(intent.size), draw.random(intent.size)
        rare = _drawn(self._rare, where) + self._first
        own = np.where(intent >= 0, self._of_intent[intent, _drawn(self._own, where)], rare)
        other = np.where(kind < _COMMON_SHARE + _INTENT_SHARE, own, rare)
        said = self._parts[np.where(kind < _COMMON_SHARE, _drawn(self._common, where), other)]
        unheard = np.flatnonzero(kind >= 1.0 - _UNHEARD_SHARE)
        said[unheard] = [
            _misspelt(part, *at) for part, at in zip(said[unheard], draw.random((unheard.size, 2)), strict=True)
        ]
        words, ends = said.tolist(), np.cumsum(sizes).tolist()
        for first, last in zip([0, *ends[:-1]], ends, strict=True):
            yield " ".join(words[first:last])


def _misspelt(part: str, where: float, what: float) -> str:
    """Return a word or turn of words with one letter more."""
    at, letter = int(where * len(part)) + 1, _LETTERS[int(what * len(_LETTERS))]
    return f"{part[:at]}{letter}{part[at:]}"


def _zipf(words: int, exponent: float) -> Floats:
    """Return float64[words]: the running sum of shares that go by rank ** -exponent."""
    shares = np.arange(1, words + 1) ** -exponent
    running: Floats = np.cumsum(shares / shares.sum())
    return running


def _drawn(running: Floats, uniform: npt.NDArray[np.float64]) -> Ints:
    return np.minimum(np.searchsorted(running, uniform), running.size - 1)
