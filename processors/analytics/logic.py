"""Volumes by cell: deltas counted as they come, changed cells told at each tick.

State of a tenant:

- `cell:<JSON list of queue, intent, channel, language, interval_start>` ->
  `{"counts": {handling: contacts}, "revision": of the last row, "changed": since that row}`
- `changed` -> how many cells changed since the last tick
- `changed:<i>` -> name of the i-th of them

A cell is listed when it first changes after a tick and never twice, one small entry each, so the
cost of a delta does not grow with the number of changed cells. The slots are used again after
each tick: there are as many as cells ever changed between two ticks.

`offered` is the sum of the handling states and is not stored beside them, so a row cannot break
the conservation of volumes.
"""

from __future__ import annotations

import msgspec

from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas import topics
from schemas.agents import Tick
from schemas.errors import RecordError
from schemas.fields import Channel, Event, Handling
from schemas.topics import Effect
from schemas.wfm import VolumeDelta, VolumeRow

CHANGED = "changed"
_CELL = "cell:"
_Cell = tuple[str, str, Channel, str, int]


def step(event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:  # noqa: ARG001 - one shape
    """Count a VolumeDelta, or answer a Tick with a row of each cell that changed.

    Args:
        event: VolumeDelta or Tick; an Impact, which shares the inbox, is ignored.
        state: entries of the tenant.
        snapshot: not used; every step has one.
        now: UTC microseconds, put on the rows as `updated_at`.

    Returns:
        At a Tick, one VolumeRow per cell changed since the last one, each with the cell's next
        revision, in the order of their first change; otherwise nothing.

    Raises:
        RecordError: reason `negative_count`, where a contact leaves a state that its cell does
            not hold.
    """
    if isinstance(event, VolumeDelta):
        _count(event, state)
    elif isinstance(event, Tick):
        return _changed_rows(event.key, state, now)
    return []


def _cell_name(delta: VolumeDelta) -> str:
    """Name the entry of a delta's cell: JSON, since names may hold any separator."""
    parts = (delta.queue, delta.intent, delta.channel, delta.language, delta.interval_start)
    return _CELL + msgspec.json.encode(parts).decode()


def _count(delta: VolumeDelta, state: KeyedState) -> None:
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
        listed = state.get(CHANGED, 0)
        state.set(f"{CHANGED}:{listed}", name)
        state.set(CHANGED, listed + 1)


def _changed_rows(tenant: str, state: KeyedState, now: int) -> list[Effect]:
    rows = []
    for slot in range(state.get(CHANGED, 0)):
        name = state.get(f"{CHANGED}:{slot}")
        cell = state.get(name)
        revision = cell["revision"] + 1
        state.set(name, {"counts": cell["counts"], "revision": revision, "changed": False})
        rows.append(Effect(topics.VOLUME, _row(tenant, name, cell["counts"], revision, now)))
    if rows:
        state.set(CHANGED, 0)
    return rows


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
