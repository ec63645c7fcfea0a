"""The form of a policy document: pydantic models made from the wire types, so that a field is defined once.

What is a list of named things on the wire is a mapping by name in a document, which reads better and can be merged.
"""

from __future__ import annotations

import functools
import types
import typing
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, NamedTuple

import msgspec
import pydantic

from schemas.control import (
    BreakerPolicy,
    Capability,
    ChannelQuality,
    Endpoint,
    HumanQueue,
    LanguageQuality,
    Policy,
    ResidencyRule,
    ThresholdRow,
)
from schemas.rules import (
    ChannelAnswer,
    ChannelLatency,
    ChannelNotice,
    ComplianceRule,
    IntentRule,
    Limit,
    Opening,
    PhaseRule,
    Phrasing,
    SegmentPriority,
    Spillover,
    SupervisionPolicy,
    Targets,
)

_CONFIG = pydantic.ConfigDict(extra="forbid", strict=True)
_BOUNDS = ("gt", "ge", "lt", "le", "min_length", "max_length")
"""Of msgspec's Meta and of pydantic's Field alike."""
NOT_WRITTEN = ("revision", "occurred_at", "changed_by", "reason")
"""What `policy apply` adds."""
ROW = ("intent", "channel", "segment")
"""What names a row of the matrix, in this order."""


class Named(NamedTuple):
    """A list on the wire that is a mapping in a document, by the field `key` of its items."""

    field: str
    item: type[msgspec.Struct]
    key: str

    @property
    def value(self) -> str | None:
        """The one field that an item has besides its key: then the mapping is to that. None where there are more."""
        left = [name for name in self.item.__struct_fields__ if name != self.key]
        return left[0] if len(left) == 1 else None


_BY_FIT = (
    Named("capabilities", Capability, "intent"),
    Named("channels", ChannelQuality, "channel"),
    Named("languages", LanguageQuality, "language"),
)
NAMED: Mapping[Any, tuple[Named, ...]] = {
    Policy: (
        Named("endpoints", Endpoint, "endpoint"),
        Named("queues", HumanQueue, "queue"),
        Named("residency", ResidencyRule, "customers"),
        Named("intents", IntentRule, "intent"),
        Named("compliance", ComplianceRule, "rule"),
        Named("limits", Limit, "limit"),
        Named("phrasings", Phrasing, "language"),
    ),
    Endpoint: _BY_FIT,
    HumanQueue: (*_BY_FIT, Named("hours", Opening, "days")),
    SupervisionPolicy: (Named("phases", PhaseRule, "phase"),),
    Spillover: (
        Named("channels", ChannelAnswer, "channel"),
        Named("priorities", SegmentPriority, "segment"),
        Named("notices", ChannelNotice, "channel"),
    ),
    BreakerPolicy: (),
    Targets: (Named("latency", ChannelLatency, "channel"),),
}
"""By the wire type whose fields they are; also those that hold such types, and have none themselves."""


@functools.cache
def document_model() -> type[pydantic.BaseModel]:
    """Return the model of a document."""
    return _model(Policy, NOT_WRITTEN)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a document, for editors."""
    schema = document_model().model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "Trunkline policy"}


@functools.cache
def fields_of(model: type[pydantic.BaseModel]) -> Sequence[str]:
    """Return the names of a model's fields."""
    return tuple(model.model_fields)


def _mapping(named: Named) -> Any:
    """Return the type of a mapping by name."""
    hints = typing.get_type_hints(named.item, include_extras=True)
    value = _model(named.item, (named.key,)) if named.value is None else _converted(hints[named.value])
    return dict[_converted(hints[named.key]), value]  # type: ignore[misc]


def _mappings(struct: type[msgspec.Struct]) -> dict[str, Any]:
    """Return the fields of a wire type that are mappings in a document, with their types."""
    made = {each.field: _mapping(each) for each in NAMED.get(struct, ())}
    if struct is Policy:
        made["matrix"] = dict[str, _model(ThresholdRow, ROW)]  # type: ignore[misc]
    return made


def _model(struct: type[msgspec.Struct], left_out: Sequence[str] = ()) -> type[pydantic.BaseModel]:
    """Return the model of a wire type, without some fields."""
    hints = typing.get_type_hints(struct, include_extras=True)
    mappings = _mappings(struct)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(struct):
        if field.name in left_out:
            continue
        mapping = mappings.get(field.name)
        kind = _converted(hints[field.name]) if mapping is None else mapping
        fields[field.name] = (kind, ... if field.required else _default(field, mapping=mapping is not None))
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
    bounds = {name: bound for name in _BOUNDS if (bound := getattr(meta, name)) is not None}
    return pydantic.Field(description=meta.description, **bounds)
