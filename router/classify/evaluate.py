"""How good a classifier is on utterances whose intents are known: pure functions on columns.

An utterance is in scope where its own intent is another than `oos`. A figure that has nothing to
stand on, such as the precision of no contact, is None.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from router.classify.corpus import Utterance, same_text
from router.classify.result import OUT_OF_SCOPE, Classifier
from router.classify.vocabulary import Floats64
from schemas.interactions import DEFAULT_THRESHOLDS

Flags = npt.NDArray[np.bool_]

CONTAINED, ASSISTED = DEFAULT_THRESHOLDS.contained, DEFAULT_THRESHOLDS.assisted
"""Least confidence for AI alone, and for AI with a person watching."""
BINS = 15
"""Of equal width, as in Guo et al. 2017, "On Calibration of Modern Neural Networks"."""
BATCH = 256
HELD_OUT_SHARE = 5
"""One utterance in five is held out: the folds that training takes are fifths too."""
LEAST_TO_SPLIT = HELD_OUT_SHARE
"""Utterances of an intent below which none is held out."""
SPLIT_SEED = 7
"""Any fixed number: the same corpus is split the same way in every run."""
_PASSES = 5
_LEAST_TEXTS, _MOST_TEXTS = 2_048, 4_096
"""Of a timed pass: 8 batches are some 10 ms, which a clock of microseconds measures to 0.01 %."""
_SINGLE_TEXTS = 2_000
"""So the last hundredth is 20 calls."""


class Bins(NamedTuple):
    """Contacts by confidence: counts int64[BINS]; confidence, accuracy float64[BINS], means, 0 where there is none."""

    counts: npt.NDArray[np.int64]
    confidence: Floats64
    accuracy: Floats64


class Band(NamedTuple):
    """coverage: share of contacts in a band of confidence. precision: share of those whose intent is right."""

    coverage: float | None
    precision: float | None


class Confusion(NamedTuple):
    """So many utterances of the intent `actual` were taken for `predicted`; `example` is the surest of them."""

    actual: str
    predicted: str
    times: int
    example: str


class Speed(NamedTuple):
    """What classifying takes on one thread: a text in batches of BATCH, and the slowest hundredth of lone texts."""

    microseconds_per_text: float
    single_ms_p99: float


@dataclasses.dataclass(frozen=True, slots=True)
class Judged:
    """What a classifier said of n utterances, beside their intents, in columns.

    confidence, out_of_scope: float64[n] in [0, 1]. right, in_scope: bool[n]. model: its version.
    intents: those that the model can answer with.
    """

    utterances: tuple[Utterance, ...]
    predicted: tuple[str, ...]
    confidence: Floats64
    out_of_scope: Floats64
    right: Flags
    in_scope: Flags
    intents: tuple[str, ...]
    model: str

    def bins(self) -> Bins:
        """Return the bins of what is in scope."""
        return calibration_bins(self.confidence[self.in_scope], self.right[self.in_scope])


def judge(classifier: Classifier, utterances: Sequence[Utterance]) -> Judged:
    """Classify utterances, at least one, in batches of BATCH and put the answers beside the intents given."""
    texts = [utterance.text for utterance in utterances]
    found = [classifier.classify(texts[start : start + BATCH]) for start in range(0, len(texts), BATCH)]
    intents = found[0].intents
    predicted = tuple(intents[at] for of in found for at in of.intent.tolist())
    actual = [utterance.intent for utterance in utterances]
    return Judged(
        utterances=tuple(utterances),
        predicted=predicted,
        confidence=np.concatenate([of.confidence for of in found]),
        out_of_scope=np.concatenate([of.out_of_scope for of in found]),
        right=np.array([one == other for one, other in zip(predicted, actual, strict=True)], dtype=np.bool_),
        in_scope=np.array([intent != OUT_OF_SCOPE for intent in actual], dtype=np.bool_),
        intents=intents,
        model=found[0].model,
    )


def figures(judged: Judged) -> dict[str, float | int | None]:
    """Return the figures of merit by name, those that `trunkline classifier evaluate --json` prints."""
    confidence, right, scope = judged.confidence, judged.right, judged.in_scope
    for_ai = np.array([intent != OUT_OF_SCOPE for intent in judged.predicted], dtype=np.bool_)
    contained = (confidence >= CONTAINED) & for_ai
    assisted = (confidence >= ASSISTED) & (confidence < CONTAINED) & for_ai
    alone, watched = band(contained[scope], right[scope]), band(assisted[scope], right[scope])
    return {
        "n": len(judged.predicted),
        "n_in_scope": int(scope.sum()),
        "n_oos": int((~scope).sum()),
        "accuracy": share(right[scope]),
        "ece": expected_calibration_error(judged.bins()),
        "oos_auroc": auroc(judged.out_of_scope, ~scope),
        "coverage_ai": alone.coverage,
        "precision_ai": alone.precision,
        "coverage_assisted": watched.coverage,
        "precision_assisted": watched.precision,
        "oos_leak_ai": share(contained[~scope]),
        "oos_leak_any": share((contained | assisted)[~scope]),
    }


def share(flags: Flags) -> float | None:
    """Return which share of the flags is set, None where there is no flag."""
    return float(flags.mean()) if flags.size else None


def band(within: Flags, right: Flags) -> Band:
    """Return how many of n contacts a band holds, and how many of those are right: bool[n] both."""
    return Band(coverage=share(within), precision=share(right[within]))


def calibration_bins(confidence: Floats64, right: Flags) -> Bins:
    """Sort float64[n] in [0, 1] into bins that are open below and closed above; 0 goes to the first."""
    places = np.clip(np.ceil(confidence * BINS).astype(np.int64) - 1, 0, BINS - 1)
    counts = np.bincount(places, minlength=BINS)
    at_least_one = np.maximum(counts, 1)
    return Bins(
        counts=counts,
        confidence=np.bincount(places, weights=confidence, minlength=BINS) / at_least_one,
        accuracy=np.bincount(places, weights=right, minlength=BINS) / at_least_one,
    )


def expected_calibration_error(bins: Bins) -> float | None:
    """Return the distance of confidence and accuracy, averaged over contacts (Naeini et al. 2015); None without any."""
    total = int(bins.counts.sum())
    return float(np.dot(bins.counts, np.abs(bins.confidence - bins.accuracy)) / total) if total else None


def auroc(scores: Floats64, positive: Flags) -> float | None:
    """Return how often a positive scores above another, a tie counting half (Mann and Whitney 1947).

    scores: float64[n]; positive: bool[n]. None without one of each, and where a score is no number.
    """
    positives = int(positive.sum())
    negatives = positive.size - positives
    if not positives or not negatives or not np.isfinite(scores).all():
        return None
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    mean_ranks = ends - (counts - 1) / 2.0
    above = float(mean_ranks[places[positive]].sum()) - positives * (positives + 1) / 2.0
    return above / (positives * negatives)


def confusions(judged: Judged) -> list[Confusion]:
    """Return the pairs of intents that were taken for each other, the most frequent first."""
    wrong = np.flatnonzero(~judged.right)
    surest_last = wrong[np.argsort(judged.confidence[wrong], kind="stable")].tolist()
    pairs = {at: (judged.utterances[at].intent, judged.predicted[at]) for at in surest_last}
    examples = {pair: judged.utterances[at].text for at, pair in pairs.items()}
    counted = sorted(Counter(pairs.values()).items(), key=lambda of: (-of[1], of[0]))
    return [Confusion(*pair, times, examples[pair]) for pair, times in counted]


def unknown_intents(judged: Judged) -> dict[str, int]:
    """Return the intents in scope that the model cannot answer with, and how many utterances have them."""
    known = {*judged.intents, OUT_OF_SCOPE}
    return dict(Counter(u.intent for u in judged.utterances if u.intent not in known).most_common())


def hold_out(utterances: Sequence[Utterance]) -> tuple[list[Utterance], list[Utterance]]:
    """Split a corpus: what to train with, and one in HELD_OUT_SHARE of each intent to measure on.

    Intents of fewer than LEAST_TO_SPLIT utterances are not measured, nor is a text that training has too.
    """
    chance = np.random.default_rng(SPLIT_SEED)
    places: dict[str, list[int]] = {}
    for at in chance.permutation(len(utterances)).tolist():
        places.setdefault(utterances[at].intent, []).append(at)
    held = {at for of in places.values() if len(of) >= LEAST_TO_SPLIT for at in of[: len(of) // HELD_OUT_SHARE]}
    kept = [utterance for at, utterance in enumerate(utterances) if at not in held]
    seen = {same_text(utterance.text) for utterance in kept}
    return kept, [utterances[at] for at in sorted(held) if same_text(utterances[at].text) not in seen]


def speed(classifier: Classifier, texts: Sequence[str], clock_microseconds: Callable[[], int]) -> Speed:
    """Time a classifier on texts, at least one, that it has met before, on one thread.

    clock_microseconds: the present time, by any origin. The batches' figure is the median of five passes.
    """
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped] # noqa: PLC0415 - 0.1 s

    said = [texts[at % len(texts)] for at in range(min(max(len(texts), _LEAST_TEXTS), _MOST_TEXTS))]
    batches = [said[start : start + BATCH] for start in range(0, len(said), BATCH)]
    with threadpool_limits(limits=1):
        per_text = []
        for _ in range(_PASSES + 1):
            began = clock_microseconds()
            for batch in batches:
                classifier.classify(batch)
            per_text.append((clock_microseconds() - began) / len(said))
        single = []
        for text in said[:_SINGLE_TEXTS]:
            began = clock_microseconds()
            classifier.classify([text])
            single.append(clock_microseconds() - began)
    return Speed(float(np.median(per_text[1:])), float(np.quantile(single, 0.99)) / 1e3)
