"""Making a move: what it leaves in the state, and all that is told of it, in one transaction."""

from __future__ import annotations

import hashlib

import msgspec

from processors.health.logic import impact, intents, outlook, probes, retry, routed
from processors.health.logic.breaker import OUT, Breaker, MoveReason, micros, move, spread
from processors.health.logic.latency import Latency
from processors.health.logic.rules import Verdict
from processors.health.logic.signals import Signal
from processors.health.logic.watch import Watch, in_flight
from processors.health.logic.window import Window
from schemas import topics
from schemas.agents import Evidence, ProbeRequest, Transition
from schemas.fields import NORMAL_TRAFFIC, BreakerState, Channel
from schemas.topics import Effect

CAP_SHARE = 0.7
"""Contacts at once that a degraded agent may have, as a share of what it had when it gave in: below what it was
stressed by. Taken again for each window in which it does not recover."""
LEAST_IN_FLIGHT = 2.0
"""With fewer there is nothing to take away."""
_STRESSED = frozenset({MoveReason.FAILURE_RATE, MoveReason.FAILURE_POSTERIOR, MoveReason.LATENCY})
"""Reasons for which fewer contacts at once may help."""
_STRESS_SIGNALS = (Signal.FAILURES, Signal.SLOW, Signal.OVER_TARGET)
MOST_RAMPS = 5
"""An agent that was out several times in a row comes back as many times slower, up to this."""


def capped_again(watch: Watch) -> Verdict | None:
    """Return that an agent gets fewer contacts still, where a window with fewer did not help."""
    breaker, policy = watch.breaker, watch.policy
    if breaker.state is not BreakerState.DEGRADED or not breaker.most_at_once or breaker.most_at_once <= 1:
        return None
    if watch.now - breaker.capped_at < micros(policy.window_seconds) or watch.signals.recovered(watch.second):
        return None
    if not any(watch.signals.at_limit(signal) for signal in _STRESS_SIGNALS):
        return None
    return Verdict(BreakerState.DEGRADED, MoveReason.CAP_LOWERED, f"no better with {breaker.most_at_once} at once")


def forget(watch: Watch) -> None:
    """Forget all that was learnt of an agent: what it does now is new."""
    watch.breaker = msgspec.structs.replace(watch.breaker, clean_from=watch.next_epoch())
    watch.save()
    retry.forget(watch)
    watch.window.clear()
    watch.window.forget_baseline()
    watch.window.save()
    watch.signals.clear()
    watch.signals.save()
    for channel in Channel:
        Latency(watch.state, watch.scope, channel).forget()


