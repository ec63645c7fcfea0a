"""Erlang C: contacts wait without leaving and are served in turn (Erlang 1917; M/M/n).

    C  = B / (1 - rho (1 - B)),  rho = a / n           a contact has to wait
    SL = 1 - C exp(-(n - a) T / AHT)                  it is answered within T
    ASA = C AHT / (n - a)                             average wait of all contacts, all of which are answered

Where the traffic reaches the number of agents the queue grows without end: wait probability 1, service level 0,
average wait infinite. Without traffic nobody waits.
"""

from __future__ import annotations

import numpy as np

from processors.staffing.logic.erlang.blocking import inverse_blocking_logs
from processors.staffing.logic.erlang.checks import (
    Figures,
    Floats,
    Numbers,
    arrays,
    as_given,
    check_not_negative,
    check_positive,
    check_whole,
)


def erlang_c_wait_probability(traffic_erlangs: Numbers, agents: Numbers) -> Figures:
    """Return the probability that a contact has to wait: 1 in overload, 0 without traffic.

    Raises ErlangInputError where traffic is negative or not finite, or agents are not in 0..MAX_AGENTS.
    """
    return as_given(_waits(*_checked(traffic_erlangs, agents)))


def service_level(traffic_erlangs: Numbers, agents: Numbers, aht_seconds: Numbers, within_seconds: Numbers) -> Figures:
    """Return the share of contacts answered within `within_seconds`: 0 in overload, 1 without traffic.

    Raises ErlangInputError for arguments out of range.
    """
    check_positive("aht_seconds", aht_seconds)
    check_not_negative("within_seconds", within_seconds)
    a, n = _checked(traffic_erlangs, agents)
    a, n, aht, within = arrays(a, n, aht_seconds, within_seconds)
    return as_given(level(a, n, _waits(a, n), within / aht))


def asa_seconds(traffic_erlangs: Numbers, agents: Numbers, aht_seconds: Numbers) -> Figures:
    """Return the average speed of answer over all contacts: infinite in overload.

    Raises ErlangInputError for arguments out of range.
    """
    check_positive("aht_seconds", aht_seconds)
    a, n = _checked(traffic_erlangs, agents)
    a, n, aht = arrays(a, n, aht_seconds)
    return as_given(aht * mean_wait(a, n, _waits(a, n)))


def occupancy(traffic_erlangs: Numbers, agents: Numbers) -> Figures:
    """Return the share of agents' time spent on contacts: traffic / agents, 1 in overload, 0 without traffic.

    Raises ErlangInputError for arguments out of range.
    """
    return as_given(busy_share(*_checked(traffic_erlangs, agents)))


def wait_probability(a: Floats, n: Floats, log_inverse: Floats) -> Floats:
    """Return C, of arrays of one shape that were checked, and log(1 / B)."""
    result = np.where(a > 0, 1.0, 0.0)
    some = (a > 0) & (a < n)
    rho = a[some] / n[some]
    blocked = np.exp(-log_inverse[some])
    result[some] = blocked / (rho * blocked + 1.0 - rho)
    return result


def level(a: Floats, n: Floats, waits: Floats, handle_times: Floats) -> Floats:
    """Return the share answered within a number of handle times, given who waits."""
    with np.errstate(over="ignore"):
        answered: Floats = 1.0 - waits * np.exp(-np.maximum(n - a, 0.0) * handle_times)
    return np.where((a >= n) & (a > 0), 0.0, answered)


def mean_wait(a: Floats, n: Floats, waits: Floats) -> Floats:
    """Return the average wait in handle times, given who waits."""
    spare = np.where(a < n, n - a, 1.0)
    return np.where(a == 0, 0.0, np.where(a < n, waits / spare, np.inf))


def busy_share(a: Floats, n: Floats) -> Floats:
    """Return the occupancy, of arrays of one shape that were checked."""
    return np.where(a < n, a / np.maximum(n, 1.0), np.where(a > 0, 1.0, 0.0))


def _waits(a: Floats, n: Floats) -> Floats:
    return wait_probability(a, n, inverse_blocking_logs(a, n))


def _checked(traffic_erlangs: Numbers, agents: Numbers) -> list[Floats]:
    check_not_negative("traffic_erlangs", traffic_erlangs)
    check_whole("agents", agents)
    return arrays(traffic_erlangs, agents)
