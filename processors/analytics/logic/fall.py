"""Is the containment of one tenant or queue falling? A Bernoulli CUSUM against a baseline that follows slowly.

An AI contact that ended counts as not contained where it was escalated or abandoned. p0 is the baseline's rate of
those, p1 = p0 + 7 points the fall that is looked for (85 % to 78 %). Each contact adds log(p1/p0) where it was not
contained, log((1-p1)/(1-p0)) where it was, to a score that is never below 0; at a threshold the fall is told. The
threshold follows from the time between two false alarms, see `threshold`.

Contacts since the score was last 0 are those of the suspected fall. They are kept apart, by intent, and become part
of the baseline when the score is 0 again, or when the fall has been told.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from schemas.fields import MICROS_PER_SECOND

FALL = 0.07
"""The fall looked for: 85 % to 78 %."""
FALSE_ALARM_DAYS = 28.0
"""Days between two false alarms of one tenant or queue, at the volume that it has: with ten queues some three a week
in all. A week instead would tell a fall some 90 contacts sooner, of 350 to 560."""
LEARN_CONTACTS = 1_000
"""Contacts before the first alarm: the baseline's standard error is then 1.1 points at 85 %, a sixth of the fall."""
MEMORY_CONTACTS = 5_000
"""What a baseline rests on at least: an error of 0.5 points in it. With 1,000 there were 1.4 times the false alarms."""
MEMORY_SECONDS = 3 * 3600.0
"""How slowly a baseline follows where there are more contacts: half an hour moves it by a sixth of the way, so it takes
on the course of a day, and a twelfth of a fall that takes half an hour."""
CAUTION = 0.5
"""Standard errors of the baseline that are added to it: with none there were 1.3 to 1.8 times the false alarms stated,
with one half of them, and a fall was told later than need be."""
AGAIN_MICROS = 3600 * MICROS_PER_SECOND
"""A fall that lasts is told again after an hour, if it is still one against the baseline, which follows."""
RATES = (0.01, 0.9)
"""Bounds of p0: at 0 a single failure would be infinite evidence."""
MOST_INTENTS = 24
"""Intents told apart in one tenant or queue. A newcomer takes the place of the one with the fewest contacts."""
OTHER = ""
"""Stands for all other intents: no intent has an empty name."""
_DAY_SECONDS = 86_400.0
_WEEK_SECONDS = 7 * _DAY_SECONDS
_FORGOTTEN_SECONDS = 30 * _DAY_SECONDS
"""After so long without a contact the volume is measured anew."""
_LEAST_AGE_SECONDS = 600.0

Counts = list[float]
"""Contacts, and those of them that were not contained."""


class Watch(msgspec.Struct, array_like=True):
    """What is known of one tenant or queue: stored as it is. Instants in UTC microseconds.

    Attributes:
        mix: intent -> contacts and not contained of the baseline (decayed), then of the suspected fall.
        score: of the CUSUM.
        since: when the score was last 0, or a fall was last told.
        told_at: when the fall that stands was told, 0 where none stands.
        week: contacts, decayed over a week: for the volume.
        first_at: when the first contacts were seen.
        seen_at: when the last ones were.
    """

    mix: dict[str, list[float]] = {}
    score: float = 0.0
    since: int = 0
    told_at: int = 0
    week: float = 0.0
    first_at: int = 0
    seen_at: int = 0

    @property
    def baseline(self) -> Counts:
        """Contacts and not contained of the baseline."""
        return [sum(counts[0] for counts in self.mix.values()), sum(counts[1] for counts in self.mix.values())]

    @property
    def recent(self) -> Counts:
        """Contacts and not contained of the suspected fall."""
        return [sum(counts[2] for counts in self.mix.values()), sum(counts[3] for counts in self.mix.values())]

    @property
    def per_second(self) -> float:
        """Contacts per second, over the last week, nights and all."""
        age = max(_LEAST_AGE_SECONDS, (self.seen_at - self.first_at) / MICROS_PER_SECOND)
        return self.week / (_WEEK_SECONDS * -math.expm1(-age / _WEEK_SECONDS))


class Cusum(NamedTuple):
    """What a contact adds to the score, and the score at which a fall is told."""

    not_contained: float
    contained: float
    threshold: float


class Fall(NamedTuple):
    """A fall that is told: by intent, contacts and not contained, before and since. Instants in UTC microseconds."""

    before: Mapping[str, Counts]
    after: Mapping[str, Counts]
    since: int
    at: int


