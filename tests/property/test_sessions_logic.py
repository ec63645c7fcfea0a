"""A contact's events in any order and any repetition tell the same story, once."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from processors.sessions.logic.book import COST_MOST, PARKED, PROGRESS, SESSION, Parked, Progress, load
from schemas.agents import ContactOutcome, Graded, Outcome
from schemas.codec import Codec
from schemas.fields import Disposition, Event, FinishedBy, GradedBy, Handling, Pool, TurnResult
from schemas.interactions import Completed, Decision, Feedback, Turn
from schemas.topics import CLOSED, TIMERS
from schemas.wfm import Finding, Held, VolumeDelta
from tests.contacts import (
    DECIDED_AT,
    HOLD_UNTIL,
    HOUR,
    OFFERED_AT,
    SECOND,
    Bench,
    completed,
    decision,
    feedback,
    for_people,
    turn,
)

CODEC = Codec()


@dataclasses.dataclass(frozen=True)
class Contact:
    """Distinct events of one contact, in the order in which they happened."""

    events: tuple[Event, ...]

    @property
    def completed(self) -> bool:
        return any(isinstance(event, Completed) and event.tenant == "acme" for event in self.events)

    @property
    def repeats(self) -> int:
        return sum(isinstance(event, Decision) for event in self.events) - 1

    @property
    def held(self) -> bool:
        first = self.events[0]
        return isinstance(first, Decision) and first.hold_until is not None and first.disposition is Disposition.HOLD

    @property
    def turns(self) -> list[Turn]:
        return [event for event in self.events if isinstance(event, Turn) and event.endpoint == "ada"]

    @property
    def findings(self) -> set[Event]:
        return {event for event in self.events if isinstance(event, Feedback)}


@st.composite
def decisions(draw) -> Decision:
    pool = draw(st.sampled_from(Pool))
    people = pool is Pool.HUMAN_EXCLUSIVE
    make = for_people if people else decision
    return make(
        pool=pool,
        hold_until=draw(st.sampled_from([None, HOLD_UNTIL, HOLD_UNTIL])) if people else None,
        disposition=draw(st.sampled_from([d for d in Disposition if d is not Disposition.REPEAT])),
        offered_at=OFFERED_AT - draw(st.integers(0, HOUR)),
    )


@st.composite
def turns(draw, number: int, costs: st.SearchStrategy[float]) -> Turn:
    """A turn that mostly answers, often what was said before."""
    return turn(
        number,
        result=draw(st.sampled_from([TurnResult.OK] * 6 + list(TurnResult))),
        agent_text=draw(st.sampled_from([None, "yes", "yes", " YES ", "no"])),
        no_progress=draw(st.sampled_from([False, False, False, True])),
        tokens=number,
        cost=draw(costs),
    )


def found():
    """Feedback, of which some is the same."""
    return st.builds(feedback, st.sampled_from(GradedBy), csat=st.sampled_from([None, 3]))


@st.composite
def contacts(draw) -> Contact:
    """A decision, 0 to 6 turns, perhaps a completion that counts more or fewer, feedback, other decisions, strays.

    Turns cost something where the completion waits for all of them: else the cost is of those that came before it.
    """
    first = draw(decisions())
    numbers = range(1, 1 + draw(st.integers(0, 6)) * (first.endpoint is not None))
    miscounted = draw(st.sampled_from([0, 0, 0, -1, 1]))
    costs = st.just(0.0) if miscounted < 0 else st.sampled_from([0.0, 0.1, 0.2, 0.7, 1e-6, 3e9])
    events: list[Event] = [first, *(draw(turns(n, costs)) for n in numbers)]
    events += draw(st.lists(found(), max_size=3, unique=True))
    if draw(st.booleans()):
        events.append(turn(draw(st.integers(1, 8)), endpoint="eve"))
    if draw(st.booleans()):
        events.append(completed(1, tenant="rival"))
    if draw(st.integers(0, 4)):
        ai_turns = max(0, len(numbers) + miscounted)
        finished_by, watched = draw(st.sampled_from(FinishedBy)), draw(st.booleans())
        events.append(completed(ai_turns, finished_by=finished_by, watched=watched))
    events += [msgspec.structs.replace(first, decision_id=f"again-{n}") for n in range(draw(st.integers(0, 2)))]
    return Contact(tuple(events))


@st.composite
def logs(draw, contact: Contact) -> list[Event]:
    """The contact's events, each once or more, in any order in which the same decision is first."""
    extra = draw(st.lists(st.sampled_from(contact.events), max_size=8))
    log = draw(st.permutations([*contact.events, *extra]))
    first = contact.events[0]
    here = log.index(first)
    there = next(n for n, event in enumerate(log) if isinstance(event, Decision))
    log[here], log[there] = log[there], log[here]
    return log


def played(log, gaps) -> Bench:
    """Run a log; the clock rings when a gap passes the timer's instant. Then a waiting completion runs out."""
    bench, now = Bench(), DECIDED_AT
    for event, gap in zip(log, gaps, strict=True):
        now += gap
        if bench.timer is not None and bench.timer <= now:
            bench.ring()
        bench.run(event, now=now)
        the_clock_knows(bench)
    if load(bench.state, PROGRESS, Progress).completed is not None:
        bench.ring()
        the_clock_knows(bench)
    return bench


def the_clock_knows(bench: Bench) -> None:
    """The timer last told is the one that the state holds."""
    if SESSION in bench.state.entries:
        assert bench.timer == load(bench.state, PROGRESS, Progress).due_at
    else:
        parked = load(bench.state, PARKED, Parked)
        assert bench.timer == (parked.due_at if parked else None)


