"""Every schema version that was ever released, and the guard on the next one.

`released.jsonl` holds one line per version: name, fingerprint, schema (in Parsing Canonical Form).
Records under any of them may still lie on a topic, so the present types must read them all.
`python -m schemas.released` adds the versions that are new, and refuses what would break readers.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple, cast

from schemas.avro_schema import NAMESPACE, avro_schema, canonical_form, fingerprint
from schemas.errors import SchemaError
from schemas.events import EVENT_TYPES

FILE = Path(__file__).parent / "released.jsonl"

_REMEDIES = {
    "reader_field_missing_default_value": "it is new to that version and has no default: give it a default",
    "type_mismatch": "its type changed: keep the old type, and add a field of another name for the new one",
    "missing_union_branch": "it no longer takes a type that it took: keep the old types",
    "name_mismatch": "the record was renamed: keep its old name",
}


class Released(NamedTuple):
    """One released version of an event type. fingerprint: 8 bytes, as on the wire."""

    name: str
    fingerprint: bytes
    schema: dict[str, Any]


def read_released(path: Path = FILE) -> list[Released]:
    """Return all released versions, oldest first; none where there is no file."""
    if not path.exists():
        return []
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Released(row["name"], bytes.fromhex(row["fingerprint"]), row["schema"]) for row in rows]


@cache
def _by_fingerprint() -> Mapping[bytes, dict[str, Any]]:
    return {version.fingerprint: version.schema for version in read_released()}


def released_schema(wanted: bytes) -> dict[str, Any] | None:
    """Return the released schema with this fingerprint (8 bytes), or None."""
    return _by_fingerprint().get(wanted)


def current_schemas() -> dict[str, dict[str, Any]]:
    """Return the schema of each event type, by name."""
    return {kind.__name__: avro_schema(kind) for kind in EVENT_TYPES}


def check(current: Mapping[str, dict[str, Any]], released: Iterable[Released]) -> None:
    """Raise SchemaError, naming type, field and remedy, where a released version could not be read."""
    problems = [
        f"{version.name} cannot read its released version {version.fingerprint.hex()}: {problem}"
        for version in released
        for problem in _problems(current.get(version.name), version)
    ]
    if problems:
        raise SchemaError("the schemas would break readers of records that exist\n" + "\n".join(problems))


def release(current: Mapping[str, dict[str, Any]], path: Path = FILE) -> list[str]:
    """Append the versions that are not in the file yet, and return their names.

    Raises SchemaError, and writes nothing, where a version that is there could not be read.
    """
    released = read_released(path)
    check(current, released)
    known = {(version.name, version.fingerprint) for version in released}
    fresh = [(name, schema) for name, schema in current.items() if (name, fingerprint(schema)) not in known]
    with path.open("a", encoding="utf-8") as file:
        for name, schema in fresh:
            canonical = json.loads(canonical_form(schema))
            file.write(json.dumps({"name": name, "fingerprint": fingerprint(schema).hex(), "schema": canonical}) + "\n")
    return [name for name, _ in fresh]


def _problems(reader: dict[str, Any] | None, writer: Released) -> Iterator[str]:
    """Yield what keeps `reader` from reading what `writer` wrote, by the rules of Apache Avro's own library."""
    if reader is None:
        yield "the type is gone: keep it, under its old name"
        return
    try:
        # Here, not above: the guard runs at release, and services need no second Avro library.
        from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType  # noqa: PLC0415
        from avro.schema import RecordSchema, parse  # noqa: PLC0415
    except ImportError as missing:
        raise SchemaError("schemas are compared by the package avro, which is missing: run `make install`") from missing
    reading, writing = (cast(RecordSchema, parse(json.dumps(schema))) for schema in (reader, writer.schema))
    compare = ReaderWriterCompatibilityChecker().get_compatibility  # type: ignore[no-untyped-call]
    result = compare(reading, writing)
    if result.compatibility is SchemaCompatibilityType.compatible:
        return
    fields = {_field_at(reading, location.split("/")) for location in result.locations} - {""}
    theirs = {field.name: field.type for field in writing.fields}
    for field in reading.fields:  # the library loses the location inside a union
        named = any(name.split(".")[0] == field.name for name in fields)
        if not named and field.name in theirs and compare(field.type, theirs[field.name]).incompatibilities:
            fields.add(field.name)
    remedies = sorted({_REMEDIES.get(kind.value, kind.value) for kind in result.incompatibilities})
    what = f"field {', '.join(sorted(fields))}" if fields else f"record {NAMESPACE}.{writer.name}"
    yield f"{what}: {'; '.join(remedies)} ({'; '.join(sorted(result.messages))})"


def _field_at(schema: Any, location: Sequence[str]) -> str:
    """Return the dotted name of the field at a location such as /fields/3/type/items/fields/0."""
    names = []
    steps = iter(location)
    for step in steps:
        if step == "fields":
            field = schema.fields[int(next(steps))]
            names.append(field.name)
            schema = field.type
        elif step in ("items", "values"):
            schema = getattr(schema, step)
    return ".".join(names)


def main() -> None:
    """Add the present versions to the file; exit with the reason where they would break readers."""
    try:
        fresh = release(current_schemas())
    except SchemaError as problem:
        raise SystemExit(str(problem)) from problem
    print(f"released: {', '.join(fresh) if fresh else 'nothing new'}")


if __name__ == "__main__":
    main()
