"""Containment of what is counted: the share of AI's contacts that no person had to finish, and how certain it is."""

from __future__ import annotations

import math
from typing import Any

from processors.analytics.logic.figures import ABANDONED, ASSISTED, BY_AI, CONTAINED, ESCALATED, Counts, total
from schemas.wfm import ContainmentRow

Z_95 = 1.959964
"""Standard normal quantile of 97.5 %."""


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % score interval of a proportion (Wilson 1927); of no trials, 0 to 1."""
    if trials == 0:
        return 0.0, 1.0
    rate, z2 = successes / trials, Z_95 * Z_95
    centre = (rate + z2 / (2 * trials)) / (1 + z2 / trials)
    half = Z_95 / (1 + z2 / trials) * math.sqrt(rate * (1 - rate) / trials + z2 / (4 * trials * trials))
    return max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half))


def row(about: dict[str, Any], counts: Counts) -> ContainmentRow:
    """Return the row of a cell. about: whose it is, of which span, and its revision."""
    kept, contacts = total(counts, (CONTAINED, ASSISTED)), total(counts, BY_AI)
    low, high = wilson(kept, contacts)
    return ContainmentRow(
        contacts=contacts,
        contained=counts.get(CONTAINED, 0),
        assisted=counts.get(ASSISTED, 0),
        escalated=counts.get(ESCALATED, 0),
        abandoned=counts.get(ABANDONED, 0),
        containment=kept / contacts if contacts else 0.0,
        low=low,
        high=high,
        **about,
    )
