"""The topic `schemas`: writers publish their schemas at start, readers look there before giving up."""

from __future__ import annotations

import json
import time
from typing import Any

from runtime.kafka import Reader, Writer, partitions_of
from runtime.settings import Settings
from schemas.avro_schema import avro_schema, fingerprint
from schemas.events import EVENT_TYPES
from schemas.topics import SCHEMAS_NAME

_WAIT_SECONDS = 0.1
"""Longest wait for a schema that was published just before: a new record is here within some ms."""
_WAITS_IN_A_ROW = 5
_WAIT_EVERY_SECONDS = 1.0


def publish(settings: Settings, source: str) -> None:
    """Write every schema of this release, under its fingerprint in hexadecimal.

    Raises KafkaUnavailableError, at once where the topic is missing: a producer would wait for it.
    """
    partitions_of(settings, [SCHEMAS_NAME])
    writer = Writer(settings, source)
    for kind in EVENT_TYPES:
        schema = avro_schema(kind)
        writer.write_bytes(SCHEMAS_NAME, fingerprint(schema).hex().encode(), json.dumps(schema).encode())
    writer.close()


class PublishedSchemas:
    """Looks up schemas by fingerprint; follows the topic, so that one published later is found.

    A writer may publish and write at once, so a look-up waits for what is under way. A flood of
    unknown fingerprints must not slow the hot path: five may wait in a row, then one a second, and
    the others take what has already come.
    """

    def __init__(self, settings: Settings) -> None:
        self._reader = Reader(settings, [SCHEMAS_NAME], start="beginning")
        self._known: dict[bytes, dict[str, Any]] = {}
        self._waits_left = float(_WAITS_IN_A_ROW)
        self._last_wait = time.monotonic()
        deadline = time.monotonic() + 10.0
        while not self._reader.at_end() and time.monotonic() < deadline:
            self._take(_WAIT_SECONDS)

    def fetch(self, wanted: bytes) -> dict[str, Any] | None:
        """Return the schema with this fingerprint (8 bytes), or None."""
        if wanted in self._known:
            return self._known[wanted]
        self._take(0.0)
        if wanted not in self._known and self._may_wait():
            deadline = time.monotonic() + _WAIT_SECONDS
            while wanted not in self._known and (left := deadline - time.monotonic()) > 0.0:
                self._take(left)
        return self._known.get(wanted)

    def _may_wait(self) -> bool:
        now = time.monotonic()
        refilled = self._waits_left + (now - self._last_wait) / _WAIT_EVERY_SECONDS
        self._waits_left, self._last_wait = min(refilled, float(_WAITS_IN_A_ROW)), now
        if self._waits_left < 1.0:
            return False
        self._waits_left -= 1.0
        return True

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
