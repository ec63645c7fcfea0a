from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest

from router.classify.corpus import Utterance, corpus_sha256, read_corpus
from router.classify.errors import ModelError
from router.classify.features import words_of
from router.classify.result import OUT_OF_SCOPE

SIMULATOR_FILE = Path(__file__).parents[2] / "simulator" / "utterances.csv"
MOST_ALIKE = 0.6
NEEDED = {
    *("bill_query", "pay_bill", "refund_status", "order_change", "delivery_tracking", "return_item", "account_access"),
    *("internet_fault", "cancel_service", "complaint", "opening_hours", "plan_change", "roaming", "fraud_report"),
    "speak_to_person",
}


def words(text: str) -> frozenset[str]:
    return frozenset(words_of([text])[0])


def likeness(one: frozenset[str], other: frozenset[str]) -> float:
    return len(one & other) / len(one | other)


def test_the_seed_corpus_has_25_intents_of_20_utterances_and_a_good_many_out_of_scope():
    sizes = Counter(utterance.intent for utterance in read_corpus())
    out_of_scope = sizes.pop(OUT_OF_SCOPE)
    assert len(sizes) >= 25
    assert min(sizes.values()) >= 20
    assert out_of_scope >= 40
    assert sizes.keys() >= NEEDED


@pytest.mark.parametrize("corpus", [read_corpus(), read_corpus(SIMULATOR_FILE)], ids=["seed", "simulator"])
def test_no_utterance_of_a_corpus_is_there_twice(corpus):
    said = Counter(map(tuple, words_of([u.text for u in corpus])))
    assert [words for words, times in said.items() if times > 1] == []


def test_no_two_utterances_of_an_intent_come_from_one_template():
    alike = [
        (one.text, other.text)
        for one, other in combinations(read_corpus(), 2)
        if one.intent == other.intent and likeness(words(one.text), words(other.text)) > MOST_ALIKE
    ]
    assert alike == []


def test_utterances_are_of_many_lengths():
    lengths = Counter(len(u.text.split()) for u in read_corpus() if u.intent != OUT_OF_SCOPE)
    assert min(lengths) <= 2
    assert max(lengths) >= 18
    assert len(lengths) >= 15


def test_the_simulator_offers_the_same_intents_in_other_words():
    seed, offered = read_corpus(), read_corpus(SIMULATOR_FILE)
    assert {u.intent for u in offered} == {u.intent for u in seed}
    assert min(Counter(u.intent for u in offered).values()) >= 8
    known = [words(u.text) for u in seed]
    alike = [u.text for u in offered if max(likeness(words(u.text), other) for other in known) > MOST_ALIKE]
    assert alike == []


def test_a_corpus_keeps_its_hash_when_its_file_is_laid_out_otherwise(tmp_path):
    plain, quoted = tmp_path / "plain.csv", tmp_path / "quoted.csv"
    plain.write_bytes(b"text,intent\nhello,oos\n")
    quoted.write_bytes(b'intent,text\r\n"oos","hello"\r\n')
    assert corpus_sha256(read_corpus(plain)) == corpus_sha256(read_corpus(quoted))
    assert corpus_sha256([Utterance("hello", "pay_bill")]) != corpus_sha256([Utterance("hello", "oos")])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"text,intent\nhello,oos\nno intent,\n", "record 3"),
        (b"words,label\nhello,oos\n", "record 2"),
        (b"text,intent\n\xff\xfe,oos\n", "cannot be read"),
    ],
)
def test_a_corpus_that_lacks_something_is_refused_with_the_place(tmp_path, content, complaint):
    path = tmp_path / "corpus.csv"
    path.write_bytes(content)
    with pytest.raises(ModelError, match=complaint):
        read_corpus(path)


def test_a_corpus_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"absent\.csv"):
        read_corpus(tmp_path / "absent.csv")
