"""What generated encoders and decoders (`schemas.codegen`) stand on: tables and memos of Avro's primitives.

An Avro long is a zigzag varint: twice the number (or, below zero, what is left of it), seven bits a
byte, the lowest first, bit 7 set on all bytes but the last. Python makes one bit by bit in a
microsecond; a table has all that is made of 13 or 14 bits, and a memo the bits above, which change seldom.

Memos are bounded: whoever floods us with names costs time, not memory. They are plain dictionaries,
since Python 3.11 looks those up in 9 ns and a subclass with `__missing__` in 21. Between the look-up
that fails and the entry that is added another thread may do the same: it adds the same entry.
"""

from __future__ import annotations

import enum
from struct import Struct
from typing import Any, cast

import msgspec

from schemas.fields import LATEST

MOST_KEPT = 4_096
"""Entries of a memo, which is emptied beyond them: more than the names of 1,000 tenants with 1,000 intents."""
LONGEST_KEPT = 256
"""Bytes of the longest text (or map) in a memo, the bound of `Name`: at most 4,096 * 256 B = 1 MB a memo."""

_ENDS = [bytes((low,)) for low in range(128)]
_GOES_ON = [bytes((low | 128,)) for low in range(128)]
_NEXT = [low + high for high in _GOES_ON for low in _GOES_ON]
_FIRST = _NEXT[::2]
SMALL = _ENDS[::2] + [low + high for high in _ENDS[1:] for low in _GOES_ON[::2]]
"""The whole long of 0 to 8,191."""


class Unusual(Exception):  # noqa: N818 - no error: the careful path decides
    """Generated code leaves this value to the careful path, which has the exact reason or reads it after all."""


UNUSUAL = (Unusual, ValueError, TypeError, AttributeError, LookupError, OverflowError, msgspec.MsgspecError)
"""What a value provokes in generated code that expects the usual; struct.error is below, it has no base of its own."""

_texts: dict[Any, bytes] = {}
_optional_texts: dict[Any, bytes] = {None: b"\0"}
_maps: dict[bytes, bytes] = {}
_varints: dict[int, bytes] = {}
_read_texts: dict[bytes, str] = {}
_read_tops: dict[int, int] = {}
