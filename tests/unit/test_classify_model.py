import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from router.classify.corpus import Utterance, read_corpus
from router.classify.errors import ModelError
from router.classify.features import MAX_CHARACTERS
from router.classify.margins import MarginClassifier
from router.classify.model import load_seed_model
from router.classify.result import OUT_OF_SCOPE
from router.classify.store import load_model, save_model
from router.classify.train import LEAST_OF_AN_INTENT, train
from router.classify.words import MOST_BYTES, MOST_CHARACTERS

ROOT = Path(__file__).parents[2]
CONTAINED, ASSISTED = 0.92, 0.75
TINY = [
    Utterance(f"{text} {filler}", intent)
    for intent, text in [("pay_bill", "pay my bill"), ("roaming", "phone in spain"), (OUT_OF_SCOPE, "nice weather")]
    for filler in ("please", "now", "then", "again", "today")
]


@pytest.fixture(scope="module")
def cache(models):
    return models


@pytest.fixture(scope="module")
def classifier(cache):
    return load_seed_model(cache)


@pytest.fixture(scope="module")
def tiny():
    return train(TINY, "tiny")


@pytest.fixture(scope="module")
def held_out(classifier):
    utterances = read_corpus(ROOT / "simulator" / "utterances.csv")
    found = classifier.classify([u.text for u in utterances])
    right = np.array([row.intent == u.intent for row, u in zip(found.rows(), utterances, strict=True)])
    return found.confidence, right


def test_contacts_that_the_model_never_saw_are_mostly_understood(held_out):
    _confidence, right = held_out
    assert right.mean() >= 0.65


def test_what_goes_to_ai_alone_is_right_19_times_in_20(held_out):
    confidence, right = held_out
    assert right[confidence >= CONTAINED].mean() >= 0.95


def test_each_pool_gets_a_share_of_the_contacts(held_out):
    confidence, _right = held_out
    contained, assisted = confidence >= CONTAINED, (confidence >= ASSISTED) & (confidence < CONTAINED)
    assert 0.25 <= contained.mean() <= 0.65
    assert assisted.mean() >= 0.05
    assert (~contained & ~assisted).mean() >= 0.20


def test_confidence_is_on_average_what_is_right(held_out):
    confidence, right = held_out
    # Three standard errors of the share of right ones among 273 at 0.72: 3 * sqrt(0.72 * 0.28 / 273) = 0.08.
    assert abs(confidence.mean() - right.mean()) <= 0.08


@pytest.mark.parametrize("text", ["", " ", "\x00\x1f\t\n", "🙂🙃", "...!?", "_"])
def test_a_text_that_says_nothing_is_out_of_scope_with_the_least_confidence(classifier, text):
    (row,) = classifier.classify([text]).rows()
    assert row.intent == OUT_OF_SCOPE
    assert row.confidence == pytest.approx(1 / len(classifier.intents))
    assert row.runner_up_gap == 0.0
    assert row.runner_up != OUT_OF_SCOPE


@pytest.mark.parametrize("text", ["x" * 10_000, "refund " * 10_000, "\ufdfa" * 10_000, "ünïcödé 账单 فاتورة", "\ud800"])
def test_texts_out_of_the_ordinary_are_classified_like_any(classifier, text):
    (row,) = classifier.classify([text]).rows()
    assert 0.0 <= row.confidence <= 1.0


def test_a_word_said_280_times_raises_confidence_no_further_than_said_three_times(classifier):
    once, thrice, often = classifier.classify(["refund", "refund " * 3, "refund " * 280]).rows()
    assert often == thrice
    assert often.confidence <= once.confidence + 0.05


