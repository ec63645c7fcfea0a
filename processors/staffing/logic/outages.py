"""Which endpoints of a tenant are out, and which will be: impacts of breakers and of planned maintenance, in one book.

An endpoint is out while its breaker says so or maintenance does. Maintenance says so beforehand
(`starts_at` after its `occurred_at`): a forecast, by which nothing is out yet.

State of a tenant:

- `endpoint:<name>` -> `{"epoch": of its latest impact, "displaced": rows while it is out, else [],
  "by": causes by which it is out, sorted, "planned": [starts_at, ends_at, rows] or null}`
- `out` -> names of the endpoints that are out, sorted
- `planned` -> names of the endpoints of which a forecast stands, sorted
"""

from __future__ import annotations

import dataclasses
from typing import Any

from processors.staffing.logic.losses import NO_LOSS, NO_TRAFFIC, Loss, Rows, losses_by_queue, rows_of, touched
from runtime.state import KeyedState
from schemas.fields import LATEST
from schemas.wfm import Impact, ImpactCause

_UNKNOWN: dict[str, Any] = {"epoch": -1, "displaced": [], "by": [], "planned": None}


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """Losses by queue, of the queues that an impact is about: those of now, and those that it foretells."""

    now: dict[str, Loss]
    ahead: dict[str, Loss]


def is_forecast(impact: Impact) -> bool:
    """Tell whether an impact is about a later time. In event time: a replay says the same."""
    planned = impact.cause is ImpactCause.MAINTENANCE and impact.state in NO_TRAFFIC
    return planned and impact.starts_at is not None and impact.starts_at > impact.occurred_at


def booked(impact: Impact, state: KeyedState) -> Told | None:
    """Take note of an impact; return what it changes, None where its epoch was seen before."""
    name = f"endpoint:{impact.endpoint}"
    known = {**_UNKNOWN, **state.get(name, {})}
    if impact.epoch <= known["epoch"]:
        return None
    before = _out(state)
    if is_forecast(impact):
        return _foretold(impact, known, before, state)
    after = dict(before)
    by = _causes(impact, known)
    if not by:
        after.pop(impact.endpoint, None)
    elif impact.endpoint not in before:
        after[impact.endpoint] = rows_of(impact)
    queues = touched(before, after, impact.endpoint)
    planned = known["planned"]
    if planned is not None and impact.cause is ImpactCause.MAINTENANCE:
        # It has begun, or was called off: what was foretold is taken back.
        present = losses_by_queue(after)
        for queue in touched(after, {**after, impact.endpoint: planned[2]}, impact.endpoint):
            queues.setdefault(queue, present.get(queue, NO_LOSS))
        planned = None
    rows = after.get(impact.endpoint, [])
    state.set(name, {"epoch": impact.epoch, "displaced": rows, "by": by, "planned": planned})
    _list(state, "out", impact.endpoint, listed=bool(by))
    _list(state, "planned", impact.endpoint, listed=planned is not None)
    return Told(dict(sorted(queues.items())), {})


def _foretold(impact: Impact, known: dict[str, Any], out: dict[str, Rows], state: KeyedState) -> Told:
    """Return what will be lost, were all that is out to stay so, and with what else is planned for then."""
    starts_at, ends_at = impact.starts_at, LATEST if impact.ends_at is None else impact.ends_at
    after = dict(out)
    for other in state.get("planned", []):
        begins, ends, rows = state.get(f"endpoint:{other}")["planned"]
        if other != impact.endpoint and begins < ends_at and starts_at < ends:
            after.setdefault(other, rows)
    after.setdefault(impact.endpoint, rows_of(impact))
    planned = [starts_at, ends_at, rows_of(impact)]
    state.set(f"endpoint:{impact.endpoint}", {**known, "epoch": impact.epoch, "planned": planned})
    _list(state, "planned", impact.endpoint, listed=True)
    present = losses_by_queue(out)
    ahead = touched(out, after, impact.endpoint)
    return Told({queue: present.get(queue, NO_LOSS) for queue in ahead}, ahead)


def _out(state: KeyedState) -> dict[str, Rows]:
    return {endpoint: state.get(f"endpoint:{endpoint}")["displaced"] for endpoint in state.get("out", [])}


def _causes(impact: Impact, known: dict[str, Any]) -> list[str]:
    """Return by which causes the endpoint is out, once an impact has come."""
    others = [cause for cause in known["by"] if cause != impact.cause]
    return sorted([*others, impact.cause.value]) if impact.state in NO_TRAFFIC else others


def _list(state: KeyedState, name: str, endpoint: str, *, listed: bool) -> None:
    """Have an endpoint in a list of the state, or not."""
    names = state.get(name, [])
    if (endpoint in names) is not listed:
        state.set(name, sorted({*names, endpoint}) if listed else [each for each in names if each != endpoint])
