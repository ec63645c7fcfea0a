from itertools import pairwise, product

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from router.classify.corpus import Utterance, same_text
from router.classify.evaluate import (
    ASSISTED,
    BATCH,
    BINS,
    CONTAINED,
    HELD_OUT_SHARE,
    LEAST_TO_SPLIT,
    Band,
    Bins,
    Confusion,
    auroc,
    band,
    calibration_bins,
    confusions,
    expected_calibration_error,
    figures,
    hold_out,
    judge,
    share,
    speed,
    unknown_intents,
)
from router.classify.result import OUT_OF_SCOPE, Classifications

UNIT = st.floats(0.0, 1.0)
FEW_VALUES = st.sampled_from([0.0, 0.25, 0.5, 1.0])
JUDGED_TEXTS = st.lists(st.tuples(UNIT | FEW_VALUES, st.booleans()), max_size=40)
INTENTS = ("pay_bill", "roaming", OUT_OF_SCOPE)


def columns(rows):
    return np.array([value for value, _ in rows], dtype=np.float64), np.array(
        [flag for _, flag in rows], dtype=np.bool_
    )


class Told:
    """A classifier that answers each text as it was told: the intent, how sure, and how far out of scope."""

    def __init__(self, answers, clock=None):
        self.answers = answers
        self.clock = clock
        self.batches = []

    def classify(self, texts):
        self.batches.append(len(texts))
        if self.clock is not None:
            self.clock.microseconds += 100 + 5 * len(texts)
        rows = [self.answers.get(text, (OUT_OF_SCOPE, 0.5, 0.5)) for text in texts]
        first = np.array([INTENTS.index(intent) for intent, _, _ in rows], dtype=np.int32)
        return Classifications(
            intent=first,
            confidence=np.array([sure for _, sure, _ in rows]),
            runner_up=(first + 1) % np.int32(len(INTENTS)),
            runner_up_gap=np.zeros(len(rows)),
            out_of_scope=np.array([out for _, _, out in rows]),
            intents=INTENTS,
            model="told-1",
        )


def told(rows):
    """Rows of: intent given, intent found, confidence, out of scope; judged."""
    utterances = [Utterance(f"text {at}", given_intent) for at, (given_intent, *_) in enumerate(rows)]
    answers = {u.text: tuple(row[1:]) for u, row in zip(utterances, rows, strict=True)}
    return judge(Told(answers), utterances)


# Statistics, beside brute force.


@given(JUDGED_TEXTS)
def test_calibration_error_is_the_gap_of_each_bin_weighted_by_its_contacts(rows):
    confidence, right = columns(rows)
    edges = [at / BINS for at in range(BINS + 1)]
    # Within rounding of an edge, a confidence may stand on either side of it.
    assume(not any(0.0 < abs(value - edge) < 1e-12 for value, _ in rows for edge in edges))
    gaps = 0.0
    for low, high in pairwise(edges):
        within = [row for row in rows if low < row[0] <= high or low == 0.0 == row[0]]
        gaps += abs(sum(sure for sure, _ in within) - sum(was_right for _, was_right in within))
    found = expected_calibration_error(calibration_bins(confidence, right))
    assert found == (pytest.approx(gaps / len(rows), abs=1e-9) if rows else None)


@given(JUDGED_TEXTS)
def test_each_contact_is_in_one_bin_that_its_confidence_lies_in(rows):
    bins = calibration_bins(*columns(rows))
    assert bins.counts.sum() == len(rows)
    assert (bins.counts * bins.confidence).sum() == pytest.approx(sum(value for value, _ in rows))
    assert (bins.counts * bins.accuracy).sum() == pytest.approx(sum(flag for _, flag in rows))
    there = bins.counts > 0
    edges = np.arange(BINS + 1) / BINS
    assert (bins.confidence[there] >= edges[:-1][there] - 1e-12).all()
    assert (bins.confidence[there] <= edges[1:][there] + 1e-12).all()


@pytest.mark.parametrize(("confidence", "place"), [(0.0, 0), (1e-9, 0), (1 / 15, 0), (0.2, 2), (0.9999, 14), (1.0, 14)])
def test_bins_are_open_below_and_closed_above(confidence, place):
    bins = calibration_bins(np.array([confidence]), np.array([True]))
    assert np.flatnonzero(bins.counts).tolist() == [place]


def test_a_model_as_right_as_it_is_sure_has_no_calibration_error():
    assert expected_calibration_error(calibration_bins(np.full(4, 0.75), np.array([1, 1, 1, 0], dtype=np.bool_))) == 0
    assert expected_calibration_error(calibration_bins(np.full(4, 1.0), np.zeros(4, dtype=np.bool_))) == 1
    assert expected_calibration_error(Bins(np.zeros(BINS, np.int64), np.zeros(BINS), np.zeros(BINS))) is None


@given(JUDGED_TEXTS)
def test_auroc_is_how_often_a_positive_scores_above_another(rows):
    positives = [value for value, flag in rows if flag]
    others = [value for value, flag in rows if not flag]
    wins = sum((one > other) + (one == other) / 2 for one, other in product(positives, others))
    expected = wins / (len(positives) * len(others)) if positives and others else None
    found = auroc(*columns(rows))
    assert found == (None if expected is None else pytest.approx(expected))


@given(JUDGED_TEXTS)
def test_auroc_of_the_opposite_scores_is_the_rest_to_1(rows):
    scores, positive = columns(rows)
    found = auroc(scores, positive)
    if found is not None:
        assert auroc(-scores, positive) == pytest.approx(1.0 - found)
        assert auroc(scores, ~positive) == pytest.approx(1.0 - found)


