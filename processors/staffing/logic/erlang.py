"""Erlang B and C: what a load does to a number of agents, and how many agents a load needs.

Erlang B comes from the recursion over the number of servers

    B(0) = 1,  B(n) = a B(n-1) / (n + a B(n-1))

(A. Jagerman, "Some properties of the Erlang loss function", Bell System Technical Journal 53,
1974), which adds positive numbers only, shrinks the error of each step, and neither overflows nor
needs factorials. Erlang C follows from it: C = c B / (c - a + a B). Both agree with exact sums to
a relative 1e-11 from 1 to 100,000 servers (tests); the cost is one step per server, some 10 ms for
100,000. Probabilities under 1e-300 lose digits and end as 0.

Contacts arrive at random, wait without leaving and are served in turn; handle times are
exponential (M/M/c). Where the traffic reaches the number of agents the queue grows without end:
wait probability 1, service level 0, average wait infinite. Without traffic nobody waits.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from collections.abc import Callable

from schemas.errors import TrunklineError

MAX_AGENTS = 1_000_000
"""A guard on time (0.1 s), ten times the largest centre that results were checked for."""

_ROUNDING = 1e-9
"""Relative slack in whole numbers of agents: 21 / (1 - 0.3) is 30, in floating point 30.000000000000004."""

_BISECTED = 1e-12
"""Relative width at which a rate is found: far under the slack in whole numbers of agents."""


class ErlangInputError(TrunklineError, ValueError):
    """An argument of a staffing formula is outside its range; the message names it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Requirement:
    """The least agents that meet the targets, and what they would deliver.

    `agents` are people in seats, before shrinkage. `occupancy`: share of their time on contacts.
    """

    traffic_erlangs: float
    agents: int
    wait_probability: float
    service_level: float
    asa_seconds: float
    occupancy: float


def erlang_b(traffic_erlangs: float, agents: int) -> float:
    """Return the probability that all `agents` are busy where nobody waits (Erlang B).

    Raises ErlangInputError where traffic is negative or not finite, or agents not in 0..MAX_AGENTS.
    """
    _check_traffic(traffic_erlangs)
    _check_agents(agents)
    blocked = 1.0
    for servers in range(1, agents + 1):
        carried_over = traffic_erlangs * blocked
        blocked = carried_over / (servers + carried_over)
    return blocked


def erlang_c_wait_probability(traffic_erlangs: float, agents: int) -> float:
    """Return the probability that a contact has to wait (Erlang C): 1 in overload, 0 without traffic.

    Raises ErlangInputError as `erlang_b` does.
    """
    return _wait_probability(traffic_erlangs, agents, erlang_b(traffic_erlangs, agents))


def service_level(traffic_erlangs: float, agents: int, aht_seconds: float, within_seconds: float) -> float:
    """Return the share of contacts answered within `within_seconds`: 0 in overload, 1 without traffic.

    1 - C exp(-(agents - traffic) within / AHT). Raises ErlangInputError for arguments out of range.
    """
    _check_positive("aht_seconds", aht_seconds)
    _check_not_negative("within_seconds", within_seconds)
    wait_probability = erlang_c_wait_probability(traffic_erlangs, agents)
    return _service_level(traffic_erlangs, agents, wait_probability, within_seconds / aht_seconds)


def asa_seconds(traffic_erlangs: float, agents: int, aht_seconds: float) -> float:
    """Return the average speed of answer over all contacts, C AHT / (agents - traffic): infinite in overload.

    Raises ErlangInputError for arguments out of range.
    """
    _check_positive("aht_seconds", aht_seconds)
    return _asa_seconds(
        traffic_erlangs, agents, erlang_c_wait_probability(traffic_erlangs, agents), aht_seconds=aht_seconds
    )


def occupancy(traffic_erlangs: float, agents: int) -> float:
    """Return the share of agents' time spent on contacts: traffic / agents, 1 in overload, 0 without traffic.

    Raises ErlangInputError for arguments out of range.
    """
    _check_traffic(traffic_erlangs)
    _check_agents(agents)
    if traffic_erlangs == 0:
        return 0.0
    return 1.0 if traffic_erlangs >= agents else traffic_erlangs / agents


def agents_required(
    contacts_per_minute: float,
    aht_seconds: float,
    service_level_target: float,
    service_level_seconds: float,
    max_occupancy: float,
) -> Requirement:
    """Return the least agents above the traffic that meet both service level and occupancy.

    The search starts at the least number that carries the traffic within `max_occupancy` and adds
    agents one by one, each a step of the recursion; service level grows with every agent, so the
    first that meets the target is the least. A target of 1 is met to double precision. No
    contacts: 0 agents.

    Args:
        contacts_per_minute: offered to people, 0 or more.
        aht_seconds: talk and wrap, above 0.
        service_level_target: share to be answered in time, 0 to 1.
        service_level_seconds: in that time, 0 or more.
        max_occupancy: above 0, at most 1.

    Raises:
        ErlangInputError: an argument is out of range, or more than MAX_AGENTS would be needed.
    """
    _check_not_negative("contacts_per_minute", contacts_per_minute)
    _check_targets(aht_seconds, service_level_target, service_level_seconds, max_occupancy)
    traffic = contacts_per_minute / 60.0 * aht_seconds
    if traffic == 0:
        return Requirement(traffic, agents=0, wait_probability=0.0, service_level=1.0, asa_seconds=0.0, occupancy=0.0)
    handle_times = service_level_seconds / aht_seconds
    agents = _least_agents(traffic, max_occupancy)
    blocked = erlang_b(traffic, agents)
    while True:
        wait_probability = _wait_probability(traffic, agents, blocked)
        reached = _service_level(traffic, agents, wait_probability, handle_times)
        if reached >= service_level_target:
            break
        agents += 1
        blocked = traffic * blocked / (agents + traffic * blocked)
    return Requirement(
        traffic_erlangs=traffic,
        agents=agents,
        wait_probability=wait_probability,
        service_level=reached,
        asa_seconds=_asa_seconds(traffic, agents, wait_probability, aht_seconds=aht_seconds),
        occupancy=traffic / agents,
    )


