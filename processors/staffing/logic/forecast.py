"""People needed in the intervals to come while AI is away: a standing plan, moved by what was lost.

Nothing is fitted anew. The load without the loss is taken from WFM's plan of the interval, else from the mean of past
weeks at that time, else it is that of the moment. What AI lost comes on top in the same proportion: where a plan has
half as many contacts in an hour, AI would have had half as many as well.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from processors.staffing.logic import weekdays
from processors.staffing.logic.erlang import Load, Targets, required
from processors.staffing.logic.weekdays import INTERVAL_MICROS
from runtime.plans import Plans
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas.control import HumanQueue
from schemas.fields import MICROS_PER_SECOND
from schemas.wfm import IntervalRequirement, LoadBasis

MOST_INTERVALS = 32
"""8 hours: a shift. Beyond it WFM plans anew."""
Z_90 = 1.281552
"""Standard normal quantile of 90 %: the band leaves out a tenth at either end."""
_TENTH = 0.1
_MOST_RATIO = 3.0
"""A plan of three times the load of now moves the loss by no more: what is above it is hardly AI's share of the day."""


@dataclasses.dataclass(frozen=True, slots=True)
class Outage:
    """What is lost from `starts_at` on (UTC microseconds), and for how long, as told at `at`.

    `ends_at`: where it is planned to end. `p50_seconds`, `p90_seconds`: how long such an outage lasts, in the median
    and in nine cases of ten. `contacts_counted`: on how many contacts the lost rate rests.
    """

    starts_at: int
    lost_per_minute: float
    p50_seconds: float
    p90_seconds: float
    contacts_counted: int = 0
    ends_at: int | None = None

    def chance_out(self, at: int, now: int) -> float:
        """Return the probability that it lasts at `at`, given that it lasts at `now`; UTC microseconds, both.

        Its length is taken for lognormal by its two quantiles, or exponential where these are equal.
        """
        if self.lost_per_minute <= 0 or at < self.starts_at:
            return 0.0
        if self.ends_at is not None:
            return 1.0 if at < self.ends_at else 0.0
        lasted = max(0, now - self.starts_at) / MICROS_PER_SECOND
        until = max((at - self.starts_at) / MICROS_PER_SECOND, lasted)
        known = self._survival(lasted)
        # What has outlasted every figure tells no more when it will end.
        return min(1.0, self._survival(until) / known) if known > 0 else 1.0

    @property
    def horizon(self) -> int:
        """When it is over in nine cases of ten, or as planned."""
        if self.ends_at is not None:
            return self.ends_at
        return self.starts_at + round(max(self.p50_seconds, self.p90_seconds) * MICROS_PER_SECOND)

    def _survival(self, seconds: float) -> float:
        if seconds <= 0:
            return 1.0
        if self.p50_seconds <= 0:
            return 0.0
        spread = math.log(self.p90_seconds / self.p50_seconds) / Z_90 if self.p90_seconds > self.p50_seconds else 0.0
        if not spread:
            return float(0.5 ** (seconds / self.p50_seconds))
        return 0.5 * math.erfc(math.log(seconds / self.p50_seconds) / spread / math.sqrt(2.0))


class _Load(NamedTuple):
    """Contacts per minute for people without the loss, their handle time, what it is from, people planned."""

    per_minute: float
    aht_seconds: float
    basis: LoadBasis
    agents: float | None


class _Interval(NamedTuple):
    """One interval to come. Of the contacts a minute that AI lost: what is expected, and its band."""

    starts_at: int
    load: _Load
    chance_out: float
    lost: float
    lost_low: float
    lost_high: float


@dataclasses.dataclass(frozen=True, slots=True)
class Outlook:
    """A queue's load in the intervals to come. `present_per_minute`: that of the moment, without the loss."""

    tenant: str
    targets: HumanQueue
    present_per_minute: float
    aht_seconds: float
    state: KeyedState
    snapshot: Snapshot
    plans: Plans

    def required(self, outage: Outage, now: int) -> tuple[IntervalRequirement, ...]:
        """Return the people needed in each interval in which the outage may last, from the present one on.

        Raises ErlangInputError where the queue's targets cannot be planned for.
        """
        if outage.lost_per_minute <= 0:
            return ()
        first = weekdays.interval_of(max(now, outage.starts_at))
        last = weekdays.interval_of(max(outage.horizon - 1, now))
        numbers = range(first, min(max(last, first), first + MOST_INTERVALS - 1) + 1)
        reference = self._load(first)
        intervals = [self._interval(number, reference, outage, now) for number in numbers]
        people = self._people(intervals)
        return tuple(_row(each, *agents) for each, agents in zip(intervals, people, strict=True))

    def _load(self, interval: int) -> _Load:
        planned = self.plans.at(self.snapshot, self.tenant, self.targets.queue, interval * INTERVAL_MICROS)
        agents = None if planned is None else planned.agents
        if planned is not None and planned.contacts_per_minute is not None:
            aht = self.aht_seconds if not planned.aht_seconds else planned.aht_seconds
            return _Load(planned.contacts_per_minute, aht, LoadBasis.PLAN, agents)
        usual = weekdays.per_minute(self.targets.queue, self.state, interval)
        if usual is not None:
            return _Load(usual, self.aht_seconds, LoadBasis.WEEKDAY, agents)
        return _Load(self.present_per_minute, self.aht_seconds, LoadBasis.PRESENT, agents)

    def _interval(self, number: int, reference: _Load, outage: Outage, now: int) -> _Interval:
        load = self._load(number)
        lost = outage.lost_per_minute * _ratio(load, reference)
        starts_at = number * INTERVAL_MICROS
        chance = outage.chance_out(max(starts_at + INTERVAL_MICROS // 2, now, outage.starts_at), now)
        # A rate from n contacts is right to 1 / sqrt(n); where nobody counted, to half.
        error = Z_90 / math.sqrt(outage.contacts_counted) if outage.contacts_counted else 0.5
        low = lost * max(0.0, 1.0 - error) if chance >= 1.0 - _TENTH else 0.0
        high = lost * (1.0 + error) if chance > _TENTH else 0.0
        return _Interval(starts_at, load, chance, lost, low, high)

    def _people(self, intervals: Sequence[_Interval]) -> list[list[int]]:
        """Return the people for each interval's loads, in one batch: without the loss, with it, low and high."""
        targets = self.targets
        rates = [[each.load.per_minute + more for more in (0.0, *each[3:])] for each in intervals]
        aht_seconds = [[each.load.aht_seconds] for each in intervals]
        wanted = Targets(targets.service_level_target, targets.service_level_seconds, targets.max_occupancy)
        found: list[list[int]] = required(Load(np.array(rates), np.array(aht_seconds)), wanted).tolist()
        return found


def _row(interval: _Interval, before: int, after: int, low: int, high: int) -> IntervalRequirement:
    load = interval.load
    return IntervalRequirement(
        starts_at=interval.starts_at,
        contacts_per_minute_before=load.per_minute,
        contacts_per_minute_after=load.per_minute + interval.lost,
        basis=load.basis,
        chance_out=interval.chance_out,
        agents_required_before=before,
        agents_required_after=after,
        agents_low=low,
        agents_high=high,
        agents_planned=load.agents,
    )


def _ratio(load: _Load, reference: _Load) -> float:
    """Return how many times the load of the first interval one has, where both are from the same source."""
    if load.basis is not reference.basis or reference.per_minute <= 0:
        return 1.0
    return min(max(load.per_minute / reference.per_minute, 1.0 / _MOST_RATIO), _MOST_RATIO)
