"""Days of a bank's contacts: when each comes, what is written of it and when, and which cell it belongs to.

How many come in a quarter of an hour is what `bank1999_arrivals.csv` says (Brown et al., "Statistical Analysis of a
Telephone Call Center", JASA 100, 2005), in the folder that TRUNKLINE_BENCH_CORPORA names; without one, a profile of
the same kind. The cells follow from that alone: nothing here has been through a service.

    PROMPT:  offered up to 2 h after it arrived
    LATE:    up to 5.5 days after it, counted where it arrived all the same
    TOO_OLD: more than 7 days after it, counted where it was offered
    MISSED:  just within the 7 days, while analytics is away until they are over: counted in the late total
"""

from __future__ import annotations

import csv
import datetime as dt
import enum
import math
import os
import random
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from schemas.control import Endpoint, HumanQueue, Policy
from schemas.fields import Channel, FinishedBy, Handling, TurnResult
from schemas.interactions import Classification, Completed, Offered, Thresholds, Turn
from schemas.topics import INTERACTION_EVENTS, OFFERED, Effect
from schemas.wfm import INTERVAL_MICROS

SECOND = 1_000_000
HOUR = 3_600 * SECOND
DAY = 24 * HOUR
STEP = HOUR // 2
"""Time goes on by so much, and what falls into it is written in any order."""
BEHIND = HOUR
"""What is written is so far behind the clock: no offer is ahead of a router that has not heard of the last step."""
TENANTS = ("north", "south", "west")
"""Three such banks: 30 days of one are some 33,000 contacts."""
QUEUES = {"cards": ("card_lost", "pin"), "accounts": ("balance", "transfer", "statement"), "loans": ("mortgage",)}
QUEUE_OF = {intent: queue for queue, intents in QUEUES.items() for intent in intents}
_WEIGHTS = {"balance": 30, "transfer": 20, "card_lost": 20, "pin": 15, "statement": 10, "mortgage": 5}
_FOLDER, _FILE = "TRUNKLINE_BENCH_CORPORA", "bank1999_arrivals.csv"
_MADE_DAY = dt.date(2026, 3, 1)
_MADE_WEEK = (0.2, 1.0, 0.95, 0.95, 0.9, 1.0, 0.4)
"""A week from Sunday on: what most centres' weeks look like."""


class Course(NamedTuple):
    """What becomes of a contact: the confidence that it is offered with, who ends it after how many AI turns."""

    share: float
    confidence: float
    by: FinishedBy | None
    turns: int
    handling: Handling


COURSES = (
    Course(0.34, 0.97, FinishedBy.AI, 2, Handling.AI_CONTAINED),
    Course(0.10, 0.80, FinishedBy.AI, 0, Handling.AI_ASSISTED),
    Course(0.12, 0.97, FinishedBy.HUMAN, 1, Handling.AI_ESCALATED),
    Course(0.35, 0.30, FinishedBy.HUMAN, 0, Handling.HUMAN_ONLY),
    Course(0.05, 0.30, FinishedBy.CUSTOMER, 0, Handling.ABANDONED),
    Course(0.03, 0.97, FinishedBy.SELF_SERVICE, 0, Handling.DEFLECTED),
    Course(0.01, 0.30, None, 0, Handling.ABANDONED),
)
"""The last: nobody completes it, and it expires after a day."""


class Coming(enum.Enum):
    """When a contact is offered, see the module."""

    PROMPT = enum.auto()
    LATE = enum.auto()
    TOO_OLD = enum.auto()
    MISSED = enum.auto()


class Cell(NamedTuple):
    """A cell of volumes. `interval`: None of the late total."""

    tenant: str
    queue: str
    intent: str
    channel: str
    language: str
    interval: int | None


def written_at(at: int) -> int:
    """Return what the clock says when something of this instant is written."""
    return at - at % STEP + BEHIND


