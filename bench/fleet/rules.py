"""Rules that watch an agent: what each must answer, and two that are in wide use.

A rule lets a contact in or not, hears what happens to the contacts that it let in, and moves between the states of a
breaker. Both peers see of an answer whether the call failed, which is all they are told where they are used.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple, Protocol

from bench.fleet.contacts import OK, SECOND, Happening, Kind
from schemas.fields import BreakerState


class Move(NamedTuple):
    """A rule changed its state at an instant (microseconds), and why."""

    at: int
    state: BreakerState
    reason: str


class Rule(Protocol):
    """Watches one agent. `moves`: every change of state so far."""

    name: str
    moves: list[Move]

    @property
    def supervised(self) -> bool:
        """Whether a person watches the contacts that it lets in now."""

    def admit(self, arrival: Happening) -> int | None:
        """Return the epoch under which a contact goes to the agent, None where it does not."""

    def hear(self, happening: Happening, epoch: int) -> None:
        """Learn what happened to a contact that was let in under `epoch`."""

    def tick(self, now: int) -> None:
        """Learn that a second has passed."""


class Resilience4j:
    """The circuit breaker of resilience4j 2 with its documented defaults.

    `CircuitBreakerConfig` (resilience4j.readme.io/docs/circuitbreaker, "Create and configure a CircuitBreaker"): a
    count-based window of 100 calls, no rate under 100 of them, open at a failure rate of 50 % or more, half-open with
    the first call after 60 s, where the rate of 10 permitted calls decides. It keeps no epochs: an answer counts when
    it comes. What it does with calls above 60 s (slow) cannot happen here, for platforms give up before.
    """

    WINDOW, FAILURE_SHARE, WAIT_SECONDS, PERMITTED = 100, 0.5, 60.0, 10

    name = "resilience4j"
    supervised = False

    def __init__(self) -> None:
        self.moves: list[Move] = []
        self.state = BreakerState.CLOSED
        self._calls: deque[bool] = deque(maxlen=self.WINDOW)
        self._failures = 0
        self._permits = 0
        self._since = 0

    def admit(self, arrival: Happening) -> int | None:
        """Half-open begins with a call, not by itself (`automaticTransitionFromOpenToHalfOpenEnabled` is off)."""
        if self.state is BreakerState.OPEN:
            if arrival.at < self._since + self.WAIT_SECONDS * SECOND:
                return None
            self._move(arrival.at, BreakerState.HALF_OPEN, "wait is over")
            self._permits = self.PERMITTED
        if self.state is BreakerState.HALF_OPEN:
            if not self._permits:
                return None
            self._permits -= 1
        return 0

    def hear(self, happening: Happening, epoch: int) -> None:  # noqa: ARG002 - it has no epochs
        """Count a call; in half-open the first ten decide. While it is open no call is made, so none counts."""
        if happening.kind != Kind.ANSWERED or self.state is BreakerState.OPEN:
            return
        full = self.WINDOW if self.state is BreakerState.CLOSED else self.PERMITTED
        if len(self._calls) == self.WINDOW:
            self._failures -= self._calls[0]
        failed = happening.code != OK
        self._calls.append(failed)
        self._failures += failed
        if len(self._calls) < full:
            return
        if self._failures >= self.FAILURE_SHARE * len(self._calls):
            self._move(happening.at, BreakerState.OPEN, "failure rate")
        elif self.state is BreakerState.HALF_OPEN:
            self._move(happening.at, BreakerState.CLOSED, "failure rate of the permitted calls")

    def tick(self, now: int) -> None:
        """Nothing depends on time alone."""

    def _move(self, now: int, to: BreakerState, reason: str) -> None:
        self.state, self._since = to, now
        self._calls.clear()
        self._failures = 0
        self.moves.append(Move(now, to, reason))


class LiteLLM:
    """The cooldown of LiteLLM's router with its defaults.

    docs.litellm.ai ("Cooldowns") and `litellm/router_utils/cooldown_handlers.py`: with a failed call, where more than
    50 % of the current minute's calls failed (DEFAULT_FAILURE_THRESHOLD_PERCENT) and there were 5 at least
    (DEFAULT_FAILURE_THRESHOLD_MINIMUM_REQUESTS), the deployment cools down for 5 s (DEFAULT_COOLDOWN_TIME_SECONDS).
    The minute is the clock's. That its cache lets the counts of failures and of successes lapse apart, each 60 s after
    its first, is left out: it would give false alarms that the documented rule does not. So it is where a model has
    several deployments; a single one does not cool down for a rate.
    """

    FAILURE_SHARE, LEAST_CALLS, COOLDOWN_SECONDS, MINUTE_SECONDS = 0.5, 5, 5, 60

    name = "litellm"
    supervised = False

    def __init__(self) -> None:
        self.moves: list[Move] = []
        self._until = 0
        self._minute = 0
        self._calls = self._failures = 0

    def admit(self, arrival: Happening) -> int | None:
        """Not while it cools down."""
        self.tick(arrival.at)
        return None if self._until else 0

    def hear(self, happening: Happening, epoch: int) -> None:  # noqa: ARG002 - it has no epochs
        """Count a call. While it cools down others are called, so none counts."""
        self.tick(happening.at)
        if happening.kind != Kind.ANSWERED or self._until:
            return
        minute = happening.at // (self.MINUTE_SECONDS * SECOND)
        if minute != self._minute:
            self._minute = minute
            self._calls = self._failures = 0
        failed = happening.code != OK
        self._calls += 1
        self._failures += failed
        if failed and self._calls >= self.LEAST_CALLS and self._failures > self.FAILURE_SHARE * self._calls:
            self._until = happening.at + self.COOLDOWN_SECONDS * SECOND
            self.moves.append(Move(happening.at, BreakerState.OPEN, "failure rate"))

    def tick(self, now: int) -> None:
        """End a cooldown that is over."""
        if self._until and now >= self._until:
            self.moves.append(Move(self._until, BreakerState.CLOSED, "cooldown is over"))
            self._until = 0
