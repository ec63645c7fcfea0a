"""Fifty outages on the real broker: from an agent's first failure to its breaker, and from there to WFM."""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.agents import BreakerAction, BreakerCommand
from schemas.fields import BreakerState, TurnResult
from schemas.topics import AGENT_EVENTS, STAFFING, TRANSITIONS
from tests.flow.steps import Watch, new_room, outcome, policy, publish_policy, running, write

TENANTS, ROUNDS = 10, 5
GOOD, BAD = 20, 5
MOST_SECONDS = 1.0
"""From a transition to the people required, at the 99th percentile: what the product promises."""
LOOK_SECONDS = 0.002


class Chain:
    """Follows transitions and requirements and times what a read-committed reader sees."""

    def __init__(self, settings: Settings, watch: Watch) -> None:
        self._settings = settings
        self._watch = watch
        self.detected: list[float] = []
        self.told: list[float] = []

    def outage(self, tenant: str, first: int, epoch: int) -> int:
        """Let an agent that is well die, time the chain, close its breaker; return the epoch of the close."""
        good = [outcome(tenant, f"{tenant}-{first + n}", epoch, TurnResult.OK) for n in range(GOOD)]
        bad = [outcome(tenant, f"{tenant}-{first + GOOD + n}", epoch, TurnResult.SERVER_ERROR) for n in range(BAD)]
        write(self._settings, AGENT_EVENTS, *good)
        time.sleep(random.Random(f"{tenant}{first}").uniform(0.0, 0.5))  # another phase of every interval in the chain
        died = time.monotonic()
        write(self._settings, AGENT_EVENTS, *bad)
        opened = self._seen(tenant, BreakerState.OPEN, epoch)
        opened_at = time.monotonic()
        self._until("people required", lambda: self._watch.of(STAFFING, tenant=tenant, cause_epoch=opened))
        self.detected.append(opened_at - died)
        self.told.append(time.monotonic() - opened_at)
        order = BreakerCommand(
            tenant=tenant, provider="north", endpoint="nova", action=BreakerAction.CLOSE, reason="next round",
            occurred_at=real_now(),
        )  # fmt: skip
        write(self._settings, AGENT_EVENTS, order)
        return self._seen(tenant, BreakerState.CLOSED, opened)

    def _seen(self, tenant: str, state: BreakerState, after: int) -> int:
        """Wait for a transition into a state in a later epoch; return its epoch."""

        def found() -> list[int]:
            moves = self._watch.of(TRANSITIONS, tenant=tenant, to_state=state)
            return [move.epoch for move in moves if move.epoch > after]

        self._until(f"{state} of {tenant}", found)
        return found()[0]

    def _until(self, what: str, reached: Callable[[], object]) -> None:
        deadline = time.monotonic() + 30.0
        while not reached():
            assert time.monotonic() < deadline, f"{what} did not come within 30 s"
            self._watch.look(LOOK_SECONDS)


def quantiles(seconds: list[float]) -> str:
    p50, p95, p99 = np.percentile(seconds, [50, 95, 99])
    return f"p50 {p50:.3f} s, p95 {p95:.3f} s, p99 {p99:.3f} s, longest {max(seconds):.3f} s"


@pytest.mark.chaos
@pytest.mark.soak
def test_wfm_is_told_within_a_second_of_the_breaker_in_fifty_outages(
    bootstrap: str, redis_url: str, tmp_path: Path
) -> None:
    settings = new_room(bootstrap, redis_url, tmp_path)
    tenants = [f"tenant-{uuid.uuid4().hex[:8]}" for _ in range(TENANTS)]
    with (
        running(settings, "clock", "health", "staffing"),
        Watch(settings, TRANSITIONS, STAFFING, AGENT_EVENTS) as watch,
    ):
        for tenant in tenants:
            publish_policy(settings, policy(tenant))
        keys = {f"{tenant}/north".encode() for tenant in tenants}
        watch.until("a tick of every tenant", lambda: keys <= {record.key for record in watch.records})
        chain = Chain(settings, watch)
        epochs = dict.fromkeys(tenants, 0)
        for number in range(ROUNDS):
            for tenant in tenants:
                epochs[tenant] = chain.outage(tenant, number * (GOOD + BAD), epochs[tenant])
    print(f"\n{len(chain.told)} outages, load average {os.getloadavg()[0]:.1f}")
    print(f"first failure to breaker: {quantiles(chain.detected)}")
    print(f"breaker to people required: {quantiles(chain.told)}")
    assert len(chain.told) == TENANTS * ROUNDS
    assert np.percentile(chain.told, 99) <= MOST_SECONDS
