"""`trunkline classifier`: train a model on one's own utterances, measure it, ask it."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from router.classify.corpus import read_corpus
from router.classify.errors import ModelError
from runtime.clock import real_now

if TYPE_CHECKING:
    from router.classify.result import Classifier

PREDICT_BATCH = 256
EXPLAINED_WORDS = 5
_CHUNK_BYTES = 1 << 16
_LINE_ENDS = {ord(end): f"\\u{ord(end):04x}" for end in "\u0085\u2028\u2029"}
"""JSON does not escape them, and str.splitlines, as others, ends a line there."""
_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
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
    from router.classify import report  # noqa: PLC0415 - `--help` need not load numpy

    say = _progress()
    say(f"reading {data}")
    utterances = read_corpus(data)
    held = read_corpus(validation) if validation else None
    _check_writable(out)
    say(f"training on {report.count(len(utterances), 'utterance')}")

    from router.classify.store import save_model  # noqa: PLC0415
    from router.classify.train import train as train_model  # noqa: PLC0415 - scikit-learn takes a second

    model = train_model(utterances, name or out.stem, progress=say)
    save_model(model, out)
    say(f"saved {out}")
    lines = [report.about_model(out), *report.about_corpus(data, utterances)]
    lines += report.told_by_training(model.manifest())
    if held is not None:
        lines += report.measured(out, held, say)
    elif not quick:
        lines += report.measured_apart(utterances, say)
    say("done")
    click.echo("\n".join(lines))


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
    from router.classify import diagram, report  # noqa: PLC0415 - `--help` need not load numpy
    from router.classify.evaluate import judge, speed  # noqa: PLC0415
    from router.classify.model import open_classifier  # noqa: PLC0415

    figure = diagram.new_figure() if plot else None
    utterances = read_corpus(data, silence_allowed=True)
    opened = open_classifier(model)
    judged = judge(opened, utterances)
    timed = speed(opened, [utterance.text for utterance in utterances], real_now)
    if as_json:
        click.echo(report.as_json(judged, timed, utterances))
    else:
        click.echo("\n".join((f"model     {judged.model}", f"data      {data}", *report.table(judged, timed))))
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
    from router.classify.report import or_null  # noqa: PLC0415 - as in the commands

    # A file may begin with a byte order mark, and `cat` puts files together.
    texts = [line.removesuffix(b"\r").decode(errors="replace").removeprefix("\ufeff") for line in lines]
    found = opened.classify(texts)
    columns = (found.intent, found.confidence, found.runner_up, found.runner_up_gap, found.out_of_scope)
    rows = zip(texts, *(column.tolist() for column in columns), strict=True)
    for text, intent, confidence, runner_up, gap, out_of_scope in rows:
        answer = {
            "text": text,
            "intent": found.intents[intent],
            "confidence": or_null(confidence),
            "runner_up": found.intents[runner_up],
            "runner_up_gap": or_null(gap),
            "out_of_scope": or_null(out_of_scope),
        }
        if explain:
            words = opened.explain(text)[:EXPLAINED_WORDS]
            answer["words"] = [{"word": word, "weight": or_null(weight)} for word, weight in words]
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
