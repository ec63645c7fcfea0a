"""One breaker as one event finds it: its state, its window, its signals, and the policy that holds for it.

An endpoint has a breaker; while it is seen with several versions each of these has one as well. All breakers of
one endpoint draw their epochs from one count, so a contact is admitted under one epoch whatever breakers there are.
"""

from __future__ import annotations

import math

import msgspec

from processors.health.logic import impact
from processors.health.logic.breaker import Breaker, rebased
from processors.health.logic.latency import Latency
from processors.health.logic.signals import Signals
from processors.health.logic.window import Window
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas import topics
from schemas.agents import Evidence
from schemas.control import BreakerPolicy, Endpoint, Policy
from schemas.fields import FROM_BEST, MICROS_PER_SECOND, NORMAL_TRAFFIC, BreakerState, Channel

_DEFAULTS = BreakerPolicy()
VERSIONS_SECONDS = 3600
"""A version that was not seen for so long is not in use any more."""
_VERSION_NOTED_SECONDS = 60
FLIGHT_SECONDS = 1800.0
"""Contacts under way are counted by their first turn and their end; what is missed of either fades over this long."""


class Watch:
    """One breaker, loaded for one event. `version`: None for the endpoint's own. `scope` names its entries."""

    __slots__ = (
        "breaker", "endpoint", "now", "policy", "provider", "scope", "signals", "snapshot", "state", "tenant",
        "tenant_policy", "version", "window",
    )  # fmt: skip

    def __init__(
        self, tenant: str, provider: str, endpoint: str, version: str | None, *, state: KeyedState, snapshot: Snapshot,
        now: int,
    ) -> None:  # fmt: skip
        """Read the breaker's entries, or begin them; put right what a clock set back has upset."""
        self.tenant = tenant
        self.provider = provider
        self.endpoint = endpoint
        self.version = version
        self.scope = endpoint if version is None else f"{endpoint}\x1e{version}"
        self.state = state
        self.snapshot = snapshot
        self.now = now
        self.tenant_policy: Policy | None = snapshot.of(topics.POLICY).get(tenant)
        self.policy = _DEFAULTS if self.tenant_policy is None else self.tenant_policy.breaker
        self.breaker = Breaker()
        stored = state.get(f"breaker\x1f{self.scope}")
        if stored is None:
            self._enter()
        else:
            self.breaker = msgspec.convert(stored, Breaker)
            anchored = rebased(self.breaker, now)
            if anchored is not self.breaker:
                self.breaker = anchored
                self.save()
        self.window = Window(state, self.scope, self.policy.window_seconds, now)
        self.signals = Signals(state, self.scope, self.policy)
        if self.window.was_set_back:
            impact.forget_arrivals(state, endpoint)
            self.window.summary.normal_since = 0
            self.window.save()

    @property
    def second(self) -> int:
        """The breaker's own time, seconds since 1970: never before that of its last outcome."""
        return max(self.window.summary.second, self.now // MICROS_PER_SECOND)

    @property
    def known(self) -> Endpoint | None:
        """The endpoint as the policy has it, None where it does not."""
        if self.tenant_policy is None:
            return None
        return next((each for each in self.tenant_policy.endpoints if each.endpoint == self.endpoint), None)

    def save(self) -> None:
        """Write the breaker."""
        fields = msgspec.structs.astuple(self.breaker)
        self.state.set(f"breaker\x1f{self.scope}", [list(f) if isinstance(f, tuple) else f for f in fields])

    def next_epoch(self) -> int:
        """Draw an epoch from the endpoint's count."""
        name = f"epoch\x1f{self.endpoint}"
        epoch = max(int(self.state.get(name, 0)), self.breaker.epoch) + 1
        self.state.set(name, epoch)
        return epoch

    def load(self) -> impact.Rows:
        """Return what the endpoint carries, or what it carried when it left normal traffic. Of its own breaker."""
        if self.breaker.state in NORMAL_TRAFFIC:
            return impact.carried(self.state, self.endpoint, self.window.summary.normal_since, self.window.at)
        return impact.frozen_load(self.state, self.endpoint)

    def routed_state(self) -> BreakerState:
        """Return what routers take the agent for: the worse of the endpoint's breaker and its policy version's."""
        known, states = self.known, {self.breaker.state}
        scopes = [self.endpoint] if known is None else [self.endpoint, f"{self.endpoint}\x1e{known.version}"]
        for scope in scopes:
            stored = None if scope == self.scope else self.state.get(f"breaker\x1f{scope}")
            if stored is not None:
                states.add(BreakerState(stored[0]))
        return max(states, key=FROM_BEST.index)

    def concerns_routers(self) -> bool:
        """Return whether routers go by this breaker: the endpoint's, or that of the version in the policy."""
        return self.version is None or (self.known is not None and self.known.version == self.version)

    def evidence(self) -> Evidence:
        """Return what the breaker has seen, as a transition carries it, without the signal that spoke."""
        summaries = (Latency(self.state, self.scope, channel).summary(self.second) for channel in Channel)
        return msgspec.structs.replace(
            self.window.evidence(self.policy),
            latencies=tuple(each for each in summaries if each is not None),
            in_flight=round(in_flight(self.state, self.endpoint, self.second)),
        )

    def _enter(self) -> None:
        """Begin CLOSED, in epoch 0: what a router assumes too; an endpoint's own is added to the index of the key."""
        if self.version is not None:
            self.breaker = Breaker(accepts_from_epoch=0)
            self.save()
            return
        self.save()
        _, _, endpoints = self.state.get("endpoints", ["", "", []])
        self.state.set("endpoints", [self.tenant, self.provider, [*endpoints, self.endpoint]])


def versions_in_use(state: KeyedState, endpoint: str, version: str, second: int) -> tuple[str, ...]:
    """Note that a version answers; return those that have answered within the hour, where there are several."""
    name = f"versions\x1f{endpoint}"
    seen: dict[str, int] = state.get(name) or {}
    if second - seen.get(version, -VERSIONS_SECONDS) >= _VERSION_NOTED_SECONDS:
        left = {known: at for known, at in seen.items() if second - at < VERSIONS_SECONDS} | {version: second}
        for gone in seen.keys() - left.keys():
            _retire(state, endpoint, gone)
        seen = left
        state.set(name, seen)
    return tuple(sorted(seen)) if len(seen) > 1 else ()


def _retire(state: KeyedState, endpoint: str, version: str) -> None:
    """Forget a version that is well and not in use: one that comes again later begins as every breaker does."""
    if is_unwell(state, endpoint, version):
        return
    scope = f"{endpoint}\x1e{version}"
    stored = state.get(f"window\x1f{scope}")
    if stored is not None:
        Window(state, scope, stored[0], stored[1] * MICROS_PER_SECOND).clear()
    for entry in ("breaker", "window", "signals", "retry", "frozen"):
        state.delete(f"{entry}\x1f{scope}")


def watched_versions(state: KeyedState, endpoint: str) -> tuple[str, ...]:
    """Return the versions of an endpoint that have a breaker, if there are several."""
    seen: dict[str, int] = state.get(f"versions\x1f{endpoint}") or {}
    if len(seen) < 2:  # noqa: PLR2004 - one version has no breaker besides the endpoint's
        return ()
    return tuple(known for known in sorted(seen) if state.get(f"breaker\x1f{endpoint}\x1e{known}") is not None)


def is_unwell(state: KeyedState, endpoint: str, version: str) -> bool:
    """Return whether a version has a breaker that is not closed: it is watched whatever else is in use."""
    stored = state.get(f"breaker\x1f{endpoint}\x1e{version}")
    return stored is not None and stored[0] != BreakerState.CLOSED


def in_flight(state: KeyedState, endpoint: str, second: int) -> float:
    """Return about how many contacts an endpoint has."""
    count, at = state.get(f"flight\x1f{endpoint}", [0.0, second])
    return float(count) * math.exp(-max(0, second - at) / FLIGHT_SECONDS)


def count_flight(state: KeyedState, endpoint: str, second: int, by: int) -> None:
    """Take note of a contact that has come (1), or ended (-1)."""
    count = max(0.0, in_flight(state, endpoint, second) + by)
    state.set(f"flight\x1f{endpoint}", [round(count, 3), second])
