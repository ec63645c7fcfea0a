"""Events about volumes and people: what WFM consumes and what it is computed from."""

from __future__ import annotations

import enum

from schemas.fields import (
    MICROS_PER_SECOND,
    BreakerState,
    Channel,
    Count,
    Csat,
    Epoch,
    Event,
    GradedBy,
    Handling,
    Id,
    Micros,
    Money,
    Name,
    PerMinute,
    Pool,
    Probability,
    Seconds,
)

INTERVAL_MICROS = 15 * 60 * MICROS_PER_SECOND
"""Arrival interval of volumes and handle times: 15 minutes, the common grain of WFM."""


class VolumeDelta(Event, frozen=True, kw_only=True):
    """A contact changed its handling state (never per turn). Written by sessions.

    `from_handling` is null for a contact that has just been decided. `interval_start` is the
    15-minute interval in which it was offered. The seconds are those of the final state; so are `trigger`, why people
    have the contact from AI (null where they have not, or nobody said), `ai_cost`, the sum of its turns', and
    `resolved`, as its completion says. `displaced`: as on the contact's first decision.
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
    displaced: bool = False
    trigger: str | None = None
    ai_cost: Money = 0.0
    resolved: bool | None = None


class Finding(Event, frozen=True, kw_only=True):
    """What somebody found of a contact that is over, AI's or people's. Written by sessions, once for each finding.

    As `interactions.Feedback`, with the names by which volumes count the contact, and its final handling.
    """

    tenant: Id
    interaction_id: Id
    queue: Name
    intent: Name
    channel: Channel
    language: str
    pool: Pool
    handling: Handling
    by: GradedBy
    resolved: bool | None = None
    csat: Csat | None = None
    hallucination: bool | None = None
    repeat_contact: bool | None = None
    occurred_at: Micros


class Displaced(Event, frozen=True, kw_only=True):
    """Contacts of one queue and intent that an endpoint carried before it changed state.

    `alternatives`: other endpoints that the policy allows for this intent.
    """

    queue: Name
    intent: Name
    contacts_per_minute: PerMinute
    alternatives: tuple[str, ...] = ()


class ImpactCause(enum.StrEnum):
    """Why an agent's capacity changes."""

    BREAKER = "breaker"
    MAINTENANCE = "maintenance"


class DurationSource(enum.StrEnum):
    """What an expected duration comes from."""

    PRIOR = "prior"
    HISTORY = "history"
    PROVIDER = "provider"
    PLAN = "plan"


class Impact(Event, frozen=True, kw_only=True):
    """Consequence of a breaker transition, in the transition's own transaction; or of planned maintenance.

    `displaced` is what the endpoint carried, whatever its new state; whoever adds up takes
    those endpoints whose latest state takes no traffic. The expected duration is a prior
    while `duration_samples` is 0; `duration_source` says what it is from. Maintenance comes ahead of its time, with
    `starts_at` and `ends_at`, and in epochs of the same count as transitions. `contacts_counted`: on how many contacts
    the rates rest; `confidence`: probability that the true rate is within a fifth of their sum.
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
    cause: ImpactCause = ImpactCause.BREAKER
    starts_at: Micros | None = None
    ends_at: Micros | None = None
    contacts_counted: Count = 0
    confidence: Probability = 0.0
    duration_source: DurationSource = DurationSource.PRIOR


class VolumeRow(Event, frozen=True, kw_only=True):
    """Volumes of one cell: an upsert, accepted when its revision is equal or above.

    offered = ai_contained + ai_assisted + ai_escalated + human_only + deflected + abandoned
    + in_progress, in every row. `late`: of no interval (`interval_start` 0), but the total of what came more than seven
    days after its own had ended; the sum of all rows includes it.
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
    late: bool = False

    @property
    def conserved(self) -> bool:
        """Whether the contacts offered are those in the handling states: neither is counted from the other."""
        finished = self.ai_contained + self.ai_assisted + self.ai_escalated + self.human_only
        return self.offered == finished + self.deflected + self.abandoned + self.in_progress


class CapacitySignal(Event, frozen=True, kw_only=True):
    """AI capacity of one queue: an upsert per tenant and queue.

    `ai_contacts_per_minute_lost` is what AI no longer takes because the endpoints in
    `endpoints_out` take no traffic and no allowed endpoint is left for the intent. `starts_at`: it is so from then
    on only, as planned; null for now. `confidence` and `duration_source`: as on `Impact`.
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
    starts_at: Micros | None = None
    ends_at: Micros | None = None
    confidence: Probability = 0.0
    duration_source: DurationSource = DurationSource.PRIOR


class LoadBasis(enum.StrEnum):
    """What a load to come is taken from: WFM's plan, the mean of past weeks at that time, the load of the moment."""

    PLAN = "plan"
    WEEKDAY = "weekday"
    PRESENT = "present"


