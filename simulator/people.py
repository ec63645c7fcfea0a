"""People: each queue has a finite number, first come first served; who waits too long leaves."""

from __future__ import annotations

import math
import random
from collections import OrderedDict
from typing import Generic, TypeVar

# Seconds at pace 1. Log-normal talk and exponential patience are what Brown et al. found in the records of
# a bank's call centre (2005, "Statistical Analysis of a Telephone Call Center", JASA 100(469)).
TALK_SECONDS = 240.0
TALK_SIGMA = 0.4
MAX_TALK_SECONDS = 3 * TALK_SECONDS
"""Longer talks (1 in 600) are cut, so that a run comes to its end; the mean loses 0.1 %."""
WRAP_SECONDS = 30.0
PATIENCE_SECONDS = 300.0
CALLBACK_SECONDS = 3 * PATIENCE_SECONDS
"""So long a customer counts on a promised callback, as long as one in twenty would have waited on the line."""
HANDLE_SECONDS = TALK_SECONDS + WRAP_SECONDS
"""Mean handle time (AHT), talk and wrap: 270 s."""

_TALK_MU = math.log(TALK_SECONDS) - TALK_SIGMA**2 / 2  # so that the mean is TALK_SECONDS

Waiting = TypeVar("Waiting")


class Desk(Generic[Waiting]):
    """One queue: people, some of them busy, those who wait for one, and those who are to be called back, by id."""

    def __init__(self, people: int) -> None:
        self._free = people
        self._line: OrderedDict[str, Waiting] = OrderedDict()
        self._promised: OrderedDict[str, Waiting] = OrderedDict()

    @property
    def waiting(self) -> int:
        """Return how many wait."""
        return len(self._line)

    def arrive(self, name: str, contact: Waiting) -> bool:
        """Return whether a free person takes the contact; otherwise it waits in line."""
        return self._arrive(name, contact, self._line)

    def promise(self, name: str, contact: Waiting) -> bool:
        """Return whether a free person calls the contact back at once; otherwise one does when nobody waits."""
        return self._arrive(name, contact, self._promised)

    def _arrive(self, name: str, contact: Waiting, line: OrderedDict[str, Waiting]) -> bool:
        if self._free:
            self._free -= 1
            return True
        line[name] = contact
        return False

    def leave(self, name: str) -> bool:
        """Take a contact out of the line, or off the callbacks; return whether it was still there."""
        return (self._line.pop(name, None) or self._promised.pop(name, None)) is not None

    def release(self) -> Waiting | None:
        """Return the contact that a person who has finished takes, or calls, next; None: the person is free."""
        line = self._line or self._promised
        if not line:
            self._free += 1
            return None
        return line.popitem(last=False)[1]


class Durations:
    """How long people and customers take; `pace` scales everything."""

    def __init__(self, pace: float) -> None:
        self._pace = pace

    def talk_seconds(self, rng: random.Random) -> float:
        """Return a log-normal talk time with mean TALK_SECONDS."""
        return min(rng.lognormvariate(_TALK_MU, TALK_SIGMA), MAX_TALK_SECONDS) * self._pace

    def wrap_seconds(self, rng: random.Random) -> float:
        """Return an exponential after-call time with mean WRAP_SECONDS."""
        return rng.expovariate(1.0 / WRAP_SECONDS) * self._pace

    def patience_seconds(self, rng: random.Random) -> float:
        """Return how long a customer waits for a person, exponential with mean PATIENCE_SECONDS."""
        return rng.expovariate(1.0 / PATIENCE_SECONDS) * self._pace
