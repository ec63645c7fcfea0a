"""`trunkline classifier`: train a model on one's own utterances, measure it, ask it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import os
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.classify.corpus import Utterance, corpus_sha256, read_corpus, survey
from router.classify.errors import ModelError
from runtime.clock import real_now

if TYPE_CHECKING:
    from router.classify.evaluate import Judged, Speed
    from router.classify.result import Classifier

FEW_EXAMPLES = 20
"""Fewer than the seed corpus has of any intent."""
MOST_SHOWN = 10
PREDICT_BATCH = 256
EXPLAINED_WORDS = 5
_CHUNK_BYTES = 1 << 16
_EXAMPLE_CHARACTERS = 60
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\u0085\u2028\u2029"}
"""JSON does not escape them, and str.splitlines, as others, ends a line there."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_LABELS = {
    "n": "utterances",
    "n_in_scope": "  in scope",
    "n_oos": "  out of scope",
    "accuracy": "accuracy",
    "ece": "expected calibration error",
    "oos_auroc": "AUROC of out of scope",
    "coverage_ai": "AI alone, coverage",
    "precision_ai": "AI alone, precision",
    "coverage_assisted": "AI assisted, coverage",
    "precision_assisted": "AI assisted, precision",
    "oos_leak_ai": "out of scope sent to AI alone",
    "oos_leak_any": "out of scope sent to any AI",
    "microseconds_per_text": "microseconds a text, in batches",
    "single_ms_p99": "milliseconds a lone text, p99",
}
_CLASSIFIER_EXAMPLE = """\b
Example:
  trunkline classifier train utterances.csv --out bank.npz
  trunkline classifier evaluate bank.npz held-out.csv
  echo "where is my new card" | trunkline classifier predict bank.npz --explain
"""
_TRAIN_EXAMPLE = """\b
Example, where utterances.csv begins with
  text,intent
  "where is my card, please",card_arrival
and has some 20 or more of each intent:
  trunkline classifier train utterances.csv --out bank.npz
"""
_EVALUATE_EXAMPLE = """\b
Example:
  trunkline classifier evaluate bank.npz held-out.csv --plot bank.png
  trunkline classifier evaluate bank.npz held-out.csv --json | jq .accuracy
"""
_PREDICT_EXAMPLE = """\b
Example:
  trunkline classifier predict bank.npz texts.txt | jq -r 'select(.confidence < 0.75).text'
  echo "where is my new card" | trunkline classifier predict bank.npz --explain
"""


@click.group(epilog=_CLASSIFIER_EXAMPLE)
def classifier() -> None:
    """Train a model that finds the intents of your contacts, measure it, and ask it.

    The router works with the file that `train` writes: `trunkline router --model MODEL`.
    """


@classifier.command(epilog=_TRAIN_EXAMPLE, short_help="Make a model of utterances, and report what it is worth.")
@click.argument("data", type=_FILE)
@click.option("--validation", type=_FILE, help="file of utterances to measure on, of the same forms as DATA")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="file of the model")
@click.option("--name", help="what the model's version begins with; by default the name of its file")
@click.option("--quick", is_flag=True, help="train no second model: report the training's own figures alone")
def train(data: Path, validation: Path | None, out: Path, name: str | None, *, quick: bool) -> None:
    """Train a model on the utterances of DATA, and report what it is worth.

    DATA is CSV or TSV with the columns `text` and `intent`, or JSON lines with those fields (by its
    ending: .csv, .tsv, .jsonl, .ndjson, .json; else by its first line), in UTF-8. Give the intent `oos`
    to utterances that are none of your business, if you have some: the model then knows them better.

    Progress is on standard error, the report on standard output. Without --validation it is made on a
    fifth of each intent, kept from a second model, which takes as long again once the model is saved
    (see --quick). The model that is saved has learnt from all.
    """
    say = _progress()
    say(f"reading {data}")
    utterances = read_corpus(data)
    held = read_corpus(validation) if validation else None
    _check_writable(out)
    say(f"training on {_count(len(utterances), 'utterance')}")

    from router.classify.store import save_model  # noqa: PLC0415 - `--help` need not load numpy
    from router.classify.train import train as train_model  # noqa: PLC0415 - nor scikit-learn

    model = train_model(utterances, name or out.stem, progress=say)
    save_model(model, out)
    say(f"saved {out}")
    report = [_about_model(out), *_about_corpus(data, utterances), *_told_by_training(model.manifest())]
    if held is not None:
        report += _measured(out, held, say)
    elif not quick:
        report += _measured_apart(utterances, say)
    say("done")
    click.echo("\n".join(report))


