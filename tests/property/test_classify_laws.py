import hashlib
import re
import unicodedata
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.classify.corpus import Utterance, read_corpus
from router.classify.errors import ModelError
from router.classify.features import (
    BUCKET_BITS,
    BUCKETS,
    CHARACTER_GRAM_SIZES,
    FEATURES_VERSION,
    KINDS,
    MAX_CHARACTERS,
    MAX_WORDS,
    count_features,
    words_of,
)
from router.classify.margins import MarginClassifier, evidence, odds_to_probability
from router.classify.model import load_seed_model
from router.classify.result import OUT_OF_SCOPE
from router.classify.store import load_model, save_model
from router.classify.train import train
from router.classify.vocabulary import feature_matrix
from router.classify.words import sum_rows

SEED_TEXTS = [utterance.text for utterance in read_corpus()]
# st.characters() includes lone surrogates and control characters, st.text() alone does not.
ANY_TEXT = st.text(st.characters(), max_size=80) | st.sampled_from(SEED_TEXTS) | st.text(" ab'_0", max_size=20)
# Characters whose normal form or folded form is longer, joins its neighbour or is an apostrophe, a digit, a line end.
AWKWARD_TEXT = st.text(
    st.sampled_from(
        "aZß\u0130ŉ\ufb03\ufdfa\u1e9e\u0301\u0345\u1100\u1161\u11a8\u2167\u00bd²٣\uff10'\u2019`\u02bc_\n\x1c\x85 "
    )
)
BATCHES = st.lists(ANY_TEXT | AWKWARD_TEXT, max_size=8)


@pytest.fixture(scope="module")
def classifier(models):
    return load_seed_model(models)


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory):
    corpus = [
        Utterance(f"{i} {n}", i) for i in ("pay", "roam", OUT_OF_SCOPE) for n in ("a", "be", "cat", "door", "eel")
    ]
    path = tmp_path_factory.mktemp("tiny") / "tiny.npz"
    save_model(train(corpus, "tiny"), path)
    return path


@pytest.fixture(scope="module")
def seed_model(classifier, models):
    return load_model(next(models.iterdir()))


def plain_words(text: str) -> list[str]:
    """Words the slow way."""
    folded = unicodedata.normalize("NFKC", text[:MAX_CHARACTERS]).casefold()[:MAX_CHARACTERS]
    bare = re.sub(r"\d", "0", re.sub("['\u2019\u02bc`]", "", folded))
    return re.sub(r"[\W_]+", " ", bare).split()


def plain_features(text: str) -> tuple[Counter[str], Counter[tuple[str, str]], Counter[tuple[str, str]], Counter[str]]:
    """Distinct words, distinct pairs of either kind, and of how many words each character gram is, the slow way."""
    found = plain_words(text)
    grams = (
        gram
        for padded in (f" {word} " for word in set(found))
        for gram in {padded[at : at + size] for size in CHARACTER_GRAM_SIZES for at in range(len(padded) - size + 1)}
    )
    bounded = ["start of text", *found, "end of text"] if found else []
    return Counter(set(found)), Counter(set(pairwise(bounded))), Counter(set(zip(found, found[2:]))), Counter(grams)  # noqa: B905


def bits(found):
    """What a classifier said, text by text, so that the least difference shows."""
    columns = (found.intent, found.confidence, found.runner_up, found.runner_up_gap, found.out_of_scope)
    return [tuple(value.tobytes() for value in row) for row in zip(*columns, strict=True)]


@given(BATCHES)
def test_words_are_those_of_the_slow_way(texts):
    assert words_of(texts) == [plain_words(text) for text in texts]


@settings(max_examples=20)
@given(st.text(st.characters() | st.sampled_from("a ß\ufdfa"), min_size=1, max_size=8), st.integers(400, 12_000))
def test_words_of_a_long_text_are_those_of_the_slow_way(piece, times):
    (words,) = words_of([piece * times])
    assert words == plain_words(piece * times)
    assert len(words) <= MAX_WORDS


