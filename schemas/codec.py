"""Bytes to events and back: Avro by fastavro, in single-object encoding.

A value is C3 01, the CRC-64-AVRO fingerprint of the writer's schema (8 bytes, little-endian),
then the Avro body (Avro 1.12 specification, "Single-object encoding"). The fingerprint tells the
event type, so a topic can carry several and needs no registry.

What an older or newer release wrote is read under its own schema and then taken into our type,
which ignores what it does not know and has the defaults for what is missing: the outcome of Avro's
schema resolution, but fastavro's resolving reader skips unknown fields past the end of a record
that was cut short.

Each type has two paths of the same outcome. Generated code (`schemas.encoders`, `schemas.decoders`)
takes what is usual, several times faster; it raises at anything else, which then goes the careful
way, by fastavro and msgspec: there the rest is handled, and errors get their reasons.
"""

from __future__ import annotations

import datetime as dt
import decimal
import io
import uuid
from collections.abc import Callable
from functools import cache
from typing import Any, NamedTuple, cast

import fastavro
import msgspec
from fastavro.validation import ValidationError as _Invalid
from fastavro.validation import validate

from schemas.avro_schema import avro_schema, fingerprint
from schemas.decoders import Decoder, decoder
from schemas.encoders import Encoder, encoder
from schemas.errors import DecodeError, EncodeError
from schemas.events import BY_NAME, EVENT_TYPES
from schemas.fields import Event
from schemas.released import released_schema

MARKER = b"\xc3\x01"
HEADER_BYTES = len(MARKER) + 8

# What msgspec would write as text or a list if it were not told to leave it, and then no schema takes.
_LEFT_ALONE = (
    bytes, bytearray, memoryview, dt.datetime, dt.date, dt.time, dt.timedelta,
    decimal.Decimal, uuid.UUID,
)  # fmt: skip

_validate: Any = validate  # its stub lacks an argument

FetchSchema = Callable[[bytes], dict[str, Any] | None]


def _no_more_schemas(_fingerprint: bytes) -> dict[str, Any] | None:
    return None


class _Own(NamedTuple):
    """An event type as we write it; its functions are made once per process."""

    kind: type[Event]
    header: bytes
    parsed: Any
    encode: Encoder
    decode: Decoder


@cache
def _own(kind: type[Event]) -> _Own:
    schema = avro_schema(kind)
    header = MARKER + fingerprint(schema)
    parsed = fastavro.parse_schema(cast(Any, schema))
    return _Own(kind, header, parsed, encoder(kind, header), decoder(kind, HEADER_BYTES))


class Codec:
    """Encodes events under their own schema; decodes what any known schema wrote.

    `released` and then `fetch_schema` are asked, once per record, for a fingerprint that is not
    known: they return the writer's schema as JSON data, or None. The first knows every version
    that was ever released, `runtime.schemas_topic` reads the topic `schemas`.
    """

    def __init__(self, fetch_schema: FetchSchema = _no_more_schemas, released: FetchSchema = released_schema) -> None:
        self._fetch_schema = fetch_schema
        self._released = released
        self._own = {kind: _own(kind) for kind in EVENT_TYPES}
        self._encoders = {own.kind: own.encode for own in self._own.values()}
        self._decoders = {own.header: (own.kind, own.decode) for own in self._own.values()}
        self._writers: dict[bytes, tuple[type[Event], Any]] = {
            own.header: (own.kind, own.parsed) for own in self._own.values()
        }

    def encode(self, event: Event) -> bytes:
        """Return the framed Avro bytes of an event.

        Raises EncodeError where a value does not fit the schema: a string or a bool for a number,
        None where there is no null, a number of more than 64 bits. Bounds are for decoders to check.
        """
        try:
            return self._encoders[type(event)](event)
        except Exception:  # noqa: BLE001 - whatever the generated code trips over, the careful path decides
            return self._encode_carefully(event)

    def decode(self, value: bytes | None, expected: tuple[type[Event], ...] | None = None) -> Event:
        """Return the event in `value`; raise DecodeError with a reason where there is none.

        expected: the types that the topic carries; another one is `unexpected_type`.
        """
        if value:
            known = self._decoders.get(value[:HEADER_BYTES])
            if known is not None and (expected is None or known[0] in expected):
                try:
                    return known[1](value)
                except Exception:  # noqa: BLE001, S110 - as in encode
                    pass
        return self._decode_carefully(value, expected)

    def header_of(self, kind: type[Event]) -> bytes:
        """Return the 10 bytes that open every value of this type that we write."""
        return self._own[kind].header

    def _encode_carefully(self, event: Event) -> bytes:
        own = self._own[type(event)]
        out = io.BytesIO()
        out.write(own.header)
        try:
            fields = msgspec.to_builtins(event, builtin_types=_LEFT_ALONE)
            # fastavro writes a bool as a number and anything as a bool, unless it is asked first.
            _validate(fields, own.parsed, disable_tuple_notation=True)
            fastavro.schemaless_writer(out, own.parsed, fields, disable_tuple_notation=True)
        except (_Invalid, ValueError, TypeError, OverflowError, KeyError) as problem:
            raise EncodeError("unencodable", f"{type(event).__name__} does not fit its schema: {problem}") from problem
        return out.getvalue()

    def _decode_carefully(self, value: bytes | None, expected: tuple[type[Event], ...] | None) -> Event:
        if not value:
            raise DecodeError("empty", "the record has no value: a tombstone means nothing on this topic")
        if value[:2] != MARKER or len(value) < HEADER_BYTES:
            raise DecodeError(
                "unknown_framing",
                f"a value starts with c301 and an 8-byte schema fingerprint, this one with {value[:10].hex()}",
            )
        kind, writer = self._writer_of(value[:HEADER_BYTES])
        if expected is not None and kind not in expected:
            names = ", ".join(sorted(e.__name__ for e in expected))
            raise DecodeError("unexpected_type", f"{kind.__name__} does not belong here: the topic carries {names}")
        body = io.BytesIO(value)
        body.seek(HEADER_BYTES)
        try:
            fields = fastavro.schemaless_reader(body, writer, None)
        except Exception as problem:  # fastavro raises whatever the bytes provoke
            raise DecodeError("truncated", f"the Avro body of {kind.__name__} cannot be read: {problem!r}") from problem
        if body.tell() != len(value):
            raise DecodeError(
                "truncated", f"{len(value) - body.tell()} bytes are left after the Avro body of {kind.__name__}"
            )
        try:
            return msgspec.convert(fields, kind)
        except msgspec.ValidationError as problem:
            raise DecodeError("invalid_fields", f"{kind.__name__} is not valid: {problem}") from problem

    def _writer_of(self, header: bytes) -> tuple[type[Event], Any]:
        known = self._writers.get(header)
        if known is not None:
            return known
        fetched = self._released(header[2:]) or self._fetch_schema(header[2:])
        name = str(fetched.get("name", "")) if fetched else ""
        kind = BY_NAME.get(name.rpartition(".")[2])
        if fetched is None or kind is None:
            raise DecodeError(
                "unknown_schema",
                f"no schema with fingerprint {header[2:].hex()} is known or published on the topic 'schemas': "
                "publish the writer's schema there, or write with a schema of this release",
            )
        try:
            parsed = fastavro.parse_schema(cast(Any, fetched))
        except Exception as problem:  # fastavro raises whatever the schema provokes
            raise DecodeError(
                "unknown_schema", f"the schema published under {header[2:].hex()} is no Avro schema: {problem!r}"
            ) from problem
        entry = (kind, parsed)
        self._writers[header] = entry
        return entry
