"""Room: how many more contacts a minute the people of a queue can have while AI is away.

    room = the rate that the people who are there can take - the rate that they get of their own

"Of their own" is without the contacts that AI would have had: those come by permit or out of the
buffer alone, in the quantity of the room itself. Subtracting what has just been let through as well
would halve it: with a spare rate r and a flow f, f = r - f settles at r / 2.

Their own rate cannot be read off the deltas: sessions book a contact for people when it is decided,
and in a loss that is also one that is then deflected, called back, or held. So the observed rate
holds all that AI lost, whatever becomes of it, and does not move with what is let through; what
follows from it cannot oscillate. Their own part of it is taken from before the loss: own = before *
scale, where scale = observed / (before + lost) since the loss last changed. It follows the hour of
the day, and stays within SCALE_LEAST and SCALE_MOST: customers who were deflected and come again
raise what is observed, and must not close the room for those who wait.
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

SCALE_PRIOR_CONTACTS = 20
"""The load before the loss counts as many contacts: one 10 s bucket says little of a rate."""
SCALE_LEAST, SCALE_MOST = 2 / 3, 3 / 2
"""Load moves by less in the half hour in which nine of ten outages end; beyond, it is customers who come again."""
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


@dataclasses.dataclass(frozen=True, slots=True)
class Room:
    """Contacts per minute: what there is room for, and what people get of their own."""

    per_minute: float
    own_per_minute: float


def room_of(scene: Scene) -> Room:
    """Return what people can take besides their own contacts, 0 where they are behind already.

    Where the policy does not meter and nothing is held, what AI lost is with people too.
    """
    before, own = _loads(scene)
    lost = scene.meter.lost_per_minute
    taken = own if scene.is_metered or len(scene.line) else own + lost
    targets = targets_of(scene.snapshot, scene.tenant, scene.queue)
    aht_seconds = traffic.aht_seconds(scene.state.get(f"traffic:{scene.queue}"), targets.aht_seconds)
    asked = (aht_seconds, targets.service_level_target, targets.service_level_seconds, targets.max_occupancy)
    try:
        there = _said_to_be_there(scene)
        agents = agents_required(before, *asked).agents if there is None else there
        carried = carried_per_minute(agents, *asked)
    except ErlangInputError:
        # Nothing can be planned for such targets; the impact that asked for it has its dead letter.
        return Room(0.0, own)
    return Room(min(max(carried - taken, 0.0), MOST_PER_MINUTE), own)


def _loads(scene: Scene) -> tuple[float, float]:
    """Return people's own contacts per minute before the loss, and now. Without a loss lately both are the observed."""
    meter, seen = scene.meter, scene.state.get(f"traffic:{scene.queue}")
    # After a loss the window still holds contacts of it.
    settled = scene.ramp_micros + traffic.WINDOW_MICROS
    if not meter.lost_per_minute and (meter.over_at is None or scene.now >= meter.over_at + settled):
        observed = traffic.human_contacts_per_minute(seen, scene.state.get("observed_since"), scene.at)
        return observed, observed
    before = float(scene.state.get(f"queue:{scene.queue}")["before"])
    if not meter.lost_per_minute:
        return before, meter.own_per_minute
    contacts, minutes = traffic.counted_between(seen, meter.changed_at, scene.at)
    expected = (before + meter.lost_per_minute) * minutes
    scale = (contacts + SCALE_PRIOR_CONTACTS) / (expected + SCALE_PRIOR_CONTACTS)
    return before, before * min(max(scale, SCALE_LEAST), SCALE_MOST)


def said_of(scene: Scene) -> Availability | None:
    """Return what WFM says of the people there; None where it says nothing that counts now."""
    key = topics.queue_key(scene.tenant, scene.queue)
    said: Availability | None = scene.snapshot.of(topics.AVAILABILITY).get(key)
    return None if said is None or not said.starts_at <= scene.now < said.expires_at else said


def _said_to_be_there(scene: Scene) -> int | None:
    """Return the people in seats as WFM says; None where it says nothing that counts now."""
    said = said_of(scene)
    return None if said is None else math.floor(min(said.agents_available, MAX_AGENTS))
