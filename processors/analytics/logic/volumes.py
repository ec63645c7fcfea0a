"""Volumes by cell: deltas counted as they come, changed cells told at each tick, cells forgotten when they are old.

State of a tenant:

- `cell:<JSON list of queue, intent, channel, language, interval_start>` ->
  `{"counts": {handling: contacts}, "offered": contacts, "revision": of the last row, "changed": since that row}`, and
  `"over": true` once its time is over but for contacts that are under way
- `late:<JSON list of queue, intent, channel, language>` -> the same, of what came when its cell was forgotten
- `changed`, `changed:<i>` -> names of the cells that changed since the last tick (`slots`)

A cell is listed when it first changes after a tick and never twice, so the cost of a delta does not
grow with the number of changed cells. It is forgotten seven days after the end of its interval, or when the last
contact in it has ended, if that is later: its last row stands.

`offered` is counted by itself, and compared with the sum of the handling states whenever a row is told.
"""

from __future__ import annotations

from typing import Any

import msgspec

from processors.analytics.logic import keeping, slots
from processors.analytics.logic.keeping import Cell, Kind
from runtime.state import KeyedState
from schemas import topics
from schemas.conversations import Alert, AlertKind
from schemas.errors import RecordError
from schemas.fields import Channel, Handling
from schemas.topics import ALERTS, Effect
from schemas.wfm import VolumeDelta, VolumeRow

CHANGED = "changed"
_CELL = "cell:"
_LATE = "late:"
_STATES = tuple(handling.value for handling in Handling)
_Own = tuple[str, str, Channel, str, int]
_Late = tuple[str, str, Channel, str]
_Counted = dict[str, Any]


def count(delta: VolumeDelta, state: KeyedState, now: int) -> None:
    """Count a delta in its cell, or in the late one where that is forgotten. now: UTC microseconds.

    Raises:
        RecordError: reason `negative_count`, where a contact leaves a state that neither holds.
    """
    name, cell = _home(delta, state, now)
    counts = dict(cell["counts"])
    offered = _offered(cell)
    if delta.from_handling is None:
        offered += 1
    else:
        counts[delta.from_handling.value] -= 1
    counts[delta.to_handling.value] = counts.get(delta.to_handling.value, 0) + 1
    state.set(name, {**cell, "counts": counts, "offered": offered, "changed": True})
    if not cell["changed"]:
        slots.add(state, CHANGED, name)


def changed_rows(tenant: str, state: KeyedState, now: int, revision: int) -> list[Effect]:
    """Return one VolumeRow per cell changed since the last time, in the order of their first change; forget old cells.

    A row that is not conserved comes with an Alert. now: UTC microseconds, put on the rows as `updated_at`.
    """
    told = []
    for name in slots.take(state, CHANGED):
        cell = state.get(name)
        cell = {**cell, "revision": max(revision, cell["revision"] + 1), "changed": False}
        row = _row(tenant, name, cell, now)
        told.append(Effect(topics.VOLUME, row))
        if not row.conserved:
            told.append(Effect(ALERTS, _unbalanced(row)))
        _keep_or_forget(state, name, cell)
    for gone in keeping.leaving(state, (Kind.VOLUME,), now):
        name = _CELL + gone.scope
        _keep_or_forget(state, name, {**state.get(name), "over": True})
    return told


def _home(delta: VolumeDelta, state: KeyedState, now: int) -> tuple[str, _Counted]:
    """Return the name and the content of the cell in which a delta is counted.

    A contact that is under way is where it was counted first: mostly in its own cell, else in the late one.
    """
    scope = _encoded(delta.queue, delta.intent, delta.channel, delta.language, delta.interval_start)
    own = state.get(_CELL + scope)
    if own is not None and _holds(own, delta.from_handling):
        if "offered" not in own:  # of a version that forgot no cell
            keeping.keep(state, Cell(Kind.VOLUME, delta.interval_start, scope))
        return _CELL + scope, own
    if own is None and delta.from_handling is None and not keeping.is_over(Kind.VOLUME, delta.interval_start, now):
        keeping.keep(state, Cell(Kind.VOLUME, delta.interval_start, scope))
        return _CELL + scope, _nothing_yet()
    name = _LATE + _encoded(delta.queue, delta.intent, delta.channel, delta.language)
    late = state.get(name) or _nothing_yet()
    if not _holds(late, delta.from_handling):
        raise RecordError(
            "negative_count",
            f"contact {delta.interaction_id} of tenant {delta.tenant} leaves {delta.from_handling}, but no "
            f"contact of cell {scope} is in it: look for a lost or doubled delta of the contact",
        )
    return name, late


def _nothing_yet() -> _Counted:
    return {"counts": {}, "offered": 0, "revision": 0, "changed": False}


def _holds(cell: _Counted, handling: Handling | None) -> bool:
    return handling is None or cell["counts"].get(handling.value, 0) > 0


def _offered(cell: _Counted) -> int:
    """Return the contacts offered in a cell. Versions that did not count them had the sum of the states for it."""
    offered = cell.get("offered")
    return sum(cell["counts"].values()) if offered is None else int(offered)


def _keep_or_forget(state: KeyedState, name: str, cell: _Counted) -> None:
    if cell.get("over") and not cell["counts"].get(Handling.IN_PROGRESS.value):
        state.delete(name)
    else:
        state.set(name, cell)


def _encoded(*parts: str | int) -> str:
    """Return the scope of a cell as JSON, since names may hold any separator."""
    return msgspec.json.encode(parts).decode()


def _row(tenant: str, name: str, cell: _Counted, now: int) -> VolumeRow:
    late = name.startswith(_LATE)
    if late:
        queue, intent, channel, language = msgspec.json.decode(name[len(_LATE) :], type=_Late)
        interval_start = 0
    else:
        queue, intent, channel, language, interval_start = msgspec.json.decode(name[len(_CELL) :], type=_Own)
    return VolumeRow(
        tenant=tenant,
        queue=queue,
        intent=intent,
        channel=channel,
        language=language,
        interval_start=interval_start,
        revision=cell["revision"],
        offered=_offered(cell),
        updated_at=now,
        late=late,
        **{state: cell["counts"].get(state, 0) for state in _STATES},
    )


def _unbalanced(row: VolumeRow) -> Alert:
    held = ", ".join(f"{state} {getattr(row, state)}" for state in _STATES)
    where = "late" if row.late else f"interval {row.interval_start}"
    return Alert(
        tenant=row.tenant,
        alert=AlertKind.VOLUMES_UNBALANCED,
        queue=row.queue,
        intents=(row.intent,),
        detail=f"{row.channel}, {row.language}, {where}: {row.offered} contacts were offered, and the handling states "
        f"hold {held}; keep the state of analytics and wfm.events as they are, and report it",
        occurred_at=row.updated_at,
    )
