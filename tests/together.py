"""The simulated centre with the session manager's and the supervisors' own folds, in virtual time, without Kafka.

Each topic takes a time of its own, and keeps its order: what one side tells, the other hears late.
"""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from processors.sessions.logic import step as of_sessions
from processors.supervisors.logic import step as of_supervisors
from runtime.snapshot import Snapshot
from runtime.state import Overlay
from schemas.control import Policy
from schemas.errors import RecordError
from schemas.fields import Event
from schemas.interactions import Completed, Decision, Offered, TimerDue
from schemas.topics import (
    ALERTS,
    ASSIGNMENTS,
    CLOSED,
    HANDOFFS,
    INTERACTION_EVENTS,
    OFFERED,
    POLICY,
    ROUTED,
    SUPERVISION_EVENTS,
    SUPERVISION_REQUESTS,
    TIMERS,
    Effect,
)
from simulator.world import World
from tests.centre import SECOND, START
from tests.contacts import JsonState

TO_CENTRE = (ROUTED.name, HANDOFFS.name, ASSIGNMENTS.name, SUPERVISION_REQUESTS.name)
Router = Callable[[Offered], Decision]


class Together:
    """Plays a world to its end. `took`: seconds that a topic takes, by name, 0.1 where it is not named."""

    def __init__(self, world: World, policy: Policy, router: Router, took: Mapping[str, float] | None = None) -> None:
        self.world = world
        self.router = router
        self.took = took or {}
        self.told: list[tuple[int, str, Event]] = []
        """All that was written: when, to which topic, what."""
        self.heard: list[tuple[int, Event]] = []
        """What reached the centre, and when."""
        self.refused: list[tuple[Event, str]] = []
        self.timers: dict[str, int] = {}
        self._snapshot = Snapshot().with_record(POLICY, policy.tenant, policy, 0)
        self._states: defaultdict[str, JsonState] = defaultdict(JsonState)
        self._due: list[tuple[int, int, str, Event]] = []

    def write(self, now: int, topic: str, event: Event) -> None:
        """Put an event on a topic, to be read when the topic's time has passed."""
        self.told.append((now, topic, event))
        at = now + round(self.took.get(topic, 0.1) * SECOND)
        heapq.heappush(self._due, (at, len(self.told), topic, event))

    def play(self, also_at: Iterable[int] = (), steps: int = 100_000) -> Together:
        """Run until the centre has closed all contacts and everything told has been read.

        also_at: further instants at which the centre is woken, though nothing is due.
        """
        now, extra = START, sorted(also_at, reverse=True)
        for _ in range(steps):
            self._centre(now)
            while self._due and self._due[0][0] <= now:
                self._read(now)
            if self.world.finished and not self._due:
                return self
            wakes = [self.world.wakes_at(), self._due[0][0] if self._due else None, *self.timers.values()]
            while extra and extra[-1] <= now:
                extra.pop()
            now = max(now, min(at for at in [*wakes, *extra[-1:]] if at is not None))
            for name in [name for name, at in self.timers.items() if at <= now]:
                due = TimerDue(interaction_id=name, due_at=self.timers.pop(name))
                self._step(now, of_sessions, name, due)
        raise AssertionError(f"not at an end after {steps} steps: {self.world.progress()}")

    def of(self, kind: type[Any]) -> list[Any]:
        """All events of a type that were told."""
        return [event for _, _, event in self.told if isinstance(event, kind)]

    def _centre(self, now: int, inputs: Iterable[Any] = ()) -> None:
        for effect in self.world.step(now, inputs):
            assert effect.event is not None
            self.write(now, effect.topic.name, effect.event)

    def _read(self, now: int) -> None:
        _, _, topic, event = heapq.heappop(self._due)
        if topic in TO_CENTRE:
            self.heard.append((now, event))
            self._centre(now, [event])
        elif topic == OFFERED.name:
            decision = self.router(event)
            self.write(now, ROUTED.name, msgspec.structs.replace(decision, decided_at=now))
            self.write(now, INTERACTION_EVENTS.name, msgspec.structs.replace(decision, decided_at=now))
        elif topic == SUPERVISION_EVENTS.name:
            self._step(now, of_supervisors, "", event)
        elif topic == INTERACTION_EVENTS.name:
            self._step(now, of_sessions, event.interaction_id, event)

    def _step(self, now: int, fold: Callable[..., list[Effect]], key: str, event: Event) -> None:
        state = Overlay(self._states[key])
        try:
            effects = list(fold(event, state, self._snapshot, now))
        except RecordError as problem:
            self.refused.append((event, problem.reason))
            return
        state.commit()
        for effect in effects:
            if effect.topic is TIMERS:
                self.timers.pop(key, None)
                if effect.event is not None:
                    self.timers[key] = effect.event.due_at
            elif effect.event is not None:
                self.write(now, effect.topic.name, effect.event)

    def check(self) -> None:
        """Nothing was refused or left over, and both sides saw the same end of each contact."""
        ends = {event.interaction_id: event for event in self.of(Completed)}
        closed = [event for _, topic, event in self.told if topic == CLOSED.name]
        assert self.refused == []
        assert [event for _, topic, event in self.told if topic == ALERTS.name] == []
        assert Counter(event.interaction_id for event in closed) == Counter(ends.keys())
        assert {event.interaction_id: event.ai_turns for event in closed} == {
            name: end.ai_turns for name, end in ends.items()
        }
