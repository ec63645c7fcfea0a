"""The router as a step of the transactional loop: a batch of offers in, decisions out.

decode -> ask the offer-once guard and how many contacts agents have -> classify the batch while Redis answers, each
tenant's contacts by its own model -> decide each -> pack. The same offer read again (after an abort or a crash) finds
itself in the guard and is decided again, not taken for a repeat.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import repeat as same
from typing import Protocol

import msgspec

from router.classify.model import Classifier
from router.decide.contact import Contact
from router.decide.decision import decide, eligible_probes, repeat, spare_room
from router.decide.permits import PermitLedger
from router.decide.spillover import spent_spare
from router.decide.world import World, world_of
from router.limits import Capacity, Limits
from router.models import UNASSIGNED, Choices, Model, Models
from runtime.kafka import Record
from runtime.metrics import METRICS
from runtime.snapshot import Snapshot
from runtime.step import Batch
from schemas.codec import Codec
from schemas.envelope import Envelope, Packed, dead_letter
from schemas.errors import DecodeError
from schemas.fields import Disposition
from schemas.interactions import Classification, Classified, Decision, Load, Offered
from schemas.topics import CLASSIFIED, INTERACTION_EVENTS, MODELS, OFFERED, POLICY, ROUTED, TRANSITIONS, contact_key

SERVICE = "router"
GUARD_SECONDS = 24 * 60 * 60
"""For so long a second offer of the same interaction is a repeat."""


class Guard(Protocol):
    """Remembers where each interaction was first offered. In two halves: it works while we do."""

    def ask(self, keys: Sequence[str], values: Sequence[str]) -> None:
        """Ask which of these keys had another value before; the others now have these."""

    def others(self) -> dict[int, str] | None:
        """Return index -> the value that came first, where it was another; None while it cannot say."""


_PLAIN_LOAD = Load()
_STORE_DOWN = Load(store_down=True)


class Router:
    """Decides batches of offers (a `runtime.step.Step`).

    `classifier` is the router's own: for tenants without an assigned model. `models` is who has which.
    """

    def __init__(self, codec: Codec, classifier: Classifier, guard: Guard, limits: Limits, capacity: Capacity) -> None:
        self.models = Models(classifier)
        self._codec = codec
        self._envelope = Envelope(codec, SERVICE)
        self._guard = guard
        self._limits = limits
        self._capacity = capacity
        self._permits = PermitLedger()
        self._seen: Snapshot | None = None
        self._world = world_of(Snapshot())
        self._worlds: dict[int, World] = {}

    def begin(self) -> None:
        """Forget what was stepped and not sealed."""
        self._permits.begin()
        self._capacity.begin()

    def kept(self) -> None:
        """What the slice gave is in the transaction."""
        self._permits.kept()
        self._capacity.kept()

    def sealed(self) -> None:
        """What the transaction gives is complete."""
        self._permits.sealed()
        self._capacity.sealed()

    def committed(self) -> None:
        """What the transaction gave is given."""
        self._permits.committed()
        self._capacity.committed()

    def aborted(self) -> None:
        """Nothing was given that is not committed."""
        self._permits.aborted()
        self._capacity.aborted()

    def dropped(self, partitions: frozenset[int]) -> None:
        """Forget what was spent for partitions that are no longer ours."""
        self._permits.dropped(partitions)
        self._capacity.dropped(partitions)

    def wake_seconds(self, _snapshot: Snapshot) -> float | None:
        """Return None: nothing happens without an offer."""
        return None

    def step(self, batch: Batch) -> list[Packed]:
        """Return classified, routed and decided records of a batch, and its dead letters."""
        records, offers, outputs = self._decode(batch.records)
        if not offers:
            return outputs
        choices = self.models.choices(batch.snapshot)
        keys = [contact_key(offered.tenant, offered.interaction_id) for offered in offers]
        self._guard.ask(
            list(map(_offered_once_as, offers, keys)), [f"{record.partition}:{record.offset}" for record in records]
        )
        policies = batch.snapshot.of(POLICY)
        self._capacity.ask(policies, offers, batch.snapshot.of(TRANSITIONS))
        limited = self._limits.limited(policies, offers, batch.now)
        classifications, worlds = self._classify(offers, choices, batch.snapshot)
        others = self._guard.others()
        plain = _STORE_DOWN if others is None else _PLAIN_LOAD
        METRICS.guard_down.set(others is None)
        self._capacity.answered(len(batch.owned), batch.now)
        decisions = []
        for at, (record, offered, classification, world) in enumerate(
            zip(records, offers, classifications, worlds, strict=True)
        ):
            contact = Contact(offered, record.partition, record.offset, classification)
            if others and at in others:
                partition, _, offset = others[at].partition(":")
                decision = repeat(contact, world, (int(partition), int(offset)), batch.now)
            else:
                full, load = self._capacity.full(offered.tenant), plain
                if full or limited[at]:
                    over = limited[at] if offered.handover is None else ()
                    load = Load(store_down=plain.store_down, full=full, limited=over)
                decision = self._decide(contact, world, batch.now, load)
                if decision.endpoint is not None:
                    self._capacity.assign(offered.tenant, decision.endpoint, keys[at])
            decisions.append(decision)
            self._pack(decision, classification, outputs)
        self._capacity.close()
        _count(offers, decisions)
        return outputs

    def _decode(self, records: Sequence[Record]) -> tuple[list[Record], list[Offered], list[Packed]]:
        """Return the records that are offers, the offers, and the dead letters of the others."""
        good, offers, letters = [], [], []
        for record in records:
            try:
                event = self._codec.decode(record.value, OFFERED.types)
            except DecodeError as problem:
                METRICS.dead_letters.labels(SERVICE, "decode", problem.reason).inc()
                letters.append(dead_letter(record, "decode", problem))
            else:
                assert isinstance(event, Offered)  # noqa: S101 - the only type of the topic
                offers.append(event)
                good.append(record)
        return good, offers, letters

    def _classify(
        self, offers: Sequence[Offered], choices: Choices, snapshot: Snapshot
    ) -> tuple[list[Classification], Iterable[World]]:
        """Return an intent for every offer, and the world whose epochs name the assignment of its model."""
        if not choices.by_tenant:
            model, epoch = choices.others
            rows, by_model = self._classified_by(model, offers)
            return rows, same(self._world_at(snapshot, epoch if by_model else UNASSIGNED), len(offers))
        chosen = [choices.of(offered.tenant) for offered in offers]
        split: dict[Model, list[int]] = {}
        for at, choice in enumerate(chosen):
            split.setdefault(choice.model, []).append(at)
        merged: dict[int, tuple[Classification, World]] = {}
        for model, places in split.items():
            rows, by_model = self._classified_by(model, [offers[at] for at in places])
            for at, row in zip(places, rows, strict=True):
                merged[at] = row, self._world_at(snapshot, chosen[at].epoch if by_model else UNASSIGNED)
        return [merged[at][0] for at in range(len(offers))], [merged[at][1] for at in range(len(offers))]

    def _classified_by(self, model: Model, offers: Sequence[Offered]) -> tuple[list[Classification], bool]:
        """Return an intent for every offer, the one it brought, else the model's; and whether the model worked."""
        texts = [offered.text for offered in offers if offered.classification is None]
        made, by_model = self.models.rows(model, texts) if texts else ([], True)
        if len(made) == len(offers):
            return made, by_model
        rows = iter(made)
        return [offered.classification or next(rows) for offered in offers], by_model

    def _world_at(self, snapshot: Snapshot, models_epoch: int) -> World:
        """Return the world of a snapshot, for decisions by the model that this record of `models` assigned."""
        if snapshot is not self._seen:
            self._world, self._seen = world_of(snapshot, self._world), snapshot
            self._worlds.clear()
        world = self._worlds.get(models_epoch)
        if world is None:
            world = self._worlds[models_epoch] = self._world.at_epoch(MODELS, models_epoch)
        return world

    def _decide(self, contact: Contact, world: World, now: int, load: Load) -> Decision:
        """Decide a contact, with what is left of the permits that it may need, and spend the one that it takes."""
        probes = eligible_probes(contact, world, now) if world.any_recovering else ()
        room = spare_room(contact, world, now) if now < world.spare_until else None
        if not probes and room is None:
            return decide(contact, world, load, now)
        permits, partition = self._permits, contact.partition
        grants = {agent.endpoint.endpoint: agent.grants for agent in probes}
        left = {name: permits.left(each, partition, now) for name, each in grants.items()}
        spare = None if room is None else max(0, permits.left((room,), partition, now))
        decision = decide(contact, world, msgspec.structs.replace(load, probe_permits=left, spare=spare), now)
        if decision.endpoint is not None and decision.endpoint in grants:
            permits.spend(grants[decision.endpoint], partition)
        elif room is not None and spent_spare(decision):
            permits.spend((room,), partition)
        return decision

    def _pack(self, decision: Decision, classification: Classification, outputs: list[Packed]) -> None:
        key, value = decision.interaction_id.encode(), self._codec.encode(decision)
        routed = Packed(ROUTED.name, key, value, self._envelope.headers(decision, decision.decision_id))
        if decision.disposition is Disposition.REPEAT:
            outputs.append(routed)
            return
        classified = Classified(
            interaction_id=decision.interaction_id,
            tenant=decision.tenant,
            classification=classification,
            occurred_at=decision.decided_at,
        )
        headers = self._envelope.headers(classified, f"{decision.decision_id}-intent")
        outputs += (
            Packed(CLASSIFIED.name, key, self._codec.encode(classified), headers),
            routed,
            Packed(INTERACTION_EVENTS.name, key, value),
        )


def _offered_once_as(offered: Offered, key: str) -> str:
    """Return what the guard knows an offer as: each handover of a contact is offered once as well."""
    return key if offered.handover is None else f"{key}#{offered.handover.epoch}"


def _count(offers: Sequence[Offered], decisions: Sequence[Decision]) -> None:
    for pool, count in Counter([decision.pool for decision in decisions]).items():
        METRICS.decisions.labels("repeat" if pool is None else str(pool)).inc(count)
    corrected = [
        decision
        for offered, decision in zip(offers, decisions, strict=True)
        if decision.offered_at != offered.occurred_at and decision.pool is not None
    ]
    METRICS.times_corrected.inc(len(corrected))
