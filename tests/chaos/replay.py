"""Plays days of contacts through the services on which volumes rest, in the days' own time, and kills the services.

Time is the topic `clock`, which goes on by half an hour when everything offered until then is decided, and by a day
when analytics has counted it: services are late by as much as they are killed, but not by days.
"""

from __future__ import annotations

import itertools
import os
import random
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from confluent_kafka import Consumer, TopicPartition

from runtime.clock import real_now
from runtime.kafka import Reader, Writer, consumer_config, last_stable_offsets, partitions_of
from runtime.settings import Settings
from schemas.agents import Tick
from schemas.codec import Codec
from schemas.control import ClockSetting
from schemas.interactions import Decision
from schemas.topics import (
    CLOCK,
    CLOSED,
    INTERACTION_EVENTS,
    OFFERED,
    ROUTED,
    TIMERS,
    VOLUME,
    WFM_EVENTS,
    Effect,
    Topic,
)
from schemas.wfm import VolumeRow
from tests.chaos.bank import DAY, HOUR, STEP, Coming, Contact, Month, event_of
from tests.chaos.storm import freeze_in_transaction
from trunkline.installation import Installation

INBOXES = {"router": OFFERED, "sessions": INTERACTION_EVENTS, "analytics": WFM_EVENTS}
FROM_THE_BEGINNING = {"clock": TIMERS, "bridge": VOLUME}
"""What these read anew at each start."""
KILLED = (*INBOXES, *FROM_THE_BEGINNING)
_WRITES = {"router": ROUTED, "sessions": WFM_EVENTS, "analytics": VOLUME}
_AWAY = 6 * HOUR
"""How long analytics is away at noon on the days of `Month.missed_at`."""
_WAIT_SECONDS = 120.0

Events = Sequence[tuple[Contact, str]]


def clock_at(at: int) -> Effect:
    """Return what lets Trunkline's time be `at` now, and run on as real time does."""
    return Effect(CLOCK, ClockSetting(origin=at, real_origin=real_now(), speed=1.0))


class Ledger:
    """What the topics say, committed: decisions, closes, every revision of every row, dead letters."""

    def __init__(self, settings: Settings) -> None:
        letters = [topic.dead_letter_name for topic in INBOXES.values()]
        self._reader = Reader(settings, [ROUTED.name, CLOSED.name, VOLUME.name, *letters], start="beginning")
        self._codec = Codec()
        self.routed = 0
        self.decided_at = 0
        self.closed: Counter[bytes | None] = Counter()
        self.rows: dict[bytes | None, VolumeRow] = {}
        self.revisions = 0
        self.wrong: list[VolumeRow] = []
        """Rows that are not conserved, or of a revision that was there before."""
        self.dead_letters: list[Any] = []
        self.offered = 0
        self.in_progress = 0

    def look(self, seconds: float) -> None:
        """Take what has come, waiting so long for the first of it."""
        for record in self._reader.read(5000, seconds):
            if record.topic == CLOSED.name:
                self.closed[record.key] += 1
            elif record.topic == ROUTED.name:
                self.routed += 1
                decision = self._codec.decode(record.value or b"")
                assert isinstance(decision, Decision)
                self.decided_at = max(self.decided_at, decision.decided_at)
            elif record.topic == VOLUME.name:
                row = self._codec.decode(record.value or b"")
                assert isinstance(row, VolumeRow)
                self._note(record.key, row)
            else:
                self.dead_letters.append((record.topic, record.key, dict(record.headers).get("dlq_error")))

    def _note(self, key: bytes | None, row: VolumeRow) -> None:
        before = self.rows.get(key)
        self.revisions += 1
        if not row.conserved or (before is not None and row.revision <= before.revision):
            self.wrong.append(row)
        self.offered += row.offered - (before.offered if before else 0)
        self.in_progress += row.in_progress - (before.in_progress if before else 0)
        self.rows[key] = row

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()


