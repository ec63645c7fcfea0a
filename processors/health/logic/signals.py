"""The signals of one breaker: what is watched besides failures in the window, each by a test of drift of its own.

State of a breaker, one entry: signal -> [score, observations since the score was 0, of these against the agent, second
of the last one]. A signal whose score is 0 is not stored, so an agent that is well costs no write.
"""

from __future__ import annotations

import dataclasses
import enum
import functools
from collections.abc import Callable, Mapping
from types import MappingProxyType

from processors.health.logic.breaker import MoveReason
from processors.health.logic.cusum import DriftTest, drift_test
from runtime.state import KeyedState
from schemas.control import BreakerPolicy
from schemas.fields import BreakerState

PER_TURN = 1e7
"""Observations, in the mean, until a signal of turns alarms of an agent that only just keeps its target: at 20 turns a
second six days, and the share against an agent that is well is a fraction of the target's."""
PER_CONTACT = 1e6
"""The same of a signal of contacts: at 5 contacts a second two days of an agent that is just at its target."""
PER_LABEL = 1.5e5
"""The same of a signal of labels, of which there are few: at 5 contacts a second with a label on one in twenty, a
week. A larger figure costs detection: at 1.5e6 a fall from 95 % to 80 % resolved takes a quarter longer to tell."""
LABEL_SILENCE_SECONDS = 3600
"""A score that no observation moved for so long is forgotten: what is not known does not hold a recovery up."""
RECOVERED_SHARE = 0.25
"""Hysteresis: a signal is over once its score has fallen to this share of its limit."""
TIGHTENED_SHARE = 0.5
"""Of its limit, at which a signal alarms while siblings of the agent are out: a false alarm comes about as often as
the root of the stated figure says, once in thousands of observations, and the siblings' failure speaks for it."""
_CERTAIN = 0.9
"""Largest `bad` share of a test: above it there is nothing to tell apart."""
_RAREST = 0.001
"""Least `good` share of a test: a target below one in 1,000 is taken as that, or its chain is too long to solve."""
_PLACES = 6


class Signal(enum.StrEnum):
    """What is watched; the name is on `Evidence.signal`."""

    FAILURES = "failures"
    FAILURES_MOSTLY = "failures_mostly"
    SLOW = "slow"
    OVER_TARGET = "over_latency_target"
    LOOPS = "loops"
    ESCALATED = "escalated"
    UNRESOLVED = "unresolved"
    HALLUCINATED = "hallucinated"
    UNSATISFIED = "unsatisfied"
    REPEATED = "repeated"


@dataclasses.dataclass(frozen=True, slots=True)
class _Kind:
    """What a signal's alarm means. test: of a policy, None where the policy does not ask for it."""

    to_state: BreakerState
    reason: MoveReason
    test: Callable[[BreakerPolicy], DriftTest | None]


def _rising(good: float, times: float, every: float) -> DriftTest | None:
    """Return the test of a share that is to stay at `good` and is bad at `times` as much.

    None for shares of 0 or 1, and for two that are too close to be told apart: a policy never stops the monitor.
    """
    if good <= 0.0:
        return None
    good = round(max(good, _RAREST), _PLACES)
    bad = round(min(good * times, _CERTAIN), _PLACES)
    return _possible(good, bad, every) if good < bad else None


@functools.lru_cache(maxsize=512)
def _possible(good: float, bad: float, every: float) -> DriftTest | None:
    try:
        return drift_test(good, bad, every)
    except ValueError:
        return None


def _satisfaction(policy: BreakerPolicy) -> DriftTest | None:
    """Satisfied customers may be `csat_within` below people's, and three times as far is bad."""
    baseline, within = policy.targets.csat_baseline, policy.targets.csat_within
    if baseline is None:
        return None
    good = max(1.0 - baseline + within, _RAREST)
    return _rising(good, (good + 2.0 * max(within, 0.02)) / good, PER_CONTACT)


_OPEN, _DEGRADED = BreakerState.OPEN, BreakerState.DEGRADED
KINDS = MappingProxyType(
    {
        Signal.FAILURES_MOSTLY: _Kind(
            _OPEN,
            MoveReason.FAILURE_RATE,
            lambda policy: _rising(
                policy.degraded_failure_rate,
                policy.open_failure_rate / max(policy.degraded_failure_rate, 1e-9),
                PER_TURN,
            ),
        ),
        # An agent that is well fails in fewer than a tenth of the cases in which it is degraded.
        Signal.FAILURES: _Kind(
            _DEGRADED,
            MoveReason.FAILURE_RATE,
            lambda policy: (
                _rising(policy.degraded_failure_rate / 10, 10, PER_TURN) if policy.degraded_failure_rate < 1 else None
            ),
        ),
        # One answer in twenty is slower than the 95th percentile, be it the agent's own or the target.
        Signal.SLOW: _Kind(_DEGRADED, MoveReason.LATENCY, lambda _policy: _rising(0.05, 5, PER_TURN)),
        Signal.OVER_TARGET: _Kind(_DEGRADED, MoveReason.LATENCY, lambda _policy: _rising(0.05, 4, PER_TURN)),
        Signal.LOOPS: _Kind(
            _DEGRADED, MoveReason.LOOPING, lambda policy: _rising(policy.targets.looping_most, 5, PER_TURN)
        ),
        Signal.ESCALATED: _Kind(
            _DEGRADED, MoveReason.ESCALATIONS, lambda policy: _rising(policy.targets.escalated_most, 1.5, PER_CONTACT)
        ),
        Signal.UNRESOLVED: _Kind(
            _DEGRADED, MoveReason.UNRESOLVED, lambda policy: _rising(1.0 - policy.targets.resolved, 3, PER_LABEL)
        ),
        Signal.HALLUCINATED: _Kind(
            _DEGRADED, MoveReason.HALLUCINATIONS, lambda policy: _rising(policy.targets.hallucinated_most, 5, PER_LABEL)
        ),
        Signal.UNSATISFIED: _Kind(_DEGRADED, MoveReason.UNSATISFIED, _satisfaction),
        Signal.REPEATED: _Kind(
            _DEGRADED, MoveReason.REPEAT_CONTACTS, lambda policy: _rising(policy.targets.repeat_most, 2, PER_CONTACT)
        ),
    }
)
"""Every signal, the one with the worst consequence first."""


