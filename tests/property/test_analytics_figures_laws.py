"""Handle times and quality hold every contact once, whatever the order, however late, and wherever ticks fall."""

from __future__ import annotations

import itertools
import json
import random
from collections import Counter
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.analytics.logic import step
from runtime.sketches import Sketch, micros_of
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas.agents import Tick
from schemas.fields import Channel, Event, GradedBy, Handling, Pool
from schemas.rules import Costs
from schemas.topics import HANDLE_TIME, POLICY, QUALITY
from schemas.wfm import INTERVAL_MICROS, Finding, TrendSpan, VolumeDelta
from tests.contacts import policy

SECOND = 1_000_000
DAY = 86_400 * SECOND
START = 1_772_355_600_000_000  # 2026-03-01T09:00:00Z
NAMES = st.sampled_from(["billing", "sales", "a|b", 'quote"'])
FINAL = [handling for handling in Handling if handling is not Handling.IN_PROGRESS]
SECONDS = st.sampled_from([0.0, 0.1, 0.2, 0.7, 30.0, 45.5, 300.0])
SNAPSHOT = Snapshot().with_record(POLICY, "acme", policy(costs=Costs(people_per_hour=30.0)), 0)


class Contact(msgspec.Struct, frozen=True):
    """A contact, how it ended, what was found of it, and a state that is corrected later."""

    queue: str
    intent: str
    channel: Channel
    pool: Pool
    handling: Handling
    first: Handling | None
    interval: int
    times: tuple[float, float, float, float]
    cost: float
    trigger: str | None
    resolved: bool | None
    csat: tuple[int, ...]
    seconds: int

    def events(self, number: int) -> list[Event]:
        """Its deltas in their order, and what was found."""
        about: dict[str, Any] = {
            "tenant": "acme", "interaction_id": f"i-{number}", "queue": self.queue, "intent": self.intent,
            "channel": self.channel, "language": "en", "pool": self.pool, "occurred_at": START + self.seconds * SECOND,
        }  # fmt: skip
        names = ("ai_seconds", "wait_seconds", "talk_seconds", "wrap_seconds")
        said = dict(
            zip(names, self.times, strict=True), ai_cost=self.cost, trigger=self.trigger, resolved=self.resolved
        )
        interval = START + self.interval * INTERVAL_MICROS
        states = [None, Handling.IN_PROGRESS, *([self.first] if self.first else []), self.handling]
        deltas: list[Event] = [
            VolumeDelta(
                **about, interval_start=interval, from_handling=left, to_handling=to,
                **(said if to is not Handling.IN_PROGRESS else {}),
            )
            for left, to in itertools.pairwise(states)
        ]  # fmt: skip
        return deltas + [Finding(**about, handling=self.handling, by=GradedBy.QA, csat=each) for each in self.csat]


CONTACTS = st.lists(
    st.builds(
        Contact,
        queue=NAMES,
        intent=NAMES,
        channel=st.sampled_from([Channel.CHAT, Channel.VOICE]),
        pool=st.sampled_from(Pool),
        handling=st.sampled_from(FINAL),
        first=st.none(),
        interval=st.integers(0, 2),
        times=st.tuples(SECONDS, SECONDS, SECONDS, SECONDS),
        cost=st.sampled_from([0.0, 0.1, 0.2, 0.7]),
        trigger=st.sampled_from([None, "amount", "turns"]),
        resolved=st.sampled_from([None, True, False]),
        csat=st.lists(st.integers(1, 5), max_size=2, unique=True).map(tuple),
        seconds=st.integers(-7_200, 200),
    ),
    max_size=25,
)
CORRECTED = st.builds(
    lambda contacts, first: [msgspec.structs.replace(each, first=first) for each in contacts],
    CONTACTS,
    st.sampled_from(FINAL),
)


def played(contacts: list[Contact], seed: int, days: float = 0.0) -> dict[str, Event]:
    """Return the last row of each key, of one interleaving with ticks anywhere. days: over which it comes."""
    rng, state, rows = random.Random(seed), DictState(), {}
    waiting = [each.events(number) for number, each in enumerate(contacts)]
    log: list[Event] = []
    while any(waiting):
        log.append(rng.choice([each for each in waiting if each]).pop(0))
    times = sorted(START + int(rng.uniform(0, days) * DAY) for _ in log)
    events = [[each] + [Tick(key="acme", now=0)] * rng.randint(0, 1) for each in log] + [[Tick(key="acme", now=0)]]
    for now, several in zip([*times, START + int(days * DAY) + 1], events, strict=True):
        for event in several:
            for effect in step(event, state, SNAPSHOT, now):
                if effect.topic in (HANDLE_TIME, QUALITY):
                    key = f"{effect.topic.name} {effect.topic.key_of(effect.event)}"
                    assert key not in rows or effect.event.revision >= rows[key].revision
                    rows[key] = effect.event
    assert json.loads(json.dumps(state.entries)) == state.entries
    return rows


