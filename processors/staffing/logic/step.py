"""From volume deltas and breaker impacts to people required: one standing recommendation per queue.

"Before" is the rate of contacts to people without the loss, "after" adds what AI no longer takes.
While an outage lasts the lost contacts arrive as human ones, so the observed rate comes to hold
them and observed + lost would count them twice. So the rate is frozen when a loss begins and
stands as "before" until the loss is over, and on until the window of the rate has passed: till
then the window still holds displaced contacts, and a breaker that flaps would raise "before" with
every turn.

Planned maintenance is told twice: when it is planned, with the instants between which it will be so,
and again when it begins.

State of a tenant:

- `observed_since` -> when its first delta happened (micros)
- `traffic:<queue>` -> see `traffic`
- `queue:<queue>` -> `{"revision", "since": micros or null, "before": frozen contacts per minute,
  "ended_at": micros or null}`, only for queues that an impact touched
- what `outages`, `meter`, `line`, `weekdays` and `recommend` keep
"""

from __future__ import annotations

import dataclasses

from processors.staffing.logic import line, meter, outages, spare, traffic, weekdays
from processors.staffing.logic.plan import targets_of
from processors.staffing.logic.recommend import Recommender, standing_queues
from processors.staffing.logic.room import Scene
from processors.staffing.logic.signals import Cause, Standing, capacity
from runtime.permits import check_partitions
from runtime.plans import Plans
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas import topics
from schemas.agents import Tick
from schemas.fields import Event
from schemas.topics import Effect
from schemas.wfm import Held, Impact, VolumeDelta


@dataclasses.dataclass(frozen=True, slots=True)
class Staffing:
    """Says how many people a tenant's queues need, and how many more contacts they can have.

    Attributes:
        offered_partitions: partitions of interactions.offered, over which permits are shared.
    """

    offered_partitions: int
    _recommender: Recommender = dataclasses.field(
        default_factory=lambda: Recommender(Plans()), repr=False, compare=False
    )

    def __post_init__(self) -> None:
        check_partitions(self.offered_partitions)

    def step(self, event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
        """Book a VolumeDelta or a Held; answer an Impact with what it means for people, a Tick with what they can have.

        Args:
            event: VolumeDelta, Impact, Held or Tick.
            state: entries of the tenant.
            snapshot: the tenant's Policy (a queue that it does not name has HumanQueue's defaults), Availability of
                its queues, WFM's plans, and the clock's setting.
            now: UTC microseconds, `occurred_at` of what is emitted.

        Returns:
            For an Impact of an epoch not seen before: a CapacitySignal and a StaffingRequirement, with
            one revision, for each queue that the endpoint served while out and each whose loss changed,
            by name. The last of a loss takes the recommendation back (after = before, `since` null).
            Those of maintenance to come have `starts_at`, and say what will be.
            For a Tick: contacts Released, the SpareCapacity rows that are due (see `spare`), and the recommendation
            of each queue with a loss, where something has changed on which it rests (see `recommend`).

        Raises:
            RecordError: reason `unusable_policy`, where a queue's targets cannot be planned for.
        """
        match event:
            case VolumeDelta():
                _observe(event, state, snapshot, now)
            case Held():
                _hold(event, state, now)
            case Impact():
                return _react(event, state, snapshot, now, self._recommender)
            case Tick():
                effects = spare.issues(event.key, state, snapshot, event.now, now, self.offered_partitions)
                for queue in standing_queues(state):
                    effects += self._recommender.again(Scene(event.key, queue, state, snapshot, event.now, now))
                return effects
        return []


def _observe(delta: VolumeDelta, state: KeyedState, snapshot: Snapshot, now: int) -> None:
    at = min(delta.occurred_at, now)
    since = state.get("observed_since")
    if since is None or at < since:
        state.set("observed_since", at)
    weekdays.observe(delta, state, at)
    if traffic.touches_people(delta):
        name = f"traffic:{delta.queue}"
        prior = targets_of(snapshot, delta.tenant, delta.queue).aht_seconds
        state.set(name, traffic.observed(state.get(name), delta, prior, now))


def _hold(held: Held, state: KeyedState, now: int) -> None:
    if held.over:
        line.over(state, held.interaction_id)
    elif held.hold_until > now:
        line.Line(state, held.queue).join(held)
        meter.watch(held.queue, state)


def _react(impact: Impact, state: KeyedState, snapshot: Snapshot, now: int, recommender: Recommender) -> list[Effect]:
    told = outages.booked(impact, state)
    if told is None:
        return []
    effects = []
    at = min(impact.occurred_at, now)
    for queue, loss in told.now.items():
        standing = _revised(queue, loss.contacts_per_minute, state, at)
        state.set(f"queue:{queue}", dataclasses.asdict(standing))
        meter.lose(queue, loss.contacts_per_minute, at, state)
        scene = Scene(impact.tenant, queue, state, snapshot, at, now)
        to_come = told.ahead.get(queue, loss)
        effects += [
            Effect(topics.CAPACITY, capacity(Cause.of(impact), queue, to_come, standing.revision, now)),
            recommender.told(scene, Cause.of(impact), to_come.contacts_per_minute, standing),
        ]
    return effects


def _revised(queue: str, lost_per_minute: float, state: KeyedState, at: int) -> Standing:
    """Return what stands for a queue once its loss is `lost_per_minute`; `at` is when the breaker moved."""
    stored = state.get(f"queue:{queue}")
    last = Standing(**stored) if stored else Standing()
    before, ended_at = last.before, last.ended_at
    if last.since is None and (ended_at is None or at - ended_at >= traffic.WINDOW_MICROS):
        # The window ends where the breaker moved, in event time: replays see the same rate, and
        # deltas that are behind the clock are not read as silence.
        before = traffic.human_contacts_per_minute(state.get(f"traffic:{queue}"), state.get("observed_since"), at)
        ended_at = None
    if lost_per_minute > 0:
        since: int | None = at if last.since is None else last.since
    else:
        since = None
        ended_at = at if last.since is not None else ended_at
    return Standing(last.revision + 1, since, before, ended_at)
