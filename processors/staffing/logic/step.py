"""From volume deltas and breaker impacts to people required: one standing recommendation per queue.

"Before" is the rate of contacts to people without the loss, "after" adds what AI no longer takes.
While an outage lasts the lost contacts arrive as human ones, so the observed rate comes to hold
them and observed + lost would count them twice. So the rate is frozen when a loss begins and
stands as "before" until the loss is over, and on until the window of the rate has passed: till
then the window still holds displaced contacts, and a breaker that flaps would raise "before" with
every turn.

State of a tenant:

- `observed_since` -> when its first delta happened (micros)
- `traffic:<queue>` -> see `traffic`
- `endpoint:<name>` -> `{"epoch": of its latest impact, "displaced": rows while it is out, else []}`
- `out` -> names of the endpoints that are out, sorted
- `queue:<queue>` -> `{"revision", "since": micros or null, "before": frozen contacts per minute,
  "ended_at": micros or null}`, only for queues that an impact touched
"""

from __future__ import annotations

import dataclasses

from processors.staffing.logic import losses, traffic
from processors.staffing.logic.plan import Plan, planned, targets_of
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas import topics
from schemas.fields import Event
from schemas.topics import Effect
from schemas.wfm import CapacitySignal, Impact, StaffingRequirement, VolumeDelta


@dataclasses.dataclass(frozen=True, slots=True)
class _Standing:
    """What stands for a queue. `since`: start of the present loss; `ended_at`: end of the last one."""

    revision: int = 0
    since: int | None = None
    before: float = 0.0
    ended_at: int | None = None


def step(event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    """Book a VolumeDelta, or answer an Impact with what it means for people.

    Args:
        event: VolumeDelta or Impact; a Tick, which shares the inbox, changes nothing.
        state: entries of the tenant.
        snapshot: the tenant's Policy; a queue that it does not name has HumanQueue's defaults.
        now: UTC microseconds, `occurred_at` of what is emitted.

    Returns:
        For an Impact of an epoch not seen before: a CapacitySignal and a StaffingRequirement, with
        one revision, for each queue that the endpoint served while out and each whose loss changed,
        by name. The last of a loss takes the recommendation back (after = before, `since` null).

    Raises:
        RecordError: reason `unusable_policy`, where a queue's targets cannot be planned for.
    """
    if isinstance(event, VolumeDelta):
        _observe(event, state, snapshot, now)
    elif isinstance(event, Impact):
        return _react(event, state, snapshot, now)
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


def _react(impact: Impact, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
    name = f"endpoint:{impact.endpoint}"
    known = state.get(name)
    if known is not None and impact.epoch <= known["epoch"]:
        return []
    before = {endpoint: state.get(f"endpoint:{endpoint}")["displaced"] for endpoint in state.get("out", [])}
    after = losses.with_impact(before, impact)
    state.set(name, {"epoch": impact.epoch, "displaced": after.get(impact.endpoint, [])})
    if before.keys() != after.keys():
        state.set("out", sorted(after))
    effects = []
    for queue, loss in losses.touched(before, after, impact.endpoint).items():
        standing = _revised(queue, loss.contacts_per_minute, state, min(impact.occurred_at, now))
        state.set(f"queue:{queue}", dataclasses.asdict(standing))
        targets = targets_of(snapshot, impact.tenant, queue)
        aht_seconds = traffic.aht_seconds(state.get(f"traffic:{queue}"), targets.aht_seconds)
        plan = planned(standing.before, loss.contacts_per_minute, aht_seconds, targets)
        effects.append(Effect(topics.CAPACITY, _capacity(impact, queue, loss, standing.revision, now)))
        effects.append(Effect(topics.STAFFING, _staffing(impact, standing, plan, now)))
    return effects


def _revised(queue: str, lost_per_minute: float, state: KeyedState, at: int) -> _Standing:
    """Return what stands for a queue once its loss is `lost_per_minute`; `at` is when the breaker moved."""
    stored = state.get(f"queue:{queue}")
    last = _Standing(**stored) if stored else _Standing()
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
    return _Standing(last.revision + 1, since, before, ended_at)


def _capacity(impact: Impact, queue: str, loss: losses.Loss, revision: int, now: int) -> CapacitySignal:
    return CapacitySignal(
        tenant=impact.tenant,
        queue=queue,
        revision=revision,
        ai_contacts_per_minute_lost=loss.contacts_per_minute,
        endpoints_out=loss.endpoints_out,
        cause_endpoint=impact.endpoint,
        cause_state=impact.state,
        cause_epoch=impact.epoch,
        expected_seconds_p50=impact.expected_seconds_p50,
        expected_seconds_p90=impact.expected_seconds_p90,
        duration_samples=impact.duration_samples,
        occurred_at=now,
    )


def _staffing(impact: Impact, standing: _Standing, plan: Plan, now: int) -> StaffingRequirement:
    return StaffingRequirement(
        tenant=impact.tenant,
        queue=plan.targets.queue,
        revision=standing.revision,
        cause_endpoint=impact.endpoint,
        cause_state=impact.state,
        cause_epoch=impact.epoch,
        cause_at=impact.occurred_at,
        since=standing.since,
        human_contacts_per_minute_before=plan.before_per_minute,
        human_contacts_per_minute_after=plan.after_per_minute,
        aht_seconds=plan.aht_seconds,
        agents_required_before=plan.before.agents,
        agents_required_after=plan.after.agents,
        agents_scheduled_after=plan.scheduled_after,
        service_level_target=plan.targets.service_level_target,
        service_level_seconds=plan.targets.service_level_seconds,
        service_level_after=plan.after.service_level,
        occupancy_after=plan.after.occupancy,
        expected_seconds_p50=impact.expected_seconds_p50,
        expected_seconds_p90=impact.expected_seconds_p90,
        duration_samples=impact.duration_samples,
        occurred_at=now,
    )
