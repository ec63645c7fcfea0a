"""What a decision may look at, per tenant: the policy and the breakers, arranged for look-up.

Built from a snapshot of the control topics, so a decision can be replayed from its epochs. A tenant is
arranged when it is first asked for, and kept from one snapshot to the next while nothing of its own changed:
what one tenant does costs the others nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from runtime.snapshot import Snapshot
from schemas.agents import Transition
from schemas.control import Endpoint, KillSwitch, Policy, ThresholdRow
from schemas.fields import BreakerState, Channel
from schemas.interactions import Reason, Thresholds
from schemas.policy_check import row_name
from schemas.topics import CLOCK, COMMANDS, POLICY, TRANSITIONS, endpoint_key, kill_scope

FOLLOWED = (POLICY, TRANSITIONS, COMMANDS, CLOCK)


@dataclasses.dataclass(frozen=True, slots=True)
class Agent:
    """An endpoint with the latest word on its breaker."""

    endpoint: Endpoint
    state: BreakerState
    breaker_epoch: int
    permits: tuple[int, ...] = ()
    permits_expire_at: int = 0


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """Where the contacts of one intent may go: the queue, and the agents by the state of their breakers.

    `unwell` names, for the record, every agent that is killed or whose breaker is not closed; a killed one is in no
    other group.
    """

    queue: str
    human_only: bool
    agents: tuple[Agent, ...]
    well: tuple[Agent, ...]
    degraded: tuple[Agent, ...]
    recovering: tuple[Agent, ...]
    unwell: tuple[Reason, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Cut:
    """Thresholds, and how they stand on the record: `named` is the row of the matrix that they are from, if any."""

    thresholds: Thresholds
    contained_text: str
    assisted_text: str
    named: tuple[Reason, ...] = ()


class TenantWorld:
    """One tenant's policy, by intent. `killed`: the order, if any, by which none of its contacts goes to AI."""

    def __init__(self, policy: Policy, breakers: Mapping[str, Transition], orders: Mapping[str, KillSwitch]) -> None:
        self.policy = policy
        self._orders = {key: _in_force(orders.get(key)) for key in _kill_keys(policy)}
        self.killed = self._orders[kill_scope(None)] or self._orders[kill_scope(policy.tenant)]
        self._cut = _cut(policy.thresholds)
        self._rows = {(row.intent, row.channel, row.segment): _row_cut(row) for row in policy.matrix}
        # Which of intent, channel and segment a row names, the most specific first: an intent before all else.
        self._shapes = sorted({tuple(part is not None for part in row) for row in self._rows}, reverse=True)
        self._breakers = {key: breakers.get(key) for key in _breaker_keys(policy)}
        self._agents_of: dict[str, tuple[Agent, ...]] = {}
        for endpoint in policy.endpoints:
            agent = _agent(endpoint, breakers.get(endpoint_key(policy.tenant, endpoint.endpoint)))
            for intent in endpoint.intents:
                self._agents_of[intent] = (*self._agents_of.get(intent, ()), agent)
        self._queue_of = {intent: queue.queue for queue in policy.queues for intent in queue.intents}
        self._human_only = frozenset(policy.human_only_intents)
        self._routes: dict[str, Route] = {}

    def route(self, intent: str) -> Route:
        """Return where contacts of an intent may go."""
        route = self._routes.get(intent)
        if route is None:
            route = self._arranged(intent)
            # Intents that came with the offers may be anything: only those of the policy are worth keeping.
            if intent in self._agents_of or intent in self._queue_of or intent in self._human_only:
                self._routes[intent] = route
        return route

    def cut(self, intent: str, channel: Channel, segment: str) -> Cut:
        """Return the thresholds of a contact: those of the most specific row of the matrix, else the policy's."""
        for by_intent, by_channel, by_segment in self._shapes:
            row = self._rows.get(
                (intent if by_intent else None, channel if by_channel else None, segment if by_segment else None)
            )
            if row is not None:
                return row
        return self._cut

    def stands(self, policy: Policy, breakers: Mapping[str, Transition], orders: Mapping[str, KillSwitch]) -> bool:
        """Return whether this is still what the policy, the breakers and the orders say."""
        return (
            policy is self.policy
            and all(breakers.get(key) is was for key, was in self._breakers.items())
            and all(_in_force(orders.get(key)) is was for key, was in self._orders.items())
        )

    def _arranged(self, intent: str) -> Route:
        every = self._agents_of.get(intent, ())
        killed = {agent.endpoint.endpoint: order for agent in every if (order := self._order(agent)) is not None}
        agents = tuple(agent for agent in every if agent.endpoint.endpoint not in killed)
        reasons = [Reason(code="killed", detail=f"{name}: {order.reason}") for name, order in killed.items()]
        reasons += [
            Reason(code=f"breaker_{agent.state}", detail=agent.endpoint.endpoint)
            for agent in agents
            if agent.state is not BreakerState.CLOSED
        ]
        return Route(
            queue=self._queue_of.get(intent, self.policy.default_queue),
            human_only=intent in self._human_only,
            agents=every,
            well=_in_state(agents, BreakerState.CLOSED),
            degraded=_in_state(agents, BreakerState.DEGRADED),
            recovering=_in_state(agents, BreakerState.HALF_OPEN),
            unwell=tuple(reasons),
        )

    def _order(self, agent: Agent) -> KillSwitch | None:
        return self._orders[kill_scope(self.policy.tenant, agent.endpoint.endpoint)]


