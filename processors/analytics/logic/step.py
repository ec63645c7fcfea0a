"""The fold of analytics: deltas are counted as they come, and told at each tick."""

from __future__ import annotations

from processors.analytics.logic import closings, trends, volumes
from processors.analytics.logic.warning import alerts
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas.agents import Tick
from schemas.fields import Event
from schemas.topics import Effect
from schemas.wfm import VolumeDelta


def step(event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:  # noqa: ARG001 - one shape
    """Count a VolumeDelta, or answer a Tick with a row of each cell that changed.

    Args:
        event: VolumeDelta or Tick; an Impact or a Held, which share the inbox, are ignored.
        state: entries of the tenant.
        snapshot: not used; every step has one.
        now: UTC microseconds, put on the rows as `updated_at`.

    Returns:
        At a Tick, one VolumeRow and one ContainmentRow per cell changed since the last one, and an Alert for each
        fall in containment that is now certain enough; otherwise nothing.

    Raises:
        RecordError: reason `negative_count`, where a contact leaves a state that its cell does
            not hold.
    """
    if isinstance(event, VolumeDelta):
        volumes.count(event, state)
        closings.book(event, state, now)
    elif isinstance(event, Tick):
        ended = closings.take(state)
        return [
            *volumes.changed_rows(event.key, state, now),
            *trends.changed_rows(event.key, ended, state, now),
            *alerts(event.key, ended, state, now),
        ]
    return []
