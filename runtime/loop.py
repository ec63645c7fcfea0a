"""The loop: consume a batch, step, produce, commit, all in one Kafka transaction.

One thread. A crash at any point loses and doubles nothing: outputs and input offsets become
visible together or not at all. (Where `delivery` is at_least_once, a crash repeats what was written since
the last commit.)

A transaction is what has come: a lone record when it is quiet, thousands under load. It is stepped in
slices, and what a slice makes is on its way to the broker while the next is stepped. A transaction that is
complete is sealed, and committed in a thread of the writer's; meanwhile the next is filled, with what comes until
the commit is done. Transactions are committed one at a time and in order.

What was learned about the client is kept here, once:

- Offsets come from the messages, never from position(): control markers take offsets too.
- Rebalance callbacks run only inside poll() and consume(). Before partitions are given back, what was
  stepped is committed; where they were lost, it is given up.
- librdkafka 2.12 does not keep its place in a partition that is kept over a cooperative rebalance: it
  goes on from where the partition was assigned, or one record too far (both seen; the latter is a
  loss). So our own place counts: after a rebalance each kept partition is assigned anew at the record after
  the last that was committed, what was being collected of it is dropped, and so is what is older.
- Abort does not rewind: every owned partition is sought to the first offset that does not stand. That waits for
  the next collection: a callback must not seek.
- A fenced producer or member, or a broker that does not answer, is the end of the process; its
  successor takes over in its slot.
- A slice whose step raises is repeated record by record, and the ones that raise go to the dead-letter
  topic in the same transaction. Where it is not the first of its transaction, the slices before it are
  committed first, and it is read again.
"""

from __future__ import annotations

import dataclasses
import logging
import time
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message
from confluent_kafka import TopicPartition as Partition

from runtime import clock
from runtime.attempt import one_by_one, stepped
from runtime.control import ControlFollower
from runtime.errors import FencedError
from runtime.kafka import Record, consumer_config
from runtime.metrics import METRICS
from runtime.service import Process, tune_interpreter
from runtime.settings import Settings
from runtime.step import Batch, LoopOptions, Step
from runtime.transaction import PLAIN_CONSUMER, BatchWriter, Complaints, PlainWriter, TransactionalWriter
from schemas.envelope import Packed
from schemas.topics import Topic

log = logging.getLogger(__name__)

_LOST = (KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL)  # noqa: SLF001 - librdkafka's public codes bear it


_Place = tuple[str, int]
"""An input partition: its topic, by the registry's name, and its number."""


@dataclasses.dataclass(slots=True)
class _Transaction:
    """What is in a transaction: per partition the first offset and the one after the last, and counts."""

    began: float
    firsts: dict[_Place, int] = dataclasses.field(default_factory=dict)
    places: dict[_Place, int] = dataclasses.field(default_factory=dict)
    consumed: int = 0
    produced: Counter[str] = dataclasses.field(default_factory=Counter)

    def add(self, records: Sequence[Record], outputs: Sequence[Packed]) -> None:
        """Add a slice that is queued."""
        self.firsts = _first_offsets(records) | self.firsts
        self.places |= {(record.topic, record.partition): record.offset + 1 for record in records}
        self.consumed += len(records)
        self.produced.update([packed.topic for packed in outputs])


def _first_offsets(records: Sequence[Record]) -> dict[_Place, int]:
    return {(record.topic, record.partition): record.offset for record in reversed(records)}


