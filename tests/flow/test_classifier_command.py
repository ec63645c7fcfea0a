"""`trunkline classifier` as a person uses it: processes, files, pipes and exit codes."""

from __future__ import annotations

import csv
import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from router.classify.corpus import Utterance, corpus_sha256, read_corpus
from router.classify.model import open_classifier
from router.classify.result import OUT_OF_SCOPE
from tests.flow.command import ENV, PATIENCE_SECONDS, trunkline

pytestmark = pytest.mark.xdist_group("classifier_command")

INTENTS = ("bill_query", "delivery_tracking", "internet_fault", "roaming", OUT_OF_SCOPE)
OTHERS_FILE = Path(__file__).parents[2] / "simulator" / "utterances.csv"
FIGURES = {
    *("n", "n_in_scope", "n_oos", "accuracy", "ece", "oos_auroc", "coverage_ai", "precision_ai", "coverage_assisted"),
    *("precision_assisted", "oos_leak_ai", "oos_leak_any", "microseconds_per_text", "single_ms_p99"),
    *("model", "data_sha256", "unknown_intents"),
}


def some(utterances: tuple[Utterance, ...]) -> list[Utterance]:
    return [u for u in utterances if u.intent in INTENTS]


def as_csv(path: Path, utterances: list[Utterance]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "intent"), *utterances])
    return path


def as_json_lines(path: Path, utterances: list[Utterance]) -> Path:
    path.write_text("".join(json.dumps(u._asdict()) + "\n" for u in utterances))
    return path


