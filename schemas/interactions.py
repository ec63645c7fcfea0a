"""Events about one contact: offered, decided, handled turn by turn, closed."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from schemas.fields import (
    Channel,
    Count,
    Csat,
    Direction,
    Disposition,
    Epoch,
    Event,
    FinishedBy,
    GradedBy,
    Handling,
    Id,
    Micros,
    Milliseconds,
    Money,
    Name,
    Pool,
    Probability,
    Seconds,
    Supervision,
    TurnResult,
)
from schemas.rules import Amount, Sentiment, Triggers, Years

Text = Annotated[str, Meta(max_length=100_000, description="what the customer wrote or said; may hold personal data")]


class Classification(Event, frozen=True, kw_only=True):
    """An intent with the confidence that it is the right one."""

    intent: Name
    confidence: Probability
    runner_up: Name | None = None
    runner_up_gap: Probability = 1.0
    model: str = ""


class Handover(Event, frozen=True, kw_only=True):
    """Says that an offer is of a contact that is under way and needs another agent. Written by sessions.

    `epoch`: of the session from now on; the decision bears it. `excluded`: agents that are not to have it.
    """

    epoch: Epoch
    excluded: tuple[str, ...] = ()
    reason: str = ""


class Offered(Event, frozen=True, kw_only=True):
    """A contact arrives. Written by the ACD, read by the router.

    `classification` is present where intent was determined elsewhere. `region`: of the customer, for data residency.
    `flags`: what is known of customer or contact that a policy may go by, such as `automation_opt_out`. `source`: where
    it came from, such as a number, an address or a campaign, for limits.
    """

    interaction_id: Id
    tenant: Id
    channel: Channel
    text: Text
    occurred_at: Micros
    language: str = "en"
    segment: str = "standard"
    customer_id: str | None = None
    classification: Classification | None = None
    region: str | None = None
    flags: tuple[str, ...] = ()
    direction: Direction = Direction.INBOUND
    age_years: Years | None = None
    source: str | None = None
    handover: Handover | None = None


class Classified(Event, frozen=True, kw_only=True):
    """The intent that the router worked with (for anyone; nothing in Trunkline reads it)."""

    interaction_id: Id
    tenant: Id
    classification: Classification
    occurred_at: Micros


class Thresholds(Event, frozen=True, kw_only=True):
    """Least confidence for AI alone, and for AI with a person watching."""

    contained: Probability
    assisted: Probability


DEFAULT_THRESHOLDS = Thresholds(contained=0.92, assisted=0.75)
"""Of a tenant whose policy does not say, and of measurements."""


class Reason(Event, frozen=True, kw_only=True):
    """One step of a decision, in the order in which it was taken. `code` is stable."""

    code: Name
    detail: str = ""


class Load(Event, frozen=True, kw_only=True):
    """What a decision depended on besides its event and the control topics.

    `store_down`: Redis did not answer, so a repeat could not be recognised.
    `probe_permits`: endpoint -> probes that this contact's partition had left, for
    endpoints in HALF_OPEN. `full`: agents that have all the contacts that they may have at once.
    `limited`: limits of the policy that this contact is above. `spare`: contacts that people of its queue may still
    get from this contact's partition, where spillover is metered and AI is away.
    """

    store_down: bool = False
    probe_permits: dict[str, int] = {}
    full: tuple[str, ...] = ()
    limited: tuple[str, ...] = ()
    spare: Count | None = None


class Instructions(Event, frozen=True, kw_only=True):
    """Standing orders for the AI agent and who watches it, from the policy.

    `say`: disclosures, before all else. `approve`: what waits for a person's approval. `escalate`: when the
    conversation goes to a person. `notes`: the policy's own words on the intent.
    """

    say: tuple[str, ...] = ()
    approve: Triggers | None = None
    escalate: Triggers | None = None
    notes: tuple[str, ...] = ()


class Customer(Event, frozen=True, kw_only=True):
    """What the offer stated of the customer, as on `Offered`."""

    customer_id: str | None = None
    region: str | None = None
    flags: tuple[str, ...] = ()
    age_years: Years | None = None
    direction: Direction = Direction.INBOUND


class Decision(Event, frozen=True, kw_only=True):
    """The decision record: who handles the contact and why.

    Written by the router to `interactions.routed` and to the inbox of sessions, where it is
    the event `decided`. A pure function of the offer, of the control topics at `epochs`
    (topic -> offset of the last record applied, -1 when empty; of `models`, the record by which the
    contact was classified, -1 for the router's own model) and of `load`.
    A record with disposition `repeat` is no decision: `pool` is null and
    `first_decision_id` names the decision that stands. `instructions`: for the agent, where the
    policy has any and AI has the contact. `session_epoch`: 0, or that of the handover which it answers: the agent puts
    it on its turns. `customer`: null where the offer stated nothing. `parallel`: agent and people both claim it.
    `priority`: of its segment while AI is away. `notice`: what the ACD is to tell the customer. `hold_until`: a
    contact that is held waits in the buffer until then, and goes to people. `displaced`: an AI agent would have had
    it, had one that the policy allows been available; it is so whether it goes to people, waits, is deflected or
    called back. What `tightening` sends to people is not: it goes whatever room there is, as people's own contacts do.
    """

    decision_id: Id
    interaction_id: Id
    tenant: Id
    channel: Channel
    language: str
    segment: str
    intent: Name
    confidence: Probability
    runner_up_gap: Probability
    model: str
    pool: Pool | None
    supervision: Supervision | None
    disposition: Disposition
    queue: Name
    endpoint: str | None = None
    endpoint_version: str | None = None
    provider: str | None = None
    breaker_epoch: Epoch = 0
    thresholds: Thresholds
    reasons: tuple[Reason, ...]
    epochs: dict[str, int]
    load: Load
    first_decision_id: str | None = None
    offered_partition: Count
    offered_offset: Count
    offered_at: Micros
    decided_at: Micros
    instructions: Instructions | None = None
    session_epoch: Epoch = 0
    customer: Customer | None = None
    parallel: bool = False
    priority: int = 0
    notice: str | None = None
    hold_until: Micros | None = None
    displaced: bool = False


class Fact(Event, frozen=True, kw_only=True):
    """Something that was found out in a conversation, by the platform's name for it."""

    name: Name
    value: str


class Turn(Event, frozen=True, kw_only=True):
    """One answer of an AI agent, or its failure to give one. Written by the AI platform.

    `number` counts the agent's turns under this `epoch` from 1; the epoch is that of the decision which gave it the
    contact (`Decision.session_epoch`). `quality` is the platform's own estimate that the answer was right, where it has
    one. `occurred_at` is when the call ended. What the platform knows besides, each where it does: `channel`, where the
    contact has changed it; what was said; the customer's `sentiment`; `amount` of money at stake; flagged `topics`;
    whether the customer is `out_of_scope` or asks for a person; the `intent` that another agent is needed for;
    its own `assessment` of the matter; what it has `tried` and the `facts` that it found out in this turn; `tokens` and
    `cost` of the turn; how long the agent asks to be left alone (`retry_after_seconds`, as in HTTP); `no_progress`.
    """

    interaction_id: Id
    tenant: Id
    number: Annotated[int, Meta(ge=1, description="1 for the first turn")]
    endpoint: Name
    version: str
    result: TurnResult
    latency_ms: Milliseconds
    quality: Probability | None = None
    occurred_at: Micros
    epoch: Epoch = 0
    channel: Channel | None = None
    customer_text: Text | None = None
    agent_text: Text | None = None
    sentiment: Sentiment | None = None
    amount: Amount | None = None
    topics: tuple[str, ...] = ()
    out_of_scope: bool = False
    person_asked: bool = False
    intent: Name | None = None
    intent_confidence: Probability = 1.0
    assessment: Text | None = None
    tried: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    tokens: Count = 0
    cost: Money = 0.0
    retry_after_seconds: Seconds | None = None
    no_progress: bool = False


class Feedback(Event, frozen=True, kw_only=True):
    """What QA, the platform or the customer found of a contact, as soon as it is known: at most a day after it.

    Each field where it is known. `resolved`: the customer's matter was settled rightly. `hallucination`: the agent
    said what is not so. `repeat_contact`: the customer has come again for the same matter.
    """

    interaction_id: Id
    tenant: Id
    by: GradedBy
    resolved: bool | None = None
    csat: Csat | None = None
    hallucination: bool | None = None
    repeat_contact: bool | None = None
    occurred_at: Micros


class Released(Event, frozen=True, kw_only=True):
    """A contact that was held may go to people. Written by staffing."""

    interaction_id: Id
    tenant: Id
    queue: Name
    reason: Name
    occurred_at: Micros


class Completed(Event, frozen=True, kw_only=True):
    """A contact is over. Written by the ACD or the AI platform.

    `ai_turns` is how many turns AI agents took, under all epochs: the session waits for that many.
    """

    interaction_id: Id
    tenant: Id
    finished_by: FinishedBy
    ai_turns: Count
    watched: bool = False
    resolved: bool | None = None
    ai_seconds: Seconds = 0.0
    wait_seconds: Seconds = 0.0
    talk_seconds: Seconds = 0.0
    wrap_seconds: Seconds = 0.0
    occurred_at: Micros


class TimerDue(Event, frozen=True, kw_only=True):
    """The instant that a session asked to be woken at has come. Written by the clock."""

    interaction_id: Id
    due_at: Micros


class TimerSet(Event, frozen=True, kw_only=True):
    """When a session next wants waking; a tombstone takes the wish back.

    `agent`: key of the AI agent (`schemas.topics.endpoint_key`) whose breaker, should it open in a later epoch than
    `breaker_epoch`, wakes the session too.
    """

    interaction_id: Id
    due_at: Micros
    agent: str | None = None
    breaker_epoch: Epoch = 0


class Closed(Event, frozen=True, kw_only=True):
    """Exactly one per decided contact: its final handling and where the time went.

    `pool` and `confidence` are those of its decision; null in records of before they were kept.
    """

    interaction_id: Id
    tenant: Id
    decision_id: Id
    channel: Channel
    language: str
    segment: str
    intent: Name
    queue: Name
    handling: Handling
    endpoint: str | None = None
    endpoint_version: str | None = None
    ai_turns: Count
    resolved: bool | None = None
    ai_seconds: Seconds
    wait_seconds: Seconds
    talk_seconds: Seconds
    wrap_seconds: Seconds
    offered_at: Micros
    closed_at: Micros
    pool: Pool | None = None
    confidence: Probability | None = None
