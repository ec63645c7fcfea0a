"""Orders to breakers: written to the health monitor's inbox, and followed until the breaker has moved."""

from __future__ import annotations

import time

from processors.breakers.reading import Breakers
from runtime.errors import SettingsError, TrunklineError
from runtime.once import write_once
from schemas.agents import BreakerAction, BreakerCommand, Transition
from schemas.fields import BreakerState
from schemas.topics import AGENT_EVENTS, Effect, breaker_key

SOURCE = "breakers"
_LEADS_TO = {
    BreakerAction.FORCE_OPEN: BreakerState.FORCED_OPEN,
    BreakerAction.CLOSE: BreakerState.CLOSED,
    BreakerAction.RESET: BreakerState.CLOSED,
}


class NoTransitionError(TrunklineError):
    """An order was written, and the breaker has not moved in the time that was allowed."""


def command(
    breakers: Breakers,
    said: str,
    tenant: str | None,
    action: BreakerAction,
    *,
    reason: str,
    version: str | None,
    by: str,
) -> BreakerCommand:
    """Return the order to the agent that was named; raises SettingsError where the policy that stands has none such."""
    owner, name, endpoint = breakers.named(said, tenant)
    if endpoint is None:
        policy = breakers.policy(owner)
        names = ", ".join(f"{owner}/{each.endpoint}" for each in policy.endpoints) or "none"
        raise SettingsError(f"the policy of {owner!r} has no agent {name!r} any more; it has {names}")
    return BreakerCommand(
        tenant=owner,
        provider=endpoint.provider,
        endpoint=name,
        action=action,
        reason=reason,
        occurred_at=breakers.now,
        version=version,
        by=by,
    )


def obeyed_already(breakers: Breakers, order: BreakerCommand) -> bool:
    """Return whether the breaker is where the order leads to."""
    last = next(breakers.of(order.tenant, order.endpoint, order.version).newest_first(), None)
    return (last.to_state if last else BreakerState.CLOSED) is _LEADS_TO[order.action]


def write(breakers: Breakers, order: BreakerCommand) -> None:
    """Write an order; raises KafkaUnavailableError."""
    write_once(breakers.settings, SOURCE, Effect(AGENT_EVENTS, order))


def wait(breakers: Breakers, order: BreakerCommand, seconds: float) -> Transition:
    """Return the transition that an order led to, within so many seconds; raises NoTransitionError."""
    before = len(breakers.of(order.tenant, order.endpoint, order.version))
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        breakers.follow(0.05)
        for moved in breakers.of(order.tenant, order.endpoint, order.version).since(before):
            if moved.to_state is _LEADS_TO[order.action]:
                return moved
    whom = breaker_key(order.tenant, order.endpoint, order.version)
    hint = "; an agent has breakers by version only while it is seen with two or more" if order.version else ""
    raise NoTransitionError(
        f"the order is written, but the breaker of {whom} has not moved in {seconds:g} s: is 'trunkline health' "
        f"running? It obeys as soon as it does; look with 'trunkline breakers list --tenant {order.tenant}'{hint}"
    )