class World:
    """All tenants, and the epochs of the control topics that say so (topic -> offset; never changed).

    `any_recovering`: a breaker of any tenant is in HALF_OPEN. Mostly none is, and nobody asks for probes.
    """

    def __init__(self, snapshot: Snapshot, earlier: Mapping[str, TenantWorld]) -> None:
        self.epochs = {topic.name: snapshot.epoch(topic) for topic in FOLLOWED}
        self._policies: Mapping[str, Policy] = snapshot.of(POLICY)
        self._breakers: Mapping[str, Transition] = snapshot.of(TRANSITIONS)
        self._orders: Mapping[str, KillSwitch] = snapshot.of(COMMANDS)
        self.any_recovering = any(breaker.to_state is BreakerState.HALF_OPEN for breaker in self._breakers.values())
        self._earlier = earlier
        self._tenants: dict[str, TenantWorld] = {}

    def tenant(self, name: str) -> TenantWorld | None:
        """Return a tenant's world; None where it has no policy."""
        known = self._tenants.get(name)
        if known is not None:
            return known
        policy = self._policies.get(name)
        if policy is None:
            return None
        earlier = self._earlier.get(name)
        if earlier is None or not earlier.stands(policy, self._breakers, self._orders):
            earlier = TenantWorld(policy, self._breakers, self._orders)
        self._tenants[name] = earlier
        return earlier

    def arranged(self) -> dict[str, TenantWorld]:
        """Return the tenants that were asked for, here or before: the next world may go on with them."""
        return {**self._earlier, **self._tenants}


def world_of(snapshot: Snapshot, previous: World | None = None) -> World:
    """Arrange a snapshot; what `previous` has arranged and still stands is taken over."""
    return World(snapshot, previous.arranged() if previous else {})


def _cut(thresholds: Thresholds, *named: Reason) -> Cut:
    return Cut(thresholds, str(thresholds.contained), str(thresholds.assisted), named)


def _row_cut(row: ThresholdRow) -> Cut:
    thresholds = Thresholds(contained=row.contained, assisted=row.assisted)
    return _cut(thresholds, Reason(code="threshold_row", detail=row_name(row)))


def _breaker_keys(policy: Policy) -> list[str]:
    return [endpoint_key(policy.tenant, endpoint.endpoint) for endpoint in policy.endpoints]


def _kill_keys(policy: Policy) -> list[str]:
    agents = [kill_scope(policy.tenant, endpoint.endpoint) for endpoint in policy.endpoints]
    return [kill_scope(None), kill_scope(policy.tenant), *agents]


def _in_force(order: KillSwitch | None) -> KillSwitch | None:
    return order if order is not None and order.killed else None


def _in_state(agents: tuple[Agent, ...], state: BreakerState) -> tuple[Agent, ...]:
    return tuple(agent for agent in agents if agent.state is state)


def _agent(endpoint: Endpoint, breaker: Transition | None) -> Agent:
    if breaker is None:
        return Agent(endpoint, BreakerState.CLOSED, 0)
    return Agent(endpoint, breaker.to_state, breaker.epoch, breaker.probe_permits, breaker.probes_expire_at or 0)
