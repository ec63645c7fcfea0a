"""What a decision may look at, per tenant: the policy and the breakers, arranged for look-up.

Built from a snapshot of the control topics, so a decision can be replayed from its epochs. A tenant is
arranged when it is first asked for, and kept from one snapshot to the next while nothing of its own changed:
what one tenant does costs the others nothing.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence

from router.decide.fit import allowed_regions, fits, hindrance
from runtime.snapshot import Snapshot
from schemas.agents import Transition
from schemas.control import Endpoint, KillSwitch, Policy, ThresholdRow
from schemas.fields import BreakerState, Channel
from schemas.interactions import Offered, Reason, Thresholds
from schemas.policy_check import row_name
from schemas.topics import CLOCK, COMMANDS, POLICY, TRANSITIONS, Topic, endpoint_key, kill_scope

_MOST_ROUTES = 10_000
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
class Best:
    """Agents that fit equally well, and the reason why these, where there were others."""

    agents: tuple[Agent, ...]
    reasons: tuple[Reason, ...] = ()


_NOBODY = Best(())


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """Where some contacts of one intent may go: the queue, and the agents by the state of their breakers.

    `well` and `degraded` are the best of their state, `recovering` all. `unwell` names, for the record, the agents that
    are killed, that may not have such contacts, or whose breakers are not closed; the first two are in no group.
    """

    queue: str
    human_only: bool
    agents: tuple[Agent, ...]
    well: Best
    degraded: Best
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
        self._orders = _in_force(orders, policy.tenant)
        self.killed = self._orders.get(kill_scope(None)) or self._orders.get(kill_scope(policy.tenant))
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
        # All agents well and none better than another: so it is mostly, and arranged at once.
        self._all_alike = (
            not self._orders
            and not policy.residency
            and all(map(_is_plain, policy.endpoints))
            and all(breaker is None or breaker.to_state is BreakerState.CLOSED for breaker in self._breakers.values())
        )
        self._by_channel = any(endpoint.channels for endpoint in policy.endpoints)
        self._by_language = any(endpoint.languages for endpoint in policy.endpoints)
        self._routes: dict[tuple[str, str | None, str | None, str | None], Route] = {}

    def route(self, intent: str, offered: Offered) -> Route:
        """Return where contacts of an intent, a channel, a language and a customer's region may go."""
        about = (
            intent,
            offered.channel if self._by_channel else None,
            offered.language if self._by_language else None,
            offered.region if self.policy.residency else None,
        )
        route = self._routes.get(about)
        if route is None:
            route = self._arranged(intent, offered)
            # Intents and languages that came with the offers may be anything: only so many are worth keeping.
            known = intent in self._agents_of or intent in self._queue_of or intent in self._human_only
            if known and len(self._routes) < _MOST_ROUTES:
                self._routes[about] = route
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
            and _in_force(orders, policy.tenant) == self._orders
        )

    def _arranged(self, intent: str, offered: Offered) -> Route:
        every = self._agents_of.get(intent, ())
        queue, human_only = self._queue_of.get(intent, self.policy.default_queue), intent in self._human_only
        if self._all_alike:
            return Route(queue, human_only, every, well=Best(every), degraded=_NOBODY, recovering=(), unwell=())
        killed = {agent.endpoint.endpoint: order for agent in every if (order := self._order(agent)) is not None}
        reasons = [Reason(code="killed", detail=f"{name}: {order.reason}") for name, order in killed.items()]
        agents, hindered = [], defaultdict[str, list[str]](list)
        regions = allowed_regions(self.policy.residency, offered.region)
        for agent in every:
            why = hindrance(agent.endpoint, regions, offered.channel, offered.language)
            if why is not None:
                hindered[why].append(agent.endpoint.endpoint)
            elif agent.endpoint.endpoint not in killed:
                agents.append(agent)
        reasons += [Reason(code=why, detail=", ".join(names)) for why, names in hindered.items()]
        reasons += [
            Reason(code=f"breaker_{agent.state}", detail=agent.endpoint.endpoint)
            for agent in agents
            if agent.state is not BreakerState.CLOSED
        ]
        return Route(
            queue,
            human_only,
            agents=every,
            well=_best(_in_state(agents, BreakerState.CLOSED), intent, offered),
            degraded=_best(_in_state(agents, BreakerState.DEGRADED), intent, offered),
            recovering=_in_state(agents, BreakerState.HALF_OPEN),
            unwell=tuple(reasons),
        )

    def _order(self, agent: Agent) -> KillSwitch | None:
        return self._orders.get(kill_scope(self.policy.tenant, agent.endpoint.endpoint)) if self._orders else None


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

    def at_epoch(self, topic: Topic, epoch: int) -> World:
        """Return this world with the epoch of one more topic; the tenants that either arranges are both's."""
        other = copy.copy(self)
        other.epochs = {**self.epochs, topic.name: epoch}
        return other

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


def _is_plain(endpoint: Endpoint) -> bool:
    return not (endpoint.capabilities or endpoint.channels or endpoint.languages or endpoint.cost)


def _in_force(orders: Mapping[str, KillSwitch], tenant: str) -> dict[str, KillSwitch]:
    """Return the orders that kill agents of a tenant, by what they are about."""
    return {key: order for key, order in orders.items() if order.killed and order.tenant in (None, tenant)}


def _best(agents: Sequence[Agent], intent: str, offered: Offered) -> Best:
    """Return those of some agents that fit a contact best and, of these, cost least."""
    found = fits([agent.endpoint for agent in agents], intent, offered.channel, offered.language)
    ranks = [(fit, -agent.endpoint.cost) for agent, fit in zip(agents, found, strict=True)]
    highest = max(ranks, default=None)
    best = tuple(agent for agent, rank in zip(agents, ranks, strict=True) if rank == highest)
    if highest is None or len(best) == len(agents):
        return Best(best)
    fit, cost = highest
    names = ", ".join(agent.endpoint.endpoint for agent in best)
    told = Reason(code="best_fit", detail=f"{names}: fit {fit:.3f}, cost {-cost:g}, best of {len(agents)}")
    return Best(best, (told,))


def _in_state(agents: Sequence[Agent], state: BreakerState) -> tuple[Agent, ...]:
    return tuple(agent for agent in agents if agent.state is state)


def _agent(endpoint: Endpoint, breaker: Transition | None) -> Agent:
    if breaker is None:
        return Agent(endpoint, BreakerState.CLOSED, 0)
    return Agent(endpoint, breaker.to_state, breaker.epoch, breaker.probe_permits, breaker.probes_expire_at or 0)