class Moves:
    """The moves of one breaker at one event."""

    def __init__(self, watch: Watch, offered_partitions: int) -> None:
        self._watch = watch
        self._partitions = offered_partitions

    def made(self, verdict: Verdict, by: str = "") -> list[Effect]:
        """Make a move: change the state, and return what is to be told. by: who ordered it."""
        watch = self._watch
        before, window = watch.breaker, watch.window
        after = move(
            before,
            verdict.to_state,
            verdict.reason,
            watch.now,
            policy=watch.policy,
            endpoint=watch.endpoint,
            epoch=watch.next_epoch(),
        )
        after = self._in_particular(before, after, verdict)
        window.advance(watch.now, learn=before.state is BreakerState.CLOSED)
        load = self._load(before, after)
        evidence = _with_alarm(watch.evidence(), verdict)
        self._clean(before, after, verdict)
        watch.breaker = after
        watch.save()
        if verdict.reason is MoveReason.PROBES_SUCCEEDED and watch.version is None:
            outlook.remember_outage(watch.state, watch.endpoint, (watch.now - before.out_since) / micros(1))
        transition = self._transition(before, after, verdict, evidence, by)
        effects = [Effect(topics.TRANSITIONS, transition), Effect(topics.BREAKER_STATE, transition)]
        if watch.concerns_routers():
            effects.append(Effect(topics.WFM_EVENTS, routed.noted(watch, after.epoch, load)))
        if after.state is BreakerState.HALF_OPEN and after.barren_issues and watch.policy.synthetic_probes:
            effects.append(Effect(topics.PROBES, self._probe(after)))
        return effects

    def _in_particular(self, before: Breaker, after: Breaker, verdict: Verdict) -> Breaker:
        """Return the breaker with what the move means besides its state."""
        watch = self._watch
        if after.state is BreakerState.OPEN:
            waits = retry.honoured(watch, after, spread(watch.endpoint, after.epoch), watch.policy)
            return msgspec.structs.replace(after, open_until=waits)
        if after.state is not BreakerState.DEGRADED:
            return after
        if verdict.shed is not None:
            return intents.shed(before, after, verdict.shed, watch.policy, watch.endpoint)
        if verdict.reason is MoveReason.CAP_LOWERED:
            # What degraded it stands, and with it since when.
            cap = max(1, int(CAP_SHARE * (before.most_at_once or 1)))
            return msgspec.structs.replace(after, most_at_once=cap, capped_at=watch.now, changed_at=before.changed_at)
        has = in_flight(watch.state, watch.endpoint, watch.second)
        cap_now = max(1, int(CAP_SHARE * has)) if verdict.reason in _STRESSED and has >= LEAST_IN_FLIGHT else None
        return msgspec.structs.replace(
            after, shed=(), shed_until=0, intents_only=False, most_at_once=cap_now, capped_at=watch.now
        )

    def _clean(self, before: Breaker, after: Breaker, verdict: Verdict) -> None:
        """Forget what the move makes void."""
        watch, window = self._watch, self._watch.window
        ordered = verdict.reason is MoveReason.CLOSED_BY_COMMAND
        if ordered and before.state is BreakerState.DEGRADED:
            window.forget_baseline()
            for channel in Channel:
                Latency(watch.state, watch.scope, channel).forget()
        if ordered or after.state in OUT:
            window.clear()
            watch.signals.clear()
        if verdict.reason in {MoveReason.RECOVERED, MoveReason.EVIDENCE_EXPIRED}:
            watch.signals.clear()
        if verdict.shed is not None:
            # What the intent did was its own: the others are judged without it.
            window.summary.consecutive = 0
            watch.signals.clear()
        if verdict.reason is MoveReason.SHED_ELAPSED:
            intents.on_trial(watch, before.shed)
        window.save()
        watch.signals.save()

    def _load(self, before: Breaker, after: Breaker) -> impact.Rows:
        """Contacts per minute at stake; frozen as the endpoint leaves normal traffic."""
        watch, window = self._watch, self._watch.window
        normal_since = window.summary.normal_since
        if watch.version is not None:
            return self._load_of_version(before, after)
        if before.state not in NORMAL_TRAFFIC:
            return impact.frozen_load(watch.state, watch.endpoint)
        rows = impact.frozen_load(watch.state, watch.endpoint)
        if not rows or watch.now - before.recovered_at >= micros(impact.LEAST_SPELL_SECONDS):
            rows = impact.carried(watch.state, watch.endpoint, normal_since, window.at)
        if after.state not in NORMAL_TRAFFIC:
            impact.freeze(watch.state, watch.endpoint, rows)
            window.summary.normal_since = 0
        return rows

    def _load_of_version(self, before: Breaker, after: Breaker) -> impact.Rows:
        """As of the endpoint: only its own arrivals are counted, and the policy's version has all of them."""
        watch = self._watch
        if before.state not in NORMAL_TRAFFIC:
            return impact.frozen_load(watch.state, watch.scope)
        own = Window(watch.state, watch.endpoint, watch.policy.window_seconds, watch.now)
        rows = impact.carried(watch.state, watch.endpoint, own.summary.normal_since, own.at)
        if after.state not in NORMAL_TRAFFIC:
            impact.freeze(watch.state, watch.scope, rows)
        return rows

    def _transition(self, before: Breaker, after: Breaker, verdict: Verdict, evidence: Evidence, by: str) -> Transition:
        watch, policy = self._watch, self._watch.policy
        half_open = after.state is BreakerState.HALF_OPEN
        seconds, share = self._ramp(before, after)
        return Transition(
            tenant=watch.tenant,
            provider=watch.provider,
            endpoint=watch.endpoint,
            from_state=before.state,
            to_state=after.state,
            epoch=after.epoch,
            reason=verdict.reason.value,
            detail=verdict.detail,
            evidence=evidence,
            open_until=after.open_until if after.state is BreakerState.OPEN else None,
            probe_permits=probes.permits(policy.half_open_probes, self._partitions, before.issues) if half_open else (),
            probes_expire_at=watch.now + micros(policy.half_open_seconds_max) if half_open else None,
            occurred_at=watch.now,
            version=watch.version,
            shed_intents=after.shed,
            intents_only=after.intents_only,
            most_at_once=after.most_at_once,
            ramp_seconds=seconds,
            ramp_from=share,
            by=by,
        )

    def _ramp(self, before: Breaker, after: Breaker) -> tuple[float, float]:
        """Return how long contacts take to come back, and the share that comes at once."""
        policy = self._watch.policy
        if after.state is not BreakerState.CLOSED or not policy.ramp_seconds:
            return 0.0, 1.0
        if before.state not in NORMAL_TRAFFIC:
            return policy.ramp_seconds * min(max(1, before.opens), MOST_RAMPS), policy.ramp_from
        return (policy.ramp_seconds, CAP_SHARE) if before.most_at_once else (0.0, 1.0)

    def _probe(self, after: Breaker) -> ProbeRequest:
        """Ask for a call without a customer: an issue of permits met nobody."""
        watch = self._watch
        named = f"{watch.tenant}\x1f{watch.scope}\x1f{after.epoch}".encode()
        known = watch.known
        return ProbeRequest(
            tenant=watch.tenant,
            provider=watch.provider,
            endpoint=watch.endpoint,
            version=watch.version or (known.version if known is not None else ""),
            probe_id=f"probe-{hashlib.blake2b(named, digest_size=16).hexdigest()}",
            breaker_epoch=after.epoch,
            expires_at=max(after.renew_at, watch.now),
            occurred_at=watch.now,
        )


def _with_alarm(evidence: Evidence, verdict: Verdict) -> Evidence:
    """Return the evidence with the signal that spoke."""
    alarm = verdict.alarm
    if alarm is None:
        return evidence
    return msgspec.structs.replace(
        evidence,
        signal=alarm.signal.value,
        observations=alarm.observations,
        adverse=alarm.against,
        statistic=float(alarm.score),
        limit=float(alarm.limit),
        false_alarm_observations=alarm.test.false_alarm_observations,
    )
