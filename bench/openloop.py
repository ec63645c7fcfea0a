"""Offers at instants fixed in advance, whatever the system does: an open loop, so that a stall counts.

`python -m bench.openloop` is a process of its own. It says `ready`, is told on standard input when to begin, writes
each offer when it is due (and at once where it is late), and ends with its own lateness as JSON.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt
from confluent_kafka import Producer

from bench.contacts import read_contacts
from runtime.kafka import producer_config
from runtime.options import settings_of
from runtime.settings import Settings
from schemas.topics import OFFERED

Floats = npt.NDArray[np.float64]

TICK_SECONDS = 0.001
"""What is due is sent a thousand times a second: half a millisecond late on average, and no core is burnt."""
_FLUSH_SECONDS = 30.0
_SPARE_DEVIATIONS = 6.0
"""A Poisson count of mean n is below n + 6 sqrt(n), but for one time in a billion."""


class Sent(NamedTuple):
    """What a generator says at its end. late_p99_ms: from due to handed to the producer."""

    records: int
    late_p99_ms: float
    late_max_ms: float


def schedule(per_second: float, seconds: float, seed: int) -> Floats:
    """Return when contacts arrive, in seconds from the beginning: a Poisson process, the same for the same seed."""
    mean = per_second * seconds
    draws = int(mean + _SPARE_DEVIATIONS * mean**0.5) + 10
    arrivals: Floats = np.cumsum(np.random.default_rng(seed).exponential(1 / per_second, size=draws))
    return arrivals[arrivals < seconds]


def lateness(scheduled: Floats, batches: list[tuple[int, float]]) -> Floats:
    """Return how late each was sent, in seconds; batches: (the first not sent any more, when), from the beginning."""
    ends = np.array([end for end, _ in batches])
    instants = np.array([at for _, at in batches])
    return np.repeat(instants, np.diff(ends, prepend=0)) - scheduled[: int(ends[-1])]


def percentile(values: Floats, share: float) -> float:
    """Return the least value that so large a share of the values does not exceed (the nearest rank)."""
    return float(np.quantile(values, share, method="inverted_cdf"))


def begin() -> float:
    """Say that this process is ready; return the instant (CLOCK_MONOTONIC, seconds) at which it is told to begin."""
    print("ready", flush=True)
    return float(sys.stdin.readline())


def latency_producer(settings: Settings) -> Producer:
    """Return a producer as an ACD would set it up: every replica, and the clients' own default of 5 ms for batches.

    They count as latency. With one, the broker spends a third of a core on requests of a few offers each.
    """
    return Producer({**producer_config(settings), "acks": "all", "linger.ms": 5, "delivery.report.only.error": True})


def send(
    producer: Producer, topic: str, contacts: list[tuple[bytes, bytes]], scheduled: Floats, start: float
) -> Floats:
    """Write every contact when it is due; return how late each was, in seconds."""
    due_at = (scheduled + start).tolist()
    batches: list[tuple[int, float]] = []
    at, count, produce = 0, len(due_at), producer.produce
    while at < count:
        now = time.monotonic()
        if due_at[at] > now:
            # To the tick, or to the next arrival where that is later.
            time.sleep(max(due_at[at], now - now % TICK_SECONDS + TICK_SECONDS) - now)
            continue
        while at < count and due_at[at] <= now:
            key, value = contacts[at]
            produce(topic, value, key)
            at += 1
        batches.append((at, now - start))
        producer.poll(0)
    return lateness(scheduled, batches)


def main() -> None:
    """Send the offers of a schedule and print what became of it."""
    parser = argparse.ArgumentParser(prog="python -m bench.openloop", description=__doc__)
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--prefix", required=True)
    parser.add_argument("--file", required=True, type=Path, help="contacts of bench.contacts.write_contacts")
    parser.add_argument("--per-second", required=True, type=float)
    parser.add_argument("--seconds", required=True, type=float)
    parser.add_argument("--seed", required=True, type=int)
    given = parser.parse_args()
    settings = settings_of({"bootstrap": given.bootstrap, "prefix": given.prefix})
    scheduled = schedule(given.per_second, given.seconds, given.seed)
    contacts = read_contacts(given.file)[: len(scheduled)]
    producer = latency_producer(settings)
    producer.list_topics(settings.topic(OFFERED.name), timeout=10)  # it knows the leaders before the first is due
    gc.collect()
    gc.freeze()
    gc.disable()
    late = send(producer, settings.topic(OFFERED.name), contacts, scheduled, begin())
    producer.flush(_FLUSH_SECONDS)
    sent = Sent(len(late), percentile(late, 0.99) * 1000, float(late.max()) * 1000)
    print(msgspec.json.encode(sent).decode(), flush=True)


if __name__ == "__main__":
    main()
