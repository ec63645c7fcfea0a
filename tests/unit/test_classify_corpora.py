import csv
import io
import json
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.classify.corpus import Survey, Utterance, corpus_sha256, read_corpus, survey
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


SAID = [
    Utterance("hello, you", "greeting"),
    Utterance('it said "no"\nand 2\u2028stopped', "oos"),
    Utterance("né", "a b"),
]
FIELDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
UTTERANCES = st.lists(
    st.builds(Utterance, FIELDS.filter(str.strip), FIELDS.map(str.strip).filter(bool)), min_size=1, max_size=6
)


def table(utterances, separator):
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator).writerows([("text", "intent"), *utterances])
    return out.getvalue()


def objects(utterances):
    return "".join(json.dumps(u._asdict(), ensure_ascii=False) + "\n" for u in utterances)


def written(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("bom", ["", "\ufeff"], ids=["", "bom"])
@pytest.mark.parametrize("ending", ["right", "none", "foreign"])
@pytest.mark.parametrize(
    ("suffix", "content"),
    [
        (".csv", table(SAID, ",")),
        (".tsv", table(SAID, "\t")),
        (".jsonl", objects(SAID)),
        (".ndjson", objects(SAID)),
        (".json", objects(SAID)),
        (".JSONL", objects(SAID).replace("\n", "\r\n\r\n")),
    ],
)
def test_a_corpus_is_the_same_in_every_form(tmp_path, suffix, content, ending, bom):
    name = "corpus" + {"right": suffix, "none": "", "foreign": ".txt"}[ending]
    assert read_corpus(written(tmp_path, name, bom + content)) == tuple(SAID)


@given(utterances=UTTERANCES, form=st.sampled_from([".csv", ".tsv", ".jsonl"]))
def test_whatever_is_written_is_read(tmp_path_factory, utterances, form):
    content = objects(utterances) if form == ".jsonl" else table(utterances, "," if form == ".csv" else "\t")
    path = written(tmp_path_factory.getbasetemp(), f"any{form}", content)
    assert read_corpus(path) == tuple(utterances)


def test_further_columns_and_blank_lines_are_passed_over(tmp_path):
    content = "number, Intent ,TEXT\n1,  greeting ,hello\n\n2,oos,bye\n"
    assert read_corpus(written(tmp_path, "c.csv", content)) == (Utterance("hello", "greeting"), Utterance("bye", "oos"))


def test_contacts_may_say_nothing_but_an_utterance_to_learn_from_may_not(tmp_path):
    path = written(tmp_path, "c.csv", "text,intent\n,oos\n")
    assert read_corpus(path, silence_allowed=True) == (Utterance("", "oos"),)
    with pytest.raises(ModelError, match=r"line 2 .*c\.csv.* empty text .*'oos': fill it"):
        read_corpus(path)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("c.csv", b"text,intent\nhello,oos\nno intent,\n", "line 3 .* lacks"),
        ("c.csv", b"text,intent\nhello,oos\nno intent\n", "line 3 .* lacks"),
        ("c.csv", b'text,intent\n"two\nlines",oos\n\nno intent,\n', "line 5 .* lacks"),
        ("c.csv", b"words,label\nhello,oos\n", "line 1 .*'words,label'.* begin the file with 'text,intent'"),
        ("c.csv", b"text,intent,text\nhello,oos,hi\n", "once each"),
        ("c.csv", b"text,intent\nhello, you,oos\n", "line 2 .* has 3 fields, the header has 2: put .* quotes"),
        ("c.csv", b'text,intent\nhello,oos\n"bye,oos\nx,oos\n', "line 3 .* double each"),
        ("c.csv", b"text,intent\na,oos\n\xff\xfe,oos\n", "line 3 .* cannot be read: byte 0xff .* UTF-8"),
        ("c.csv", "text,intent\na,oos\n".encode("utf-16"), "UTF-16; save it as UTF-8"),
        ("c.csv", b"text,intent\n", "no utterance: give"),
        ("c.csv", b"", "line 1 .*begin the file with"),
        ("c.tsv", b"text,intent\na,oos\n", r"begin the file with 'text\\tintent'"),
        ("c.jsonl", b'{"text":"a","intent":"oos"}\n{"text":\n', "line 2 .* is no JSON .* an object a line"),
        ("c.jsonl", b'\n["a","oos"]\n', "line 2 .* is no JSON object"),
        ("c.json", b'[\n{"text":"a","intent":"oos"}]\n', "line 1 .*jq"),
        ("c.jsonl", b"[" * 100_000, "line 1 .* is no JSON"),
        ("c.jsonl", b'{"text":7,"intent":"oos"}\n', "line 1 .* lacks"),
        ("c.jsonl", b'{"text":"\\ud83d","intent":"oos"}\n', "line 1 .* surrogate"),
        ("c.jsonl", b"", "no utterance"),
    ],
)
def test_a_corpus_that_lacks_something_is_refused_with_the_place_and_the_remedy(tmp_path, name, content, complaint):
    path = written(tmp_path, name, content)
    with pytest.raises(ModelError, match=complaint) as refused:
        read_corpus(path)
    assert str(path) in str(refused.value)


@pytest.mark.parametrize("name", ["absent.csv", "."])
def test_a_corpus_that_is_not_there_is_refused(tmp_path, name):
    with pytest.raises(ModelError, match="cannot be read"):
        read_corpus(tmp_path / name)


def test_repeats_and_contradictions_are_found_whatever_their_case_and_spaces():
    said = [("Hello you", "a"), ("hello  YOU ", "a"), ("hello you", "b"), ("bye", "a"), ("bye", "a"), ("bye!", "b")]
    assert survey([Utterance(*of) for of in said]) == Survey(2, (("Hello you", ("a", "b")),))
    assert survey(read_corpus()) == Survey(0, ())
