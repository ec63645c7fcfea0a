"""Erlang B: contacts that find everybody busy do not wait (Erlang 1917).

    B = (a^n / n!) / sum over k of a^k / k!

the share of contacts that find all n agents busy where `traffic_erlangs` are offered and none waits; it holds
for any distribution of handle times. As a logarithm it stands for the 1e-4000 of a quiet centre as well.
"""

from __future__ import annotations

import numpy as np

from processors.staffing.logic.erlang.checks import (
    Figures,
    Floats,
    Mask,
    Numbers,
    Whole,
    arrays,
    as_given,
    check_not_negative,
    check_positive,
    check_whole,
)
from processors.staffing.logic.erlang.search import least
from processors.staffing.logic.erlang.tails import log_inverse_blocking


def erlang_b(traffic_erlangs: Numbers, agents: Numbers) -> Figures:
    """Return the probability that all `agents` are busy where nobody waits.

    Raises ErlangInputError where traffic is negative or not finite, or agents are not in 0..MAX_AGENTS.
    """
    return as_given(np.exp(-_log_inverse(traffic_erlangs, agents)))


def log_erlang_b(traffic_erlangs: Numbers, agents: Numbers) -> Figures:
    """Return the natural logarithm of `erlang_b`, minus infinity without traffic; raises as `erlang_b` does."""
    return as_given(-_log_inverse(traffic_erlangs, agents))


def servers_for_blocking(traffic_erlangs: Numbers, max_blocking: Numbers) -> Figures:
    """Return the least servers that turn away at most a share `max_blocking`, above 0, of the contacts.

    Raises ErlangInputError for arguments out of range, or where more than MAX_AGENTS would be needed.
    """
    check_not_negative("traffic_erlangs", traffic_erlangs)
    check_positive("max_blocking", max_blocking)
    traffic, most = arrays(traffic_erlangs, max_blocking)
    limit = -np.log(most)
    low = np.floor(np.maximum(traffic * (1.0 - most), 0.0)).astype(np.int64)  # what is carried is at most the servers

    def is_met(servers: Whole, at: Whole) -> Mask:
        a = traffic.ravel()[at]
        met: Mask = (inverse_blocking_logs(a, servers.astype(np.float64)) >= limit.ravel()[at]) | (a == 0)
        return met

    return as_given(least(is_met, low))


def _log_inverse(traffic_erlangs: Numbers, agents: Numbers) -> Floats:
    check_not_negative("traffic_erlangs", traffic_erlangs)
    check_whole("agents", agents)
    return inverse_blocking_logs(*arrays(traffic_erlangs, agents))


def inverse_blocking_logs(traffic: Floats, servers: Floats) -> Floats:
    """Return log(1 / B) of arrays of one shape that were checked; infinite without traffic, but for 0 servers."""
    result = np.where(servers > 0, np.inf, 0.0)
    some = traffic > 0
    result[some] = log_inverse_blocking(traffic[some], servers[some])
    return result
