"""Pure logic of the clock: which timers are due, what a tick says, and when the next one is."""

from __future__ import annotations

import heapq

from runtime.snapshot import Snapshot
from schemas.agents import Tick
from schemas.control import Policy
from schemas.fields import MICROS_PER_SECOND
from schemas.topics import AGENT_EVENTS, POLICY, WFM_EVENTS, Effect, provider_key

TICK_MICROS = MICROS_PER_SECOND
"""A tick a second: well inside the 5 s in which an outage is to be seen, at little traffic."""


class TimerHeap:
    """The next due instant of each contact, one per contact, soonest first.

    An entry that was replaced or cleared stays in the heap until it comes up, or until such
    entries outnumber the live ones: then the heap is made anew. So every operation is
    O(log n) amortised and memory stays within twice the live timers.
    """

    def __init__(self) -> None:
        self._due: dict[str, int] = {}
        self._heap: list[tuple[int, str]] = []

    def __len__(self) -> int:
        """Number of live timers."""
        return len(self._due)

    def set(self, interaction_id: str, due_at: int) -> None:
        """Wake `interaction_id` at `due_at` (UTC microseconds) and at no other instant."""
        if self._due.get(interaction_id) == due_at:
            return
        self._due[interaction_id] = due_at
        heapq.heappush(self._heap, (due_at, interaction_id))
        self._compact()

    def clear(self, interaction_id: str) -> None:
        """Forget the timer of `interaction_id`; nothing happens where it has none."""
        if self._due.pop(interaction_id, None) is not None:
            self._compact()

    def due(self, now: int) -> list[tuple[str, int]]:
        """Take out the timers due at `now` (UTC microseconds) or before: (id, due), soonest first.

        Where they could not be written, `set` puts them back.
        """
        out = []
        while self._heap and self._heap[0][0] <= now:
            due_at, interaction_id = heapq.heappop(self._heap)
            if self._due.get(interaction_id) == due_at:
                del self._due[interaction_id]
                out.append((interaction_id, due_at))
        self._compact()
        return out

    def next_due(self) -> int | None:
        """Return the soonest due instant (UTC microseconds), None where there is no timer."""
        while self._heap and self._due.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def _compact(self) -> None:
        if len(self._heap) > 2 * len(self._due):
            self._heap = [(due_at, interaction_id) for interaction_id, due_at in self._due.items()]
            heapq.heapify(self._heap)


class TickSchedule:
    """One tick in each second of real time, on the whole second.

    Seconds that passed unasked get no tick of their own: after a stall there is one tick, never
    a burst. A real clock that is set back does not silence it.
    """

    def __init__(self) -> None:
        self._last_second: int | None = None

    def is_due(self, real_now: int) -> bool:
        """Tell whether to tick at `real_now` (microseconds); a second that was granted is used up."""
        second = real_now // TICK_MICROS
        if second == self._last_second:
            return False
        self._last_second = second
        return True

    def next_at(self, real_now: int) -> int:
        """Return the instant (microseconds) of the next tick: `real_now` itself where one is due."""
        second = real_now // TICK_MICROS
        return (second + 1) * TICK_MICROS if second == self._last_second else real_now


def ticks(snapshot: Snapshot, now: int) -> list[Effect]:
    """Return the ticks of `now` (UTC microseconds): one per key of the inboxes that live by time.

    Keys come from the policies: the tenant for `wfm.events`, each of its providers for
    `agents.events`. Without a policy there is nothing to tell.
    """
    out = []
    policies: list[Policy] = [policy for _, policy in sorted(snapshot.of(POLICY).items())]
    for policy in policies:
        out.append(Effect(WFM_EVENTS, Tick(key=policy.tenant, now=now)))
        providers = sorted({endpoint.provider for endpoint in policy.endpoints})
        out += [Effect(AGENT_EVENTS, Tick(key=provider_key(policy.tenant, name), now=now)) for name in providers]
    return out
