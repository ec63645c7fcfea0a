"""Records of `sessions.views` for tests, and a store of copies in memory that answers as Redis does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from runtime.copies import NOWHERE, Applied, Batch, Outcome
from runtime.kafka import Record
from schemas.codec import Codec
from schemas.fields import Channel, Handling, Pool, Supervision, TurnResult
from schemas.interactions import Customer
from schemas.topics import SESSION_VIEWS, turn_key, view_key
from schemas.triggers import Trigger, Triggered
from schemas.views import Exchange, SessionView, TurnView

MARCH_1ST = 1_772_355_600_000_000  # 2026-03-01T09:00:00Z
CODEC = Codec()
View = SessionView | TurnView


def header(interaction_id: str, revision: int = 1, **changes: Any) -> SessionView:
    base = SessionView(
        interaction_id=interaction_id, tenant="acme", revision=revision, epoch=0, decision_id=f"d-{interaction_id}",
        pool=Pool.AI_CONTAINED, supervision=Supervision.SEMI, channel=Channel.CHAT, language="en", segment="standard",
        intent="card_lost", confidence=0.97, queue="retail", endpoint="north/nova", endpoint_version="7",
        customer=Customer(customer_id="c-1", region="EU"), turns=6,
        triggers=(Triggered(trigger=Trigger.SENTIMENT, epoch=0, turn=3, occurred_at=MARCH_1ST),),
        offered_at=MARCH_1ST, decided_at=MARCH_1ST + 1, updated_at=MARCH_1ST + 2,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def turn(interaction_id: str, number: int, revision: int = 1, *, epoch: int = 0, said: str = "it is lost") -> TurnView:
    return TurnView(
        interaction_id=interaction_id, tenant="acme", revision=revision,
        exchange=Exchange(
            epoch=epoch, turn=number, endpoint="north/nova", channel=Channel.CHAT, result=TurnResult.OK,
            customer_text=said, agent_text="I have blocked the card; a new one is on its way.", sentiment=-0.2,
            occurred_at=MARCH_1ST + number,
        ),
    )  # fmt: skip


def closed(view: SessionView) -> SessionView:
    return msgspec.structs.replace(view, revision=view.revision + 1, closed=Handling.AI_CONTAINED)


def key_of(view: View) -> str:
    return SESSION_VIEWS.key_of(view)


def tombstones(interaction_id: str, *turns: int) -> list[str]:
    """The keys under which a contact is removed."""
    return [view_key(interaction_id), *(turn_key(interaction_id, 0, number) for number in turns)]


def record(offset: int, made: View | str | bytes, partition: int = 0) -> Record:
    """A record of an event, of a tombstone's key, or of bytes that are none."""
    if isinstance(made, str):
        return Record(SESSION_VIEWS.name, partition, offset, made.encode(), None)
    if isinstance(made, bytes):
        return Record(SESSION_VIEWS.name, partition, offset, b"k", made)
    return Record(SESSION_VIEWS.name, partition, offset, key_of(made).encode(), CODEC.encode(made))


class MemoryCopies:
    """Copies and positions as the script keeps them. `down` is an outage; `full` one of writes alone."""

    def __init__(self) -> None:
        self.held: dict[int, int] = {}
        self.fields: dict[tuple[str, str], tuple[int, bytes]] = {}
        self.problem = "gone fishing"
        self.down = False
        self.full = False
        self.batches: list[Batch] = []
        self._sent: Batch | None = None

    def positions(self) -> dict[int, int] | None:
        return None if self.down else dict(self.held)

    def send(self, batch: Batch) -> None:
        self._sent = batch

    def answer(self) -> Applied | None:
        batch, self._sent = self._sent, None
        if self.down or self.full or batch is None:
            return None
        stands = self.held.get(batch.partition, NOWHERE)
        if stands != batch.expected:
            return Applied(Outcome.LOST, stands)
        for interaction_id, field, revision, body, cleared in batch.changes:
            place = interaction_id, field
            if cleared:
                self.fields.pop(place, None)
            if revision > self.fields.get(place, (NOWHERE, b""))[0]:
                self.fields[place] = revision, body
        self.held[batch.partition] = batch.following
        self.batches.append(batch)
        return Applied(Outcome.APPLIED, batch.following)

    def revisions(self) -> dict[tuple[str, str], int]:
        return {place: revision for place, (revision, _) in self.fields.items()}


class MemoryTopic:
    """Partitions of records (`processors.copies.app.Follows`); `append` writes to them."""

    def __init__(self, name: str = SESSION_VIEWS.name) -> None:
        self.name = name
        self.logs: dict[int, list[Record]] = {0: [], 1: []}
        self.at: dict[int, int] = {}
        self.restarts: list[dict[int, int]] = []

    def append(self, *made: View | str | bytes, partition: int = 0) -> None:
        log = self.logs[partition]
        log += [record(len(log) + nth, each, partition) for nth, each in enumerate(made)]

    def restart(self, offsets: dict[tuple[str, int], int]) -> None:
        assert {name for name, _ in offsets} <= {self.name}
        self.restarts.append({partition: offset for (_, partition), offset in offsets.items()})
        self.at = {partition: offsets.get((self.name, partition), 0) for partition in self.logs}

    def read(self, max_records: int, timeout_seconds: float) -> list[Record]:
        records: list[Record] = []
        for partition, log in self.logs.items():
            records += log[self.at[partition] :][: max_records - len(records)]
            self.at[partition] = min(len(log), self.at[partition] + max_records)
        return records

    def at_end(self) -> bool:
        return all(self.at[partition] == len(log) for partition, log in self.logs.items())

    def behind_seconds(self) -> float:
        return 0.0 if self.at_end() else 9.0


def texts(turns: Sequence[TurnView]) -> list[str | None]:
    return [each.exchange.customer_text for each in turns]
