"""Whatever breakers do and in whatever order contacts are read, the one recommendation stays sound."""

import itertools
import math
import random

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from processors.staffing.logic.line import Line
from processors.staffing.logic.line import over as line_over
from runtime.state import DictState
from schemas import topics
from schemas.codec import Codec
from schemas.fields import BreakerState, Handling, Pool
from schemas.wfm import Displaced, ImpactCause, SpareCapacity
from tests.staffing_bench import (
    METERED,
    MINUTE,
    PARTITIONS,
    SECOND,
    START,
    Bench,
    closing,
    delta,
    held,
    impact,
    over,
    people,
    released,
    rows,
    snapshot_of,
    tick,
)

ENDPOINTS = ["one", "two", "three"]
QUEUES = ["billing", "sales", "unnamed in the policy"]
OUT = {BreakerState.OPEN, BreakerState.FORCED_OPEN, BreakerState.HALF_OPEN}
CODEC = Codec()

displaced = st.builds(
    Displaced,
    queue=st.sampled_from(QUEUES),
    intent=st.sampled_from(["refund", "upgrade"]),
    contacts_per_minute=st.floats(0, 200),
    alternatives=st.lists(st.sampled_from(ENDPOINTS), max_size=2, unique=True).map(tuple),
)
impacts = st.builds(
    lambda endpoint, state, epoch, rows, at: impact(START + at * SECOND, state, epoch, *rows, endpoint=endpoint),
    st.sampled_from(ENDPOINTS),
    st.sampled_from(BreakerState),
    st.integers(0, 12),
    st.lists(displaced, max_size=4),
    st.integers(0, 900),
)
human_deltas = st.builds(
    lambda at, queue, escalated, talk: (
        closing(START + at * SECOND, Handling.AI_ESCALATED, queue=queue, pool=Pool.AI_CONTAINED, talk_seconds=talk)
        if escalated
        else delta(START + at * SECOND, queue=queue, displaced=talk > 1_000)
    ),
    st.integers(0, 900),
    st.sampled_from(QUEUES),
    st.booleans(),
    st.floats(0, 2_000),
)
untimed_deltas = human_deltas.map(lambda one: msgspec.structs.replace(one, talk_seconds=0.0))
timelines = st.lists(impacts | human_deltas, max_size=40)


class Model:
    """The rule of what is lost, in the plainest words: nothing kept but the impacts that count."""

    def __init__(self):
        self.epochs, self.carried = {}, {}

    def accepts(self, event):
        if event.epoch <= self.epochs.get(event.endpoint, -1):
            return False
        self.epochs[event.endpoint] = event.epoch
        if event.state not in OUT:
            self.carried.pop(event.endpoint, None)
        else:
            self.carried.setdefault(event.endpoint, event.displaced)
        return True

    def lost(self):
        totals = dict.fromkeys(QUEUES, 0.0)
        for carried in self.carried.values():
            for row in carried:
                if set(row.alternatives) <= self.carried.keys():
                    totals[row.queue] += row.contacts_per_minute
        return totals


def close(one, other):
    return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)


@given(timelines)
def test_the_recommendations_that_stand_add_up_to_what_ai_lost(events):
    bench, model, standing = Bench(), Model(), dict.fromkeys(QUEUES, 0.0)
    for event in events:
        effects = bench.feed(event)
        if not hasattr(event, "epoch"):
            assert effects == []
            continue
        accepted = model.accepts(event)
        assert accepted or effects == []
        for effect in effects:
            said = effect.event
            if effect.topic is topics.CAPACITY:
                standing[said.queue] = said.ai_contacts_per_minute_lost
            else:
                extra = said.human_contacts_per_minute_after - said.human_contacts_per_minute_before
                assert close(extra, standing[said.queue])
        assert all(close(standing[queue], lost) for queue, lost in model.lost().items())


@given(timelines)
def test_revisions_count_up_from_one_and_every_signal_fits_the_wire(events):
    bench, last = Bench(), {}
    for event in events:
        for effect in bench.feed(event):
            said = effect.event
            key = (effect.topic.name, said.queue)
            assert said.revision == last.get(key, 0) + 1
            last[key] = said.revision
            assert CODEC.decode(CODEC.encode(said)) == said


@given(timelines)
def test_a_loss_raises_the_requirement_and_its_end_takes_it_back(events):
    bench = Bench()
    for event in events:
        for effect in bench.feed(event):
            if effect.topic is not topics.STAFFING:
                continue
            said = effect.event
            lost = said.human_contacts_per_minute_after > said.human_contacts_per_minute_before
            assert said.agents_required_after >= said.agents_required_before
            assert said.agents_scheduled_after >= said.agents_required_after
            assert not lost or said.since is not None
            assert said.since is not None or said.agents_required_after == said.agents_required_before


