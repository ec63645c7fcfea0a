"""What a rule was worth in the runs of a scenario."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Sequence

from bench.fleet.runs import Run, Stretch
from schemas.fields import NORMAL_TRAFFIC, BreakerState

WEEK_SECONDS = 604_800.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """A rule in a scenario. Seconds are from the fault's beginning, or from its end for recovery.

    A run in which nothing was detected counts as infinite, so a quantile that falls among them is None, as is each
    figure that has no meaning in the scenario. harmed: contacts that suffered by the fault because they were let in;
    unwatched: those of them that no person watched. labelled: from QA's first label of a contact of the fault.
    """

    runs: int
    detect_median_seconds: float | None
    detect_p95_seconds: float | None
    missed: int
    false_degraded: int
    false_open: int
    false_degraded_per_week: float
    false_open_per_week: float
    healthy_weeks: float
    labelled_median_seconds: float | None
    labelled_p95_seconds: float | None
    recover_median_seconds: float | None
    recover_p95_seconds: float | None
    harmed_median: float | None
    unwatched_median: float | None
    moves_median: float
    contacts: int
    outcomes: int


def score(runs: Sequence[Run], rule: str) -> Score:
    """Count one rule over the runs of one scenario."""
    watched = [run.watched[rule] for run in runs]
    found = detections(runs, rule)
    labelled = [
        max(0.0, run.begins + seconds - run.first_label)
        for run, seconds in zip((run for run in runs if run.begins is not None), found, strict=True)
        if run.begins is not None and run.first_label is not None
    ]
    recovered = [recovers(run.watched[rule].stretches, run.ends, run.seconds) for run in runs if run.ends is not None]
    healthy = sum(run.seconds if run.begins is None else run.begins for run in runs) / WEEK_SECONDS
    degraded, opened = (sum(counts) for counts in zip(*(false_alarms(run, rule) for run in runs), strict=True))
    return Score(
        runs=len(runs),
        detect_median_seconds=quantile(found, 0.5),
        detect_p95_seconds=quantile(found, 0.95),
        missed=sum(map(math.isinf, found)),
        false_degraded=degraded,
        false_open=opened,
        false_degraded_per_week=degraded / healthy,
        false_open_per_week=opened / healthy,
        healthy_weeks=healthy,
        labelled_median_seconds=quantile(labelled, 0.5),
        labelled_p95_seconds=quantile(labelled, 0.95),
        recover_median_seconds=quantile(recovered, 0.5),
        recover_p95_seconds=quantile(recovered, 0.95),
        harmed_median=quantile([float(each.harmed) for each in watched], 0.5) if found else None,
        unwatched_median=quantile([float(each.unwatched) for each in watched], 0.5) if found else None,
        moves_median=quantile([float(len(each.stretches)) for each in watched], 0.5) or 0.0,
        contacts=sum(each.contacts for each in watched),
        outcomes=sum(each.outcomes for each in watched),
    )


def detections(runs: Iterable[Run], rule: str) -> list[float]:
    """Return for each run with a fault the seconds until the rule spoke, infinite where it did not."""
    return [detected(run.watched[rule].stretches, run.begins) for run in runs if run.begins is not None]


def detected(stretches: Iterable[Stretch], begins: float) -> float:
    """Return the seconds from `begins` to the first move into another state than CLOSED, infinite without one.

    A state that stood before the fault is a false alarm, and detects nothing.
    """
    away = (each.at - begins for each in stretches if each.at >= begins and each.state is not BreakerState.CLOSED)
    return next(away, math.inf)


def recovers(stretches: Iterable[Stretch], ends: float, seconds: float) -> float:
    """Return the seconds from the fault's end until the rule is in CLOSED, infinite where it is not within the run."""
    state, at = BreakerState.CLOSED, ends
    for each in stretches:
        if each.at > ends and state is BreakerState.CLOSED:
            break
        state, at = each.state, max(each.at, ends)
    return at - ends if state is BreakerState.CLOSED and at <= seconds else math.inf


def false_alarms(run: Run, rule: str) -> tuple[int, int]:
    """Return how often a rule went to DEGRADED, and how often to OPEN, while the agent was well.

    From normal traffic: what follows, such as an OPEN after HALF_OPEN, belongs to the alarm before.
    """
    degraded = opened = 0
    before = BreakerState.CLOSED
    for each in run.watched[rule].stretches:
        if run.begins is not None and each.at >= run.begins:
            break
        degraded += each.state is BreakerState.DEGRADED and before is BreakerState.CLOSED
        opened += each.state is BreakerState.OPEN and before in NORMAL_TRAFFIC
        before = each.state
    return degraded, opened


def quantile(values: Sequence[float], share: float) -> float | None:
    """Return the nearest-rank quantile: a value that occurred. None of nothing, and where it is infinite."""
    if not values:
        return None
    found = sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
    return None if math.isinf(found) else found
