"""Courses of breakers for tests: transitions at given seconds."""

from __future__ import annotations

from typing import Any

import msgspec

from processors.breakers.logic.report import Agent
from processors.breakers.logic.spans import FOR_EVER
from schemas.agents import Evidence, Transition
from schemas.fields import BreakerState

SECOND = 1_000_000
CLOSED, DEGRADED, OPEN, HALF_OPEN, FORCED_OPEN = BreakerState
QUIET = Evidence(
    window_seconds=60, outcomes=0, failures=0, consecutive_failures=0, failure_rate=0.0, posterior_mean=0.1,
    latency_mean_ms=0.0, latency_baseline_ms=0.0,
)  # fmt: skip


def seen(**changes: Any) -> Evidence:
    return msgspec.structs.replace(QUIET, **changes)


def course(*steps: tuple[float, BreakerState], begins: BreakerState = CLOSED, **changes: Any) -> tuple[Transition, ...]:
    """Transitions at these seconds into these states, in epochs from 1."""
    made: list[Transition] = []
    for epoch, (second, state) in enumerate(steps, 1):
        base = Transition(
            tenant="acme", provider="north", endpoint="nova", from_state=made[-1].to_state if made else begins,
            to_state=state, epoch=epoch, reason="test", evidence=QUIET, occurred_at=round(second * SECOND),
        )  # fmt: skip
        made.append(msgspec.structs.replace(base, **changes))
    return tuple(made)


def agent(*steps: tuple[float, BreakerState], **changes: Any) -> Agent:
    base = Agent(
        tenant="acme", provider="north", endpoint="nova", named=FOR_EVER, maintenance=(), promised=0.99,
        transitions=course(*steps),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def window(since: float, until: float) -> tuple[int, int]:
    return round(since * SECOND), round(until * SECOND)
