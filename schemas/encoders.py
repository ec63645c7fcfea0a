"""Generated encoders: a function per event type, from the event to its Avro bytes.

The bytes are pieces of one `b"".join`. Most pieces come from a table or a memo (`schemas.generated`):
a name that was written before, an enum's value, a small number, the bits of a time that change every
134 s. Fractions that are neighbours are packed together.
"""

from __future__ import annotations

import struct
import typing
from collections.abc import Callable
from typing import Any

from schemas.codegen import Plain, Source, fields_of, has_few_values, indented, is_enum, is_event, no_code, plain
from schemas.fields import LATEST, Event
from schemas.generated import LOW, MIDDLE, NULL, PRESENT, SMALL, encode_rare_text

Encoder = Callable[[Any], bytes]

_NULL, _PRESENT = repr(NULL), repr(PRESENT)


def encoder(kind: type[Event], header: bytes) -> Encoder:
    """Return a function from an event of this type to its bytes, header first.

    It raises whatever a value provokes that is not what its field says, or is and is seldom seen.
    """
    return _Encoder(header).function(kind)


class _Block:
    """Lines of a block: what comes first, look-ups with their substitutes after a KeyError, and the rest.

    All look-ups share one `try`, which costs nothing while they succeed.
    """

    def __init__(self) -> None:
        self.first: list[str] = []
        self.lookups: list[str] = []
        self.substitutes: list[str] = []
        self.rest: list[str] = []

    def lines(self) -> list[str]:
        lookups = ["try:", *indented(self.lookups), "except KeyError:", *indented(self.substitutes)]
        return [*self.first, *(lookups if self.lookups else ()), *self.rest]


