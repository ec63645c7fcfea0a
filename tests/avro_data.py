"""Data of an event as a program with another version of its schema would have written it."""

from __future__ import annotations

import copy
import io
from typing import Any

import fastavro
import msgspec

from schemas.avro_schema import fingerprint
from schemas.codec import MARKER
from schemas.fields import Event

_BLANK: dict[str, Any] = {"string": "", "long": 0, "int": 0, "double": 0.0, "float": 0.0, "boolean": False}


def written_under(schema: dict[str, Any], event: Event) -> bytes:
    """The framed bytes of `event` under an older schema: fields that it lacks are left out, others blank."""
    out = io.BytesIO()
    out.write(MARKER + fingerprint(schema))
    fastavro.schemaless_writer(out, fastavro.parse_schema(copy.deepcopy(schema)), seen_by(schema, event))
    return out.getvalue()


def seen_by(schema: dict[str, Any], event: Event) -> Any:
    """What a program with this schema knows of an event, as JSON data."""
    return _fit(schema, msgspec.to_builtins(event), _named(schema))


def _named(schema: Any) -> dict[str, Any]:
    """Every record that a schema defines anywhere, by its full name: it may be used where no data shows it first."""
    if isinstance(schema, list):
        return {name: record for branch in schema for name, record in _named(branch).items()}
    if not isinstance(schema, dict):
        return {}
    if schema["type"] != "record":
        return _named(schema.get("items", schema.get("values")))
    own = schema["name"] if "." in schema["name"] else f"{schema['namespace']}.{schema['name']}"
    inner = {name: record for field in schema["fields"] for name, record in _named(field["type"]).items()}
    return {own: schema, **inner}


def _fit(schema: Any, data: Any, names: dict[str, Any]) -> Any:
    if isinstance(schema, str) and schema in names:
        schema = names[schema]
    if isinstance(schema, list):
        branches = [branch for branch in schema if branch != "null"]
        return None if data is None and "null" in schema else _fit(branches[0], data, names)
    if isinstance(schema, str):
        whole = schema in ("long", "int") and data is not None
        return _BLANK[schema] if data is None else int(data) if whole else data
    if schema["type"] == "array":
        return [_fit(schema["items"], item, names) for item in data or ()]
    if schema["type"] == "map":
        return {key: _fit(schema["values"], value, names) for key, value in (data or {}).items()}
    return {field["name"]: _fit(field["type"], (data or {}).get(field["name"]), names) for field in schema["fields"]}
