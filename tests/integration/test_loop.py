"""The transactional loop on a real broker, with a step that copies records."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer
from msgspec import structs

from runtime.control import ControlFollower
from runtime.errors import FencedError, KafkaUnavailableError
from runtime.kafka import producer_config
from runtime.loop import TransactionalLoop
from runtime.service import Process
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.step import Batch, LoopOptions
from schemas.codec import Codec
from schemas.envelope import Packed
from schemas.errors import RecordError
from schemas.topics import ASSIGNMENTS, CLOCK, OFFERED, ROUTED, Topic
from tests.support.topics import read_now, read_until


class Copy:
    """Copies each record to `interactions.routed`; `before` is called with each batch."""

    def __init__(self, before: Callable[[Batch], None] = lambda _batch: None) -> None:
        self.before = before
        self.batches = 0
        self.dropped_partitions: set[int] = set()

    def begin(self) -> None: ...

    def kept(self) -> None: ...

    def sealed(self) -> None: ...

    def aborted(self) -> None: ...

    def committed(self) -> None:
        self.batches += 1

    def dropped(self, partitions: frozenset[int]) -> None:
        self.dropped_partitions |= partitions

    def wake_seconds(self, _snapshot: Snapshot) -> float | None:
        return None

    def step(self, batch: Batch) -> list[Packed]:
        self.before(batch)
        return [Packed(ROUTED.name, record.key, record.value) for record in batch.records]


class Running:
    def __init__(self, loop: TransactionalLoop, process: Process) -> None:
        self.process = process
        self.error: Exception | None = None
        self._thread = threading.Thread(target=self._run, args=(loop,))
        self._thread.start()

    def _run(self, loop: TransactionalLoop) -> None:
        try:
            loop.run(self.process)
        except Exception as problem:
            self.error = problem

    def join(self, timeout: float = 30.0) -> None:
        self._thread.join(timeout)
        assert not self._thread.is_alive()

    def stop(self) -> None:
        self.process.stopping.set()
        self.join()


@contextmanager
def running(
    settings: Settings, step: Copy, options: LoopOptions | None = None, also: Sequence[Topic] = ()
) -> Iterator[Running]:
    control = ControlFollower(settings, "copy", [CLOCK], Codec())
    control.read_to_end()
    options = options or LoopOptions(batch_records=50)
    loop = TransactionalLoop(settings, "copy", OFFERED, step, control, options, also=also)
    run = Running(loop, Process("copy"))
    try:
        yield run
    finally:
        run.stop()
        control.close()


def offer(settings: Settings, first: int, count: int) -> None:
    offer_with(Producer(producer_config(settings)), settings, first, count)


def offer_with(producer: Producer, settings: Settings, first: int, count: int, topic: Topic = OFFERED) -> None:
    for number in range(first, first + count):
        producer.produce(settings.topic(topic.name), key=str(number).encode(), value=b"v%d" % number)
        producer.poll(0)
    assert producer.flush(30) == 0


def offer_slowly(settings: Settings, count: int, seconds: float) -> None:
    """Offer 20 records at a time, with so many seconds in between: load, not a preloaded topic."""
    pause, producer = threading.Event(), Producer(producer_config(settings))
    for first in range(0, count, 20):
        offer_with(producer, settings, first, 20)
        pause.wait(seconds)


def copied(settings: Settings) -> list[int]:
    return [int((record.value or b"")[1:]) for record in read_now(settings, [ROUTED.name])]


def assert_in_order_of_their_partitions(settings: Settings) -> None:
    places: dict[int, list[int]] = {}
    for record in read_now(settings, [ROUTED.name]):
        places.setdefault(record.partition, []).append(int((record.value or b"")[1:]))
    assert all(numbers == sorted(numbers) for numbers in places.values())


def wait_for(condition: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what the test waits for did not come"
        time.sleep(0.05)


def copied_count(settings: Settings, count: int, seconds: float = 40.0) -> list[int]:
    records = read_until(settings, [ROUTED.name], lambda records: len(records) >= count, seconds)
    return [int((record.value or b"")[1:]) for record in records]


def test_each_record_is_copied_once_and_in_order_of_its_partition(settings: Settings) -> None:
    offer(settings, 0, 1000)
    with running(settings, Copy()):
        copied_count(settings, 1000)
    assert sorted(copied(settings)) == list(range(1000))
    assert_in_order_of_their_partitions(settings)


def test_a_loop_that_stops_goes_on_where_it_left(settings: Settings) -> None:
    offer(settings, 0, 200)
    with running(settings, Copy()):
        copied_count(settings, 200)
    offer(settings, 200, 200)
    with running(settings, Copy()):
        copied_count(settings, 400)
    assert sorted(copied(settings)) == list(range(400))


def test_a_record_that_cannot_be_processed_goes_to_the_dead_letters_and_the_rest_goes_on(settings: Settings) -> None:
    def refuse(batch: Batch) -> None:
        for record in batch.records:
            if record.value == b"v13":
                raise RecordError("unlucky", "13 is refused")

    offer(settings, 0, 100)
    with running(settings, Copy(refuse)):
        copied_count(settings, 99)
        letters = read_until(settings, [OFFERED.dead_letter_name], lambda records: len(records) >= 1)
    assert sorted(copied(settings)) == [number for number in range(100) if number != 13]
    (letter,) = letters
    assert (letter.key, letter.value) == (b"13", b"v13")
    headers = dict(letter.headers)
    assert headers["dlq_reason"] == b"unlucky"
    assert headers["dlq_topic"] == OFFERED.name.encode()
    assert headers["dlq_error"] == b"13 is refused"


def test_an_output_that_is_too_large_for_kafka_becomes_a_dead_letter(settings: Settings) -> None:
    class Inflate(Copy):
        def step(self, batch: Batch) -> list[Packed]:
            outputs = super().step(batch)
            return [structs.replace(p, value=bytes(1_500_000)) if p.value == b"v7" else p for p in outputs]

    offer(settings, 0, 20)
    with running(settings, Inflate()):
        copied_count(settings, 19)
        (letter,) = read_until(settings, [OFFERED.dead_letter_name], lambda records: len(records) >= 1)
    assert dict(letter.headers)["dlq_reason"] == b"too_large"
    assert letter.value == b"v7"


def replaced_while_it_holds_a_batch(settings: Settings) -> Running:
    """Offer 100 records, have a second loop take the slot of one that holds a batch, and return the first."""
    held, release = threading.Event(), threading.Event()

    def hold(_batch: Batch) -> None:
        if not held.is_set():
            held.set()
            release.wait(20)

    offer(settings, 0, 100)
    options = LoopOptions(batch_records=50)
    with running(settings, Copy(hold), options) as first:
        assert held.wait(20)
        with running(settings, Copy(), options):  # the same slot: it fences the first
            copied_count(settings, 100)
            release.set()
            first.join()
    return first


def test_a_transaction_that_the_broker_gave_up_is_read_again_by_the_successor(settings: Settings) -> None:
    first = replaced_while_it_holds_a_batch(settings)
    assert isinstance(first.error, FencedError)
    assert sorted(copied(settings)) == list(range(100))


def test_a_rebalance_in_the_middle_of_a_batch_loses_and_doubles_nothing(settings: Settings) -> None:
    offer(settings, 0, 2000)
    slow = threading.Event()

    def brake(_batch: Batch) -> None:
        slow.wait(0.05)

    steps = [Copy(brake), Copy(brake)]
    options = LoopOptions(batch_records=20)
    with running(settings, steps[0], options):
        wait_for(lambda: steps[0].batches > 5)
        with running(settings.model_copy(update={"slot": 1}), steps[1], options):
            wait_for(lambda: steps[1].batches > 5)
            slow.set()
            copied_count(settings, 2000)
    assert steps[0].dropped_partitions
    assert sorted(copied(settings)) == list(range(2000))


@pytest.mark.soak
def test_a_member_that_comes_and_goes_under_load_costs_the_other_nothing(settings: Settings) -> None:
    """The partitions that the first keeps over each rebalance are read on without a gap and without a repetition.

    first   0123 ------ 01 ------ 0123 (after the session time-out) ------ 01 ------ 0123
    second        joins       leaves                               joins      leaves
    """
    count = 6000
    writer = threading.Thread(target=offer_slowly, args=(settings, count, 0.05))
    options = LoopOptions()
    first = Copy()
    with running(settings, first, options):
        writer.start()
        for _ in range(2):
            second = Copy()
            with running(settings.model_copy(update={"slot": 1}), second, options):
                wait_for(lambda copy=second: copy.batches > 20)
        writer.join()
        copied_count(settings, count)
    assert sorted(copied(settings)) == list(range(count))


def test_two_topics_are_read_by_one_loop_and_neither_loses_or_doubles_when_members_come_and_go(
    settings: Settings,
) -> None:
    """The step is told of the first topic's partitions alone."""
    producer, brake, owned = Producer(producer_config(settings)), threading.Event(), set()

    def slow(batch: Batch) -> None:
        owned.update(batch.owned)
        brake.wait(0.05)

    options, steps = LoopOptions(batch_records=20), [Copy(slow), Copy(slow)]
    offer_with(producer, settings, 0, 1000)
    offer_with(producer, settings, 1000, 1000, ASSIGNMENTS)
    with running(settings, steps[0], options, [ASSIGNMENTS]):
        wait_for(lambda: steps[0].batches > 5)
        with running(settings.model_copy(update={"slot": 1}), steps[1], options, [ASSIGNMENTS]):
            wait_for(lambda: steps[1].batches > 5)
            brake.set()
            copied_count(settings, 2000)
    assert sorted(copied(settings)) == list(range(2000))
    offer_with(producer, settings, 2000, 10)
    offer_with(producer, settings, 2010, 10, ASSIGNMENTS)
    with running(settings, Copy(), options, [ASSIGNMENTS]):
        copied_count(settings, 2020)
    assert sorted(copied(settings)) == list(range(2020)), "each goes on where it left"
    assert owned == set(range(4))


