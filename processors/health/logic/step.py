"""The health monitor's step: one event of `agents.events` in, effects out.

State of a key (tenant/provider), one entry each: `endpoints` (tenant, provider, names), and by
endpoint `breaker`, `window`, a `second` per bucket of the window, `arrivals` per queue and intent
with their `cells`, `frozen`, `outages`. An outcome in normal traffic writes `window` and, once a
second, one bucket; the first turn of a contact writes one ring of `arrivals` besides.
"""

from __future__ import annotations

import dataclasses

import msgspec

from processors.health.logic import impact, probes, rules
from processors.health.logic.breaker import NORMAL, OUT, Breaker, MoveReason, micros, move, rebased
from processors.health.logic.rules import Verdict
from processors.health.logic.window import Window
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas import topics
from schemas.agents import BreakerAction, BreakerCommand, Outcome, Tick, Transition
from schemas.control import BreakerPolicy, Policy
from schemas.errors import RecordError, TrunklineError
from schemas.fields import BreakerState, TurnResult
from schemas.topics import Effect
from schemas.wfm import Impact

_DEFAULTS = BreakerPolicy()


@dataclasses.dataclass(frozen=True, slots=True)
class HealthMonitor:
    """Watches the AI endpoints of one provider per key.

    Attributes:
        offered_partitions: partitions of interactions.offered, over which probe permits are shared.
    """

    offered_partitions: int

    def __post_init__(self) -> None:
        if self.offered_partitions < 1:
            raise TrunklineError(
                f"offered_partitions is {self.offered_partitions}: pass the number of partitions of "
                f"{topics.OFFERED.name}, at least 1"
            )

    def step(
        self, event: Outcome | Tick | BreakerCommand, state: KeyedState, snapshot: Snapshot, now: int
    ) -> list[Effect]:
        """Apply one event to the state of its key and return what is to be written.

        `now` is UTC in microseconds. It may step back or leap ahead: a step back within the
        tolerance reads as standing still, a larger one empties the windows and restarts the waits,
        a leap ahead empties the windows and ends the waits.

        Raises:
            RecordError: the event cannot be booked (`invalid_latency`, `unexpected_type`).
        """
        if isinstance(event, Tick):
            return self._tick(state, snapshot, now)
        if not isinstance(event, Outcome | BreakerCommand):
            raise RecordError("unexpected_type", f"{type(event).__name__} is no event of {topics.AGENT_EVENTS.name}")
        watch = Watch.load(event.tenant, event.provider, event.endpoint, state=state, snapshot=snapshot, now=now)
        if isinstance(event, Outcome):
            return self._outcome(watch, event)
        return self._command(watch, event)

    def _tick(self, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
        tenant, provider, endpoints = state.get("endpoints", ["", "", []])
        effects: list[Effect] = []
        for endpoint in endpoints:
            watch = Watch.load(tenant, provider, endpoint, state=state, snapshot=snapshot, now=now)
            effects += self._moves(watch, _due(watch))
        return effects

    def _outcome(self, watch: Watch, outcome: Outcome) -> list[Effect]:
        effects = self._moves(watch, _due(watch)) if watch.breaker.state is BreakerState.OPEN else []
        breaker = watch.breaker
        if not breaker.books(outcome.breaker_epoch):
            return effects
        normal = breaker.state in NORMAL
        window = watch.window
        window.advance(watch.now, learn=breaker.state is BreakerState.CLOSED)
        if normal:
            window.summary.normal_since = window.summary.normal_since or window.at
            if outcome.turn == 1:
                impact.count_arrival(watch.state, outcome, window.at)
        verdict: Verdict | None = None
        if outcome.result is not TurnResult.CALLER_FAULT:
            window.book(outcome)
            if normal:
                verdict = rules.judge(breaker.state, breaker.changed_at, window, watch.policy)
            else:
                verdict = self._probe(watch, outcome)
        window.save()
        return effects + self._moves(watch, verdict)

    def _probe(self, watch: Watch, outcome: Outcome) -> Verdict | None:
        watch.breaker, verdict = probes.booked(watch.breaker, outcome)
        watch.save()
        return verdict or probes.judge(watch.breaker, watch.policy, watch.now)

    def _command(self, watch: Watch, command: BreakerCommand) -> list[Effect]:
        here = watch.breaker.state
        if command.action is BreakerAction.FORCE_OPEN:
            to_state, reason = BreakerState.FORCED_OPEN, MoveReason.FORCED_BY_COMMAND
        else:
            to_state, reason = BreakerState.CLOSED, MoveReason.CLOSED_BY_COMMAND
        # Ordered twice is ordered once.
        return [] if here is to_state else self._moves(watch, Verdict(to_state, reason, command.reason))

    def _moves(self, watch: Watch, verdict: Verdict | None) -> list[Effect]:
        """Make the move that is due, if any: the state it leaves behind and the effects."""
        if verdict is None:
            return []
        before, window = watch.breaker, watch.window
        after = move(before, verdict.to_state, verdict.reason, watch.now, policy=watch.policy, endpoint=watch.endpoint)
        window.advance(watch.now, learn=before.state is BreakerState.CLOSED)
        load = self._load(watch, before, after)
        effects = self._effects(watch, before, after, verdict, load)
        if verdict.reason is MoveReason.CLOSED_BY_COMMAND and before.state is BreakerState.DEGRADED:
            window.forget_baseline()
        if verdict.reason is MoveReason.CLOSED_BY_COMMAND or after.state in OUT:
            window.clear()
        window.save()
        watch.breaker = after
        watch.save()
        return effects

    def _load(self, watch: Watch, before: Breaker, after: Breaker) -> list[list[str | float]]:
        """Contacts per minute at stake; frozen as the endpoint leaves normal traffic."""
        if before.state not in NORMAL:
            return impact.frozen_load(watch.state, watch.endpoint)
        window = watch.window
        rows = impact.frozen_load(watch.state, watch.endpoint)
        if not rows or watch.now - before.recovered_at >= micros(impact.LEAST_SPELL_SECONDS):
            rows = impact.carried(watch.state, watch.endpoint, window.summary.normal_since, window.at)
        if after.state not in NORMAL:
            impact.freeze(watch.state, watch.endpoint, rows)
            window.summary.normal_since = 0
        return rows

    def _effects(
        self, watch: Watch, before: Breaker, after: Breaker, verdict: Verdict, load: list[list[str | float]]
    ) -> list[Effect]:
        half_open = after.state is BreakerState.HALF_OPEN
        if verdict.reason is MoveReason.PROBES_SUCCEEDED:
            impact.remember_outage(watch.state, watch.endpoint, (watch.now - before.out_since) / micros(1))
        duration = impact.expected_duration(watch.state, watch.endpoint)
        policy = watch.policy
        transition = Transition(
            tenant=watch.tenant,
            provider=watch.provider,
            endpoint=watch.endpoint,
            from_state=before.state,
            to_state=after.state,
            epoch=after.epoch,
            reason=verdict.reason.value,
            detail=verdict.detail,
            evidence=watch.window.evidence(policy),
            open_until=after.open_until if after.state is BreakerState.OPEN else None,
            probe_permits=probes.permits(policy.half_open_probes, self.offered_partitions, before.issues)
            if half_open
            else (),
            probes_expire_at=watch.now + micros(policy.half_open_seconds_max) if half_open else None,
            occurred_at=watch.now,
        )
        consequence = Impact(
            tenant=watch.tenant,
            provider=watch.provider,
            endpoint=watch.endpoint,
            state=after.state,
            epoch=after.epoch,
            displaced=impact.displaced(load, watch.endpoint, watch.tenant_policy),
            expected_seconds_p50=duration.p50_seconds,
            expected_seconds_p90=duration.p90_seconds,
            duration_samples=duration.samples,
            occurred_at=watch.now,
        )
        return [
            Effect(topics.TRANSITIONS, transition),
            Effect(topics.BREAKER_STATE, transition),
            Effect(topics.WFM_EVENTS, consequence),
        ]


class Watch:
    """One endpoint as one event finds it: its breaker, its window, the policy that holds for it."""

    __slots__ = ("breaker", "endpoint", "now", "policy", "provider", "state", "tenant", "tenant_policy", "window")

    def __init__(self, tenant: str, provider: str, endpoint: str, state: KeyedState, now: int) -> None:
        self.tenant = tenant
        self.provider = provider
        self.endpoint = endpoint
        self.state = state
        self.now = now
        self.tenant_policy: Policy | None = None
        self.policy = _DEFAULTS
        self.breaker = Breaker()
        self.window: Window

    @classmethod
    def load(
        cls, tenant: str, provider: str, endpoint: str, *, state: KeyedState, snapshot: Snapshot, now: int
    ) -> Watch:
        """Read the endpoint's entries, or begin them; put right what a clock set back has upset."""
        watch = cls(tenant, provider, endpoint, state, now)
        watch.tenant_policy = snapshot.of(topics.POLICY).get(tenant)
        if watch.tenant_policy is not None:
            watch.policy = watch.tenant_policy.breaker
        stored = state.get(f"breaker\x1f{endpoint}")
        if stored is None:
            watch._enter()
        else:
            watch.breaker = msgspec.convert(stored, Breaker)
            anchored = rebased(watch.breaker, now)
            if anchored is not watch.breaker:
                watch.breaker = anchored
                watch.save()
        watch.window = Window(state, endpoint, watch.policy.window_seconds, now)
        if watch.window.was_set_back:
            impact.forget_arrivals(state, endpoint)
            watch.window.summary.normal_since = 0
            watch.window.save()
        return watch

    def save(self) -> None:
        """Write the breaker."""
        self.state.set(f"breaker\x1f{self.endpoint}", msgspec.to_builtins(self.breaker))

    def _enter(self) -> None:
        """Add the endpoint to the index of the key, CLOSED, in epoch 0: what a router assumes of it too."""
        self.save()
        _, _, endpoints = self.state.get("endpoints", ["", "", []])
        self.state.set("endpoints", [self.tenant, self.provider, [*endpoints, self.endpoint]])


def _due(watch: Watch) -> Verdict | None:
    """The move that the passing of time calls for, or None. It never makes anything worse than it was."""
    breaker, policy, now = watch.breaker, watch.policy, watch.now
    if breaker.state is BreakerState.OPEN and now >= breaker.open_until:
        waited = (breaker.open_until - breaker.changed_at) / micros(1)
        return Verdict(BreakerState.HALF_OPEN, MoveReason.OPEN_ELAPSED, f"{waited:.1f} s have passed")
    if breaker.state is BreakerState.HALF_OPEN:
        return probes.judge(breaker, policy, now)
    if breaker.state is BreakerState.DEGRADED:
        quiet = now - max(watch.window.at, breaker.changed_at)
        if quiet >= micros(policy.open_seconds_max):
            detail = f"no outcome for {quiet / micros(1):.0f} s"
            return Verdict(BreakerState.CLOSED, MoveReason.EVIDENCE_EXPIRED, detail)
    return None
