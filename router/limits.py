"""What keeps a tenant's contacts within bounds: limits of its policy, and contacts at once for each AI agent.

Limits (`Limits`) are counted in Redis, over all routers. Without Redis no limit applies.

Contacts at once (`Capacity`). Redis has the count of each agent; a router reads it before a slice, counts on in
memory within the slice, and writes at the slice's end what it has given. The rule on reading:

    Between two reads of an agent's count, a router gives the agent no more contacts than the count leaves free,
    and no more than a slice has.

So an agent gets at most one slice from each router above what it may have: `max_concurrent`, or less while its breaker
says so (`most_at_once`, which counts from the next read). Once the count in Redis has reached the
limit, whoever reads it gives nothing more; what is still given is on reads from before, and that is a slice's worth
from each router at most. Nothing in this depends on how old a read is, or how fast contacts come.

A count need not be read again for each slice, then. It stands for COUNT_SECONDS for the slices that fit in the
router's part of what it leaves free: free contacts / routers, where there are as many routers as all partitions /
own partitions, rounded up. Near the limit nothing fits and each slice reads; where all have read the same, nothing
goes above at all. An agent that is full stays so for COUNT_SECONDS.

Without Redis, each router has a share of every agent: what it may have * own partitions / all partitions, rounded
down. Nobody tells it then what has ended, so it gives an agent no more than its share in HOLD_SECONDS, by
Trunkline's time, counting what it gave before Redis went. Shares add up to that at most: with contacts
that end within HOLD_SECONDS, no agent has more at once. What that costs: an agent with less than one contact for a
router gets none of it, and one whose contacts take a tenth of HOLD_SECONDS is a tenth as busy. A router that has
just started, or was given partitions just now, does not know what others gave for them.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple, Protocol

from runtime.metrics import METRICS
from runtime.step import LoopOptions
from schemas.agents import Transition
from schemas.control import Policy
from schemas.fields import MICROS_PER_SECOND
from schemas.interactions import Offered
from schemas.rules import Limit, LimitBy
from schemas.topics import breaker_key, contact_key, endpoint_key

COUNT_SECONDS = 0.25
"""For so long, in real time, a count may stand. Within it no one notices what has ended."""
HOLD_SECONDS = 600
"""For so long, in Trunkline's time, a contact is taken to last while Redis cannot say."""
_BUCKET_SECONDS = 10
"""What was given is forgotten in steps of so many seconds."""
_SLICE = LoopOptions().slice_records
_NO_BREAKERS: Mapping[str, Transition] = MappingProxyType({})

Taken = tuple[str, str]
"""The key of an agent and that of a contact."""


class Windows(Protocol):
    """Counts contacts by name over the last seconds (`runtime.counts.WindowCounts`)."""

    def count(self, asked: Sequence[tuple[str, str, float]], now_seconds: float) -> list[float] | None:
        """Count contacts (name, contact, seconds); return the count of each name by then, None while it cannot say."""


class AtOnce(Protocol):
    """Counts the contacts that agents have (`runtime.counts.ContactsAtOnce`). In two halves: it works while we do."""

    def ask(self, keys: Sequence[str]) -> None:
        """Ask how many contacts these agents have."""

    def counts(self) -> dict[str, int] | None:
        """Return key -> contacts, for what was asked last; None while it cannot say."""

    def take(self, taken: Sequence[Taken]) -> None:
        """Count contacts, each once."""

    def release(self, ended: Sequence[Taken]) -> bool:
        """Count contacts no more."""


class Limits:
    """Finds the limits that contacts are above. Costs next to nothing while no tenant has any.

    A slice that is stepped again is counted once, and finds itself counted: where it passed a limit, those of it that
    came before the limit may now be above it as well.
    """

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self._policies: Mapping[str, Policy] | None = None
        self._limits: dict[str, tuple[Limit, ...]] = {}

    def limited(self, policies: Mapping[str, Policy], offers: Sequence[Offered], now: int) -> list[tuple[str, ...]]:
        """Count a slice of offers and return, for each, the names of the limits that it is above; mostly none.

        policies: tenant -> policy, the same object while nothing changes. now: Trunkline's time, microseconds.
        """
        if policies is not self._policies:
            self._limits = {tenant: policy.limits for tenant, policy in policies.items() if policy.limits}
            self._policies = policies
        names: list[tuple[str, ...]] = [()] * len(offers)
        if not self._limits:
            return names
        about: list[tuple[int, Limit]] = []
        asked: list[tuple[str, str, float]] = []
        for at, offered in enumerate(offers):
            for limit in self._limits.get(offered.tenant, ()):
                what = _counted_by(limit.by, offered)
                if what is not None:
                    about.append((at, limit))
                    name = f"{contact_key(offered.tenant, limit.limit)}:{what}"
                    asked.append((name, contact_key(offered.tenant, offered.interaction_id), limit.seconds))
        if not asked:
            return names
        counts = self._windows.count(asked, now / MICROS_PER_SECOND)
        METRICS.limits_down.set(counts is None)
        for (at, limit), count in zip(about, counts or (), strict=counts is not None):
            if count > limit.contacts:
                names[at] += (limit.limit,)
                METRICS.contacts_limited.labels(str(limit.by)).inc()
        return names


