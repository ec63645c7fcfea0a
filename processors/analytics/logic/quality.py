"""Quality of what is counted: how contacts ended, what customers and QA found, what they cost; AI's beside people's.

What cannot be known is null: no share of no answers, no cost where AI platforms or the policy state none.
"""

from __future__ import annotations

from typing import Any

from processors.analytics.logic.figures import ABANDONED, AI, PEOPLE, SIDES, WHY, Counts, Side, ended_name, total
from schemas.analytics import QualityOf, QualityRow
from schemas.fields import MICROS_PER_SECOND, Handling, Pool

MOST_REASONS = 32
"""Reasons of escalation told apart in a row, the most frequent; Trunkline's own are 21."""
OTHER_REASONS = "other"
_MILLIONTHS = 1_000_000
_HOUR_SECONDS = 3600.0
_ENDED = {
    handling.value: tuple({ended_name(pool, handling) for pool in Pool})
    for handling in Handling
    if handling is not Handling.IN_PROGRESS
}


def row(about: dict[str, Any], counts: Counts, people_per_hour: float | None) -> QualityRow:
    """Return the row of a cell. about: whose it is, of which span, and its revision."""
    ended: dict[str, Any] = {handling: total(counts, names) for handling, names in _ENDED.items()}
    had_by_ai = ended["ai_contained"] + ended["ai_assisted"] + ended["ai_escalated"] + counts.get(ABANDONED, 0)
    seconds = total(counts, [side.seconds for side in SIDES]) / MICROS_PER_SECOND
    cost = total(counts, [side.cost for side in SIDES])
    return QualityRow(
        contacts=sum(ended.values()),
        escalation_reasons=_reasons(counts),
        ai=_side(AI, had_by_ai, counts, people_per_hour),
        people=_side(PEOPLE, ended["human_only"], counts, people_per_hour),
        ai_cost=cost / _MILLIONTHS if cost else None,
        people_seconds=seconds,
        people_cost=_people_cost(seconds, people_per_hour),
        people_per_hour=people_per_hour,
        **ended,
        **about,
    )


def _side(side: Side, contacts: int, counts: Counts, people_per_hour: float | None) -> QualityOf:
    def of(figure: str) -> int:
        return counts.get(figure, 0)

    seconds = of(side.seconds) / MICROS_PER_SECOND
    people_cost = _people_cost(seconds, people_per_hour)
    # A platform that states no cost is not free. People alone have none of AI to state.
    ai_cost = None if side is AI and not of(side.cost) else of(side.cost) / _MILLIONTHS
    cost = None if ai_cost is None or people_cost is None or not contacts else (ai_cost + people_cost) / contacts
    resolved = _share(of(side.resolved), of(side.known))
    return QualityOf(
        contacts=contacts,
        resolution_known=of(side.known),
        resolved=of(side.resolved),
        csat_answers=of(side.answers),
        csat_satisfied=of(side.satisfied),
        csat=_share(of(side.satisfied), of(side.answers)),
        qa_sampled=of(side.sampled),
        qa_resolved=of(side.right),
        accuracy=_share(of(side.right), of(side.sampled)),
        ai_cost=ai_cost,
        people_seconds=seconds,
        people_cost=people_cost,
        cost_per_contact=cost,
        cost_per_resolved=None if cost is None or not resolved else cost / resolved,
    )


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _people_cost(seconds: float, people_per_hour: float | None) -> float | None:
    return None if people_per_hour is None else seconds / _HOUR_SECONDS * people_per_hour


def _reasons(counts: Counts) -> dict[str, int]:
    """Return contacts by why people took them over, the most frequent first, the rest as one."""
    found = sorted(
        ((name.removeprefix(WHY), number) for name, number in counts.items() if name.startswith(WHY)),
        key=lambda reason: (-reason[1], reason[0]),
    )
    rest = sum(number for _, number in found[MOST_REASONS:])
    return dict(found[:MOST_REASONS]) | ({OTHER_REASONS: rest} if rest else {})