class _Encoder:
    """Makes one function. `_pieces` are expressions, of bytes, that are not in `out` yet."""

    def __init__(self, header: bytes) -> None:
        self._source = Source()
        self._pieces = [self._source.constant("header", header)]
        self._doubles: list[str] = []
        self._has_out = False

    def function(self, kind: type[Event]) -> Encoder:
        block = _Block()
        self._record("value", kind, block)
        self._pack_doubles()
        pieces = f"({', '.join(self._pieces)},)"
        if self._has_out:
            self._put_out(block)
        result = "join(out)" if self._has_out else f"join({pieces})"
        encode: Encoder = self._source.compiled(f"encode_{kind.__name__}", [*block.lines(), f"return {result}"])
        return encode

    def _record(self, event: str, kind: type[Event], block: _Block) -> None:
        for name, field in fields_of(kind):
            value = self._source.local(name)
            block.first.append(f"{value} = {event}.{name}")
            if field.type is float and not field.optional:
                block.rest.append(f"if type({value}) is not float: {value} = as_double({value})")
                self._doubles.append(value)
                continue
            self._pack_doubles()
            if is_event(field.type):
                self._nested(value, field, block)
            elif typing.get_origin(field.type) is tuple:
                self._array(value, plain(typing.get_args(field.type)[0]), block)
            else:
                self._leaf(value, name, field, block)

    def _leaf(self, value: str, name: str, field: Plain, block: _Block) -> None:
        if field.type is str and has_few_values(name):
            optional = "optional_" if field.optional else ""
            self._look_up(f"{optional}text_bytes[{value}]", f"encode_{optional}text({value})", block)
        elif field.type == dict[str, int]:
            # Most maps are empty; a map of another type is not equal to a dictionary.
            known = f"{_NULL} if {value} == {{}} else map_bytes[packed({value})]"
            self._look_up(known, f"encode_map({value})", block)
        elif field.type is int and field.bounds.le == LATEST and not field.optional:
            self._time(value, block)
        elif field.type is str and not field.optional:
            body = self._source.local("body")
            block.rest.append(f"{body} = {value}.encode()")
            self._pieces += [f"SMALL[len({body})]", body]
        else:
            self._pieces.append(self._scalar(value, field))

    def _look_up(self, known: str, learned: str, block: _Block) -> None:
        piece = self._source.local("piece")
        block.lookups.append(f"{piece} = {known}")
        block.substitutes.append(f"{piece} = {learned}")
        self._pieces.append(piece)

    def _time(self, value: str, block: _Block) -> None:
        """Eight bytes as three pieces. A time before 1978 has fewer: it is in no memo, and one piece."""
        low, middle, top = (self._source.local(stem) for stem in ("low", "middle", "top"))
        block.lookups += [
            f"{top} = top_bytes[{value} >> {LOW + MIDDLE}]",
            f"{low} = FIRST_BYTES[{value} & {2**LOW - 1}]",
            f"{middle} = SECOND_BYTES[{value} >> {LOW} & {2**MIDDLE - 1}]",
        ]
        block.substitutes += [f"{low} = encode_time({value})", f"{middle} = {top} = b''"]
        self._pieces += [low, middle, top]

    def _scalar(self, value: str, field: Plain) -> str:
        """Return an expression of the bytes of a field that has no faster way."""
        mark = f"{_PRESENT} + " if field.optional else ""
        if is_enum(field.type):
            head = PRESENT if field.optional else b""
            table: dict[Any, bytes] = {each: head + encode_rare_text(each) for each in field.type}
            if field.optional:
                table[None] = NULL
            return f"{self._source.constant(field.type.__name__, table)}[{value}]"
        if field.type is bool:
            there = f"{mark}(b'\\1' if {value} is True else b'\\0' if {value} is False else unusual())"
        elif field.type is int:
            there = f"{mark}encode_long({value})"
            if not field.optional:
                there = f"SMALL[{value}] if type({value}) is int and 0 <= {value} < {len(SMALL)} else {there}"
        elif field.type is float:
            there = f"{mark}pack_double({value} if type({value}) is float else as_double({value}))"
        elif field.type is str:
            there = f"{mark}encode_rare_text({value})"
        else:
            raise no_code(field.type)
        return f"({_NULL} if {value} is None else {there})" if field.optional else f"({there})"

    def _nested(self, value: str, field: Plain, block: _Block) -> None:
        if not field.optional:
            self._record(value, field.type, block)
            return
        self._put_out(block)
        there = _Block()
        self._pieces.append(_PRESENT)
        self._record(value, field.type, there)
        self._put_out(there)
        block.rest += [f"if {value} is None: out.append({_NULL})", "else:", *indented(there.lines())]

    def _array(self, value: str, item: Plain, block: _Block) -> None:
        """One Avro block: the count, the items, and the end, which is all that an empty array has."""
        block.rest.append(f"if type({value}) is not tuple: raise Unusual")
        self._pieces.append(f"SMALL[len({value})]")
        if is_event(item.type):
            self._put_out(block)
            each, every = self._source.local("each"), _Block()
            self._record(each, item.type, every)
            self._put_out(every)
            block.rest += [f"for {each} in {value}:", *indented(every.lines())]
        else:
            self._pieces.append(f"(join([{self._item(item)} for each in {value}]) if {value} else b'')")
        self._pieces.append(rf"(b'\0' if {value} else b'')")

    def _item(self, item: Plain) -> str:
        """Return an expression of the bytes of `each`, an item of an array."""
        if item.type is str:
            return "text_bytes.get(each) or encode_text(each)"
        if item.type is int:
            return f"SMALL[each] if type(each) is int and 0 <= each < {len(SMALL)} else encode_long(each)"
        if is_enum(item.type):
            return self._scalar("each", item)
        raise no_code(item.type)

    def _pack_doubles(self) -> None:
        if self._doubles:
            pack = self._source.constant("pack", struct.Struct(f"<{len(self._doubles)}d").pack)
            self._pieces.append(f"{pack}({', '.join(self._doubles)})")
            self._doubles = []

    def _put_out(self, block: _Block) -> None:
        self._pack_doubles()
        if self._pieces:
            block.rest.append(f"out {'+=' if self._has_out else '='} [{', '.join(self._pieces)}]")
            self._has_out, self._pieces = True, []