def said(rows: dict[str, Event]) -> dict[str, Event]:
    """The rows but for when they were told. The rolling window depends on that."""
    return {
        key: msgspec.structs.replace(row, revision=0, updated_at=0)
        for key, row in rows.items()
        if getattr(row, "span", None) is not TrendSpan.MINUTES_5
    }


def of(rows: dict[str, Event], topic: Any) -> list[Any]:
    return [row for row in rows.values() if type(row) in topic.types]


@given(CONTACTS, st.integers(), st.integers())
def test_any_order_and_ticks_anywhere_change_nothing_but_revisions(
    contacts: list[Contact], one: int, other: int
) -> None:
    assert said(played(contacts, one)) == said(played(contacts, other))


@given(CORRECTED, st.integers(), st.integers())
def test_contacts_that_are_corrected_are_where_they_would_be_had_they_ended_so(
    contacts: list[Contact], one: int, other: int
) -> None:
    at_once = [msgspec.structs.replace(each, first=None) for each in contacts]
    told = {key: row for key, row in said(played(contacts, one)).items() if getattr(row, "contacts", 0)}
    expected = said(played(at_once, other))
    times = {key: row for key, row in told.items() if type(row) in HANDLE_TIME.types}
    assert times == {key: row for key, row in expected.items() if type(row) in HANDLE_TIME.types}


@given(CONTACTS, st.integers(), st.floats(0, 20))
def test_however_late_they_come_cells_and_late_ones_hold_the_times_of_each_contact_once(
    contacts: list[Contact], seed: int, days: float
) -> None:
    rows = of(played(contacts, seed, days), HANDLE_TIME)
    whole = {name: Sketch() for name in ("ai", "wait", "talk", "wrap", "handle")}
    for row in rows:
        for name, sketch in whole.items():
            sketch.merge(getattr(row, name))
    expected = {name: Sketch() for name in whole}
    for each in contacts:
        ai, wait, talk, wrap = map(micros_of, each.times)
        for sketch, micros in zip(expected.values(), (ai, wait, talk, wrap, ai + talk + wrap), strict=True):
            sketch.add(micros)
    assert {name: each.told() for name, each in whole.items()} == {n: each.told() for n, each in expected.items()}
    assert sum(row.contacts for row in rows) == len(contacts)
    by_queue: Counter[str] = Counter()
    for row in rows:
        by_queue[row.queue] += row.contacts
    assert +by_queue == Counter(each.queue for each in contacts)


@given(CONTACTS, st.integers())
def test_queues_add_up_to_all_in_every_figure_and_so_do_intents(contacts: list[Contact], seed: int) -> None:
    sums: dict[str, Counter[Any]] = {"all": Counter(), "queue": Counter(), "intent": Counter()}
    for row in of(played(contacts, seed), QUALITY):
        if row.span is TrendSpan.MINUTES_5:
            continue
        by = "queue" if row.queue else "intent" if row.intent else "all"
        figures = {handling.value: getattr(row, handling.value) for handling in FINAL}
        figures |= {f"why {reason}": number for reason, number in row.escalation_reasons.items()}
        for side in ("ai", "people"):
            part = getattr(row, side)
            names = ("contacts", "resolution_known", "resolved", "csat_answers", "csat_satisfied")
            figures |= {f"{side} {name}": getattr(part, name) for name in names}
            figures[f"{side} micros"] = round(part.people_seconds * SECOND)
            figures[f"{side} cost"] = round((part.ai_cost or 0.0) * 1e6)
        sums[by].update({(row.span, row.starts_at, name): number for name, number in figures.items()})
    assert +sums["queue"] == +sums["all"] == +sums["intent"]


@given(CONTACTS, st.integers())
def test_a_month_holds_every_contact_as_it_ended_what_it_cost_and_what_was_found(
    contacts: list[Contact], seed: int
) -> None:
    rows = [
        row
        for row in of(played(contacts, seed), QUALITY)
        if row.span is TrendSpan.MONTH and not row.queue and not row.intent
    ]
    for handling in FINAL:
        expected = sum(each.handling is handling for each in contacts)
        assert sum(getattr(row, handling.value) for row in rows) == expected
    assert sum(row.contacts for row in rows) == len(contacts)
    assert sum(row.ai_cost or 0.0 for row in rows) == pytest.approx(sum(each.cost for each in contacts))
    people = sum(each.times[2] + each.times[3] for each in contacts)
    assert sum(row.people_seconds for row in rows) == pytest.approx(people)
    assert sum(row.people_cost for row in rows) == pytest.approx(people * 30.0 / 3600)
    reasons = sum(each.handling is Handling.AI_ESCALATED and each.trigger is not None for each in contacts)
    assert sum(sum(row.escalation_reasons.values()) for row in rows) == reasons
    alone = [each for each in contacts if each.handling is Handling.HUMAN_ONLY]
    assert sum(row.people.contacts for row in rows) == len(alone)
    ratings = [rating for each in alone for rating in each.csat]
    assert sum(row.people.csat_answers for row in rows) == len(ratings)
    assert sum(row.people.csat_satisfied for row in rows) == sum(rating >= 4 for rating in ratings)
