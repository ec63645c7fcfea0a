"""Blended pools: several streams of contacts, each with its own handle time, on one group of people.

The contacts of all streams are one Poisson stream, and handle times a mixture of exponentials (M/H/n):

    rate = sum of rates,  AHT = sum of rate_i AHT_i / rate,  c^2 = 2 sum of rate_i AHT_i^2 / (rate AHT^2) - 1

A contact has to wait with Erlang C's probability, nearly whatever the mixture; those who wait do so
(1 + c^2) / 2 times as long (Lee & Longton 1959; exact for one agent: Pollaczek and Khinchine), with the exponential
tail of Erlang C stretched likewise. Served by priority, not in turn, and without interruption (Cobham 1954; exact
for equal handle times: Kella & Yechiali 1985), stream k waits

    W_k = C AHT (1 + c^2) / 2 / n / ((1 - s_(k-1)) (1 - s_k)),  s_k = the first k streams' Erlangs / n

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
    check_not_negative,
    check_positive,
    check_whole,
)
from processors.staffing.logic.erlang.required import Targets, required
from processors.staffing.logic.erlang.service import Load, performance


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
    _check(streams)
    rate = math.fsum(stream.contacts_per_minute for stream in streams)
    if rate == 0:
        return Load(0.0, streams[0].aht_seconds, patience_seconds)
    work = math.fsum(stream.contacts_per_minute * stream.aht_seconds for stream in streams)
    return Load(rate, work / rate, patience_seconds)


def stretch(streams: Sequence[Stream]) -> float:
    """Return (1 + c^2) / 2: how much longer than with equal handle times those who wait do so; at least 1."""
    load = pooled(streams)
    if load.contacts_per_minute == 0:
        return 1.0
    squares = math.fsum(stream.contacts_per_minute * stream.aht_seconds**2 for stream in streams)
    return squares / (float(load.contacts_per_minute) * float(load.aht_seconds) ** 2)  # type: ignore[arg-type]


def blend(streams: Sequence[Stream], agents: int, within_seconds: float = 20.0) -> Blend:
    """Return what the streams get from `agents` people. Raises ErlangInputError for arguments out of range."""
    check_whole("agents", agents)
    load, longer = pooled(streams), stretch(streams)
    check_not_negative("within_seconds", within_seconds)
    found = performance(load, agents, within_seconds / longer)
    residual = found.wait_probability * float(load.aht_seconds) * longer / max(agents, 1)  # type: ignore[arg-type]
    erlangs = np.cumsum([0.0, *(stream.contacts_per_minute / 60.0 * stream.aht_seconds for stream in streams)])
    idle = 1.0 - erlangs / max(agents, 1)
    by_priority = [
        residual / (before * with_own) if with_own > 0 else math.inf
        for before, with_own in itertools.pairwise(idle.tolist())
    ]
    asa = found.asa_seconds * longer
    return Blend(found.wait_probability, found.service_level, asa, found.occupancy, tuple(by_priority))


def blend_required(streams: Sequence[Stream], targets: Targets = Targets()) -> int:  # noqa: B008 - frozen
    """Return the least agents with whom all streams together, served in turn, meet the targets.

    Raises ErlangInputError for arguments out of range; of the targets, `max_abandonment` asks for nothing here.
    """
    longer = stretch(streams)
    changed = dataclasses.replace(
        targets,
        within_seconds=np.asarray(targets.within_seconds) / longer,
        max_asa_seconds=np.asarray(targets.max_asa_seconds) / longer,
    )
    return int(required(pooled(streams), changed))


def _check(streams: Sequence[Stream]) -> None:
    if not streams:
        raise ErlangInputError("streams is empty: give at least one")
    check_not_negative("contacts_per_minute", [stream.contacts_per_minute for stream in streams])
    check_positive("aht_seconds", [stream.aht_seconds for stream in streams])