def observe(watch: Watch, ended: Mapping[str, Counts], now: int, *, withheld: bool = False) -> Fall | None:
    """Take in what ended since the last time, by intent, and return the fall that is to be told now.

    A fall is told once: again when containment has recovered (the score was 0) and falls anew, or after an hour.
    `withheld`: it is told elsewhere; this one waits. now: UTC microseconds.
    """
    contacts, failed = (sum(counts[place] for counts in ended.values()) for place in (0, 1))
    cusum = cusum_of(watch)
    _count(watch, ended, contacts, now)
    if cusum is None:
        _learn(watch, now)
        return None
    added = failed * cusum.not_contained + (contacts - failed) * cusum.contained
    watch.score = min(max(0.0, watch.score + added), cusum.threshold)
    if watch.score == 0.0:
        watch.told_at = 0
        _learn(watch, now)
    elif watch.score == cusum.threshold and not withheld and not 0 <= now - watch.told_at < AGAIN_MICROS:
        return _told(watch, now)
    elif watch.recent[0] >= _memory(watch) / 2:
        _learn(watch, now)  # neither a fall nor none: the baseline follows
    return None


def cusum_of(watch: Watch) -> Cusum | None:
    """Return the test for what comes next; None before the baseline is learnt."""
    contacts, failed = watch.baseline
    if contacts < LEARN_CONTACTS:
        return None
    rate = failed / contacts
    low, high = RATES
    p0 = min(max(rate + CAUTION * math.sqrt(rate * (1 - rate) / contacts), low), high)
    between = max(LEARN_CONTACTS, watch.per_second * _DAY_SECONDS * FALSE_ALARM_DAYS)
    return cusum_between(p0, p0 + FALL, between)


def cusum_between(p0: float, p1: float, contacts: float) -> Cusum:
    """Return the test of a rate p0 against p1 with `contacts` between two false alarms (its average run length).

    Siegmund's approximation (Sequential Analysis, 1985, chapter X): with d the mean that a contact takes off the score
    under p0, contacts = (exp(x) - x - 1) / d at a threshold of x less the mean overshoot at both ends. The overshoot
    is between a half and a third of a step up and down; the smaller sum gives the longer run.
    """
    up, down = math.log(p1 / p0), math.log((1 - p1) / (1 - p0))
    goal = contacts * -(p0 * up + (1 - p0) * down)
    x = math.log(goal + 1.0)
    for _ in range(30):  # a contraction by 1 / goal: 30 are too many, and cost 3 us
        x = math.log(goal + x + 1.0)
    return Cusum(up, down, x - min(up / 3 - down / 2, up / 2 - down / 3))


def _memory(watch: Watch) -> float:
    return max(MEMORY_CONTACTS, watch.per_second * MEMORY_SECONDS)


def _count(watch: Watch, ended: Mapping[str, Counts], contacts: float, now: int) -> None:
    passed = (now - watch.seen_at) / MICROS_PER_SECOND
    if not watch.first_at <= now or passed > _FORGOTTEN_SECONDS or not watch.seen_at:
        watch.first_at, watch.week, passed = now, 0.0, 0.0  # new, or the clock was set
    watch.since = watch.since or now
    watch.week = watch.week * math.exp(-max(0.0, passed) / _WEEK_SECONDS) + contacts
    watch.seen_at = now
    for intent, counts in sorted(ended.items()):
        if intent not in watch.mix:
            _make_room(watch.mix)
            watch.mix[intent] = [0.0, 0.0, 0.0, 0.0]
        entry = watch.mix[intent]
        entry[2] += counts[0]
        entry[3] += counts[1]


def _make_room(mix: dict[str, list[float]]) -> None:
    named = [intent for intent in mix if intent != OTHER]
    if len(named) < MOST_INTENTS:
        return
    least = min(named, key=lambda intent: mix[intent][0] + mix[intent][2])  # of equals, the one that came first
    mix[OTHER] = [a + b for a, b in zip(mix.get(OTHER, [0.0] * 4), mix.pop(least), strict=True)]


def _learn(watch: Watch, now: int) -> None:
    """Make the recent contacts part of the baseline, which forgets what is more than it rests on."""
    old, new, memory = watch.baseline[0], watch.recent[0], _memory(watch)
    share = min(1.0, max(0.0, (memory - new) / old)) if old else 1.0
    for entry in watch.mix.values():
        entry[:] = [round(entry[0] * share + entry[2], 6), round(entry[1] * share + entry[3], 6), 0.0, 0.0]
    watch.since = now


def _told(watch: Watch, now: int) -> Fall:
    before = {intent: counts[:2] for intent, counts in watch.mix.items()}
    after = {intent: counts[2:] for intent, counts in watch.mix.items()}
    fall = Fall(before, after, watch.since, now)
    _learn(watch, now)
    watch.told_at = now
    return fall