def test_scores_that_are_no_numbers_have_no_auroc():
    assert auroc(np.array([0.1, np.nan]), np.array([True, False])) is None


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=20))
def test_coverage_and_precision_are_shares_of_all_and_of_those_covered(rows):
    within = np.array([one for one, _ in rows], dtype=np.bool_)
    right = np.array([other for _, other in rows], dtype=np.bool_)
    covered = [was_right for is_within, was_right in rows if is_within]
    assert band(within, right) == Band(
        coverage=len(covered) / len(rows) if rows else None,
        precision=sum(covered) / len(covered) if covered else None,
    )


def test_the_share_of_nothing_is_none():
    assert share(np.zeros(0, dtype=np.bool_)) is None


# Figures.


def test_the_bands_are_those_of_the_router():
    assert (CONTAINED, ASSISTED) == (0.92, 0.75), "as docs/classifier.md has them"


def test_figures_of_a_handful_of_contacts_are_those_counted_by_hand():
    judged = told(
        [
            ("pay_bill", "pay_bill", 0.92, 0.1),  # AI alone, right
            ("pay_bill", "roaming", 0.99, 0.2),  # AI alone, wrong
            ("roaming", "roaming", 0.91, 0.0),  # assisted, right
            ("roaming", "roaming", 0.75, 0.3),  # assisted, right
            ("roaming", "roaming", 0.74, 0.3),  # to people
            ("roaming", OUT_OF_SCOPE, 0.99, 0.9),  # to people, for it was found out of scope
            ("unheard_of", "pay_bill", 0.5, 0.2),  # no model can answer it
            ("roaming", OUT_OF_SCOPE, 0.8, 0.7),  # to people
            (OUT_OF_SCOPE, OUT_OF_SCOPE, 0.95, 0.95),
            (OUT_OF_SCOPE, "roaming", 0.92, 0.4),  # leaks to AI alone
            (OUT_OF_SCOPE, "roaming", 0.76, 0.3),  # leaks to AI assisted
            (OUT_OF_SCOPE, "roaming", 0.3, 0.7),
        ]
    )
    # In scope: 0.0 .1 .2 .2 .3 .3 .7 .9. Out of scope: .95 above 8, .4 above 6, .3 above 4 and level with 2,
    # .7 above 6 and level with 1.
    assert figures(judged) == {
        "n": 12,
        "n_in_scope": 8,
        "n_oos": 4,
        "accuracy": 4 / 8,
        "ece": pytest.approx(expected_calibration_error(judged.bins())),
        "oos_auroc": pytest.approx((8 + 6 + 5 + 6.5) / 32),
        "coverage_ai": 2 / 8,
        "precision_ai": 1 / 2,
        "coverage_assisted": 2 / 8,
        "precision_assisted": 1.0,
        "oos_leak_ai": 1 / 4,
        "oos_leak_any": 2 / 4,
    }
    assert unknown_intents(judged) == {"unheard_of": 1}


def test_what_cannot_be_measured_is_none():
    in_scope, out_of_scope = told([("roaming", "roaming", 0.5, 0.1)]), told([(OUT_OF_SCOPE, "roaming", 0.5, 0.1)])
    without = {name for name, value in figures(in_scope).items() if value is None}
    assert without == {"oos_auroc", "precision_ai", "precision_assisted", "oos_leak_ai", "oos_leak_any"}
    without = {name for name, value in figures(out_of_scope).items() if value is None}
    names = {"coverage_ai", "precision_ai", "coverage_assisted", "precision_assisted"}
    assert without == {"oos_auroc", "accuracy", "ece", *names}


def test_batches_change_nothing():
    rows = [("roaming", "roaming", at / 1000, 0.1) for at in range(BATCH + 3)]
    judged = told(rows)
    assert judged.confidence.tolist() == [row[2] for row in rows]
    assert judged.right.all()
    assert judged.model == "told-1"


def test_confusions_are_the_most_frequent_pairs_with_the_surest_example():
    judged = told(
        [
            ("roaming", "pay_bill", 0.4, 0.0),
            ("pay_bill", "roaming", 0.9, 0.0),
            ("roaming", "pay_bill", 0.8, 0.0),
            ("roaming", "roaming", 0.9, 0.0),
        ]
    )
    assert confusions(judged) == [
        Confusion("roaming", "pay_bill", 2, "text 2"),
        Confusion("pay_bill", "roaming", 1, "text 1"),
    ]


# Splitting.

CORPORA = st.lists(
    st.builds(Utterance, st.text("ab ", min_size=1, max_size=6), st.sampled_from(["a", "b", OUT_OF_SCOPE])), max_size=80
)


@given(CORPORA)
def test_a_split_loses_no_utterance_but_those_that_both_parts_would_have(utterances):
    kept, held = hold_out(utterances)
    seen = {same_text(u.text) for u in kept}
    assert [u for u in held if same_text(u.text) in seen] == []
    assert {same_text(u.text) for u in utterances} == seen | {same_text(u.text) for u in held}
    for intent in ("a", "b", OUT_OF_SCOPE):
        before, after = (sum(u.intent == intent for u in of) for of in (utterances, kept))
        assert before - after == (before // HELD_OUT_SHARE if before >= LEAST_TO_SPLIT else 0)
    assert hold_out(utterances) == (kept, held)


# Speed.


class Clock:
    microseconds = 0

    def __call__(self):
        return self.microseconds


@pytest.mark.parametrize("texts", [1, 300, 10_000])
def test_speed_is_by_text_in_batches_and_by_call_alone(texts):
    clock = Clock()
    classifier = Told({}, clock)
    found = speed(classifier, [f"text {at}" for at in range(texts)], clock)
    assert found.microseconds_per_text == pytest.approx(5 + 100 / BATCH, rel=0.01)
    assert found.single_ms_p99 == pytest.approx(0.105)
    assert max(classifier.batches) == BATCH
