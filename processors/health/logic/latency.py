"""How fast an agent answers, by channel: its own normal, and the latest quantiles.

State, one entry per breaker and channel: [mean and mean square of ln(ms) while it was well, seconds and answers learnt
(counted to what is needed), the present second, its answers, their sums of ln and ln squared, the present minute, its
histogram, that of the minute before]. A histogram is {bucket: answers}, eight buckets an octave: each is 9 % wide.
"""

from __future__ import annotations

import math
from typing import Any

from processors.health.logic.breaker import CLOCK_TOLERANCE_SECONDS
from runtime.state import KeyedState
from schemas.agents import LatencySummary
from schemas.control import BreakerPolicy
from schemas.fields import Channel

STANDARD_P95_MS = {Channel.CHAT: 2000.0, Channel.VOICE: 500.0}
"""Targets where the policy states none: 95 of 100 chat answers within 2 s, of voice within 500 ms."""
LEAST_ANSWERS = 300
"""Answers before the agent's own normal counts: 15 are above its 95th percentile then, which is right to a quarter."""
LEAST_SECONDS = 60
FIRST_SECONDS = 120
"""Seconds with answers that enter as a plain mean; after them it is a slow average."""
TIME_CONSTANT_SECONDS = 21_600
"""Seconds with answers over which an agent's normal follows: six hours, so that half an hour in which answers become
half as long again moves it by 3 %."""
_P95_SIGMAS = 1.645
"""The 95th percentile of a normal distribution, in standard deviations: latencies are taken as lognormal. Where they
are not, one in ten may be above instead of one in twenty; the test still does not alarm, it waits for one in four."""
MARGIN = 1.3
"""An answer is slow from so many times the agent's 95th percentile on: hosted models are slower at their busy hours by
a tenth or two, which is no fault."""
_PER_OCTAVE = 8
_LEAST_MS = 1.0


class Latency:
    """An agent's latency on one channel, loaded for one event."""

    __slots__ = ("_entry", "_name", "_state", "channel")

    def __init__(self, state: KeyedState, scope: str, channel: Channel) -> None:
        self.channel = channel
        self._state = state
        self._name = f"latency\x1f{scope}\x1f{channel}"
        stored = state.get(self._name)
        self._entry: list[Any] = list(stored) if stored else [0.0, 0.0, 0, 0, 0, 0, 0.0, 0.0, 0, {}, {}]

    def is_slow(self, milliseconds: float) -> bool | None:
        """Return whether an answer is well slower than 19 of 20 of the agent's own; None until those are known."""
        mean, square, seconds, answers = self._entry[:4]
        if answers < LEAST_ANSWERS or seconds < LEAST_SECONDS:
            return None
        sigma = math.sqrt(max(0.0, square - mean * mean))
        return bool(math.log(max(milliseconds, _LEAST_MS)) > mean + _P95_SIGMAS * sigma + math.log(MARGIN))

    def book(self, milliseconds: float, second: int, *, learn: bool) -> None:
        """Take an answer into account, at a second since 1970. learn: the agent is well, this is its normal."""
        self._move_to(second, learn=learn)
        entry, size = self._entry, math.log(max(milliseconds, _LEAST_MS))
        entry[5] += 1
        entry[6] += size
        entry[7] += size * size
        bucket = str(round(math.log2(max(milliseconds, _LEAST_MS)) * _PER_OCTAVE))
        entry[9] = {**entry[9], bucket: entry[9].get(bucket, 0) + 1}
        self._state.set(self._name, entry)

    def summary(self, second: int) -> LatencySummary | None:
        """Return the quantiles of the last one to two minutes, None where there were no answers."""
        minute, present, before = second // 60, self._entry[9], self._entry[10]
        counts: dict[int, int] = {}
        for made, histogram in ((self._entry[8], present), (self._entry[8] - 1, before)):
            if minute - made <= 1:
                for bucket, answers in histogram.items():
                    counts[int(bucket)] = counts.get(int(bucket), 0) + answers
        total = sum(counts.values())
        if not total:
            return None
        p50, p95, p99 = (_quantile(counts, share * total) for share in (0.5, 0.95, 0.99))
        return LatencySummary(channel=self.channel, answers=total, p50_ms=p50, p95_ms=p95, p99_ms=p99)

    def forget(self) -> None:
        """Learn what is normal anew."""
        self._state.delete(self._name)

    def _move_to(self, second: int, *, learn: bool) -> None:
        entry = self._entry
        was_set_back = second < entry[4] - CLOCK_TOLERANCE_SECONDS
        if second > entry[4] or was_set_back:
            if learn and entry[5]:
                self._learn()
            entry[4:8] = [second, 0, 0.0, 0.0]
        minute = entry[4] // 60
        if minute > entry[8] or was_set_back:
            entry[8:11] = [minute, {}, entry[9] if minute == entry[8] + 1 else {}]

    def _learn(self) -> None:
        entry = self._entry
        answers = entry[5]
        entry[3] = min(LEAST_ANSWERS, entry[3] + answers)
        if entry[2] < FIRST_SECONDS:
            entry[2] += 1
            weight = 1.0 / entry[2]
        else:
            weight = 1.0 / TIME_CONSTANT_SECONDS
        entry[0] += weight * (entry[6] / answers - entry[0])
        entry[1] += weight * (entry[7] / answers - entry[1])


def target_ms(policy: BreakerPolicy, channel: Channel) -> float | None:
    """Return what 95 of 100 answers on a channel must be within, None where nothing is asked."""
    stated = next((each.p95_ms for each in policy.targets.latency if each.channel is channel), None)
    return STANDARD_P95_MS.get(channel) if stated is None else stated


def _quantile(counts: dict[int, int], place: float) -> float:
    """Return the middle of the bucket in which the `place`-th answer lies, milliseconds."""
    passed = 0
    for bucket in sorted(counts):
        passed += counts[bucket]
        if passed >= place:
            return float(2.0 ** (bucket / _PER_OCTAVE))
    return 0.0
