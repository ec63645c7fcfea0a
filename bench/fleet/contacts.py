"""What happens to an agent's contacts, whoever watches: in time order, with a tick each second.

All of it is drawn beforehand. A rule that lets a contact in hears what happens to it; for a rule that does not, it is
as if it had never come. So all rules see the same contacts, and differ by their own doing alone.
"""

from __future__ import annotations

import enum
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.fleet.parameters import Bools, Drawn, Fault, Fleet, Floats, generator
from schemas.fields import Channel, TurnResult
from schemas.triggers import Trigger

ORIGIN = 1_600_000_000
"""Where runs begin: seconds since 1970."""
SECOND = 1_000_000
CHUNK_SECONDS = 1800.0
"""Contacts are drawn for so long at once: arrays long enough for numpy, short enough for memory."""
END_SECONDS = 2.0
"""From the last answer to the end of a contact: thanks, and goodbye."""
DAY_SECONDS = 86_400.0
TOKENS_SIGMA = 0.6
LOOP_TOKENS = 3.0
"""A turn that goes round in circles takes so many times the tokens: it thinks again and again."""
LOOPS_FROM_TURN = 2

CHANNELS = (Channel.CHAT, Channel.VOICE)
RESULTS = (TurnResult.OK, TurnResult.TIMEOUT, TurnResult.SERVER_ERROR)
OK, TIMEOUT, SERVER_ERROR = range(3)
TRIGGERS = (None, Trigger.PERSON_ASKED, Trigger.AI_ERROR, Trigger.TURNS)
CONTAINED, ASKED, FAILED, ENDLESS = range(4)


class Kind(enum.IntEnum):
    """What a happening is."""

    TICK = 0
    ARRIVED = 1
    ANSWERED = 2
    ENDED = 3
    GRADED = 4
    SURVEYED = 5


class Flag(enum.IntFlag):
    """What is true of a happening."""

    HARMED = 1
    LOOPING = 2
    RESOLVED = 4
    HALLUCINATED = 8


class Happening(NamedTuple):
    """One thing that happens. at: UTC in microseconds; contact: its number, in order of arrival.

    number: of the turn; of turns at the end; the survey's score. code: place in RESULTS or, at the end, in TRIGGERS.
    value: latency in ms; for a grade or a survey when the contact came, microseconds. intent: its number; channel:
    place in CHANNELS. flags: HARMED on arrival, should the contact be let in.
    """

    at: int
    kind: int
    contact: int
    number: int
    code: int
    value: float
    tokens: int
    flags: int
    intent: int
    channel: int


_ROW = np.dtype(
    [
        ("at", "i8"), ("kind", "i1"), ("contact", "i8"), ("number", "i4"), ("code", "i1"), ("value", "f8"),
        ("tokens", "i4"), ("flags", "i1"), ("intent", "i2"), ("channel", "i1"),
    ]
)  # fmt: skip
Rows = npt.NDArray[np.void]
Ints = npt.NDArray[np.int64]


def happenings(of: Drawn) -> Iterator[list[Happening]]:
    """Yield all that happens in a run, in time order, by chunks."""
    drawn = generator(of.scenario, of.seed, "contacts")
    late = np.empty(0, _ROW)
    phase = float(drawn.uniform(0.0, 1.0))
    first = 0
    for number in range(math.ceil(of.seconds / CHUNK_SECONDS)):
        begins = number * CHUNK_SECONDS
        ends = min(begins + CHUNK_SECONDS, of.seconds)
        made = _Chunk(of.fleet, of.fault, begins, ends - begins, first, drawn)
        first += made.size
        rows = np.concatenate([late, _ticks(begins, ends, phase), *made.rows()])
        here = rows["at"] < instant(ends)
        late, rows = rows[~here], rows[here]
        rows = rows[np.argsort(rows["at"], kind="stable")]
        yield [Happening(*row) for row in rows.tolist()]


def instant(seconds: float) -> int:
    """Return a run's second as UTC in microseconds."""
    return round((ORIGIN + seconds) * SECOND)


def _ticks(begins: float, ends: float, phase: float) -> Rows:
    seconds = np.arange(math.ceil(begins - phase), math.ceil(ends - phase), dtype=np.float64)
    return _rows(seconds + phase, Kind.TICK)


