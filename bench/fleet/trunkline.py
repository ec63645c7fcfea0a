"""Trunkline's health monitor as a rule: the real step on a state in memory, and a router that obeys it at once."""

from __future__ import annotations

import heapq
import math
import zlib
from collections.abc import Callable
from typing import Any, Protocol

from bench.fleet.contacts import CHANNELS, CONTAINED, RESULTS, SECOND, TRIGGERS, Flag, Happening, Kind
from bench.fleet.parameters import Fleet
from bench.fleet.rules import Move
from processors.health.logic import HealthMonitor
from runtime.snapshot import Snapshot
from runtime.state import DictState, KeyedState
from schemas import topics
from schemas.agents import ContactOutcome, Graded, Outcome, ProbeRequest, Tick, Transition
from schemas.control import Endpoint, HumanQueue, Policy
from schemas.fields import NORMAL_TRAFFIC, BreakerState, Channel, Event, GradedBy, Handling, TurnResult
from schemas.interactions import DEFAULT_THRESHOLDS
from schemas.topics import Effect

PARTITIONS = 4
"""Of interactions.offered."""
HEADROOM = 2.0
"""The agent may have so many times the contacts that it has at once on average."""
TENANT, PROVIDER, ENDPOINT, VERSION, QUEUE = "acme", "north", "ada", "1", "people"
KEY = topics.provider_key(TENANT, PROVIDER)

Call = Callable[[int], tuple[TurnResult, float]]
"""Calls the agent at an instant (microseconds): what became of it, and its latency in ms."""


