"""A policy as a document: YAML (or JSON, which YAML contains) to a policy and back, with every mistake named.

A document may extend another tenant's policy: it then says only what is different, as a JSON merge patch (RFC 7396):
mappings are merged, all else is replaced, and null takes away.
"""

from __future__ import annotations

import datetime as dt
import difflib
import io
import json
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pydantic
import pydantic_core
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from router.policy.model import NAMED, NOT_WRITTEN, ROW, document_model, fields_of
from runtime.errors import SettingsError
from schemas.control import Policy
from schemas.fields import Channel
from schemas.policy_check import ANY, problems, row_name

Document = dict[str, Any]

_MOST_SHOWN_CHARACTERS = 40


class Mistake(NamedTuple):
    """One thing that is wrong with a document: `path` in it, and what is wrong with the remedy."""

    path: tuple[str, ...]
    says: str


class PolicyDocumentError(SettingsError):
    """A document is no valid policy; the message has a line for each mistake."""


class Source(NamedTuple):
    """A document as it was written. `tree` is what the YAML says, `name` the file it is from."""

    name: str
    tree: Any

    def line(self, path: Sequence[str]) -> int | None:
        """Return the line, from 1, of the deepest part of a path that is written in this document."""
        at, found = self.tree, None
        for part in path:
            if isinstance(at, Mapping) and part in at and hasattr(at, "lc"):
                found = at.lc.key(part)[0] + 1
            elif isinstance(at, list) and part.isdecimal() and int(part) < len(at) and hasattr(at, "lc"):
                found = at.lc.item(int(part))[0] + 1
            else:
                break
            at = at[part] if isinstance(at, Mapping) else at[int(part)]
        return found


def read_source(path: Path) -> Source:
    """Return the document of a file; raises PolicyDocumentError where it is no YAML mapping in UTF-8."""
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as problem:
        raise PolicyDocumentError(f"{path} is not in UTF-8 ({problem}): save it as UTF-8") from problem
    try:
        tree = YAML(typ="rt").load(text)
    except MarkedYAMLError as problem:
        line = problem.problem_mark.line + 1 if problem.problem_mark else "?"
        raise PolicyDocumentError(f"{path}:{line}: no YAML: {problem.problem}; mend that line") from problem
    except YAMLError as problem:
        raise PolicyDocumentError(f"{path}: no YAML: {problem}; mend it") from problem
    if not isinstance(tree, Mapping):
        raise PolicyDocumentError(f"{path}: a policy is a mapping that begins with `tenant: NAME`; this is none")
    return Source(str(path), tree)


def plain(source: Source) -> Document:
    """Return a document as plain JSON data; dates are texts, also where one is the name of something."""
    said: Document = json.loads(json.dumps(_named_by_text(source.tree), default=str))
    return said


def _named_by_text(tree: Any) -> Any:
    if isinstance(tree, Mapping):
        return {name.isoformat() if isinstance(name, dt.date) else name: _named_by_text(tree[name]) for name in tree}
    return [_named_by_text(each) for each in tree] if isinstance(tree, list) else tree


def resolved(document: Document, base_of: Callable[[str], Document]) -> Document:
    """Return a document with what it extends filled in. `base_of`: tenant -> document, which may extend another.

    Raises PolicyDocumentError for documents that extend each other.
    """
    chain = [document]
    seen = [str(document.get("tenant"))]
    while (parent := chain[-1].get("extends")) is not None:
        if parent in seen:
            circle = " extends ".join([*seen, parent])
            raise PolicyDocumentError(f"{circle}: extend one that does not come back to this")
        seen.append(parent)
        chain.append(base_of(parent))
    whole: Document = {}
    for layer in reversed(chain):
        whole = merged(whole, layer)
    return whole if document.get("extends") is None else {**whole, "extends": document["extends"]}


