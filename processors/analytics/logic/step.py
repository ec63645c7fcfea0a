"""The fold of analytics: deltas are counted as they come, and told at each tick.

State of a tenant, besides what its modules keep: `trends` -> revision of the last rows. It is one count for all rows,
so that it grows for each key though cells are forgotten.
"""

from __future__ import annotations

from processors.analytics.logic import closings, handled, trends, volumes
from processors.analytics.logic.warning import alerts
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas.agents import Tick
from schemas.fields import Event
from schemas.topics import POLICY, Effect
from schemas.wfm import Finding, VolumeDelta

_REVISION = "trends"


def step(event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    """Count a VolumeDelta or a Finding, or answer a Tick with a row of each cell that changed.

    Args:
        event: VolumeDelta, Finding or Tick; an Impact or a Held, which share the inbox, are ignored.
        state: entries of the tenant.
        snapshot: the tenant's Policy says what people cost.
        now: UTC microseconds, put on the rows as `updated_at`.

    Returns:
        At a Tick, one row per cell changed since the last one, of volumes, handle times, containment and quality, and
        an Alert for each row of volumes that is not conserved and each fall in containment that is now certain enough;
        otherwise nothing.

    Raises:
        RecordError: reason `negative_count`, where a contact leaves a state that its cell does
            not hold.
    """
    if isinstance(event, VolumeDelta):
        volumes.count(event, state, now)
        closings.book(event, state, now)
    elif isinstance(event, Finding):
        closings.book(event, state, now)
    elif isinstance(event, Tick):
        return _told(event.key, state, snapshot, now)
    return []


def _told(tenant: str, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    policy = snapshot.of(POLICY).get(tenant)
    people_per_hour = policy.costs.people_per_hour if policy else None
    revision = state.get(_REVISION, 0) + 1
    ended = closings.take(state)
    rows = [
        *volumes.changed_rows(tenant, state, now, revision),
        *handled.changed_rows(tenant, ended.handled, state, now, revision),
        *trends.changed_rows(tenant, ended.closings, state, now, revision, people_per_hour),
    ]
    if rows:
        state.set(_REVISION, revision)
    return [*rows, *alerts(tenant, ended.closings, state, now)]