def _counted_by(by: LimitBy, offered: Offered) -> str | None:
    """Return what a limit counts a contact under; None where the contact does not state it.

    A hash of it, but for the tenant: Redis holds no personal data.
    """
    match by:
        case LimitBy.TENANT:
            return "tenant"
        case LimitBy.CUSTOMER:
            what = offered.customer_id
        case LimitBy.SOURCE:
            what = offered.source
        case LimitBy.TEXT:
            what = " ".join(offered.text.casefold().split())
    return hashlib.blake2b(f"{by}:{what}".encode(errors="replace"), digest_size=16).hexdigest() if what else None


class _Tenant:
    """What is known of the contacts that a tenant's agents have."""

    def __init__(self, policy: Policy) -> None:
        self.policy = policy
        self.keys = {each.endpoint: endpoint_key(policy.tenant, each.endpoint) for each in policy.endpoints}
        self.plain = [(each.endpoint, self.keys[each.endpoint], each.max_concurrent) for each in policy.endpoints]
        self.full: tuple[str, ...] = ()
        self.stands_until = 0.0
        self.room = 0
        self._free: dict[str, int] = {}

    def most(self, caps: Mapping[str, int]) -> list[tuple[str, str, int]]:
        """Return each agent, its key, and the contacts that it may have. caps: breaker -> what it leaves the agent."""
        tenant = self.policy.tenant
        versions = [breaker_key(tenant, each.endpoint, each.version) for each in self.policy.endpoints]
        return [
            (endpoint, key, min(most, caps.get(key, most), caps.get(version, most)))
            for (endpoint, key, most), version in zip(self.plain, versions, strict=True)
        ]

    def note(self, free: dict[str, int], routers: int, stands_until: float) -> None:
        """Take note of how many contacts each agent may still be given, as it was read."""
        self._free = free
        self.full = tuple(endpoint for endpoint, left in free.items() if left <= 0)
        self.room = min([_SLICE, *(left // routers for left in free.values() if left > 0)])
        self.stands_until = stands_until

    def assign(self, endpoint: str) -> None:
        """Take note that an agent is given a contact."""
        self.room -= 1
        self._free[endpoint] -= 1
        if self._free[endpoint] == 0:
            self.full += (endpoint,)


class _Given(NamedTuple):
    """What agents were given in a slice, and in which step of Trunkline's time that was."""

    bucket: int
    taken: Sequence[Taken]


class Capacity:
    """Finds the agents that have all the contacts that they may have at once.

    For each slice `ask`, `answered`, then for each contact `full` and, where an agent gets it, `assign`; at the end
    `close`. Of a slice that was not closed nothing is counted. An abort gives back what was given in it. After a
    crash that stays counted until its lease ends, unless the contact goes to the same agent again; where partitions
    were lost to another router, giving back may take off what that one has written by then.
    """

    def __init__(self, counts: AtOnce, partitions: int, clock: Callable[[], float] = time.monotonic) -> None:
        """Count in `counts`. partitions: all of the inbox. clock: real seconds."""
        self._counts = counts
        self._partitions = partitions
        self._clock = clock
        self._tenants: dict[str, _Tenant] = {}
        self._due: list[_Tenant] = []
        self._breakers = _NO_BREAKERS
        self._caps: dict[str, int] = {}
        self._bucket = 0
        self._held: Counter[str] = Counter()
        self._buckets: deque[tuple[int, Counter[str]]] = deque()
        self._open: list[Taken] = []
        self._stepped: list[_Given] = []
        self._pending: list[_Given] = []
        self._sealed: list[_Given] = []

    # A slice.

    def ask(
        self,
        policies: Mapping[str, Policy],
        offers: Sequence[Offered],
        breakers: Mapping[str, Transition] = _NO_BREAKERS,
    ) -> None:
        """Begin a slice: send for the counts that it needs and that do not stand. Does not wait.

        policies: tenant -> policy; breakers: key -> its latest transition, the same object while nothing changes.
        """
        if breakers is not self._breakers:
            caps = ((key, breaker.most_at_once) for key, breaker in breakers.items())
            self._caps = {key: most for key, most in caps if most is not None}
            self._breakers = breakers
        if self._open:  # the slice before failed: what it noted is not so
            self._tenants.clear()
            self._open = []
        now, due = self._clock(), []
        for name, contacts in Counter([offered.tenant for offered in offers]).items():
            policy = policies.get(name)
            if policy is None:
                continue
            tenant = self._tenants.get(name)
            if tenant is None or tenant.policy is not policy:
                tenant = self._tenants[name] = _Tenant(policy)
            if contacts > tenant.room or now >= tenant.stands_until:
                due.append(tenant)
        self._due = due
        if due:
            self._counts.ask([key for tenant in due for _, key, _ in tenant.plain])

    def answered(self, owned: int, now: int) -> None:
        """Wait for what was asked. owned: own partitions. now: Trunkline's time, microseconds."""
        self._forget_before(now // MICROS_PER_SECOND)
        if not self._due:
            return
        counts = self._counts.counts()
        METRICS.counts_down.set(counts is None)
        owned = min(max(1, owned), self._partitions)
        routers = -(-self._partitions // owned)
        stands_until = self._clock() + COUNT_SECONDS if counts is not None else 0.0
        for tenant in self._due:
            most_of = tenant.plain if not self._caps else tenant.most(self._caps)
            if counts is not None:
                free = {endpoint: most - counts[key] for endpoint, key, most in most_of}
            else:
                free = {endpoint: most * owned // self._partitions - self._held[key] for endpoint, key, most in most_of}
            tenant.note(free, routers, stands_until)

    def full(self, tenant: str) -> tuple[str, ...]:
        """Return the agents of a tenant that get no contact now; mostly none."""
        known = self._tenants.get(tenant)
        return known.full if known is not None else ()

    def assign(self, tenant: str, endpoint: str, contact: str) -> None:
        """Take note that an agent is given a contact, by its `contact_key`."""
        known = self._tenants[tenant]
        known.assign(endpoint)
        self._open.append((known.keys[endpoint], contact))

    def close(self) -> None:
        """End a slice: tell the other routers what agents were given."""
        taken, self._open = self._open, []
        if not taken:
            return
        self._counts.take(taken)
        given = Counter([key for key, _ in taken])
        self._held.update(given)
        self._buckets[-1][1].update(given)
        self._stepped.append(_Given(self._bucket, taken))

    # A transaction, as in `router.decide.permits`.

    def begin(self) -> None:
        """Give back what was not sealed."""
        if self._stepped or self._pending:
            self._give_back(self._pending + self._stepped)
        self._pending, self._stepped = [], []

    def kept(self) -> None:
        """What was given since the last time is in the transaction."""
        self._pending += self._stepped
        self._stepped = []

    def sealed(self) -> None:
        """The transaction is complete; what is kept from now on belongs to the next."""
        self._sealed, self._pending = self._pending, []

    def committed(self) -> None:
        """What was sealed stays given until the contacts end."""
        self._sealed = []

    def aborted(self) -> None:
        """Give back what was not committed."""
        sealed, self._sealed = self._sealed, []
        self._pending = sealed + self._pending
        self.begin()

    def dropped(self, partitions: frozenset[int]) -> None:
        """Keep all: the contacts of partitions that are no longer ours have not ended."""

    def _give_back(self, given: Sequence[_Given]) -> None:
        self._counts.release([taken for each in given for taken in each.taken])
        buckets = dict(self._buckets)
        for bucket, taken in given:
            if bucket in buckets:
                back = Counter([key for key, _ in taken])
                buckets[bucket].subtract(back)
                self._held.subtract(back)
        self._tenants.clear()

    def _forget_before(self, now_seconds: int) -> None:
        """Begin the step of time that it is, and forget what was given HOLD_SECONDS ago."""
        bucket = now_seconds // _BUCKET_SECONDS
        if bucket < self._bucket - 1:  # Trunkline's clock was set back: let it all have been given just now
            self._bucket = bucket
            self._buckets = deque([(bucket, self._held.copy())])
        if not self._buckets or bucket > self._bucket:
            self._bucket = bucket
            self._buckets.append((bucket, Counter()))
        while self._buckets[0][0] < self._bucket - HOLD_SECONDS // _BUCKET_SECONDS:
            self._held -= self._buckets.popleft()[1]
