"""Every event type of the wire contract, by name, and its Avro schema.

The types are the contract: `python -m schemas.avro_schema` writes `schemas/avro/*.avsc` from them, and
the contract tests hold the two together. To add a record: add the type to a module below
(with parts in fields, rules and triggers), name it in `EVENT_TYPES`, run `make schemas`.
"""

from __future__ import annotations

from schemas import agents, analytics, control, conversations, interactions, supervision, views, webhooks, wfm
from schemas.fields import Event

EVENT_TYPES: tuple[type[Event], ...] = (
    interactions.Offered,
    interactions.Classified,
    interactions.Decision,
    interactions.Turn,
    interactions.Completed,
    interactions.TimerDue,
    interactions.TimerSet,
    interactions.Closed,
    interactions.Feedback,
    interactions.Released,
    conversations.ChannelSwitched,
    conversations.Claim,
    conversations.HandoffAck,
    supervision.Verdict,
    conversations.MoveRequest,
    conversations.AgentLost,
    supervision.SupervisorGiven,
    supervision.SupervisorPresence,
    supervision.SupervisionWanted,
    supervision.SupervisionEnded,
    conversations.Handoff,
    conversations.Moved,
    conversations.Assignment,
    conversations.AnswerRefused,
    supervision.SupervisionRequest,
    supervision.SupervisionResult,
    views.SessionView,
    views.TurnView,
    conversations.Alert,
    agents.Outcome,
    agents.Tick,
    agents.BreakerCommand,
    agents.Transition,
    agents.ContactOutcome,
    agents.Graded,
    agents.ProviderStatus,
    agents.ProbeRequest,
    wfm.VolumeDelta,
    wfm.Finding,
    wfm.Impact,
    wfm.VolumeRow,
    analytics.HandleTimeRow,
    wfm.CapacitySignal,
    wfm.StaffingRequirement,
    wfm.SpareCapacity,
    wfm.Held,
    wfm.ContainmentRow,
    analytics.QualityRow,
    control.Policy,
    control.ModelAssignment,
    control.KillSwitch,
    control.Availability,
    control.QueuePlan,
    control.ClockSetting,
    control.Fault,
    webhooks.WebhookSubscription,
    webhooks.WebhookDisabled,
)

BY_NAME: dict[str, type[Event]] = {kind.__name__: kind for kind in EVENT_TYPES}
