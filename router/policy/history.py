"""All policies that were ever applied, from the topic `policy`, which is kept for ever."""

from __future__ import annotations

import time
from typing import NamedTuple

from runtime.errors import KafkaUnavailableError
from runtime.kafka import Reader
from runtime.schemas_topic import PublishedSchemas
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.control import Policy
from schemas.errors import RecordError
from schemas.topics import POLICY


class Applied(NamedTuple):
    """A policy and the offset of its record, which is the epoch that decisions name."""

    policy: Policy
    offset: int


def read_history(settings: Settings, timeout_seconds: float = 30.0) -> dict[str, list[Applied]]:
    """Return tenant -> its policies, the first first; what is invalid was never in effect and is left out.

    A tombstone ends a tenant's policy, not its history: the last entry is then no longer in effect. Raises
    KafkaUnavailableError where the topic cannot be read to its end in time.
    """
    codec = Codec(PublishedSchemas(settings).fetch)
    reader = Reader(settings, [POLICY.name], start="beginning")
    found: dict[str, list[Applied]] = {}
    deadline = time.monotonic() + timeout_seconds
    try:
        while not reader.at_end():
            if time.monotonic() > deadline:
                raise KafkaUnavailableError(f"the topic policy could not be read to its end in {timeout_seconds:g} s")
            for record in reader.read(1000, 0.2):
                try:
                    policy = codec.decode(record.value, POLICY.types)
                    POLICY.check(policy)
                except RecordError:
                    continue
                assert isinstance(policy, Policy)  # noqa: S101 - the only type of the topic
                found.setdefault(policy.tenant, []).append(Applied(policy, record.offset))
    finally:
        reader.close()
    return found
