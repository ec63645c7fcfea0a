"""What was issued for the queues whose spillover is metered: the memory of `spare`.

State of a tenant:

- `metered` -> names of the queues that get rows, sorted
- `spare:<queue>` -> `Meter` as a dict; it stays, so that revisions go on
"""

from __future__ import annotations

import dataclasses

from runtime.state import KeyedState


@dataclasses.dataclass(frozen=True, slots=True)
class Meter:
    """What was issued for a queue.

    `lost_per_minute`: what AI does not take now; `over_at`: when it last came to be nothing. `issued_at`: of the row
    that stands, null for none; `period_seconds`: until the next, while nobody is held. `carry`: fraction of a contact.
    `dealt`: permits until now, as `runtime.permits` counts. `sweep`: place in line. Instants in UTC microseconds.
    """

    revision: int = 0
    lost_per_minute: float = 0.0
    over_at: int | None = None
    issued_at: int | None = None
    period_seconds: float = 0.0
    carry: float = 0.0
    dealt: int = 0
    sweep: int = 0


def meter_of(state: KeyedState, queue: str) -> Meter:
    """Return what was issued for a queue."""
    return Meter(**state.get(f"spare:{queue}", {}))


def save(state: KeyedState, queue: str, meter: Meter) -> None:
    """Store what was issued for a queue."""
    state.set(f"spare:{queue}", dataclasses.asdict(meter))


def lose(queue: str, lost_per_minute: float, at: int, state: KeyedState) -> None:
    """Take note of what AI does not take of a queue from `at` on (UTC microseconds); 0 when nothing is lost."""
    meter = meter_of(state, queue)
    if lost_per_minute == meter.lost_per_minute:
        return
    over_at = None if lost_per_minute else at
    save(state, queue, dataclasses.replace(meter, lost_per_minute=lost_per_minute, over_at=over_at))
    if lost_per_minute:
        watch(queue, state)


def watch(queue: str, state: KeyedState) -> None:
    """Have rows issued for a queue from the next tick on, until there is nothing to be metered."""
    watched = watched_queues(state)
    if queue not in watched:
        state.set("metered", sorted([*watched, queue]))


def watched_queues(state: KeyedState) -> list[str]:
    """Return the queues that get rows."""
    return list(state.get("metered", []))


def unwatch(queue: str, state: KeyedState) -> None:
    """Have no more rows issued for a queue."""
    state.set("metered", [name for name in watched_queues(state) if name != queue])