def test_an_aborted_transaction_is_rewound_and_read_again(settings: Settings) -> None:
    """The producer fails in the middle of the first batches: their records come again, once."""
    failing = copied_by_failing(settings, lambda producer: _Failing(producer, commits=3))
    assert failing.failed == 3


def test_an_output_that_is_refused_while_a_commit_is_under_way_comes_again_and_the_commit_stands(
    settings: Settings,
) -> None:
    """Four producers take turns: the first fails in every fourth transaction, with the third's under way."""
    failing = copied_by_failing(settings, lambda producer: _Failing(producer, begins=2))
    assert failing.failed == 2


def copied_by_failing(settings: Settings, failing_of: Callable[[Producer], _Failing]) -> _Failing:
    """Copy 300 records with transactions of 20, one of whose producers fails; each comes once and in order."""
    offer(settings, 0, 300)
    control = ControlFollower(settings, "copy", [CLOCK], Codec())
    control.read_to_end()
    loop = TransactionalLoop(settings, "copy", OFFERED, Copy(), control, LoopOptions(batch_records=20))
    failing = failing_of(loop._writer._producers[0])
    loop._writer._producers[0] = failing
    run = Running(loop, Process("copy"))
    try:
        copied_count(settings, 300)
    finally:
        run.stop()
        control.close()
    assert sorted(copied(settings)) == list(range(300))
    assert_in_order_of_their_partitions(settings)
    return failing


