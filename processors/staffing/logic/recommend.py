"""The one standing recommendation of a queue: told when its loss changes, and again when what it rests on does.

It rests on the loss, on who is there (`wfm.availability`), on WFM's plans, and on the time: an interval goes by, and
the longer an outage lasts the longer it is likely to. State of a tenant:

- `recommended` -> names of the queues of which a loss stands, or is foretold, sorted
- `recommendation:<queue>` -> {"cause": see `Cause`, "lost": contacts per minute, "rests_on": [interval, availability's
  and plan's instants]}
"""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from processors.staffing.logic import traffic
from processors.staffing.logic.actions import people_of
from processors.staffing.logic.erlang import ErlangInputError
from processors.staffing.logic.forecast import Outlook
from processors.staffing.logic.plan import planned, targets_of, unusable
from processors.staffing.logic.room import Scene, said_of
from processors.staffing.logic.signals import Cause, Standing, staffing
from processors.staffing.logic.weekdays import interval_of
from runtime.plans import Plans
from runtime.state import KeyedState
from schemas.topics import STAFFING, Effect


@dataclasses.dataclass(frozen=True, slots=True)
class Recommender:
    """Makes a queue's recommendation. `plans`: WFM's, indexed once per change."""

    plans: Plans

    def told(self, scene: Scene, cause: Cause, lost_per_minute: float, standing: Standing) -> Effect:
        """Return the recommendation for a loss, and keep it; one of no loss takes it back.

        Raises RecordError (reason `unusable_policy`) where the queue's targets cannot be planned for.
        """
        state, queue = scene.state, scene.queue
        effect = self._row(scene, cause, lost_per_minute, standing)
        if lost_per_minute > 0:
            kept = {"cause": msgspec.to_builtins(cause), "lost": lost_per_minute, "rests_on": self._rests_on(scene)}
            state.set(f"recommendation:{queue}", kept)
        elif state.get(f"recommendation:{queue}") is not None:
            state.delete(f"recommendation:{queue}")
        listed = state.get("recommended", [])
        if (queue in listed) is not (lost_per_minute > 0):
            others = [name for name in listed if name != queue]
            state.set("recommended", sorted([*others, queue]) if lost_per_minute > 0 else others)
        return effect

    def again(self, scene: Scene) -> list[Effect]:
        """Return the recommendation that stands for a queue as it is now, where what it rests on has changed."""
        state, queue = scene.state, scene.queue
        kept: dict[str, Any] = state.get(f"recommendation:{queue}")
        rests_on = self._rests_on(scene)
        if kept["rests_on"] == rests_on:
            return []
        standing = Standing(**state.get(f"queue:{queue}"))
        revised = dataclasses.replace(standing, revision=standing.revision + 1)
        state.set(f"queue:{queue}", dataclasses.asdict(revised))
        state.set(f"recommendation:{queue}", {**kept, "rests_on": rests_on})
        return [self._row(scene, msgspec.convert(kept["cause"], Cause), kept["lost"], revised)]

    def _row(self, scene: Scene, cause: Cause, lost_per_minute: float, standing: Standing) -> Effect:
        targets = targets_of(scene.snapshot, scene.tenant, scene.queue)
        aht_seconds = traffic.aht_seconds(scene.state.get(f"traffic:{scene.queue}"), targets.aht_seconds)
        plan = planned(standing.before, lost_per_minute, aht_seconds, targets)
        outlook = Outlook(
            tenant=scene.tenant,
            targets=targets,
            present_per_minute=standing.before,
            aht_seconds=aht_seconds,
            state=scene.state,
            snapshot=scene.snapshot,
            plans=self.plans,
        )
        try:
            intervals = outlook.required(cause.outage(lost_per_minute, standing.since), scene.now)
            people = people_of(scene, plan, lost_per_minute, is_now=cause.starts_at is None)
        except ErlangInputError as problem:
            raise unusable(targets, problem) from problem
        return Effect(STAFFING, staffing(cause, standing, plan, intervals, people, scene.now))

    def _rests_on(self, scene: Scene) -> list[int]:
        """Return what a recommendation rests on besides the loss: the interval, and when WFM spoke last."""
        said = said_of(scene)
        plans = self.plans.said_at(scene.snapshot, scene.tenant, scene.queue)
        return [interval_of(scene.now), -1 if said is None else said.occurred_at, plans]


def standing_queues(state: KeyedState) -> list[str]:
    """Return the queues of which a recommendation stands."""
    return list(state.get("recommended", []))
