"""The AI fleet: how each endpoint answers a turn, and how it misbehaves under a fault."""

from __future__ import annotations

import random
import zlib
from collections.abc import Mapping
from typing import NamedTuple

from schemas.control import Endpoint, Fault, FaultKind, Policy
from schemas.fields import TurnResult

# What a fleet does when nothing is wrong. Durations in seconds at pace 1, typical of chat agents
# built on language models: under a second to an answer, ten seconds or so until the customer replies.
MIN_TURNS, MAX_TURNS = 2, 6
MIN_GAP_SECONDS, MAX_GAP_SECONDS = 5.0, 20.0
MEDIAN_LATENCY_SECONDS = 0.8
LATENCY_SPREAD = 0.25
"""An endpoint's own median lies within this share of MEDIAN_LATENCY_SECONDS, by its name."""
LATENCY_SIGMA = 0.30
"""Log-normal sigma of one endpoint's latencies: a 99th percentile of twice the median (e^(2.33 x 0.3))."""
TIMEOUT_SECONDS = 10.0
REFUSED_SECONDS = 0.05
"""An endpoint that is out, or that has had enough calls, refuses one at once."""
RETRY_AFTER_SECONDS = 10.0
"""What an endpoint that has had enough calls asks for: quotas count by the minute, and callers come back in turn."""
RETRY_SECONDS = 0.5
ERROR_SHARE = 0.003
TIMEOUT_SHARE_OF_ERRORS = 0.3
MOST_QUALITY_OF_WRONG = 0.5
LOOP_ESCALATION = 0.25
"""Chance that a customer asks for a person after an answer that led nowhere."""
MOST_LOOPS = 4
"""So many such answers in a row, and every customer asks: with the chance above three in ten come that far."""
ESCALATION_SHARE = 0.05
"""Share of AI contacts that ask for a person although every answer was right."""
WRONG_ANSWER_ESCALATION = 0.35
"""Chance that a customer asks for a person after a wrong answer."""

# What a call uses: tokens of an agent's instructions, of what was said so far, and of an answer with its reasoning.
PROMPT_TOKENS, HISTORY_TOKENS_PER_TURN, ANSWER_TOKENS = 600, 120, 150
LETTERS_PER_TOKEN = 4
"""As language models count English."""
LOOP_CALLS = 4
"""An agent that goes round in circles calls its model so often for one answer."""
COST_PER_TOKEN = 2e-6
"""Two units of the tenant's currency for a million tokens: the order of list prices of small models."""

DEFAULT_SEVERITY: Mapping[FaultKind, float] = {
    FaultKind.NONE: 0.0,
    FaultKind.OUTAGE: 1.0,
    FaultKind.ERRORS: 0.6,
    FaultKind.LATENCY: 5.0,
    FaultKind.WRONG_ANSWERS: 0.8,
    FaultKind.TIMEOUTS: 0.6,
    FaultKind.RATE_LIMITS: 0.6,
    FaultKind.LOOPS: 0.6,
}
"""Severity of a fault ordered without one: enough to move a breaker with default settings."""


class Answer(NamedTuple):
    """How one call ends, after how long. `quality` is the platform's own estimate, on an answer.

    `retry_after_seconds`: how long the agent wants no call, where it says so. `looping`: the answer leads nowhere.
    """

    result: TurnResult
    seconds: float
    quality: float | None
    retry_after_seconds: float | None = None
    looping: bool = False

    @property
    def failed(self) -> bool:
        """Return whether the customer got no answer."""
        return self.result is not TurnResult.OK

    @property
    def wrong(self) -> bool:
        """Return whether the customer got a wrong answer."""
        return self.quality is not None and self.quality <= MOST_QUALITY_OF_WRONG

    def tokens(self, turn: int, letters: int, *, looping: bool) -> int:
        """Return the tokens of the call, as the `turn`-th with a customer who said so many letters, and looping or not.

        A call that is refused uses none, one that is given up uses those of its question.
        """
        if self.result in (TurnResult.SERVER_ERROR, TurnResult.RATE_LIMITED):
            return 0
        asked = PROMPT_TOKENS + HISTORY_TOKENS_PER_TURN * (turn - 1) + letters // LETTERS_PER_TOKEN
        answered = 0 if self.failed else ANSWER_TOKENS
        return (asked + answered) * (LOOP_CALLS if looping else 1)