_MOST_POLICIES = 4096
_by_policy: dict[int, tuple[BreakerPolicy, dict[Signal, DriftTest | None]]] = {}


def tests_of(policy: BreakerPolicy) -> Mapping[Signal, DriftTest | None]:
    """Return the test of each signal under a policy, None where it does not ask for one.

    Remembered by the policy's identity, which it keeps alive: to compare policies would cost more than a step.
    """
    known = _by_policy.get(id(policy))
    if known is None:
        if len(_by_policy) >= _MOST_POLICIES:
            _by_policy.clear()
        known = _by_policy[id(policy)] = (policy, {signal: kind.test(policy) for signal, kind in KINDS.items()})
    return known[1]


@dataclasses.dataclass(frozen=True, slots=True)
class Alarm:
    """A signal that has reached its limit (`limit`: the one that held), and what that rests on."""

    signal: Signal
    test: DriftTest
    limit: int
    score: int
    observations: int
    against: int

    @property
    def detail(self) -> str:
        """Say it in words and figures."""
        return (
            f"{self.signal}: {self.against} of the last {self.observations} against it, score {self.score} of "
            f"{self.limit}; a share of {self.test.good:.3g} is accepted"
        )


class Signals:
    """The signals of one breaker, loaded for one event; `save` writes them back where they changed."""

    __slots__ = ("_changed", "_name", "_scores", "_state", "_tests")

    def __init__(self, state: KeyedState, scope: str, policy: BreakerPolicy) -> None:
        self._state = state
        self._tests = tests_of(policy)
        self._name = f"signals\x1f{scope}"
        self._scores: dict[str, list[int]] = dict(state.get(self._name) or {})
        self._changed = False

    def observe(self, signal: Signal, second: int, *, against: bool) -> None:
        """Take one observation into account, at a second since 1970."""
        scores = self._scores
        known = scores.get(signal.value)
        if known is None and not against:
            return
        test = self._tests[signal]
        if test is None:
            return
        score, seen, adverse, at = known or (0, 0, 0, second)
        if _is_silent(at, second):
            score, seen, adverse = 0, 0, 0
        score = test.scored(score, against=against)
        if score:
            scores[signal.value] = [score, seen + 1, adverse + against, second]
        else:
            scores.pop(signal.value, None)
        self._changed = True

    def alarm(self, second: int, *, tightened: bool = False) -> Alarm | None:
        """Return the worst signal that is at its limit, None where none is; what is long silent does not speak."""
        if not self._scores:
            return None
        for signal in KINDS:
            known = self._scores.get(signal)
            if known is None or _is_silent(known[3], second) or (test := self._tests[signal]) is None:
                continue
            limit = round(test.limit * TIGHTENED_SHARE) if tightened else test.limit
            if known[0] >= limit:
                return Alarm(signal, test, limit, *known[:3])
        return None

    def at_limit(self, signal: Signal) -> bool:
        """Return whether a signal is at its limit."""
        known, test = self._scores.get(signal), self._tests[signal]
        return known is not None and test is not None and known[0] >= test.limit

    def recovered(self, second: int) -> bool:
        """Return whether no signal speaks against the agent any more."""
        for signal, (score, _, _, at) in self._scores.items():
            test = self._tests[Signal(signal)]
            if test is not None and score > RECOVERED_SHARE * test.limit and not _is_silent(at, second):
                return False
        return True

    def clear(self) -> None:
        """Forget all scores: another state begins."""
        self._changed = self._changed or bool(self._scores)
        self._scores = {}

    def save(self) -> None:
        """Write the scores, where there are new ones."""
        if not self._changed:
            return
        if self._scores:
            self._state.set(self._name, self._scores)
        elif self._state.get(self._name) is not None:
            self._state.delete(self._name)
        self._changed = False


def _is_silent(at: int, second: int) -> bool:
    """Whether a score that last moved at `at` is forgotten, be it that the clock was set back since."""
    return abs(second - at) > LABEL_SILENCE_SECONDS
