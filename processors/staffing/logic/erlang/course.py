"""Load that moves: what is given, what is told, and what becomes of a contact by where it comes in the queue.

A course is cut into steps, in each of which the rate of contacts and the agents stand still. Contacts arrive at
random (Poisson), handle times and patience are exponential, the queue is served in turn. Where agents become
fewer than contacts in service, a contact goes back to the head of the queue, and its patience starts anew.

A contact that finds m others ahead of it in the queue, and all n agents busy, waits V, a sum of exponential times
with the rates n mu + i theta, i = 0..m (mu = 1 / AHT, theta = 1 / patience). exp(-theta V) then is Beta(x, m + 1),
x = n mu / theta (order statistics of exponential times: Renyi 1953), and from that follow, with u = exp(-theta T),

    answered                  x / (x + m + 1)
    answered within T         x / (x + m + 1) (1 - I_u(x + 1, m + 1))      I: the regularised incomplete beta
    wait, answered or not     (m + 1) / (n mu + (m + 1) theta)
    wait, if answered         (psi(x + m + 2) - psi(x + 1)) / theta        psi: digamma

Without end of patience V is gamma with m + 1 stages. The agents are taken to stay as many as they are when the
contact arrives.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
from scipy.special import betainc, digamma, gammainc

from processors.staffing.logic.erlang.checks import (
    ErlangInputError,
    Floats,
    Numbers,
    check_not_negative,
    check_patience,
    check_positive,
    check_whole,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Course:
    """Contacts per minute and agents, step by step.

    in_system: contacts that are there at the beginning, in service or waiting; None: the steady state of the
    first step, which must have one. within_seconds: the time that the service level is about.
    """

    contacts_per_minute: Sequence[float] | Floats
    agents: Sequence[int] | Numbers
    step_seconds: float
    aht_seconds: float
    patience_seconds: float = math.inf
    within_seconds: float = 20.0
    in_system: int | None = None

    @property
    def service_rate(self) -> float:
        """Contacts that an agent ends in a second."""
        return 1.0 / self.aht_seconds

    @property
    def leaving_rate(self) -> float:
        """Share of those who wait that leaves in a second."""
        return 1.0 / self.patience_seconds

    def steps(self) -> list[tuple[float, int]]:
        """Return contacts per second and agents of each step; raises ErlangInputError where they make no sense."""
        check_not_negative("contacts_per_minute", self.contacts_per_minute)
        check_whole("agents", self.agents)
        check_positive("step_seconds", self.step_seconds)
        check_positive("aht_seconds", self.aht_seconds)
        check_patience("patience_seconds", self.patience_seconds)
        check_not_negative("within_seconds", self.within_seconds)
        if self.in_system is not None:
            check_whole("in_system", self.in_system)
        rates = np.atleast_1d(np.asarray(self.contacts_per_minute, dtype=np.float64)) / 60.0
        agents = np.broadcast_to(np.asarray(self.agents), rates.shape) if np.ndim(self.agents) == 0 else self.agents
        if rates.size == 0 or rates.ndim != 1 or np.shape(agents) != rates.shape:
            raise ErlangInputError(
                f"contacts_per_minute has {rates.size} steps, agents {np.size(self.agents)}: give one of each a step"
            )
        return [(float(rate), int(n)) for rate, n in zip(rates, np.asarray(agents), strict=True)]


@dataclasses.dataclass(frozen=True, slots=True)
class Moved:
    """What happens in each step; arrays, one figure a step.

    waiting, busy: contacts in the queue, and in service, on average over the step; waiting_at_end: as it ends.
    The others are of those who arrive in the step, as in `Service`: share that has to wait, share answered in time,
    average wait of the answered, share that leaves; wait_seconds: average wait, answered or not.
    """

    waiting: Floats
    waiting_at_end: Floats
    busy: Floats
    wait_probability: Floats
    service_level: Floats
    asa_seconds: Floats
    wait_seconds: Floats
    abandonment: Floats


@dataclasses.dataclass(frozen=True, slots=True)
class Prospects:
    """What becomes of contacts that arrive and have to wait; arrays over places in the queue.

    `answered_wait` is the wait in seconds where the contact is answered, 0 where not, on average.
    """

    in_time: Floats
    answered: Floats
    answered_wait: Floats
    wait: Floats


def prospects(course: Course, agents: int, ahead: Floats) -> Prospects:
    """Return the prospects of contacts with `ahead` others before them in the queue, -1 < ahead, not always whole."""
    stage = ahead + 1.0
    ending, leaving = agents * course.service_rate, course.leaving_rate
    if agents == 0:
        nothing = np.zeros_like(stage)
        return Prospects(nothing, nothing, nothing, np.full_like(stage, course.patience_seconds))
    if leaving == 0:
        wait = stage / ending
        return Prospects(gammainc(stage, ending * course.within_seconds), np.ones_like(stage), wait, wait)
    x = ending / leaving
    answered = x / (x + stage)
    kept = math.exp(-leaving * course.within_seconds)
    in_time = answered * (1.0 - betainc(x + 1.0, stage, kept))
    waited = answered * (digamma(x + stage + 1.0) - digamma(x + 1.0)) / leaving
    return Prospects(in_time, answered, waited, stage / (ending + stage * leaving))


def told(rows: Sequence[dict[str, float]]) -> Moved:
    """Return the figures of steps as arrays."""
    names = [field.name for field in dataclasses.fields(Moved)]
    return Moved(**{name: np.array([row[name] for row in rows]) for name in names})
