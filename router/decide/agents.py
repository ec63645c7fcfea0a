"""The AI agents that some contacts may go to, by the state of their breakers. Pure."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

from router.decide.breakers import Ramp, is_held_back, standing
from router.decide.fit import allowed_regions, fits, hindrance
from router.decide.permits import Grant
from schemas.agents import Transition, machine_is_out
from schemas.control import Endpoint, KillSwitch, Policy
from schemas.fields import BreakerState
from schemas.hours import instant
from schemas.interactions import Offered, Reason
from schemas.topics import endpoint_key

SharedOutages = Mapping[str, frozenset[str]]
"""Group of shared health -> keys of the endpoints in it that are out because of the machine underneath."""


@dataclasses.dataclass(frozen=True, slots=True)
class Agent:
    """An endpoint with the latest word on its breakers (see `router.decide.breakers.Standing`).

    `why`: the reason on the record where the state is not CLOSED.
    """

    endpoint: Endpoint
    state: BreakerState
    breaker_epoch: int
    why: Reason | None = None
    shed: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    ramps: tuple[Ramp, ...] = ()


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
    contacts, be it available or not. `ramping`: those of `able` that get only a share of their contacts.
    """

    every: tuple[Agent, ...]
    able: tuple[Agent, ...]
    well: Best
    degraded: Best
    recovering: tuple[Agent, ...]
    unwell: tuple[Reason, ...]
    allowed: bool
    ramping: tuple[Agent, ...] = ()

    def held_back(self, interaction_id: str, now: int) -> list[str]:
        """Return the agents that do not get this contact because they are coming back and get only a share."""
        return [
            name
            for agent in self.ramping
            if is_held_back(interaction_id, name := agent.endpoint.endpoint, agent.ramps, now)
        ]

    def without(self, out: Collection[str], why: str, intent: str, offered: Offered) -> Agents:
        """Return these without some endpoints that cannot have the contact, which are named under the reason `why`."""
        left = tuple(agent for agent in self.able if agent.endpoint.endpoint not in out)
        if len(left) == len(self.able):
            return self
        names = ", ".join(agent.endpoint.endpoint for agent in self.able if agent.endpoint.endpoint in out)
        unwell = (*self.unwell, Reason(code=why, detail=names))
        return grouped(self.every, left, unwell, intent, offered, allowed=self.allowed)


def agents_of(policy: Policy, breakers: Mapping[str, Transition], outages: SharedOutages) -> list[Agent]:
    """Return all agents of a policy with what their breakers say.

    One that is well, in a group of shared health of which another is out, counts as degraded: it is the same machine.
    """
    agents = []
    for endpoint in policy.endpoints:
        agent = _agent(policy.tenant, endpoint, breakers)
        out = _others_out(policy.tenant, endpoint, outages) if outages else 0
        if out and agent.state is BreakerState.CLOSED:
            told = f"{endpoint.endpoint}: {out} out of {endpoint.shared_health}"
            why = Reason(code="shared_health", detail=told)
            agent = dataclasses.replace(agent, state=BreakerState.DEGRADED, why=why)
        agents.append(agent)
    return agents


def _others_out(tenant: str, endpoint: Endpoint, outages: SharedOutages) -> int:
    """Return how many others of an agent's group of shared health are out."""
    group = outages.get(endpoint.shared_health or "", frozenset())
    return len(group - {endpoint_key(tenant, endpoint.endpoint)})


def shared_outages(policies: Mapping[str, Policy], breakers: Mapping[str, Transition]) -> SharedOutages:
    """Return the endpoints of each group of shared health that are out for what the group shares.

    The breaker of one version says that the version is at fault: the machine underneath fails them all.
    """
    found: dict[str, frozenset[str]] = {}
    for key, breaker in breakers.items():
        if breaker.version is not None or not machine_is_out(breaker):
            continue
        if (policy := policies.get(breaker.tenant)) is not None:
            group = next((each.shared_health for each in policy.endpoints if each.endpoint == breaker.endpoint), None)
            if group is not None:
                found[group] = found.get(group, frozenset()) | {key}
    return found


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


def ramping_at(every: Sequence[Agent], now: int) -> tuple[frozenset[str], list[int]]:
    """Return the agents that get only a share of their contacts, and the instants to come at which that ends."""
    ends = {agent.endpoint.endpoint: max((ramp.ends_at for ramp in agent.ramps), default=0) for agent in every}
    left = {name: end for name, end in ends.items() if end > now}
    return frozenset(left), list(left.values())


class Restricted(NamedTuple):
    """Agents of a tenant that get no contacts, or not all of them.

    `killed`: endpoint -> order; `away`: those in maintenance; `ramping`: those that are coming back.
    """

    killed: Mapping[str, KillSwitch]
    away: Collection[str]
    ramping: Collection[str]


def arranged(every: tuple[Agent, ...], policy: Policy, restricted: Restricted, intent: str, offered: Offered) -> Agents:
    """Return the agents of an intent for such contacts."""
    killed = restricted.killed
    stopped = [name for agent in every if (name := agent.endpoint.endpoint) in killed]
    reasons = [Reason(code="killed", detail=f"{name}: {killed[name].reason}") for name in stopped]
    able, hindered, allowed = [], defaultdict[str, list[str]](list), False
    regions = allowed_regions(policy.residency, offered.region)
    for agent in every:
        name = agent.endpoint.endpoint
        why = hindrance(agent.endpoint, regions, offered.channel, offered.language)
        allowed = allowed or why is None
        if why is None:
            why = _not_now(agent, restricted, intent)
        if why is not None:
            hindered[why].append(name)
        elif name not in killed:
            able.append(agent)
    reasons += [Reason(code=why, detail=", ".join(names)) for why, names in hindered.items()]
    reasons += [agent.why for agent in able if agent.why is not None]
    found = grouped(every, tuple(able), tuple(reasons), intent, offered, allowed=allowed)
    ramping = tuple(agent for agent in able if agent.endpoint.endpoint in restricted.ramping)
    return dataclasses.replace(found, ramping=ramping) if ramping else found


def _not_now(agent: Agent, restricted: Restricted, intent: str) -> str | None:
    """Return why an agent that may have such contacts gets none just now, as the code of a reason."""
    if agent.endpoint.endpoint in restricted.away:
        return "in_maintenance"
    return "intent_shed" if intent in agent.shed else None


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


def _agent(tenant: str, endpoint: Endpoint, breakers: Mapping[str, Transition]) -> Agent:
    found = standing(tenant, endpoint, breakers)
    why = None
    if found.state is not BreakerState.CLOSED:
        name = endpoint.endpoint
        detail = f"{name} version {endpoint.version}" if found.of_version else name
        why = Reason(code=f"breaker_{found.state}", detail=detail)
    return Agent(endpoint, found.state, found.epoch, why, found.shed, found.grants, found.ramps)
