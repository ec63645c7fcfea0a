"""What WFM was told last of an agent, found on `wfm.events` among the records of contacts."""

from __future__ import annotations

import time
from typing import NamedTuple

from processors.breakers.reading import Breakers
from runtime.kafka import Reader, partitions_of
from runtime.offsets import offsets_at
from runtime.partitioner import partition_of
from schemas.codec import Codec
from schemas.errors import RecordError
from schemas.topics import WFM_EVENTS
from schemas.wfm import Impact

_READ_RECORDS = 5_000
_LOOK_BACK_SECONDS = 60
"""Brokers stamp a record some milliseconds after its instant; hosts' clocks differ by less than this."""
_NEVER_MOVED_SECONDS = 86_400
"""How far back to look where it has never moved: maintenance is told no longer ahead than a day."""
_PATIENCE_SECONDS = 15.0


class Told(NamedTuple):
    """The impact of the highest epoch, None where there is none; `to_end`: all was read, so there is no later one."""

    impact: Impact | None
    to_end: bool


def last_impact(breakers: Breakers, tenant: str, endpoint: str) -> Told:
    """Return what WFM was told last of an agent, from its last transition on. Raises KafkaUnavailableError."""
    settings = breakers.settings
    moved = [
        last.occurred_at
        for version in (None, *breakers.versions(tenant, endpoint))
        if (last := next(breakers.of(tenant, endpoint, version).newest_first(), None)) is not None
    ]
    since = max(moved, default=breakers.now - _NEVER_MOVED_SECONDS * 1_000_000)
    places = partitions_of(settings, [WFM_EVENTS.name])
    place = places[partition_of(tenant.encode(), len(places))]
    reader = Reader(settings, [WFM_EVENTS.name], start=None, partition=place[1])
    try:
        reader.restart(offsets_at(settings, [place], breakers.real(since) - _LOOK_BACK_SECONDS * 1_000_000))
        return _highest(reader, breakers.codec, tenant, endpoint)
    finally:
        reader.close()


def _highest(reader: Reader, codec: Codec, tenant: str, endpoint: str) -> Told:
    found: Impact | None = None
    name = endpoint.encode()
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not reader.at_end() and time.monotonic() < deadline:
        for record in reader.read(_READ_RECORDS, 0.2):
            if not record.value or name not in record.value:
                continue  # a contact's record, by far the most of them: not worth decoding
            try:
                event = codec.decode(record.value)
            except RecordError:
                continue  # a dead letter
            if isinstance(event, Impact) and (event.tenant, event.endpoint) == (tenant, endpoint):
                found = event if found is None or event.epoch >= found.epoch else found
    return Told(found, reader.at_end())