def remembered(bench: Bench) -> dict[str, object]:
    """What is stored, but for how often others were told of it."""
    entries: dict[str, object] = dict(bench.state.entries)
    progress = load(bench.state, PROGRESS, Progress)
    progress.revision = 0
    return {**entries, PROGRESS: progress}


def in_bytes(bench: Bench) -> Counter:
    return Counter((effect.topic.name, CODEC.encode(effect.event)) for effect in bench.told())


def logs_and_gaps(contact: Contact):
    # At most 22 events 1 s apart: no wait runs out in the middle.
    return logs(contact).flatmap(
        lambda log: st.tuples(st.just(log), st.lists(st.integers(0, SECOND), min_size=len(log), max_size=len(log)))
    )


@settings(max_examples=250, deadline=None)
@given(contacts().flatmap(lambda contact: st.tuples(st.just(contact), logs_and_gaps(contact))))
def test_any_order_and_any_repetition_give_the_same_state_and_the_same_records(case):
    contact, (log, gaps) = case
    in_order = played(contact.events, [0] * len(contact.events))
    mixed_up = played(log, gaps)
    assert remembered(mixed_up) == remembered(in_order)
    assert in_bytes(mixed_up) == in_bytes(in_order)
    assert set(mixed_up.refused) == set(in_order.refused)
    assert len(load(mixed_up.state, PROGRESS, Progress).repeats) == contact.repeats


@settings(max_examples=150, deadline=None)
@given(contacts().flatmap(lambda contact: st.tuples(st.just(contact), logs_and_gaps(contact))))
def test_a_contact_is_counted_once_moved_once_and_leaves_nothing_behind(case):
    contact, (log, gaps) = case
    bench = played(log, gaps)
    assert len(bench.of(CLOSED)) == contact.completed
    if not contact.completed and contact.held:
        bench.ring()
    if not contact.completed:
        bench.ring()
    (record,) = bench.of(CLOSED)
    held: Counter[Handling] = Counter()
    for delta in bench.all(VolumeDelta):
        held[delta.to_handling] += 1
        if delta.from_handling is not None:
            held[delta.from_handling] -= 1
        assert min(held.values()) >= 0
        assert held.total() == 1
    assert +held == Counter({record.handling: 1})
    assert len(bench.all(VolumeDelta)) == 2
    assert [each.over for each in bench.all(Held)] == [False, True] * contact.held
    assert sorted(each.turn for each in bench.all(Outcome)) == sorted({each.number for each in contact.turns})
    had = bool(contact.turns) and record.ai_turns > 0
    assert [each.handling for each in bench.all(ContactOutcome)] == [record.handling] * had
    assert len(bench.all(Graded)) == len(contact.findings) * had
    assert [each.handling for each in bench.all(Finding)] == [record.handling] * len(contact.findings)
    last = bench.all(VolumeDelta)[-1]
    assert last.ai_cost == pytest.approx(sum(min(each.cost, COST_MOST) for each in contact.turns))
    assert (last.resolved, last.trigger) == (record.resolved, None)
    bench.ring()
    assert (bench.state.entries, bench.timer) == ({}, None)


@settings(max_examples=150, deadline=None)
@given(contacts().flatmap(lambda contact: st.tuples(st.just(contact), logs_and_gaps(contact))))
def test_a_turn_is_looping_where_it_brings_nothing_or_says_what_the_last_answer_said(case):
    contact, (log, gaps) = case
    last, expected = None, []
    for each in contact.turns:
        answered = each.result is TurnResult.OK
        said = (each.agent_text or "").strip().lower() if answered else last
        expected.append((each.number, each.no_progress or bool(answered and said and said == last)))
        last = said
    assert sorted((each.turn, each.looping) for each in played(log, gaps).all(Outcome)) == expected


@settings(max_examples=100, deadline=None)
@given(contacts().flatmap(lambda contact: st.tuples(st.just(contact), logs_and_gaps(contact))))
def test_every_timer_that_is_told_is_a_change(case):
    _, (log, gaps) = case
    told = [timer.due_at for timer in played(log, gaps).of(TIMERS)]
    assert all(one != next_one for one, next_one in itertools.pairwise(told))


@settings(max_examples=100, deadline=None)
@given(contacts().flatmap(lambda contact: st.tuples(st.just(contact), logs_and_gaps(contact))), st.data())
def test_stale_timers_anywhere_change_nothing(case, data):
    _, (log, gaps) = case
    bench = played(log, gaps)
    entries = dict(bench.state.entries)
    due_at = data.draw(st.one_of(st.integers(0, 2 * DECIDED_AT), st.sampled_from([DECIDED_AT, DECIDED_AT + HOUR])))
    assume(due_at != bench.timer)
    told = len(bench.effects)
    bench.ring(due_at)
    assert bench.state.entries == entries
    assert len(bench.effects) == told


@settings(max_examples=100, deadline=None)
@given(contacts(), st.data())
def test_without_a_decision_every_event_is_refused_once_its_wait_is_over_and_none_is_lost(contact, data):
    strays = [event for event in contact.events if not isinstance(event, Decision)]
    assume(strays)
    log = data.draw(st.permutations(strays + data.draw(st.lists(st.sampled_from(strays), max_size=4))))
    bench = Bench()
    bench.run(*log)
    assert (bench.told(), bench.refused) == ([], [])
    bench.ring()
    assert Counter(event for event, _ in bench.refused) == Counter(strays)
    assert {reason for _, reason in bench.refused} == {"orphan"}
    bench.ring()
    assert (bench.state.entries, bench.timer, bench.told()) == ({}, None, [])
