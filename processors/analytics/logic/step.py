"""The fold of analytics: deltas are counted as they come, and told at each tick.

State of a tenant, besides what its modules keep: `trends` -> revision of the last rows. It is one count for all rows,
so that it grows for each key though cells are forgotten.
"""

from __future__ import annotations

from processors.analytics.logic import closings, trends, volumes
from processors.analytics.logic.warning import alerts
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas.agents import Tick
from schemas.fields import Event
from schemas.topics import Effect
from schemas.wfm import VolumeDelta

_REVISION = "trends"


def step(event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:  # noqa: ARG001 - one shape
    """Count a VolumeDelta, or answer a Tick with a row of each cell that changed.

    Args:
        event: VolumeDelta or Tick; an Impact or a Held, which share the inbox, are ignored.
        state: entries of the tenant.
        snapshot: not used; every step has one.
        now: UTC microseconds, put on the rows as `updated_at`.

    Returns:
        At a Tick, one VolumeRow and one ContainmentRow per cell changed since the last one, and an Alert for each
        row of volumes that is not conserved and each fall in containment that is now certain enough; otherwise nothing.

    Raises:
        RecordError: reason `negative_count`, where a contact leaves a state that its cell does
            not hold.
    """
    if isinstance(event, VolumeDelta):
        volumes.count(event, state, now)
        closings.book(event, state, now)
    elif isinstance(event, Tick):
        return _told(event.key, state, now)
    return []


def _told(tenant: str, state: KeyedState, now: int) -> list[Effect]:
    revision = state.get(_REVISION, 0) + 1
    ended = closings.take(state)
    rows = [
        *volumes.changed_rows(tenant, state, now, revision),
        *trends.changed_rows(tenant, ended, state, now, revision),
    ]
    if rows:
        state.set(_REVISION, revision)
    return [*rows, *alerts(tenant, ended, state, now)]
