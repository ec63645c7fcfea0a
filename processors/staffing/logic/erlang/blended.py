"""Blended pools: several streams of contacts, each with its own handle time, on one group of people.

The contacts of all streams are one Poisson stream, and handle times a mixture of exponentials (M/H/n):

    rate = sum of rates,  AHT = sum of rate_i AHT_i / rate,  c^2 = 2 sum of rate_i AHT_i^2 / (rate AHT^2) - 1

A contact has to wait with Erlang C's probability, nearly whatever the mixture, and those who wait do so `stretch` times
as long, by Kimura's interpolation (1986) between exponential and constant handle times,

    stretch = (1 + c^2) / (2 c^2 + 2 (1 - c^2) / (1 + xi))
    xi = (1 - rho) (n - 1) (sqrt(4 + 5 n) - 2) / (16 rho n), at most 1/4    constant times: Cosmetatos (1976)

with the exponential tail of Erlang C stretched likewise. For one agent it is (1 + c^2) / 2, which is exact (Pollaczek
and Khinchine). Simulated with 5 to 190 agents and c^2 = 2.6 the mean wait is within 8 %, the service level within 0.02.

Served by priority, not in turn, and without interruption (Cobham 1954; exact for equal handle times: Kella &
Yechiali 1985), stream k waits

    W_k = C AHT stretch / n / ((1 - s_(k-1)) (1 - s_k)),  s_k = the first k streams' Erlangs / n

Where contacts lose patience, take `pooled` for an Erlang A load: who waits long leaves, and c^2 hardly matters.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from processors.staffing.logic.erlang.checks import (
    ErlangInputError,
    Mask,
    Whole,
    check_not_negative,
    check_positive,
    check_whole,
)
from processors.staffing.logic.erlang.required import Targets, required
from processors.staffing.logic.erlang.search import least
from processors.staffing.logic.erlang.service import Load, performance

_MOST_CONSTANT = 0.25
"""Kimura's own bound: the correction was fitted to loads at which people wait."""


class Stream(NamedTuple):
    """Contacts of one kind: `contacts_per_minute` 0 or more, `aht_seconds` above 0."""

    contacts_per_minute: float
    aht_seconds: float


@dataclasses.dataclass(frozen=True, slots=True)
class Blend:
    """What streams get from one group, all in turn; `asa_by_priority` if the first stream always went first, and so on.

    wait_probability, service_level, asa_seconds, occupancy: as in `Service`, over all contacts.
    """

    wait_probability: float
    service_level: float
    asa_seconds: float
    occupancy: float
    asa_by_priority: tuple[float, ...]


def pooled(streams: Sequence[Stream], patience_seconds: float = math.inf) -> Load:
    """Return the streams as one load: the sum of the rates, with the average handle time over all contacts.

    Raises ErlangInputError where there is no stream, or one is out of range.
    """
    rate, aht = _mean(streams)
    return Load(rate, aht, patience_seconds)


def stretch(streams: Sequence[Stream], agents: int) -> float:
    """Return how much longer than with equal exponential handle times those who wait for `agents` people do so.

    Raises ErlangInputError for arguments out of range.
    """
    check_whole("agents", agents, least=1)
    rate, aht = _mean(streams)
    if rate == 0:
        return 1.0
    squares = math.fsum(each.contacts_per_minute * each.aht_seconds**2 for each in streams)
    variation = 2.0 * squares / (rate * aht**2) - 1.0
    rho = min(rate / 60.0 * aht / agents, 1.0)
    constant = (1 - rho) * (agents - 1) * (math.sqrt(4 + 5 * agents) - 2) / (16 * rho * agents)
    return (1 + variation) / (2 * variation + 2 * (1 - variation) / (1 + min(constant, _MOST_CONSTANT)))


def blend(streams: Sequence[Stream], agents: int, within_seconds: float = 20.0) -> Blend:
    """Return what the streams get from `agents` people. Raises ErlangInputError for arguments out of range."""
    check_whole("agents", agents)
    check_not_negative("within_seconds", within_seconds)
    load, longer = pooled(streams), stretch(streams, max(agents, 1))
    found = performance(load, agents, within_seconds / longer)
    residual = found.wait_probability * _mean(streams)[1] * longer / max(agents, 1)
    erlangs = np.cumsum([0.0, *(stream.contacts_per_minute / 60.0 * stream.aht_seconds for stream in streams)])
    idle = 1.0 - erlangs / max(agents, 1)
    by_priority = [
        residual / (before * with_own) if with_own > 0 else math.inf
        for before, with_own in itertools.pairwise(idle.tolist())
    ]
    asa = found.asa_seconds * longer
    return Blend(found.wait_probability, found.service_level, asa, found.occupancy, tuple(by_priority))


def blend_required(streams: Sequence[Stream], targets: Targets = Targets()) -> int:  # noqa: B008 - frozen
    """Return the least agents with whom all streams together, served in turn, meet the targets, each one number.

    Raises ErlangInputError for arguments out of range; `max_abandonment` asks for nothing, for nobody leaves.
    """
    level, within, asa = (
        float(np.asarray(each)) for each in (targets.service_level, targets.within_seconds, targets.max_asa_seconds)
    )
    low = required(pooled(streams), dataclasses.replace(targets, service_level=0.0, max_asa_seconds=math.inf))

    def is_met(agents: Whole, _: Whole) -> Mask:
        found = [blend(streams, n, within) for n in agents.tolist()]
        return np.array([each.service_level >= level and each.asa_seconds <= asa for each in found])

    return int(least(is_met, np.array([low]))[0])


def _mean(streams: Sequence[Stream]) -> tuple[float, float]:
    """Return contacts per minute, and the average handle time over them."""
    if not streams:
        raise ErlangInputError("streams is empty: give at least one")
    check_not_negative("contacts_per_minute", [stream.contacts_per_minute for stream in streams])
    check_positive("aht_seconds", [stream.aht_seconds for stream in streams])
    rate = math.fsum(stream.contacts_per_minute for stream in streams)
    if rate == 0:
        return 0.0, streams[0].aht_seconds
    return rate, math.fsum(stream.contacts_per_minute * stream.aht_seconds for stream in streams) / rate
