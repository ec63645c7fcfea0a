"""The topic registry: what is not named here does not exist.

`trunkline topics create` makes the topics from it and `docs/topics.md` is generated from it.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import quote

from schemas import agents, analytics, control, conversations, interactions, supervision, views, webhooks, wfm
from schemas.fields import Event
from schemas.policy_check import check_kill, check_plan, check_policy

DAY_MS = 24 * 60 * 60 * 1000


class Layout(enum.Enum):
    """How many partitions a topic has: fixed at creation."""

    KEYED = "keyed"
    """24, or 4 embedded: order is per key."""
    CONTROL = "control"
    """1: everyone reads all of it, in one order."""


@dataclasses.dataclass(frozen=True, slots=True)
class Topic:
    """One topic: its name before the configurable prefix, its key, what it carries and who uses it.

    `dead_letters`: a record that its reader cannot use goes to `<name>.dlq`.
    `restricted`: holds customers' own words; give it an ACL of its own.
    `inbox`: only services of ours read it, and none looks at headers: ours write none to it.
    `check`: raises RecordError for an event that fits its type and makes no sense; followers skip such a record.
    """

    name: str
    about: str
    key: str
    key_of: Callable[[Any], str]
    types: tuple[type[Event], ...]
    writers: tuple[str, ...]
    readers: tuple[str, ...]
    layout: Layout = Layout.KEYED
    compacted: bool = False
    retention_ms: int = 7 * DAY_MS
    dead_letters: bool = False
    restricted: bool = False
    inbox: bool = False
    check: Callable[[Any], None] = lambda _event: None

    @property
    def dead_letter_name(self) -> str:
        """Name of the dead-letter topic that belongs to this one."""
        return f"{self.name}.dlq"


class Effect(NamedTuple):
    """What a pure step wants written: an event to a topic, or a tombstone under `key`.

    The key of an event is the topic's own; `key` is read only where `event` is None.
    """

    topic: Topic
    event: Event | None
    key: str = ""


def _interaction(event: Any) -> str:
    return str(event.interaction_id)


def _joined(separator: str, *parts: str) -> str:
    """Join parts so that no two different lists give the same key: a separator inside one is escaped."""
    joined = separator.join(parts)
    if "%" not in joined and joined.count(separator) == len(parts) - 1:
        return joined
    return separator.join(quote(p, safe="") if separator in p or "%" in p else p for p in parts)


def _tenant(event: Any) -> str:
    return str(event.key if isinstance(event, agents.Tick) else event.tenant)


def provider_key(tenant: str, provider: str) -> str:
    """Key of a provider's agents in `agents.events`: providers are watched tenant by tenant."""
    return _joined("/", tenant, provider)


def _provider(event: Any) -> str:
    return str(event.key) if isinstance(event, agents.Tick) else provider_key(event.tenant, event.provider)


def contact_key(tenant: str, interaction_id: str) -> str:
    """Name of a contact among all tenants': interaction ids are per tenant."""
    return _joined("/", tenant, interaction_id)


def endpoint_key(tenant: str, endpoint: str) -> str:
    """Key of an endpoint's breaker: endpoint ids are per tenant."""
    return _joined("/", tenant, endpoint)


def _endpoint(event: Any) -> str:
    return endpoint_key(event.tenant, event.endpoint)


def breaker_key(tenant: str, endpoint: str, version: str | None = None) -> str:
    """Key of a breaker: an endpoint's, or that of one version of it alone."""
    return endpoint_key(tenant, endpoint) if version is None else _joined("/", tenant, endpoint, version)


def _breaker(event: Any) -> str:
    return breaker_key(event.tenant, event.endpoint, event.version)


def _trend(row: Any) -> str:
    # Of the rolling five minutes only the latest row counts.
    starts_at = "" if row.span is wfm.TrendSpan.MINUTES_5 else str(row.starts_at)
    return _joined("|", row.tenant, row.queue or "", row.intent or "", row.span, starts_at)


def kill_key(order: control.KillSwitch) -> str:
    """Key of what an order is about."""
    return kill_scope(order.tenant, order.endpoint)


def kill_scope(tenant: str | None, endpoint: str | None = None) -> str:
    """Key of the orders about an agent, a tenant, or all."""
    if tenant is None:
        return "all"
    return _joined("/", "tenant", tenant) if endpoint is None else _joined("/", "agent", tenant, endpoint)


