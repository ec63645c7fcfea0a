"""What a decision may look at of one tenant: policy, breakers, orders and people, arranged for look-up.

Opening hours, maintenance, agents that come back and what WFM says have their times: what is arranged holds until the
next of them, and is arranged anew then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from router.classify.result import OUT_OF_SCOPE
from router.decide.agents import (
    NOBODY,
    Agent,
    Agents,
    Best,
    Restricted,
    SharedOutages,
    agents_of,
    arranged,
    in_maintenance,
    ramping_at,
)
from router.decide.breakers import Watched
from router.decide.fit import Worker, shown
from router.decide.people import People, Queues, calendars_of, said_of
from router.decide.rules import Compliance, Oversight, applies, moved, oversight_of
from router.decide.spillover import Spilling
from schemas.agents import Transition
from schemas.control import Availability, Endpoint, KillSwitch, Policy, ThresholdRow
from schemas.fields import BreakerState
from schemas.interactions import Offered, Reason, Thresholds
from schemas.policy_check import row_name
from schemas.rules import IntentHandling, IntentRule
from schemas.topics import kill_scope

_MOST_ROUTES = 10_000


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """Where some contacts of one intent may go: to which people, to which agents, and watched how.

    `kept`: why these never go to AI, now or ever; empty where they may. `whatever`: to AI whatever the confidence.
    """

    people: People
    kept: tuple[Reason, ...]
    whatever: bool
    agents: Agents
    oversight: Oversight | None


@dataclasses.dataclass(frozen=True, slots=True)
class Cut:
    """Thresholds, and how they stand on the record: `named` says which row they are from and what moved them."""

    thresholds: Thresholds
    contained_text: str
    assisted_text: str
    named: tuple[Reason, ...] = ()


class TenantWorld:
    """One tenant's policy, by intent. `killed`: the order, if any, by which none of its contacts goes to AI.

    `since` and `until`: the times for which it is arranged. `tightened`: why AI counts as degraded, where it does.
    """

    def __init__(
        self, policy: Policy, breakers: Mapping[str, Transition], orders: Mapping[str, KillSwitch],
        availability: Mapping[str, Availability], outages: SharedOutages, now: int,
    ) -> None:  # fmt: skip
        self.policy = policy
        self._outages = _outages_of(policy, outages)
        self.compliance = Compliance(policy.compliance) if policy.compliance else None
        self._parallel = applies(policy.parallel.when) if policy.parallel else None
        self.human_only_flags = frozenset(policy.human_only_flags)
        self._orders = _in_force(orders, policy.tenant)
        self.killed = self._orders.get(kill_scope(None)) or self._orders.get(kill_scope(policy.tenant))
        self._killed_agents = {
            each.endpoint: self._orders[key]
            for each in policy.endpoints
            if (key := kill_scope(policy.tenant, each.endpoint)) in self._orders
        }
        self._cut = _cut(policy.thresholds)
        self._rows = {(row.intent, row.channel, row.segment): _row_cut(row) for row in policy.matrix}
        # Which of intent, channel and segment a row names, the most specific first: an intent before all else.
        self._shapes = sorted({tuple(part is not None for part in row) for row in self._rows}, reverse=True)
        self._watched = Watched(policy)
        self._breakers = self._watched.among(breakers)
        self._agents_of: dict[str, tuple[Agent, ...]] = {}
        self._every = agents_of(policy, self._breakers, self._outages)
        self._ramping = [agent for agent in self._every if agent.ramps]
        for agent in self._every:
            for intent in agent.endpoint.intents:
                self._agents_of[intent] = (*self._agents_of.get(intent, ()), agent)
        self._well = all(agent.state is BreakerState.CLOSED and not agent.shed for agent in self._every)
        self.tightened = self._degraded(self._every)
        self.spilling = Spilling(policy.spillover)
        self._simple_only = self.tightened if policy.tightening and policy.tightening.simple_only else None
        self._resolved_least = policy.tightening.resolved_least if policy.tightening and self.tightened else None
        self._rules = {rule.intent: rule for rule in policy.intents}
        self._known = {*self._agents_of, *self._rules, *policy.human_only_intents}
        self._known.update(intent for queue in policy.queues for intent in queue.intents)
        self._human_only = frozenset(policy.human_only_intents)
        self._plain_agents = not policy.residency and all(map(_is_plain, policy.endpoints))
        workers: tuple[Worker, ...] = (*policy.endpoints, *policy.queues)
        self._by_channel = any(each.channels for each in workers)
        self._by_language = any(each.languages for each in workers)
        self._calendars = calendars_of(policy)
        self._said = said_of(policy, availability)
        self._moving = bool(policy.relief or policy.tightening)
        self._arrange(now)

    def _arrange(self, now: int) -> None:
        """Arrange what depends on the time."""
        policy = self.policy
        away, edges = in_maintenance(policy, now)
        ramping, ends = ramping_at(self._ramping, now)
        self._restricted = Restricted(self._killed_agents, away, ramping)
        self.queues = Queues(policy, self._calendars, self._said, now)
        self.until = min((self.queues.until, *edges, *ends))
        timed = self._calendars or self._said or self._ramping or any(each.maintenance for each in policy.endpoints)
        self.since = now if timed else 0
        # All agents well and none better than another: so it is mostly, and arranged at once.
        self._all_alike = self._plain_agents and self._well and not self._orders and not away and not ramping
        self._routes: dict[tuple[str, str | None, str | None, str | None], Route] = {}
        self._moved: dict[tuple[int, str], Cut] = {}

    def at(self, now: int) -> TenantWorld:
        """Return this tenant at a time: opening hours, maintenance and what WFM says are those of then."""
        if not self.since <= now < self.until:
            self._arrange(now)
        return self

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
            route = self._route(intent, offered)
            # Intents and languages that came with the offers may be anything: only so many are worth keeping.
            if intent in self._known and len(self._routes) < _MOST_ROUTES:
                self._routes[about] = route
        return route

    def cut(self, intent: str, offered: Offered, queue: str) -> Cut:
        """Return the thresholds of a contact whose people are of a queue.

        Those of the most specific row of the matrix, else the policy's, moved by what people and agents there are.
        """
        found = self._cut
        for by_intent, by_channel, by_segment in self._shapes:
            row = self._rows.get(
                (
                    intent if by_intent else None,
                    offered.channel if by_channel else None,
                    offered.segment if by_segment else None,
                )
            )
            if row is not None:
                found = row
                break
        return self._moved_cut(found, queue) if self._moving else found

    def stands(
        self, policy: Policy, breakers: Mapping[str, Transition], orders: Mapping[str, KillSwitch],
        availability: Mapping[str, Availability], outages: SharedOutages,
    ) -> bool:  # fmt: skip
        """Return whether this is still what the control topics say."""
        if policy is not self.policy:
            return False
        watched = self._watched.among(breakers)
        return (
            watched.keys() == self._breakers.keys()
            and all(watched[key] is was for key, was in self._breakers.items())
            and _in_force(orders, policy.tenant) == self._orders
            and said_of(policy, availability) == self._said
            and _outages_of(policy, outages) == self._outages
        )

    def is_parallel(self, offered: Offered, intent: str) -> bool:
        """Return whether people are reserved for a contact while its agent is being reached."""
        return self._parallel is not None and offered.handover is None and self._parallel(offered, intent)

    def short_people(self, queue: str) -> str | None:
        """Return how short the people of a queue are, where they are so short that contacts spill over."""
        if self.queues.shortage.get(queue, 0.0) <= self.policy.spillover.shortage_from:
            return None
        said = self.queues.said[queue]
        return f"{queue} has {said.agents_available:g} of {said.agents_required:g}"

    def _route(self, intent: str, offered: Offered) -> Route:
        rule = self._rules.get(intent)
        handling = rule.handling if rule is not None else IntentHandling.BY_CONFIDENCE
        return Route(
            self.queues.people(intent, rule, offered),
            kept=self._kept(intent, rule, handling),
            whatever=handling is IntentHandling.AI,
            agents=self._agents(intent, offered),
            oversight=oversight_of(self.policy, rule),
        )

    def _kept(self, intent: str, rule: IntentRule | None, handling: IntentHandling) -> tuple[Reason, ...]:
        if intent in self._human_only or handling is IntentHandling.PEOPLE:
            return (Reason(code="human_only_intent", detail=intent),)
        if intent == OUT_OF_SCOPE:
            return (Reason(code="out_of_scope"),)
        if self._simple_only is not None and not (rule is not None and rule.simple):
            return self._simple_only, Reason(code="not_simple", detail=intent)
        return () if self._resolved_least is None else self._seldom_resolved(intent, self._resolved_least)

    def _seldom_resolved(self, intent: str, least: float) -> tuple[Reason, ...]:
        """Return why an intent goes to people while AI is degraded: no agent was shown to resolve it often enough."""
        best = max((shown(agent.endpoint, intent) or 0.0 for agent in self._agents_of.get(intent, ())), default=1.0)
        if self.tightened is None or best >= least:
            return ()
        return self.tightened, Reason(code="seldom_resolved", detail=f"{intent}: {best:.3f} < {least:g}")

    def _agents(self, intent: str, offered: Offered) -> Agents:
        every = self._agents_of.get(intent, ())
        if self._all_alike:
            return Agents(every, every, Best(every), degraded=NOBODY, recovering=(), unwell=(), allowed=bool(every))
        return arranged(every, self.policy, self._restricted, intent, offered)

    def _moved_cut(self, cut: Cut, queue: str) -> Cut:
        known = self._moved.get((id(cut), queue))  # it lives as long as this: rows and the policy's own
        if known is None:
            thresholds, reasons = moved(cut.thresholds, self.policy, self.queues, queue, self.tightened)
            known = self._moved[id(cut), queue] = _cut(thresholds, *cut.named, *reasons) if reasons else cut
        return known

    def _degraded(self, every: list[Agent]) -> Reason | None:
        """Return why AI counts as degraded; None where it does not, or the policy does not ask."""
        tightening = self.policy.tightening
        if tightening is None or not every:
            return None
        unwell = [
            agent.endpoint.endpoint
            for agent in every
            if agent.state is not BreakerState.CLOSED or agent.endpoint.endpoint in self._killed_agents
        ]
        if not unwell or len(unwell) < tightening.agents_unwell * len(every):
            return None
        return Reason(code="ai_degraded", detail=f"{', '.join(unwell)}: {len(unwell)} of {len(every)} agents")


def _cut(thresholds: Thresholds, *named: Reason) -> Cut:
    return Cut(thresholds, str(thresholds.contained), str(thresholds.assisted), named)


def _row_cut(row: ThresholdRow) -> Cut:
    thresholds = Thresholds(contained=row.contained, assisted=row.assisted)
    return _cut(thresholds, Reason(code="threshold_row", detail=row_name(row)))


def _outages_of(policy: Policy, outages: SharedOutages) -> dict[str, frozenset[str]]:
    """Return the outages of the groups that a tenant's agents are in."""
    if not outages:
        return {}
    groups = {endpoint.shared_health for endpoint in policy.endpoints}
    return {group: out for group, out in outages.items() if group in groups}


def _is_plain(endpoint: Endpoint) -> bool:
    return not (endpoint.capabilities or endpoint.channels or endpoint.languages or endpoint.cost)


def _in_force(orders: Mapping[str, KillSwitch], tenant: str) -> dict[str, KillSwitch]:
    """Return the orders that kill agents of a tenant, by what they are about."""
    return {key: order for key, order in orders.items() if order.killed and order.tenant in (None, tenant)}
