"""What AI no longer takes, by queue, from the endpoints that are out.

An endpoint is out while its breaker is OPEN, FORCED_OPEN or HALF_OPEN (a handful of probes aside), or maintenance
has it FORCED_OPEN (see `outages`).
The contacts that it carried are lost to AI where every alternative that the policy allows for the
intent is out as well; while one is left, that one takes them.

Each endpoint counts with what it carried when it went out. Later impacts of the same outage do
not replace that: by then it carries probes at most. Where one endpoint took over from another
before it went out too, its figure holds what it had taken over, and the sum errs on the high side
by that much.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

from schemas.fields import NORMAL_TRAFFIC, BreakerState
from schemas.wfm import Impact

NO_TRAFFIC = frozenset(BreakerState) - NORMAL_TRAFFIC

Rows = list[list[Any]]
"""JSON data: [queue, contacts per minute, [alternatives]] of each intent that an endpoint carried."""


@dataclasses.dataclass(frozen=True, slots=True)
class Loss:
    """Contacts per minute of one queue that AI no longer takes.

    `endpoints_out`: endpoints out that served the queue or might have stood in, sorted; with a
    loss of 0 others cover for them.
    """

    contacts_per_minute: float
    endpoints_out: tuple[str, ...]


NO_LOSS = Loss(0.0, ())


def rows_of(impact: Impact) -> Rows:
    """Return what an impact says that its endpoint carried."""
    return [[row.queue, row.contacts_per_minute, list(row.alternatives)] for row in impact.displaced]


def losses_by_queue(out: Mapping[str, Rows]) -> dict[str, Loss]:
    """Return the loss of each queue that an endpoint in `out` served, 0 where others cover."""
    lost: dict[str, list[float]] = {}
    names: dict[str, set[str]] = {}
    for endpoint, rows in out.items():
        for queue, contacts_per_minute, alternatives in rows:
            still_out = [other for other in alternatives if other in out]
            names.setdefault(queue, set()).update((endpoint, *still_out))
            if len(still_out) == len(alternatives):
                lost.setdefault(queue, []).append(contacts_per_minute)
    # fsum rounds once, so the order in which endpoints went out does not show in the figure.
    return {queue: Loss(math.fsum(lost.get(queue, ())), tuple(sorted(names[queue]))) for queue in names}


def touched(before: Mapping[str, Rows], after: Mapping[str, Rows], endpoint: str) -> dict[str, Loss]:
    """Return the present loss of each queue that `endpoint` served while out or whose loss changed, by name."""
    served = {row[0] for rows in (before.get(endpoint, []), after.get(endpoint, [])) for row in rows}
    old, new = losses_by_queue(before), losses_by_queue(after)
    changed = {
        queue
        for queue in old.keys() | new.keys()
        if old.get(queue, NO_LOSS).contacts_per_minute != new.get(queue, NO_LOSS).contacts_per_minute
    }
    return {queue: new.get(queue, NO_LOSS) for queue in sorted(served | changed)}