def test_every_code_point_of_the_alphabets_gives_the_words_of_the_slow_way():
    # All but ideographs, Hangul syllables and surrogates, each of which is a word character or a space to both.
    points = (*range(0x3400), *range(0xA000, 0xAC00), *range(0xF900, 0x20000))
    texts = [f"a{chr(point)}b {chr(point)}" for point in points]
    assert words_of(texts) == [plain_words(text) for text in texts]


@given(BATCHES)
def test_any_text_gets_two_intents_with_probabilities(classifier, texts):
    found = classifier.classify(texts)
    assert len(found.rows()) == len(texts)
    assert np.all((found.confidence >= 0.0) & (found.confidence <= 1.0))
    assert np.all((found.runner_up_gap >= 0.0) & (found.runner_up_gap <= found.confidence))
    assert np.all(found.intent != found.runner_up)
    assert np.all((found.out_of_scope >= 0.0) & (found.out_of_scope <= 1.0))


@given(BATCHES)
def test_a_batch_says_what_its_texts_say_one_by_one(classifier, texts):
    together = bits(classifier.classify(texts))
    assert together == [bits(classifier.classify([text]))[0] for text in texts]


@settings(max_examples=30)
@given(BATCHES, st.lists(ANY_TEXT, max_size=60), st.integers(0, 60))
def test_a_text_gets_the_same_bits_whatever_was_classified_before_and_with_it(seed_model, texts, others, at):
    fresh, used = MarginClassifier(seed_model), MarginClassifier(seed_model)
    used.classify(others)
    together = [*others[:at], *texts, *others[at:]]
    mine = slice(len(others[:at]), len(others[:at]) + len(texts))
    assert bits(fresh.classify(texts)) == bits(used.classify(together))[mine] == bits(used.classify(texts))


@settings(max_examples=20)
@given(st.lists(BATCHES, max_size=12))
def test_a_classifier_that_forgets_its_words_says_the_same(seed_model, batches):
    forgetful, classifier = MarginClassifier(seed_model), MarginClassifier(seed_model)
    forgetful._memory._most_words = 64
    for texts in batches:
        assert bits(forgetful.classify(texts)) == bits(classifier.classify(texts))


@given(BATCHES)
def test_a_classifier_says_what_the_model_says_as_a_formula(classifier, seed_model, texts):
    borders = seed_model.borders
    vocabulary = borders.vocabulary
    features = feature_matrix(count_features(texts), len(texts), vocabulary, vocabulary.slots())
    weighed, intents = features @ borders.weights.astype(np.float64), len(seed_model.intents)
    hidden = np.maximum(weighed[:, intents:] + borders.hidden_bias, 0.0)
    margins = weighed[:, :intents] + borders.bias + hidden @ borders.outputs
    known = np.diff(features.indptr) > 0
    place = seed_model.intents.index(OUT_OF_SCOPE)
    # 2**-24 relative in each of some 10**3 additions, in margins of at most some 30.
    np.testing.assert_allclose(classifier.margins(texts)[0][known], margins[known], rtol=1e-3, atol=1e-5)
    found = evidence(margins.astype(np.float32), place)
    right = odds_to_probability(found.columns, seed_model.right)
    said = classifier.classify(texts)
    of_an_intent = known & (said.intent != place)
    np.testing.assert_allclose(said.confidence[of_an_intent], right[of_an_intent], rtol=1e-2, atol=1e-4)


