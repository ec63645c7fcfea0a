"""Work that can wait, such as e-mail and social messages: a backlog against a deadline.

Contacts come evenly within each step and are served in turn; A(t) is the work that has come by t, B what is there at
the beginning. All that comes by u is done by its deadline, u + D, if at each s before it the agents who are there
from s on can do what comes from s to u:

    agents >= (A(u) - A(s)) / (u - s + D)   for all s <= u,    agents >= (B + A(u)) / (u + D),    agents >= B / D

A is a line within each step, where these are monotone, so the ends of the steps are all that need be looked at (the
minimum arrival and service curves of Cruz 1991). With minutes or hours to the deadline chance hardly matters: what
comes is many times its own square root.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from processors.staffing.logic.erlang.checks import (
    ErlangInputError,
    Floats,
    Numbers,
    check_not_negative,
    check_occupancy,
    check_positive,
    check_whole,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Deferrable:
    """Contacts that can wait, step by step.

    contacts: that come in each step. backlog: contacts that are there at the beginning, due as if they came then.
    deadline_seconds: from a contact's arrival to its end.
    """

    contacts: Sequence[float] | Floats
    step_seconds: float
    aht_seconds: float
    deadline_seconds: float
    backlog: float = 0.0


def deferred_required(work: Deferrable, max_occupancy: float = 0.85) -> int:
    """Return the least agents, the same all the time until the last deadline, with whom nothing is late.

    Raises ErlangInputError for arguments out of range.
    """
    came = _came(work)
    check_occupancy("max_occupancy", max_occupancy)
    ends = np.arange(came.size) * work.step_seconds
    # Work between the ends of two steps; from the first on, the backlog as well.
    base = np.where(np.arange(came.size) == 0, -work.backlog, came)
    span = ends[None, :] - ends[:, None] + work.deadline_seconds
    due = (came[None, :] - base[:, None]) / np.maximum(span, work.deadline_seconds)
    asked = np.where(span >= work.deadline_seconds, due, 0.0)
    return int(np.ceil(float(asked.max()) * work.aht_seconds / max_occupancy * (1.0 - 1e-9)))


@dataclasses.dataclass(frozen=True, slots=True)
class Backlog:
    """Contacts that are there as each step ends, and those of them that are past their deadline."""

    waiting: Floats
    late: Floats


def backlog_along(work: Deferrable, agents: Numbers, max_occupancy: float = 0.85) -> Backlog:
    """Return the backlog with so many agents in each step. Raises ErlangInputError for arguments out of range."""
    came = _came(work)
    check_whole("agents", agents)
    check_occupancy("max_occupancy", max_occupancy)
    steps = came.size - 1
    if np.ndim(agents) and np.size(agents) != steps:
        raise ErlangInputError(f"agents has {np.size(agents)} steps, contacts {steps}: give one of each a step")
    done = np.broadcast_to(np.asarray(agents) * max_occupancy * work.step_seconds / work.aht_seconds, (steps,))
    waiting = np.empty(steps)
    now = work.backlog
    for at in range(steps):
        now = waiting[at] = max(now + came[at + 1] - came[at] - done[at], 0.0)
    ends = np.arange(1, steps + 1) * work.step_seconds
    served = work.backlog + came[1:] - waiting
    due = np.interp(ends - work.deadline_seconds, np.arange(steps + 1) * work.step_seconds, work.backlog + came)
    due = np.where(ends >= work.deadline_seconds, due, 0.0)
    return Backlog(waiting, np.maximum(due - served, 0.0))


def spare_for_deferred(traffic_erlangs: Numbers, agents: Numbers, max_occupancy: float = 0.85) -> Floats:
    """Return the agents' worth of time that contacts which cannot wait leave for such work in a blended group.

    Raises ErlangInputError for arguments out of range.
    """
    check_not_negative("traffic_erlangs", traffic_erlangs)
    check_whole("agents", agents)
    check_occupancy("max_occupancy", max_occupancy)
    left: Floats = np.maximum(np.asarray(agents) * max_occupancy - np.asarray(traffic_erlangs), 0.0)
    return left


def _came(work: Deferrable) -> Floats:
    """Return the contacts that have come by the beginning, and by the end of each step."""
    check_not_negative("contacts", work.contacts)
    check_positive("step_seconds", work.step_seconds)
    check_positive("aht_seconds", work.aht_seconds)
    check_positive("deadline_seconds", work.deadline_seconds)
    check_not_negative("backlog", work.backlog)
    if np.ndim(work.contacts) != 1 or not np.size(work.contacts):
        raise ErlangInputError("contacts has no steps: give a list of at least one number")
    return np.concatenate(([0.0], np.cumsum(work.contacts)))
