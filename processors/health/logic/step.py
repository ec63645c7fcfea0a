"""The health monitor's step: one event of `agents.events` in, effects out.

State of a key (tenant/provider), many small entries: `endpoints` (tenant, provider, names) and the provider's `status`;
by endpoint `epoch`, `versions`, `flight`, `intent`, `arrivals` per queue and intent with their `cells`, `outages`,
`planned`, `alerted`, `routed`; by breaker `breaker`, `window`, a `second` per bucket of the window, `signals`, `retry`,
`frozen`, `latency` per channel. An outcome of an agent that is well writes `window` and `latency` and, once a second,
one bucket; the first turn of a contact two entries more. Scores that are 0 are not stored.
"""

from __future__ import annotations

import dataclasses

from processors.health.logic import (
    grades,
    impact,
    intents,
    moves,
    outlook,
    planned,
    probes,
    retry,
    routed,
    rules,
    silence,
)
from processors.health.logic.breaker import MoveReason, micros
from processors.health.logic.intents import Shed
from processors.health.logic.latency import Latency, target_ms
from processors.health.logic.moves import Moves
from processors.health.logic.rules import Verdict
from processors.health.logic.siblings import Siblings
from processors.health.logic.signals import Signal
from processors.health.logic.watch import Watch, count_flight, is_unwell, versions_in_use, watched_versions
from processors.health.logic.window import HARD_FAILURES
from runtime.permits import check_partitions
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas import topics
from schemas.agents import BreakerAction, BreakerCommand, ContactOutcome, Graded, Outcome, ProviderStatus, Tick
from schemas.errors import RecordError
from schemas.fields import NORMAL_TRAFFIC, BreakerState, Event, TurnResult
from schemas.topics import Effect

_FAILED = HARD_FAILURES | {TurnResult.RATE_LIMITED}
_EVENTS = Outcome | ContactOutcome | Graded | ProviderStatus | BreakerCommand