@pytest.mark.parametrize(("words", "letters"), [(1, 1_900), (8, 7), (300, 5)])
def test_a_flood_of_new_words_fills_no_memory_and_changes_no_answer(tiny, words, letters):
    classifier = MarginClassifier(tiny)
    before = classifier.classify(["please pay my bill"]).rows()
    alphabet = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz", dtype="S1")
    rng = np.random.default_rng(words)
    for _ in range(4):
        drawn = rng.choice(alphabet, (500, words, letters))
        classifier.classify([" ".join(word.tobytes().decode() for word in text) for text in drawn])
        memory = classifier._memory
        assert len(memory._places) <= memory._most_words
        # Looked at before each piece of a batch, which has 500 texts of 2,000 characters at most.
        assert sum(map(len, memory._places)) <= MOST_CHARACTERS + 500 * MAX_CHARACTERS
    assert memory._sums.nbytes <= MOST_BYTES
    assert classifier.classify(["please pay my bill"]).rows() == before


def test_words_are_forgotten_when_learning_them_is_interrupted(tiny):
    classifier, other = MarginClassifier(tiny), MarginClassifier(tiny)
    memory = classifier._memory
    hashes, memory._hashes = memory._hashes, None
    with pytest.raises(TypeError):
        classifier.classify(["please pay my bill"])
    memory._hashes = hashes
    assert classifier.classify(["please pay my bill"]).rows() == other.classify(["please pay my bill"]).rows()


def test_weights_in_fortran_order_say_the_same(tiny):
    other = dataclasses.replace(
        tiny, borders=dataclasses.replace(tiny.borders, weights=np.asfortranarray(tiny.borders.weights))
    )
    texts = [utterance.text for utterance in TINY]
    assert MarginClassifier(other).classify(texts).rows() == MarginClassifier(tiny).classify(texts).rows()


def test_case_apostrophes_and_digits_make_no_difference(classifier):
    rows = classifier.classify(
        ["Why's MY bill 45 pounds", "whys my bill 99 pounds", "Why\u2019s my bill, 12 POUNDS?"]
    ).rows()
    assert rows[0] == rows[1] == rows[2]


def test_a_corpus_without_examples_of_out_of_scope_trains_and_still_knows_it(tmp_path):
    model = train([u for u in TINY if u.intent != OUT_OF_SCOPE], "inside")
    classifier = MarginClassifier(model)
    assert OUT_OF_SCOPE in classifier.intents
    assert [row.intent for row in classifier.classify(["please pay my bill", "", "🙂"]).rows()] == [
        "pay_bill",
        OUT_OF_SCOPE,
        OUT_OF_SCOPE,
    ]


def test_an_explanation_names_the_words_that_made_the_intent(classifier):
    found = classifier.explain("please I want a refund")
    assert {word for word, _weight in found} == {"please", "i", "want", "a", "refund"}
    assert found[0][0] == "refund"
    assert [weight for _word, weight in found] == sorted((weight for _word, weight in found), reverse=True)
    assert classifier.explain("...") == []


def test_an_empty_batch_gives_no_rows(classifier):
    assert classifier.classify([]).rows() == []


def test_columns_have_the_types_that_are_promised(classifier):
    found = classifier.classify(["refund please", "hello"])
    columns = (found.intent, found.confidence, found.runner_up, found.runner_up_gap, found.out_of_scope)
    assert [str(column.dtype) for column in columns] == ["int32", "float64", "int32", "float64", "float64"]
    assert {column.shape for column in columns} == {(2,)}
    assert found.model == classifier.version


def test_the_same_corpus_gives_the_same_model(tiny):
    assert train(TINY, "tiny").content_sha256() == tiny.content_sha256()
    assert train([*TINY[:-1], Utterance("nice day", OUT_OF_SCOPE)], "tiny").content_sha256() != tiny.content_sha256()