class Monitor(Protocol):
    """What tells the router of one provider's agents: the health monitor."""

    def step(self, event: Any, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
        """Apply one event of `agents.events` and return what is to be written."""


class Trunkline:
    """A monitor and its router for one agent. call: what a synthetic probe does."""

    name = "trunkline"

    def __init__(self, fleet: Fleet, call: Call, monitor: Monitor | None = None) -> None:
        self.moves: list[Move] = []
        self._fleet = fleet
        self._call = call
        self._monitor = monitor or HealthMonitor(offered_partitions=PARTITIONS)
        self._state = DictState()
        self._snapshot = Snapshot().with_record(topics.POLICY, TENANT, _policy(fleet), 0)
        self._stands: Transition | None = None
        self._permits: list[int] = []
        self._probes: list[tuple[int, str, Outcome]] = []
        self._present = 0
        self._intents = [f"intent-{number}" for number in range(len(fleet.shares))]

    def admit(self, arrival: Happening) -> int | None:
        """As the router has it: permits in HALF_OPEN, no shed intents, a cap, a ramp."""
        stands = self._stands
        if stands is not None and not self._lets_in(stands, arrival):
            return None
        self._present += 1
        return 0 if stands is None else stands.epoch

    @property
    def supervised(self) -> bool:
        """In DEGRADED, unless it is for some intents alone."""
        stands = self._stands
        return stands is not None and stands.to_state is BreakerState.DEGRADED and not stands.intents_only

    def hear(self, happening: Happening, epoch: int) -> None:
        """Step with the event that sessions write."""
        kind = happening.kind
        if kind == Kind.ENDED:
            self._present -= 1
        self._step(_EVENTS[kind](happening, epoch, self._intents[happening.intent], self._fleet), happening.at)

    def tick(self, now: int) -> None:
        """A tick, and the answers to synthetic probes that have come by now."""
        while self._probes and self._probes[0][0] <= now:
            at, _, outcome = heapq.heappop(self._probes)
            self._step(outcome, at)
        self._step(Tick(key=KEY, now=now), now)

    def _lets_in(self, stands: Transition, arrival: Happening) -> bool:
        if self._intents[arrival.intent] in stands.shed_intents:
            return False
        if stands.most_at_once is not None and self._present >= stands.most_at_once:
            return False
        if stands.to_state is BreakerState.HALF_OPEN:
            return self._spends(stands, arrival)
        if stands.to_state is BreakerState.CLOSED and stands.ramp_seconds:
            passed = (arrival.at - stands.occurred_at) / SECOND / stands.ramp_seconds
            share = stands.ramp_from + (1.0 - stands.ramp_from) * passed
            return share >= 1.0 or zlib.crc32(f"c-{arrival.contact}/{ENDPOINT}".encode()) / 2**32 < share
        return stands.to_state in NORMAL_TRAFFIC

    def _spends(self, stands: Transition, arrival: Happening) -> bool:
        partition = arrival.contact % PARTITIONS
        if not self._permits[partition] or arrival.at >= (stands.probes_expire_at or 0):
            return False
        self._permits[partition] -= 1
        return True

    def _step(self, event: Any, now: int) -> None:
        for effect in self._monitor.step(event, self._state, self._snapshot, now):
            self._obey(effect, now)

    def _obey(self, effect: Effect, now: int) -> None:
        event = effect.event
        if effect.topic is topics.PROBES and isinstance(event, ProbeRequest):
            self._probe(event, now)
        if effect.topic is not topics.TRANSITIONS or not isinstance(event, Transition) or event.version is not None:
            return
        self._stands = event
        self._permits = list(event.probe_permits)
        if not self.moves or self.moves[-1].state is not event.to_state:
            self.moves.append(Move(now, event.to_state, event.evidence.signal or event.reason))

    def _probe(self, request: ProbeRequest, now: int) -> None:
        result, latency_ms = self._call(now)
        at = now + round(latency_ms * 1000.0)
        answer = Outcome(
            tenant=TENANT,
            provider=PROVIDER,
            endpoint=ENDPOINT,
            version=VERSION,
            interaction_id=request.probe_id,
            turn=1,
            channel=Channel.CHAT,
            intent="probe",
            queue=QUEUE,
            breaker_epoch=request.breaker_epoch,
            result=result,
            latency_ms=latency_ms,
            occurred_at=at,
            synthetic=True,
        )
        heapq.heappush(self._probes, (at, request.probe_id, answer))


def _policy(fleet: Fleet) -> Policy:
    """Return a policy that states nothing of breakers: the defaults are what is measured."""
    seconds = fleet.turns_mean * (fleet.think_seconds + fleet.chat_median_ms / 1000.0)
    at_once = fleet.contacts_per_second * seconds
    intents = tuple(f"intent-{number}" for number in range(len(fleet.shares)))
    most = math.ceil(HEADROOM * (at_once + 3.0 * math.sqrt(at_once)))
    return Policy(
        tenant=TENANT,
        revision=1,
        thresholds=DEFAULT_THRESHOLDS,
        endpoints=(
            Endpoint(endpoint=ENDPOINT, provider=PROVIDER, version=VERSION, intents=intents, max_concurrent=most),
        ),
        queues=(HumanQueue(queue=QUEUE, intents=intents),),
        default_queue=QUEUE,
        occurred_at=0,
    )


def _about(of: Happening, epoch: int, intent: str) -> dict[str, Any]:
    return {
        "tenant": TENANT,
        "provider": PROVIDER,
        "endpoint": ENDPOINT,
        "version": VERSION,
        "interaction_id": f"c-{of.contact}",
        "channel": CHANNELS[of.channel],
        "intent": intent,
        "queue": QUEUE,
        "breaker_epoch": epoch,
    }


def _answered(of: Happening, epoch: int, intent: str, fleet: Fleet) -> Event:
    return Outcome(
        **_about(of, epoch, intent),
        turn=of.number,
        result=RESULTS[of.code],
        latency_ms=of.value,
        occurred_at=of.at,
        tokens=of.tokens,
        cost=of.tokens * fleet.token_cost,
        looping=bool(of.flags & Flag.LOOPING),
    )


def _ended(of: Happening, epoch: int, intent: str, fleet: Fleet) -> Event:  # noqa: ARG001 - one shape for all
    return ContactOutcome(
        **_about(of, epoch, intent),
        handling=Handling.AI_CONTAINED if of.code == CONTAINED else Handling.AI_ESCALATED,
        trigger=TRIGGERS[of.code],
        ai_turns=of.number,
        occurred_at=of.at,
    )


def _graded(of: Happening, epoch: int, intent: str, fleet: Fleet) -> Event:  # noqa: ARG001 - one shape for all
    surveyed = of.kind == Kind.SURVEYED
    return Graded(
        **_about(of, epoch, intent),
        by=GradedBy.CUSTOMER if surveyed else GradedBy.QA,
        resolved=None if surveyed else bool(of.flags & Flag.RESOLVED),
        csat=of.number if surveyed else None,
        hallucination=None if surveyed else bool(of.flags & Flag.HALLUCINATED),
        handled_at=round(of.value),
        occurred_at=of.at,
    )


_EVENTS: dict[int, Callable[[Happening, int, str, Fleet], Event]] = {
    Kind.ANSWERED: _answered,
    Kind.ENDED: _ended,
    Kind.GRADED: _graded,
    Kind.SURVEYED: _graded,
}
