"""Avro schemas of the event types, derived from the types themselves.

`python -m schemas.avro_schema` writes them to `schemas/avro/*.avsc`.

How a Python type maps: str, int, float, bool -> string, long, double, boolean; an enum -> string
(its values are checked on decode; an Avro enum could not grow without breaking readers);
`X | None` -> a union with null first; tuple -> array; dict -> map; another event -> its record.
"""

from __future__ import annotations

import enum
import json
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any, cast

import fastavro.schema
import msgspec

from schemas.errors import SchemaError
from schemas.events import EVENT_TYPES
from schemas.fields import Event

NAMESPACE = "io.trunkline"
FOLDER = Path(__file__).parent / "avro"
_PRIMITIVES = {str: "string", int: "long", float: "double", bool: "boolean"}


@cache
def avro_schema(kind: type[Event]) -> dict[str, Any]:
    """Return the Avro schema of an event type, as JSON-ready data."""
    return cast(dict[str, Any], _record(kind, seen=set()))


def canonical_form(schema: dict[str, Any]) -> str:
    """Return a schema's Parsing Canonical Form (Avro 1.12): what a reader needs, without docs and defaults."""
    return fastavro.schema.to_parsing_canonical_form(cast(Any, schema))


def fingerprint(schema: dict[str, Any]) -> bytes:
    """Return the CRC-64-AVRO fingerprint of a schema: 8 bytes, little-endian, as on the wire."""
    return bytes.fromhex(fastavro.schema.fingerprint(canonical_form(schema), "CRC-64-AVRO"))


def _record(kind: type[Event], seen: set[str]) -> Any:
    name = kind.__name__
    if name in seen:
        return f"{NAMESPACE}.{name}"
    seen.add(name)
    hints = typing.get_type_hints(kind, include_extras=True)
    return {
        "type": "record",
        "name": name,
        "namespace": NAMESPACE,
        "doc": " ".join((kind.__doc__ or "").split()),
        "fields": [_field(field, hints[field.name], seen) for field in msgspec.structs.fields(kind)],
    }


def _field(field: msgspec.structs.FieldInfo, hint: Any, seen: set[str]) -> dict[str, Any]:
    out: dict[str, Any] = {"name": field.name, "type": _type(hint, seen)}
    if isinstance(field.default_factory, type):
        out["default"] = field.default_factory()
    elif field.default is not msgspec.NODEFAULT:
        out["default"] = json.loads(msgspec.json.encode(field.default))
    doc = _description(hint)
    if doc:
        out["doc"] = doc
    return out


def _description(hint: Any) -> str:
    if typing.get_origin(hint) is typing.Annotated:
        return " ".join(m.description for m in hint.__metadata__ if isinstance(m, msgspec.Meta) and m.description)
    return ""


def _type(hint: Any, seen: set[str]) -> Any:  # noqa: PLR0911 - one return per kind of type
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _type(args[0], seen)
    if origin in (typing.Union, types.UnionType):
        return ["null", *(_type(a, seen) for a in args if a is not type(None))]
    if origin is tuple:
        return {"type": "array", "items": _type(args[0], seen)}
    if origin is dict:
        return {"type": "map", "values": _type(args[1], seen)}
    if isinstance(hint, type) and issubclass(hint, enum.StrEnum):
        return "string"
    if isinstance(hint, type) and issubclass(hint, Event):
        return _record(hint, seen)
    if hint in _PRIMITIVES:
        return _PRIMITIVES[hint]
    raise SchemaError(f"no Avro type for {hint!r}: use one of those named in schemas/avro_schema.py")


def main() -> None:
    """Write every schema to its file; a file without a type is removed."""
    FOLDER.mkdir(exist_ok=True)
    for path in FOLDER.glob("*.avsc"):
        path.unlink()
    for kind in EVENT_TYPES:
        text = json.dumps(avro_schema(kind), indent=2) + "\n"
        (FOLDER / f"{kind.__name__}.avsc").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
