"""Agents that say for how long they want to be left alone: `Retry-After`, as HTTP has it.

State, one entry per breaker: [until when, microseconds; how often it was asked for lately; second of the first].
"""

from __future__ import annotations

from processors.health.logic.breaker import Breaker, MoveReason, micros
from processors.health.logic.rules import Verdict
from processors.health.logic.watch import Watch
from schemas.agents import Outcome
from schemas.control import BreakerPolicy
from schemas.fields import BreakerState, TurnResult

LEAST_SECONDS = 1.0
"""A shorter wish is met by the platform's own retry."""
MOST_SECONDS = 3600.0
"""A longer one is a mistake, or an account that is closed: it is asked again after an hour."""
ASKED_TIMES = 3
"""Wishes that open a breaker: one may be for one customer or one key; of HALF_OPEN the first is enough."""
LATELY_SECONDS = 10
JITTER = 0.1
"""Added to the wait, as a share of it: all who were refused at once must not be back at once."""


def asked(watch: Watch, outcome: Outcome) -> Verdict | None:
    """Take note of a wish to be left alone; return that the breaker opens for it, where it does."""
    seconds = outcome.retry_after_seconds
    if seconds is None or seconds < LEAST_SECONDS:
        return None
    if outcome.result not in {TurnResult.RATE_LIMITED, TurnResult.SERVER_ERROR}:
        return None
    name, second = _name(watch.scope), watch.second
    until, times, first = watch.state.get(name) or [0, 0, second]
    if abs(second - first) > LATELY_SECONDS:
        # A wish of then was of one customer, or of a clock that was set back since.
        until, times, first = 0, 0, second
    until = max(until, watch.now + micros(min(seconds, MOST_SECONDS)))
    watch.state.set(name, [until, times + 1, first])
    if times + 1 < ASKED_TIMES and watch.breaker.state is not BreakerState.HALF_OPEN:
        return None
    detail = f"asked {times + 1} times to be left alone, for {(until - watch.now) / micros(1):.1f} s"
    return Verdict(BreakerState.OPEN, MoveReason.RETRY_AFTER, detail)


def honoured(watch: Watch, opened: Breaker, spread: float, policy: BreakerPolicy) -> int:
    """Return until when a breaker that has just opened waits: not shorter than the agent asked for."""
    name = _name(watch.scope)
    stored = watch.state.get(name)
    if stored is None:
        return opened.open_until
    watch.state.delete(name)
    until = int(stored[0])
    # Further ahead than any wish may be: the clock was set back since it was asked for.
    if not watch.now < until <= watch.now + micros(MOST_SECONDS):
        return opened.open_until
    jitter = (1.0 + spread) / 2.0 * min(JITTER, policy.open_jitter)
    return max(opened.open_until, until + round((until - watch.now) * jitter))


def forget(watch: Watch) -> None:
    """Forget the wishes so far."""
    watch.state.delete(_name(watch.scope))


def _name(scope: str) -> str:
    return f"retry\x1f{scope}"
