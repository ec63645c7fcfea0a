"""Copies as a follower of `sessions.views`: committed records in, Redis up to date; nothing is written to Kafka.

It has no group: where to read on is what Redis holds (`runtime.copies`), asked for at the start and whenever Redis
was away or lost something. So nothing is lost or skipped by a crash, of this process or of Redis, and an empty Redis is
filled from the beginning. A second process of this service does no harm: who comes second with a batch is told so.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from processors.copies.logic import View, changes_of
from runtime.copies import NOWHERE, Applied, Batch, Outcome, SessionCopies
from runtime.kafka import Reader, Record
from runtime.metrics import METRICS
from runtime.service import Process, tune_interpreter
from runtime.settings import Settings
from runtime.start import service_codec
from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.topics import SESSION_VIEWS
from schemas.views import SessionView, TurnView

log = logging.getLogger(__name__)

SERVICE = "copies"
READ_RECORDS = 4_000
BATCH_RECORDS = 500
"""Records of a script: Redis does nothing else for the 2.5 ms that these take it (measured), and routers wait 250."""
IDLE_SECONDS = 0.1
LOOK_SECONDS = 1.0
"""So often Redis is asked whether it still holds what it held, where nothing comes that would tell."""
FIRST_RETRY_SECONDS = 0.05
LAST_RETRY_SECONDS = 1.0


class Follows(Protocol):
    """Reads the partitions of one topic (`runtime.kafka.Reader`)."""

    def restart(self, offsets: Mapping[tuple[str, int], int]) -> None:
        """Read on from these offsets, the partitions that are not named from their beginning."""

    def read(self, max_records: int, timeout_seconds: float) -> list[Record]:
        """Return records that have come."""

    def at_end(self) -> bool:
        """Return whether all has been read."""

    def behind_seconds(self) -> float:
        """Return how old what was read last is; 0 at the end."""


class Copies(Protocol):
    """Holds copies and positions (`runtime.copies.SessionCopies`)."""

    @property
    def problem(self) -> str:
        """Why Redis did not answer."""

    def positions(self) -> dict[int, int] | None:
        """Return partition -> the offset from which on nothing is copied; None without Redis."""

    def send(self, batch: Batch) -> None:
        """Send a batch to be written."""

    def answer(self) -> Applied | None:
        """Return what became of it; None without Redis."""


class _Sent(NamedTuple):
    """A batch that Redis has, and its records, of which some are copied again where another process is ahead."""

    batch: Batch
    records: list[Record]


class Copier:
    """Copies what it reads, turn by turn. Never sleeps: each turn says how long to wait before the next.

    name: of the topic on the broker. clock: real seconds.
    """

    def __init__(
        self, codec: Codec, reader: Follows, copies: Copies, name: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._codec = codec
        self._reader = reader
        self._copies = copies
        self._name = name
        self._clock = clock
        self._following = False
        self._held: dict[int, int] = {}
        self._copied_to: dict[int, int] = {}
        self._look_at = 0.0
        self._down_since: float | None = None
        self._retry_seconds = FIRST_RETRY_SECONDS

    def turn(self) -> float:
        """Copy what has come; return the seconds to wait before the next turn: 0 but while Redis is away."""
        if not self._following:
            self._resume()
        records = self._reader.read(READ_RECORDS, IDLE_SECONDS) if self._following else []
        self._copy(records)
        if not records and self._following and self._clock() >= self._look_at:
            self._look()
        if self._following and (records or self._reader.at_end()):
            self._found_redis()
        if self._down_since is None:
            METRICS.copies_lag_seconds.set(self._reader.behind_seconds())
            return 0.0
        METRICS.copies_lag_seconds.set(self._clock() - self._down_since)
        if self._following:
            return 0.0
        wait, self._retry_seconds = self._retry_seconds, min(LAST_RETRY_SECONDS, 2 * self._retry_seconds)
        return wait

    def _resume(self) -> None:
        """Read on from where Redis says, if it does."""
        positions = self._positions()
        if positions is not None:
            self._held = positions
            self._copied_to = {}
            self._reader.restart({(self._name, partition): offset for partition, offset in positions.items()})
            self._following = True

    def _look(self) -> None:
        """See whether Redis still holds what it held."""
        positions = self._positions()
        if positions is None:
            return
        for partition, offset in self._held.items():
            if positions.get(partition, NOWHERE) < offset:
                self._lost_copies(partition, positions.get(partition, NOWHERE), offset)
                return

    def _positions(self) -> dict[int, int] | None:
        positions = self._copies.positions()
        self._look_at = self._clock() + LOOK_SECONDS
        if positions is None:
            self._lost_redis()
        return positions

    def _lost_copies(self, partition: int, offset: int, held: int) -> None:
        self._following = False
        log.warning(
            "Redis has lost copies: of partition %d it has those up to offset %d, not %d; they are made anew",
            partition, offset, held,
        )  # fmt: skip

    def _lost_redis(self) -> None:
        self._following = False
        if self._down_since is None:
            log.warning("Redis does not answer: %s; copies stand still until it does", self._copies.problem)
            self._down_since = self._clock()
            METRICS.copies_down.set(1)

    def _found_redis(self) -> None:
        """Note that Redis takes copies, or that there is nothing to copy: that it tells positions is not enough."""
        if self._down_since is not None:
            log.warning("Redis is back after %.1f s; copies go on", self._clock() - self._down_since)
            self._down_since = None
            METRICS.copies_down.set(0)
        self._retry_seconds = FIRST_RETRY_SECONDS

    def _copy(self, records: Sequence[Record]) -> None:
        """Write batches, each while Redis has the one before. What is left when one fails is read again."""
        METRICS.records_consumed.labels(SERVICE).inc(len(records))
        sent: _Sent | None = None
        for each in self._batches(records):
            if sent is not None and not self._settled(sent):
                return
            sent = self._send(each)
        if sent is not None:
            self._settled(sent)

    def _send(self, each: _Sent) -> _Sent:
        self._copies.send(each.batch)
        self._held[each.batch.partition] = each.batch.following
        return each

    def _settled(self, sent: _Sent) -> bool:
        """Return whether copying can go on behind a batch that was sent."""
        while True:
            batch, answer = sent.batch, self._copies.answer()
            if answer is None:
                self._lost_redis()
                return False
            if answer.outcome is Outcome.APPLIED:
                METRICS.copies_written.inc(len(batch.changes))
                return True
            if answer.position < batch.expected:
                self._lost_copies(batch.partition, answer.position, batch.expected)
                return False
            # Another process copies too, or this very batch was sent twice.
            self._held[batch.partition] = self._copied_to[batch.partition] = answer.position
            left = self._batch(batch.partition, sent.records)
            if left is None:
                return True
            sent = self._send(left)

    def _batches(self, records: Sequence[Record]) -> Iterator[_Sent]:
        partitions: dict[int, list[Record]] = {}
        for record in records:
            partitions.setdefault(record.partition, []).append(record)
        for partition, of_it in partitions.items():
            for at in range(0, len(of_it), BATCH_RECORDS):
                batch = self._batch(partition, of_it[at : at + BATCH_RECORDS])
                if batch is not None:
                    yield batch

    def _batch(self, partition: int, records: Sequence[Record]) -> _Sent | None:
        """Return the next batch of a partition; None where another process has copied all of these records."""
        copied_to = self._copied_to.get(partition, NOWHERE)
        left = [record for record in records if record.offset >= copied_to]
        if not left:
            return None
        expected = self._held.get(partition, NOWHERE)
        return _Sent(Batch(partition, expected, left[-1].offset + 1, changes_of(self._views(left))), left)

    def _views(self, records: Sequence[Record]) -> Iterator[tuple[str, View | None]]:
        """Yield key and event of records, None for a tombstone; one that cannot be read is counted and skipped."""
        for record in records:
            try:
                event = self._codec.decode(record.value, SESSION_VIEWS.types) if record.value else None
                key = (record.key or b"").decode() if event is None else ""
            except (DecodeError, UnicodeDecodeError) as problem:
                reason = problem.reason if isinstance(problem, DecodeError) else "key"
                METRICS.dead_letters.labels(SERVICE, "skipped", reason).inc()
                place = f"{SESSION_VIEWS.name} partition {record.partition} offset {record.offset}"
                log.warning("%s is skipped: %s", place, problem)
                continue
            assert event is None or isinstance(event, SessionView | TurnView)  # noqa: S101 - the topic's types
            yield key, event


def run(settings: Settings, process: Process) -> None:
    """Copy until the process is told to stop. It is ready without Redis, for which it waits."""
    codec = service_codec(settings, process)
    reader = Reader(settings, (SESSION_VIEWS.name,), start=None)
    copier = Copier(codec, reader, SessionCopies(settings), settings.topic(SESSION_VIEWS.name))
    tune_interpreter()
    process.ready()
    while not process.stopping.is_set():
        process.beat()
        process.stopping.wait(copier.turn())
    reader.close()