@given(st.text("abcde ", max_size=30), st.integers(3, 300))
def test_saying_it_all_again_and_again_is_saying_it_three_times(classifier, text, times):
    thrice, often = (classifier.classify([f"{text} " * said]) for said in (3, min(times, 1_900 // (len(text) + 1))))
    assert bits(thrice) == bits(often)


@given(st.lists(st.lists(st.integers(0, 49), max_size=40), max_size=20), st.integers(3, 160))
def test_rows_are_added_up_one_after_the_other(groups, width):
    rng = np.random.default_rng(width)
    table = rng.standard_normal((50, width), dtype=np.float32)
    rows = np.array([row for group in groups for row in group], dtype=np.int64)
    factors = rng.standard_normal(rows.size, dtype=np.float32)
    sums = sum_rows(table, rows, np.array([len(g) for g in groups], dtype=np.int64), factors)
    expected = np.zeros((len(groups), width), dtype=np.float32)
    group_of = [at for at, group in enumerate(groups) for _row in group]
    for at, row, factor in zip(group_of, rows, factors, strict=True):
        expected[at] += table[row] * factor
    assert np.array_equal(sums, expected)


@given(BATCHES, st.randoms(use_true_random=False))
def test_the_order_of_a_batch_does_not_matter(classifier, texts, rng):
    order = list(range(len(texts)))
    rng.shuffle(order)
    rows = classifier.classify(texts).rows()
    assert classifier.classify([texts[at] for at in order]).rows() == [rows[at] for at in order]


@given(BATCHES)
def test_features_are_those_of_the_slow_way(texts):
    counts = count_features(texts)
    for row, text in enumerate(texts):
        mine = counts.rows == row
        for kind, plain in enumerate(plain_features(text)):
            of_kind = mine & (counts.buckets >> BUCKET_BITS == kind)
            # Two different n-grams of a word meet in one of 2**20 buckets at most a time or two.
            assert plain.total() - 2 <= counts.counts[of_kind].sum() <= plain.total()
            assert of_kind.sum() <= len(plain)


@given(st.text("abcde ", max_size=30), st.text("abcde ", max_size=30))
def test_texts_share_the_features_that_they_have_in_common(one, other):
    counts = count_features([one, other])
    shared = set(counts.buckets[counts.rows == 0].tolist()) & set(counts.buckets[counts.rows == 1].tolist())
    for kind, (left, right) in enumerate(zip(plain_features(one), plain_features(other), strict=True)):
        of_kind = sum(bucket >> BUCKET_BITS == kind for bucket in shared)
        common = len(left.keys() & right.keys())
        # Two different n-grams of 200 meet in one of 2**20 buckets at most a time or two.
        assert common - 2 <= of_kind <= common + 2


@settings(max_examples=200)
@given(st.data())
def test_a_model_file_with_any_byte_changed_is_refused_or_means_the_same(tiny_file, tmp_path_factory, data):
    whole = tiny_file.read_bytes()
    at = data.draw(st.integers(0, len(whole) - 1))
    flipped = whole[at] ^ data.draw(st.integers(1, 255))
    damaged = tmp_path_factory.getbasetemp() / "damaged.npz"
    damaged.write_bytes(whole[:at] + bytes([flipped]) + whole[at + 1 :])
    try:
        loaded = load_model(damaged)
    except ModelError:
        return
    assert loaded.content_sha256() == load_model(tiny_file).content_sha256()


@given(st.data())
def test_a_model_file_cut_short_is_refused(tiny_file, tmp_path_factory, data):
    whole = tiny_file.read_bytes()
    damaged = tmp_path_factory.getbasetemp() / "short.npz"
    damaged.write_bytes(whole[: data.draw(st.integers(0, len(whole) - 1))])
    with pytest.raises(ModelError):
        load_model(damaged)


def test_features_change_with_their_version_alone():
    counts = count_features(["Hello, world's 42nd bill", "Straße  ﬁve", "bill bills, bill bills bill"])
    assert counts.buckets.max() < BUCKETS == len(KINDS) << BUCKET_BITS
    digest = hashlib.sha256(b"".join(column.astype("<i8").tobytes() for column in counts)).hexdigest()[:16]
    # A new digest here needs a new FEATURES_VERSION, or cached models are read with the wrong features.
    assert (FEATURES_VERSION, digest) == (3, "a97b6d5c77329e33")