def _rows(seconds: Floats, kind: Kind, **fields: Any) -> Rows:
    rows = np.zeros(seconds.size, _ROW)
    rows["at"] = np.round((seconds + ORIGIN) * SECOND)
    rows["kind"] = kind
    for name, values in fields.items():
        rows[name] = values
    return rows


class _Calls(NamedTuple):
    """Calls of an agent: what became of each."""

    code: Ints
    latency_ms: Floats


def call(fleet: Fleet, fault: Fault | None, at: Floats, voice: Bools, drawn: np.random.Generator) -> _Calls:
    """Call the agent at each of these seconds."""
    error_rate: Floats | float = fleet.error_rate
    timeouts: Floats | float = fleet.error_timeouts
    swing = 1.0 + fleet.latency_swing * np.sin(2.0 * np.pi * at / DAY_SECONDS)
    if fault is not None:
        active = fault.active(at)
        swing *= fault.slowness(at)
        if fault.error_rate is not None:
            error_rate = np.where(active, fault.error_rate, fleet.error_rate)
            timeouts = np.where(active, fault.timeout_share, fleet.error_timeouts)
    bad = drawn.random(at.size) < error_rate
    hangs = drawn.random(at.size) < timeouts
    median = np.where(voice, fleet.voice_median_ms, fleet.chat_median_ms)
    sigma = np.where(voice, fleet.voice_sigma, fleet.chat_sigma)
    latency = median * np.exp(sigma * drawn.standard_normal(at.size)) * swing
    limit = 1000.0 * fleet.timeout_seconds
    late = ~bad & (latency > limit)
    code = np.where(bad, np.where(hangs, TIMEOUT, SERVER_ERROR), np.where(late, TIMEOUT, OK))
    latency = np.where(code == SERVER_ERROR, fleet.refusal_ms, latency)
    return _Calls(code, np.where(code == TIMEOUT, limit, latency))