class TransactionalLoop:
    """Runs a Step on an inbox, exactly once.

    `also`: other topics that it reads. Nothing holds between the records of two topics, neither order nor that the same
    process has the partitions of a number; a step that keeps something by partition must have one inbox.
    """

    def __init__(
        self,
        settings: Settings,
        service: str,
        inbox: Topic,
        step: Step,
        control: ControlFollower,
        options: LoopOptions | None = None,
        *,
        also: Sequence[Topic] = (),
    ) -> None:
        self._settings = settings
        self._service = service
        self._inbox = inbox
        self._names = {settings.topic(topic.name): topic.name for topic in (inbox, *also)}
        self._step = step
        self._control = control
        self._options = options or LoopOptions()
        self._owned: set[_Place] = set()
        self._next: dict[_Place, int] = {}
        self._moved = False
        self._ends: set[_Place] = set()
        self._filling: _Transaction | None = None
        self._sealed: _Transaction | None = None
        self._again: dict[_Place, int] = {}
        self._complaints = Complaints(service)
        self._plain = settings.delivery == "at_least_once"
        self._consumer = Consumer(
            {
                **consumer_config(settings),
                "group.id": f"{settings.prefix}{service}",
                "group.instance.id": settings.service_id(service),
                "partition.assignment.strategy": "cooperative-sticky",
                "session.timeout.ms": self._options.session_timeout_ms,
                "heartbeat.interval.ms": 2_000,
                **(PLAIN_CONSUMER if self._plain else {}),
            }
        )
        self._writer = self._make_writer()

    def _make_writer(self) -> BatchWriter:
        timeout_ms = self._options.transaction_timeout_ms
        if self._plain:
            return PlainWriter(self._settings, self._service, timeout_ms=timeout_ms)
        return TransactionalWriter(
            self._settings,
            self._service,
            timeout_ms=timeout_ms,
            most_aborts_in_a_row=self._options.most_aborts_in_a_row,
            complaints=self._complaints,
        )

    def run(self, process: Process) -> None:
        """Run until the process is told to stop; then finish or abort the batch and close.

        Raises FencedError when another process has taken this slot (or the broker gave the
        transaction up), KafkaUnavailableError when the broker refuses what it is asked.
        """
        try:
            self._writer.begin_life(process.stopping)
            self._consumer.subscribe(
                list(self._names),
                on_assign=self._assigned,
                on_revoke=self._revoked,
                on_lost=self._lost,
            )
            tune_interpreter()
            while not process.stopping.is_set():
                process.beat()
                self._turn(process)
            self._settle()
        finally:
            self._consumer.close()

    # One turn of the loop.

    def _turn(self, process: Process) -> None:
        records = self._collect(0.0 if self._filling else self._patience())
        if self._owned:
            process.ready()
        wake = self._step.wake_seconds(self._control.poll())
        if records or (wake is not None and wake <= 0 and self._owned):
            self._fill(records)
        elif self._filling is None:
            self._settle()
        self._seal_when_free()

    def _patience(self) -> float:
        """Return for how many seconds a quiet loop waits for a record. One that owns nothing wakes for nothing."""
        wake = self._step.wake_seconds(self._control.snapshot) if self._owned else None
        return self._options.poll_seconds if wake is None else max(0.0, min(self._options.poll_seconds, wake))

    def _collect(self, timeout_seconds: float) -> list[Record]:
        """Return what has come, once the first record has; does not wait for more."""
        self._read_again()
        before, self._moved = frozenset(self._owned), False
        room = self._options.batch_records - (self._filling.consumed if self._filling else 0)
        first = self._consumer.poll(timeout_seconds)
        more = self._consumer.consume(room - 1, 0) if first is not None and room > 1 else []
        messages = [first, *more] if first is not None else []
        names = self._names
        records = [
            Record(names[message.topic()], message.partition(), message.offset(), message.key(), message.value())
            for message in messages
            if message.error() is None or self._reported(message)
        ]
        if self._moved:
            self._settle()
            kept = before & self._owned
            self._take_place(kept)
            taken = self._owned - kept
            records = [r for r in records if (r.topic, r.partition) in taken]
        if self._again:
            self._note_again(_first_offsets(records))
            return []
        return [r for r in records if r.offset >= self._next.get((r.topic, r.partition), 0)]

    def _fill(self, records: Sequence[Record]) -> None:
        """Step records, queue what they make, and have it in the transaction.

        Each slice is stepped with what the control topics say by then: however long the backlog, an open breaker
        counts from the next slice on.
        """
        size = self._options.slice_records
        owned, caught_up = self._of_inbox(self._owned), self._owned <= self._ends
        for start in range(0, max(1, len(records)), size):
            snapshot = self._control.poll()
            batch = Batch(records[start : start + size], snapshot, clock.now(snapshot), owned, caught_up)
            if self._filling is None:
                self._filling = _Transaction(time.perf_counter())
                self._step.begin()
            try:
                outputs = stepped(self._step, batch)
            except Exception:
                if self._filling.consumed:
                    self._note_again(_first_offsets(records[start:]))
                    self._settle()
                    return
                log.exception("%s: a batch failed; its records are tried one by one", self._service)
                outputs = one_by_one(self._step, batch, self._service)
            if not self._writer.queue(outputs):
                self._note_again(_first_offsets(records[start:]))
                self._finish()
                self._forget()
                return
            self._step.kept()
            self._filling.add(batch.records, outputs)

    # Transactions: one is filled, the one before it may be under way.

    def _seal_when_free(self) -> None:
        """Seal what was filled, unless the commit before it is still at work and there is room for more."""
        if self._filling is None:
            return
        room = self._filling.consumed < self._options.batch_records
        if room and self._writer.under_way(self._options.gather_seconds):
            return
        self._seal()
        if not self._options.overlap:
            self._finish()

    def _seal(self) -> None:
        """Have the writer commit what was filled, once what was sealed before stands."""
        if self._finish() and self._filling is not None:
            self._writer.seal(self._offsets(self._filling.places), self._consumer)
            self._sealed, self._filling = self._filling, None
            self._step.sealed()

    def _finish(self) -> bool:
        """Wait for what is under way; where it does not stand, note all to be read again and return False."""
        sealed = self._sealed
        if sealed is None:
            return True
        if not self._writer.stands():
            self._forget()
            return False
        self._sealed = None
        self._next |= sealed.places
        self._step.committed()
        self._count(sealed)
        return True

    def _settle(self) -> None:
        """Commit all that was stepped, and leave nothing under way."""
        self._seal()
        self._finish()
        self._writer.settle(self._consumer)

    def _forget(self) -> None:
        """Note what is not committed to be read again."""
        for transaction in (self._sealed, self._filling):
            if transaction is not None:
                self._note_again(transaction.firsts)
        self._sealed = self._filling = None
        self._step.aborted()

    # What the client reports.

    def _reported(self, message: Message) -> bool:
        """Return False: the message is a report of the client's, which is taken note of."""
        error, topic = message.error(), self._names.get(message.topic(), self._inbox.name)
        if error.code() == KafkaError._PARTITION_EOF:  # noqa: SLF001 - librdkafka's public codes bear it
            self._ends.add((topic, message.partition()))
        elif error.fatal() or error.code() in _LOST:
            raise FencedError(f"{self._service} lost its place in the group: {error.str()}")
        elif error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):  # noqa: SLF001
            self._complaints.say(f"topic {topic} does not exist: run 'trunkline topics create'")
        else:
            self._complaints.say(f"reading {topic}: {error.str()}")
        return False

    # Where it reads on.

    def _take_place(self, kept: frozenset[_Place]) -> None:
        """Have the consumer go on, in partitions kept over a rebalance, after what was committed."""
        for place in kept:
            partition = self._partition(place)
            if place in self._next:
                partition.offset = self._next[place]
            else:  # nothing of it was committed here: it starts again as it started
                self._starts([partition])
            self._consumer.incremental_unassign([partition])
            self._consumer.incremental_assign([partition])
            self._again.pop(place, None)

    def _starts(self, partitions: list[Partition]) -> list[Partition]:
        """Set where newly assigned partitions start: the committed offset, unless state is rebuilt."""
        if self._options.from_beginning:
            for partition in partitions:
                partition.offset = OFFSET_BEGINNING
        return partitions

    def _note_again(self, firsts: Mapping[_Place, int]) -> None:
        """Note that partitions must be read again from these offsets on."""
        for place, offset in firsts.items():
            self._again[place] = min(offset, self._again.get(place, offset))

    def _read_again(self) -> None:
        """Seek to what was noted."""
        again, self._again = self._again, {}
        for place, offset in again.items():
            if place in self._owned:
                self._consumer.seek(self._partition(place, offset))

    def _offsets(self, places: Mapping[_Place, int]) -> list[Partition]:
        if self._options.from_beginning:
            return []
        return [self._partition(place, offset) for place, offset in places.items()]

    def _partition(self, place: _Place, *offset: int) -> Partition:
        name, number = place
        return Partition(self._settings.topic(name), number, *offset)

    def _places(self, partitions: Sequence[Partition]) -> frozenset[_Place]:
        return frozenset((self._names[partition.topic], partition.partition) for partition in partitions)

    def _of_inbox(self, places: Collection[_Place]) -> frozenset[int]:
        """Return the numbers of those that are the inbox's: what a step is told of."""
        return frozenset(number for name, number in places if name == self._inbox.name)

    # Rebalance callbacks.

    def _assigned(self, consumer: Consumer, partitions: list[Partition]) -> None:
        consumer.incremental_assign(self._starts(partitions))
        self._moved = True
        self._owned |= self._places(partitions)
        self._tell_owned()

    def _lost(self, _consumer: Consumer, partitions: list[Partition]) -> None:
        self._finish()
        self._writer.abandon()
        self._forget()
        self._gone(partitions)

    def _revoked(self, _consumer: Consumer, partitions: list[Partition]) -> None:
        self._settle()
        self._gone(partitions)

    def _gone(self, partitions: list[Partition]) -> None:
        gone = self._places(partitions)
        self._owned -= gone
        self._ends -= gone
        self._next = {place: offset for place, offset in self._next.items() if place not in gone}
        self._again = {place: offset for place, offset in self._again.items() if place not in gone}
        self._moved = True
        self._step.dropped(self._of_inbox(gone))
        self._tell_owned()

    def _tell_owned(self) -> None:
        METRICS.partitions_owned.labels(self._service).set(len(self._owned))
        for topic in self._names.values():
            owned = sorted(number for name, number in self._owned if name == topic)
            log.info("%s owns partitions %s of %s", self._service, owned, topic)

    def _count(self, done: _Transaction) -> None:
        METRICS.records_consumed.labels(self._service).inc(done.consumed)
        METRICS.batch_records.labels(self._service).observe(done.consumed)
        METRICS.batch_seconds.labels(self._service).observe(time.perf_counter() - done.began)
        for topic, count in done.produced.items():
            METRICS.records_produced.labels(self._service, topic).inc(count)
