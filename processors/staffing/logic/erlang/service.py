"""What a load gets from a number of agents, by the model that fits it: Erlang C, or Erlang A where patience ends."""

from __future__ import annotations

import dataclasses

import numpy as np

from processors.staffing.logic.erlang import abandoning, waiting
from processors.staffing.logic.erlang.blocking import inverse_blocking_logs
from processors.staffing.logic.erlang.checks import (
    Figures,
    Floats,
    Numbers,
    arrays,
    as_given,
    check_not_negative,
    check_patience,
    check_positive,
    check_whole,
)


@dataclasses.dataclass(frozen=True, slots=True)
class Load:
    """Contacts for one group of agents; each field one number or an array, broadcast against the others.

    contacts_per_minute: offered, 0 or more.
    aht_seconds: talk and wrap, above 0; of chat, how long one lasts while the agent has `concurrency` of them.
    patience_seconds: mean time (exponential) after which a contact that waits leaves; infinite: none does (Erlang C).
    concurrency: contacts that an agent has at once, 1 or more; n agents are n * concurrency servers.
    """

    contacts_per_minute: Numbers
    aht_seconds: Numbers
    patience_seconds: Numbers = np.inf
    concurrency: Numbers = 1

    @property
    def traffic_erlangs(self) -> Figures:
        """Contacts in service at once, on average, if none waited."""
        rate, aht = arrays(self.contacts_per_minute, self.aht_seconds)
        with np.errstate(over="ignore"):  # infinity is refused where the load is used
            return as_given(rate / 60.0 * aht)


@dataclasses.dataclass(frozen=True, slots=True)
class Service:
    """What contacts get; floats for single numbers, else arrays.

    wait_probability: share of contacts that find everybody busy.
    service_level: share of all contacts offered that is answered in the time asked for.
    asa_seconds: average wait of the answered; infinite where the queue grows without end or nobody is answered.
    occupancy: share of the agents' places that contacts take.
    abandonment: share of all contacts offered that leaves unanswered. Times the patience it is the mean wait of all.
    """

    wait_probability: Figures
    service_level: Figures
    asa_seconds: Figures
    occupancy: Figures
    abandonment: Figures


def performance(load: Load, agents: Numbers, within_seconds: Numbers = 20.0) -> Service:
    """Return what a load gets from `agents` people in their seats.

    Raises ErlangInputError for arguments out of range.
    """
    check_load(load)
    check_whole("agents", agents)
    check_not_negative("within_seconds", within_seconds)
    a, aht, patience, places, n, within = arrays(
        load.traffic_erlangs, load.aht_seconds, load.patience_seconds, load.concurrency, agents, within_seconds
    )
    found = solved(a, n * places, in_handle_times(patience, aht), finite_handle_times(within, aht), with_asa=True)
    asa = np.where(np.isinf(found.asa_seconds), np.inf, found.asa_seconds * aht)
    return Service(
        as_given(found.wait_probability),
        as_given(found.service_level),
        as_given(asa),
        as_given(found.occupancy),
        as_given(found.abandonment),
    )


def in_handle_times(seconds: Floats, aht: Floats) -> Floats:
    """Return seconds in handle times: infinity where that is beyond the largest number."""
    with np.errstate(over="ignore"):
        times: Floats = seconds / aht
    return times


def finite_handle_times(seconds: Floats, aht: Floats) -> Floats:
    """Return the same, but the largest number in place of infinity."""
    return np.minimum(in_handle_times(seconds, aht), np.finfo(np.float64).max)


def check_load(load: Load) -> None:
    """Raise ErlangInputError where a field of the load is out of range."""
    check_not_negative("contacts_per_minute", load.contacts_per_minute)
    check_positive("aht_seconds", load.aht_seconds)
    check_patience("patience_seconds", load.patience_seconds)
    check_whole("concurrency", load.concurrency, least=1)
    check_not_negative("contacts_per_minute times aht_seconds", load.traffic_erlangs)


def solved(traffic: Floats, servers: Floats, patience: Floats, within: Floats, *, with_asa: bool) -> Service:
    """Return what checked arrays of one shape give, all times (also `asa_seconds`) in handle times.

    Without `with_asa` the average wait under Erlang A is not computed and stands as 0.
    """
    inverse = inverse_blocking_logs(traffic, servers)
    return solved_with(inverse, traffic, servers, patience, within, with_asa=with_asa)


def solved_with(
    log_inverse: Floats, traffic: Floats, servers: Floats, patience: Floats, within: Floats, *, with_asa: bool
) -> Service:
    """Return the same where log(1 / B) is known."""
    waits = waiting.wait_probability(traffic, servers, log_inverse)
    answered = waiting.level(traffic, servers, waits, within)
    asa = waiting.mean_wait(traffic, servers, waits)
    busy = waiting.busy_share(traffic, servers)
    lost = np.where((servers == 0) & (traffic > 0) & np.isfinite(patience), 1.0, 0.0)
    some = np.isfinite(patience) & (traffic > 0) & (servers > 0)
    if np.any(some):
        line = abandoning.line_of(traffic[some], servers[some], patience[some], log_inverse[some])
        waits[some], busy[some], lost[some] = line.waits, line.occupancy, line.abandonment
        answered[some] = abandoning.answered_within(line, within[some] / patience[some])
        asa[some] = abandoning.answered_wait(line) * patience[some] if with_asa else 0.0
    return Service(waits, answered, asa, busy, lost)
