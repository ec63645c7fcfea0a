"""What the API answers: models made from the event types, so that field names cannot drift apart.

Names are the events' own; an instant in microseconds becomes an ISO 8601 time in UTC.
"""

from __future__ import annotations

import datetime as dt
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Generic, TypeVar

import msgspec
from pydantic import BaseModel, ConfigDict, Field, create_model

from schemas.fields import Event
from wfm_bridge.store import is_micros

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_TIME = "UTC, ISO 8601"

T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """One page of a view."""

    items: list[T] = Field(description="the rows of this page, in the view's order")
    total: int = Field(description="rows that match the filters, on all pages")
    limit: int = Field(description="rows a page holds at most")
    offset: int = Field(description="rows before this page")
    next_offset: int | None = Field(description="`offset` of the next page; null on the last")
    next: str | None = Field(
        description="path of the next page, which rows that come or go do not move; null on the last"
    )


class Fault(BaseModel):
    """One of several things that are wrong with what was sent."""

    line: int | None = Field(default=None, description="line of the CSV, from 1, the header's")
    field: str | None = Field(default=None, description="column of the CSV, or field of the JSON; null: all of it")
    detail: str = Field(description="what is wrong")
    remedy: str = Field(description="what to do")


class Problem(BaseModel):
    """An error, in the form of RFC 9457, with the input at fault and what to do about it."""

    model_config = ConfigDict(json_schema_extra={"description": "RFC 9457 problem object"})

    type: str = Field(default="about:blank", description="about:blank: the status says it all")
    title: str = Field(description="the status in words")
    status: int = Field(description="HTTP status")
    detail: str = Field(description="what was wrong")
    input: str = Field(description="the input at fault, as it was given")
    remedy: str = Field(description="what to do")
    errors: list[Fault] | None = Field(default=None, description="each thing that is wrong, where there are several")


def to_micros(instant: dt.datetime) -> int:
    """Return UTC microseconds since 1970; a time without an offset is taken as UTC."""
    aware = instant if instant.tzinfo is not None else instant.replace(tzinfo=dt.UTC)
    return (aware - _EPOCH) // _MICROSECOND


def to_datetime(micros: int) -> dt.datetime:
    """Return the instant, exactly; raises OverflowError beyond the year 9999."""
    return _EPOCH + dt.timedelta(microseconds=micros)


@cache
def model_of(kind: type[Event]) -> type[BaseModel]:
    """Return the response model of an event type."""
    hints = typing.get_type_hints(kind, include_extras=True)
    fields: dict[str, Any] = {}
    for field in msgspec.structs.fields(kind):
        hint = hints[field.name]
        fields[field.name] = (_answer_type(hint), Field(description=_description(hint)))
    return create_model(kind.__name__, __doc__=kind.__doc__, **fields)


def page_of(kind: type[Event]) -> Any:
    """Return the response model of a page of events of this type."""
    return Page.__class_getitem__(model_of(kind))


def to_answer(event: Event) -> dict[str, Any]:
    """Return an event as data for its response model."""
    return {name: convert(getattr(event, name)) for name, convert in _converters(type(event))}


@cache
def _converters(kind: type[Event]) -> tuple[tuple[str, Callable[[Any], Any]], ...]:
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple((f.name, _time if is_micros(hints[f.name]) else _value) for f in msgspec.structs.fields(kind))


def _time(value: int | None) -> dt.datetime | None:
    return None if value is None else to_datetime(value)


def _value(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(map(_value, value))
    return to_answer(value) if isinstance(value, Event) else value


def _answer_type(hint: Any) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if is_micros(hint):
        optional = type(None) in args
        return dt.datetime | None if optional else dt.datetime
    if origin is typing.Annotated:
        return args[0]
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(_answer_type(a) for a in args)]  # noqa: UP007 - the members are data
    if origin is tuple:
        return tuple.__class_getitem__((_answer_type(args[0]), ...))
    if isinstance(hint, type) and issubclass(hint, Event):
        return model_of(hint)
    return hint


def _description(hint: Any) -> str | None:
    if is_micros(hint):
        return _TIME
    candidates = (hint, *typing.get_args(hint))
    for candidate in candidates:
        for meta in getattr(candidate, "__metadata__", ()):
            if isinstance(meta, msgspec.Meta) and meta.description:
                return meta.description
    return None