@classifier.command(epilog=_EVALUATE_EXAMPLE, short_help="Measure a model on utterances that it has not seen.")
@click.argument("model", type=_FILE)
@click.argument("data", type=_FILE)
@click.option("--json", "as_json", is_flag=True, help="print one JSON object in place of the table")
@click.option("--plot", type=click.Path(dir_okay=False, path_type=Path), help="write a reliability diagram, as PNG")
def evaluate(model: Path, data: Path, *, as_json: bool, plot: Path | None) -> None:
    """Measure MODEL on the utterances of DATA, which it should not have been trained on.

    DATA has the forms that `trunkline classifier train --help` names. Accuracy, calibration, coverage
    and precision are of utterances in scope: those of another intent than `oos`. "AI alone" is a
    confidence of 0.92 and more, "AI assisted" one of 0.75 and more below that, each with an intent other
    than `oos`. Where there is nothing to measure, the figure is null (in the table: -).
    """
    from router.classify import diagram  # noqa: PLC0415 - `--help` need not load numpy
    from router.classify.evaluate import judge, speed  # noqa: PLC0415
    from router.classify.model import open_classifier  # noqa: PLC0415

    figure = diagram.new_figure() if plot else None
    utterances = read_corpus(data, silence_allowed=True)
    opened = open_classifier(model)
    judged = judge(opened, utterances)
    timed = speed(opened, [utterance.text for utterance in utterances], real_now)
    if as_json:
        click.echo(_as_json(judged, timed, utterances))
    else:
        click.echo("\n".join((f"model     {judged.model}", f"data      {data}", *_table(judged, timed))))
    if plot:
        diagram.draw(figure, judged, plot)


@classifier.command(epilog=_PREDICT_EXAMPLE, short_help="Find the intents of lines of text.")
@click.argument("model", type=_FILE)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True), default="-")
@click.option("--explain", is_flag=True, help="add the words that weighed most for the intent, heaviest first")
def predict(model: Path, file: str, *, explain: bool) -> None:
    """Print what MODEL finds in each line of FILE, or of standard input, as JSON lines.

    A line of text gives a line: text, intent, confidence, runner_up (the second intent),
    runner_up_gap (how far it is behind) and out_of_scope, each figure from 0 to 1.
    What has come is answered at once, so it works at a terminal and in a pipe.
    """
    from router.classify.model import open_classifier  # noqa: PLC0415 - `--help` need not load numpy

    opened = open_classifier(model)
    with click.open_file(file, "rb") as source, _a_reader_may_leave():
        for batch in _batches(source):
            sys.stdout.buffer.write("".join(_answers(opened, batch, explain=explain)).encode())
            sys.stdout.buffer.flush()


