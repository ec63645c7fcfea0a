"""What WFM can do at once when a queue's people are short, and what the queue is like then.

People come first, those who can be had soonest before the others, each action with all those before it, and no more of
them than are missing. Callback and deflection are alternatives to one another, each with all the people before: they
take off what the people there cannot carry at their targets, at most what AI lost. What a queue is like is told by
Erlang A, which holds in overload, with the policy's patience.
"""

from __future__ import annotations

import math

from processors.staffing.logic.erlang import MAX_AGENTS, Load, Targets, carried_per_minute, performance, required
from processors.staffing.logic.plan import Plan
from processors.staffing.logic.room import Scene, room_per_minute, said_of
from processors.staffing.logic.signals import People
from schemas.control import Availability
from schemas.wfm import ActionKind, StaffingAction


def people_of(scene: Scene, plan: Plan, lost_per_minute: float, *, is_now: bool) -> People:
    """Return how a queue stands with the people whom WFM says are there; of a loss to come, or a silent WFM, nothing.

    Raises ErlangInputError where the queue's targets cannot be planned for.
    """
    said = said_of(scene) if is_now else None
    if said is None:
        return People()
    there = min(said.agents_available, float(MAX_AGENTS))
    spare = room_per_minute(scene) if lost_per_minute > 0 else None
    gap = plan.after.agents - there
    short = lost_per_minute > 0 and gap > 0
    return People(there, gap, spare, _actions(plan, said, there, lost_per_minute) if short else ())


def _actions(plan: Plan, said: Availability, there: float, lost_per_minute: float) -> tuple[StaffingAction, ...]:
    actions, agents = [], there
    to_be_had = (
        (ActionKind.POSTPONE_BREAKS, said.agents_on_break),
        (ActionKind.RECALL_OFF_PHONE, said.agents_off_phone),
        (ActionKind.OVERTIME, said.agents_overtime),
    )
    for kind, most in to_be_had:
        brings = min(math.floor(most), max(0, math.ceil(plan.after.agents - agents)))
        if brings:
            agents += brings
            actions.append(_with(plan, kind, agents, brings=brings))
    takes_off = min(lost_per_minute, plan.after_per_minute - _carried(plan, agents))
    if takes_off > 0:
        actions += [
            _with(plan, kind, agents, takes_off=takes_off) for kind in (ActionKind.CALLBACK, ActionKind.DEFLECT)
        ]
    return tuple(actions)


def _with(
    plan: Plan, kind: ActionKind, agents: float, *, brings: float = 0.0, takes_off: float = 0.0
) -> StaffingAction:
    """Return an action with what the queue is like once `agents` are there, and `takes_off` contacts a minute gone."""
    targets, patience = plan.targets, plan.targets.patience_seconds
    load = Load(max(0.0, plan.after_per_minute - takes_off), plan.aht_seconds, patience)
    found = performance(load, math.floor(agents), targets.service_level_seconds)
    wanted = Targets(targets.service_level_target, targets.service_level_seconds, targets.max_occupancy)
    # The number required is by Erlang C, as in the row: nobody is to be counted on to give up.
    needed = required(Load(load.contacts_per_minute, load.aht_seconds), wanted)
    return StaffingAction(
        action=kind,
        agents=float(brings),
        contacts_per_minute=takes_off,
        gap=needed - agents,
        service_level=found.service_level,
        asa_seconds=found.asa_seconds if math.isfinite(found.asa_seconds) else patience,
        abandonment=found.abandonment,
    )


def _carried(plan: Plan, agents: float) -> float:
    targets = plan.targets
    return float(
        carried_per_minute(
            math.floor(agents),
            plan.aht_seconds,
            targets.service_level_target,
            targets.service_level_seconds,
            targets.max_occupancy,
        )
    )
