"""What the topics hold of breakers: policies, transitions, and Trunkline's time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import TracebackType
from typing import NamedTuple

from processors.breakers.logic.report import Agent
from processors.breakers.logic.spans import Spans, both, spans
from runtime.clock import now, real_now
from runtime.errors import KafkaUnavailableError, SettingsError
from runtime.kafka import Reader, Record
from runtime.schemas_topic import PublishedSchemas
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from schemas.agents import Transition
from schemas.codec import Codec
from schemas.control import ClockSetting, Endpoint, Policy
from schemas.errors import RecordError
from schemas.fields import LATEST, Event
from schemas.hours import instant
from schemas.topics import CLOCK, POLICY, TRANSITIONS, Topic, breaker_key

_TOPICS = (TRANSITIONS, POLICY, CLOCK)
_READ_RECORDS = 5_000
_READ_SECONDS = 60.0
"""Transitions are kept for ever, one a minute of an agent that is out for good: see `Moves`."""


class Moves:
    """The transitions of one breaker in their order, decoded as they are asked for.

    100,000 took 1.8 s to read and 3 s more to decode, on two busy cores: who wants the latest does not wait for all.
    """

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._values: list[bytes] = []
        self._made: dict[int, Transition | None] = {}

    def __len__(self) -> int:
        """Records, those included that nobody understands."""
        return len(self._values)

    def add(self, value: bytes) -> None:
        """Take the next record."""
        self._values.append(value)

    def newest_first(self) -> Iterator[Transition]:
        """Yield them from the latest on."""
        return (made for at in reversed(range(len(self._values))) if (made := self._at(at)) is not None)

    def since(self, record: int) -> list[Transition]:
        """Return those from the record of this number on, the first being 0."""
        return [made for at in range(record, len(self._values)) if (made := self._at(at)) is not None]

    def _at(self, record: int) -> Transition | None:
        """A transition; None where services would not have understood the record either."""
        if record not in self._made:
            made = _decoded(self._codec, self._values[record], TRANSITIONS)
            self._made[record] = made if isinstance(made, Transition) else None
        return self._made[record]


class Named(NamedTuple):
    """An agent as an operator named it. `endpoint`: what the policy says of it, None where it names it no more."""

    tenant: str
    name: str
    endpoint: Endpoint | None


class Breakers:
    """Policies and transitions, from the beginning of their topics; `follow` reads on.

    `policies`: tenant -> all of them, in their order. Raises KafkaUnavailableError where a topic cannot be read to its
    end.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.policies: dict[str, list[Policy]] = {}
        self._moves: dict[bytes, Moves] = {}
        self._whose: dict[bytes, Transition] = {}
        self._gone: set[str] = set()
        self._clock = Snapshot()
        self.codec = Codec(PublishedSchemas(settings).fetch)
        self._reader = Reader(settings, [topic.name for topic in _TOPICS], start="beginning")
        deadline = time.monotonic() + _READ_SECONDS
        while not self._reader.at_end():
            if time.monotonic() > deadline:
                self._reader.close()
                names = ", ".join(topic.name for topic in _TOPICS)
                raise KafkaUnavailableError(f"{names} could not be read to their end in {_READ_SECONDS:g} s")
            self.follow(0.2)

    def __enter__(self) -> Breakers:
        return self

    def __exit__(self, _kind: type[BaseException] | None, _e: BaseException | None, _tb: TracebackType | None) -> None:
        self._reader.close()

    def follow(self, seconds: float) -> None:
        """Take what has come, waiting so long for the first."""
        for record in self._reader.read(_READ_RECORDS, seconds):
            if record.topic == TRANSITIONS.name:
                self._moved(record)
            elif record.topic == POLICY.name:
                self._applied(record)
            else:
                setting = _decoded(self.codec, record.value, CLOCK)
                self._clock = self._clock.with_record(CLOCK, "clock", setting, record.offset)

    def _moved(self, record: Record) -> None:
        """Keep a transition under its key; the first of a key says whose breaker it is."""
        key = record.key or b""
        if key not in self._whose:
            first = _decoded(self.codec, record.value, TRANSITIONS)
            if not isinstance(first, Transition):
                return
            self._whose[key] = first
            self._moves[key] = Moves(self.codec)
        self._moves[key].add(record.value or b"")

    def _applied(self, record: Record) -> None:
        policy = _decoded(self.codec, record.value, POLICY)
        if isinstance(policy, Policy):
            self.policies.setdefault(policy.tenant, []).append(policy)
            self._gone.discard(policy.tenant)
        elif not record.value:
            self._gone.add((record.key or b"").decode(errors="replace"))

    @property
    def now(self) -> int:
        """Trunkline's time, UTC microseconds."""
        return now(self._clock)

    def real(self, at: int) -> int:
        """Return the real time of an instant of Trunkline's, by the clock as it runs now."""
        setting: ClockSetting | None = self._clock.of(CLOCK).get("clock")
        if setting is None or setting.speed <= 0.0:
            return min(at, real_now())
        return min(setting.real_origin + int((at - setting.origin) / setting.speed), real_now())

    def standing(self, tenant: str) -> Policy | None:
        """Return the policy that stands, or None."""
        return None if tenant in self._gone else self.policies.get(tenant, [None])[-1]

    def policy(self, tenant: str) -> Policy:
        """Return the policy that stands; raises SettingsError, with the tenants that have one."""
        found = self.standing(tenant)
        if found is None:
            names = ", ".join(sorted(name for name in self.policies if self.standing(name))) or "none"
            raise SettingsError(f"{tenant!r} has no policy; tenants with one: {names}")
        return found

    def of(self, tenant: str, endpoint: str, version: str | None = None) -> Moves:
        """Return the transitions of one breaker; none where it has never moved."""
        return self._moves.get(breaker_key(tenant, endpoint, version).encode(), Moves(self.codec))

    def versions(self, tenant: str, endpoint: str) -> list[str]:
        """Return the versions of an agent whose breakers have moved."""
        mine = (each.version for each in self._whose.values() if (each.tenant, each.endpoint) == (tenant, endpoint))
        return sorted(version for version in mine if version is not None)

    def known(self) -> dict[tuple[str, str], Endpoint | None]:
        """Return (tenant, endpoint) of all agents that a policy names, or whose breaker has ever moved, in order."""
        found: dict[tuple[str, str], Endpoint | None] = {
            (each.tenant, each.endpoint): None for each in self._whose.values()
        }
        for tenant in self.policies:
            policy = self.standing(tenant)
            found |= {(tenant, each.endpoint): each for each in (policy.endpoints if policy else ())}
        return dict(sorted(found.items(), key=lambda item: item[0]))

    def named(self, said: str, tenant: str | None) -> Named:
        """Return the agent called ENDPOINT or TENANT/ENDPOINT; raises SettingsError where none or several fit."""
        known = self.known()
        mine = {who: each for who, each in known.items() if tenant in (None, who[0])}
        if tenant is not None and not mine:
            self.policy(tenant)
        found = [who for who in mine if said in (who[1], f"{who[0]}/{who[1]}")]
        if len(found) == 1:
            return Named(*found[0], known[found[0]])
        names = ", ".join("/".join(who) for who in (found or mine)) or "none"
        raise SettingsError(f"{len(found) or 'no'} agents are called {said!r}; name one of {names}")

    def agents(self, tenant: str | None = None) -> Iterator[Agent]:
        """Yield what is known of each agent, and of each version of one whose own breaker has moved."""
        for owner, endpoint in self.known():
            if tenant not in (None, owner):
                continue
            for version in (None, *self.versions(owner, endpoint)):
                yield self._agent(owner, endpoint, version)

    def _agent(self, tenant: str, endpoint: str, version: str | None) -> Agent:
        moves = tuple(self.of(tenant, endpoint, version).since(0))
        history = self.policies.get(tenant, [])
        named, maintenance, provider = _by_policy(history, endpoint)
        if not named or version is not None:
            # A version's breaker begins with its first move; so does an agent of a tenant whose policies are not kept.
            named = ((moves[0].occurred_at, LATEST),)
        standing = self.standing(tenant)
        return Agent(
            tenant=tenant,
            provider=moves[-1].provider if moves else provider,
            endpoint=endpoint,
            version=version,
            named=named,
            maintenance=maintenance,
            promised=standing.breaker.targets.availability if standing else None,
            transitions=moves,
        )


def _decoded(codec: Codec, value: bytes | None, topic: Topic) -> Event | None:
    """The event of a record; None for a tombstone, and for what services would not have understood either."""
    try:
        event = codec.decode(value, topic.types) if value else None
        if event is not None:
            topic.check(event)
    except RecordError:
        return None
    return event


def _by_policy(history: list[Policy], endpoint: str) -> tuple[Spans, Spans, str]:
    """Return when a policy named an agent, when one that stood had it in maintenance, and its last provider."""
    named: list[tuple[int, int]] = []
    maintenance: list[tuple[int, int]] = []
    provider, since = "", 0
    starts = []
    for policy in history:
        since = max(since, policy.occurred_at)
        starts.append(since)
    for policy, start, end in zip(history, starts, [*starts[1:], LATEST], strict=False):
        for each in policy.endpoints:
            if each.endpoint == endpoint:
                provider = each.provider
                named.append((start, end))
                planned = spans((instant(window.starts), instant(window.ends)) for window in each.maintenance)
                maintenance += both(((start, end),), planned) if start < end else ()
    return spans(named), spans(maintenance), provider
