"""Corpora of utterances: CSV, TSV or JSON lines with the fields `text` and `intent`."""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import json
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from router.classify.errors import ModelError

SEED_FILE = Path(__file__).parent / "seed" / "utterances.csv"
"""What the baseline model learns from: contact-centre intents and `oos`, written by hand."""
FIELDS = ("text", "intent")

_NOT_UTF8 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_TOLD = 80
"""Characters of a foreign value that an error shows."""


class Utterance(NamedTuple):
    """What a customer said, and the intent that a person gave it."""

    text: str
    intent: str


class Survey(NamedTuple):
    """What is doubtful about a corpus. Texts are the same where they differ in case and spaces alone.

    duplicates: utterances whose text and intent were there before. conflicts: a text, as it was first
    written, and its intents, more than one, in the order of their first mention.
    """

    duplicates: int
    conflicts: tuple[tuple[str, tuple[str, ...]], ...]


def read_corpus(path: Path = SEED_FILE, *, silence_allowed: bool = False) -> tuple[Utterance, ...]:
    """Return the utterances of a UTF-8 file, with or without BOM, in their order.

    The form goes by the ending: .csv, .tsv, or .jsonl, .ndjson and .json with an object a line; by
    the first line where the ending says nothing. Further fields are ignored, blank lines passed over,
    spaces around intents dropped. silence_allowed: texts may be empty, as those of contacts are.

    Raises ModelError, with the file, the line and the remedy, where the file cannot be read, holds no
    utterance, or one of them lacks its text or its intent.
    """
    content = _content(path)
    form = _FORMS.get(path.suffix.lower()) or _sniffed(content)
    utterances = []
    for line, row in form(path, content):
        text, intent = row.get("text"), row.get("intent")
        if not isinstance(text, str) or not isinstance(intent, str) or not intent.strip():
            raise _refusal(path, line, "lacks its text or its intent", "fill both")
        if not text.strip() and not silence_allowed:
            raise _refusal(path, line, f"has an empty text for the intent {intent!r}", "fill it or remove the line")
        utterances.append(Utterance(text, intent.strip()))
    if not utterances:
        raise ModelError(f"the corpus {path} holds no utterance: give a line for each, with {' and '.join(FIELDS)}")
    return tuple(utterances)


def corpus_sha256(utterances: Sequence[Utterance]) -> str:
    """Return the hash of what a corpus says, however its file is laid out."""
    return hashlib.sha256(json.dumps(utterances).encode()).hexdigest()


def same_text(text: str) -> str:
    """Return what two texts have in common that differ in case and spaces alone."""
    return " ".join(text.casefold().split())


def survey(utterances: Sequence[Utterance]) -> Survey:
    """Return how many utterances are there again, and which texts have several intents."""
    intents_of: defaultdict[str, dict[str, None]] = defaultdict(dict)
    first_written: dict[str, str] = {}
    for text, intent in utterances:
        key = same_text(text)
        intents_of[key][intent] = None
        first_written.setdefault(key, text)
    distinct = sum(map(len, intents_of.values()))
    conflicts = tuple((first_written[key], tuple(of)) for key, of in intents_of.items() if len(of) > 1)
    return Survey(len(utterances) - distinct, conflicts)


def _content(path: Path) -> str:
    try:
        raw = path.read_bytes()
    except OSError as problem:
        raise ModelError(f"the corpus {path} cannot be read: {problem}; give a file that can") from problem
    if raw.startswith(_NOT_UTF8):
        raise ModelError(f"the corpus {path} cannot be read: it is UTF-16; save it as UTF-8")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise ModelError(
            f"line {line} of the corpus {path} cannot be read: byte {problem.object[problem.start]:#04x} is no UTF-8; "
            "save the file as UTF-8"
        ) from problem


_Rows = Iterator[tuple[int, Mapping[str, Any]]]


def _sniffed(content: str) -> Callable[[Path, str], _Rows]:
    first = content.lstrip().partition("\n")[0]
    if first.startswith("{"):
        return _objects
    return _tab_separated if "\t" in first else _comma_separated


def _objects(path: Path, content: str) -> _Rows:
    for line, said in enumerate(content.split("\n"), start=1):
        if not said.strip():
            continue
        try:
            row = json.loads(said)
        except (ValueError, RecursionError) as problem:
            what = str(problem).partition(": line ")[0]  # its line is 1, for it was given one
            raise _refusal(path, line, f"is no JSON ({what})", _ONE_OBJECT_A_LINE) from problem
        if not isinstance(row, dict):
            raise _refusal(path, line, f"is no JSON object but {said.strip()[:_TOLD]}", _ONE_OBJECT_A_LINE)
        if any(isinstance(row.get(field), str) and not _is_utf8(row[field]) for field in FIELDS):
            raise _refusal(path, line, "has half of a surrogate pair", "escape both halves, or remove the character")
        yield line, row


_ONE_OBJECT_A_LINE = (
    'write an object a line, {"text": ..., "intent": ...}; `jq -c .[]` makes such lines of a list of objects'
)


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _comma_separated(path: Path, content: str) -> _Rows:
    return _table(path, content, ",")


def _tab_separated(path: Path, content: str) -> _Rows:
    return _table(path, content, "\t")


def _table(path: Path, content: str, separator: str) -> _Rows:
    rows = _separated(path, content, separator)
    line, header = next(rows, (1, []))
    names = [name.strip().lower() for name in header]
    if any(names.count(field) != 1 for field in FIELDS):
        shown = separator.join(header)[:_TOLD]
        remedy = f"begin the file with {separator.join(FIELDS)!r}"
        raise _refusal(path, line, f"is {shown!r}, not a header that names text and intent once each", remedy)
    for line, row in rows:
        if len(row) > len(names):
            remedy = f'put a text that contains {separator!r} in double quotes, "like this", and double those within'
            raise _refusal(path, line, f"has {len(row)} fields, the header has {len(names)}", remedy)
        yield line, dict(zip(names, row, strict=False))


def _separated(path: Path, content: str, separator: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank, and the line it starts on: a quoted text may have several."""
    reader = csv.reader(io.StringIO(content, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as problem:
            raise _refusal(path, line, f"cannot be read: {problem}", 'double each " within a quoted text') from problem
        if row:
            yield line, row


def _refusal(path: Path, line: int, wrong: str, remedy: str) -> ModelError:
    return ModelError(f"line {line} of the corpus {path} {wrong}: {remedy}")


_FORMS: dict[str, Callable[[Path, str], _Rows]] = {
    ".csv": _comma_separated,
    ".tsv": _tab_separated,
    ".jsonl": _objects,
    ".ndjson": _objects,
    ".json": _objects,
}
