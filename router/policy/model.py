"""The form of a policy document: pydantic models made from the wire types, so that a field is defined once.

What is a list of named things on the wire is a mapping by name in a document, which reads better and can be merged.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
import pydantic

from schemas.control import (
    Capability,
    ChannelQuality,
    Endpoint,
    HumanQueue,
    LanguageQuality,
    Policy,
    ResidencyRule,
    ThresholdRow,
)

_CONFIG = pydantic.ConfigDict(extra="forbid", strict=True)
_BOUNDS = {"gt": "gt", "ge": "ge", "lt": "lt", "le": "le", "min_length": "min_length", "max_length": "max_length"}
_NOT_WRITTEN = ("revision", "occurred_at", "changed_by", "reason")
"""What `policy apply` adds."""


@functools.cache
def document_model() -> type[pydantic.BaseModel]:
    """Return the model of a document."""
    of_agent = {
        "capabilities": _mapping(Capability, "intent"),
        "channels": _mapping(ChannelQuality, "channel"),
        "languages": _mapping(LanguageQuality, "language"),
    }
    named = {
        "endpoints": _mapping(Endpoint, "endpoint", others=of_agent),
        "queues": _mapping(HumanQueue, "queue"),
        "residency": _mapping(ResidencyRule, "customers"),
        "matrix": _mapping(ThresholdRow, "intent", "channel", "segment"),
    }
    return _model(Policy, _NOT_WRITTEN, named)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a document, for editors."""
    schema = document_model().model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Trunkline policy"}


@functools.cache
def fields_of(model: type[pydantic.BaseModel]) -> Sequence[str]:
    """Return the names of a model's fields."""
    return tuple(model.model_fields)


def _mapping(struct: type[msgspec.Struct], *names: str, others: dict[str, Any] | None = None) -> Any:
    """Return the type of a mapping by name to a wire type without its names; where one field is left, to its value."""
    hints = typing.get_type_hints(struct, include_extras=True)
    name = _converted(hints[names[0]]) if len(names) == 1 else str
    left = [hint for field, hint in hints.items() if field not in names]
    return dict[name, _converted(left[0]) if len(left) == 1 else _model(struct, names, others)]  # type: ignore[misc, valid-type]


def _model(
    struct: type[msgspec.Struct], left_out: Sequence[str] = (), others: dict[str, Any] | None = None
) -> type[pydantic.BaseModel]:
    """Return the model of a wire type, without some fields, and with other types for others."""
    hints = typing.get_type_hints(struct, include_extras=True)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        if field.name in left_out:
            continue
        other = (others or {}).get(field.name)
        kind = _converted(hints[field.name]) if other is None else other
        fields[field.name] = (kind, ... if field.required else _default(field, mapping=other is not None))
    summary = (struct.__doc__ or "").splitlines()[0]
    made: type[pydantic.BaseModel] = pydantic.create_model(
        struct.__name__, __config__=_CONFIG, __doc__=summary, **fields
    )
    return made


def _default(field: msgspec.structs.FieldInfo, *, mapping: bool) -> Any:
    if mapping:
        return pydantic.Field(default_factory=dict)
    if field.default is msgspec.NODEFAULT:
        return pydantic.Field(default_factory=field.default_factory)
    if isinstance(field.default, msgspec.Struct):
        return pydantic.Field(default_factory=_converted(type(field.default)))
    return field.default


def _converted(kind: Any) -> Any:
    """Return a type of msgspec's as one of pydantic's: bounds, descriptions and structs translated."""
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin is Annotated:
        base, *notes = arguments
        return Annotated[(_converted(base), *(_field(note) for note in notes if isinstance(note, msgspec.Meta)))]
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return _model(kind)
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(map(_converted, arguments))]  # noqa: UP007 - made of what is known at run time only
    if origin is None:
        return kind
    return origin[tuple(each if each is Ellipsis else _converted(each) for each in arguments)]


def _field(meta: msgspec.Meta) -> Any:
    bounds = {ours: getattr(meta, theirs) for theirs, ours in _BOUNDS.items() if getattr(meta, theirs) is not None}
    return pydantic.Field(description=meta.description, **bounds)
