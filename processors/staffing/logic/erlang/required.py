"""The inverse: agents for targets, contacts for agents, and people to schedule."""

from __future__ import annotations

import dataclasses
import sys

import numpy as np

from processors.staffing.logic.erlang.checks import (
    MAX_AGENTS,
    ErlangInputError,
    Figures,
    Floats,
    Mask,
    Numbers,
    Whole,
    arrays,
    as_given,
    check_not_negative,
    check_occupancy,
    check_positive,
    check_share,
    check_whole,
)
from processors.staffing.logic.erlang.search import largest, least
from processors.staffing.logic.erlang.service import (
    Load,
    check_load,
    finite_handle_times,
    in_handle_times,
    performance,
    solved,
)

_ROUNDING = 1e-9
"""Relative slack in whole numbers of agents: 21 / (1 - 0.3) is 30, in floating point 30.000000000000004."""


@dataclasses.dataclass(frozen=True, slots=True)
class Targets:
    """What agents must reach, all of it at once; each field one number or an array.

    The defaults, 80 % in 20 s at an occupancy of at most 0.85, are usual in planning. `max_abandonment` and
    `max_asa_seconds` ask for nothing unless given.
    """

    service_level: Numbers = 0.8
    within_seconds: Numbers = 20.0
    max_occupancy: Numbers = 0.85
    max_asa_seconds: Numbers = np.inf
    max_abandonment: Numbers = 1.0


@dataclasses.dataclass(frozen=True, slots=True)
class Requirement:
    """The least agents that meet the targets, and what they would deliver.

    `agents` are people in seats, before shrinkage. `occupancy`: share of their time on contacts.
    """

    traffic_erlangs: float
    agents: int
    wait_probability: float
    service_level: float
    asa_seconds: float
    occupancy: float


def required(load: Load, targets: Targets = Targets()) -> Figures:
    """Return the least agents that meet every target: an int, or an array of them. No contacts: 0 agents.

    All problems are searched side by side. Where patience has no end (Erlang C) agents must be more than the traffic.
    A service level of 1 is met to double precision.

    Raises ErlangInputError for arguments out of range, or where more than MAX_AGENTS would be needed.
    """
    problems, start = _problems(load, targets)
    low = np.ceil(problems.least_servers() / problems.places)
    if np.any(low >= MAX_AGENTS):
        at = int(np.argmax(low))
        raise ErlangInputError(
            f"contacts_per_minute and aht_seconds make {problems.traffic[at]:g} Erlangs, which at max_occupancy "
            f"{problems.max_occupancy[at]} need more than {MAX_AGENTS} agents: check the units"
        )

    def is_met(agents: Whole, at: Whole) -> Mask:
        return problems.at(at).met_by(agents)

    return as_given(least(is_met, low.astype(np.int64)).reshape(start.shape))


def meets(load: Load, targets: Targets, agents: Numbers) -> Figures:
    """Say whether `agents` meet every target: a bool, or an array of them.

    Raises ErlangInputError for arguments out of range.
    """
    check_whole("agents", agents)
    problems, given = _problems(load, targets, agents)
    return as_given(problems.met_by(given.reshape(-1)).reshape(given.shape))


def agents_required(
    contacts_per_minute: float,
    aht_seconds: float,
    service_level_target: float,
    service_level_seconds: float,
    max_occupancy: float,
) -> Requirement:
    """Return the least agents above the traffic that meet both service level and occupancy, by Erlang C.

    Args:
        contacts_per_minute: offered to people, 0 or more.
        aht_seconds: talk and wrap, above 0.
        service_level_target: share to be answered in time, 0 to 1.
        service_level_seconds: in that time, 0 or more.
        max_occupancy: above 0, at most 1.

    Raises:
        ErlangInputError: an argument is out of range, or more than MAX_AGENTS would be needed.
    """
    load = Load(contacts_per_minute, aht_seconds)
    agents = required(load, Targets(service_level_target, service_level_seconds, max_occupancy))
    found = performance(load, agents, service_level_seconds)
    return Requirement(
        traffic_erlangs=load.traffic_erlangs,
        agents=agents,
        wait_probability=found.wait_probability,
        service_level=found.service_level,
        asa_seconds=found.asa_seconds,
        occupancy=found.occupancy,
    )


