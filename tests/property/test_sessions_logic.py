"""A contact's events in any order and any repetition tell the same story, once."""

from __future__ import annotations

import dataclasses
import itertools
from collections import Counter

import msgspec
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from processors.sessions.logic.book import PARKED, PROGRESS, SESSION, Parked, Progress, load
from schemas.codec import Codec
from schemas.fields import Disposition, Event, FinishedBy, Handling, Pool, TurnResult
from schemas.interactions import Completed, Decision
from schemas.topics import AGENT_EVENTS, CLOSED, TIMERS, WFM_EVENTS
from tests.contacts import DECIDED_AT, HOUR, OFFERED_AT, SECOND, Bench, completed, decision, for_people, turn

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


@st.composite
def decisions(draw) -> Decision:
    pool = draw(st.sampled_from(Pool))
    make = for_people if pool is Pool.HUMAN_EXCLUSIVE else decision
    return make(
        pool=pool,
        disposition=draw(st.sampled_from([d for d in Disposition if d is not Disposition.REPEAT])),
        offered_at=OFFERED_AT - draw(st.integers(0, HOUR)),
    )


@st.composite
def contacts(draw) -> Contact:
    """A decision, 0 to 6 turns, perhaps a completion that counts more or fewer, other decisions, strays."""
    first = draw(decisions())
    numbers = range(1, 1 + draw(st.integers(0, 6)) * (first.endpoint is not None))
    results = st.sampled_from(TurnResult)
    events: list[Event] = [first, *(turn(n, result=draw(results)) for n in numbers)]
    if draw(st.booleans()):
        events.append(turn(draw(st.integers(1, 8)), endpoint="eve"))
    if draw(st.booleans()):
        events.append(completed(1, tenant="rival"))
    if draw(st.integers(0, 4)):
        ai_turns = max(0, len(numbers) + draw(st.sampled_from([0, 0, 0, -1, 1])))
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


@settings(max_examples=500, deadline=None)
@given(contacts().flatmap(lambda contact: st.tuples(st.just(contact), logs_and_gaps(contact))))
def test_any_order_and_any_repetition_give_the_same_state_and_the_same_records(case):
    contact, (log, gaps) = case
    in_order = played(contact.events, [0] * len(contact.events))
    mixed_up = played(log, gaps)
    assert remembered(mixed_up) == remembered(in_order)
    assert in_bytes(mixed_up) == in_bytes(in_order)
    assert set(mixed_up.refused) == set(in_order.refused)
    assert len(load(mixed_up.state, PROGRESS, Progress).repeats) == contact.repeats


@settings(max_examples=300, deadline=None)
@given(contacts().flatmap(lambda contact: st.tuples(st.just(contact), logs_and_gaps(contact))))
def test_a_contact_is_counted_once_moved_once_and_leaves_nothing_behind(case):
    contact, (log, gaps) = case
    bench = played(log, gaps)
    assert len(bench.of(CLOSED)) == contact.completed
    if not contact.completed:
        bench.ring()
    (record,) = bench.of(CLOSED)
    held: Counter[Handling] = Counter()
    for delta in bench.of(WFM_EVENTS):
        held[delta.to_handling] += 1
        if delta.from_handling is not None:
            held[delta.from_handling] -= 1
        assert min(held.values()) >= 0
        assert held.total() == 1
    assert +held == Counter({record.handling: 1})
    assert len(bench.of(WFM_EVENTS)) == 2
    of_agent = {event.number for event in contact.events if hasattr(event, "number") and event.endpoint == "ada"}
    assert sorted(outcome.turn for outcome in bench.of(AGENT_EVENTS)) == sorted(of_agent)
    bench.ring()
    assert (bench.state.entries, bench.timer) == ({}, None)


@settings(max_examples=200, deadline=None)
@given(contacts().flatmap(lambda contact: st.tuples(st.just(contact), logs_and_gaps(contact))))
def test_every_timer_that_is_told_is_a_change(case):
    _, (log, gaps) = case
    told = [timer.due_at for timer in played(log, gaps).of(TIMERS)]
    assert all(one != next_one for one, next_one in itertools.pairwise(told))


@settings(max_examples=200, deadline=None)
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


@settings(max_examples=200, deadline=None)
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
