"""Plays runs: the same contacts before every rule, each run by itself, several at once."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from bench.fleet.contacts import RESULTS, Flag, Happening, Kind, call, happenings, instant
from bench.fleet.parameters import Drawn, draw, generator
from bench.fleet.rules import LiteLLM, Resilience4j, Rule
from bench.fleet.trunkline import Call, Trunkline
from schemas.fields import BreakerState, TurnResult

RULES = ("trunkline", "resilience4j", "litellm")


class Job(NamedTuple):
    """A run to play. hours: of a healthy scenario, in place of its day."""

    scenario: str
    seed: int
    rules: tuple[str, ...] = RULES
    hours: float | None = None


class Stretch(NamedTuple):
    """From `at` on (seconds of the run) a rule was in a state, for this reason."""

    at: float
    state: BreakerState
    reason: str


@dataclasses.dataclass(frozen=True, slots=True)
class Watched:
    """What one rule did in a run.

    harmed: contacts that it let in, to their harm, during the fault; unwatched: those of them that no person watched.
    """

    stretches: tuple[Stretch, ...]
    contacts: int
    outcomes: int
    harmed: int
    unwatched: int


@dataclasses.dataclass(frozen=True, slots=True)
class Run:
    """A run that was played. Instants are seconds of the run.

    begins, ends: of the fault; None where there is none, or where it stays. first_label: of a fault that only QA sees,
    when its first label came of a contact that came during the fault.
    """

    scenario: str
    seed: int
    seconds: float
    begins: float | None
    ends: float | None
    first_label: float | None
    watched: Mapping[str, Watched]


class Seat:
    """A rule, and what it has had to do with each contact. epochs: by contact; None for those that it kept out."""

    def __init__(self, rule: Rule) -> None:
        self.rule = rule
        self.epochs: list[int | None] = []
        self.contacts = self.outcomes = self.harmed = self.unwatched = 0

    def arrive(self, arrival: Happening) -> None:
        """A contact comes, the next by number."""
        epoch = self.rule.admit(arrival)
        self.epochs.append(epoch)
        if epoch is not None:
            self.contacts += 1
            if arrival.flags & Flag.HARMED:
                self.harmed += 1
                self.unwatched += not self.rule.supervised

    def hear(self, happening: Happening) -> None:
        """Something happens to a contact."""
        epoch = self.epochs[happening.contact]
        if epoch is not None:
            self.outcomes += happening.kind == Kind.ANSWERED
            self.rule.hear(happening, epoch)


def play(job: Job) -> Run:
    """Draw a run and play it."""
    drawn = draw(job.scenario, job.seed, job.hours)
    seats = [Seat(_rule(name, drawn)) for name in job.rules]
    fault = drawn.fault
    first_label: float | None = None
    for chunk in happenings(drawn):
        watch(seats, chunk)
        if fault is not None and fault.resolved is not None and first_label is None:
            first_label = _first_label(chunk, fault.begins)
    return Run(
        job.scenario,
        job.seed,
        drawn.seconds,
        None if fault is None else fault.begins,
        None if fault is None else fault.ends,
        first_label,
        {seat.rule.name: _watched(seat) for seat in seats},
    )


def watch(seats: Sequence[Seat], chunk: Sequence[Happening]) -> None:
    """Let every rule see what happens."""
    for happening in chunk:
        if happening.kind == Kind.TICK:
            for seat in seats:
                seat.rule.tick(happening.at)
        elif happening.kind == Kind.ARRIVED:
            for seat in seats:
                seat.arrive(happening)
        else:
            for seat in seats:
                seat.hear(happening)


def play_all(jobs: Sequence[Job], processes: int | None = None) -> Iterator[Run]:
    """Play runs in processes of their own, as many at once as there are cores; yield them as they end."""
    at_once = min(processes or os.cpu_count() or 1, len(jobs))
    if at_once <= 1:
        yield from map(play, jobs)
        return
    # Each process has a core: matrix solvers that start threads of their own would only be in each other's way.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with multiprocessing.get_context("spawn").Pool(at_once) as pool:
        yield from pool.imap_unordered(play, jobs)


def _rule(name: str, drawn: Drawn) -> Rule:
    if name == Resilience4j.name:
        return Resilience4j()
    return LiteLLM() if name == LiteLLM.name else Trunkline(drawn.fleet, _caller(drawn))


def _caller(drawn: Drawn) -> Call:
    """Return what calls the agent on the side, as a synthetic probe does: the calls of contacts stay what they are."""
    luck = generator(drawn.scenario, drawn.seed, "probes")
    chat = np.zeros(1, np.bool_)

    def calls(now: int) -> tuple[TurnResult, float]:
        said = call(drawn.fleet, drawn.fault, np.array([now - instant(0.0)]) / 1e6, chat, luck)
        return RESULTS[int(said.code[0])], float(said.latency_ms[0])

    return calls


def _first_label(chunk: Sequence[Happening], begins: float) -> float | None:
    since = instant(begins)
    labels = (each.at for each in chunk if each.kind == Kind.GRADED and each.value >= since)
    first = next(labels, None)
    return None if first is None else (first - instant(0.0)) / 1e6


def _watched(seat: Seat) -> Watched:
    start = instant(0.0)
    stretches = tuple(Stretch((move.at - start) / 1e6, move.state, move.reason) for move in seat.rule.moves)
    return Watched(stretches, seat.contacts, seat.outcomes, seat.harmed, seat.unwatched)
