"""What the breakers of an agent say together: its own, and that of the policy's version of it. Pure.

The worse of the two states holds, under the higher of the two epochs: breakers of one agent draw them from one count.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import NamedTuple

from router.decide.permits import Grant
from schemas.agents import Transition
from schemas.control import Endpoint, Policy
from schemas.fields import FROM_BEST, MICROS_PER_SECOND, BreakerState
from schemas.topics import breaker_key, endpoint_key

OUT = frozenset({BreakerState.OPEN, BreakerState.FORCED_OPEN})
"""States in which an agent gets nothing at all."""
_HASHES = 1 << 32
"""As many values as a CRC-32 has."""


class Ramp(NamedTuple):
    """An agent that has recovered gets a share of its contacts that grows evenly from `start`, at `since`, to all."""

    start: float
    since: int
    ends_at: int

    def share(self, now: int) -> float:
        """Return the share of contacts that the agent gets, 0 to 1; before its time that of its start."""
        if now >= self.ends_at:
            return 1.0
        return self.start + (1.0 - self.start) * max(0, now - self.since) / (self.ends_at - self.since)


class Standing(NamedTuple):
    """What an agent's breakers say. `of_version`: the state is that of the breaker of its version, and worse.

    `shed`: intents that it does not get. `grants`: all must leave a probe. `ramps`: of each breaker that has recovered.
    """

    state: BreakerState = BreakerState.CLOSED
    epoch: int = 0
    of_version: bool = False
    shed: frozenset[str] = frozenset()
    grants: tuple[Grant, ...] = ()
    ramps: tuple[Ramp, ...] = ()


_WELL = Standing()


def breaker_keys(tenant: str, endpoint: Endpoint) -> tuple[str, str]:
    """Return the keys of the breakers that count for an agent: its own, and that of its version in the policy."""
    return endpoint_key(tenant, endpoint.endpoint), breaker_key(tenant, endpoint.endpoint, endpoint.version)


class Watched:
    """The breakers that count for a policy's agents. Costs nothing while there is no breaker at all."""

    def __init__(self, policy: Policy) -> None:
        self._policy = policy
        self._keys: tuple[str, ...] | None = None

    def among(self, breakers: Mapping[str, Transition]) -> dict[str, Transition]:
        """Return those of all breakers that count, by key."""
        if not breakers:
            return {}
        if self._keys is None:
            each = (breaker_keys(self._policy.tenant, endpoint) for endpoint in self._policy.endpoints)
            self._keys = tuple(key for keys in each for key in keys)
        return {key: breaker for key in self._keys if (breaker := breakers.get(key)) is not None}


def standing(tenant: str, endpoint: Endpoint, breakers: Mapping[str, Transition]) -> Standing:
    """Return what the breakers of an agent say together."""
    if not breakers:
        return _WELL
    found = [(key, breaker) for key in breaker_keys(tenant, endpoint) if (breaker := breakers.get(key)) is not None]
    if not found:
        return _WELL
    worst = max((breaker for _, breaker in found), key=lambda breaker: FROM_BEST.index(_counts_as(breaker)))
    state = _counts_as(worst)
    return Standing(
        state,
        max(breaker.epoch for _, breaker in found),
        of_version=worst.version is not None,
        shed=frozenset() if state in OUT else frozenset(intent for _, each in found for intent in each.shed_intents),
        grants=tuple(_probes(key, each) for key, each in found if each.to_state is BreakerState.HALF_OPEN),
        ramps=tuple(ramp for _, each in found if (ramp := ramp_of(each)) is not None),
    )


def _counts_as(breaker: Transition) -> BreakerState:
    """Return the state that a breaker has for intents which it does not shed."""
    only_some = breaker.to_state is BreakerState.DEGRADED and breaker.intents_only
    return BreakerState.CLOSED if only_some else breaker.to_state


def _probes(key: str, breaker: Transition) -> Grant:
    return Grant(f"probe {key}", breaker.epoch, breaker.probe_permits, breaker.probes_expire_at or 0)


def ramp_of(breaker: Transition) -> Ramp | None:
    """Return how an agent comes back after its breaker has closed; None where it has all its contacts at once."""
    lasts = round(breaker.ramp_seconds * MICROS_PER_SECOND)
    if breaker.to_state is not BreakerState.CLOSED or not lasts or breaker.ramp_from >= 1.0:
        return None
    return Ramp(breaker.ramp_from, breaker.occurred_at, breaker.occurred_at + lasts)


def is_held_back(interaction_id: str, endpoint: str, ramps: tuple[Ramp, ...], now: int) -> bool:
    """Return whether a contact is not among the share that an agent gets while it comes back.

    The same contact has the same answer at every router, and once it is among them, it stays so.
    """
    place = zlib.crc32(f"{interaction_id}/{endpoint}".encode()) / _HASHES
    return any(place >= ramp.share(now) for ramp in ramps)
