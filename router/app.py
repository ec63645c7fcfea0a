"""The router as a step of the transactional loop: a batch of offers in, decisions out.

decode -> offer-once guard -> classify the batch -> decide each -> pack. The same offer read again
(after an abort or a crash) finds itself in the guard and is decided again, not taken for a repeat.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from router.classify.model import Classifier
from router.decide.decision import Contact, decide, eligible_probes, offered_at, repeat
from router.decide.permits import PermitLedger
from router.decide.world import World, world_of
from runtime.kafka import Record
from runtime.loop import Batch
from runtime.metrics import METRICS
from runtime.snapshot import Snapshot
from schemas.codec import Codec
from schemas.envelope import Envelope, Packed, dead_letter
from schemas.errors import DecodeError
from schemas.fields import Disposition
from schemas.interactions import Classification, Classified, Decision, Load, Offered
from schemas.topics import CLASSIFIED, INTERACTION_EVENTS, OFFERED, ROUTED, contact_key

SERVICE = "router"
GUARD_SECONDS = 24 * 60 * 60
"""For so long a second offer of the same interaction is a repeat."""


class Guard(Protocol):
    """Remembers where each interaction was first offered; None while it cannot say."""

    def first(self, keys: Sequence[str], values: Sequence[str]) -> list[str] | None:
        """Return, for each key, the value that came first."""


class _Offer(NamedTuple):
    record: Record
    offered: Offered


class Router:
    """Decides batches of offers (a `runtime.loop.Step`)."""

    def __init__(self, codec: Codec, classifier: Classifier, guard: Guard) -> None:
        self._codec = codec
        self._envelope = Envelope(codec, SERVICE)
        self._classifier = classifier
        self._guard = guard
        self._permits = PermitLedger()
        self._seen: Snapshot | None = None
        self._world = world_of(Snapshot())

    def begin(self) -> None:
        """Forget what was stepped and not committed."""
        self._permits.begin()

    def committed(self) -> None:
        """The probes of the batch are spent."""
        self._permits.committed()

    def dropped(self, partitions: frozenset[int]) -> None:
        """Forget what was spent for partitions that are no longer ours."""
        self._permits.dropped(partitions)

    def wake_seconds(self, _snapshot: Snapshot) -> float | None:
        """Return None: nothing happens without an offer."""
        return None

    def step(self, batch: Batch) -> list[Packed]:
        """Return classified, routed and decided records of a batch, and its dead letters."""
        offers, outputs = self._decode(batch.records)
        if not offers:
            return outputs
        world = self._world_at(batch.snapshot)
        places = [f"{offer.record.partition}:{offer.record.offset}" for offer in offers]
        firsts = self._guard.first([_guard_key(offer.offered) for offer in offers], places)
        METRICS.guard_down.set(firsts is None)
        for at, (offer, classification) in enumerate(zip(offers, self._classify(offers), strict=True)):
            contact = Contact(offer.offered, offer.record.partition, offer.record.offset, classification)
            if firsts is not None and firsts[at] != places[at]:
                partition, _, offset = firsts[at].partition(":")
                decision = repeat(contact, world, (int(partition), int(offset)), batch.now)
            else:
                decision = self._decide(contact, world, batch.now, store_down=firsts is None)
            outputs += self._pack(contact, decision)
        return outputs

    def _decode(self, records: Sequence[Record]) -> tuple[list[_Offer], list[Packed]]:
        offers, letters = [], []
        for record in records:
            try:
                event = self._codec.decode(record.value, OFFERED.types)
            except DecodeError as problem:
                METRICS.dead_letters.labels(SERVICE, "decode", problem.reason).inc()
                letters.append(dead_letter(*record[:5], stage="decode", problem=problem))
            else:
                assert isinstance(event, Offered)  # noqa: S101 - the only type of the topic
                offers.append(_Offer(record, event))
        return offers, letters

    def _classify(self, offers: Sequence[_Offer]) -> list[Classification]:
        """Return an intent for every offer: the one it brought, else the model's."""
        texts = [offer.offered.text for offer in offers if offer.offered.classification is None]
        made = iter(self._classifier.classify(texts).rows() if texts else ())
        return [offer.offered.classification or next(made) for offer in offers]

    def _world_at(self, snapshot: Snapshot) -> World:
        if snapshot is not self._seen:
            self._world, self._seen = world_of(snapshot), snapshot
        return self._world

    def _decide(self, contact: Contact, world: World, now: int, *, store_down: bool) -> Decision:
        tenant = contact.offered.tenant
        permits = {
            agent.endpoint.endpoint: self._permits.left(tenant, agent, contact.partition, now)
            for agent in eligible_probes(contact, world)
        }
        decision = decide(contact, world, Load(store_down=store_down, probe_permits=permits), now)
        if decision.endpoint is not None and decision.endpoint in permits:
            self._permits.spend(tenant, decision.endpoint, decision.breaker_epoch, contact.partition)
        return decision

    def _pack(self, contact: Contact, decision: Decision) -> list[Packed]:
        value = self._codec.encode(decision)
        routed = self._envelope.pack_event(ROUTED, decision, value)
        if decision.disposition is Disposition.REPEAT:
            METRICS.decisions.labels("repeat").inc()
            return [routed]
        METRICS.decisions.labels(str(decision.pool)).inc()
        if offered_at(contact.offered, decision.decided_at) != contact.offered.occurred_at:
            METRICS.times_corrected.inc()
        classified = Classified(
            interaction_id=decision.interaction_id,
            tenant=decision.tenant,
            classification=contact.classification,
            occurred_at=decision.decided_at,
        )
        return [
            self._envelope.pack_event(CLASSIFIED, classified, self._codec.encode(classified)),
            routed,
            routed._replace(topic=INTERACTION_EVENTS.name),
        ]


def _guard_key(offered: Offered) -> str:
    return contact_key(offered.tenant, offered.interaction_id)