@dataclasses.dataclass(frozen=True, slots=True)
class HealthMonitor:
    """Watches the AI endpoints of one provider per key.

    Attributes:
        offered_partitions: partitions of interactions.offered, over which probe permits are shared.
    """

    offered_partitions: int
    _siblings: Siblings = dataclasses.field(default_factory=Siblings, repr=False, compare=False)

    def __post_init__(self) -> None:
        check_partitions(self.offered_partitions)

    def step(self, event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
        """Apply one event to the state of its key and return what is to be written.

        `now` is UTC in microseconds. It may step back or leap ahead: a step back within the
        tolerance reads as standing still, a larger one empties the windows and restarts the waits,
        a leap ahead empties the windows and ends the waits.

        Raises:
            RecordError: the event cannot be booked (`invalid_latency`, `unexpected_type`).
        """
        if isinstance(event, Tick):
            return self._tick(state, snapshot, now)
        if not isinstance(event, _EVENTS):
            raise RecordError("unexpected_type", f"{type(event).__name__} is no event of {topics.AGENT_EVENTS.name}")
        if isinstance(event, ProviderStatus):
            outlook.note_status(state, event)
            return []
        key = _Key(event.tenant, event.provider, event.endpoint, state, snapshot, now)
        if isinstance(event, BreakerCommand):
            return self._command(key.watch(event.version), event)
        if isinstance(event, Outcome):
            return self._outcome(key, event)
        return self._told(key, event)

    def _tick(self, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
        tenant, provider, endpoints = state.get("endpoints", ["", "", []])
        effects: list[Effect] = []
        for endpoint in endpoints:
            key = _Key(tenant, provider, endpoint, state, snapshot, now)
            for version in watched_versions(state, endpoint):
                effects += self._due(key.watch(version))
            watch = key.watch(None)
            known = watch.known
            if known is not None and is_unwell(state, endpoint, known.version):
                # Left alone while no contact came by it, it is tried again now that the policy names it.
                effects += self._due(key.watch(known.version))
            effects += self._due(watch)
            effects += routed.told(watch)
            effects += planned.told(watch)
            effects += silence.told(watch)
        return effects

    def _due(self, watch: Watch) -> list[Effect]:
        """Make the move that the passing of time calls for, if any. It never makes anything worse than it was."""
        return self._moved(watch, _due(watch))

    def _outcome(self, key: _Key, outcome: Outcome) -> list[Effect]:
        watch = key.watch(None)
        of_version = self._of_version(key, watch, outcome)
        if of_version is None:
            return self._booked(watch, outcome)
        effects = self._booked(of_version, outcome)
        # What a version that is out does is its own: the endpoint's other versions are not to blame.
        return effects if of_version.breaker.state not in NORMAL_TRAFFIC else effects + self._booked(watch, outcome)

    def _of_version(self, key: _Key, watch: Watch, outcome: Outcome) -> Watch | None:
        """Return the breaker of the version that answered, where the endpoint is seen with several."""
        state, endpoint, version = key.state, outcome.endpoint, outcome.version
        if not watch.breaker.books(outcome.breaker_epoch):
            return None
        several = not outcome.synthetic and versions_in_use(state, endpoint, version, watch.second)
        return key.watch(version) if several or is_unwell(state, endpoint, version) else None

    def _booked(self, watch: Watch, outcome: Outcome) -> list[Effect]:
        """Take an outcome into account in one breaker."""
        effects = self._due(watch) if watch.breaker.state is BreakerState.OPEN else []
        breaker = watch.breaker
        if not breaker.books(outcome.breaker_epoch):
            return effects
        normal = breaker.state in NORMAL_TRAFFIC
        if outcome.synthetic and normal:
            return effects
        window = watch.window
        window.advance(watch.now, learn=breaker.state is BreakerState.CLOSED)
        if normal:
            window.summary.normal_since = window.summary.normal_since or window.at
            if outcome.turn == 1 and watch.version is None:
                impact.count_arrival(watch.state, outcome, window.at)
                count_flight(watch.state, watch.endpoint, watch.second, 1)
        verdict: Verdict | None = None
        # What an intent does that was shed is its own: the others are judged without it.
        if outcome.result is not TurnResult.CALLER_FAULT and outcome.intent not in breaker.shed:
            window.book(outcome)
            verdict = retry.asked(watch, outcome)
            if normal:
                verdict = verdict or self._normal(watch, outcome)
            else:
                watch.breaker, probed = probes.booked(watch.breaker, outcome)
                watch.save()
                verdict = verdict or probed or probes.judge(watch.breaker, watch.policy, watch.now)
        window.save()
        watch.signals.save()
        return effects + self._moved(watch, verdict)

    def _normal(self, watch: Watch, outcome: Outcome) -> Verdict | None:
        """Observe what an outcome in normal traffic says, and judge."""
        second, signals, failed = watch.window.summary.second, watch.signals, outcome.result in _FAILED
        signals.observe(Signal.FAILURES_MOSTLY, second, against=failed)
        signals.observe(Signal.FAILURES, second, against=failed)
        if not failed:
            signals.observe(Signal.LOOPS, second, against=outcome.looping)
        shed: Shed | None = None
        if watch.version is None:
            if not failed:
                self._fast_or_slow(watch, outcome, second)
            shed = intents.observed(watch, outcome.intent, Signal.FAILURES, against=failed)
        return self._judged(watch, shed)

    def _fast_or_slow(self, watch: Watch, outcome: Outcome, second: int) -> None:
        latency = Latency(watch.state, watch.scope, outcome.channel)
        slow = latency.is_slow(outcome.latency_ms)
        if slow is not None:
            watch.signals.observe(Signal.SLOW, second, against=slow)
        target = target_ms(watch.policy, outcome.channel)
        if target is not None:
            watch.signals.observe(Signal.OVER_TARGET, second, against=outcome.latency_ms > target)
        learn = watch.breaker.state is BreakerState.CLOSED
        latency.book(outcome.latency_ms, second, learn=learn)

    def _told(self, key: _Key, event: ContactOutcome | Graded) -> list[Effect]:
        """Take into account what became of a contact, or what somebody found of it."""
        of_endpoint = key.watch(None)
        if isinstance(event, ContactOutcome):
            count_flight(key.state, event.endpoint, of_endpoint.second, -1)
        if not of_endpoint.breaker.books(event.breaker_epoch):
            return []
        watches = [key.watch(event.version)] if event.version in watched_versions(key.state, event.endpoint) else []
        effects: list[Effect] = []
        for watch in (*watches, of_endpoint):
            breaker = watch.breaker
            if breaker.state not in NORMAL_TRAFFIC or not breaker.books(event.breaker_epoch):
                continue
            shed = grades.observed(watch, event)
            verdict = self._judged(watch, shed)
            watch.signals.save()
            effects += self._moved(watch, verdict)
        return effects

    def _judged(self, watch: Watch, shed: Shed | None) -> Verdict | None:
        siblings_out = self._siblings.are_out(watch.tenant, watch.endpoint, watch.snapshot)
        tightened = siblings_out or outlook.is_unwell(watch.state, watch.now)
        verdict = rules.judge(watch.breaker, watch.window, watch.signals, watch.policy, tightened=tightened)
        if verdict is not None:
            return verdict
        breaker = watch.breaker
        if shed is not None and shed.intent not in breaker.shed:
            if breaker.state is BreakerState.CLOSED or breaker.intents_only:
                return Verdict(BreakerState.DEGRADED, MoveReason.INTENT_FAILING, shed.detail, shed.alarm, shed.intent)
            return None
        return moves.capped_again(watch)

    def _command(self, watch: Watch, command: BreakerCommand) -> list[Effect]:
        here = watch.breaker.state
        if command.action is BreakerAction.RESET:
            moves.forget(watch)
        if command.action is BreakerAction.FORCE_OPEN:
            to_state, reason = BreakerState.FORCED_OPEN, MoveReason.FORCED_BY_COMMAND
        else:
            to_state, reason = BreakerState.CLOSED, MoveReason.CLOSED_BY_COMMAND
        # Ordered twice is ordered once.
        verdict = None if here is to_state else Verdict(to_state, reason, command.reason)
        return self._moved(watch, verdict, by=command.by)

    def _moved(self, watch: Watch, verdict: Verdict | None, by: str = "") -> list[Effect]:
        """Make the move that is due, if any: the state it leaves behind and the effects."""
        return [] if verdict is None else Moves(watch, self.offered_partitions).made(verdict, by)


@dataclasses.dataclass(frozen=True, slots=True)
class _Key:
    """What the breakers of one endpoint are loaded with."""

    tenant: str
    provider: str
    endpoint: str
    state: KeyedState
    snapshot: Snapshot
    now: int

    def watch(self, version: str | None) -> Watch:
        """Load the endpoint's breaker, or that of a version."""
        return Watch(
            self.tenant,
            self.provider,
            self.endpoint,
            version,
            state=self.state,
            snapshot=self.snapshot,
            now=self.now,
        )


def _due(watch: Watch) -> Verdict | None:
    """The move that the passing of time calls for, or None."""
    breaker, policy, now = watch.breaker, watch.policy, watch.now
    if breaker.state is BreakerState.OPEN and now >= breaker.open_until:
        waited = (breaker.open_until - breaker.changed_at) / micros(1)
        return Verdict(BreakerState.HALF_OPEN, MoveReason.OPEN_ELAPSED, f"{waited:.1f} s have passed")
    if breaker.state is BreakerState.HALF_OPEN:
        return probes.judge(breaker, policy, now)
    if breaker.state is BreakerState.DEGRADED:
        if breaker.intents_only:
            if now < breaker.shed_until:
                return None
            detail = f"{', '.join(breaker.shed)}: on trial again"
            return Verdict(BreakerState.CLOSED, MoveReason.SHED_ELAPSED, detail)
        quiet = now - max(watch.window.at, breaker.changed_at)
        if quiet >= micros(policy.open_seconds_max):
            detail = f"no outcome for {quiet / micros(1):.0f} s"
            return Verdict(BreakerState.CLOSED, MoveReason.EVIDENCE_EXPIRED, detail)
    return None
