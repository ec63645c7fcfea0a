import hashlib
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
    count_features,
    normalise,
)
from router.classify.model import load_seed_model
from router.classify.result import OUT_OF_SCOPE
from router.classify.store import load_model, save_model
from router.classify.train import train

SEED_TEXTS = [utterance.text for utterance in read_corpus()]
# st.characters() includes lone surrogates and control characters, st.text() alone does not.
ANY_TEXT = st.text(st.characters(), max_size=80) | st.sampled_from(SEED_TEXTS) | st.text(" ab'_0", max_size=20)
BATCHES = st.lists(ANY_TEXT, max_size=8)


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    return load_seed_model(tmp_path_factory.mktemp("models"))


@pytest.fixture(scope="module")
def tiny_file(tmp_path_factory):
    corpus = [
        Utterance(f"{i} {n}", i) for i in ("pay", "roam", OUT_OF_SCOPE) for n in ("a", "be", "cat", "door", "eel")
    ]
    path = tmp_path_factory.mktemp("tiny") / "tiny.npz"
    save_model(train(corpus, "tiny"), path)
    return path


def plain_features(text: str) -> tuple[Counter[str], Counter[tuple[str, str]], Counter[str]]:
    """Words, pairs and character grams the slow way."""
    found = normalise(text).split()
    grams = (
        padded[at : at + size]
        for padded in (f" {word} " for word in found)
        for size in CHARACTER_GRAM_SIZES
        for at in range(len(padded) - size + 1)
    )
    return Counter(found), Counter(pairwise(found)), Counter(grams)


@given(BATCHES)
def test_any_text_gets_two_intents_with_probabilities(classifier, texts):
    found = classifier.classify(texts)
    assert len(found.rows()) == len(texts)
    assert np.all((found.confidence >= 0.0) & (found.confidence <= 1.0))
    assert np.all((found.runner_up_gap >= 0.0) & (found.runner_up_gap <= found.confidence))
    assert np.all(found.intent != found.runner_up)
    # Nothing is below an equal share of what all the intents have together.
    assert np.all(found.confidence >= 1 / len(classifier.intents) - 1e-9)
    np.testing.assert_allclose(classifier.probabilities(texts).sum(axis=1), 1.0)


@given(BATCHES)
def test_a_batch_says_what_its_texts_say_one_by_one(classifier, texts):
    together = classifier.classify(texts).rows()
    assert together == [classifier.classify([text]).rows()[0] for text in texts]


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
            assert counts.counts[of_kind].sum() == plain.total()
            assert of_kind.sum() <= len(plain)


@given(st.text("abcde ", max_size=30), st.text("abcde ", max_size=30))
def test_texts_share_the_features_that_they_have_in_common(one, other):
    counts = count_features([one, other])
    shared = set(counts.buckets[counts.rows == 0].tolist()) & set(counts.buckets[counts.rows == 1].tolist())
    for kind, (left, right) in enumerate(zip(plain_features(one), plain_features(other), strict=True)):
        of_kind = sum(bucket >> BUCKET_BITS == kind for bucket in shared)
        common = len(left.keys() & right.keys())
        # Two different n-grams of 200 meet in one of 2**18 buckets at most a time or two.
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
    counts = count_features(["Hello, world's 42nd bill", "Straße  ﬁve"])
    assert counts.buckets.max() < BUCKETS == len(KINDS) << BUCKET_BITS
    digest = hashlib.sha256(b"".join(column.astype("<i8").tobytes() for column in counts)).hexdigest()[:16]
    # A new digest here needs a new FEATURES_VERSION, or cached models are read with the wrong features.
    assert (FEATURES_VERSION, digest) == (1, "e2eb712ccc786735")
