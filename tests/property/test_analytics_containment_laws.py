"""Containment is conserved, whatever the order of contacts; a fall is explained exactly."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processors.analytics.logic import step
from processors.analytics.logic.explain import EXPLAINED, MOST_CAUSES, decompose, explain
from processors.analytics.logic.fall import Fall, Watch, observe
from processors.analytics.logic.figures import OUTCOMES
from runtime.snapshot import Snapshot
from runtime.state import DictState
from schemas.agents import Tick
from schemas.fields import Channel, Handling, Pool
from schemas.topics import ALERTS, CONTAINMENT
from schemas.wfm import TrendSpan, VolumeDelta

SECOND = 1_000_000
START = 1_772_355_600_000_000  # 2026-03-01T09:00:00Z
NAMES = st.sampled_from(["billing", "sales", "a|b", 'quote"', "q:x"])
FINAL = [handling for handling in Handling if handling is not Handling.IN_PROGRESS]

contacts = st.lists(
    st.tuples(NAMES, NAMES, st.sampled_from(Pool), st.sampled_from([None, *FINAL]), st.integers(-200_000, 200)),
    max_size=40,
)


def deltas(number, contact):
    """The deltas of one contact that closed so many seconds after the start."""
    queue, intent, pool, final, seconds = contact
    moves = [(None, Handling.IN_PROGRESS)] + ([(Handling.IN_PROGRESS, final)] if final else [])
    return [
        VolumeDelta(
            tenant="acme", interaction_id=f"i-{number}", queue=queue, intent=intent, channel=Channel.CHAT,
            language="en", interval_start=START, pool=pool, from_handling=from_handling, to_handling=to_handling,
            occurred_at=START + seconds * SECOND,
        )
        for from_handling, to_handling in moves
    ]  # fmt: skip


def counted(contact):
    """Whether AI had the contact and it ended so that it says something of AI."""
    return contact[2] is not Pool.HUMAN_EXCLUSIVE and contact[3] in OUTCOMES


def told(state, events, now=START):
    effects = [effect for event in events for effect in step(event, state, Snapshot(), now)]
    assert json.loads(json.dumps(state.entries)) == state.entries
    return [effect.event for effect in effects if effect.topic in (CONTAINMENT, ALERTS)]


def ticked(state, all_contacts, rng, now=START):
    order = list(enumerate(all_contacts))
    rng.shuffle(order)
    return told(state, [d for n, c in order for d in deltas(n, c)] + [Tick(key="acme", now=now)], now)


def of_all(rows):
    """Contacts by outcome of each span and start: of all, and summed over queues and over intents."""
    sums = defaultdict(Counter)
    for row in rows:
        by = "queue" if row.queue else "intent" if row.intent else "all"
        for outcome in ("contacts", "contained", "assisted", "escalated", "abandoned"):
            sums[by][row.span, row.starts_at, outcome] += getattr(row, outcome)
    return sums


@given(contacts, st.randoms(use_true_random=False), st.randoms(use_true_random=False))
def test_any_order_of_contacts_within_a_tick_gives_the_same_rows_in_the_same_order(all_contacts, one, other):
    first, second = DictState(), DictState()
    assert ticked(first, all_contacts, one) == ticked(second, all_contacts, other)


@given(contacts, st.randoms(use_true_random=False))
def test_queues_add_up_to_all_and_so_do_intents(all_contacts, rng):
    sums = of_all(ticked(DictState(), all_contacts, rng))
    assert sums["queue"] == sums["all"] == sums["intent"]


@given(contacts, st.randoms(use_true_random=False))
def test_outcomes_add_up_to_contacts_and_hold_every_ai_contact_that_ended_once(all_contacts, rng):
    rows = ticked(DictState(), all_contacts, rng)
    for row in rows:
        assert row.contacts == row.contained + row.assisted + row.escalated + row.abandoned
        assert 0 <= row.low <= row.containment <= row.high <= 1
    for span in (TrendSpan.HOUR, TrendSpan.DAY, TrendSpan.WEEK, TrendSpan.MONTH):
        whole = [row for row in rows if row.span is span and row.queue is None and row.intent is None]
        assert sum(row.contacts for row in whole) == sum(map(counted, all_contacts))
        escalated = sum(counted(c) and c[3] is Handling.AI_ESCALATED for c in all_contacts)
        assert sum(row.escalated for row in whole) == escalated


@given(contacts, st.lists(st.integers(0, 400), min_size=1, max_size=6), st.integers())
def test_ticks_anywhere_end_in_the_same_rows_and_revisions_grow_for_each_key(all_contacts, at, seed):
    # One tick at the end, or several on the way: the last row of each key says the same.
    rng, times = random.Random(seed), sorted(at)
    parts = defaultdict(list)
    for contact in all_contacts:
        parts[rng.randrange(len(times))].append(contact)
    state, last, revisions = DictState(), {}, {}
    for place, seconds in enumerate(times):
        for row in ticked(state, parts[place], rng, START + seconds * SECOND):
            key = CONTAINMENT.key_of(row)
            assert row.revision > revisions.get(key, 0)
            revisions[key], last[key] = row.revision, row
    end = START + times[-1] * SECOND
    for row in told(state, [Tick(key="acme", now=end + 600 * SECOND)], end + 600 * SECOND):
        last[CONTAINMENT.key_of(row)] = row
    # All at once, a tick at the end, another when the window is empty.
    other, whole = DictState(), {}
    for row in ticked(other, all_contacts, rng, end):
        whole[CONTAINMENT.key_of(row)] = row
    for row in told(other, [Tick(key="acme", now=end + 600 * SECOND)], end + 600 * SECOND):
        whole[CONTAINMENT.key_of(row)] = row

    def figures(rows):
        spans = [row for row in rows.values() if row.span is not TrendSpan.MINUTES_5]
        return {CONTAINMENT.key_of(row): (row.contacts, row.containment, row.low, row.high) for row in spans}

    assert figures(last) == figures(whole)
    assert all(row.contacts == 0 for row in last.values() if row.span is TrendSpan.MINUTES_5)
    assert not [name for name in state.entries if name.startswith(("rolling:", "trend:10s:"))]


@given(contacts, st.integers(0, 700), st.integers(0, 700))
def test_the_window_holds_what_ended_in_the_last_five_minutes(all_contacts, first, second):
    # Ten-second buckets: the 30 of them that end with the present one.
    rng, state, window = random.Random(1), DictState(), None
    for seconds, part in ((0, all_contacts), (min(first, second), []), (max(first, second), [])):
        now = START + seconds * SECOND
        for row in ticked(state, part, rng, now):
            if row.span is TrendSpan.MINUTES_5 and row.queue is None and row.intent is None:
                window = row
    begins = now // (10 * SECOND) - 29
    expected = sum(counted(c) and (START + c[4] * SECOND) // (10 * SECOND) >= begins for c in all_contacts)
    assert (window.contacts if window else 0) == expected


mixes = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.tuples(st.integers(0, 500), st.integers(0, 500)).map(lambda pair: [max(pair), min(pair)]),
    min_size=1,
).filter(lambda mix: sum(counts[0] for counts in mix.values()) > 0)


def rate(mix):
    return sum(counts[1] for counts in mix.values()) / sum(counts[0] for counts in mix.values())


@given(mixes, mixes)
def test_the_parts_of_a_fall_add_up_to_it_exactly(before, after):
    parts = decompose(before, after)
    assert sum(cause.total for cause in parts) == pytest.approx(rate(after) - rate(before), abs=1e-9)
    assert [cause.total for cause in parts] == sorted((cause.total for cause in parts), reverse=True)


@given(mixes, mixes)
def test_the_causes_named_explain_four_fifths_or_are_the_five_largest(before, after):
    why = explain(Fall(before, after, START, START))
    size, named = rate(after) - rate(before), sum(cause.total for cause in why.causes)
    positive = sum(cause.total > 0 for cause in decompose(before, after))
    assert len(why.causes) <= min(MOST_CAUSES, positive)
    assert named >= EXPLAINED * size - 1e-9 or len(why.causes) == min(MOST_CAUSES, positive)


@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60), st.sampled_from("abc")), max_size=120),
    st.integers(1, 600),
)
def test_a_watch_never_holds_a_score_beyond_its_bounds_nor_loses_a_contact_it_has_not_forgotten(batches, gap):
    watch, seen = Watch(), 0
    for number, (n, k, intent) in enumerate(batches):
        observe(watch, {intent: [max(n, k), min(n, k)]}, START + number * gap * SECOND)
        seen += max(n, k)
        assert watch.score >= 0
        total = watch.baseline[0] + watch.recent[0]
        assert total == pytest.approx(seen) if seen <= 5_000 else total <= seen + 1e-3
        assert watch.baseline[1] <= watch.baseline[0] + 1e-3
