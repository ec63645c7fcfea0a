"""The Avro files are what the types say, and Apache Avro's own library takes them."""

from __future__ import annotations

import json
from typing import Any

import avro.schema
import msgspec
import pytest
from hypothesis import given, settings

from schemas.avro_schema import FOLDER, avro_schema, fingerprint
from schemas.codec import Codec
from schemas.events import EVENT_TYPES
from schemas.fields import Event
from tests.avro_data import seen_by, written_under
from tests.strategies import any_events

OLDER: dict[bytes, Any] = {}
CODEC = Codec(released=OLDER.get)


def test_there_is_one_file_per_event_type() -> None:
    assert {path.stem for path in FOLDER.glob("*.avsc")} == {kind.__name__ for kind in EVENT_TYPES}, (
        "run `make schemas`"
    )


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_a_file_says_what_its_type_says(kind: type[Event]) -> None:
    written = json.loads((FOLDER / f"{kind.__name__}.avsc").read_text(encoding="utf-8"))
    assert written == avro_schema(kind), "run `make schemas`"


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_apache_avro_takes_the_schema(kind: type[Event]) -> None:
    avro.schema.parse(json.dumps(avro_schema(kind)))


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
def test_every_record_says_what_it_is(kind: type[Event]) -> None:
    assert avro_schema(kind)["doc"], f"{kind.__name__} has no docstring"


@settings(max_examples=50, deadline=None)
@given(event=any_events())
def test_a_record_from_before_any_optional_field_gets_the_defaults_of_the_type(event: Event) -> None:
    kind = type(event)
    old = _required_only(avro_schema(kind))
    OLDER[fingerprint(old)] = old
    decoded: Any = CODEC.decode(written_under(old, event))
    assert seen_by(old, decoded) == seen_by(old, event)
    for field in msgspec.structs.fields(kind):
        if field.default is not msgspec.NODEFAULT:
            assert getattr(decoded, field.name) == field.default
        elif field.default_factory is not msgspec.NODEFAULT:
            assert getattr(decoded, field.name) == field.default_factory()


def _required_only(schema: Any) -> Any:
    """The schema without any field, however deep, that has a default."""
    if isinstance(schema, list):
        return [_required_only(branch) for branch in schema]
    if isinstance(schema, dict) and "fields" in schema:
        kept = [field for field in schema["fields"] if "default" not in field]
        return {**schema, "fields": [{**field, "type": _required_only(field["type"])} for field in kept]}
    if isinstance(schema, dict):
        return {key: _required_only(value) if key in ("items", "values") else value for key, value in schema.items()}
    return schema