def _answers(opened: Classifier, lines: Sequence[bytes], *, explain: bool) -> Iterator[str]:
    # A file may begin with a byte order mark, and `cat` puts files together.
    texts = [line.removesuffix(b"\r").decode(errors="replace").removeprefix("\ufeff") for line in lines]
    found = opened.classify(texts)
    columns = (found.intent, found.confidence, found.runner_up, found.runner_up_gap, found.out_of_scope)
    rows = zip(texts, *(column.tolist() for column in columns), strict=True)
    for text, intent, confidence, runner_up, gap, out_of_scope in rows:
        answer = {
            "text": text,
            "intent": found.intents[intent],
            "confidence": _number(confidence),
            "runner_up": found.intents[runner_up],
            "runner_up_gap": _number(gap),
            "out_of_scope": _number(out_of_scope),
        }
        if explain:
            words = opened.explain(text)[:EXPLAINED_WORDS]
            answer["words"] = [{"word": word, "weight": _number(weight)} for word, weight in words]
        yield json.dumps(answer, ensure_ascii=False, allow_nan=False).translate(_LINE_ENDS) + "\n"


@contextlib.contextmanager
def _a_reader_may_leave() -> Iterator[None]:
    """End quietly at Ctrl-C, and where what we print is read no more (`| head`)."""
    try:
        yield
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # Python flushes standard output once more when it ends, and would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _batches(source: Any) -> Iterator[list[bytes]]:
    """Yield the lines that have come, without their ends, at most PREDICT_BATCH at a time."""
    unfinished: list[bytes] = []
    while chunk := source.read1(_CHUNK_BYTES):
        *lines, rest = chunk.split(b"\n")
        if not lines:
            unfinished.append(rest)
            continue
        lines[0] = b"".join((*unfinished, lines[0]))
        unfinished = [rest]
        yield from (lines[start : start + PREDICT_BATCH] for start in range(0, len(lines), PREDICT_BATCH))
    last = b"".join(unfinished)
    if last:
        yield [last]


def _progress() -> Callable[[str], None]:
    """Return what prints a phase on standard error, with the seconds since now."""
    began = real_now()
    return lambda phase: click.echo(f"{(real_now() - began) / 1e6:7.1f} s  {phase}", err=True)


