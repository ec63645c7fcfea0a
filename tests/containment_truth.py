"""What the warning of falling containment does where the truth is known: how soon it tells a fall, how often none.

`python -m tests.containment_truth` prints the tables of docs/containment.md, in half an hour; tests use smaller runs.
"""

from __future__ import annotations

import copy
import statistics
from collections.abc import Callable, Iterator

import numpy as np

from processors.analytics.logic.fall import Counts, Fall, Watch, observe

SECOND = 1_000_000
MARCH_1ST = 1_772_355_600_000_000  # 2026-03-01T09:00:00Z
INTENTS = ("balance", "card_lost", "refund", "limits", "address", "fees", "transfer", "login")
GOOD, BAD = 0.15, 0.22
"""Not contained: at 85 % and at 78 % containment."""

Rate = Callable[[float], float]
"""Seconds -> the part of contacts that is not contained."""


def contacts(per_minute: float, seconds: float, rate: Rate, rng: np.random.Generator) -> Iterator[tuple[float, dict]]:
    """Seconds and what ended in each that has contacts: a Poisson stream, looked at once a second."""
    count = rng.poisson(per_minute * seconds / 60)
    at, of_intent = np.sort(rng.uniform(0, seconds, count)), rng.integers(0, len(INTENTS), count)
    failed, second = rng.random(count), np.floor(at)
    begins = np.flatnonzero(np.diff(second, prepend=-1.0))
    for first, last in zip(begins, [*begins[1:], count], strict=True):
        ended: dict[str, Counts] = {}
        for place in range(first, last):
            counts = ended.setdefault(INTENTS[of_intent[place]], [0, 0])
            counts[0] += 1
            counts[1] += int(failed[place] < rate(at[place]))
        yield float(second[first]), ended


def run(watch: Watch, start: int, stream: Iterator[tuple[float, dict]]) -> Iterator[tuple[float, Fall]]:
    """Seconds after `start` of each fall told, and the fall."""
    for second, ended in stream:
        fall = observe(watch, ended, start + int(second * SECOND))
        if fall is not None:
            yield second, fall


def learnt(per_minute: float, rng: np.random.Generator, contacts_seen: int = 6_000) -> tuple[Watch, int]:
    """A watch that has learnt a baseline of 85 %, and the instant after."""
    watch, seconds = Watch(), contacts_seen / per_minute * 60
    for _ in run(watch, MARCH_1ST, contacts(per_minute, seconds, lambda _: GOOD, rng)):
        pass
    watch.told_at = 0
    return watch, MARCH_1ST + int(seconds * SECOND)


def steps_down(_second: float) -> float:
    """A fall from 85 % to 78 % at once."""
    return BAD


def slides_down(second: float) -> float:
    """A fall from 85 % to 78 % in 30 minutes."""
    return GOOD + (BAD - GOOD) * min(1.0, second / 1800)


def minutes_to_tell(per_minute: float, rate: Rate, baselines: int, each: int, seed: int) -> list[float]:
    """Minutes from the beginning of a fall until it is told, sorted; 1,000 contacts on, it counts as infinite."""
    rng = np.random.default_rng(seed)
    told = []
    limit = 1800 + 3_000 / per_minute * 60
    for _ in range(baselines):
        watch, start = learnt(per_minute, rng)
        for _ in range(each):
            first = next(run(copy.deepcopy(watch), start, contacts(per_minute, limit, rate, rng)), None)
            told.append(float("inf") if first is None else first[0] / 60)
    return sorted(told)


def false_alarms(per_minute: float, days: float, watches: int, seed: int) -> int:
    """Falls told in so many days of so many tenants whose containment stays at 85 %."""
    rng = np.random.default_rng(seed)
    total = 0
    for _ in range(watches):
        watch, start = learnt(per_minute, rng)
        total += sum(1 for _ in run(watch, start, contacts(per_minute, days * 86_400, lambda _: GOOD, rng)))
    return total


def main() -> None:
    """Print the tables."""
    print("| contacts/min | fall | median | p90 | told within 30 min |")
    for per_minute in (5, 30, 120):
        for rate in (steps_down, slides_down):
            told = minutes_to_tell(per_minute, rate, 20, 10, seed=per_minute)
            within = sum(minutes <= 30 for minutes in told) / len(told)
            p90 = told[int(0.9 * len(told))]
            print(f"| {per_minute} | {rate.__name__} | {statistics.median(told):.1f} | {p90:.1f} | {within:.0%} |")
    print("| contacts/min | watched | false alarms | per 28 days |")
    for per_minute, watches in ((5, 40), (30, 8), (120, 6)):
        alarms = false_alarms(per_minute, 28, watches, seed=1_000 + per_minute)
        print(f"| {per_minute} | {watches} x 28 days | {alarms} | {alarms / watches:.2f} |", flush=True)


if __name__ == "__main__":
    main()