class Contact(NamedTuple):
    """One contact. `offered_at`: when its offer is sent; it is written at the step of that (`written_at`)."""

    name: str
    tenant: str
    arrives_at: int
    channel: Channel
    language: str
    intent: str
    course: Course
    coming: Coming
    offered_at: int

    @property
    def cell(self) -> Cell:
        """Where it is to be counted."""
        counted_at = written_at(self.offered_at) if self.coming is Coming.TOO_OLD else self.arrives_at
        interval = None if self.coming is Coming.MISSED else counted_at - counted_at % INTERVAL_MICROS
        return Cell(self.tenant, QUEUE_OF[self.intent], self.intent, self.channel, self.language, interval)

    def offer(self) -> Effect:
        """Return its offer."""
        classification = Classification(intent=self.intent, confidence=self.course.confidence)
        return Effect(OFFERED, Offered(
            interaction_id=self.name, tenant=self.tenant, channel=self.channel, language=self.language, text="",
            classification=classification, occurred_at=self.arrives_at,
        ))  # fmt: skip

    def turn(self, number: int) -> Effect:
        """Return an answer of its agent."""
        return Effect(INTERACTION_EVENTS, Turn(
            interaction_id=self.name, tenant=self.tenant, number=number, endpoint="nova", version="7",
            result=TurnResult.OK, latency_ms=400.0, occurred_at=self.offered_at,
        ))  # fmt: skip

    def end(self) -> Effect:
        """Return its completion."""
        assert self.course.by is not None
        return Effect(INTERACTION_EVENTS, Completed(
            interaction_id=self.name, tenant=self.tenant, finished_by=self.course.by, ai_turns=self.course.turns,
            talk_seconds=60.0, occurred_at=self.offered_at,
        ))  # fmt: skip


def policy(tenant: str, at: int) -> Policy:
    """One AI agent that has room for all, for every intent, and the queues of people."""
    intents = tuple(QUEUE_OF)
    return Policy(
        tenant=tenant, revision=1, thresholds=Thresholds(contained=0.92, assisted=0.75),
        endpoints=(
            Endpoint(endpoint="nova", provider="lumen", version="7", intents=intents, max_concurrent=10_000_000),
        ),
        queues=tuple(HumanQueue(queue=queue, intents=intents) for queue, intents in QUEUES.items()),
        default_queue="accounts", occurred_at=at,
    )  # fmt: skip


