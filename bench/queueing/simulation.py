"""A queue of people served in turn, contact by contact: a heap of the times at which agents get free.

A contact that arrives is given to the agent who gets free first, unless its patience ends before that. Since the queue
is served in turn, that is decided when it arrives: what comes later cannot change it. Agents may come and go: those
who come are in the heap from the start, free when they come; those who go end the contact that they have.
`bench.queueing.peer` has the same by ciw, and the two are compared.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


class Contacts(NamedTuple):
    """Contacts in the order of their arrival. waits: until answered, or until they left; `answered` says which."""

    arrivals: Floats
    waits: Floats
    answered: npt.NDArray[np.bool_]

    def waiting_at(self, times: Floats) -> Floats:
        """Return how many wait at each time."""
        came = np.searchsorted(self.arrivals, times, side="right")
        gone = np.searchsorted(np.sort(self.arrivals + self.waits), times, side="right")
        return (came - gone).astype(np.float64)

    def within(self, start: float, end: float) -> Contacts:
        """Return those who arrive in [start, end)."""
        first, last = np.searchsorted(self.arrivals, (start, end))
        return Contacts(self.arrivals[first:last], self.waits[first:last], self.answered[first:last])


class Shift(NamedTuple):
    """Agents who are there from one time to another."""

    agents: int
    start: float = -math.inf
    end: float = math.inf


def arrivals_of(
    rng: np.random.Generator, per_second: Sequence[float], step_seconds: float, start: float = 0.0
) -> Floats:
    """Return arrivals at random (Poisson) with a rate that stands still within each step."""
    times = []
    for at, rate in enumerate(per_second):
        count = rng.poisson(rate * step_seconds)
        times.append(start + step_seconds * (at + np.sort(rng.random(count))))
    return np.concatenate(times)


def simulated(
    rng: np.random.Generator, arrivals: Floats, shifts: Sequence[Shift], aht_seconds: float, patience_seconds: float
) -> Contacts:
    """Serve contacts with exponential handle times and patience (infinite: none leaves)."""
    patience = np.full(arrivals.size, math.inf)
    if not math.isinf(patience_seconds):
        patience = rng.exponential(patience_seconds, arrivals.size)
    return served(arrivals, rng.exponential(aht_seconds, arrivals.size), patience, shifts)


def served(arrivals: Floats, handling: Floats, patience: Floats, shifts: Sequence[Shift]) -> Contacts:
    """Serve contacts whose handle times and patience, in seconds, are known."""
    free = [(shift.start, shift.end) for shift in shifts for _ in range(shift.agents)]
    heapq.heapify(free)
    waits, answered = [0.0] * arrivals.size, [False] * arrivals.size
    for at, (now, takes, bears) in enumerate(zip(arrivals.tolist(), handling.tolist(), patience.tolist(), strict=True)):
        begin = _next_free(free, now)
        wait = begin - now
        if wait > bears or not free:
            waits[at] = bears
            continue
        waits[at], answered[at] = wait, True
        heapq.heapreplace(free, (begin + takes, free[0][1]))
    return Contacts(arrivals, np.array(waits), np.array(answered))


def _next_free(free: list[tuple[float, float]], now: float) -> float:
    """Return when the first agent who is still there can take a contact; infinity where nobody is left."""
    while free:
        begin, end = max(free[0][0], now), free[0][1]
        if begin < end:
            return begin
        heapq.heappop(free)
    return math.inf
