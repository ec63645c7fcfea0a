"""What a decision may look at, per tenant: the policy and the breakers, arranged for look-up.

Built from a snapshot of the control topics, so a decision can be replayed from its epochs.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from runtime.snapshot import Snapshot
from schemas.agents import Transition
from schemas.control import Endpoint, Policy
from schemas.fields import BreakerState
from schemas.topics import CLOCK, POLICY, TRANSITIONS, endpoint_key

FOLLOWED = (POLICY, TRANSITIONS, CLOCK)


@dataclasses.dataclass(frozen=True, slots=True)
class Agent:
    """An endpoint with the latest word on its breaker."""

    endpoint: Endpoint
    state: BreakerState
    breaker_epoch: int
    permits: tuple[int, ...] = ()
    permits_expire_at: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class TenantWorld:
    """One tenant's policy, by intent."""

    policy: Policy
    agents_of: Mapping[str, tuple[Agent, ...]]
    queue_of: Mapping[str, str]
    human_only: frozenset[str]

    def queue(self, intent: str) -> str:
        """Return the human queue of an intent."""
        return self.queue_of.get(intent, self.policy.default_queue)


@dataclasses.dataclass(frozen=True, slots=True)
class World:
    """All tenants, and the epochs of the control topics that say so."""

    tenants: Mapping[str, TenantWorld]
    epochs: Mapping[str, int]


def world_of(snapshot: Snapshot) -> World:
    """Arrange a snapshot."""
    breakers = snapshot.of(TRANSITIONS)
    return World(
        tenants={tenant: _tenant_world(policy, breakers) for tenant, policy in snapshot.of(POLICY).items()},
        epochs={topic.name: snapshot.epoch(topic) for topic in FOLLOWED},
    )


def _tenant_world(policy: Policy, breakers: Mapping[str, Transition]) -> TenantWorld:
    agents_of: dict[str, tuple[Agent, ...]] = {}
    for endpoint in policy.endpoints:
        agent = _agent(endpoint, breakers.get(endpoint_key(policy.tenant, endpoint.endpoint)))
        for intent in endpoint.intents:
            agents_of[intent] = (*agents_of.get(intent, ()), agent)
    return TenantWorld(
        policy=policy,
        agents_of=agents_of,
        queue_of={intent: queue.queue for queue in policy.queues for intent in queue.intents},
        human_only=frozenset(policy.human_only_intents),
    )


def _agent(endpoint: Endpoint, breaker: Transition | None) -> Agent:
    if breaker is None:
        return Agent(endpoint, BreakerState.CLOSED, 0)
    return Agent(endpoint, breaker.to_state, breaker.epoch, breaker.probe_permits, breaker.probes_expire_at or 0)
