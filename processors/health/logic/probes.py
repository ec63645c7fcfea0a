"""The trial of HALF_OPEN: permits for probe contacts, and what their outcomes decide."""

from __future__ import annotations

import msgspec

from processors.health.logic.breaker import Breaker, MoveReason, micros
from processors.health.logic.rules import Verdict
from processors.health.logic.window import HARD_FAILURES
from runtime.permits import shares
from schemas.agents import Outcome
from schemas.control import BreakerPolicy
from schemas.fields import BreakerState, TurnResult

MOST_TIMES = 3
"""Flap guard: an agent that was out several times in a row must succeed as many times as often, up to this."""


def permits(probes: int, partitions: int, issue: int) -> tuple[int, ...]:
    """Share `probes` among the partitions of interactions.offered (index = partition).

    Each gets the whole part; the rest goes to neighbours, beginning where the last issue ended, so
    that ceil(partitions / rest) issues reach every partition.
    """
    return shares(probes, partitions, issue * (probes % partitions) % partitions)


def booked(breaker: Breaker, outcome: Outcome) -> tuple[Breaker, Verdict | None]:
    """Count one probe outcome; a hard failure is a verdict at once.

    A refusal or a rate limit shows that the agent lives, not that it serves: neither success nor
    hard failure.
    """
    if outcome.result in HARD_FAILURES:
        detail = f"probe {outcome.interaction_id} ended in {outcome.result}"
        return breaker, Verdict(BreakerState.OPEN, MoveReason.PROBE_FAILED, detail)
    success = outcome.result is TurnResult.OK
    counted = msgspec.structs.replace(
        breaker,
        heard=breaker.heard + 1,
        successes=breaker.successes + success,
        inconclusive=breaker.inconclusive + (not success),
    )
    return counted, None


def judge(breaker: Breaker, policy: BreakerPolicy, now: int) -> Verdict | None:
    """Return the move that is due in HALF_OPEN at `now`, or None.

    Too few successes and nothing else is missing data: it renews the permits, it never opens.
    """
    needed = policy.half_open_successes * min(max(1, breaker.opens), MOST_TIMES)
    if breaker.successes >= needed:
        detail = f"{breaker.successes} probes succeeded"
        return Verdict(BreakerState.CLOSED, MoveReason.PROBES_SUCCEEDED, detail)
    if breaker.inconclusive and now >= breaker.half_open_at + micros(policy.half_open_seconds_max):
        detail = f"{breaker.successes} successes and {breaker.inconclusive} outcomes that are neither, after "
        detail += f"{policy.half_open_seconds_max:g} s"
        return Verdict(BreakerState.OPEN, MoveReason.PROBES_INCONCLUSIVE, detail)
    if now >= breaker.renew_at:
        detail = f"{breaker.successes} of {needed} successes so far"
        return Verdict(BreakerState.HALF_OPEN, MoveReason.PROBES_RENEWED, detail)
    return None
