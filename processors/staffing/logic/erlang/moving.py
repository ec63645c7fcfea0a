"""Load that moves: which model holds where, and agents for it."""

from __future__ import annotations

import math

import numpy as np

from processors.staffing.logic.erlang.checks import Floats, Whole, check_not_negative, check_positive
from processors.staffing.logic.erlang.course import Course, Moved
from processors.staffing.logic.erlang.fluid import fluid
from processors.staffing.logic.erlang.required import Targets, required
from processors.staffing.logic.erlang.service import Load
from processors.staffing.logic.erlang.transient import transient

EXACT_AGENTS = 300
"""Up to so many the exact transient is quick (half a second for three hours); beyond, the refined fluid is close."""


def moving(course: Course) -> Moved:
    """Return what happens along a course: exactly up to EXACT_AGENTS, beyond by the refined fluid.

    Raises ErlangInputError for arguments out of range, and where a steady state to start from does not exist.
    """
    return transient(course) if np.max(course.agents) <= EXACT_AGENTS else fluid(course)


def offered_load(
    contacts_per_minute: Floats, step_seconds: float, aht_seconds: float, start_erlangs: float | None = None
) -> Floats:
    """Return the Erlangs of each step, on average, if nobody ever waited: the modified offered load.

    dm/dt = lambda - m / AHT, which lags behind the rate by a handle time or so (Jennings, Mandelbaum, Massey & Whitt
    1996). start_erlangs: at the beginning; None: those of the first step's rate. Raises ErlangInputError.
    """
    check_not_negative("contacts_per_minute", contacts_per_minute)
    check_positive("step_seconds", step_seconds)
    check_positive("aht_seconds", aht_seconds)
    steady = np.atleast_1d(np.asarray(contacts_per_minute, dtype=np.float64)) / 60.0 * aht_seconds
    if start_erlangs is not None:
        check_not_negative("start_erlangs", start_erlangs)
    now = float(steady[0]) if start_erlangs is None else start_erlangs
    kept = math.exp(-step_seconds / aht_seconds)
    mean_kept = (1.0 - kept) * aht_seconds / step_seconds
    result = np.empty_like(steady)
    for at, goal in enumerate(steady):
        result[at] = goal + (now - goal) * mean_kept
        now = goal + (now - goal) * kept
    return result


def required_along(course: Course, targets: Targets) -> Whole:
    """Return the agents of each step that meet the targets for its modified offered load; `course.agents` are ignored.

    Each step is taken as a steady state of its own, which is the pointwise stationary approximation (Green & Kolesar
    1991) for the load that is there, not for the rate. Raises ErlangInputError.
    """
    erlangs = offered_load(np.asarray(course.contacts_per_minute), course.step_seconds, course.aht_seconds)
    load = Load(erlangs * 60.0 / course.aht_seconds, course.aht_seconds, course.patience_seconds)
    return np.atleast_1d(required(load, targets))
