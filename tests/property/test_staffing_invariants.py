"""Whatever breakers do and in whatever order contacts are read, the one recommendation stays sound."""

import math
import random

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from schemas import topics
from schemas.codec import Codec
from schemas.fields import BreakerState, Handling, Pool
from schemas.wfm import Displaced
from tests.staffing_bench import MINUTE, SECOND, START, Bench, closing, delta, impact

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
        else delta(START + at * SECOND, queue=queue)
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
        for rows in self.carried.values():
            for row in rows:
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