def _check_writable(out: Path) -> None:
    """Raise ModelError before a training whose model could not be saved."""
    folder = next(parent for parent in out.absolute().parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ModelError(f"the model cannot be saved as {out}: {folder} is not writable; give --out another folder")


def _about_model(out: Path) -> str:
    from router.classify.model import open_classifier  # noqa: PLC0415 - as in the commands

    content = out.read_bytes()
    version = open_classifier(out).classify([""]).model
    return f"model     {out}, version {version}, {len(content):,} bytes, sha256 {hashlib.sha256(content).hexdigest()}"


def _about_corpus(data: Path, utterances: Sequence[Utterance]) -> Iterator[str]:
    from router.classify.result import OUT_OF_SCOPE  # noqa: PLC0415 - as in the commands

    sizes = Counter(utterance.intent for utterance in utterances)
    out_of_scope = sizes.pop(OUT_OF_SCOPE, 0)
    yield (
        f"data      {data}: {_count(len(utterances), 'utterance')}, {_count(len(sizes), 'intent')}, "
        f"{out_of_scope:,} out of scope, sha256 {corpus_sha256(utterances)}"
    )
    doubtful = survey(utterances)
    if doubtful.duplicates:
        yield f"          {_count(doubtful.duplicates, 'utterance')} there more than once, case and spaces aside"
    few = sorted((size, intent) for intent, size in sizes.items() if size < FEW_EXAMPLES)
    if few:
        yield f"{_count(len(few), 'intent')} with fewer than {FEW_EXAMPLES} utterances: write more of"
        yield from _shown([f"  {size:7,}  {intent}" for size, intent in few])
    if doubtful.conflicts:
        yield f"{_count(len(doubtful.conflicts), 'utterance')} with more than one intent: keep one of"
        yield from _shown([f"  {', '.join(intents)}: {_example(text)}" for text, intents in doubtful.conflicts])


def _told_by_training(manifest: Mapping[str, Any]) -> Iterator[str]:
    metrics = manifest.get("metrics")
    if metrics:
        told = ", ".join(f"{_LABELS.get(name, name)} {_figure(value)}" for name, value in metrics.items())
        yield f"training  {told}; on what it held out of its own, in turn"


def _measured(out: Path, validation: Sequence[Utterance], say: Callable[[str], None]) -> list[str]:
    from router.classify.evaluate import judge  # noqa: PLC0415 - as in the commands
    from router.classify.model import open_classifier  # noqa: PLC0415

    say(f"measuring on {_count(len(validation), 'utterance')}")
    return [
        f"measured  on the {_count(len(validation), 'utterance')} of the validation set",
        *_table(judge(open_classifier(out), validation)),
    ]


def _measured_apart(utterances: Sequence[Utterance], say: Callable[[str], None]) -> list[str]:
    """Train a second model on four fifths of a corpus, and measure it on the others."""
    from router.classify.evaluate import LEAST_TO_SPLIT, hold_out, judge  # noqa: PLC0415 - as in the commands
    from router.classify.model import open_classifier  # noqa: PLC0415
    from router.classify.store import save_model  # noqa: PLC0415
    from router.classify.train import train as train_model  # noqa: PLC0415

    kept, held = hold_out(utterances)
    if not held:
        return [f"measured  not at all: no intent has {LEAST_TO_SPLIT} utterances; give more, or a --validation file"]
    say(f"measuring on {_count(len(held), 'utterance')} held out: training a second model on the other {len(kept):,}")
    with tempfile.TemporaryDirectory(prefix="trunkline-classifier-") as folder:
        path = Path(folder) / "measured.npz"
        try:
            save_model(train_model(kept, path.stem, progress=say), path)
        except ModelError as problem:
            return [f"measured  not at all, for without a fifth of it the corpus trains no model: {problem}"]
        judged = judge(open_classifier(path), held)
    told = (
        f"measured  on {_count(len(held), 'utterance')} not seen by a second model, trained on the other {len(kept):,};"
    )
    return [f"{told} the model saved was trained on all", *_table(judged)]


def _as_json(judged: Judged, speed: Speed, utterances: Sequence[Utterance]) -> str:
    from router.classify.evaluate import figures, unknown_intents  # noqa: PLC0415 - as in the commands

    numbers = {name: _number(value) for name, value in {**figures(judged), **speed._asdict()}.items()}
    said = {
        "model": judged.model,
        "data_sha256": corpus_sha256(utterances),
        "unknown_intents": unknown_intents(judged),
    }
    return json.dumps({**numbers, **said}, allow_nan=False)


def _table(judged: Judged, speed: Speed | None = None) -> list[str]:
    from router.classify.evaluate import confusions, figures, unknown_intents  # noqa: PLC0415 - as in the commands

    lines = _figure_lines({**figures(judged), **(speed._asdict() if speed else {})})
    unknown = unknown_intents(judged)
    if unknown:
        lines.append(f"{_count(len(unknown), 'intent')} that the model does not know, counted as errors:")
        lines += _shown([f"  {count:7,}  {intent}" for intent, count in unknown.items()])
    found = confusions(judged)
    if found:
        lines.append("confusions worth reading: the intent given -> the one found, and the surest mistake")
        lines += _shown([f"  {of.times:7,}  {of.actual} -> {of.predicted}: {_example(of.example)}" for of in found])
    return lines


def _figure_lines(figures: Mapping[str, Any]) -> list[str]:
    return [f"  {_LABELS.get(name, name):34}{_figure(value):>10}" for name, value in figures.items()]


def _figure(value: Any) -> str:
    value = _number(value)
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.4f}"
    return f"{value:,}" if isinstance(value, int) else json.dumps(value)


def _number(value: Any) -> Any:
    """Return the value, None for a number that JSON has not."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _shown(lines: list[str]) -> list[str]:
    left = len(lines) - MOST_SHOWN
    return lines if left <= 0 else [*lines[:MOST_SHOWN], f"  and {left:,} more"]


def _example(text: str) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= _EXAMPLE_CHARACTERS else line[: _EXAMPLE_CHARACTERS - 3] + "...")