@given(timelines)
def test_the_load_before_stands_while_a_loss_lasts(events):
    bench, frozen = Bench(), {}
    for event in events:
        for effect in bench.feed(event):
            if effect.topic is not topics.STAFFING:
                continue
            said = effect.event
            if said.queue in frozen:
                assert (said.human_contacts_per_minute_before, said.since or frozen[said.queue][1]) == frozen[
                    said.queue
                ]
            if said.since is None:
                frozen.pop(said.queue, None)
            else:
                frozen[said.queue] = (said.human_contacts_per_minute_before, said.since)


@given(timelines)
def test_reading_every_event_twice_in_a_row_says_nothing_more(events):
    once, twice = Bench(), Bench()
    only_impacts = [event for event in events if hasattr(event, "epoch")]
    for event in only_impacts:
        assert twice.feed(event, event) == once.feed(event)
    assert twice.state.entries == once.state.entries


@given(st.lists(untimed_deltas, min_size=1, max_size=40), st.integers())
def test_the_order_in_which_contacts_are_read_does_not_change_the_load(deltas, seed):
    shuffled = random.Random(seed).sample(deltas, len(deltas))
    read = []
    for order in (deltas, shuffled):
        bench = Bench()
        bench.feed(*order, now=START + 20 * MINUTE)
        read.append(bench.state.entries)
    assert read[0] == read[1]


NAMES = [f"c-{number}" for number in range(12)]
moments = st.one_of(
    st.builds(lambda: tick),
    st.builds(lambda: tick),
    st.builds(
        lambda name, priority, waited, queue, minutes: (
            lambda at: held(
                name, at - waited * SECOND, priority, queue=queue, hold_until=at + minutes * MINUTE, occurred_at=at
            )
        ),
        st.sampled_from(NAMES),
        st.integers(-2, 2),
        st.integers(0, 3),
        st.sampled_from(QUEUES[:2]),
        st.integers(1, 10),
    ),
    st.builds(lambda name: lambda at: over(name, at), st.sampled_from(NAMES)),
    st.builds(
        lambda endpoint, state, rows_of_it, ahead: (
            lambda at: impact(
                at, state, at // SECOND, *rows_of_it, endpoint=endpoint,
                cause=ImpactCause.BREAKER if ahead is None else ImpactCause.MAINTENANCE,
                starts_at=None if ahead is None else at + ahead * SECOND,
            )
        ),
        st.sampled_from(ENDPOINTS),
        st.sampled_from(BreakerState),
        st.lists(displaced, max_size=3),
        st.none() | st.integers(-60, 600),
    ),
    st.builds(
        lambda queue, displaced: lambda at: delta(at, queue=queue, displaced=displaced),
        st.sampled_from(QUEUES),
        st.booleans(),
    ),
)  # fmt: skip
metered_timelines = st.lists(st.tuples(st.integers(1, 20), moments), max_size=60)
staffed = st.builds(
    lambda billing, sales: snapshot_of(METERED, people(billing), people(sales, queue="sales")),
    st.floats(0, 900),
    st.floats(0, 900),
)


def timed(timeline):
    """The events of a timeline, each some seconds after the last."""
    at, events = START, []
    for seconds, made in timeline:
        at += seconds * SECOND
        events.append(made(at))
    return events


@given(staffed, metered_timelines)
def test_what_is_let_through_is_the_room_of_the_time_and_no_more(snapshot, timeline):
    bench, given_out, budget, last = Bench(snapshot), {}, {}, {}
    dealt, kept = {}, {}
    for event in timed(timeline):
        effects = bench.feed(event)
        for effect in effects:
            queue = effect.event.queue
            if effect.topic is topics.INTERACTION_EVENTS:
                given_out[queue] = given_out.get(queue, 0) + 1
            if not isinstance(effect.event, SpareCapacity):
                continue
            row = effect.event
            before, stood_until = last.get(queue, (0, 0))
            since = (row.occurred_at - before) / SECOND
            covered = since if row.occurred_at <= stood_until else 5.0
            given_out[queue] = given_out.get(queue, 0) + sum(row.permits)
            budget[queue] = budget.get(queue, 0.0) + row.spare_contacts_per_minute * covered / 60
            last[queue] = row.occurred_at, row.expires_at
            assert row.spare_contacts_per_minute >= 0
            assert len(row.permits) == PARTITIONS
            assert max(row.permits) - min(row.permits) <= 1
            assert given_out[queue] <= budget[queue] + 1e-6
            for partition, (permits, of_them) in enumerate(zip(row.permits, row.kept, strict=False)):
                place = queue, partition
                dealt[place], kept[place] = dealt.get(place, 0) + permits, kept.get(place, 0) + of_them
                assert 0 <= of_them <= permits
                assert abs(kept[place] - dealt[place] / 3) < 1, "a third of each partition's, whatever came before"


@given(staffed, metered_timelines)
def test_rows_of_a_queue_count_up_are_at_least_five_seconds_apart_and_fit_the_wire(snapshot, timeline):
    bench, revisions, stands = Bench(snapshot), {}, {}
    for event in timed(timeline):
        for row in rows(bench.feed(event)):
            assert row.revision == revisions.get(row.queue, 0) + 1
            revisions[row.queue] = row.revision
            takes_back = row.expires_at == row.occurred_at
            before = None if takes_back else stands.get(row.queue)
            assert before is None or row.occurred_at - before >= 4.5 * SECOND
            assert takes_back or 10 * SECOND <= row.expires_at - row.occurred_at <= 120 * SECOND
            stands[row.queue] = None if takes_back else row.occurred_at
            assert CODEC.decode(CODEC.encode(row)) == row


