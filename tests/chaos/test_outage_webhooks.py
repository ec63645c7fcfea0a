"""Fifty outages on the real broker: from a breaker's transition to a receiver of webhooks, beside one that hangs."""

from __future__ import annotations

import os
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest

from schemas.agents import Transition
from schemas.fields import BreakerState
from schemas.topics import AGENT_EVENTS, STAFFING, TRANSITIONS
from tests.chaos.test_outage_chain import BAD, GOOD, ROUNDS, TENANTS, Chain, quantiles
from tests.flow.steps import CODEC, Watch, new_room, policy, publish_policy, running
from tests.support.receivers import Got, Receiver, Reply
from tests.support.webhooks import sending, subscribe

MOST_SECONDS = 0.5
"""From a transition to its receiver, at the 99th percentile: what the product promises."""


def arrivals(got: list[Got]) -> dict[tuple[str, str, int], float]:
    """When each event first came, by type, tenant and epoch of the breaker."""
    found: dict[tuple[str, str, int], float] = {}
    for each in got:
        data = each.event["data"]
        kind = each.event["type"].removeprefix("io.trunkline.")
        found.setdefault((kind, data["tenant"], data.get("epoch", data.get("cause_epoch"))), each.at)
    return found


@pytest.mark.chaos
@pytest.mark.soak
def test_a_receiver_is_told_within_half_a_second_of_the_transition_in_fifty_outages(
    bootstrap: str, redis_url: str, tmp_path: Path
) -> None:
    settings = new_room(bootstrap, redis_url, tmp_path)
    tenants = [f"tenant-{uuid.uuid4().hex[:8]}" for _ in range(TENANTS)]
    never = threading.Event()
    with (
        Receiver() as well,
        Receiver(lambda _got: Reply(hold=never)) as hangs,
        running(settings, "clock", "health", "staffing"),
        sending(settings),
        Watch(settings, TRANSITIONS, STAFFING, AGENT_EVENTS) as watch,
    ):
        for tenant in tenants:
            publish_policy(settings, policy(tenant))
            subscribe(settings, well.url, TRANSITIONS, STAFFING, tenant=tenant)
            subscribe(settings, hangs.url, TRANSITIONS, tenant=tenant)
        keys = {f"{tenant}/north".encode() for tenant in tenants}
        watch.until("a tick of every tenant", lambda: keys <= {record.key for record in watch.records})
        chain = Chain(settings, watch)
        epochs = dict.fromkeys(tenants, 0)
        for number in range(ROUNDS):
            for tenant in tenants:
                epochs[tenant] = chain.outage(tenant, number * (GOOD + BAD), epochs[tenant])
        written = {}
        for record in watch.records:
            if record.topic == TRANSITIONS.name and record.value is not None:
                move = CODEC.decode(record.value)
                assert isinstance(move, Transition)
                if move.to_state is BreakerState.OPEN:
                    written[move.tenant, move.epoch] = record.timestamp_ms / 1000
        wanted = {(kind, *which) for which in written for kind in ("Transition", "StaffingRequirement")}
        well.until("every transition and requirement", lambda: wanted <= arrivals(well.taken).keys())
        never.set()
    came = arrivals(well.taken)
    transitions = [came["Transition", *which] - at for which, at in written.items()]
    requirements = [came["StaffingRequirement", *which] - at for which, at in written.items()]
    print(f"\n{len(written)} outages, {2 * TENANTS} subscriptions, load average {os.getloadavg()[0]:.1f}")
    print(f"transition written to its receiver: {quantiles(transitions)}")
    print(f"transition written to the receiver of people required: {quantiles(requirements)}")
    assert len(written) == TENANTS * ROUNDS
    assert np.percentile(transitions, 99) <= MOST_SECONDS
