"""Volumes by cell: deltas counted as they come, changed cells told at each tick.

State of a tenant:

- `cell:<JSON list of queue, intent, channel, language, interval_start>` ->
  `{"counts": {handling: contacts}, "revision": of the last row, "changed": since that row}`
- `changed`, `changed:<i>` -> names of the cells that changed since the last tick (`slots`)

A cell is listed when it first changes after a tick and never twice, so the cost of a delta does not
grow with the number of changed cells.

`offered` is the sum of the handling states and is not stored beside them, so a row cannot break
the conservation of volumes.
"""

from __future__ import annotations

import msgspec

from processors.analytics.logic import slots
from runtime.state import KeyedState
from schemas import topics
from schemas.errors import RecordError
from schemas.fields import Channel, Handling
from schemas.topics import Effect
from schemas.wfm import VolumeDelta, VolumeRow

CHANGED = "changed"
_CELL = "cell:"
_Cell = tuple[str, str, Channel, str, int]


def count(delta: VolumeDelta, state: KeyedState) -> None:
    """Count a delta in its cell.

    Raises:
        RecordError: reason `negative_count`, where a contact leaves a state that its cell does
            not hold.
    """
    name = _cell_name(delta)
    cell = state.get(name) or {"counts": {}, "revision": 0, "changed": False}
    counts = dict(cell["counts"])
    if delta.from_handling is not None:
        left = counts.get(delta.from_handling.value, 0) - 1
        if left < 0:
            raise RecordError(
                "negative_count",
                f"contact {delta.interaction_id} of tenant {delta.tenant} leaves {delta.from_handling.value}, but no "
                f"contact of cell {name[len(_CELL) :]} is in it: look for a lost or doubled delta of the contact",
            )
        counts[delta.from_handling.value] = left
    counts[delta.to_handling.value] = counts.get(delta.to_handling.value, 0) + 1
    state.set(name, {"counts": counts, "revision": cell["revision"], "changed": True})
    if not cell["changed"]:
        slots.add(state, CHANGED, name)


def changed_rows(tenant: str, state: KeyedState, now: int) -> list[Effect]:
    """Return one VolumeRow per cell changed since the last time, in the order of their first change.

    Each has the cell's next revision; now: UTC microseconds, put on the rows as `updated_at`.
    """
    rows = []
    for name in slots.take(state, CHANGED):
        cell = state.get(name)
        revision = cell["revision"] + 1
        state.set(name, {"counts": cell["counts"], "revision": revision, "changed": False})
        rows.append(Effect(topics.VOLUME, _row(tenant, name, cell["counts"], revision, now)))
    return rows


def _cell_name(delta: VolumeDelta) -> str:
    """Name the entry of a delta's cell: JSON, since names may hold any separator."""
    parts = (delta.queue, delta.intent, delta.channel, delta.language, delta.interval_start)
    return _CELL + msgspec.json.encode(parts).decode()


def _row(tenant: str, name: str, counts: dict[str, int], revision: int, now: int) -> VolumeRow:
    queue, intent, channel, language, interval_start = msgspec.json.decode(name[len(_CELL) :], type=_Cell)
    return VolumeRow(
        tenant=tenant,
        queue=queue,
        intent=intent,
        channel=channel,
        language=language,
        interval_start=interval_start,
        revision=revision,
        offered=sum(counts.values()),
        updated_at=now,
        **{handling.value: counts.get(handling.value, 0) for handling in Handling},
    )
