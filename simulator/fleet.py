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
"""An endpoint that is out refuses the connection at once."""
RETRY_SECONDS = 0.5
ERROR_SHARE = 0.003
TIMEOUT_SHARE_OF_ERRORS = 0.3
MOST_QUALITY_OF_WRONG = 0.5
ESCALATION_SHARE = 0.05
"""Share of AI contacts that ask for a person although every answer was right."""
WRONG_ANSWER_ESCALATION = 0.35
"""Chance that a customer asks for a person after a wrong answer."""

DEFAULT_SEVERITY: Mapping[FaultKind, float] = {
    FaultKind.NONE: 0.0,
    FaultKind.OUTAGE: 1.0,
    FaultKind.ERRORS: 0.6,
    FaultKind.LATENCY: 5.0,
    FaultKind.WRONG_ANSWERS: 0.8,
}
"""Severity of a fault ordered without one: enough to move a breaker with default settings."""


class Answer(NamedTuple):
    """How one call ends, after how long. `quality` is the platform's own estimate, on an answer."""

    result: TurnResult
    seconds: float
    quality: float | None

    @property
    def failed(self) -> bool:
        """Return whether the customer got no answer."""
        return self.result is not TurnResult.OK

    @property
    def wrong(self) -> bool:
        """Return whether the customer got a wrong answer."""
        return self.quality is not None and self.quality <= MOST_QUALITY_OF_WRONG


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
        timeout = TIMEOUT_SECONDS * self._pace
        median = self._medians.get(endpoint, MEDIAN_LATENCY_SECONDS * self._pace)
        seconds = median * rng.lognormvariate(0.0, LATENCY_SIGMA)
        if kind is FaultKind.LATENCY:
            seconds *= max(severity, 1.0)
        if rng.random() < (max(severity, ERROR_SHARE) if kind is FaultKind.ERRORS else ERROR_SHARE):
            if rng.random() < TIMEOUT_SHARE_OF_ERRORS:
                return Answer(TurnResult.TIMEOUT, timeout, None)
            return Answer(TurnResult.SERVER_ERROR, min(seconds, timeout), None)
        if seconds >= timeout:
            return Answer(TurnResult.TIMEOUT, timeout, None)
        wrong = kind is FaultKind.WRONG_ANSWERS and rng.random() < severity
        quality = rng.uniform(0.2, MOST_QUALITY_OF_WRONG) if wrong else rng.uniform(0.85, 1.0)
        return Answer(TurnResult.OK, seconds, quality)

    def answers_needed(self, rng: random.Random) -> int:
        """Return how many answers a contact takes."""
        return rng.randint(MIN_TURNS, MAX_TURNS)

    def gap_seconds(self, rng: random.Random) -> float:
        """Return how long a customer takes to reply."""
        return rng.uniform(MIN_GAP_SECONDS, MAX_GAP_SECONDS) * self._pace

    def retry_seconds(self) -> float:
        """Return how long the platform waits before it tries again after a failure."""
        return RETRY_SECONDS * self._pace

    def asks_for_person(self, answer: Answer, rng: random.Random) -> bool:
        """Return whether the customer asks for a person because of this answer."""
        return answer.wrong and rng.random() < WRONG_ANSWER_ESCALATION


def _median_latency(endpoint: str) -> float:
    place = zlib.crc32(endpoint.encode()) / 2**32  # the same in every run, unlike hash()
    return MEDIAN_LATENCY_SECONDS * (1.0 + LATENCY_SPREAD * (2.0 * place - 1.0))
