"""What a run comes to: waiting, abandonment and service level of the outage's contacts, and how long it is felt."""

from __future__ import annotations

import statistics
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from bench.spill.outage import SAMPLE_SECONDS, Outcome
from bench.spill.people import Contact, Fate
from schemas.fields import MICROS_PER_SECOND

WITHIN_SECONDS = 20.0
"""Service level: the share answered in this time, of all who sought a person; who left is not answered."""
_SMOOTH = 300 // SAMPLE_SECONDS
"""Samples in five minutes: lines are back to normal by their mean over so long, not by a lucky instant."""
_HELPED = frozenset({Fate.AI, Fate.ANSWERED, Fate.CALLED_BACK, Fate.RESOLVED})
_HOUR = 3600 * MICROS_PER_SECOND

Figures = dict[str, float | None]


def figures(outcome: Outcome) -> Figures:
    """Return the figures of a run by name; None where there is nothing to measure.

    Waiting counts from when a person was sought until answered or gone, in Trunkline's buffer as in the line. `own`:
    contacts that AI would never have had; `displaced`: those that it would. `customers_helped`: of those who came, or
    were with AI, during the outage, who in the end were answered, called back, had by AI or settled by self-service.
    """
    out_at, back_at = outcome.out_at, outcome.back_at
    sought = [each for each in outcome.contacts if _between(each.sought_at, out_at, back_at)]
    segments = sorted({each.brought.segment for each in sought})
    found = {
        **_waits("", sought),
        **_waits("own_", [each for each in sought if not each.displaced]),
        **_waits("displaced_", [each for each in sought if each.displaced]),
        "peak_waiting": float(max(sample.waiting for sample in outcome.samples)),
        "peak_line": float(max(sample.line for sample in outcome.samples)),
        "normal_after_minutes": _normal_after_minutes(outcome),
        **_waits(
            "next_hour_", [each for each in outcome.contacts if _between(each.sought_at, back_at, back_at + _HOUR)]
        ),
        **_callbacks(outcome),
        "customers_helped": _helped(outcome),
    }
    for segment in segments:
        of = [each for each in outcome.contacts if each.brought.segment == segment]
        found |= _waits(f"{segment}_", [each for each in sought if each.brought.segment == segment])
        found[f"{segment}_customers_helped"] = _helped(outcome._replace(contacts=of))
    return found


def fates(outcome: Outcome) -> dict[str, dict[str, int]]:
    """Return how many contacts met each fate, of those of the outage (all, and by segment) and of the whole run."""
    during = _during(outcome)
    segments = sorted({each.brought.segment for each in during})
    groups = {segment: [each for each in during if each.brought.segment == segment] for segment in segments}
    counted = {"outage": during, **groups, "run": outcome.contacts}
    return {
        name: {"offered": len(group), **dict(Counter(str(each.fate or "under_way") for each in group))}
        for name, group in counted.items()
    }


def waits_over_time(outcome: Outcome, starts: Sequence[int], width: int) -> list[float | None]:
    """Return the mean wait (seconds) of who sought a person in each stretch of `width` microseconds, None of nobody."""
    waits: dict[int, list[float]] = {}
    for each in outcome.contacts:
        waited = each.waited_seconds()
        if each.sought_at is not None and waited is not None:
            waits.setdefault((each.sought_at - starts[0]) // width, []).append(waited)
    return [statistics.fmean(waits[at]) if at in waits else None for at in range(len(starts))]


def waiting_over_time(outcome: Outcome, starts: Sequence[int], width: int) -> list[float | None]:
    """Return how many waited on average in each stretch of `width` microseconds."""
    counts: dict[int, list[int]] = {}
    for sample in outcome.samples:
        counts.setdefault((sample.at - starts[0]) // width, []).append(sample.waiting)
    return [statistics.fmean(counts[at]) if at in counts else None for at in range(len(starts))]


def spread(runs: Sequence[Figures]) -> dict[str, dict[str, float | None]]:
    """Return median, lowest and highest of each figure over the runs that have it."""
    found: dict[str, dict[str, float | None]] = {}
    for name in runs[0]:
        values = [value for run in runs if (value := run.get(name)) is not None]
        found[name] = {
            "median": _of(statistics.median, values),
            "lowest": _of(min, values),
            "highest": _of(max, values),
        }
    return found


def _of(what: Callable[[Iterable[float]], float], values: Sequence[float]) -> float | None:
    return what(values) if values else None


def _between(at: int | None, since: int, until: int) -> bool:
    return at is not None and since <= at < until


def _during(outcome: Outcome) -> list[Contact]:
    """Return the contacts of the outage: those that came while AI was out, and those that it had then."""
    return [
        each
        for each in outcome.contacts
        if each.handed_over or _between(each.brought.arrives_at, outcome.out_at, outcome.back_at)
    ]


def _waits(prefix: str, sought: Sequence[Contact]) -> Figures:
    """Return count, mean and p95 wait, share abandoned and service level of contacts that sought a person."""
    waited = sorted(seconds for each in sought if (seconds := each.waited_seconds()) is not None)
    answered = [each for each in sought if each.fate is Fate.ANSWERED]
    in_time = sum((each.waited_seconds() or 0.0) <= WITHIN_SECONDS for each in answered)
    gone = sum(each.fate is Fate.ABANDONED for each in sought)
    return {
        f"{prefix}sought_a_person": float(len(sought)),
        f"{prefix}wait_mean_seconds": _of(statistics.fmean, waited),
        f"{prefix}wait_p95_seconds": waited[int(0.95 * len(waited))] if waited else None,
        f"{prefix}abandoned": gone / len(sought) if sought else None,
        f"{prefix}service_level": in_time / len(sought) if sought else None,
    }


def _callbacks(outcome: Outcome) -> Figures:
    """Return how many were promised a call and had it, after how many minutes, and when the last had it."""
    promised = [each for each in outcome.contacts if each.callback_since is not None]
    called = [each for each in promised if each.answered_at is not None]
    delays = sorted(((each.answered_at or 0) - (each.callback_since or 0)) / MICROS_PER_SECOND / 60 for each in called)
    last = max((each.answered_at or 0 for each in called), default=0)
    return {
        "callbacks_promised": float(len(promised)),
        "callbacks_answered": float(len(called)),
        "callback_median_minutes": _of(statistics.median, delays),
        "callback_p95_minutes": delays[int(0.95 * len(delays))] if delays else None,
        "callbacks_done_after_minutes": (last - outcome.back_at) / MICROS_PER_SECOND / 60 if called else None,
    }


def _helped(outcome: Outcome) -> float | None:
    """Return the share of the outage's customers whose last contact helped them."""
    last = {each.customer: each.fate for each in outcome.contacts}
    customers = {each.customer for each in _during(outcome)}
    return sum(last[customer] in _HELPED for customer in customers) / len(customers) if customers else None


def _normal_after_minutes(outcome: Outcome) -> float | None:
    """Return how long after the recovery the lines are as before the outage; None where they never are.

    As before: the mean over five minutes is at most the highest such mean of the hour before.
    """
    means = [
        (samples[-1].at, statistics.fmean(sample.waiting for sample in samples))
        for end in range(_SMOOTH, len(outcome.samples) + 1)
        if (samples := outcome.samples[end - _SMOOTH : end])
    ]
    normal = max((mean for at, mean in means if outcome.out_at - _HOUR <= at < outcome.out_at), default=0.0)
    until = (at for at, mean in means if at >= outcome.back_at and mean <= normal)
    at = next(until, None)
    return None if at is None else (at - outcome.back_at) / MICROS_PER_SECOND / 60