def answers(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


def is_one_clear_line(done: subprocess.CompletedProcess[str]) -> bool:
    said = [line for line in done.stderr.splitlines() if not re.match(r" *\d+\.\d s  ", line)]
    return done.returncode == 1 and len(said) == 1 and said[0].startswith("trunkline: ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("classifier")


@pytest.fixture(scope="module")
def corpus(folder: Path) -> Path:
    return as_csv(folder / "corpus.csv", some(read_corpus()))


@pytest.fixture(scope="module")
def others(folder: Path) -> Path:
    return as_json_lines(folder / "others.jsonl", some(read_corpus(OTHERS_FILE)))


@pytest.fixture(scope="module")
def trained(folder: Path, corpus: Path) -> subprocess.CompletedProcess[str]:
    return trunkline("classifier", "train", str(corpus), "--out", str(folder / "new" / "bank.npz"))


@pytest.fixture(scope="module")
def model(folder: Path, trained: subprocess.CompletedProcess[str]) -> Path:
    assert trained.returncode == 0, trained.stderr
    return folder / "new" / "bank.npz"


# Help.


@pytest.mark.parametrize("command", [[], ["train"], ["evaluate"], ["predict"]])
def test_every_command_explains_itself_with_an_example(command: list[str]) -> None:
    done = trunkline("classifier", *command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    example = done.stdout.partition("Example")[2]
    assert f"trunkline classifier {' '.join(command)}".strip() in example


# Train.


def test_training_tells_its_phases_and_reports_on_the_model_that_it_saved(
    trained: subprocess.CompletedProcess[str], model: Path, corpus: Path
) -> None:
    assert all(re.match(r" *\d+\.\d s  \S", line) for line in trained.stderr.splitlines())
    assert f"reading {corpus}" in trained.stderr
    assert f"{model.stat().st_size:,} bytes" in trained.stdout
    assert hashlib.sha256(model.read_bytes()).hexdigest() in trained.stdout
    assert corpus_sha256(read_corpus(corpus)) in trained.stdout
    assert re.search(r"accuracy +[01]\.\d{4}\n", trained.stdout)
    assert re.search(r"measured  on \d+ utterances not seen by a second model", trained.stdout)
    said = open_classifier(model).classify(["my internet is down"])
    assert said.intents[said.intent[0]] == "internet_fault"
    assert said.model.startswith("bank-")


def test_the_report_names_what_is_doubtful_in_the_corpus(folder: Path, others: Path) -> None:
    utterances = some(read_corpus())
    doubtful = [*utterances, utterances[0], Utterance(utterances[1].text.upper(), "roaming")]
    few = [u for u in doubtful if u.intent != "bill_query"] + [u for u in doubtful if u.intent == "bill_query"][:7]
    corpus = as_csv(folder / "doubtful.csv", few + [u for u in doubtful if u.intent == few[0].intent][:1])
    out = folder / "doubtful.npz"
    done = trunkline(
        "classifier", "train", str(corpus), "--validation", str(others), "--out", str(out), "--name", "mine"
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"\d+ utterances? there more than once", done.stdout)
    assert "1 intent with fewer than 20 utterances" in done.stdout
    assert re.search(r"^ +7  bill_query$", done.stdout, re.MULTILINE)
    assert "1 utterance with more than one intent" in done.stdout
    assert re.search(r"measured  on the \d+ utterances of the validation set", done.stdout)
    assert re.search(r"^ +\d+  \w+ -> \w+: ['\"]", done.stdout, re.MULTILINE)
    assert open_classifier(out).classify(["x"]).model.startswith("mine-")


def test_in_a_hurry_no_second_model_is_trained(folder: Path, corpus: Path, model: Path) -> None:
    out = folder / "quick" / model.name
    done = trunkline("classifier", "train", str(corpus), "--out", str(out), "--quick")
    assert done.returncode == 0, done.stderr
    assert "second model" not in done.stderr + done.stdout
    assert "measured" not in done.stdout
    versions = [open_classifier(path).classify(["x"]).model for path in (out, model)]
    assert versions[0] == versions[1], "the model is the same"
    assert f"version {versions[0]}," in done.stdout


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("text,intent\npay,bill\n ,bill\n", r"line 3 .*corpus\.csv.* empty text"),
        ("pay my bill,bill\n", r"line 1 .*corpus\.csv.*begin the file with"),
    ],
)
def test_a_corpus_that_cannot_be_used_is_named_with_line_and_remedy(
    tmp_path: Path, content: str, complaint: str
) -> None:
    (tmp_path / "corpus.csv").write_text(content)
    done = trunkline("classifier", "train", str(tmp_path / "corpus.csv"), "--out", str(tmp_path / "model.npz"))
    assert is_one_clear_line(done), done.stderr
    assert re.search(complaint, done.stderr)
    assert not (tmp_path / "model.npz").exists()


# Evaluate.


def test_evaluation_as_json_is_what_the_classifier_says(model: Path, others: Path) -> None:
    done = trunkline("classifier", "evaluate", str(model), str(others), "--json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    utterances = read_corpus(others)
    said = open_classifier(model).classify([u.text for u in utterances])
    rows = list(zip(utterances, said.rows(), strict=True))
    scope = [(u, row) for u, row in rows if u.intent != OUT_OF_SCOPE]
    outside = [row for u, row in rows if u.intent == OUT_OF_SCOPE]
    alone = [(u, row) for u, row in scope if row.confidence >= 0.92 and row.intent != OUT_OF_SCOPE]
    leaks = [row for row in outside if row.confidence >= 0.75 and row.intent != OUT_OF_SCOPE]
    assert set(found) == FIGURES
    assert (found["n"], found["n_oos"]) == (len(rows), len(outside))
    assert found["accuracy"] == pytest.approx(sum(u.intent == row.intent for u, row in scope) / len(scope))
    assert found["coverage_ai"] == pytest.approx(len(alone) / len(scope))
    if alone:
        assert found["precision_ai"] == pytest.approx(sum(u.intent == row.intent for u, row in alone) / len(alone))
    assert found["oos_leak_any"] == pytest.approx(len(leaks) / len(outside))
    is_outside = [u.intent == OUT_OF_SCOPE for u in utterances]
    assert found["oos_auroc"] == pytest.approx(brute_auroc(said.out_of_scope.tolist(), is_outside))
    assert found["microseconds_per_text"] > 0
    assert found["single_ms_p99"] > 0
    assert found["model"] == said.model
    assert found["data_sha256"] == corpus_sha256(utterances)
    assert found["unknown_intents"] == {}


def brute_auroc(scores: list[float], positive: list[bool]) -> float:
    ones = [score for score, is_positive in zip(scores, positive, strict=True) if is_positive]
    rest = [score for score, is_positive in zip(scores, positive, strict=True) if not is_positive]
    return sum((one > other) + (one == other) / 2 for one in ones for other in rest) / (len(ones) * len(rest))


def test_figures_without_a_ground_are_null_and_unknown_intents_are_errors(model: Path, tmp_path: Path) -> None:
    data = as_json_lines(tmp_path / "data.ndjson", [Utterance("my internet is down", "broadband"), Utterance("", "x")])
    done = trunkline("classifier", "evaluate", str(model), str(data), "--json")
    found = json.loads(done.stdout, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert (found["accuracy"], found["oos_auroc"], found["oos_leak_ai"]) == (0, None, None)
    assert found["unknown_intents"] == {"broadband": 1, "x": 1}
    done = trunkline("classifier", "evaluate", str(model), str(data))
    assert "2 intents that the model does not know, counted as errors" in done.stdout
    assert re.search(r"AUROC of out of scope +-$", done.stdout, re.MULTILINE)


def test_a_reliability_diagram_is_a_png(model: Path, others: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    done = trunkline("classifier", "evaluate", str(model), str(others), "--plot", str(tmp_path / "bank.png"))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "bank.png").read_bytes().startswith(b"\x89PNG\r\n")
    assert "expected calibration error" in done.stdout


def test_a_diagram_without_matplotlib_is_refused_with_the_remedy(model: Path, others: Path, tmp_path: Path) -> None:
    missing = 'raise ModuleNotFoundError("No module named matplotlib", name="matplotlib")\n'
    (tmp_path / "matplotlib.py").write_text(missing)
    plot = str(tmp_path / "bank.png")
    done = trunkline("classifier", "evaluate", str(model), str(others), "--plot", plot, PYTHONPATH=str(tmp_path))
    assert is_one_clear_line(done), done.stderr
    assert "trunkline[plot]" in done.stderr
    assert done.stdout == ""


def test_a_file_that_is_no_model_is_refused(others: Path) -> None:
    for command in (["evaluate", str(others), str(others)], ["predict", str(others)]):
        done = trunkline("classifier", *command, given="hello\n")
        assert is_one_clear_line(done), done.stderr
        assert str(others) in done.stderr


# Predict.


def test_each_line_is_answered_in_its_place_whatever_its_bytes(model: Path) -> None:
    given = b"\xef\xbb\xbfwhere is my parcel\r\n\n\xff\xfe broken\n" + "où est ma facture\u2028?\n".encode() + b"no end"
    done = trunkline("classifier", "predict", str(model), given=given)
    assert (done.returncode, done.stderr) == (0, "")
    rows = answers(done)
    assert [row["text"] for row in rows] == [
        *("where is my parcel", "", "\ufffd\ufffd broken", "où est ma facture\u2028?", "no end"),
    ]
    assert rows[0]["intent"] == "delivery_tracking"
    for row in rows:
        assert list(row) == ["text", "intent", "confidence", "runner_up", "runner_up_gap", "out_of_scope"]
        assert all(0 <= row[name] <= 1 for name in ("confidence", "runner_up_gap", "out_of_scope"))
        assert {row["intent"], row["runner_up"]} <= set(INTENTS)


def test_a_file_of_many_lines_is_answered_line_by_line(model: Path, tmp_path: Path) -> None:
    texts = [f"my bill of {at} pounds " + "is wrong " * (at % 7) for at in range(1_000)] + ["long " * 40_000]
    (tmp_path / "texts").write_text("\n".join(texts) + "\n")
    done = trunkline("classifier", "predict", str(model), str(tmp_path / "texts"))
    assert [row["text"] for row in answers(done)] == texts
    piped = trunkline("classifier", "predict", str(model), "-", given=(tmp_path / "texts").read_bytes())
    assert piped.stdout == done.stdout


def test_an_explanation_names_the_words_that_weighed_most(model: Path) -> None:
    done = trunkline("classifier", "predict", str(model), "--explain", given="my internet is down\n")
    (row,) = answers(done)
    weights = [word["weight"] for word in row["words"]]
    assert weights == sorted(weights, reverse=True)
    assert "internet" in {word["word"] for word in row["words"]}


def test_a_line_is_answered_before_the_next_is_written(model: Path) -> None:
    argv = [sys.executable, "-m", "trunkline", "classifier", "predict", str(model)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENV) as asked:
        assert asked.stdin is not None
        assert asked.stdout is not None
        for text in ("my internet is down", "where is my parcel"):
            asked.stdin.write(text.encode() + b"\n")
            asked.stdin.flush()
            assert json.loads(asked.stdout.readline())["text"] == text
        asked.stdin.close()
        assert asked.wait(PATIENCE_SECONDS) == 0


def test_a_reader_that_leaves_ends_it_quietly(model: Path, tmp_path: Path) -> None:
    (tmp_path / "texts").write_text("my internet is down\n" * 50_000)
    argv = [sys.executable, "-m", "trunkline", "classifier", "predict", str(model), str(tmp_path / "texts")]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENV) as asked:
        assert asked.stdout is not None
        assert asked.stderr is not None
        asked.stdout.readline()
        asked.stdout.close()
        assert asked.stderr.read() == b""
        assert asked.wait(PATIENCE_SECONDS) == 0