class IntervalRequirement(Event, frozen=True, kw_only=True):
    """People needed in one 15-minute interval to come, without the loss of AI capacity (`before`) and with (`after`).

    `chance_out`: probability that AI is still away in the middle of it, by the expected duration. `agents_low` and
    `agents_high`: people needed at the load that nine of ten times is passed, and that it is not. `agents_planned`:
    those whom WFM plans, null where it says nothing.
    """

    starts_at: Micros
    contacts_per_minute_before: PerMinute
    contacts_per_minute_after: PerMinute
    basis: LoadBasis
    chance_out: Probability
    agents_required_before: Count
    agents_required_after: Count
    agents_low: Count
    agents_high: Count
    agents_planned: float | None = None


class ActionKind(enum.StrEnum):
    """What WFM can do at once when people are short."""

    POSTPONE_BREAKS = "postpone_breaks"
    RECALL_OFF_PHONE = "recall_off_phone"
    OVERTIME = "overtime"
    CALLBACK = "callback"
    DEFLECT = "deflect"


class StaffingAction(Event, frozen=True, kw_only=True):
    """One thing to do, and what the queue is like with it and with all that are named before it.

    `agents`: people whom it brings. `contacts_per_minute`: contacts that it takes off the queue. `gap`: people still
    missing. `service_level`, `asa_seconds` (of those answered) and `abandonment`: by Erlang A for the people there.
    """

    action: ActionKind
    agents: float = 0.0
    contacts_per_minute: PerMinute = 0.0
    gap: float
    service_level: Probability
    asa_seconds: Seconds
    abandonment: Probability


class StaffingRequirement(Event, frozen=True, kw_only=True):
    """People needed in one queue: the one standing recommendation, by revision.

    Agents are people in seats, from Erlang C; `agents_scheduled_after` adds shrinkage.
    "Before" is the load without the loss of AI capacity, "after" is the load with it: their
    difference is what the outage costs, and nothing once the loss is over. `since` is when the
    present loss began (null when nothing is lost), `cause_at` is when the breaker moved. `intervals`: from the present
    one on, as long as the loss may last. `agents_available`: people there, and `gap`: how many more are needed (less
    than 0: there are more), both null where WFM says nothing; then there are no `actions` either.
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
    starts_at: Micros | None = None
    ends_at: Micros | None = None
    confidence: Probability = 0.0
    duration_source: DurationSource = DurationSource.PRIOR
    agents_available: float | None = None
    gap: float | None = None
    spare_contacts_per_minute: PerMinute | None = None
    intervals: tuple[IntervalRequirement, ...] = ()
    actions: tuple[StaffingAction, ...] = ()


class SpareCapacity(Event, frozen=True, kw_only=True):
    """How many more contacts the people of a queue can have just now: an upsert by revision, from staffing.

    Issued while AI is away for the queue. `permits`: contacts that the routers may send there until `expires_at`, one
    quantity per partition of `interactions.offered` (index = partition); what the buffer releases is taken off before.
    `kept`: how many of each partition's permits are for priorities above 0, where the policy has any; the last ones.
    `spare_contacts_per_minute`: what people who are there can take at their service level, less what they get.
    """

    tenant: Id
    queue: Name
    revision: Count
    spare_contacts_per_minute: PerMinute
    permits: tuple[int, ...]
    held: Count = 0
    expires_at: Micros
    occurred_at: Micros
    kept: tuple[int, ...] = ()


class Held(Event, frozen=True, kw_only=True):
    """A contact that waits for room among the people of a queue; `over` when it waits no more. Written by sessions."""

    tenant: Id
    interaction_id: Id
    queue: Name
    priority: int = 0
    offered_at: Micros
    hold_until: Micros
    over: bool = False
    occurred_at: Micros


class TrendSpan(enum.StrEnum):
    """Over which time containment is taken."""

    MINUTES_5 = "5m"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class ContainmentRow(Event, frozen=True, kw_only=True):
    """Containment of one tenant, queue or intent over a span of time: an upsert by revision.

    Of contacts that AI had and that are over: one that is under way is not known yet, and is in no figure.
    `queue` and `intent`: null for all. `starts_at`: of the hour, day, week or month, UTC; of five minutes, that of the
    window, which rolls. `containment` = (contained + assisted) / contacts; `low` and `high`: its 95 % interval.
    """

    tenant: Id
    queue: str | None = None
    intent: str | None = None
    span: TrendSpan
    starts_at: Micros
    revision: Count
    contacts: Count
    contained: Count
    assisted: Count
    escalated: Count
    abandoned: Count
    containment: Probability
    low: Probability
    high: Probability
    updated_at: Micros