class Replay:
    """One replay of a month on a running installation."""

    def __init__(self, running: Installation, month: Month, seed: int, tell: Callable[[str], None]) -> None:
        self.running, self.month, self._tell = running, month, tell
        self.settings = running.settings
        self.ledger = Ledger(self.settings)
        self.written: Counter[str] = Counter()
        self.kills: dict[str, list[str]] = defaultdict(list)
        """Service -> what each kill found it at: in a transaction, or so many records behind."""
        self._writer = Writer(self.settings, "acd")
        self._offers: dict[str, Contact] = {}
        self._rng = random.Random(f"kills {seed}")

    def run(self) -> None:
        """Play it to its end, until every contact is over and counted."""
        log = self.month.log
        first, last = min(log), max(log)
        kills = self._planned(first)
        for at in range(first, last + STEP, STEP):
            victim = kills.get(at)
            if not self._step(at, log.get(at, ()), victim) and victim is not None:
                kills[at + STEP] = victim
            if at % DAY == 0:
                self._counted()
        self._set_clock(last + 26 * HOUR)  # what nobody ends expires after a day
        everything = len(self.month.contacts)
        self._until("every contact closed", lambda: len(self.ledger.closed) == everything)
        self._counted()
        self._until("every contact counted as over", lambda: self.ledger.in_progress == 0)

    def close(self) -> None:
        """Close the connections."""
        self.ledger.close()
        self._writer.close()

    # A step.

    def _planned(self, first: int) -> dict[int, str]:
        """Return which service is killed at which step: one a day, in turn, in the busy hours before noon."""
        midnight = first - first % DAY
        turns = itertools.chain.from_iterable(self._rng.sample(KILLED, len(KILLED)) for _ in itertools.count())
        steps = (midnight + day * DAY + self._rng.randrange(18, 24) * STEP for day in range(self.month.days))
        return dict(zip(steps, turns, strict=False))

    def _step(self, at: int, events: Events, victim: str | None) -> bool:
        """Let it be `at`, and write what is written then; return whether the victim was killed meanwhile."""
        self._set_clock(at)
        too_old, missed = (
            [each for each in events if each[1] == "offer" and each[0].coming is coming]
            for coming in (Coming.TOO_OLD, Coming.MISSED)
        )
        others = [each for each in events if each not in too_old and each not in missed]
        killed = victim is not None and self._kill(victim, others[: len(others) // 2], others[len(others) // 2 :])
        if victim is None:
            self._write(others)
        self._decided(at)
        # The router now knows what time it is.
        self._write(too_old)
        self._decided(at)
        if at in self.month.missed_at:
            self._miss(at, missed)
        elif at - _AWAY in self.month.missed_at:
            self._end("analytics", in_transaction=False)
        return killed

    def _set_clock(self, at: int) -> None:
        """Let time be `at`."""
        self._writer.write(clock_at(at))
        self._writer.flush(10)

    def _write(self, events: Iterable[tuple[Contact, str]]) -> None:
        for contact, what in events:
            self._writer.write(event_of(contact, what))
            self.written[what.partition(" ")[0]] += 1
            if what == "offer":
                self._offers.setdefault(contact.name, contact)
        self._writer.flush(30)

    def _decided(self, at: int) -> None:
        """Wait until all that was offered is decided, by a router that knows the time; else offer the last again."""
        self._until("all offers decided", lambda: self.ledger.routed == self.written["offer"])
        while self.ledger.decided_at < at:
            self._write([(next(reversed(self._offers.values())), "offer")])
            self._until("an offer decided again", lambda: self.ledger.routed == self.written["offer"])

    def _counted(self) -> None:
        self._until("all contacts counted", lambda: self.ledger.offered == len(self._offers))
        days = f"{len(self._offers):,} contacts offered, {len(self.ledger.closed):,} closed"
        self._tell(f"{days}, {len(self.ledger.rows):,} rows, {sum(map(len, self.kills.values()))} kills")

    def _until(self, what: str, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _WAIT_SECONDS
        while not reached():
            ledger, failed = self.ledger, self.running.supervisor.failed
            assert not failed, failed
            assert not ledger.dead_letters, ledger.dead_letters[:3]
            assert time.monotonic() < deadline, (
                f"not {what} in {_WAIT_SECONDS:g} s: {self.written}, {len(self._offers)} contacts, {ledger.routed} "
                f"decided, {len(ledger.closed)} closed, {ledger.offered} counted, {ledger.in_progress} in progress"
            )
            ledger.look(0.02)

    # Kills.

    def _kill(self, service: str, before: Events, after: Events) -> bool:
        """Kill a service while events are written; return False where it had nothing to do, and lives.

        before: written while a moment is sought at which its transaction is open; after: when it does nothing more.
        """
        pid = self.running.supervisor.pids()[service, 0]
        waiting = iter(before)
        in_transaction = service in _WRITES and freeze_in_transaction(
            self.settings, pid, _WRITES[service], lambda: self._some(waiting), 4.0
        )
        os.kill(pid, signal.SIGSTOP)
        self._write(waiting)
        self._write(after)
        if self._end(service, in_transaction=in_transaction):
            return True
        os.kill(pid, signal.SIGCONT)
        return False

    def _end(self, service: str, *, in_transaction: bool) -> bool:
        """Kill a service that is frozen and has something to do, and note what; return whether it had."""
        behind = 0 if in_transaction else self._behind(service)
        if not in_transaction and not behind:
            return False
        self.running.supervisor.kill(service, 0)
        self.kills[service].append("in a transaction" if in_transaction else f"{behind} behind")
        return True

    def _some(self, events: Iterator[tuple[Contact, str]]) -> None:
        self._write(itertools.islice(events, 10))
        self.ledger.look(0.005)

    def _behind(self, service: str) -> int:
        """Return how many records a service has to read when it starts again."""
        topic = INBOXES.get(service) or FROM_THE_BEGINNING[service]
        places = partitions_of(self.settings, [topic.name])
        ends = last_stable_offsets(self.settings, places)
        if service not in INBOXES:
            return sum(ends.values())
        # Read uncommitted, for the broker does not tell offsets that a transaction may still replace.
        config = {**consumer_config(self.settings), "isolation.level": "read_uncommitted"}
        consumer = Consumer({**config, "group.id": f"{self.settings.prefix}{service}"})
        try:
            committed = consumer.committed([TopicPartition(*place) for place in places], timeout=10)
            return sum(max(0, ends[each.topic, each.partition] - max(0, each.offset)) for each in committed)
        finally:
            consumer.close()

    def _miss(self, at: int, offers: Events) -> None:
        """Freeze analytics, and offer what belongs to intervals that will be over when it is back.

        A tick goes ahead of them, which has it forget those intervals before it counts them.
        """
        self._counted()
        os.kill(self.running.supervisor.pids()["analytics", 0], signal.SIGSTOP)
        reader, codec, ticks = Reader(self.settings, [WFM_EVENTS.name], start="end"), Codec(), set[int]()
        deadline = time.monotonic() + 20
        while len(ticks) < 2:
            assert time.monotonic() < deadline, "the clock does not tick"
            events = [codec.decode(record.value or b"") for record in reader.read(1000, 0.1)]
            ticks |= {event.now for event in events if isinstance(event, Tick)}
        reader.close()
        self._write(offers)
        self._decided(at)


def committed(settings: Settings, topic: Topic) -> int:
    """Return how many committed records a topic has."""
    reader = Reader(settings, [topic.name], start="beginning")
    count = 0
    while not reader.at_end():
        count += len(reader.read(5000, 0.2))
    reader.close()
    return count