class _Chunk:
    """The contacts that come within some seconds, with all that happens to them.

    first: number of the first of them. All arrays have one place per contact.
    """

    def __init__(
        self, fleet: Fleet, fault: Fault | None, begins: float, seconds: float, first: int, drawn: np.random.Generator
    ) -> None:
        self.fleet, self.fault, self.drawn = fleet, fault, drawn
        size = self.size = int(drawn.poisson(fleet.contacts_per_second * seconds))
        self.contact = first + np.arange(size)
        self.arrived = begins + np.sort(drawn.random(size)) * seconds
        self.intent = drawn.choice(len(fleet.shares), size, p=fleet.shares)
        self.voice = drawn.random(size) < fleet.voice_share
        self.during = np.zeros(size, np.bool_) if fault is None else fault.active(self.arrived)
        self.turns = 1 + drawn.poisson(fleet.turns_mean - 1.0, size)
        chance = drawn.random(size)
        self.loops = self.during & (chance < (fault.looping_contacts if fault else 0.0))
        if fault is not None:
            low, high = fault.loop_turns
            self.turns[self.loops] = drawn.integers(low, high + 1, size)[self.loops]
        self._judge()
        self.made = np.zeros(size, np.int64)
        self.slowest = np.zeros(size)
        self.clock = self.arrived.copy()
        self.failed = np.zeros(size, np.bool_)
        self.answers = list(self._converse())

    def _judge(self) -> None:
        """Draw who is told something wrong: the unluckiest anyway, more of them during a fault of that kind."""
        luck = self.drawn.random(self.size)
        self.wrong_anyway = luck >= self.fleet.resolved
        resolved = self.fleet.resolved
        if self.fault is not None and self.fault.resolved is not None:
            self.wrong = luck >= np.where(self.during, self.fault.resolved, resolved)
        else:
            self.wrong = self.wrong_anyway

    def _converse(self) -> Iterator[Rows]:
        """Yield the calls of each turn, of the contacts that come to it; a failed one is tried again, not for ever."""
        fleet, drawn = self.fleet, self.drawn
        streak = np.zeros(self.size, np.int64)
        here = np.arange(self.size)
        while here.size:
            began = self.clock[here] + self._pause(here, streak[here])
            calls = call(fleet, self.fault, began, self.voice[here], drawn)
            bad = calls.code != OK
            self.made[here] += 1
            self.clock[here] = began + calls.latency_ms / 1000.0
            self.slowest[here] = np.maximum(self.slowest[here], calls.latency_ms)
            streak[here] = np.where(bad, streak[here] + 1, 0)
            gave_up = streak[here] >= fleet.failures_until_person
            self.failed[here] = gave_up
            self.turns[here] += bad & ~gave_up
            yield self._answered(here, calls, bad)
            here = here[~gave_up & (self.made[here] < self.turns[here])]

    def _pause(self, here: Ints, streak: Ints) -> Floats:
        """Return the seconds until the next call: a customer speaks, or a failed call is tried again."""
        thinking = self.drawn.gamma(2.0, self.fleet.think_seconds / 2.0, here.size)
        first = self.drawn.uniform(0.5, 2.0, here.size)
        paused = np.where(self.made[here] == 0, first, thinking)
        return np.where(streak > 0, self.fleet.retry_seconds, paused)

    def _answered(self, here: Ints, calls: _Calls, bad: Bools) -> Rows:
        stuck = self.loops[here] & (self.made[here] >= LOOPS_FROM_TURN)
        looping = ~bad & (stuck | (self.drawn.random(here.size) < self.fleet.looping))
        tokens = self.fleet.tokens_median * np.exp(TOKENS_SIGMA * self.drawn.standard_normal(here.size))
        tokens = np.where(bad, 0.0, np.where(stuck, LOOP_TOKENS * tokens, tokens))
        return self._of(
            here, self.clock[here], Kind.ANSWERED, number=self.made[here], code=calls.code, value=calls.latency_ms,
            tokens=tokens, flags=np.where(looping, Flag.LOOPING, 0),
        )  # fmt: skip

    def rows(self) -> Iterator[Rows]:
        """Yield what happens to them, in no order."""
        everyone = np.arange(self.size)
        yield self._of(everyone, self.arrived, Kind.ARRIVED, flags=np.where(self.harmed(), Flag.HARMED, 0))
        yield from self.answers
        ended = self.clock + END_SECONDS
        asked = self.drawn.random(self.size) < self.fleet.escalated
        code = np.where(asked, ASKED, CONTAINED)
        code = np.where(self.failed, FAILED, np.where(self.loops, ENDLESS, code))
        yield self._of(everyone, ended, Kind.ENDED, number=self.made, code=code)
        yield self._graded(ended)
        yield self._surveyed(ended)

    def harmed(self) -> Bools:
        """Whether a contact would not have been what it was, had it not come during the fault."""
        fleet = self.fleet
        patience = np.where(self.voice, fleet.voice_patience_ms, fleet.chat_patience_ms)
        slow = ~self.failed & (self.slowest > patience)
        return self.during & (self.failed | self.loops | slow | (self.wrong & ~self.wrong_anyway))

    def _graded(self, ended: Floats) -> Rows:
        """QA looks at some of all contacts: was what the agent did of it right."""
        fleet, drawn = self.fleet, self.drawn
        invented = self.wrong & (drawn.random(self.size) < fleet.hallucinated_of_wrong)
        right = ~(self.wrong | self.failed | self.loops)
        flags = np.where(right, Flag.RESOLVED, 0) | np.where(invented, Flag.HALLUCINATED, 0)
        here = np.flatnonzero(drawn.random(self.size) < fleet.qa_share)
        came = (self.arrived[here] + ORIGIN) * SECOND
        return self._of(here, ended[here] + fleet.qa_seconds, Kind.GRADED, flags=flags[here], value=came)

    def _surveyed(self, ended: Floats) -> Rows:
        fleet, drawn = self.fleet, self.drawn
        here = np.flatnonzero(drawn.random(self.size) < fleet.csat_share)
        unhappy = (self.wrong | self.failed | self.loops)[here]
        satisfied = drawn.random(here.size) < np.where(unhappy, fleet.satisfied_wrong, fleet.satisfied_right)
        score = np.where(satisfied, drawn.integers(4, 6, here.size), drawn.integers(1, 4, here.size))
        came = (self.arrived[here] + ORIGIN) * SECOND
        return self._of(here, ended[here] + fleet.csat_seconds, Kind.SURVEYED, number=score, value=came)

    def _of(self, here: Ints, seconds: Floats, kind: Kind, **fields: Any) -> Rows:
        about = {"contact": self.contact[here], "intent": self.intent[here], "channel": self.voice[here]}
        return _rows(seconds, kind, **about, **fields)
