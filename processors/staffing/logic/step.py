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
- what `outages`, `meter` and `line` keep
"""

from __future__ import annotations

import dataclasses

from processors.staffing.logic import line, meter, outages, spare, traffic
from processors.staffing.logic.losses import Loss
from processors.staffing.logic.plan import planned, targets_of
from processors.staffing.logic.signals import Standing, capacity, staffing
from runtime.permits import check_partitions
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

    def __post_init__(self) -> None:
        check_partitions(self.offered_partitions)

    def step(self, event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
        """Book a VolumeDelta or a Held; answer an Impact with what it means for people, a Tick with what they can have.

        Args:
            event: VolumeDelta, Impact, Held or Tick.
            state: entries of the tenant.
            snapshot: the tenant's Policy (a queue that it does not name has HumanQueue's defaults), Availability of
                its queues, and the clock's setting.
            now: UTC microseconds, `occurred_at` of what is emitted.

        Returns:
            For an Impact of an epoch not seen before: a CapacitySignal and a StaffingRequirement, with
            one revision, for each queue that the endpoint served while out and each whose loss changed,
            by name. The last of a loss takes the recommendation back (after = before, `since` null).
            Those of maintenance to come have `starts_at`, and say what will be.
            For a Tick: contacts Released, and the SpareCapacity rows that are due (see `spare`).

        Raises:
            RecordError: reason `unusable_policy`, where a queue's targets cannot be planned for.
        """
        match event:
            case VolumeDelta():
                _observe(event, state, snapshot, now)
            case Held():
                _hold(event, state, now)
            case Impact():
                return _react(event, state, snapshot, now)
            case Tick():
                return spare.issues(event.key, state, snapshot, event.now, now, self.offered_partitions)
        return []


def _observe(delta: VolumeDelta, state: KeyedState, snapshot: Snapshot, now: int) -> None:
    at = min(delta.occurred_at, now)
    since = state.get("observed_since")
    if since is None or at < since:
        state.set("observed_since", at)
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


def _react(impact: Impact, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    told = outages.booked(impact, state)
    if told is None:
        return []
    effects = []
    at = min(impact.occurred_at, now)
    for queue, loss in told.now.items():
        standing = _revised(queue, loss.contacts_per_minute, state, at)
        state.set(f"queue:{queue}", dataclasses.asdict(standing))
        meter.lose(queue, loss.contacts_per_minute, at, state)
        effects += _said(impact, told.ahead.get(queue, loss), standing, queue, state=state, snapshot=snapshot, now=now)
    return effects


def _said(
    impact: Impact, loss: Loss, standing: Standing, queue: str, *, state: KeyedState, snapshot: Snapshot, now: int
) -> list[Effect]:
    targets = targets_of(snapshot, impact.tenant, queue)
    aht_seconds = traffic.aht_seconds(state.get(f"traffic:{queue}"), targets.aht_seconds)
    plan = planned(standing.before, loss.contacts_per_minute, aht_seconds, targets)
    return [
        Effect(topics.CAPACITY, capacity(impact, queue, loss, standing.revision, now)),
        Effect(topics.STAFFING, staffing(impact, standing, plan, now)),
    ]


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
