"""When AI agents took no normal traffic, by the transitions of their breakers. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from schemas.agents import Transition
from schemas.control import Policy
from schemas.fields import NORMAL_TRAFFIC


class Outage(NamedTuple):
    """An agent that was away from `start` until `end` (UTC microseconds). `queues`: those it works for; None: all."""

    agent: str
    start: int
    end: int
    reason: str
    queues: frozenset[str] | None

    def touches(self, queue: str, start: int, end: int) -> bool:
        """Return whether it is of a queue, and some of it within a time."""
        return self.start < end and start < self.end and (self.queues is None or queue in self.queues)


def outages(moves: Iterable[Transition], policy: Policy | None, start: int, end: int) -> list[Outage]:
    """Return the outages of a tenant's agents that reach into a time, cut off at its ends, in their order."""
    by_breaker: dict[str, dict[int, Transition]] = defaultdict(dict)
    for move in moves:
        agent = move.endpoint if move.version is None else f"{move.endpoint} {move.version}"
        by_breaker[agent][move.epoch] = move
    found: list[Outage] = []
    for agent, made in by_breaker.items():
        found += _of_breaker(agent, [made[epoch] for epoch in sorted(made)], policy, end)
    within = [each for each in found if each.start < end and start < each.end]
    return sorted(each._replace(start=max(each.start, start), end=min(each.end, end)) for each in within)


def _of_breaker(agent: str, moves: list[Transition], policy: Policy | None, end: int) -> Iterator[Outage]:
    began: Transition | None = None
    for move in moves:
        if move.to_state not in NORMAL_TRAFFIC:
            began = began or move
        elif began is not None:
            yield _outage(agent, began, move.occurred_at, policy)
            began = None
    if began is not None:
        yield _outage(agent, began, max(end, began.occurred_at), policy)


def _outage(agent: str, began: Transition, end: int, policy: Policy | None) -> Outage:
    named = next((each for each in policy.endpoints if each.endpoint == began.endpoint), None) if policy else None
    queues = None
    if policy is not None and named is not None:
        queues = frozenset(each.queue for each in policy.queues if set(each.intents) & set(named.intents))
    return Outage(agent, began.occurred_at, end, began.reason, queues)
