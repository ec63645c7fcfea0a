"""What deltas and findings say of contacts that ended, since the last tick.

What one costs is one entry; spans, queues and intents, and the sketches of handle times, are added up at the tick.

State of a tenant: `ended`, `ended:<i>` -> what each adds (`slots`)
"""

from __future__ import annotations

from typing import NamedTuple

from processors.analytics.logic import figures, slots
from processors.analytics.logic.figures import Counts
from processors.analytics.logic.handled import Handled, times_of
from processors.analytics.logic.keeping import AHEAD_MICROS, BUCKET_MICROS, LATE_MICROS
from runtime.state import KeyedState
from schemas.fields import Handling
from schemas.wfm import Finding, VolumeDelta

MOST_AT_ONCE = 10_000
"""What a tick adds up: half a second of work. After an outage of the clock the latest come first."""
_ENDED = "ended"


class Closings(NamedTuple):
    """Contacts of one queue and intent that ended within ten seconds, and what was found of some meanwhile.

    `bucket`: when, in units of BUCKET_MICROS since 1970.
    """

    queue: str
    intent: str
    bucket: int
    counts: Counts

    @property
    def closed_at(self) -> int:
        """Beginning of the ten seconds, UTC microseconds."""
        return self.bucket * BUCKET_MICROS


class Ended(NamedTuple):
    """What has come since the last time: by queue, intent and bucket, in their order; and the times of each contact."""

    closings: list[Closings]
    handled: list[Handled]


def book(event: VolumeDelta | Finding, state: KeyedState, now: int) -> None:
    """Take a contact that has ended, or what was found of one; a contact that is under way is in no figure.

    A move between two final states says nothing of when the contact ended: it moves its times alone.
    """
    counts: Counts = {}
    times = None
    if isinstance(event, Finding):
        counts = figures.of_finding(event)
    elif event.to_handling is not Handling.IN_PROGRESS:
        left = None if event.from_handling is Handling.IN_PROGRESS else event.from_handling
        times = times_of(event, left)
        counts = figures.of_close(event) if left is None else {}
    if counts or times:
        at = event.occurred_at if now - LATE_MICROS <= event.occurred_at <= now + AHEAD_MICROS else now
        slots.add(state, _ENDED, [event.queue, event.intent, at // BUCKET_MICROS, counts, times])


def take(state: KeyedState) -> Ended:
    """Return what has ended since the last time; it is forgotten here."""
    sums: dict[tuple[str, str, int], dict[str, int]] = {}
    handled = []
    for queue, intent, bucket, counts, times in slots.take(state, _ENDED, MOST_AT_ONCE):
        if counts:
            figures.add(sums.setdefault((queue, intent, bucket), {}), counts)
        if times:
            handled.append(Handled(queue, *times))
    return Ended([Closings(*key, counts) for key, counts in sorted(sums.items())], handled)