def merged(base: Any, patch: Any) -> Any:
    """Return what a JSON merge patch makes of a value."""
    if not isinstance(patch, dict):
        return patch
    result = dict(base) if isinstance(base, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def load_policy(
    file: Path,
    bases: Sequence[Path] = (),
    standing: Callable[[str], Document] | None = None,
    *,
    occurred_at: int = 0,
    by: str = "",
    reason: str = "",
) -> Policy:
    """Return the policy of a file, of revision 0, with what it extends from `bases`, else by `standing` (tenant ->).

    Raises PolicyDocumentError with all mistakes, and SettingsError where what it extends is not at hand.
    """
    source = read_source(file)
    files = {str(document.get("tenant")): document for document in (plain(read_source(base)) for base in bases)}

    def base_of(tenant: str) -> Document:
        if tenant in files:
            return files[tenant]
        if standing is None:
            raise SettingsError(f"{file} extends {tenant!r}, whose policy is not at hand: give its file with --base")
        return standing(tenant)

    document = resolved(plain(source), base_of)
    return policy_of(document, source, revision=0, occurred_at=occurred_at, by=by, reason=reason)


def policy_of(document: Document, source: Source, *, revision: int, occurred_at: int, by: str, reason: str) -> Policy:
    """Return the policy that a resolved document describes; raises PolicyDocumentError with all its mistakes."""
    found = mistakes(document)
    if not found:
        fields = _wire_fields(document)
        fields |= {"revision": revision, "occurred_at": occurred_at, "changed_by": by, "reason": reason}
        return msgspec.convert(fields, Policy)
    lines = []
    for mistake in found:
        line = source.line(mistake.path)
        place = f"{source.name}:{line}" if line else source.name
        lines.append(f"{place}: {'.'.join(mistake.path)}: {mistake.says}")
    raise PolicyDocumentError("\n".join(lines))


def mistakes(document: Document) -> list[Mistake]:
    """Return what is wrong with a resolved document: its fields and, where these are right, what they say together."""
    try:
        document_model().model_validate_json(json.dumps(document))
    except pydantic.ValidationError as problem:
        return [_mistake(error) for error in problem.errors(include_url=False)]
    rows = [Mistake(("matrix", name), says) for name in document.get("matrix", {}) if (says := _row_mistake(name))]
    if rows:
        return rows
    try:
        policy = msgspec.convert({**_wire_fields(document), "revision": 0, "occurred_at": 0}, Policy)
    except msgspec.ValidationError as problem:
        return [Mistake(("document",), f"{problem}; `trunkline policy schema` says what it may be")]
    return [Mistake(each.path, f"{each.wrong}; {each.remedy}") for each in problems(policy)]


def document_of(policy: Policy, *, full: bool = False) -> Document:
    """Return the document of a policy; what has its default is left out, unless it is to be full."""
    fields = msgspec.to_builtins(policy)
    for name in NOT_WRITTEN:
        del fields[name]
    _to_mappings(fields, Policy)
    rows = {}
    for row, each in zip(policy.matrix, fields["matrix"], strict=True):
        rows[row_name(row)] = {name: each[name] for name in ("contained", "assisted")}
    fields["matrix"] = rows
    model = document_model().model_validate_json(json.dumps(fields))
    said: Document = model.model_dump(mode="json", exclude_defaults=not full)
    return {name: value for name, value in said.items() if full or value not in ({}, [])}


def to_yaml(document: Document) -> str:
    """Return a document as YAML."""
    out = io.StringIO()
    yaml = YAML(typ="safe", pure=True)
    yaml.default_flow_style = False
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    yaml.width = 120
    yaml.dump(document, out)
    return out.getvalue()


def differences(before: Document, after: Document) -> list[str]:
    """Return the lines that differ between two documents, as `diff -u` prints them, without its file names."""
    old, new = to_yaml(before).splitlines(), to_yaml(after).splitlines()
    return list(difflib.unified_diff(old, new, lineterm="", n=2))[2:]


def _to_mappings(fields: Document, kind: type[msgspec.Struct]) -> None:
    """Make mappings of the lists of named things in the fields of a wire type, and in what these hold."""
    for name, inner in _nested(kind):
        _to_mappings(fields[name], inner)
    for each in NAMED.get(kind, ()):
        value, items = each.value, fields[each.field]
        if value is None:
            for item in items:
                _to_mappings(item, each.item)
        fields[each.field] = {item.pop(each.key): item if value is None else item[value] for item in items}


def _to_lists(fields: Document, kind: type[msgspec.Struct]) -> Document:
    """Return the fields of a wire type, with lists again for the mappings of a document."""
    made = dict(fields)
    for name, inner in _nested(kind):
        if name in made:
            made[name] = _to_lists(made[name], inner)
    for each in NAMED.get(kind, ()):
        value, items = each.value, fields.get(each.field, {}).items()
        made[each.field] = [
            {each.key: key, **_to_lists(item, each.item)} if value is None else {each.key: key, value: item}
            for key, item in items
        ]
    return made


def _nested(kind: type[msgspec.Struct]) -> list[tuple[str, type[msgspec.Struct]]]:
    """Return the fields of a wire type that are wire types with named things of their own."""
    hints = typing.get_type_hints(kind)
    return [(name, hint) for name, hint in hints.items() if isinstance(hint, type) and hint in NAMED]


def _row_mistake(name: str) -> str | None:
    parts = name.rsplit("/", 2)
    if len(parts) != len(ROW) or not all(parts):
        return "a row is named intent/channel/segment, each * for any"
    channels = [str(channel) for channel in Channel]
    if parts[1] not in (ANY, *channels):
        return f"there is no channel {parts[1]!r}; there are {', '.join(channels)}, and * for any"
    return None


def _wire_fields(document: Document) -> Document:
    fields = _to_lists(document, Policy)
    matrix = []
    for key, each in document.get("matrix", {}).items():
        parts = [None if part == ANY else part for part in key.rsplit("/", 2)]
        matrix.append({**dict(zip(ROW, parts, strict=True)), **each})
    fields["matrix"] = matrix
    return fields


def _mistake(error: pydantic_core.ErrorDetails) -> Mistake:
    path = tuple(str(part) for part in error["loc"] if part != "[key]")  # pydantic's mark for a name that is wrong
    kind, value = error["type"], error["input"]
    if kind == "missing":
        return Mistake(path, "is missing; add it")
    if kind == "extra_forbidden":
        names = fields_of(_model_at(path[:-1]))
        near = difflib.get_close_matches(path[-1], names, 1)
        remedy = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(names)}"
        return Mistake(path, f"there is no such field; {remedy}")
    told = error["msg"][0].lower() + error["msg"][1:]
    shown = json.dumps(value, default=str)
    if len(shown) > _MOST_SHOWN_CHARACTERS:
        shown = shown[: _MOST_SHOWN_CHARACTERS - 3] + "..."
    remedy = "; put it in quotes" if kind == "string_type" and isinstance(value, (int, float, bool)) else ""
    return Mistake(path, f"{told}, and is {shown}{remedy}")


def _model_at(path: Sequence[str]) -> type[pydantic.BaseModel]:
    """Return the model of the mapping at a path of the document."""
    at: Any = document_model()
    for part in path:
        if isinstance(at, type) and issubclass(at, pydantic.BaseModel):
            at = at.model_fields[part].annotation
        else:
            at = at.__args__[-1]
    found: type[pydantic.BaseModel] = at
    return found
