"""AI contacts that ended since the last tick, counted by queue, intent and ten seconds of their close.

What a delta costs is one entry, as for volumes; spans, queues and intents are added up at the tick, from sums.

State of a tenant:

- `closings:<JSON list of queue, intent, bucket>` -> contacts by outcome since the last tick
- `closed`, `closed:<i>` -> names of these entries (`slots`)
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from processors.analytics.logic import slots
from runtime.state import KeyedState
from schemas.fields import MICROS_PER_SECOND, Handling, Pool
from schemas.wfm import VolumeDelta

BUCKET_MICROS = 10 * MICROS_PER_SECOND
"""A bucket of closes: 30 of them make the five minutes, whose edge is then right to 3 %; hours are whole buckets."""
AHEAD_MICROS = 5 * 60 * MICROS_PER_SECOND
LATE_MICROS = 7 * 24 * 3600 * MICROS_PER_SECOND
"""A close further ahead of now, or longer ago, is a clock that is wrong: it is booked to now. Seven days is also how
long the inbox is kept, so no late close that is true is older."""

OUTCOMES = (Handling.AI_CONTAINED, Handling.AI_ASSISTED, Handling.AI_ESCALATED, Handling.ABANDONED)
"""How a contact that AI had can end, in the order in which counts are kept."""
CONTAINED, ASSISTED, ESCALATED, ABANDONED = range(4)
"""Places of counts."""

_CLOSED = "closed"
_NAME = "closings:"
_Key = tuple[str, str, int]


class Closings(NamedTuple):
    """Contacts of one queue and intent that ended within ten seconds. `counts`: by outcome, in the order of OUTCOMES.

    `bucket`: when, in units of BUCKET_MICROS since 1970.
    """

    queue: str
    intent: str
    bucket: int
    counts: list[int]

    @property
    def closed_at(self) -> int:
        """Beginning of the ten seconds, UTC microseconds."""
        return self.bucket * BUCKET_MICROS


def book(delta: VolumeDelta, state: KeyedState, now: int) -> None:
    """Count a contact that AI had and that has ended; any other delta changes nothing.

    AI had it where it was decided for a pool of AI. One that is under way is not known yet: it is censored, and in no
    figure. A move between two final states is not booked: it does not say when the contact ended.
    """
    if delta.pool is Pool.HUMAN_EXCLUSIVE or delta.to_handling not in OUTCOMES:
        return
    if delta.from_handling not in {None, Handling.IN_PROGRESS}:
        return
    key: _Key = (delta.queue, delta.intent, _closed_at(delta, now) // BUCKET_MICROS)
    name = _NAME + msgspec.json.encode(key).decode()
    known = state.get(name)
    if known is None:
        slots.add(state, _CLOSED, name)
    counts = list(known or [0] * len(OUTCOMES))
    counts[OUTCOMES.index(delta.to_handling)] += 1
    state.set(name, counts)


def take(state: KeyedState) -> list[Closings]:
    """Return what has ended since the last time, by queue, intent and time; it is forgotten here."""
    taken = []
    for name in slots.take(state, _CLOSED):
        queue, intent, bucket = msgspec.json.decode(name[len(_NAME) :], type=_Key)
        taken.append(Closings(queue, intent, bucket, state.get(name)))
        state.delete(name)
    return sorted(taken)


def _closed_at(delta: VolumeDelta, now: int) -> int:
    return delta.occurred_at if now - LATE_MICROS <= delta.occurred_at <= now + AHEAD_MICROS else now