def _cell(row: Any) -> str:
    return _joined("|", row.tenant, row.queue, row.intent, row.channel, row.language, _interval(row))


def _times(row: Any) -> str:
    return _joined("|", row.tenant, row.queue, row.channel, row.handling, _interval(row))


def _interval(row: Any) -> str:
    return "late" if row.late else str(row.interval_start)


def queue_key(tenant: str, queue: str) -> str:
    """Key of a queue of people: queues are each tenant's own."""
    return _joined("|", tenant, queue)


def _queue(event: Any) -> str:
    return queue_key(event.tenant, event.queue)


def _plan(event: Any) -> str:
    return _joined("|", event.tenant, event.queue, str(event.starts_at))


def view_key(interaction_id: str) -> str:
    """Key of a contact in `sessions.views`, which no turn of another contact has."""
    return _joined("/", interaction_id)


def turn_key(interaction_id: str, epoch: int, turn: int) -> str:
    """Key of one turn in `sessions.views`."""
    return _joined("/", interaction_id, f"turn-{epoch}-{turn}")


def disabled_key(subscription: str) -> str:
    """Key of the word that a subscription's receiver is gone."""
    return _joined("/", subscription, "disabled")


def _subscription(event: Any) -> str:
    gone = isinstance(event, webhooks.WebhookDisabled)
    return disabled_key(event.subscription) if gone else _joined("/", event.subscription)


def _view(event: Any) -> str:
    if isinstance(event, views.TurnView):
        return turn_key(event.interaction_id, event.exchange.epoch, event.exchange.turn)
    return view_key(event.interaction_id)


