"""Generated decoders: a function per event type, from Avro bytes to the event.

It follows the bytes with an index. A length of one byte is the rule, text comes from a memo of what
was read before, neighbours of fixed size (fractions, times of eight bytes) are unpacked together.
Every bound of a field is checked, and that the event ends where the bytes do: then no text before
was cut short either, since each begins where the one before it ends.
"""

from __future__ import annotations

import struct
import typing
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec

from schemas.codegen import Plain, Source, fields_of, has_few_values, indented, is_enum, is_event, no_code, plain
from schemas.fields import LATEST, Event
from schemas.generated import NULL, PRESENT, encode_rare_text

Decoder = Callable[[bytes], Event]

_MOST = 2**62
"""No text is as long, and no longer varint is read here."""
_UNUSUAL = "raise Unusual"


def decoder(kind: type[Event], header_bytes: int) -> Decoder:
    """Return a function from bytes to the event of this type whose body begins after the header.

    It raises whatever bytes provoke that are no such event, or are and are seldom seen.
    """
    return _Decoder(header_bytes).function(kind)


class _Fixed(NamedTuple):
    """A field of eight bytes: its part of a struct format, the names unpacked, what is made of them."""

    format: str
    names: list[str]
    lines: list[str]


class _Decoder:
    """Makes one function. The next byte is at `_base` (a local variable, or nothing) `+ _plus`."""

    def __init__(self, header_bytes: int) -> None:
        self._source = Source()
        self._lines: list[str] = []
        self._base, self._plus = "", header_bytes
        self._fixed: list[_Fixed] = []
        self._known: list[tuple[str, str, str]] = []

    def function(self, kind: type[Event]) -> Decoder:
        event = self._record(kind)
        lines = [*self._lines, f"if {self._at()} != len(value): {_UNUSUAL}", f"return {event}"]
        decode: Decoder = self._source.compiled(f"decode_{kind.__name__}", lines)
        return decode

    def _at(self, more: int = 0) -> str:
        """Return the expression of a place, so many bytes from the next; all before it is read."""
        self._unpack_fixed()
        plus = self._plus + more
        if not self._base:
            return str(plus)
        return f"{self._base} + {plus}" if plus else self._base

    def _go_to(self, base: str) -> None:
        self._base, self._plus = base, 0

    def _block(self, write: Callable[[], None]) -> list[str]:
        """Return the lines of a block; the texts that it reads are looked up in it."""
        outer, self._lines = self._lines, []
        known, self._known = self._known, []
        write()
        self._unpack_fixed()
        self._look_up()
        inner, self._lines, self._known = self._lines, outer, known
        return inner

    def _record(self, kind: type[Event]) -> str:
        """Read a record; return the expression of the event."""
        made = [(name, self._field(name, field)) for name, field in fields_of(kind)]
        self._unpack_fixed()
        self._look_up()
        arguments = ", ".join(f"{name}={local}" for name, local in made)
        return f"{self._source.constant(kind.__name__, kind)}({arguments})"

    def _field(self, name: str, field: Plain) -> str:
        """Read a field; return the local variable that has it."""
        local = self._source.local(name)
        if field.optional:
            self._union(local, name, field._replace(optional=False))
        else:
            self._value(local, name, field)
        return local

    def _union(self, local: str, name: str, field: Plain) -> None:
        """Read a union. Text and enums are looked up with the branch, so theirs is checked with them."""
        end, place = self._source.local("end"), self._at()
        absent = [f"{local} = None", f"{end} = {self._at(1)}"]

        def there() -> None:
            if is_enum(field.type):
                self._enum(local, field.type, PRESENT)
            elif field.type is str and has_few_values(name):
                self._known_text(local, field, PRESENT)
            else:
                self._lines.append(f"if value[{place}] != 2: {_UNUSUAL}")
                self._plus += 1
                self._value(local, name, field)
            self._lines.append(f"{end} = {self._at()}")

        present = self._block(there)
        self._lines += [f"if value[{place}]:", *indented(present), "else:", *indented(absent)]
        self._go_to(end)

    def _value(self, local: str, name: str, field: Plain) -> None:
        origin = typing.get_origin(field.type)
        if field.type is float or (field.type is int and field.bounds.le == LATEST):
            self._fixed.append(self._time(local) if field.type is int else self._double(local, field))
        elif field.type is int:
            self._long(local, field)
        elif field.type is bool:
            self._lines.append(f"{local} = BOOLS[value[{self._at()}]]")
            self._plus += 1
        elif field.type is str:
            self._text(local, name, field)
        elif is_event(field.type):
            self._lines.append(f"{local} = {self._record(field.type)}")
        elif origin is tuple:
            self._array(local, name, field)
        elif origin is dict:
            self._map(local, name, field)
        elif is_enum(field.type):
            self._enum(local, field.type)
        else:
            raise no_code(field.type)

    def _double(self, local: str, field: Plain) -> _Fixed:
        bounds = field.bounds
        least = f"{bounds.ge!r} <= " if bounds.ge is not None else f"{bounds.gt!r} < " if bounds.gt is not None else ""
        most = f" <= {bounds.le!r}" if bounds.le is not None else f" < {bounds.lt!r}" if bounds.lt is not None else ""
        check = f"if not {least}{local}{most}: {_UNUSUAL}"
        return _Fixed("d", [local], [check] if least or most else [])

    def _time(self, local: str) -> _Fixed:
        """Eight bytes, from 1978 to 3111: at least 0 and at most LATEST; another time is unusual."""
        low, middle, top = (self._source.local(stem) for stem in ("low", "middle", "top"))
        made = f"{local} = FIRST_BITS[{low}] + SECOND_BITS[{middle}] + (top_bits.get({top}) or decode_top({top}))"
        return _Fixed("HHI", [low, middle, top], [made])

    def _unpack_fixed(self) -> None:
        if not self._fixed:
            return
        fixed, self._fixed = self._fixed, []
        form = struct.Struct("<" + "".join(each.format for each in fixed))
        unpack = self._source.constant("unpack", form.unpack_from)
        names = ", ".join(name for each in fixed for name in each.names)
        self._lines.append(f"{names}, = {unpack}(value, {self._at()})")
        for each in fixed:
            self._lines += each.lines
        self._plus += form.size

    def _long(self, local: str, field: Plain) -> None:
        least, most = field.bounds.ge, field.bounds.le
        end, place = self._source.local("end"), self._at()
        if least is not None and least >= 0:
            self._lines += [
                f"{local} = COUNTS[value[{place}]]",
                f"if {local} is None: {local}, {end} = read_count(value, {place})",
                f"else: {end} = {self._at(1)}",
            ]
        else:
            self._lines.append(f"{local}, {end} = read_long(value, {place})")
        if least:
            self._lines.append(f"if {local} < {least}: {_UNUSUAL}")
        if most is not None:
            self._lines.append(f"if {local} > {most}: {_UNUSUAL}")
        self._go_to(end)

    def _size(self, field: Plain, before: int = 0) -> tuple[str, str, str]:
        """Look up the size of a text; return its local variable, where the text ends, and the end of a longer one.

        A text of so many bytes has at most as many characters, which is what the bound counts.
        """
        size, place = self._source.local("size"), self._at(before)
        sizes = "NAME_SIZES" if field.bounds.min_length else "TEXT_SIZES"
        self._lines.append(f"{size} = {sizes}[value[{place}]]")
        return size, f"{place} + {size}", f"text_end(value, {place}, {field.bounds.max_length or _MOST})"

    def _text(self, local: str, name: str, field: Plain) -> None:
        if has_few_values(name):
            self._known_text(local, field)
            return
        size, near, far = self._size(field)
        end, place = self._source.local("end"), self._at()
        short = [f"{end} = {near}", f"{local} = value[{self._at(1)}:{end}].decode()"]
        longer = [f"{end} = {far}", f"{local} = framed_text(value[{place}:{end}])"]
        self._lines += [f"if {size}:", *indented(short), "else:", *indented(longer)]
        self._go_to(end)

    def _known_text(self, local: str, field: Plain, branch: bytes = b"") -> None:
        size, near, far = self._size(field, len(branch))
        end, framed = self._source.local("end"), self._source.local("framed")
        self._lines += [f"{end} = {near} if {size} else {far}", f"{framed} = value[{self._at()}:{end}]"]
        self._known.append((local, "optional_" if branch else "", framed))
        self._go_to(end)

    def _look_up(self) -> None:
        """Take texts from the memo. All share one `try`, which costs nothing while they are there."""
        if self._known:
            known = [f"{local} = {memo}text_of[{framed}]" for local, memo, framed in self._known]
            learned = [f"{local} = decode_{memo}text({framed})" for local, memo, framed in self._known]
            self._lines += ["try:", *indented(known), "except KeyError:", *indented(learned)]
            self._known = []

    def _enum(self, local: str, kind: Any, branch: bytes = b"") -> None:
        table = {branch + encode_rare_text(each): each for each in kind}
        end, place = self._source.local("end"), self._at(len(branch))
        self._lines += [
            f"{end} = {place} + TEXT_SIZES[value[{place}]]",
            f"{local} = {self._source.constant(kind.__name__, table)}[value[{self._at()}:{end}]]",
        ]
        self._go_to(end)

    def _array(self, local: str, name: str, field: Plain) -> None:
        item = plain(typing.get_args(field.type)[0])
        self._lines.append(f"{local} = []")
        each = self._source.local("each")

        def write() -> None:
            self._value(each, name, item)

        self._blocks(write, f"{local}.append({each})")
        if field.bounds.min_length:
            self._lines.append(f"if len({local}) < {field.bounds.min_length}: {_UNUSUAL}")
        self._lines.append(f"{local} = tuple({local})")

    def _map(self, local: str, name: str, field: Plain) -> None:
        """Read a map. The bytes of the one before tell where such a map ends, so the same map is a copy of that one."""
        keys, values = map(plain, typing.get_args(field.type))
        last = self._source.constant("last", [(NULL, {})])
        start, end = self._source.local("start"), self._source.local("end")
        seen, entries = self._source.local("seen"), self._source.local("entries")
        key, each = self._source.local("key"), self._source.local("each")

        def write() -> None:
            self._value(key, name, keys)
            self._value(each, name, values)

        def read() -> None:
            self._lines.append(f"{local} = {{}}")
            self._blocks(write, f"{local}[{key}] = {each}")
            self._lines.append(f"{end} = {self._at()}")
            self._lines.append(f"if {end} - {start} <= LONGEST_KEPT: {last}[0] = value[{start}:{end}], {local}.copy()")

        self._lines += [f"{start} = {self._at()}", f"{seen}, {entries} = {last}[0]"]
        self._go_to(start)
        again = [f"{local} = {entries}.copy()", f"{end} = {start} + len({seen})"]
        fresh = self._block(read)
        self._lines += [f"if value.startswith({seen}, {start}):", *indented(again), "else:", *indented(fresh)]
        self._go_to(end)

    def _blocks(self, write: Callable[[], None], keep: str) -> None:
        """Read one Avro block and the end, which is all that an empty container has."""
        count = self._source.local("count")
        self._long(count, Plain(int, msgspec.Meta(ge=0), optional=False))
        place = self._base
        body = self._block(write)
        body += [keep, f"{place} = {self._at()}"]
        self._go_to(place)
        ending = [f"if value[{place}]: {_UNUSUAL}", f"{place} += 1"]
        loop = [f"for _ in range({count}):", *indented(body), *ending]
        self._lines += [f"if {count}:", *indented(loop)]
