"""What generated encoders and decoders (`schemas.codegen`) stand on: tables and memos of Avro's primitives.

An Avro long is a zigzag varint: twice the number (below zero, twice what is left of it, and one),
seven bits a byte, the lowest first, bit 7 set on all bytes but the last. Python makes that byte by
byte in half a microsecond. Here tables have what is made of the low 13 and the next 14 bits, and a
memo the bits above, which change every 134 s in a time of microseconds.

Memos are bounded: whoever floods us with names costs time, not memory. They are plain dictionaries,
which Python 3.11 looks up in 9 ns, and a subclass with `__missing__` in 21. Threads share them: an
entry depends on its key alone, so it does not matter which thread made it, or emptied the memo.
"""

from __future__ import annotations

from struct import Struct
from typing import Any, NoReturn, TypeVar

import msgspec

_Key = TypeVar("_Key")
_Entry = TypeVar("_Entry")

MOST_KEPT = 4_096
"""Entries of a memo, which is emptied beyond them: the names of 1,000 tenants with 1,000 intents, and to spare."""
LONGEST_KEPT = 256
"""Bytes of the longest key of a memo, the bound of `Name`: with its entry some 600 B, so 2.5 MB a memo at most."""
LOW, MIDDLE = 13, 14
"""Bits of a number in the first two bytes of its varint (one bit is the sign), and in the next two."""

_ENDING = [bytes((low,)) for low in range(128)]
_GOING_ON = [bytes((low | 128,)) for low in range(128)]
SECOND_BYTES = [low + high for high in _GOING_ON for low in _GOING_ON]
"""The third and fourth byte of a longer varint, by the 14 bits that they hold."""
FIRST_BYTES = SECOND_BYTES[::2]
"""The first two bytes of a longer varint, by the low 13 bits of the number."""
_LAST_BYTES = _ENDING + [low + high for high in _ENDING[1:] for low in _GOING_ON]
SMALL = _LAST_BYTES[::2]
"""The whole long, of 0 to 8,191."""

FIRST_BITS: list[int | None] = [None] * 65_536
"""The low 13 bits of a number by its first two bytes (little-endian); None where they are not of a longer one >= 0."""
SECOND_BITS: list[int | None] = [None] * 65_536
"""The next 14 bits in their place, by the third and fourth byte."""
for _high in range(128):
    _at = _high << 8 | 0x8080
    FIRST_BITS[_at : _at + 128 : 2] = range(_high << 6, (_high + 1) << 6)
    SECOND_BITS[_at : _at + 128] = range(_high << 20, (_high + 1) << 20, 1 << LOW)

TEXT_SIZES = [0] * 256
"""Bytes of a string by its first byte, that one included; 0 where the length has more bytes or is negative."""
TEXT_SIZES[:128:2] = range(1, 65)
NAME_SIZES = [0, *TEXT_SIZES[1:]]
"""The same where a text may not be empty."""
COUNTS: list[int | None] = [None] * 256
"""A number by the one byte of its long; None where it has more or is negative."""
COUNTS[:128:2] = range(64)

BOOLS = (False, True)
NULL, PRESENT = b"\0", b"\2"
"""A union's branch: null is the first, the long of 0; the other's index is 1, and the long of 1 is 2."""

text_bytes: dict[Any, bytes] = {}
optional_text_bytes: dict[Any, bytes] = {None: NULL}
map_bytes: dict[bytes, bytes] = {}
top_bytes: dict[int, bytes] = {}
text_of: dict[bytes, str] = {}
optional_text_of: dict[bytes, str] = {}
top_bits: dict[int, int] = {}

pack_double = Struct("<d").pack
packed = msgspec.msgpack.Encoder(uuid_format="bytes").encode
"""Key of a map in its memo: unlike equality it tells 1 from True and 1.0, and one order of entries from another."""


class Unusual(Exception):  # noqa: N818 - not an error: the careful path takes over
    """Generated code leaves this value to the careful path, which reads it after all or names what is wrong."""


def unusual() -> NoReturn:
    """Raise Unusual, where only an expression has room."""
    raise Unusual


def _kept(memo: dict[_Key, _Entry], key: _Key, entry: _Entry) -> _Entry:
    if len(memo) >= MOST_KEPT:
        memo.clear()
    memo[key] = entry
    return entry


def encode_rare_text(text: str) -> bytes:
    """Return the Avro string of a text that is not worth keeping."""
    body = str.encode(text)
    return SMALL[len(body)] + body


def encode_text(text: str) -> bytes:
    """Return the Avro string of a text; it is kept where it is short."""
    body = str.encode(text)
    whole = SMALL[len(body)] + body
    return _kept(text_bytes, text, whole) if type(text) is str and len(body) <= LONGEST_KEPT else whole


