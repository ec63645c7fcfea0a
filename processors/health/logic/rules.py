"""What window and signals mean for a breaker in normal traffic: stay, degrade, open, recover.

Only observations worsen a state, never their absence. Failures are judged three ways: a run of hard ones; their rate in
the window, where it is both at the threshold and certain; and their drift, which does not wait for the window to
fill. Each other signal has a test of drift of its own (`signals`).
"""

from __future__ import annotations

import functools
from typing import NamedTuple

from scipy.special import betaincc

from processors.health.logic.breaker import Breaker, MoveReason, micros
from processors.health.logic.signals import KINDS, Alarm, Signals
from processors.health.logic.window import PRIOR_FAILURES, PRIOR_SUCCESSES, Window
from schemas.control import BreakerPolicy
from schemas.fields import BreakerState

POSTERIOR_CONFIDENCE = 0.95
"""Below `minimum_outcomes`, the probability that the failure rate is above a threshold must be this
large: the customary 1 in 20 of a false alarm."""
RATE_CONFIDENCE = 0.99
"""From `minimum_outcomes` on, the probability that the rate is above half of the threshold must be this large besides:
two failures in ten are 20 %, and an agent that fails once in 200 calls shows them once in a thousand tens, which is
many times a week."""
CONSECUTIVE_TIGHTENED = 2
"""Hard failures in a row that open the breaker of an agent whose siblings are out."""
RECOVERY_FAILURE_SHARE = 0.5
"""Hysteresis: DEGRADED ends at half of the failure rate at which it begins."""
RECOVERY_LATENCY_SHARE = 0.5
"""Hysteresis: DEGRADED ends when half of the allowed rise over the baseline is gone (1.5 of 2.0)."""
RECOVERY_QUALITY_SHARE = 0.1
"""Hysteresis: quality must be above its target by a tenth of what the target leaves (0.73 of 0.70)."""


class Verdict(NamedTuple):
    """A move that is due, why, and the reason in words and figures. `alarm`: the signal that spoke, where one did.

    `shed`: the intent that is to be shed, where it is one alone.
    """

    to_state: BreakerState
    reason: MoveReason
    detail: str
    alarm: Alarm | None = None
    shed: str | None = None


def judge(
    breaker: Breaker, window: Window, signals: Signals, policy: BreakerPolicy, *, tightened: bool = False
) -> Verdict | None:
    """Return the move that the evidence calls for in CLOSED or DEGRADED, or None. tightened: siblings are out.

    The worse verdict comes first. DEGRADED holds for at least one window, so that what tripped it
    has left the window before anything is called a recovery. Where only some intents are degraded, the rest is judged
    as in CLOSED.
    """
    consecutive = window.summary.consecutive
    most = policy.open_consecutive_failures
    if consecutive >= (min(most, CONSECUTIVE_TIGHTENED) if tightened else most):
        detail = f"{consecutive} hard failures in a row" + (", while siblings are out" if tightened else "")
        return Verdict(BreakerState.OPEN, MoveReason.CONSECUTIVE_FAILURES, detail)
    full = window.at - breaker.changed_at >= micros(policy.window_seconds)
    # Until it has left the window, what made an intent be shed is no evidence against the others.
    rated = full or not breaker.intents_only
    opened = _failing(window, policy, policy.open_failure_rate, BreakerState.OPEN) if rated else None
    spoken = _spoken(signals.alarm(window.summary.second, tightened=tightened))
    if opened is not None or (spoken is not None and spoken.to_state is BreakerState.OPEN):
        return opened or spoken
    if breaker.state is BreakerState.CLOSED or breaker.intents_only:
        return (
            (_failing(window, policy, policy.degraded_failure_rate, BreakerState.DEGRADED) if rated else None)
            or spoken
            or _slow(window, policy)
            or _poor(window, policy)
        )
    if not full:
        return None
    if _recovered(window, policy) and signals.recovered(window.summary.second):
        detail = f"{window.failures} failures in {window.outcomes} outcomes"
        return Verdict(BreakerState.CLOSED, MoveReason.RECOVERED, detail)
    return None