def carried_per_minute(
    agents: int,
    aht_seconds: float,
    service_level_target: float,
    service_level_seconds: float,
    max_occupancy: float,
) -> float:
    """Return the most contacts per minute that `agents` take at both service level and occupancy.

    The inverse of `agents_required`, by bisection: for what is returned `agents` are enough, for more
    (relative 1e-9) they are not. Where occupancy decides, as in large teams, that is seen early and a
    dozen evaluations do; else some 40, each a step of the recursion per agent. Nobody takes nothing.

    Args:
        agents: people in seats, 0 to MAX_AGENTS.
        aht_seconds: talk and wrap, above 0.
        service_level_target: share to be answered in time, 0 to 1.
        service_level_seconds: in that time, 0 or more.
        max_occupancy: above 0, at most 1.

    Raises:
        ErlangInputError: an argument is out of range.
    """
    _check_agents(agents)
    _check_targets(aht_seconds, service_level_target, service_level_seconds, max_occupancy)

    def is_met(contacts_per_minute: float) -> bool:
        traffic = contacts_per_minute / 60.0 * aht_seconds
        bound = traffic / max_occupancy
        if bound >= MAX_AGENTS or max(_whole(bound), math.floor(traffic) + 1) > agents:
            return False
        wait_probability = _wait_probability(traffic, agents, erlang_b(traffic, agents))
        return _service_level(traffic, agents, wait_probability, service_level_seconds / aht_seconds) >= (
            service_level_target
        )

    # Just over the occupancy that _whole lets pass, so that the largest rate lies under it.
    most = min(agents * 60.0 / aht_seconds * max_occupancy * (1.0 + 2 * _ROUNDING), sys.float_info.max)
    return _largest(is_met, most) if agents else 0.0


def scheduled(agents: int, shrinkage: float) -> int:
    """Return the people to schedule so that `agents` are in their seats: ceil(agents / (1 - shrinkage)).

    shrinkage: share of paid time away from contacts, from 0 to under 1.
    Raises ErlangInputError where it is not, or agents are not in 0..MAX_AGENTS.
    """
    _check_agents(agents)
    _check_share("shrinkage", shrinkage)
    if shrinkage == 1:
        raise ErlangInputError("shrinkage is 1: nobody would ever be in a seat; give a share under 1")
    return _whole(agents / (1.0 - shrinkage))


def _largest(is_met: Callable[[float], bool], most: float) -> float:
    """Return the largest number from 0 to `most` up to which `is_met` holds."""
    if is_met(most * (1.0 - 3 * _ROUNDING)):
        low, high = most * (1.0 - 3 * _ROUNDING), most
    else:
        low, high = 0.0, most
    while high - low > _BISECTED * high and low < (middle := low + (high - low) / 2) < high:
        low, high = (middle, high) if is_met(middle) else (low, middle)
    return low


def _least_agents(traffic: float, max_occupancy: float) -> int:
    """Return the least agents that are more than the traffic and busy at most `max_occupancy`."""
    bound = traffic / max_occupancy
    if bound >= MAX_AGENTS:
        raise ErlangInputError(
            f"contacts_per_minute and aht_seconds make {traffic:g} Erlangs, which at max_occupancy {max_occupancy} "
            f"need more than {MAX_AGENTS} agents: check the units"
        )
    return max(_whole(bound), math.floor(traffic) + 1)


def _whole(people: float) -> int:
    return math.ceil(people * (1.0 - _ROUNDING))


def _wait_probability(traffic: float, agents: int, blocked: float) -> float:
    if traffic == 0:
        return 0.0
    if traffic >= agents:
        return 1.0
    # Just under overload the quotient may round to a hair above 1, which is no probability.
    return min(1.0, agents * blocked / (agents - traffic + traffic * blocked))


def _service_level(traffic: float, agents: int, wait_probability: float, handle_times: float) -> float:
    if traffic == 0:
        return 1.0
    if traffic >= agents:
        return 0.0
    return 1.0 - wait_probability * math.exp(-(agents - traffic) * handle_times)


def _asa_seconds(traffic: float, agents: int, wait_probability: float, *, aht_seconds: float) -> float:
    if traffic == 0:
        return 0.0
    if traffic >= agents:
        return math.inf
    return wait_probability * aht_seconds / (agents - traffic)


def _check_targets(
    aht_seconds: float, service_level_target: float, service_level_seconds: float, max_occupancy: float
) -> None:
    _check_positive("aht_seconds", aht_seconds)
    _check_share("service_level_target", service_level_target)
    _check_not_negative("service_level_seconds", service_level_seconds)
    _check_positive("max_occupancy", max_occupancy)
    _check_share("max_occupancy", max_occupancy)


def _check_traffic(traffic_erlangs: float) -> None:
    _check_not_negative("traffic_erlangs", traffic_erlangs)


def _check_agents(agents: int) -> None:
    if isinstance(agents, bool) or not isinstance(agents, int) or not 0 <= agents <= MAX_AGENTS:
        raise ErlangInputError(f"agents is {agents!r}: give a whole number from 0 to {MAX_AGENTS}")


def _check_not_negative(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ErlangInputError(f"{name} is {value!r}: give a finite number, 0 or more")


def _check_positive(name: str, value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ErlangInputError(f"{name} is {value!r}: give a finite number above 0")


def _check_share(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ErlangInputError(f"{name} is {value!r}: give a share from 0 to 1")
