"""What the flow tests share: a tenant, its contacts, and a follower that waits for what is to come."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from runtime.admin import create_topics
from runtime.clock import real_now
from runtime.kafka import Reader, Record
from runtime.settings import Settings
from schemas.agents import Evidence, Outcome, Transition
from schemas.codec import Codec
from schemas.control import BreakerPolicy, Endpoint, HumanQueue, Policy
from schemas.errors import DecodeError
from schemas.fields import BreakerState, Channel, Event, TurnResult
from schemas.interactions import Classification, Decision, Offered, Thresholds
from schemas.topics import POLICY, ROUTED, TRANSITIONS, Effect, Topic
from tests.support.services import ServiceProcess
from tests.support.topics import write_all

SECOND = 1_000_000
PARTITIONS = 4
CODEC = Codec()


def new_room(bootstrap: str, redis_url: str, data: Path, *, topics: bool = True) -> Settings:
    """Settings with a prefix of their own; services that share `data` train the classifier once."""
    made = Settings(
        bootstrap=bootstrap,
        redis_url=redis_url,
        prefix=f"f{uuid.uuid4().hex[:10]}.",
        data=data,
        keyed_partitions=PARTITIONS,
    )
    if topics:
        create_topics(made)
    return made


@contextlib.contextmanager
def running(settings: Settings, *names: str, slot: int = 0) -> Iterator[list[ServiceProcess]]:
    """Services of an installation, ready; what still runs at the end is stopped."""
    services = [ServiceProcess(settings, name, slot) for name in names]
    try:
        for service in services:
            service.start()
        for service in services:
            service.wait_ready()
        yield services
    finally:
        for service in services:
            if service.process is not None and service.process.poll() is None:
                service.process.terminate()
        for service in services:
            if service.process is not None and service.process.poll() is None:
                service.stop()


class Watch:
    """Follows topics from their beginning and keeps every committed record."""

    def __init__(self, settings: Settings, *topics: Topic | str) -> None:
        names = [topic if isinstance(topic, str) else topic.name for topic in topics]
        self._reader = Reader(settings, names, start="beginning")
        self.records: list[Record] = []

    def __enter__(self) -> Watch:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()

    def look(self, seconds: float = 0.05) -> None:
        self.records += self._reader.read(1000, seconds)

    def until(self, what: str, reached: Callable[[], object], seconds: float = 30.0) -> None:
        """Read on until `reached`; fail with `what` was awaited and what came instead."""
        deadline = time.monotonic() + seconds
        while not reached():
            tail = [(r.topic, r.key, (r.value or b"")[:60]) for r in self.records[-5:]]
            assert time.monotonic() < deadline, f"{what} did not come within {seconds:g} s; last records: {tail}"
            self.look()

    def to_end(self) -> None:
        """Read what is there."""
        self.look()
        while not self._reader.at_end():
            self.look()

    def of(self, topic: Topic, **fields: Any) -> list[Any]:
        """Events of a topic whose fields have these values."""
        values = [record.value for record in self.records if record.topic == topic.name and record.value]
        found = [event for value in values if (event := _decoded(value)) is not None]
        return [event for event in found if all(getattr(event, name) == value for name, value in fields.items())]

    def decision(self, interaction_id: str, seconds: float = 30.0) -> Decision:
        """The decision on a contact that was offered."""
        self.until(f"the decision on {interaction_id}", lambda: self.of(ROUTED, interaction_id=interaction_id), seconds)
        (decision, *_) = self.of(ROUTED, interaction_id=interaction_id)
        assert isinstance(decision, Decision)
        return decision


def _decoded(value: bytes) -> Event | None:
    """The event in a record; None in one that another test spoilt."""
    try:
        return CODEC.decode(value)
    except DecodeError:
        return None


def policy(tenant: str, *, revision: int = 1, **breaker: Any) -> Policy:
    """A tenant with one AI agent for two intents and one queue of people."""
    return Policy(
        tenant=tenant,
        revision=revision,
        thresholds=Thresholds(contained=0.92, assisted=0.75),
        endpoints=(Endpoint(endpoint="nova", provider="north", version="7", intents=("balance", "card_lost")),),
        queues=(HumanQueue(queue="retail", intents=("balance", "card_lost")),),
        default_queue="retail",
        breaker=BreakerPolicy(**breaker),
        occurred_at=real_now(),
    )


def offered(interaction_id: str, tenant: str, **changes: Any) -> Offered:
    """A contact that says what it wants with certainty: it goes to nova while nova is well."""
    base = Offered(
        interaction_id=interaction_id,
        tenant=tenant,
        channel=Channel.CHAT,
        text="what is my balance",
        occurred_at=real_now(),
        classification=Classification(intent="balance", confidence=0.99),
    )
    return msgspec.structs.replace(base, **changes)


def transition(tenant: str, to_state: BreakerState, epoch: int, **changes: Any) -> Transition:
    """A move of nova's breaker, as the health monitor writes it."""
    evidence = Evidence(
        window_seconds=60, outcomes=0, failures=0, consecutive_failures=0, failure_rate=0.0, posterior_mean=0.0,
        latency_mean_ms=0.0, latency_baseline_ms=0.0,
    )  # fmt: skip
    base = Transition(
        tenant=tenant,
        provider="north",
        endpoint="nova",
        from_state=BreakerState.CLOSED,
        to_state=to_state,
        epoch=epoch,
        reason="test",
        evidence=evidence,
        occurred_at=real_now(),
    )
    return msgspec.structs.replace(base, **changes)


def outcome(tenant: str, interaction_id: str, epoch: int, result: TurnResult) -> Outcome:
    """The first turn of a contact that nova has, as sessions tell the health monitor."""
    return Outcome(
        tenant=tenant, provider="north", endpoint="nova", version="7", interaction_id=interaction_id, turn=1,
        channel=Channel.CHAT, intent="balance", queue="retail", breaker_epoch=epoch, result=result, latency_ms=400.0,
        occurred_at=real_now(),
    )  # fmt: skip


def publish_policy(settings: Settings, made: Policy) -> None:
    write_all(settings, [Effect(POLICY, made)])


def publish_transition(settings: Settings, made: Transition) -> None:
    write_all(settings, [Effect(TRANSITIONS, made)])


def reasons(decision: Decision) -> list[str]:
    return [reason.code for reason in decision.reasons]


def write(settings: Settings, topic: Topic, *events: Event) -> None:
    write_all(settings, [Effect(topic, event) for event in events])


def ids(prefix: str, count: int) -> Sequence[str]:
    return [f"{prefix}-{number:04d}" for number in range(count)]