def test_a_restart_loads_the_cached_model_and_never_imports_scikit_learn(cache, classifier):
    program = (
        "import sys; from pathlib import Path; from router.classify.model import load_seed_model\n"
        "classifier = load_seed_model(Path(sys.argv[1])); classifier.classify(['refund please'])\n"
        "print(classifier.version, 'sklearn' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(cache)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [classifier.version, "False"]


def test_another_process_with_another_hash_seed_trains_the_very_same_model(tmp_path, classifier):
    program = (
        "import sys; from pathlib import Path; from router.classify.model import load_seed_model\n"
        "print(load_seed_model(Path(sys.argv[1])).version, 'sklearn' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": "77"}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == [classifier.version, "True"]


def test_a_damaged_cache_is_trained_again_to_the_same_version(tmp_path, classifier, cache):
    (cached,) = cache.iterdir()
    damaged = tmp_path / cached.name
    damaged.write_bytes(cached.read_bytes()[:5_000])
    assert load_seed_model(tmp_path).version == classifier.version
    assert load_model(damaged).content_sha256().startswith(classifier.version.removeprefix("seed-"))


def test_a_saved_model_comes_back_whole_and_leaves_nothing_else_behind(tiny, tmp_path):
    path = tmp_path / "new" / "tiny.npz"
    save_model(tiny, path)
    assert [file.name for file in path.parent.iterdir()] == ["tiny.npz"]
    loaded = load_model(path)
    assert loaded.content_sha256() == tiny.content_sha256()
    texts = [utterance.text for utterance in TINY]
    assert MarginClassifier(loaded).classify(texts).rows() == MarginClassifier(tiny).classify(texts).rows()


def test_a_model_with_a_changed_weight_is_refused(tiny, tmp_path):
    path = tmp_path / "tiny.npz"
    save_model(tiny, path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["weights"][0, 0] += 1.0
    np.savez(path, **arrays)
    with pytest.raises(ModelError, match="does not match its hash"):
        load_model(path)


@pytest.mark.parametrize("field", ["content_sha256", "metrics", "intents", "format"])
def test_a_model_whose_manifest_lacks_a_field_is_refused(tiny, tmp_path, field):
    path = tmp_path / "tiny.npz"
    save_model(tiny, path)
    with np.load(path) as file:
        arrays = dict(file)
    manifest = json.loads(arrays["manifest"].tobytes())
    del manifest[field]
    arrays["manifest"] = np.frombuffer(json.dumps(manifest).encode(), dtype=np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(ModelError, match="remove the file"):
        load_model(path)


def test_a_model_for_other_features_is_refused_by_name(tiny, tmp_path):
    path = tmp_path / "tiny.npz"
    save_model(tiny, path)
    with np.load(path) as file:
        arrays = dict(file)
    manifest = json.loads(arrays["manifest"].tobytes()) | {"features_version": 999}
    arrays["manifest"] = np.frombuffer(json.dumps(manifest).encode(), dtype=np.uint8)
    np.savez(path, **arrays)
    with pytest.raises(ModelError, match="with features 999"):
        load_model(path)


def test_a_saved_model_may_be_read_by_whom_any_new_file_may(tiny, tmp_path):
    path, other = tmp_path / "tiny.npz", tmp_path / "any"
    save_model(tiny, path)
    other.touch()
    assert path.stat().st_mode == other.stat().st_mode
    assert [each.name for each in sorted(tmp_path.iterdir())] == ["any", "tiny.npz"]


def test_a_model_that_hashes_right_and_does_not_fit_together_is_refused(tiny, tmp_path):
    path = tmp_path / "tiny.npz"
    borders = dataclasses.replace(tiny.borders, bias=np.zeros(7, dtype=np.float32))
    save_model(dataclasses.replace(tiny, borders=borders), path)
    with pytest.raises(ModelError, match="damaged"):
        load_model(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 and no more", b"text,intent\nhello,oos\n", b"\x80\x04pickle"])
def test_a_file_that_is_no_model_is_refused(tmp_path, content):
    path = tmp_path / "foreign.npz"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=r"foreign\.npz is no model"):
        load_model(path)


def test_a_folder_that_cannot_be_written_is_named(tiny, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="make the folder writable"):
        save_model(tiny, tmp_path / "file" / "tiny.npz")


@pytest.mark.parametrize(
    ("corpus", "complaint"),
    [
        ([], "two intents besides"),
        ([u for u in TINY if u.intent != "roaming"], "two intents besides"),
        ([*TINY, Utterance("a lone one", "lonely")], f"at least {LEAST_OF_AN_INTENT} utterances.*lonely"),
    ],
)
def test_a_corpus_that_cannot_train_a_model_is_refused(corpus, complaint):
    with pytest.raises(ModelError, match=complaint):
        train(corpus, "tiny")