class _Failing:
    """The real producer, whose first calls report that the transaction must be aborted."""

    def __init__(self, producer: Producer, *, commits: int = 0, begins: int = 0) -> None:
        self._producer = producer
        self._commits = commits
        self._begins = begins
        self.failed = 0

    def __getattr__(self, name: str) -> object:
        return getattr(self._producer, name)

    def __len__(self) -> int:
        return len(self._producer)

    def begin_transaction(self) -> None:
        self._producer.begin_transaction()
        if self.failed < self._begins:
            self._fail()

    def commit_transaction(self, timeout: float) -> None:
        if self.failed < self._commits:
            self._producer.flush(10)
            self._fail()
        self._producer.commit_transaction(timeout)

    def _fail(self) -> None:
        self.failed += 1
        raise KafkaException(KafkaError(KafkaError.INVALID_TXN_STATE, "test", txn_requires_abort=True))


def test_a_failure_in_a_later_slice_keeps_the_slices_before_it_and_the_order_after_it(settings: Settings) -> None:
    """Transactions of 100, slices of 10; the record that is refused lies in a later slice of its transaction."""

    def refuse(batch: Batch) -> None:
        for record in batch.records:
            if record.value in {b"v57", b"v58", b"v203"}:
                raise RecordError("unlucky", "refused")

    offer(settings, 0, 300)
    with running(settings, Copy(refuse), LoopOptions(batch_records=100, slice_records=10)):
        copied_count(settings, 297)
        letters = read_until(settings, [OFFERED.dead_letter_name], lambda records: len(records) >= 3)
    assert sorted(copied(settings)) == [number for number in range(300) if number not in {57, 58, 203}]
    assert {letter.value for letter in letters} == {b"v57", b"v58", b"v203"}
    assert_in_order_of_their_partitions(settings)


