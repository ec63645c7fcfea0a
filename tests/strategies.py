"""Hypothesis strategies of every event, built from the types themselves and the bounds they state."""

from __future__ import annotations

import enum
import types
import typing
from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from hypothesis import strategies as st

from schemas.events import EVENT_TYPES
from schemas.fields import Event

LONGEST_TEXT = 12
MOST_ITEMS = 3
_LONG = 2**63


@cache
def events(kind: type[Event]) -> st.SearchStrategy[Any]:
    """Valid events of one type."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{field.name: _values(hints[field.name]) for field in msgspec.structs.fields(kind)})


def any_events(kinds: Sequence[type[Event]] = EVENT_TYPES) -> st.SearchStrategy[Any]:
    """Valid events of any of these types."""
    return st.sampled_from(kinds).flatmap(events)


def _values(hint: Any, bounds: msgspec.Meta | None = None) -> st.SearchStrategy[Any]:  # noqa: PLR0911 - one per kind
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin is typing.Annotated:
        return _values(args[0], next(m for m in hint.__metadata__ if isinstance(m, msgspec.Meta)))
    if origin in (typing.Union, types.UnionType):
        return st.one_of(*[st.none() if arg is type(None) else _values(arg) for arg in args])
    least = (bounds.min_length if bounds else None) or 0
    if origin is tuple:
        return st.lists(_values(args[0]), min_size=least, max_size=MOST_ITEMS).map(tuple)
    if origin is dict:
        return st.dictionaries(_values(args[0]), _values(args[1]), max_size=MOST_ITEMS)
    if issubclass(hint, enum.Enum):
        return st.sampled_from(hint)
    if issubclass(hint, Event):
        return events(hint)
    if hint is str:
        return st.text(min_size=least, max_size=LONGEST_TEXT)
    if hint is bool:
        return st.booleans()
    return _numbers(hint, bounds or msgspec.Meta())


def _numbers(hint: Any, bounds: msgspec.Meta) -> st.SearchStrategy[Any]:
    if hint is int:
        return st.integers(-_LONG if bounds.ge is None else bounds.ge, _LONG - 1 if bounds.le is None else bounds.le)
    assert hint is float, f"no strategy for {hint!r}"
    return st.floats(
        bounds.ge if bounds.gt is None else bounds.gt,
        bounds.le if bounds.lt is None else bounds.lt,
        exclude_min=bounds.gt is not None,
        exclude_max=bounds.lt is not None,
        allow_nan=False,
        allow_infinity=False,
    )
