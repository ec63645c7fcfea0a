"""What the loss of AI capacity means for one queue, as the rows that WFM reads."""

from __future__ import annotations

import dataclasses
from typing import Any

import msgspec

from processors.staffing.logic.forecast import Outage
from processors.staffing.logic.losses import Loss
from processors.staffing.logic.outages import is_forecast
from processors.staffing.logic.plan import Plan
from schemas.fields import BreakerState
from schemas.wfm import CapacitySignal, DurationSource, Impact, IntervalRequirement, StaffingAction, StaffingRequirement


@dataclasses.dataclass(frozen=True, slots=True)
class Standing:
    """What stands for a queue. `since`: start of the present loss; `ended_at`: end of the last one."""

    revision: int = 0
    since: int | None = None
    before: float = 0.0
    ended_at: int | None = None


class Cause(msgspec.Struct, frozen=True):
    """The impact that a recommendation rests on, as far as rows tell of it; kept while the recommendation stands.

    `starts_at` is of what is not yet so, alone.
    """

    tenant: str
    endpoint: str
    state: BreakerState
    epoch: int
    at: int
    p50_seconds: float
    p90_seconds: float
    duration_samples: int
    starts_at: int | None
    ends_at: int | None
    confidence: float
    source: DurationSource
    contacts_counted: int

    @classmethod
    def of(cls, impact: Impact) -> Cause:
        """Take what rows tell of an impact."""
        return cls(
            tenant=impact.tenant,
            endpoint=impact.endpoint,
            state=impact.state,
            epoch=impact.epoch,
            at=impact.occurred_at,
            p50_seconds=impact.expected_seconds_p50,
            p90_seconds=impact.expected_seconds_p90,
            duration_samples=impact.duration_samples,
            starts_at=impact.starts_at if is_forecast(impact) else None,
            ends_at=impact.ends_at,
            confidence=impact.confidence,
            source=impact.duration_source,
            contacts_counted=impact.contacts_counted,
        )

    def outage(self, lost_per_minute: float, since: int | None) -> Outage:
        """Return what is lost, and for how long. since: when the present loss began."""
        begun = self.at if since is None else since
        return Outage(
            starts_at=begun if self.starts_at is None else self.starts_at,
            lost_per_minute=lost_per_minute,
            p50_seconds=self.p50_seconds,
            p90_seconds=self.p90_seconds,
            contacts_counted=self.contacts_counted,
            ends_at=self.ends_at,
        )

    def fields(self) -> dict[str, Any]:
        """Return the fields that both rows have from it."""
        return {
            "tenant": self.tenant,
            "cause_endpoint": self.endpoint,
            "cause_state": self.state,
            "cause_epoch": self.epoch,
            "expected_seconds_p50": self.p50_seconds,
            "expected_seconds_p90": self.p90_seconds,
            "duration_samples": self.duration_samples,
            "starts_at": self.starts_at,
            "ends_at": self.ends_at,
            "confidence": self.confidence,
            "duration_source": self.source,
        }


@dataclasses.dataclass(frozen=True, slots=True)
class People:
    """How a queue stands with the people there. All null, or empty, where WFM says nothing of them."""

    available: float | None = None
    gap: float | None = None
    spare_per_minute: float | None = None
    actions: tuple[StaffingAction, ...] = ()


def capacity(cause: Cause, queue: str, loss: Loss, revision: int, now: int) -> CapacitySignal:
    """Return what AI does not take of a queue, from now on or as planned."""
    return CapacitySignal(
        queue=queue,
        revision=revision,
        ai_contacts_per_minute_lost=loss.contacts_per_minute,
        endpoints_out=loss.endpoints_out,
        occurred_at=now,
        **cause.fields(),
    )


def staffing(
    cause: Cause, standing: Standing, plan: Plan, intervals: tuple[IntervalRequirement, ...], people: People, now: int
) -> StaffingRequirement:
    """Return the people that a queue needs, from now on or as planned."""
    return StaffingRequirement(
        queue=plan.targets.queue,
        revision=standing.revision,
        cause_at=cause.at,
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
        agents_available=people.available,
        gap=people.gap,
        spare_contacts_per_minute=people.spare_per_minute,
        intervals=intervals,
        actions=people.actions,
        **cause.fields(),
    )
