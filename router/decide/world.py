"""What a decision may look at: the tenants, arranged for look-up, and the epochs of the control topics that say so.

Built from a snapshot of the control topics, so a decision can be replayed from its epochs. A tenant is
arranged when it is first asked for, and kept from one snapshot to the next while nothing of its own changed:
what one tenant does costs the others nothing.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping

from router.decide.agents import shared_outages
from router.decide.permits import Grant
from router.decide.tenant import TenantWorld
from runtime.snapshot import Snapshot
from schemas.agents import Transition
from schemas.control import Availability, KillSwitch, Policy
from schemas.fields import BreakerState
from schemas.topics import AVAILABILITY, CLOCK, COMMANDS, POLICY, SPARE, TRANSITIONS, Topic, queue_key
from schemas.wfm import SpareCapacity

FOLLOWED = (POLICY, TRANSITIONS, COMMANDS, AVAILABILITY, SPARE, CLOCK)


class World:
    """All tenants, and the epochs of the control topics that say so (topic -> offset; never changed).

    `any_recovering`: a breaker of any tenant is in HALF_OPEN. Mostly none is, and nobody asks for probes.
    `spare_until`: until then somebody's people have a stated room for contacts that spill over.
    """

    def __init__(self, snapshot: Snapshot, earlier: Mapping[str, TenantWorld]) -> None:
        self.epochs = {topic.name: snapshot.epoch(topic) for topic in FOLLOWED}
        self._policies: Mapping[str, Policy] = snapshot.of(POLICY)
        self._breakers: Mapping[str, Transition] = snapshot.of(TRANSITIONS)
        self._orders: Mapping[str, KillSwitch] = snapshot.of(COMMANDS)
        self._availability: Mapping[str, Availability] = snapshot.of(AVAILABILITY)
        self._outages = shared_outages(self._policies, self._breakers)
        self.any_recovering = any(breaker.to_state is BreakerState.HALF_OPEN for breaker in self._breakers.values())
        self._room = _room_of(snapshot.of(SPARE).values(), self._policies)
        self.spare_until = max((grant.expires_at for grant in self._room.values()), default=0)
        self._earlier = earlier
        self._tenants: dict[str, TenantWorld] = {}

    def tenant(self, name: str, now: int) -> TenantWorld | None:
        """Return a tenant's world at a time; None where it has no policy."""
        known = self._tenants.get(name)
        if known is not None:
            return known if known.since <= now < known.until else known.at(now)
        policy = self._policies.get(name)
        if policy is None:
            return None
        earlier = self._earlier.get(name)
        said = (policy, self._breakers, self._orders, self._availability, self._outages)
        tenant = earlier.at(now) if earlier is not None and earlier.stands(*said) else TenantWorld(*said, now)
        self._tenants[name] = tenant
        return tenant

    def room(self, tenant: str, queue: str, now: int) -> Grant | None:
        """Return the permits for people of a queue; None where spillover is not metered, or nobody says how many."""
        if now >= self.spare_until:
            return None
        grant = self._room.get((tenant, queue))
        return grant if grant is not None and now < grant.expires_at else None

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


def _room_of(rows: Iterable[SpareCapacity], policies: Mapping[str, Policy]) -> dict[tuple[str, str], Grant]:
    """Return the permits for people, by tenant and queue, of tenants whose spillover is metered."""
    found = {}
    for row in rows:
        policy = policies.get(row.tenant)
        if policy is not None and policy.spillover.metered:
            name = f"spare {queue_key(row.tenant, row.queue)}"
            found[row.tenant, row.queue] = Grant(name, row.revision, row.permits, row.expires_at, row.kept)
    return found
