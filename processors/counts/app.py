"""Counts as a step of the transactional loop: contacts that agents have no more in, nothing out but a word to Redis.

The routers count the contacts that each AI agent has; a contact that closed, or went to people or to another agent, is
taken off here. It is done when a record is stepped, before its offset is committed, and doing it again changes nothing.
What Redis cannot be told is kept in memory and told when it is back; what is lost with the process ends with its lease.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Protocol

from runtime.control import ControlFollower
from runtime.counts import ContactsAtOnce
from runtime.kafka import Record
from runtime.loop import TransactionalLoop
from runtime.metrics import METRICS
from runtime.service import Process
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.start import service_codec
from runtime.step import Batch
from schemas.codec import Codec
from schemas.conversations import Moved
from schemas.envelope import Packed
from schemas.errors import DecodeError
from schemas.fields import Event
from schemas.interactions import Closed
from schemas.topics import ASSIGNMENTS, BY_NAME, CLOCK, CLOSED, contact_key, endpoint_key

log = logging.getLogger(__name__)

SERVICE = "counts"
RETRY_SECONDS = 1.0
MOST_WAITING = 100_000
"""Contacts that wait for Redis: beyond, the oldest are left to their leases."""

_Ended = tuple[str, str]
"""The key of an agent and that of a contact."""


class Releases(Protocol):
    """Takes contacts off the counts (`runtime.counts.ContactsAtOnce`)."""

    def release(self, ended: Sequence[_Ended]) -> bool:
        """Count contacts no more; return whether that was done."""


class CountsStep:
    """Takes contacts off the counts of agents that have them no more (a `runtime.step.Step`)."""

    def __init__(self, codec: Codec, counts: Releases, clock: Callable[[], float] = time.monotonic) -> None:
        """Tell `counts`. clock: real seconds."""
        self._codec = codec
        self._counts = counts
        self._clock = clock
        self._waiting: dict[_Ended, None] = {}
        self._retry_at = 0.0

    def begin(self) -> None:
        """Keep all: what has ended has ended, whether or not its record stands here."""

    kept = sealed = committed = aborted = begin

    def dropped(self, partitions: frozenset[int]) -> None:
        """Keep what waits for Redis: the next owner reads none of it again."""

    def wake_seconds(self, _snapshot: Snapshot) -> float | None:
        """Return the seconds until Redis is tried again, where something waits for it."""
        return max(0.0, self._retry_at - self._clock()) if self._waiting else None

    def step(self, batch: Batch) -> list[Packed]:
        """Take the contacts of a batch, and those that wait, off the counts. Writes nothing."""
        for record in batch.records:
            self._note(record)
        if self._waiting and self._clock() >= self._retry_at:
            self._release()
        METRICS.releases_waiting.set(len(self._waiting))
        return []

    def _note(self, record: Record) -> None:
        try:
            event = self._codec.decode(record.value, BY_NAME[record.topic].types)
        except DecodeError as problem:
            # Topics of our own, without dead letters: the lease ends what is not told here.
            METRICS.dead_letters.labels(SERVICE, "skipped", problem.reason).inc()
            place = f"{record.topic} partition {record.partition} offset {record.offset}"
            log.warning("%s is skipped: %s", place, problem)
            return
        left = _left(event)
        if isinstance(event, Closed | Moved) and left is not None:
            self._waiting[endpoint_key(event.tenant, left), contact_key(event.tenant, event.interaction_id)] = None

    def _release(self) -> None:
        if self._counts.release(list(self._waiting)):
            self._waiting.clear()
            return
        self._retry_at = self._clock() + RETRY_SECONDS
        for oldest in list(self._waiting)[: len(self._waiting) - MOST_WAITING]:
            del self._waiting[oldest]


def _left(event: Event) -> str | None:
    """Return the agent that has the contact of an event no more, None where no agent lost it."""
    match event:
        case Closed():
            return event.endpoint
        case Moved() if event.from_endpoint != event.to_endpoint:
            return event.from_endpoint
    return None


def run(settings: Settings, process: Process) -> None:
    """Take contacts off the counts until the process is told to stop."""
    codec = service_codec(settings, process)
    control = ControlFollower(settings, SERVICE, (CLOCK,), codec)
    control.read_to_end()
    step = CountsStep(codec, ContactsAtOnce(settings))
    TransactionalLoop(settings, SERVICE, CLOSED, step, control, also=(ASSIGNMENTS,)).run(process)
