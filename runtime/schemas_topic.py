"""The topic `schemas`: writers publish their schemas at start, readers look there before giving up."""

from __future__ import annotations

import json
import time
from typing import Any

from runtime.kafka import Reader, Writer
from runtime.settings import Settings
from schemas.avro_schema import avro_schema, fingerprint
from schemas.codec import Codec
from schemas.events import EVENT_TYPES
from schemas.topics import SCHEMAS_NAME

_WAIT_SECONDS = 0.1
_WAIT_EVERY_SECONDS = 1.0


def publish(settings: Settings, source: str) -> None:
    """Write every schema of this release, under its fingerprint in hexadecimal."""
    writer = Writer(settings, source)
    for kind in EVENT_TYPES:
        schema = avro_schema(kind)
        writer.write_bytes(SCHEMAS_NAME, fingerprint(schema).hex().encode(), json.dumps(schema).encode())
    writer.close()


def service_codec(settings: Settings, service: str) -> Codec:
    """Publish this release's schemas, and return a codec that finds those of other releases."""
    publish(settings, service)
    return Codec(PublishedSchemas(settings).fetch)


class PublishedSchemas:
    """Looks up schemas by fingerprint; follows the topic, so that one published later is found.

    A flood of unknown fingerprints must not slow the hot path: a look-up waits for new records at
    most once a second, otherwise it takes what has already come.
    """

    def __init__(self, settings: Settings) -> None:
        self._reader = Reader(settings, [SCHEMAS_NAME], start="beginning")
        self._known: dict[bytes, dict[str, Any]] = {}
        self._next_wait = 0.0
        deadline = time.monotonic() + 10.0
        while not self._reader.at_end() and time.monotonic() < deadline:
            self._take(_WAIT_SECONDS)

    def fetch(self, wanted: bytes) -> dict[str, Any] | None:
        """Return the schema with this fingerprint (8 bytes), or None."""
        if wanted not in self._known:
            waits = time.monotonic() >= self._next_wait
            if waits:
                self._next_wait = time.monotonic() + _WAIT_EVERY_SECONDS
            self._take(_WAIT_SECONDS if waits else 0.0)
        return self._known.get(wanted)

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def _take(self, timeout_seconds: float) -> None:
        for record in self._reader.read(1000, timeout_seconds):
            try:
                schema = json.loads(record.value or b"")
                key = bytes.fromhex((record.key or b"").decode())
            except ValueError:
                continue  # anyone may write to the topic: what is no schema helps nobody
            if isinstance(schema, dict):
                self._known[key] = schema
