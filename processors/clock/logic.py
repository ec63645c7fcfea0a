"""Pure logic of the clock: which timers are due, whose agent was lost, what a tick says, and when the next one is."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from typing import NamedTuple

from runtime.snapshot import Snapshot
from schemas.agents import Tick, Transition
from schemas.control import Policy
from schemas.fields import MICROS_PER_SECOND, BreakerState
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


class Loss(NamedTuple):
    """The last time that a breaker opened: in which epoch, and when (UTC microseconds)."""

    epoch: int
    at: int


class Losses:
    """When the breaker of each agent opened last; an agent that never was lost has no entry.

    An agent that has recovered keeps its loss: a contact of an earlier epoch was there when it went, whether or not
    this clock ran then.
    """

    def __init__(self) -> None:
        self._last: dict[str, Loss] = {}
        self._seen: Mapping[str, Transition] = {}
        self._fresh: set[str] = set()

    def note(self, latest: Mapping[str, Transition]) -> None:
        """Take note of the latest transition of each agent, by its key; called once for each that comes."""
        seen, self._seen = self._seen, latest
        for agent, transition in latest.items():
            if transition is seen.get(agent):
                continue
            if transition.to_state in (BreakerState.OPEN, BreakerState.FORCED_OPEN):
                self._last[agent] = Loss(transition.epoch, transition.occurred_at)
                self._fresh.add(agent)

    def of(self, agent: str) -> Loss | None:
        """Return the last loss of an agent, None where there was none."""
        return self._last.get(agent)

    def has_fresh(self) -> bool:
        """Tell whether `fresh` would return any."""
        return bool(self._fresh)

    def fresh(self) -> set[str]:
        """Return the agents that were lost since the last time."""
        fresh, self._fresh = self._fresh, set()
        return fresh


class Told(NamedTuple):
    """A contact that is to be told of a loss, and the epoch that it knew before."""

    interaction_id: str
    agent: str
    loss: Loss
    knew: int


class Watches:
    """Contacts by the agent whose loss is to wake them, each with the epoch of the agent's breaker that it knows.

    To be told of a loss is to know its epoch, so a contact is told once, however often its timer is set meanwhile.
    A watch outlives its timer: only what the session says next ends it.
    """

    def __init__(self, losses: Losses) -> None:
        self._losses = losses
        self._agent_of: dict[str, str] = {}
        self._knows: dict[str, dict[str, int]] = {}
        self._lost: list[str] = []  # 1 ms for the 100,000 contacts of an agent, which as keys would be 25
        self._waiting: dict[str, None] = {}

    def __len__(self) -> int:
        """Number of contacts that are watched."""
        return len(self._agent_of)

    def set(self, interaction_id: str, agent: str, epoch: int) -> None:
        """Wake a contact when `agent` is lost in an epoch above `epoch`, and on account of no other agent."""
        if self._agent_of.get(interaction_id) != agent:
            self.clear(interaction_id)
            self._agent_of[interaction_id] = agent
        contacts = self._knows.setdefault(agent, {})
        knows = contacts[interaction_id] = max(epoch, contacts.get(interaction_id, epoch))
        loss = self._losses.of(agent)
        if loss is not None and knows < loss.epoch:
            self._waiting[interaction_id] = None

    def clear(self, interaction_id: str) -> None:
        """Wake a contact on account of no agent; nothing happens where it is not watched."""
        agent = self._agent_of.pop(interaction_id, None)
        if agent is not None:
            contacts = self._knows[agent]
            del contacts[interaction_id]
            if not contacts:
                del self._knows[agent]

    def lost(self, agent: str) -> None:
        """Have all contacts of an agent looked at."""
        self._lost.extend(self._knows.get(agent, ()))

    def is_waiting(self) -> bool:
        """Tell whether `take` has contacts to look at."""
        return bool(self._lost or self._waiting)

    def take(self, most: int) -> tuple[list[Told], int]:
        """Look at up to `most` contacts; return those to be told, and how many were looked at.

        Where they could not be told, `put_back` has them told again.
        """
        looked = min(most, len(self._lost) + len(self._waiting))
        out = []
        for _ in range(looked):
            interaction_id = self._lost.pop() if self._lost else self._waiting.popitem()[0]
            agent = self._agent_of.get(interaction_id)
            loss = self._losses.of(agent) if agent is not None else None
            if agent is None or loss is None:
                continue
            knew = self._knows[agent][interaction_id]
            if knew < loss.epoch:
                self._knows[agent][interaction_id] = loss.epoch
                out.append(Told(interaction_id, agent, loss, knew))
        return out, looked

    def put_back(self, told: Told) -> None:
        """Take note that a contact was not told; its session may have set another watch meanwhile."""
        if self._agent_of.get(told.interaction_id) == told.agent:
            self._knows[told.agent][told.interaction_id] = told.knew
            self._waiting[told.interaction_id] = None


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
