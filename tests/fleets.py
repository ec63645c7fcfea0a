"""Simulated AI agents for tests, and what happens to their contacts."""

from __future__ import annotations

import functools
import itertools
import math
from typing import Any

from bench.fleet.contacts import (
    OK,
    SERVER_ERROR,
    Happening,
    Kind,
    happenings,
    instant,
)
from bench.fleet.parameters import Drawn, Fault, Fleet, draw
from bench.fleet.rules import Rule
from schemas.fields import BreakerState

CLOSED, DEGRADED, OPEN, HALF_OPEN = (
    BreakerState.CLOSED,
    BreakerState.DEGRADED,
    BreakerState.OPEN,
    BreakerState.HALF_OPEN,
)
HOUR = 3600.0
DEVIATIONS = 4.0
"""A share is further from its truth than this once in 16,000; the seeds are fixed, so it stays where it is."""


def fleet(**changes: Any) -> Fleet:
    """An agent with five contacts a second that is well."""
    drawn = draw("healthy_5", 0).fleet
    return Fleet(**{**{field: getattr(drawn, field) for field in Fleet.__slots__}, **changes})


def everything(of: Drawn) -> list[Happening]:
    return list(itertools.chain.from_iterable(happenings(of)))


@functools.cache
def hour(fault: Fault | None = None, seed: int = 0, **changes: Any) -> list[Happening]:
    return everything(Drawn("test", seed, fleet(**changes), fault, HOUR))


def is_share(found: int, of: int, truth: float) -> bool:
    """Whether a count is within the binomial bounds of its probability."""
    return abs(found - of * truth) <= DEVIATIONS * math.sqrt(of * truth * (1.0 - truth))


def kind(of: list[Happening], wanted: Kind) -> list[Happening]:
    return [each for each in of if each.kind == wanted]


def call(at: float, failed: bool, contact: int = 0) -> Happening:
    code = SERVER_ERROR if failed else OK
    return Happening(instant(at), Kind.ANSWERED, contact, 1, code, 400.0, 0, 0, 0, 0)


def arrival(at: float, contact: int = 0, intent: int = 0) -> Happening:
    return Happening(instant(at), Kind.ARRIVED, contact, 0, 0, 0.0, 0, 0, intent, 0)


def hears(rule: Rule, at: float, *failed: bool) -> None:
    for each in failed:
        rule.hear(call(at, each), 0)


def states(rule: Rule) -> list[BreakerState]:
    return [move.state for move in rule.moves]
