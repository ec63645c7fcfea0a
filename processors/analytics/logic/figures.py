"""What is counted of contacts that ended, and of what was found of them: numbers by name, those that are 0 left out.

- `<pool>/<handling>`: contacts by how they ended; the pool, `ai` or `people`, is that of their decision
- `why/<trigger>`: contacts of `ai_escalated`, by why people took them over
- `<side>.<figure>`, in whole numbers, so that sums are exact in any order: `cost` of AI's turns (millionths), `seconds`
  of people (microseconds, talk and wrap); `known` and `resolved`: contacts of which the completion says whether they
  were, and those that were; `answers` and `satisfied`: ratings of customers, and those of 4 and 5; `sampled` and
  `right`: findings of QA, and those of a matter settled rightly

A contact's side is `ai` where AI contained it, watched or not, or handed it on, or was to have it when the customer
left; `people` where people alone finished it; else `other`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from runtime.sketches import micros_of
from schemas.fields import GradedBy, Handling, Pool
from schemas.wfm import Finding, VolumeDelta

Counts = Mapping[str, int]


class Side(NamedTuple):
    """Names of the figures of one side."""

    cost: str
    seconds: str
    known: str
    resolved: str
    answers: str
    satisfied: str
    sampled: str
    right: str

    @classmethod
    def of(cls, side: str) -> Side:
        """Return the names."""
        return cls(*(f"{side}.{figure}" for figure in cls._fields))


def ended_name(pool: Pool, handling: Handling) -> str:
    """Return the name under which contacts are counted that were decided for a pool and ended so."""
    return f"{'people' if pool is Pool.HUMAN_EXCLUSIVE else 'ai'}/{handling}"


AI, PEOPLE, OTHER = SIDES = Side.of("ai"), Side.of("people"), Side.of("other")
OUTCOMES = (Handling.AI_CONTAINED, Handling.AI_ASSISTED, Handling.AI_ESCALATED, Handling.ABANDONED)
"""How a contact that was decided for AI ends, where it says anything of AI."""
OUTCOME_NAMES = CONTAINED, ASSISTED, ESCALATED, ABANDONED = tuple(
    ended_name(Pool.AI_CONTAINED, handling) for handling in OUTCOMES
)
BY_AI = frozenset(OUTCOME_NAMES)
"""The contacts of which containment is told."""
WHY = "why/"
COST_MOST = 100_000_000.0
"""A contact whose turns cost more is a mistake, and counts as this: a sum of 90,000 of them has 63 bits."""
_SATISFIED = 4
_AI_FINISHED = frozenset({Handling.AI_CONTAINED, Handling.AI_ASSISTED, Handling.AI_ESCALATED})


def of_close(delta: VolumeDelta) -> Counts:
    """Return what a contact that ended adds."""
    ended, side = _PLACES[delta.pool, delta.to_handling]
    counts = {ended: 1}
    if delta.trigger is not None and delta.to_handling is Handling.AI_ESCALATED:
        counts[WHY + delta.trigger] = 1
    if delta.ai_cost:
        counts[side.cost] = round(min(delta.ai_cost, COST_MOST) * 1e6)
    if delta.talk_seconds or delta.wrap_seconds:
        counts[side.seconds] = micros_of(delta.talk_seconds + delta.wrap_seconds)
    if delta.resolved is not None:
        counts[side.known] = 1
        if delta.resolved:
            counts[side.resolved] = 1
    return counts


def of_finding(finding: Finding) -> Counts:
    """Return what was found of a contact adds: nothing where it is neither a rating nor of QA."""
    _, side = _PLACES[finding.pool, finding.handling]
    counts: dict[str, int] = {}
    if finding.csat is not None:
        counts[side.answers] = 1
        if finding.csat >= _SATISFIED:
            counts[side.satisfied] = 1
    if finding.by is GradedBy.QA and finding.resolved is not None:
        counts[side.sampled] = 1
        if finding.resolved:
            counts[side.right] = 1
    return counts


def add(counts: dict[str, int], more: Counts) -> None:
    """Add what is counted elsewhere."""
    for name, number in more.items():
        counts[name] = counts.get(name, 0) + number


def plus(counts: Counts, more: Counts) -> dict[str, int]:
    """Return the sum of two."""
    both = dict(counts)
    add(both, more)
    return both


def minus(counts: Counts, less: Counts) -> dict[str, int]:
    """Return what is left of counts of which others are a part."""
    return {name: left for name, number in counts.items() if (left := number - less.get(name, 0))}


def total(counts: Counts, names: Iterable[str]) -> int:
    """Return the sum of some of them."""
    return sum([counts[name] for name in names if name in counts])


def _side(pool: Pool, handling: Handling) -> Side:
    if handling is Handling.HUMAN_ONLY:
        return PEOPLE
    left_ai = handling is Handling.ABANDONED and pool is not Pool.HUMAN_EXCLUSIVE
    return AI if left_ai or handling in _AI_FINISHED else OTHER


_PLACES = {
    (pool, handling): (ended_name(pool, handling), _side(pool, handling)) for pool in Pool for handling in Handling
}
"""Of each pool and handling: the name under which the contact is counted, and its side."""
