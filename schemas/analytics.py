"""Rows of analytics besides volumes and containment: where contacts' time goes, how good they are, what they cost."""

from __future__ import annotations

from schemas.fields import Channel, Count, Event, Handling, Id, Micros, Money, Name, Probability, Seconds
from schemas.wfm import TrendSpan


class TimeSketch(Event, frozen=True, kw_only=True):
    """Durations of contacts, to be merged with others: sums add up, and so do the counts of a bin.

    `counts[n]` of them are in bin `indexes[n]`: above g^(i-1) and at most g^i seconds, with g = (1 + a) / (1 - a) and a
    the row's relative accuracy; `zeros` are 0. Quantiles are 2 g^i / (g + 1). Null where there is no contact.
    """

    sum_seconds: Seconds
    mean_seconds: Seconds | None
    p50_seconds: Seconds | None
    p90_seconds: Seconds | None
    p95_seconds: Seconds | None
    p99_seconds: Seconds | None
    zeros: Count
    indexes: tuple[int, ...]
    counts: tuple[int, ...]


class HandleTimeRow(Event, frozen=True, kw_only=True):
    """Times of the contacts of a cell that ended so: an upsert, accepted when its revision is equal or above.

    By arrival interval, as volumes; `late` as on VolumeRow. `handle` = ai + talk + wrap of each contact: what it took
    of whoever had it, waiting aside; of `human_only` that is the AHT of people.
    """

    tenant: Id
    queue: Name
    channel: Channel
    handling: Handling
    interval_start: Micros
    revision: Count
    contacts: Count
    relative_accuracy: Probability
    ai: TimeSketch
    wait: TimeSketch
    talk: TimeSketch
    wrap: TimeSketch
    handle: TimeSketch
    updated_at: Micros
    late: bool = False


class QualityOf(Event, frozen=True, kw_only=True):
    """Quality of AI's contacts, or of people's. What cannot be known is null.

    `resolved` of `resolution_known`, as completions say. `csat` = satisfied (4 and 5) / answers. `accuracy` = resolved
    / sampled, as QA found. `people_cost`: of talk and wrap, by the policy's `costs`. `cost_per_contact` = (ai_cost +
    people_cost) / contacts; `cost_per_resolved` = that over the share resolved.
    """

    contacts: Count
    resolution_known: Count
    resolved: Count
    csat_answers: Count
    csat_satisfied: Count
    csat: Probability | None
    qa_sampled: Count
    qa_resolved: Count
    accuracy: Probability | None
    ai_cost: Money | None
    people_seconds: Seconds
    people_cost: Money | None
    cost_per_contact: Money | None
    cost_per_resolved: Money | None


class QualityRow(Event, frozen=True, kw_only=True):
    """Quality and cost of one tenant, queue or intent over a span of time: an upsert by revision.

    `queue`, `intent`, `span` and `starts_at` as on ContainmentRow. `contacts` that ended, by handling. `ai`: of those
    that AI contained, watched or not, or handed on, or was to have when the customer left; `people`: of those that
    people alone finished, the baseline. `escalation_reasons`: contacts of `ai_escalated` by trigger, the most frequent
    32, the rest as `other`; none for those of which nobody said why. Costs are of all contacts. `people_per_hour`: by
    which people's are reckoned, null where the policy does not say.
    """

    tenant: Id
    queue: str | None = None
    intent: str | None = None
    span: TrendSpan
    starts_at: Micros
    revision: Count
    contacts: Count
    ai_contained: Count
    ai_assisted: Count
    ai_escalated: Count
    human_only: Count
    deflected: Count
    abandoned: Count
    escalation_reasons: dict[str, int]
    ai: QualityOf
    people: QualityOf
    ai_cost: Money | None
    people_seconds: Seconds
    people_cost: Money | None
    people_per_hour: Money | None
    updated_at: Micros