OFFERED = Topic(
    "interactions.offered", "a contact arrives, or needs another agent", "interaction_id", _interaction,
    (interactions.Offered,), ("ACD", "sessions"), ("router",), dead_letters=True, restricted=True,
)  # fmt: skip
CLASSIFIED = Topic(
    "interactions.classified", "intent and confidence", "interaction_id", _interaction,
    (interactions.Classified,), ("router",), ("anyone",),
)  # fmt: skip
ROUTED = Topic(
    "interactions.routed", "the decision record", "interaction_id", _interaction, (interactions.Decision,),
    ("router",), ("ACD", "AI platforms"),
)  # fmt: skip
INTERACTION_EVENTS = Topic(
    "interactions.events", "inbox of sessions: decided, turn, completed, claim, handoff_ack, verdict, timer, ...",
    "interaction_id", _interaction,
    (interactions.Decision, interactions.Turn, interactions.Completed, interactions.TimerDue,
     conversations.ChannelSwitched, conversations.Claim, conversations.HandoffAck, supervision.Verdict,
     conversations.MoveRequest, conversations.AgentLost, supervision.SupervisorGiven, interactions.Feedback,
     interactions.Released),
    ("router", "AI platforms", "ACD", "desktops", "QA", "clock", "supervisors", "staffing", "sessions"), ("sessions",),
    dead_letters=True, restricted=True, inbox=True,
)  # fmt: skip
ASSIGNMENTS = Topic(
    "interactions.assignments", "who has a contact now: races won, moves between pools, answers refused",
    "interaction_id", _interaction,
    (conversations.Assignment, conversations.Moved, conversations.AnswerRefused),
    ("sessions",), ("ACD", "AI platforms", "counts"),
)  # fmt: skip
HANDOFFS = Topic(
    "conversations.handoffs", "warm transfers: one packet each, with its fencing epoch", "interaction_id",
    _interaction, (conversations.Handoff,), ("sessions",), ("ACD", "desktops"),
)  # fmt: skip
SUPERVISION_REQUESTS = Topic(
    "supervision.requests", "AI answers that wait for a verdict, and what became of them", "interaction_id",
    _interaction, (supervision.SupervisionRequest, supervision.SupervisionResult), ("sessions",),
    ("desktops", "AI platforms"),
)  # fmt: skip
SUPERVISION_EVENTS = Topic(
    "supervision.events", "inbox of supervisors: presence, wanted, ended", "tenant", _tenant,
    (supervision.SupervisorPresence, supervision.SupervisionWanted, supervision.SupervisionEnded),
    ("desktops", "sessions"), ("supervisors",), dead_letters=True, inbox=True,
)  # fmt: skip
SESSION_VIEWS = Topic(
    "sessions.views", "contacts as others may look them up, redacted, with a revision",
    "interaction_id, or interaction_id/turn-EPOCH-NUMBER", _view, (views.SessionView, views.TurnView),
    ("sessions",), ("copies",), compacted=True, inbox=True,
)  # fmt: skip
ALERTS = Topic(
    "alerts", "what people must put right", "tenant", _tenant, (conversations.Alert,),
    ("sessions", "health", "analytics", "webhooks-sender"), ("anyone",),
)  # fmt: skip
CLOSED = Topic(
    "interactions.closed", "exactly one per contact: final handling and time components", "interaction_id",
    _interaction, (interactions.Closed,), ("sessions",), ("exports", "counts"),
)  # fmt: skip
TIMERS = Topic(
    "timers", "when a session next wants waking", "interaction_id", _interaction, (interactions.TimerSet,),
    ("sessions",), ("clock",), compacted=True, inbox=True,
)  # fmt: skip
AGENT_EVENTS = Topic(
    "agents.events", "inbox of the health monitor: outcome, graded, tick, command, ...", "tenant/provider", _provider,
    (agents.Outcome, agents.ContactOutcome, agents.Graded, agents.ProviderStatus, agents.Tick, agents.BreakerCommand),
    ("sessions", "AI platforms", "clock", "operators"), ("health",), dead_letters=True, inbox=True,
)  # fmt: skip
TRANSITIONS = Topic(
    "breakers.transitions", "a breaker's change of state, with evidence", "tenant/endpoint[/version]", _breaker,
    (agents.Transition,), ("health",), ("router", "clock", "health", "live view", "anyone"), layout=Layout.CONTROL,
    retention_ms=-1,
)  # fmt: skip
BREAKER_STATE = Topic(
    "breakers.state", "the latest transition of each breaker", "tenant/endpoint[/version]", _breaker,
    (agents.Transition,), ("health",), ("anyone",), compacted=True,
)  # fmt: skip
PROBES = Topic(
    "agents.probes", "calls without a customer, wanted of a recovering agent", "tenant/endpoint", _endpoint,
    (agents.ProbeRequest,), ("health",), ("AI platforms",),
)  # fmt: skip
WFM_EVENTS = Topic(
    "wfm.events", "inbox of analytics and staffing: delta, finding, impact, held, tick", "tenant", _tenant,
    (wfm.VolumeDelta, wfm.Finding, wfm.Impact, wfm.Held, agents.Tick), ("sessions", "health", "clock"),
    ("analytics", "staffing"),
    dead_letters=True, inbox=True,
)  # fmt: skip
VOLUME = Topic(
    "wfm.volume", "volumes by cell and 15-minute interval: upserts with a revision", "tenant and cell", _cell,
    (wfm.VolumeRow,), ("analytics",), ("WFM", "live view"), compacted=True,
)  # fmt: skip
HANDLE_TIME = Topic(
    "wfm.handle-time", "times of contacts by cell and 15-minute interval, as sketches: upserts with a revision",
    "tenant and cell", _times, (analytics.HandleTimeRow,), ("analytics",), ("WFM", "live view"), compacted=True,
)  # fmt: skip
CAPACITY = Topic(
    "wfm.capacity", "AI capacity lost, by queue: upserts with a revision", "tenant and queue", _queue,
    (wfm.CapacitySignal,), ("staffing",), ("WFM", "live view"),
)  # fmt: skip
STAFFING = Topic(
    "wfm.staffing", "people required, by queue: upserts with a revision", "tenant and queue", _queue,
    (wfm.StaffingRequirement,), ("staffing",), ("WFM", "live view"), layout=Layout.CONTROL, retention_ms=-1,
)  # fmt: skip
SPARE = Topic(
    "wfm.spare", "contacts that people may still get while AI is away, by queue: upserts with a revision",
    "tenant and queue", _queue, (wfm.SpareCapacity,), ("staffing",), ("router", "WFM"), layout=Layout.CONTROL,
    retention_ms=-1,
)  # fmt: skip
CONTAINMENT = Topic(
    "wfm.containment", "containment over 5 minutes, hour, day, week and month: upserts with a revision",
    "tenant, queue, intent, span and start", _trend, (wfm.ContainmentRow,), ("analytics",), ("WFM", "live view"),
    compacted=True,
)  # fmt: skip
QUALITY = Topic(
    "wfm.quality", "quality and cost of AI's contacts and people's, over the same spans: upserts with a revision",
    "tenant, queue, intent, span and start", _trend, (analytics.QualityRow,), ("analytics",), ("WFM", "live view"),
    compacted=True,
)  # fmt: skip
POLICY = Topic(
    "policy", "what a tenant wants: agents, queues, thresholds", "tenant", _tenant, (control.Policy,),
    ("operators",), ("router", "clock", "health", "staffing", "sessions", "analytics", "bridge"),
    layout=Layout.CONTROL, retention_ms=-1, dead_letters=True, check=check_policy,
)  # fmt: skip
COMMANDS = Topic(
    "commands", "kill switches: AI gets no contact", "'all', tenant/TENANT or agent/TENANT/ENDPOINT", kill_key,
    (control.KillSwitch,), ("operators",), ("router", "clock", "health"), layout=Layout.CONTROL, retention_ms=-1,
    dead_letters=True, check=check_kill,
)  # fmt: skip
AVAILABILITY = Topic(
    "wfm.availability", "how many people a queue needs and has", "tenant and queue", _queue, (control.Availability,),
    ("WFM", "bridge"), ("router", "staffing", "bridge"), layout=Layout.CONTROL, retention_ms=-1,
)  # fmt: skip
PLANS = Topic(
    "wfm.plans", "interval plans of a queue: contacts, handle time, people", "tenant, queue and start", _plan,
    (control.QueuePlan,), ("WFM", "bridge"), ("staffing", "bridge"), layout=Layout.CONTROL, retention_ms=-1,
    check=check_plan,
)  # fmt: skip
MODELS = Topic(
    "models", "which model finds the intents of a tenant's contacts", "tenant, or '*' for all others", _tenant,
    (control.ModelAssignment,), ("operators",), ("router",), layout=Layout.CONTROL, retention_ms=-1,
)  # fmt: skip
WEBHOOKS = Topic(
    "webhooks", "who is sent what over HTTP; its dead letters are what receivers did not take",
    "subscription, or subscription/disabled", _subscription,
    (webhooks.WebhookSubscription, webhooks.WebhookDisabled), ("operators", "webhooks-sender"), ("webhooks-sender",),
    layout=Layout.CONTROL, retention_ms=-1, dead_letters=True,
)  # fmt: skip
CLOCK = Topic(
    "clock", "how Trunkline's time runs", "'clock'", lambda _event: "clock", (control.ClockSetting,),
    ("simulator",), ("all services",), layout=Layout.CONTROL, retention_ms=-1,
)  # fmt: skip
FAULTS = Topic(
    "simulator.faults", "orders to the simulated AI fleet", "endpoint", lambda event: str(event.endpoint),
    (control.Fault,), ("operators",), ("simulator",), layout=Layout.CONTROL,
)  # fmt: skip

TOPICS: tuple[Topic, ...] = (
    OFFERED, CLASSIFIED, ROUTED, INTERACTION_EVENTS, ASSIGNMENTS, HANDOFFS, SUPERVISION_REQUESTS, SUPERVISION_EVENTS,
    SESSION_VIEWS, ALERTS, CLOSED, TIMERS, AGENT_EVENTS, TRANSITIONS, BREAKER_STATE, PROBES,
    WFM_EVENTS, VOLUME, HANDLE_TIME, CAPACITY, STAFFING, SPARE, CONTAINMENT, QUALITY,
    POLICY, COMMANDS, AVAILABILITY, PLANS, MODELS, WEBHOOKS, CLOCK, FAULTS,
)  # fmt: skip
ANY_TENANT = "*"
"""Key of `models` that stands for every tenant without a model of its own."""
SCHEMAS_NAME = "schemas"
"""Compacted topic of plain JSON: fingerprint -> Avro schema, published by writers at start."""

BY_NAME: dict[str, Topic] = {topic.name: topic for topic in TOPICS}
