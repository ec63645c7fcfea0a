"""What one endpoint did lately: a ring of one-second buckets whose sums are kept, not recounted.

Three kinds of entry in the key's state: a summary per endpoint (sums, the present second, the
latency baseline), written with each outcome, and a bucket per past second, written when the second
is over. A bucket that leaves the window is subtracted. Sums are whole numbers (microseconds,
millionths), so adding and subtracting never drifts.
"""

from __future__ import annotations

from typing import Final

import msgspec

from processors.health.logic.breaker import CLOCK_TOLERANCE_SECONDS
from runtime.state import KeyedState
from schemas.agents import Evidence, Outcome
from schemas.control import BreakerPolicy
from schemas.errors import RecordError
from schemas.fields import MICROS_PER_SECOND, TurnResult

PRIOR_FAILURES = 1
PRIOR_SUCCESSES = 9
"""Beta(1, 9): before any outcome, one turn in ten is expected to fail, with the weight of ten
outcomes: half of the default DEGRADED rate, and the weight of the default `minimum_outcomes`."""
BASELINE_LEAST_OUTCOMES = 30
"""Answers before a baseline is used: the mean of 30 latencies with a coefficient of variation of
0.5 is right to about 10 % (0.5 / sqrt(30)), well inside the factor of 2 that is looked for."""
BASELINE_FIRST_SECONDS = 30
"""Seconds with answers that enter the baseline as a plain mean; after them it is a slow average."""
BASELINE_TIME_CONSTANT_SECONDS = 1800
"""Seconds with answers over which the baseline follows: 30 windows, so that a minute of slow answers
moves it by 3 % and a working day's drift does not trip anything."""
LATENCY_MAX_MS = 86_400_000.0
"""One day. No call lasts longer; a larger number is a unit mistaken."""

OK, REFUSED, TIMEOUT, SERVER_ERROR, RATE_LIMITED, LATENCY_US, QUALITY_MILLIONTHS, QUALITIES, TOKENS = range(9)
"""Fields of a bucket and of the sums."""
_FIELDS = 9
_FIELD: Final = {
    TurnResult.OK: OK,
    TurnResult.CONTENT_REFUSED: REFUSED,
    TurnResult.TIMEOUT: TIMEOUT,
    TurnResult.SERVER_ERROR: SERVER_ERROR,
    TurnResult.RATE_LIMITED: RATE_LIMITED,
}
_MILLION = 1_000_000
HARD_FAILURES = frozenset({TurnResult.TIMEOUT, TurnResult.SERVER_ERROR})
"""Failures that say that the agent is not there. `rate_limited` is a failure, for the customer got no
answer, but the agent lives: it counts in the rate, and neither lengthens nor ends a run."""


class Summary(msgspec.Struct, array_like=True):
    """The stored summary of one endpoint: sums of the window, the present second, what lasts longer.

    Attributes:
        window_seconds: length of the ring; a changed policy begins a new one.
        second: the present second, since 1970; the window is it and those before it.
        sums: over the window, the present second included.
        present: bucket of the present second.
        consecutive: hard failures in a row.
        baseline_ms: mean latency of answers in CLOSED.
        learnt_seconds: seconds with answers in the baseline, counted to BASELINE_FIRST_SECONDS.
        learnt_outcomes: answers in the baseline, counted to BASELINE_LEAST_OUTCOMES.
        normal_since: first outcome of this spell of normal traffic, microseconds; 0 before it.
    """

    window_seconds: int
    second: int
    sums: list[int]
    present: list[int]
    consecutive: int = 0
    baseline_ms: float = 0.0
    learnt_seconds: int = 0
    learnt_outcomes: int = 0
    normal_since: int = 0


