"""A desk for tests: WFM's word kept in memory, by the same rules, and no broker."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from runtime.errors import KafkaUnavailableError
from runtime.plans import Plans
from runtime.snapshot import Snapshot
from schemas.control import HumanQueue, Policy
from schemas.interactions import Thresholds
from schemas.topics import AVAILABILITY, POLICY
from wfm_bridge.inbound.checks import Said, check
from wfm_bridge.inbound.desk import Written, effect_of, topic_of

NOW = 1_772_355_600_000_000  # 2026-03-01T09:00:00Z


def policy(tenant: str, *queues: str) -> Policy:
    return Policy(
        tenant=tenant,
        revision=1,
        thresholds=Thresholds(contained=0.92, assisted=0.75),
        endpoints=(),
        queues=tuple(HumanQueue(queue=queue, intents=()) for queue in queues),
        default_queue=queues[0],
        occurred_at=NOW,
    )


class MemoryDesk:
    """Two tenants, and what was said; `down` is an outage of Kafka."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        self.time = NOW
        self.plans = Plans()
        self.snapshot = Snapshot()
        for at, made in enumerate((policy("acme", "billing", "claims/eu"), policy("beta", "sales"))):
            self.snapshot = self.snapshot.with_record(POLICY, made.tenant, made, at)

    def now(self) -> int:
        return self.time

    def look(self) -> Snapshot:
        return self.snapshot

    def say(self, make: Callable[[Snapshot, int], Sequence[Said]]) -> list[Written]:
        said = make(self.snapshot, self.time)
        check(said, self.snapshot.of(POLICY), self.time)
        if self.down:
            raise KafkaUnavailableError("1 records did not reach 127.0.0.1:9092 within 5 s: is Kafka up?")
        return [self._take(each) for each in said]

    def _take(self, said: Said) -> Written:
        topic = topic_of(said)
        effect = effect_of(self.snapshot, said, self.time)
        if effect is None:
            return Written(topic.name, said.queue, new=False, epoch=self.snapshot.epoch(topic))
        offset = self.snapshot.epoch(topic) + 1
        assert effect.event is not None
        self.snapshot = self.snapshot.with_record(topic, topic.key_of(effect.event), effect.event, offset)
        return Written(topic.name, said.queue, new=True, epoch=offset)


def expired(desk: MemoryDesk) -> None:
    """Have all that was said of people run out."""
    for key, said in desk.snapshot.of(AVAILABILITY).items():
        over = msgspec.structs.replace(said, expires_at=NOW)
        desk.snapshot = desk.snapshot.with_record(AVAILABILITY, key, over, desk.snapshot.epoch(AVAILABILITY) + 1)
