"""Room: how many more contacts a minute the people of a queue can have while AI is away.

    room = the rate that the people who are there can take - the rate that they get of their own

"Of their own" is without the contacts that AI would have had (`VolumeDelta.displaced`): metered, those
come by permit or out of the buffer, in the quantity of the room itself. Subtracting what has just been
let through as well would halve it: with a spare rate r and a flow f, f = r - f settles at r / 2. So the
rate does not move with what is let through, and what follows from it cannot oscillate.
"""

from __future__ import annotations

import dataclasses
import math

from processors.staffing.logic import traffic
from processors.staffing.logic.erlang import MAX_AGENTS, ErlangInputError, agents_required, carried_per_minute
from processors.staffing.logic.line import Line
from processors.staffing.logic.meter import Meter, meter_of
from processors.staffing.logic.plan import targets_of
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas import topics
from schemas.control import Availability, Policy
from schemas.fields import MICROS_PER_SECOND

MOST_PER_MINUTE = 1e6
"""A guard for integers on the wire, beyond any centre: handle times near 0 make rates without bounds."""


@dataclasses.dataclass(frozen=True, slots=True)
class Scene:
    """All that an issue for one queue depends on.

    `at`: until when the log has told of contacts; `now`: the present; both UTC microseconds.
    """

    tenant: str
    queue: str
    state: KeyedState
    snapshot: Snapshot
    at: int
    now: int

    @property
    def policy(self) -> Policy | None:
        """The tenant's."""
        policy: Policy | None = self.snapshot.of(topics.POLICY).get(self.tenant)
        return policy

    @property
    def is_metered(self) -> bool:
        """Whether contacts go to people only as fast as there is room."""
        policy = self.policy
        return policy is not None and policy.spillover.metered

    @property
    def ramp_micros(self) -> int:
        """How long agents that are back have only a part of their contacts."""
        policy = self.policy
        return 0 if policy is None else round(policy.breaker.ramp_seconds * MICROS_PER_SECOND)

    @property
    def line(self) -> Line:
        """Who waits for room."""
        return Line(self.state, self.queue)

    @property
    def meter(self) -> Meter:
        """What was issued."""
        return meter_of(self.state, self.queue)


def room_per_minute(scene: Scene) -> float:
    """Return the contacts per minute that people can take besides their own, 0 where they are behind already.

    Where the policy does not meter and nothing is held, what AI lost is with people too.
    """
    seen = scene.state.get(f"traffic:{scene.queue}")
    taken = traffic.own_contacts_per_minute(seen, scene.state.get("observed_since"), scene.at)
    if not scene.is_metered and not len(scene.line):
        taken += scene.meter.lost_per_minute
    targets = targets_of(scene.snapshot, scene.tenant, scene.queue)
    aht_seconds = traffic.aht_seconds(seen, targets.aht_seconds)
    asked = (aht_seconds, targets.service_level_target, targets.service_level_seconds, targets.max_occupancy)
    try:
        there = _said_to_be_there(scene)
        agents = agents_required(_before_per_minute(scene), *asked).agents if there is None else there
        carried = carried_per_minute(agents, *asked)
    except ErlangInputError:
        # Nothing can be planned for such targets; the impact that asked for it has its dead letter.
        return 0.0
    return float(min(max(carried - taken, 0.0), MOST_PER_MINUTE))


def _before_per_minute(scene: Scene) -> float:
    """Return people's contacts per minute before the loss; without one lately, the present ones."""
    over_at = scene.meter.over_at
    # After a loss the window still holds contacts of it.
    settled = scene.ramp_micros + traffic.WINDOW_MICROS
    if scene.meter.lost_per_minute or (over_at is not None and scene.now < over_at + settled):
        return float(scene.state.get(f"queue:{scene.queue}")["before"])
    seen = scene.state.get(f"traffic:{scene.queue}")
    return traffic.human_contacts_per_minute(seen, scene.state.get("observed_since"), scene.at)


def said_of(scene: Scene) -> Availability | None:
    """Return what WFM says of the people there; None where it says nothing that counts now."""
    key = topics.queue_key(scene.tenant, scene.queue)
    said: Availability | None = scene.snapshot.of(topics.AVAILABILITY).get(key)
    return None if said is None or not said.starts_at <= scene.now < said.expires_at else said


def _said_to_be_there(scene: Scene) -> int | None:
    """Return the people in seats as WFM says; None where it says nothing that counts now."""
    said = said_of(scene)
    return None if said is None else math.floor(min(said.agents_available, MAX_AGENTS))
