"""Events about volumes and people: what WFM consumes and what it is computed from."""

from __future__ import annotations

from schemas.fields import (
    BreakerState,
    Channel,
    Count,
    Epoch,
    Event,
    Handling,
    Id,
    Micros,
    Name,
    PerMinute,
    Pool,
    Probability,
    Seconds,
)


class VolumeDelta(Event, frozen=True, kw_only=True):
    """A contact changed its handling state (never per turn). Written by sessions.

    `from_handling` is null for a contact that has just been decided. `interval_start` is the
    15-minute interval in which it was offered. The seconds are those of the final state.
    """

    tenant: Id
    interaction_id: Id
    queue: Name
    intent: Name
    channel: Channel
    language: str
    interval_start: Micros
    pool: Pool
    from_handling: Handling | None
    to_handling: Handling
    ai_seconds: Seconds = 0.0
    wait_seconds: Seconds = 0.0
    talk_seconds: Seconds = 0.0
    wrap_seconds: Seconds = 0.0
    occurred_at: Micros


class Displaced(Event, frozen=True, kw_only=True):
    """Contacts of one queue and intent that an endpoint carried before it changed state.

    `alternatives`: other endpoints that the policy allows for this intent.
    """

    queue: Name
    intent: Name
    contacts_per_minute: PerMinute
    alternatives: tuple[str, ...] = ()


class Impact(Event, frozen=True, kw_only=True):
    """Consequence of a breaker transition, in the transition's own transaction.

    `displaced` is what the endpoint carried, whatever its new state; whoever adds up takes
    those endpoints whose latest state takes no traffic. The expected duration is a prior
    while `duration_samples` is 0.
    """

    tenant: Id
    provider: Name
    endpoint: Name
    state: BreakerState
    epoch: Epoch
    displaced: tuple[Displaced, ...]
    expected_seconds_p50: Seconds
    expected_seconds_p90: Seconds
    duration_samples: Count
    occurred_at: Micros


class VolumeRow(Event, frozen=True, kw_only=True):
    """Volumes of one cell: an upsert, accepted when its revision is equal or above.

    offered = ai_contained + ai_assisted + ai_escalated + human_only + deflected + abandoned
    + in_progress, in every row.
    """

    tenant: Id
    queue: Name
    intent: Name
    channel: Channel
    language: str
    interval_start: Micros
    revision: Count
    offered: Count
    ai_contained: Count
    ai_assisted: Count
    ai_escalated: Count
    human_only: Count
    deflected: Count
    abandoned: Count
    in_progress: Count
    updated_at: Micros


class CapacitySignal(Event, frozen=True, kw_only=True):
    """AI capacity of one queue: an upsert per tenant and queue.

    `ai_contacts_per_minute_lost` is what AI no longer takes because the endpoints in
    `endpoints_out` take no traffic and no allowed endpoint is left for the intent.
    """

    tenant: Id
    queue: Name
    revision: Count
    ai_contacts_per_minute_lost: PerMinute
    endpoints_out: tuple[str, ...]
    cause_endpoint: Name
    cause_state: BreakerState
    cause_epoch: Epoch
    expected_seconds_p50: Seconds
    expected_seconds_p90: Seconds
    duration_samples: Count
    occurred_at: Micros


class StaffingRequirement(Event, frozen=True, kw_only=True):
    """People needed in one queue: the one standing recommendation, by revision.

    Agents are people in seats, from Erlang C; `agents_scheduled_after` adds shrinkage.
    "Before" is the load without the loss of AI capacity, "after" is the load with it: their
    difference is what the outage costs, and nothing once the loss is over. `since` is when the
    present loss began (null when nothing is lost), `cause_at` is when the breaker moved.
    """

    tenant: Id
    queue: Name
    revision: Count
    cause_endpoint: Name
    cause_state: BreakerState
    cause_epoch: Epoch
    cause_at: Micros
    since: Micros | None
    human_contacts_per_minute_before: PerMinute
    human_contacts_per_minute_after: PerMinute
    aht_seconds: Seconds
    agents_required_before: Count
    agents_required_after: Count
    agents_scheduled_after: Count
    service_level_target: Probability
    service_level_seconds: Seconds
    service_level_after: Probability
    occupancy_after: Probability
    expected_seconds_p50: Seconds
    expected_seconds_p90: Seconds
    duration_samples: Count
    occurred_at: Micros