class Fleet:
    """The endpoints of a tenant's policy and the fault that each is under. `pace` scales durations."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._endpoints: dict[str, Endpoint] = {}
        self._medians: dict[str, float] = {}
        self._faults: dict[str, Fault] = {}

    def install(self, policy: Policy) -> None:
        """Take the catalogue of endpoints from a policy; faults stay."""
        self._endpoints = {endpoint.endpoint: endpoint for endpoint in policy.endpoints}
        self._medians = {name: _median_latency(name) * self._pace for name in self._endpoints}

    def endpoint(self, name: str | None) -> Endpoint | None:
        """Return the endpoint of that name, or None where the policy has none."""
        return self._endpoints.get(name) if name is not None else None

    def intents(self) -> list[str]:
        """Return all intents that some endpoint may be given, sorted."""
        return sorted({intent for endpoint in self._endpoints.values() for intent in endpoint.intents})

    def apply(self, fault: Fault) -> None:
        """Put an endpoint under a fault, in place of the one that it was under; `none` heals it."""
        if fault.kind is FaultKind.NONE:
            self._faults.pop(fault.endpoint, None)
        else:
            self._faults[fault.endpoint] = fault

    def is_out(self, endpoint: str) -> bool:
        """Return whether the endpoint is in a full outage."""
        fault = self._faults.get(endpoint)
        return fault is not None and fault.kind is FaultKind.OUTAGE

    def call(self, endpoint: str, rng: random.Random) -> Answer:
        """Return how a call that begins now will end."""
        fault = self._faults.get(endpoint)
        kind, severity = (fault.kind, fault.severity) if fault is not None else (FaultKind.NONE, 0.0)
        if kind is FaultKind.OUTAGE:
            return Answer(TurnResult.SERVER_ERROR, REFUSED_SECONDS * self._pace, None)
        median = self._medians.get(endpoint, MEDIAN_LATENCY_SECONDS * self._pace)
        seconds = median * rng.lognormvariate(0.0, LATENCY_SIGMA)
        if kind is FaultKind.LATENCY:
            seconds *= max(severity, 1.0)
        failure = self._failure(kind, severity, seconds, rng)
        if failure is not None:
            return failure
        wrong = kind is FaultKind.WRONG_ANSWERS and rng.random() < severity
        quality = rng.uniform(0.2, MOST_QUALITY_OF_WRONG) if wrong else rng.uniform(0.85, 1.0)
        looping = kind is FaultKind.LOOPS and rng.random() < severity
        return Answer(TurnResult.OK, seconds, quality, looping=looping)

    def _failure(self, kind: FaultKind, severity: float, seconds: float, rng: random.Random) -> Answer | None:
        """Return how a call fails that would take so long, or None where it does not."""
        timeout = TIMEOUT_SECONDS * self._pace
        if rng.random() < (max(severity, ERROR_SHARE) if kind is FaultKind.ERRORS else ERROR_SHARE):
            if rng.random() < TIMEOUT_SHARE_OF_ERRORS:
                return Answer(TurnResult.TIMEOUT, timeout, None)
            return Answer(TurnResult.SERVER_ERROR, min(seconds, timeout), None)
        if seconds >= timeout or (kind is FaultKind.TIMEOUTS and rng.random() < severity):
            return Answer(TurnResult.TIMEOUT, timeout, None)
        if kind is FaultKind.RATE_LIMITS and rng.random() < severity:
            refused, rest = REFUSED_SECONDS * self._pace, RETRY_AFTER_SECONDS * self._pace
            return Answer(TurnResult.RATE_LIMITED, refused, None, retry_after_seconds=rest)
        return None

    def answers_needed(self, rng: random.Random) -> int:
        """Return how many answers a contact takes."""
        return rng.randint(MIN_TURNS, MAX_TURNS)

    def gap_seconds(self, rng: random.Random) -> float:
        """Return how long a customer takes to reply."""
        return rng.uniform(MIN_GAP_SECONDS, MAX_GAP_SECONDS) * self._pace

    def retry_seconds(self, answer: Answer) -> float:
        """Return how long the platform waits before it tries again after a failure: as long as the agent asks for."""
        return max(RETRY_SECONDS * self._pace, answer.retry_after_seconds or 0.0)

    def asks_for_person(self, answer: Answer, rng: random.Random) -> bool:
        """Return whether the customer asks for a person because of this answer."""
        return answer.wrong and rng.random() < WRONG_ANSWER_ESCALATION

    def wearies(self, loops: int, rng: random.Random) -> bool:
        """Return whether the customer asks for a person after so many answers in a row that led nowhere."""
        return loops >= MOST_LOOPS or rng.random() < LOOP_ESCALATION


def _median_latency(endpoint: str) -> float:
    place = zlib.crc32(endpoint.encode()) / 2**32  # the same in every run, unlike hash()
    return MEDIAN_LATENCY_SECONDS * (1.0 + LATENCY_SPREAD * (2.0 * place - 1.0))