def encode_optional_text(text: str | None) -> bytes:
    """Return the Avro union of null and string; it is kept where it is short."""
    if text is None:
        return _kept(optional_text_bytes, None, NULL)
    body = str.encode(text)
    whole = PRESENT + SMALL[len(body)] + body
    return _kept(optional_text_bytes, text, whole) if type(text) is str and len(body) <= LONGEST_KEPT else whole


def encode_map(entries: dict[str, int]) -> bytes:
    """Return the Avro map of longs; it is kept where it is small."""
    key = packed(entries)
    if type(entries) is not dict:
        raise Unusual
    whole = b"".join([encode_text(name) + encode_long(number) for name, number in entries.items()])
    whole = SMALL[len(entries)] + whole + b"\0" if entries else b"\0"
    return _kept(map_bytes, key, whole) if len(key) <= LONGEST_KEPT else whole


def encode_long(number: int) -> bytes:
    """Return the Avro long of a number; Unusual where it has not 64 bits or is no int."""
    if type(number) is not int or not -(2**63) <= number < 2**63:
        raise Unusual
    if 0 <= number < 1 << (LOW + MIDDLE):
        return FIRST_BYTES[number & 0x1FFF] + _LAST_BYTES[number >> LOW] if number >> LOW else SMALL[number]
    rest = number << 1 ^ number >> 63
    out = bytearray()
    while rest > 127:  # noqa: PLR2004 - seven bits
        out.append(rest & 127 | 128)
        rest >>= 7
    out.append(rest)
    return bytes(out)


def encode_time(micros: int) -> bytes:
    """Return the Avro long of a time, and keep the bytes of its bits from the 27th on."""
    whole = encode_long(micros)
    top = micros >> (LOW + MIDDLE)
    if top > 0:
        _kept(top_bytes, top, whole[4:])
    return whole


def as_double(number: float) -> float:
    """Return an int as a float; Unusual for what is neither (a bool, for instance)."""
    if type(number) is not int:
        raise Unusual
    return float(number)


def framed_text(framed: bytes) -> str:
    """Return the text of an Avro string."""
    start = 1
    while framed[start - 1] > 127:  # noqa: PLR2004
        start += 1
    return framed[start:].decode()


def decode_text(framed: bytes) -> str:
    """Return the text of an Avro string; it is kept where it is short."""
    text = framed_text(framed)
    return _kept(text_of, framed, text) if len(framed) <= LONGEST_KEPT else text


def decode_optional_text(framed: bytes) -> str:
    """Return the text of an Avro union of null and string that is not null; it is kept where it is short."""
    if framed[:1] != PRESENT:
        raise Unusual
    text = framed_text(framed[1:])
    return _kept(optional_text_of, framed, text) if len(framed) <= LONGEST_KEPT else text


def decode_top(raw: int) -> int:
    """Return the bits of a number from the 27th on, in their place, from the last 4 of its 8 bytes (little-endian)."""
    if raw & 0x80808080 != 0x00808080:  # noqa: PLR2004 - the last byte ends the varint, the others go on
        raise Unusual
    bits = raw & 127 | raw >> 1 & 127 << 7 | raw >> 2 & 127 << 14 | raw >> 3 & 127 << 21
    return _kept(top_bits, raw, bits << (LOW + MIDDLE))


def read_long(value: bytes, at: int) -> tuple[int, int]:
    """Return the long at `at`, and where it ends; Unusual where it has more than nine bytes (63 bits)."""
    whole, shift = 0, 0
    while (byte := value[at]) > 127:  # noqa: PLR2004
        whole |= (byte & 127) << shift
        shift += 7
        at += 1
        if shift > 56:  # noqa: PLR2004
            raise Unusual
    whole |= byte << shift
    return whole >> 1 ^ -(whole & 1), at + 1


def read_count(value: bytes, at: int) -> tuple[int, int]:
    """Return the long at `at`, which is not negative, and where it ends."""
    first, second = value[at], value[at + 1]
    if not first & 1 and first > 127 > second:  # noqa: PLR2004 - two bytes are the rule where one is not enough
        return first >> 1 & 63 | second << 6, at + 2
    number, end = read_long(value, at)
    if number < 0:
        raise Unusual
    return number, end


def text_end(value: bytes, at: int, most: int) -> int:
    """Return where the Avro string at `at` ends; Unusual where it is empty or has more than `most` bytes."""
    size, start = read_long(value, at)
    if not 0 < size <= most:
        raise Unusual
    return start + size
