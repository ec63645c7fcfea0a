"""Probe permits: a HALF_OPEN breaker issues so many per partition, and a router spends only its own.

What was spent is remembered per endpoint, epoch and partition, and stands from the commit on.
"""

from __future__ import annotations

from collections import Counter

from router.decide.agents import Agent

_Place = tuple[str, str, int, int]
"""Tenant, endpoint, epoch of its breaker, partition."""


class PermitLedger:
    """Counts the permits spent by this router. A partition that moves starts anew at its next owner.

    The successor may spend its share once more: at most as many probes again as the partition has.
    """

    def __init__(self) -> None:
        self._spent: Counter[_Place] = Counter()
        self._sealed: Counter[_Place] = Counter()
        self._pending: Counter[_Place] = Counter()
        self._stepped: Counter[_Place] = Counter()

    def begin(self) -> None:
        """Forget what was not sealed."""
        self._pending.clear()
        self._stepped.clear()

    def aborted(self) -> None:
        """Forget what was not committed."""
        self._sealed.clear()
        self.begin()

    def left(self, tenant: str, agent: Agent, partition: int, now: int) -> int:
        """Return how many probes this partition may still send to an agent in HALF_OPEN."""
        if now >= agent.permits_expire_at or partition >= len(agent.permits):
            return 0
        place = (tenant, agent.endpoint.endpoint, agent.breaker_epoch, partition)
        return agent.permits[partition] - sum(
            noted[place] for noted in (self._spent, self._sealed, self._pending, self._stepped)
        )

    def spend(self, tenant: str, endpoint: str, breaker_epoch: int, partition: int) -> None:
        """Note a probe."""
        self._stepped[tenant, endpoint, breaker_epoch, partition] += 1

    def kept(self) -> None:
        """The probes noted since the last time are in the transaction."""
        self._pending += self._stepped
        self._stepped.clear()

    def sealed(self) -> None:
        """The transaction is complete; what is kept from now on belongs to the next."""
        self._sealed, self._pending = self._pending, Counter()

    def committed(self) -> None:
        """What was sealed is spent; older epochs of the same endpoint are forgotten."""
        for place, count in self._sealed.items():
            for old in [p for p in self._spent if p[:2] == place[:2] and p[2] < place[2]]:
                del self._spent[old]
            self._spent[place] += count
        self._sealed.clear()

    def dropped(self, partitions: frozenset[int]) -> None:
        """Forget partitions that are no longer ours."""
        self._spent = Counter({place: count for place, count in self._spent.items() if place[3] not in partitions})
