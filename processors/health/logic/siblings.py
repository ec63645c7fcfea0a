"""Which agents have siblings that are out: those of one provider, of one region, or of one machine underneath.

Where such agents fail together the others are likely to follow, so their breakers need less evidence. Known from the
control topics, so it holds across the keys of the inbox.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

from runtime.snapshot import Snapshot
from schemas.agents import Transition, machine_is_out
from schemas.control import Endpoint, Policy
from schemas.topics import POLICY, TRANSITIONS, endpoint_key

TOGETHER = 2
"""Siblings that are out at once: one alone may have failed by itself; where it is the only one, it is enough."""
_Group = tuple[str, str]
_Key = tuple[str, str]


class Siblings:
    """Tenant -> endpoints whose siblings are out; worked out when a control topic has changed."""

    def __init__(self) -> None:
        self._seen: Snapshot | None = None
        self._tight: frozenset[_Key] = frozenset()

    def are_out(self, tenant: str, endpoint: str, snapshot: Snapshot) -> bool:
        """Return whether the endpoint's siblings are out together."""
        if snapshot is not self._seen:
            self._tight = _tight(snapshot)
            self._seen = snapshot
        return bool(self._tight) and (tenant, endpoint) in self._tight


def _tight(snapshot: Snapshot) -> frozenset[_Key]:
    breakers: Mapping[str, Transition] = snapshot.of(TRANSITIONS)
    if not any(map(machine_is_out, breakers.values())):
        return frozenset()
    members: dict[_Group, list[tuple[_Key, bool]]] = defaultdict(list)
    policies: Iterable[Policy] = snapshot.of(POLICY).values()
    for policy in policies:
        for each in policy.endpoints:
            breaker = breakers.get(endpoint_key(policy.tenant, each.endpoint))
            for group in _groups(policy.tenant, each):
                members[group].append(((policy.tenant, each.endpoint), breaker is not None and machine_is_out(breaker)))
    found: set[_Key] = set()
    for together in members.values():
        out = sum(is_out for _, is_out in together)
        found |= {key for key, is_out in together if not is_out and out >= min(TOGETHER, len(together) - 1) > 0}
    return frozenset(found)


def _groups(tenant: str, endpoint: Endpoint) -> list[_Group]:
    groups = [(f"provider {tenant}", endpoint.provider)]
    if endpoint.region:
        groups.append((f"region {tenant}", endpoint.region))
    if endpoint.shared_health:
        groups.append(("shared", endpoint.shared_health))
    return groups