def test_what_a_slice_remembered_before_it_failed_does_not_stand_with_the_slices_before_it(settings: Settings) -> None:
    class Remember(Copy):
        """Remembers each record before it looks at it; a step must forget what is not kept."""

        def __init__(self) -> None:
            super().__init__()
            self.stepped: list[int] = []
            self.pending: list[int] = []
            self.complete: list[int] = []
            self.stood: list[int] = []

        def begin(self) -> None:
            self.stepped, self.pending = [], []

        def kept(self) -> None:
            self.pending += self.stepped
            self.stepped = []

        def sealed(self) -> None:
            assert not self.complete
            self.complete, self.pending = self.pending, []

        def committed(self) -> None:
            self.stood += self.complete
            self.complete = []

        def step(self, batch: Batch) -> list[Packed]:
            for record in batch.records:
                self.stepped.append(int((record.value or b"")[1:]))
                if len(batch.records) > 1 and record.value in {b"v57", b"v203"}:
                    raise RecordError("shy", "only by itself")
            return super().step(batch)

    step = Remember()
    offer(settings, 0, 300)
    with running(settings, step, LoopOptions(batch_records=100, slice_records=10)):
        copied_count(settings, 300)
    assert sorted(copied(settings)) == list(range(300))
    assert sorted(step.stood) == list(range(300)), "once each"


def test_a_transaction_under_backlog_holds_many_slices_and_a_quiet_one_a_single_record(settings: Settings) -> None:
    sizes: list[int] = []
    step = Copy(lambda batch: sizes.append(len(batch.records)))
    offer(settings, 0, 3000)
    with running(settings, step, LoopOptions(batch_records=1000, slice_records=100)):
        copied_count(settings, 3000)
        transactions = step.batches
        offer(settings, 3000, 1)
        copied_count(settings, 3001)
    assert max(sizes) == 100
    assert transactions <= 3000 / 100 / 2, "transactions hold several slices"
    assert sizes[-1] == 1
    assert sorted(copied(settings)) == list(range(3001))


def test_at_least_once_copies_all_and_goes_on_where_it_left(settings: Settings) -> None:
    plain = settings.model_copy(update={"delivery": "at_least_once"})
    offer(settings, 0, 500)
    with running(plain, Copy()):
        copied_count(settings, 500)
    offer(settings, 500, 100)
    with running(plain, Copy()):
        copied_count(settings, 600)
    assert sorted(copied(settings)) == list(range(600)), "an orderly stop repeats nothing"
    offer(settings, 600, 100)
    with running(settings, Copy()):
        copied_count(settings, 700)
    assert sorted(copied(settings)) == list(range(700)), "and exactly-once goes on from its offsets"


def test_at_least_once_a_step_that_dies_before_its_offsets_are_kept_is_repeated(settings: Settings) -> None:
    """What the first writes when it goes on comes twice."""
    first = replaced_while_it_holds_a_batch(settings.model_copy(update={"delivery": "at_least_once"}))
    assert isinstance(first.error, FencedError)
    assert set(copied(settings)) == set(range(100))


def test_at_least_once_records_that_the_broker_refuses_end_the_process_and_are_not_passed_over(
    settings: Settings,
) -> None:
    class Misdirect(Copy):
        def step(self, batch: Batch) -> list[Packed]:
            return [Packed("no.such.topic", record.key, record.value) for record in batch.records]

    plain = settings.model_copy(update={"delivery": "at_least_once"})
    offer(settings, 0, 10)
    with running(plain, Misdirect(), LoopOptions(transaction_timeout_ms=3_000)) as run:
        run.join()
    assert isinstance(run.error, KafkaUnavailableError)
    with running(plain, Copy()):
        copied_count(settings, 10)
    assert sorted(copied(settings)) == list(range(10))
