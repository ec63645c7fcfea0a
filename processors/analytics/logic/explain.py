"""Which intents explain a fall in containment: within each, or by how many of them there are (the mix).

The decomposition of a difference between two rates (Kitagawa, Journal of the American Statistical Association 50,
1955; shift-share): with s an intent's share of contacts, r its rate of contacts that were not contained and R the mean
of both overall rates,

    within = (r1 - r0) * (s0 + s1) / 2        mix = (s1 - s0) * ((r0 + r1) / 2 - R)

Their sum over all intents is the fall exactly. R is taken off so that more of an intent counts against containment
only where it is harder than the average; the shares sum to 1, so the sum is the same with and without.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import NamedTuple

from processors.analytics.logic.fall import OTHER, Counts, Fall
from schemas.fields import MICROS_PER_SECOND

EXPLAINED = 0.8
"""Part of the fall that the intents named explain together at least, where five of them do."""
MOST_CAUSES = 5


class Cause(NamedTuple):
    """What one intent has to do with a fall. `within` and `mix`: what they take off the containment of all, 0 to 1.

    Containment and share of contacts: before and since; an intent without contacts at one time has there the
    containment of the other.
    """

    intent: str
    within: float
    mix: float
    containment: tuple[float, float]
    share: tuple[float, float]

    @property
    def total(self) -> float:
        """What the intent takes off the containment of all, 0 to 1; negative where it adds."""
        return self.within + self.mix


class Explanation(NamedTuple):
    """Why containment fell from `before` to `after`. `causes`: those that explain most of it, largest first."""

    before: float
    after: float
    within: float
    mix: float
    causes: tuple[Cause, ...]


def decompose(before: Mapping[str, Counts], after: Mapping[str, Counts]) -> tuple[Cause, ...]:
    """Return each intent's part in the fall between two times, each with contacts, largest first."""
    (n0, k0), (n1, k1) = _total(before), _total(after)
    mean = (k0 / n0 + k1 / n1) / 2
    causes = []
    for intent in before.keys() | after.keys():
        (c0, f0), (c1, f1) = before.get(intent, (0.0, 0.0)), after.get(intent, (0.0, 0.0))
        if not c0 and not c1:
            continue
        r0 = f0 / c0 if c0 else f1 / c1
        r1 = f1 / c1 if c1 else r0
        s0, s1 = c0 / n0, c1 / n1
        within, mix = (r1 - r0) * (s0 + s1) / 2, (s1 - s0) * ((r0 + r1) / 2 - mean)
        causes.append(Cause(intent, within, mix, (1 - r0, 1 - r1), (s0, s1)))
    return tuple(sorted(causes, key=lambda cause: (-cause.total, cause.intent)))


def explain(fall: Fall) -> Explanation:
    """Return what explains a fall: the largest causes up to 80 % of it, at most five."""
    (n0, k0), (n1, k1) = _total(fall.before), _total(fall.after)
    everything = decompose(fall.before, fall.after)
    named: list[Cause] = []
    goal = EXPLAINED * (k1 / n1 - k0 / n0)
    for cause in everything[:MOST_CAUSES]:
        if cause.total <= 0 or sum(each.total for each in named) >= goal:
            break
        named.append(cause)
    within, mix = sum(each.within for each in everything), sum(each.mix for each in everything)
    return Explanation(1 - k0 / n0, 1 - k1 / n1, within, mix, tuple(named))


def describe(fall: Fall, why: Explanation) -> str:
    """Return the fall and what explains it, with all figures, for people."""
    size = why.before - why.after
    contacts, basis = _total(fall.after)[0], _total(fall.before)[0]
    said = (
        f"containment fell from {_percent(why.before)} to {_percent(why.after)}: {contacts:.0f} AI contacts since "
        f"{_instant(fall.since)} against the {basis:.0f} that the baseline rests on. "
    )
    if size <= 0:
        return said.strip()
    part = sum(cause.total for cause in why.causes) / size
    kind = "changes within intents" if why.within >= why.mix else "a changed mix of intents"
    said += f"Mostly {kind}: {_percent(why.within / size)} within, {_percent(why.mix / size)} mix. "
    return said + f"{_percent(part)} of the fall is " + "; ".join(_cause(cause, size) for cause in why.causes) + "."


def _cause(cause: Cause, size: float) -> str:
    name = "all other intents" if cause.intent == OTHER else cause.intent
    (contained0, contained1), (share0, share1) = cause.containment, cause.share
    return (
        f"{name} {_percent(cause.total / size)} (within {_percent(cause.within / size)}: contained "
        f"{_percent(contained0)} to {_percent(contained1)}; mix {_percent(cause.mix / size)}: share of contacts "
        f"{_percent(share0)} to {_percent(share1)})"
    )


def _total(mix: Mapping[str, Counts]) -> tuple[float, float]:
    return sum(counts[0] for counts in mix.values()), sum(counts[1] for counts in mix.values())


def _percent(part: float) -> str:
    return f"{100 * part + 0.0:.1f} %"


def _instant(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros // MICROS_PER_SECOND, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
