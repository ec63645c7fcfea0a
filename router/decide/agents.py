"""The AI agents that some contacts may go to, by the state of their breakers. Pure."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence

from router.decide.fit import allowed_regions, fits, hindrance
from schemas.agents import Transition
from schemas.control import Endpoint, KillSwitch, Policy
from schemas.fields import BreakerState
from schemas.hours import instant
from schemas.interactions import Offered, Reason
from schemas.topics import endpoint_key

_OUT = (BreakerState.OPEN, BreakerState.HALF_OPEN)
_INFRASTRUCTURE = frozenset({"consecutive_failures", "failure_rate", "failure_posterior", "latency"})
"""Reasons of a transition that are the machine's own; a quality below target or an operator's order is not."""

SharedOutages = Mapping[str, frozenset[str]]
"""Group of shared health -> keys of the endpoints in it that are out because of the machine underneath."""


@dataclasses.dataclass(frozen=True, slots=True)
class Agent:
    """An endpoint with the latest word on its breaker. `shared`: says that others of its group are out, if they are."""

    endpoint: Endpoint
    state: BreakerState
    breaker_epoch: int
    permits: tuple[int, ...] = ()
    permits_expire_at: int = 0
    shared: str = ""


@dataclasses.dataclass(frozen=True, slots=True)
class Best:
    """Agents that fit equally well, and the reason why these, where there were others."""

    agents: tuple[Agent, ...]
    reasons: tuple[Reason, ...] = ()


NOBODY = Best(())


@dataclasses.dataclass(frozen=True, slots=True)
class Agents:
    """The agents of one intent for some contacts.

    `every`: all of the intent, whatever holds of them. `well` and `degraded` are the best of their state, `recovering`
    all. `unwell` names, for the record, the agents that are killed, that may not have such contacts, or whose breakers
    are not closed; only the last may be in a group. `able`: all of any group. `allowed`: some agent may have such
    contacts, be it available or not.
    """

    every: tuple[Agent, ...]
    able: tuple[Agent, ...]
    well: Best
    degraded: Best
    recovering: tuple[Agent, ...]
    unwell: tuple[Reason, ...]
    allowed: bool

    def without(self, out: Collection[str], why: str, intent: str, offered: Offered) -> Agents:
        """Return these without some endpoints that cannot have the contact, which are named under the reason `why`."""
        left = tuple(agent for agent in self.able if agent.endpoint.endpoint not in out)
        if len(left) == len(self.able):
            return self
        names = ", ".join(agent.endpoint.endpoint for agent in self.able if agent.endpoint.endpoint in out)
        unwell = (*self.unwell, Reason(code=why, detail=names))
        return grouped(self.every, left, unwell, intent, offered, allowed=self.allowed)


def agents_of(policy: Policy, breakers: Mapping[str, Transition], outages: SharedOutages) -> list[Agent]:
    """Return all agents of a policy with their breakers.

    One that is well, in a group of shared health of which another is out, counts as degraded: it is the same machine.
    """
    agents = []
    for endpoint in policy.endpoints:
        key = endpoint_key(policy.tenant, endpoint.endpoint)
        agent = _agent(endpoint, breakers.get(key))
        out = len(outages.get(endpoint.shared_health or "", frozenset()) - {key})
        if out and agent.state is BreakerState.CLOSED:
            told = f"{endpoint.endpoint}: {out} out of {endpoint.shared_health}"
            agent = dataclasses.replace(agent, state=BreakerState.DEGRADED, shared=told)
        agents.append(agent)
    return agents


def shared_outages(policies: Mapping[str, Policy], breakers: Mapping[str, Transition]) -> SharedOutages:
    """Return the endpoints of each group of shared health that are out for what the group shares."""
    found: dict[str, frozenset[str]] = {}
    for key, breaker in breakers.items():
        if breaker.to_state in _OUT and (policy := policies.get(breaker.tenant)) is not None:
            group = next((each.shared_health for each in policy.endpoints if each.endpoint == breaker.endpoint), None)
            if group is not None and _machine_is_out(breaker):
                found[group] = found.get(group, frozenset()) | {key}
    return found


def _machine_is_out(breaker: Transition) -> bool:
    """Return whether a breaker that takes no traffic was opened by infrastructure; HALF_OPEN tries that again."""
    return breaker.to_state is BreakerState.HALF_OPEN or breaker.reason in _INFRASTRUCTURE


def in_maintenance(policy: Policy, now: int) -> tuple[frozenset[str], list[int]]:
    """Return the agents that are in maintenance, and the instants to come at which one begins or ends."""
    names, edges = set(), []
    for endpoint in policy.endpoints:
        for window in endpoint.maintenance:
            starts, ends = instant(window.starts), instant(window.ends)
            if starts <= now < ends:
                names.add(endpoint.endpoint)
            edges += [edge for edge in (starts, ends) if edge > now]
    return frozenset(names), edges


def arranged(
    every: tuple[Agent, ...], policy: Policy, killed: Mapping[str, KillSwitch], away: Collection[str],
    intent: str, offered: Offered,
) -> Agents:  # fmt: skip
    """Return the agents of an intent for such contacts. killed: endpoint -> order; away: those in maintenance."""
    stopped = [name for agent in every if (name := agent.endpoint.endpoint) in killed]
    reasons = [Reason(code="killed", detail=f"{name}: {killed[name].reason}") for name in stopped]
    able, hindered, allowed = [], defaultdict[str, list[str]](list), False
    regions = allowed_regions(policy.residency, offered.region)
    for agent in every:
        name = agent.endpoint.endpoint
        why = hindrance(agent.endpoint, regions, offered.channel, offered.language)
        allowed = allowed or why is None
        if why is None and name in away:
            why = "in_maintenance"
        if why is not None:
            hindered[why].append(name)
        elif name not in killed:
            able.append(agent)
    reasons += [Reason(code=why, detail=", ".join(names)) for why, names in hindered.items()]
    reasons += [_why_unwell(agent) for agent in able if agent.state is not BreakerState.CLOSED]
    return grouped(every, tuple(able), tuple(reasons), intent, offered, allowed=allowed)


def _why_unwell(agent: Agent) -> Reason:
    if agent.shared:
        return Reason(code="shared_health", detail=agent.shared)
    return Reason(code=f"breaker_{agent.state}", detail=agent.endpoint.endpoint)


def grouped(
    every: tuple[Agent, ...], able: tuple[Agent, ...], unwell: tuple[Reason, ...], intent: str, offered: Offered,
    *, allowed: bool,
) -> Agents:  # fmt: skip
    """Return agents by the state of their breakers, of those well and of those degraded the best."""
    return Agents(
        every,
        able,
        well=_best(_in_state(able, BreakerState.CLOSED), intent, offered),
        degraded=_best(_in_state(able, BreakerState.DEGRADED), intent, offered),
        recovering=_in_state(able, BreakerState.HALF_OPEN),
        unwell=unwell,
        allowed=allowed,
    )


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