def _spoken(alarm: Alarm | None) -> Verdict | None:
    if alarm is None:
        return None
    kind = KINDS[alarm.signal]
    return Verdict(kind.to_state, kind.reason, alarm.detail, alarm)


@functools.lru_cache(maxsize=8192)
def probability_above(threshold: float, failures: int, outcomes: int) -> float:
    """Probability that the failure rate is above `threshold`, given the outcomes and the prior.

    The posterior of a Beta(a, b) prior after f failures in n outcomes is Beta(a + f, b + n - f)
    (conjugacy of beta and binomial); its upper tail is the complemented incomplete beta function.
    """
    return float(betaincc(PRIOR_FAILURES + failures, PRIOR_SUCCESSES + outcomes - failures, threshold))


def _failing(window: Window, policy: BreakerPolicy, threshold: float, to_state: BreakerState) -> Verdict | None:
    failures = window.failures
    if not failures:
        return None
    outcomes = window.outcomes
    if outcomes >= policy.minimum_outcomes:
        certain = probability_above(threshold / 2.0, failures, outcomes) if failures / outcomes >= threshold else 0.0
        if certain < RATE_CONFIDENCE:
            return None
        detail = f"{failures} failures in {outcomes} outcomes: at least {threshold:.0%}"
        return Verdict(to_state, MoveReason.FAILURE_RATE, detail)
    probability = probability_above(threshold, failures, outcomes)
    if probability < POSTERIOR_CONFIDENCE:
        return None
    detail = f"{failures} failures in {outcomes} outcomes: above {threshold:.0%} with probability {probability:.3f}"
    return Verdict(to_state, MoveReason.FAILURE_POSTERIOR, detail)


def _slow(window: Window, policy: BreakerPolicy) -> Verdict | None:
    baseline = window.latency_baseline_ms
    if baseline <= 0.0 or window.answered < policy.minimum_outcomes:
        return None
    mean = window.latency_mean_ms
    if mean < policy.degraded_latency_ratio * baseline:
        return None
    detail = f"mean latency {mean:.0f} ms over {window.answered} answers, normally {baseline:.0f} ms"
    return Verdict(BreakerState.DEGRADED, MoveReason.LATENCY, detail)


def _poor(window: Window, policy: BreakerPolicy) -> Verdict | None:
    """Quality below target, measured or certain.

    A refusal is an answer worth nothing. Where so many are refused that the mean would miss the
    target even if every other answer were perfect, no measurement is needed; refusals are not
    mixed into the measured mean, which a platform may take from a sample.
    """
    mean, target = window.quality_mean, policy.quality_target
    if mean is not None and window.qualities >= policy.minimum_outcomes and mean < target:
        detail = f"mean quality {mean:.2f} over {window.qualities} answers, target {target:.2f}"
        return Verdict(BreakerState.DEGRADED, MoveReason.QUALITY, detail)
    answered, refused = window.answered, window.refused
    if answered >= policy.minimum_outcomes and refused > (1.0 - target) * answered:
        detail = f"{refused} of {answered} answers refused the content, target quality {target:.2f}"
        return Verdict(BreakerState.DEGRADED, MoveReason.QUALITY, detail)
    return None


def _recovered(window: Window, policy: BreakerPolicy) -> bool:
    """Nothing that is known speaks against it; what is not known does not hold it up."""
    rate = window.failure_rate if window.outcomes >= policy.minimum_outcomes else window.posterior_mean
    if rate > RECOVERY_FAILURE_SHARE * policy.degraded_failure_rate:
        return False
    ratio = 1.0 + RECOVERY_LATENCY_SHARE * (policy.degraded_latency_ratio - 1.0)
    baseline = window.latency_baseline_ms
    if baseline > 0.0 and window.latency_mean_ms > ratio * baseline:
        return False
    quality, room = window.quality_mean, 1.0 - policy.quality_target
    if quality is not None and quality < policy.quality_target + RECOVERY_QUALITY_SHARE * room:
        return False
    return window.refused <= (1.0 - RECOVERY_QUALITY_SHARE) * room * window.answered