@given(staffed, metered_timelines)
def test_a_replay_says_the_same(snapshot, timeline):
    events = timed(timeline)
    one, other = Bench(snapshot), Bench(snapshot)
    assert one.feed(*events) == other.feed(*events)
    assert one.state.entries == other.state.entries


class WaitingModel:
    """Who waits, in the plainest words: a list, sorted when somebody is wanted."""

    def __init__(self):
        self.waiting, self.released = {}, set()

    def book(self, event):
        if event.over:
            self.waiting.pop(event.interaction_id, None)
            self.released.discard(event.interaction_id)
        elif event.interaction_id not in self.released:
            self.waiting.setdefault(event.interaction_id, event)

    def release(self, names, queue, now):
        """Check that these are the first of their queue, and take them out with all before them."""
        line = sorted(
            (one for one in self.waiting.values() if one.queue == queue and one.hold_until > now),
            key=lambda one: (-one.priority, one.offered_at, one.interaction_id),
        )
        assert [one.interaction_id for one in line[: len(names)]] == names
        for name in names:
            del self.waiting[name]
            self.released.add(name)


@given(staffed, metered_timelines)
def test_contacts_are_released_once_by_priority_and_then_by_how_long_they_wait(snapshot, timeline):
    bench, model = Bench(snapshot), WaitingModel()
    for event in timed(timeline):
        effects = bench.feed(event)
        if hasattr(event, "over"):
            model.book(event)
        for queue in QUEUES:
            of_queue = [effect for effect in effects if effect.event.queue == queue]
            model.release(released(of_queue), queue, getattr(event, "now", START))
        for row in rows(effects):
            alive = [one for one in model.waiting.values() if one.queue == row.queue and one.hold_until > event.now]
            known = [one for one in model.waiting.values() if one.queue == row.queue]
            assert len(alive) <= row.held <= len(known)
            model.waiting = {
                name: one for name, one in model.waiting.items() if one.queue != row.queue or one.hold_until > event.now
            }
            assert row.held == len(alive)


@given(staffed, metered_timelines)
def test_rows_end_once_nothing_is_lost_and_nobody_waits(snapshot, timeline):
    events = timed(timeline)
    end = START + 30 * MINUTE
    bench = Bench(snapshot)
    bench.feed(*events)
    endings = itertools.product(ENDPOINTS, ImpactCause)
    for epoch, (endpoint, cause) in enumerate(endings, end // SECOND + 1):
        bench.feed(impact(end, BreakerState.CLOSED, epoch, endpoint=endpoint, cause=cause))
    bench.feed(*(over(name, end) for name in NAMES))
    said = rows(bench.ticks(end, end + 3 * MINUTE))
    assert bench.state.get("metered", []) == []
    assert all(row.permits == (0,) * PARTITIONS for row in {row.queue: row for row in said}.values())
    assert not [name for name in bench.state.entries if name.startswith(("held:", "place:"))]


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["join", "join", "join", "leave", "release", "sweep"]),
            st.integers(0, 40),
            st.integers(-1, 1),
            st.integers(0, 5),
            st.integers(0, 9),
        ),
        max_size=120,
    )
)
@example(
    [
        *[("join", 0, 0, 0, 0)] * 8,
        *[("join", number, 0, 0, 0) for number in (4, 1, 3, 5)],
        ("join", 2, 0, 0, 1),
        ("sweep", 0, 0, 0, 0),
    ]
)
def test_a_line_is_a_sorted_list_whatever_joins_and_leaves(moves):
    state, waiting, gone = DictState(), {}, set()
    for now, (move, number, priority, waited, last) in enumerate(moves):
        name, line = f"c-{number}", Line(state, "billing")
        if move == "join":
            one = held(name, START + waited, priority, hold_until=now + 10 * last)
            line.join(one)
            if name not in gone:
                waiting.setdefault(name, one)
        elif move == "leave":
            line_over(state, name)
            waiting.pop(name, None)
            gone.discard(name)
        elif move == "release":
            order = sorted(waiting.values(), key=lambda one: (-one.priority, one.offered_at, one.interaction_id))
            alive = [one.interaction_id for one in order if one.hold_until > now][:last]
            assert line.release(last, 100, now) == alive
            passed = order.index(waiting[alive[-1]]) + 1 if len(alive) == last and last else len(order)
            for one in order[: passed if last else 0]:
                del waiting[one.interaction_id]
            gone.update(alive)
        else:
            line.sweep(0, 1000, now)
            waiting = {name: one for name, one in waiting.items() if one.hold_until > now}
        assert len(line) == len(waiting)
        assert {
            name.removeprefix("held:") for name in state.entries if name.startswith("held:")
        } == waiting.keys() | gone
