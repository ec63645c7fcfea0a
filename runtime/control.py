"""Control topics: read to their end before the first step, followed afterwards.

A consumer of its own, without a group, feeds an immutable Snapshot. The end is reached when each
partition has raised the partition-EOF event, which comes at the last stable offset; watermarks
would count records of open or aborted transactions.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence

from runtime.errors import KafkaUnavailableError
from runtime.kafka import Reader, Record
from runtime.metrics import METRICS
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from schemas.codec import Codec
from schemas.errors import RecordError
from schemas.topics import BY_NAME, Topic

log = logging.getLogger(__name__)


class ControlFollower:
    """Follows control topics for one service. `snapshot` is replaced, never changed.

    `refused`: records of topics with dead letters that could not be applied, and why, in their order.
    """

    def __init__(self, settings: Settings, service: str, topics: Sequence[Topic], codec: Codec) -> None:
        self._service = service
        self._codec = codec
        self._reader = Reader(settings, [topic.name for topic in topics], start="beginning")
        self.refused: list[tuple[Record, Exception]] = []
        self.snapshot = Snapshot(epochs={topic.name: -1 for topic in topics})

    def read_to_end(self, timeout_seconds: float = 30.0) -> None:
        """Apply everything that is there; raises KafkaUnavailableError where that takes too long."""
        deadline = time.monotonic() + timeout_seconds
        while not self._reader.at_end():
            if time.monotonic() > deadline:
                raise KafkaUnavailableError(
                    f"{self._service}: the control topics could not be read to their end in {timeout_seconds:g} s"
                )
            self._apply(self._reader.read(1000, 0.2))

    def poll(self, timeout_seconds: float = 0.0) -> Snapshot:
        """Apply what has come, waiting so long for the first of it, and return the snapshot."""
        records = self._reader.read(1000, timeout_seconds)
        if records:
            self._apply(records)
        return self.snapshot

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def _apply(self, records: Sequence[Record]) -> None:
        for record in records:
            topic = BY_NAME[record.topic]
            try:
                event = self._codec.decode(record.value, topic.types) if record.value else None
                if event is not None:
                    topic.check(event)
                key = topic.key_of(event) if event is not None else (record.key or b"").decode()
            except (RecordError, UnicodeDecodeError) as problem:
                reason = problem.reason if isinstance(problem, RecordError) else "key"
                METRICS.control_undecodable.labels(self._service, topic.name, reason).inc()
                log.warning("%s offset %d is skipped: %s", topic.name, record.offset, problem)
                if topic.dead_letters:
                    self.refused.append((record, problem))
                continue
            self.snapshot = self.snapshot.with_record(topic, key, event, record.offset)
            METRICS.control_epoch.labels(self._service, topic.name).set(record.offset)
            self.applied(topic)

    def applied(self, topic: Topic) -> None:
        """Do nothing; a follower that wants to know of each record by itself is told here, once it is applied."""