class Window:
    """One endpoint's window, loaded for one event; `save` writes the summary back."""

    __slots__ = ("_endpoint", "_state", "summary", "was_set_back")

    def __init__(self, state: KeyedState, endpoint: str, window_seconds: int, now: int) -> None:
        """Load the window as of its last outcome.

        `was_set_back` tells that the clock has gone back behind the window by more than the
        tolerance; the window is empty then. A smaller step back is read as standing still.
        """
        self._state = state
        self._endpoint = endpoint
        self.was_set_back = False
        second = now // MICROS_PER_SECOND
        stored = state.get(f"window\x1f{endpoint}")
        if stored is None:
            self.summary = Summary(window_seconds, second, [0] * _FIELDS, [0] * _FIELDS)
            return
        self.summary = msgspec.convert(stored, Summary)
        self.was_set_back = second < self.summary.second - CLOCK_TOLERANCE_SECONDS
        if self.was_set_back or self.summary.window_seconds != window_seconds:
            consecutive = self.summary.consecutive
            self.clear()
            self.summary.consecutive = consecutive
            self.summary.window_seconds = window_seconds
            self.summary.second = second

    @property
    def at(self) -> int:
        """The endpoint's own time in microseconds: never before the second of its last outcome."""
        return self.summary.second * MICROS_PER_SECOND

    @property
    def answered(self) -> int:
        """Outcomes with an answer, be it a refusal: those whose latency and quality mean something."""
        return self.summary.sums[OK] + self.summary.sums[REFUSED]

    @property
    def refused(self) -> int:
        """Outcomes in which the agent refused the content."""
        return self.summary.sums[REFUSED]

    @property
    def failures(self) -> int:
        """Failed outcomes: timeouts, server errors, rate limits."""
        sums = self.summary.sums
        return sums[TIMEOUT] + sums[SERVER_ERROR] + sums[RATE_LIMITED]

    @property
    def outcomes(self) -> int:
        """All outcomes booked."""
        return self.answered + self.failures

    @property
    def qualities(self) -> int:
        """Answers that came with a quality."""
        return self.summary.sums[QUALITIES]

    @property
    def tokens_per_outcome(self) -> float:
        """Tokens that an outcome took in the mean, 0 where the platform does not say."""
        return self.summary.sums[TOKENS] / self.outcomes if self.outcomes else 0.0

    @property
    def failure_rate(self) -> float:
        """Failures by outcomes, 0 when there are none."""
        return self.failures / self.outcomes if self.outcomes else 0.0

    @property
    def posterior_mean(self) -> float:
        """Mean of the failure rate's posterior under the prior Beta(1, 9)."""
        return (self.failures + PRIOR_FAILURES) / (self.outcomes + PRIOR_FAILURES + PRIOR_SUCCESSES)

    @property
    def latency_mean_ms(self) -> float:
        """Mean latency of the answers, 0 when there are none."""
        return self.summary.sums[LATENCY_US] / self.answered / 1000.0 if self.answered else 0.0

    @property
    def latency_baseline_ms(self) -> float:
        """Latency that is normal for this endpoint, 0 until enough was learnt."""
        summary = self.summary
        return summary.baseline_ms if summary.learnt_outcomes >= BASELINE_LEAST_OUTCOMES else 0.0

    @property
    def quality_mean(self) -> float | None:
        """Mean quality of the answers that came with one, None when none did."""
        return self.summary.sums[QUALITY_MILLIONTHS] / self.qualities / _MILLION if self.qualities else None

    def book(self, outcome: Outcome) -> None:
        """Count one outcome in the present second. `caller_fault` is not for this window.

        Raises:
            RecordError: the latency is no length of a call (reason `invalid_latency`).
        """
        field = _FIELD[outcome.result]
        quality = outcome.quality
        for bucket in (self.summary.sums, self.summary.present):
            bucket[field] += 1
            bucket[TOKENS] += outcome.tokens
            if field in (OK, REFUSED):
                bucket[LATENCY_US] += _latency_us(outcome)
                if quality is not None:
                    bucket[QUALITY_MILLIONTHS] += round(quality * _MILLION)
                    bucket[QUALITIES] += 1
        if outcome.result in HARD_FAILURES:
            self.summary.consecutive += 1
        elif outcome.result is not TurnResult.RATE_LIMITED:
            self.summary.consecutive = 0

    def advance(self, now: int, *, learn: bool) -> None:
        """Move the present second on to `now` and subtract the buckets that leave the window.

        `learn`: the second that ends is normal traffic and enters the latency baseline.
        """
        summary = self.summary
        second = now // MICROS_PER_SECOND
        if second <= summary.second:
            return
        if any(summary.present):
            self._state.set(self._slot(summary.second), [summary.second, *summary.present])
            if learn:
                self._learn()
            summary.present = [0] * _FIELDS
        if second - summary.second >= summary.window_seconds:
            summary.sums = [0] * _FIELDS
        elif any(summary.sums):
            self._evict(second)
        summary.second = second

    def clear(self) -> None:
        """Forget the window and the run of failures; keep the baseline."""
        summary = self.summary
        # A stale bucket left here could match a later second after the clock was set back.
        for second in range(summary.window_seconds):
            name = self._slot(second)
            if self._state.get(name) is not None:
                self._state.delete(name)
        summary.sums = [0] * _FIELDS
        summary.present = [0] * _FIELDS
        summary.consecutive = 0

    def forget_baseline(self) -> None:
        """Learn the normal latency anew: what the endpoint does now was accepted."""
        self.summary.baseline_ms = 0.0
        self.summary.learnt_seconds = 0
        self.summary.learnt_outcomes = 0

    def save(self) -> None:
        """Write the summary."""
        self._state.set(f"window\x1f{self._endpoint}", msgspec.to_builtins(self.summary))

    def evidence(self, policy: BreakerPolicy) -> Evidence:
        """Return what is in the window, as a transition carries it."""
        sums = self.summary.sums
        by_result = {TurnResult.TIMEOUT: TIMEOUT, TurnResult.SERVER_ERROR: SERVER_ERROR}
        by_result[TurnResult.RATE_LIMITED] = RATE_LIMITED
        return Evidence(
            window_seconds=float(policy.window_seconds),
            outcomes=self.outcomes,
            failures=self.failures,
            consecutive_failures=self.summary.consecutive,
            failure_rate=self.failure_rate,
            posterior_mean=self.posterior_mean,
            latency_mean_ms=self.latency_mean_ms,
            latency_baseline_ms=self.latency_baseline_ms,
            quality_mean=self.quality_mean,
            failures_by_result={result.value: sums[field] for result, field in by_result.items() if sums[field]},
            tokens_per_outcome=self.tokens_per_outcome,
        )

    def _slot(self, second: int) -> str:
        return f"second\x1f{second % self.summary.window_seconds}\x1f{self._endpoint}"

    def _evict(self, second: int) -> None:
        summary = self.summary
        length = summary.window_seconds
        for leaving in range(summary.second - length + 1, second - length + 1):
            row = self._state.get(self._slot(leaving))
            if row is not None and row[0] == leaving:
                summary.sums = [total - gone for total, gone in zip(summary.sums, row[1:], strict=True)]

    def _learn(self) -> None:
        summary = self.summary
        present = summary.present
        answers = present[OK] + present[REFUSED]
        if not answers:
            return
        mean_ms = present[LATENCY_US] / answers / 1000.0
        if summary.learnt_seconds < BASELINE_FIRST_SECONDS:
            summary.learnt_seconds += 1
            weight = 1.0 / summary.learnt_seconds
        else:
            weight = 1.0 / BASELINE_TIME_CONSTANT_SECONDS
        summary.baseline_ms += weight * (mean_ms - summary.baseline_ms)
        summary.learnt_outcomes = min(summary.learnt_outcomes + answers, BASELINE_LEAST_OUTCOMES)


def _latency_us(outcome: Outcome) -> int:
    if not 0.0 <= outcome.latency_ms <= LATENCY_MAX_MS:
        raise RecordError(
            "invalid_latency",
            f"latency_ms {outcome.latency_ms} of turn {outcome.turn} of {outcome.interaction_id!r} is not between 0 "
            f"and {LATENCY_MAX_MS:.0f} (one day): check the unit at the source",
        )
    return round(outcome.latency_ms * 1000.0)