class Month:
    """Contacts of some days, from a seed.

    `counts`: quarter of an hour -> contacts of each tenant in it. `missed_at`: noons at which analytics goes away.
    `log`: what the clock says -> what is written then.
    """

    def __init__(self, days: int, seed: int) -> None:
        self.source, profile = _profile(days)
        self.days, self.start = days, profile[0][0]
        self.counts = dict(_counted(profile))
        self.missed_at = tuple(self.start + day * DAY + DAY // 2 for day in (9, 16, 23) if day < days)
        self._rng = random.Random(f"bank {seed}")
        self.contacts = [
            self._contact(f"{tenant}-{quarter // INTERVAL_MICROS}-{number}", tenant, quarter)
            for quarter, count in self.counts.items()
            for tenant in TENANTS
            for number in range(count)
        ]
        self.log = self._script()

    def expected(self) -> dict[Cell, Counter[str]]:
        """Return what every cell is to hold in the end: contacts by handling."""
        cells: dict[Cell, Counter[str]] = defaultdict(Counter)
        for contact in self.contacts:
            cells[contact.cell][contact.course.handling.value] += 1
        return cells

    def _script(self) -> dict[int, list[tuple[Contact, str]]]:
        """Return what is written at each step, by its clock: offers, turns and ends in any order, 2 % of them twice.

        An end comes with the offer or up to 2 h after it, 2 % of them up to 18 h: a contact is remembered for a day.
        Its turns come up to 2 h before it or after it. An offer comes again up to 3 days later.
        """
        rng, log = self._rng, defaultdict[int, list[tuple[Contact, str]]](list)

        def note(contact: Contact, what: str, at: int, again: int) -> None:
            log[written_at(at)].append((contact, what))
            if rng.random() < 0.02:
                log[written_at(at + rng.randrange(again))].append((contact, what))

        for contact in self.contacts:
            at = contact.offered_at
            note(contact, "offer", at, 3 * DAY if contact.coming is Coming.PROMPT else 1)
            if contact.course.by is None:
                continue
            prompt = contact.coming is not Coming.PROMPT or rng.random() > 0.02
            end_at = at + (rng.randrange(2 * HOUR) if prompt else rng.randrange(2 * HOUR, 18 * HOUR))
            note(contact, "end", end_at, 2 * HOUR)
            for number in range(1, contact.course.turns + 1):
                note(contact, f"turn {number}", max(at, end_at + rng.randrange(-2 * HOUR, 2 * HOUR)), 2 * HOUR)
        for events in log.values():
            rng.shuffle(events)
        return log

    def _contact(self, name: str, tenant: str, quarter: int) -> Contact:
        rng = self._rng
        arrives_at = quarter + rng.randrange(INTERVAL_MICROS)
        coming, offered_at = self._coming(arrives_at)
        (course,) = rng.choices(COURSES, [each.share for each in COURSES])
        if coming is not Coming.PROMPT and course.by is None:
            course = COURSES[0]
        (intent,) = rng.choices(list(_WEIGHTS), list(_WEIGHTS.values()))
        channel = Channel.VOICE if rng.random() < 0.8 else Channel.CHAT
        language = "en" if rng.random() < 0.7 else "he"
        return Contact(name, tenant, arrives_at, channel, language, intent, course, coming, offered_at)

    def _coming(self, arrives_at: int) -> tuple[Coming, int]:
        rng, chance = self._rng, self._rng.random()
        for noon in self.missed_at:
            if HOUR <= arrives_at - (noon - 7 * DAY) < 3 * HOUR and chance < 0.2:
                return Coming.MISSED, noon - BEHIND
        if chance > 0.998:
            noon = arrives_at - arrives_at % DAY + DAY // 2
            return Coming.TOO_OLD, noon + 8 * DAY - BEHIND
        if chance > 0.97:
            return Coming.LATE, arrives_at + rng.randrange(2 * HOUR, 132 * HOUR)
        return Coming.PROMPT, arrives_at + rng.randrange(2 * HOUR)


def _profile(days: int) -> tuple[str, list[tuple[int, float]]]:
    """Return where it is from, and (start, calls) of each half hour of the first days."""
    folder = os.environ.get(_FOLDER)
    if not folder:
        return f"made up, since {_FOLDER} names no folder with {_FILE}", _made_up(days)
    with (Path(folder) / _FILE).open(newline="", encoding="utf-8") as file:
        rows = [(micros(row["interval_start"]), float(row["calls"])) for row in csv.DictReader(file)]
    return _FILE, sorted(rows)[: days * 48]


def _made_up(days: int) -> list[tuple[int, float]]:
    start = micros(_MADE_DAY.isoformat())
    profile = []
    for number in range(days * 48):
        hour = number % 48 / 2 + 0.25
        humps = 84 * math.exp(-(((hour - 10.25) / 2.4) ** 2)) + 70 * math.exp(-(((hour - 15.5) / 3.2) ** 2))
        profile.append((start + number * HOUR // 2, humps * _MADE_WEEK[number // 48 % 7]))
    return profile


def micros(text: str) -> int:
    """Return an ISO time of UTC as microseconds."""
    return round(dt.datetime.fromisoformat(text).replace(tzinfo=dt.UTC).timestamp()) * SECOND


def _counted(profile: list[tuple[int, float]]) -> Iterator[tuple[int, int]]:
    """Yield whole contacts by quarter of an hour: what is rounded off one is in the next."""
    expected, given = 0.0, 0
    for start, calls in profile:
        for quarter in (start, start + INTERVAL_MICROS):
            expected += calls / 2
            yield quarter, round(expected) - given
            given = round(expected)


def event_of(contact: Contact, what: str) -> Effect:
    """Return a line of the script as what is written."""
    if what == "offer":
        return contact.offer()
    return contact.end() if what == "end" else contact.turn(int(what.removeprefix("turn ")))
