"""What `schemas.encoders` and `schemas.decoders` share: event types taken apart, source text made a function.

The derivation is that of `schemas.avro_schema`: fields in their order, the same Python types. The
generated code handles what is usual and leaves the rest to the careful path of `schemas.codec`, by
raising whatever it trips over: a value of another type, a byte that starts no such value, a bound
that is not kept. So it needs no reasons of its own, and what it does take means what fastavro and
msgspec make of it (`tests/property/test_codec.py` holds the two paths together).
"""

from __future__ import annotations

import enum
import itertools
import types
import typing
from functools import cache
from typing import Any, NamedTuple

import msgspec

from schemas import generated
from schemas.errors import SchemaError
from schemas.fields import Event

_MANY_VALUES = frozenset(
    {
        *("interaction_id", "decision_id", "first_decision_id", "customer_id", "handoff_id"),
        *("text", "customer_text", "agent_text", "assessment", "detail", "reason", "why", "value"),
    }
)
"""Text fields whose values seldom come again: a memo would only be filled and emptied."""

_ALL_BOUNDS = ("gt", "ge", "lt", "le", "multiple_of", "pattern", "min_length", "max_length", "tz")
_CHECKED: dict[Any, set[str]] = {
    int: {"ge", "le"},
    float: {"gt", "ge", "lt", "le"},
    str: {"min_length", "max_length"},
    tuple: {"min_length"},
}
"""Bounds that the generated decoders check, by type."""
_SHORT = 63
"""Bytes of the longest text whose length is one byte: no bound is checked on those but that they are not empty."""


class Plain(NamedTuple):
    """A field's type without its wrapping: `X | None` is optional, the bounds are those of `msgspec.Meta`."""

    type: Any
    bounds: msgspec.Meta
    optional: bool


def plain(hint: Any) -> Plain:
    """Return a type without Annotated and None; raise SchemaError where it has no generated code."""
    optional, bounds = False, msgspec.Meta()
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        hints = [arg for arg in typing.get_args(hint) if arg is not type(None)]
        if len(hints) != 1:
            raise no_code(hint)
        hint, optional = hints[0], True
    if typing.get_origin(hint) is typing.Annotated:
        stated = [m for m in hint.__metadata__ if isinstance(m, msgspec.Meta)]
        if len(stated) > 1:
            raise no_code(hint)
        bounds = stated[0] if stated else bounds
        hint = typing.get_args(hint)[0]
    _check(hint, bounds)
    return Plain(hint, bounds, optional)


def _check(hint: Any, bounds: msgspec.Meta) -> None:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    stated = {name for name in _ALL_BOUNDS if getattr(bounds, name) is not None}
    if stated - _CHECKED.get(origin or hint, set()):
        raise no_code(bounds)
    if hint is str and ((bounds.min_length or 0) > 1 or (bounds.max_length or _SHORT) < _SHORT):
        raise no_code(bounds)
    if origin is dict and hint != dict[str, int]:
        raise no_code(hint)
    if origin is tuple and (args[1:] != (...,) or plain(args[0]).optional):
        raise no_code(hint)


@cache
def fields_of(kind: type[Event]) -> tuple[tuple[str, Plain], ...]:
    """Return name and type of each field, in the order of the wire."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple((name, plain(hints[name])) for name in kind.__struct_fields__)


def is_event(hint: Any) -> bool:
    """Tell whether a type is a record of its own."""
    return isinstance(hint, type) and issubclass(hint, Event)


def is_enum(hint: Any) -> bool:
    """Tell whether a type is an enum of texts."""
    return isinstance(hint, type) and issubclass(hint, enum.StrEnum)


def has_few_values(name: str) -> bool:
    """Tell whether the texts of a field come again and again, and are worth a memo."""
    return name not in _MANY_VALUES


def no_code(hint: Any) -> SchemaError:
    """Return the error of a type that has no generated code."""
    return SchemaError(f"no generated code for {hint!r}: teach schemas/encoders.py and schemas/decoders.py the type")


def indented(lines: list[str]) -> list[str]:
    """Return lines of source one level deeper."""
    return ["    " + line for line in lines]


class Source:
    """The source text of one function of `value`, and what it names besides `schemas.generated`."""

    def __init__(self) -> None:
        self._numbers = itertools.count()
        self._constants: dict[str, Any] = {}

    def local(self, stem: str) -> str:
        """Return the name of a new local variable."""
        return f"{stem}_{next(self._numbers)}"

    def constant(self, stem: str, entry: Any) -> str:
        """Return the name of a constant; an object that has one keeps it."""
        for name, known in self._constants.items():
            if known is entry:
                return name
        name = f"{stem}_{next(self._numbers)}".upper()
        self._constants[name] = entry
        return name

    def compiled(self, name: str, lines: list[str]) -> Any:
        """Return the function of these lines."""
        text = "\n".join([f"def {name}(value):", *indented(lines)])
        namespace = {**vars(generated), **self._constants, "join": b"".join}
        # The text is made of our own types and the names of their fields, of nothing from outside.
        exec(compile(text, f"<{name}>", "exec"), namespace)  # noqa: S102
        return namespace[name]