def carried_per_minute(
    agents: Numbers,
    aht_seconds: Numbers,
    service_level_target: Numbers,
    service_level_seconds: Numbers,
    max_occupancy: Numbers,
) -> Figures:
    """Return the most contacts per minute that `agents` take at both service level and occupancy, by Erlang C.

    The inverse of `agents_required`: for what is returned `agents` are enough, for more (relative 1e-9) they are
    not. Nobody takes nothing.

    Args:
        agents: people in seats, 0 to MAX_AGENTS.
        aht_seconds: talk and wrap, above 0.
        service_level_target: share to be answered in time, 0 to 1.
        service_level_seconds: in that time, 0 or more.
        max_occupancy: above 0, at most 1.

    Raises:
        ErlangInputError: an argument is out of range.
    """
    check_whole("agents", agents)
    check_positive("aht_seconds", aht_seconds)
    _check_targets(Targets(service_level_target, service_level_seconds, max_occupancy))
    n, aht, level, within, busy = arrays(
        agents, aht_seconds, service_level_target, service_level_seconds, max_occupancy
    )
    # Just over the occupancy that _whole lets pass, so that the largest rate lies under it.
    with np.errstate(over="ignore"):
        most = np.minimum(n * (60.0 / aht) * busy * (1.0 + 2 * _ROUNDING), sys.float_info.max)

    times = finite_handle_times(within, aht)

    def is_met(rates: Floats) -> Mask:
        columns = [np.broadcast_to(each[..., None], rates.shape) for each in (n, aht, level, times, busy)]
        people, handling, target, goal, share = columns
        endless, all_ = np.full_like(rates, np.inf), np.ones_like(rates)
        traffic = rates / 60.0 * handling
        return _Problems(traffic, handling, endless, all_, target, goal, share, endless, all_).met_by(people)

    return as_given(largest(is_met, most))


def scheduled(agents: Numbers, shrinkage: Numbers) -> Figures:
    """Return the people to schedule so that `agents` are in their seats: ceil(agents / (1 - shrinkage)).

    shrinkage: share of paid time away from contacts, from 0 to under 1.
    Raises ErlangInputError where it is not, or agents are not in 0..MAX_AGENTS.
    """
    check_whole("agents", agents)
    check_share("shrinkage", shrinkage)
    n, away = arrays(agents, shrinkage)
    if np.any(away == 1):
        raise ErlangInputError("shrinkage is 1: nobody would ever be in a seat; give a share under 1")
    return as_given(_whole(n / (1.0 - away)).astype(np.int64))


@dataclasses.dataclass(frozen=True, slots=True)
class _Problems:
    """Loads and targets side by side, flat arrays of one length; patience and within in handle times."""

    traffic: Floats
    aht_seconds: Floats
    patience: Floats
    places: Floats
    service_level: Floats
    within: Floats
    max_occupancy: Floats
    max_asa_seconds: Floats
    max_abandonment: Floats

    def at(self, places: Whole) -> _Problems:
        """Return some of them."""
        return _Problems(*(getattr(self, field.name)[places] for field in dataclasses.fields(self)))

    def least_servers(self) -> Floats:
        """Return servers under which no target can be met: what they carry is at most as many Erlangs."""
        stable = np.maximum(_whole(self.traffic / self.max_occupancy), np.floor(self.traffic) + 1.0)
        share = np.maximum(self.service_level, 1.0 - self.max_abandonment)
        answered = np.ceil(np.maximum(share * self.traffic * (1.0 - _ROUNDING), 1.0))
        return np.where(self.traffic == 0, 0.0, np.where(np.isinf(self.patience), stable, answered))

    def met_by(self, agents: Whole | Floats) -> Mask:
        """Say which targets are met by so many agents."""
        servers = agents * self.places
        found = solved(self.traffic, servers, self.patience, self.within, with_asa=False)
        met = (servers >= self.least_servers()) & (found.service_level >= self.service_level)
        met &= found.occupancy <= self.max_occupancy * (1.0 + _ROUNDING)
        met &= found.abandonment <= self.max_abandonment
        at = np.flatnonzero(met & np.isfinite(self.max_asa_seconds))  # a wait costs more than all else together
        if at.size:
            some = self.at(at)
            found = solved(some.traffic, servers[at], some.patience, some.within, with_asa=True)
            met[at] = found.asa_seconds * some.aht_seconds <= some.max_asa_seconds
        enough: Mask = met
        return enough


def _problems(load: Load, targets: Targets, agents: Numbers = 0) -> tuple[_Problems, Floats]:
    """Check and flatten; also return the agents, in the shape that the answer will have."""
    check_load(load)
    _check_targets(targets)
    n, *fields = arrays(
        agents, load.traffic_erlangs, load.aht_seconds, load.patience_seconds, load.concurrency,
        targets.service_level, targets.within_seconds, targets.max_occupancy, targets.max_asa_seconds,
        targets.max_abandonment,
    )  # fmt: skip
    a, aht, patience, places, level, within, busy, asa, lost = (each.reshape(-1) for each in fields)
    times = finite_handle_times(within, aht)
    return _Problems(a, aht, in_handle_times(patience, aht), places, level, times, busy, asa, lost), n


def _whole(people: Floats) -> Floats:
    rounded: Floats = np.ceil(people * (1.0 - _ROUNDING))
    return rounded


def _check_targets(targets: Targets) -> None:
    check_share("service_level_target", targets.service_level)
    check_not_negative("service_level_seconds", targets.within_seconds)
    check_occupancy("max_occupancy", targets.max_occupancy)
    check_positive("max_asa_seconds", np.minimum(targets.max_asa_seconds, sys.float_info.max))
    check_share("max_abandonment", targets.max_abandonment)
