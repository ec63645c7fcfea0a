"""What an impact means for one queue, as the rows that WFM reads."""

from __future__ import annotations

import dataclasses
from typing import Any

from processors.staffing.logic.losses import Loss
from processors.staffing.logic.outages import is_forecast
from processors.staffing.logic.plan import Plan
from schemas.wfm import CapacitySignal, Impact, StaffingRequirement


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """What stands for a queue. `since`: start of the present loss; `ended_at`: end of the last one."""

    revision: int = 0
    since: int | None = None
    before: float = 0.0
    ended_at: int | None = None


def capacity(impact: Impact, queue: str, loss: Loss, revision: int, now: int) -> CapacitySignal:
    """Return what AI does not take of a queue, from now on or as planned."""
    return CapacitySignal(
        queue=queue,
        revision=revision,
        ai_contacts_per_minute_lost=loss.contacts_per_minute,
        endpoints_out=loss.endpoints_out,
        occurred_at=now,
        **_cause(impact),
    )


def staffing(impact: Impact, standing: Standing, plan: Plan, now: int) -> StaffingRequirement:
    """Return the people that a queue needs, from now on or as planned."""
    return StaffingRequirement(
        queue=plan.targets.queue,
        revision=standing.revision,
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
        occurred_at=now,
        **_cause(impact),
    )


def _cause(impact: Impact) -> dict[str, Any]:
    """Return the fields that both rows have from the impact. `starts_at` is of what is not yet so, alone."""
    return {
        "tenant": impact.tenant,
        "cause_endpoint": impact.endpoint,
        "cause_state": impact.state,
        "cause_epoch": impact.epoch,
        "expected_seconds_p50": impact.expected_seconds_p50,
        "expected_seconds_p90": impact.expected_seconds_p90,
        "duration_samples": impact.duration_samples,
        "starts_at": impact.starts_at if is_forecast(impact) else None,
        "ends_at": impact.ends_at,
        "confidence": impact.confidence,
        "duration_source": impact.duration_source,
    }
