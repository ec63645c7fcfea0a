"""Rows of spare contacts. Time runs left to right: O open, C closed, r a row, e the last row, H held, R released."""

import math
import random

import msgspec
import pytest

from processors.staffing.logic import Staffing
from processors.staffing.logic.erlang import carried_per_minute
from processors.staffing.logic.line import Line
from processors.staffing.logic.line import over as line_over
from processors.staffing.logic.spare import RELEASE_LOOK
from runtime.permits import kept_of, shares
from runtime.state import DictState
from schemas import topics
from schemas.codec import Codec
from schemas.control import BreakerPolicy
from schemas.errors import TrunklineError
from schemas.fields import BreakerState
from tests.staffing_bench import (
    METERED,
    MINUTE,
    PARTITIONS,
    POLICY,
    SECOND,
    START,
    Bench,
    carried,
    held,
    human_contacts,
    impact,
    let_through,
    over,
    people,
    released,
    rows,
    snapshot_of,
    tick,
)

OPEN, HALF_OPEN, CLOSED = BreakerState.OPEN, BreakerState.HALF_OPEN, BreakerState.CLOSED
OUTAGE = START + 5 * MINUTE
RAMP = 60 * SECOND
UNRAMPED = msgspec.structs.replace(METERED, breaker=BreakerPolicy(ramp_seconds=0.0))


def opened(at=OUTAGE, epoch=1, rate=30.0, **changes):
    return impact(at, OPEN, epoch, carried("billing", rate), **changes)


def closed(at, epoch=2):
    return impact(at, CLOSED, epoch, carried("billing", 30.0))


def out(there=120, snapshot=None):
    """A tenant in an outage, with nothing of its own: the room is what the people there can take."""
    bench = Bench(snapshot or snapshot_of(METERED, people(there)))
    bench.feed(opened())
    return bench


def capacity(there):
    return carried_per_minute(there, 300.0, 0.8, 20.0, 0.85)


def stands_seconds(row):
    return (row.expires_at - row.occurred_at) / SECOND


def test_a_tick_without_a_loss_or_a_held_contact_says_nothing():
    bench = Bench(snapshot_of(METERED, people(120)))
    bench.feed(*human_contacts(60, START, OUTAGE))
    assert bench.ticks(OUTAGE, OUTAGE + MINUTE) == []


def test_a_loss_is_answered_at_the_next_tick_and_every_five_seconds():
    #  O t t t t t t
    #    r         r
    said = rows(out(there=300).ticks(OUTAGE + SECOND, OUTAGE + 12 * SECOND))
    assert [row.occurred_at - OUTAGE for row in said] == [SECOND, 6 * SECOND, 11 * SECOND]
    assert [row.revision for row in said] == [1, 2, 3]
    assert {row.expires_at - row.occurred_at for row in said} == {10 * SECOND}
    assert {(row.tenant, row.queue, row.held) for row in said} == {("acme", "billing", 0)}


def test_a_row_is_for_as_long_as_it_takes_until_there_is_a_permit_for_each_partition():
    #  20.4 a minute for 4 partitions: one each in 11.8 s
    said = rows(out(there=120).ticks(OUTAGE, OUTAGE + MINUTE))
    assert [(row.occurred_at - OUTAGE) // SECOND for row in said] == [0, 12, 24, 36, 48]
    assert all(stands_seconds(row) == pytest.approx(2 * 240 / capacity(120)) for row in said)
    assert all(min(row.permits) >= 1 for row in said[1:])


@pytest.mark.parametrize(("there", "seconds"), [(0, 60), (3, 60), (60, 240 / 10.2), (300, 5)])
def test_a_row_is_for_five_seconds_at_least_and_a_minute_at_most(there, seconds):
    said = rows(out(there).ticks(OUTAGE, OUTAGE + 3 * MINUTE))
    assert all(stands_seconds(row) == pytest.approx(2 * seconds) for row in said)
    assert len(said) == math.ceil(180 / math.ceil(seconds))


def test_while_somebody_is_held_rows_come_every_five_seconds():
    #  O r . . . . . . H r . . . . r
    bench = out(there=0)
    bench.ticks(OUTAGE, OUTAGE + 7 * SECOND)
    bench.feed(held("one", OUTAGE + 7 * SECOND))
    said = rows(bench.ticks(OUTAGE + 7 * SECOND, OUTAGE + 20 * SECOND))
    assert [(row.occurred_at - OUTAGE) // SECOND for row in said] == [7, 12, 17]
    assert {row.expires_at - row.occurred_at for row in said} == {10 * SECOND}


def test_ticks_that_jitter_do_not_make_a_row_late():
    bench = out(there=300)
    said = rows(bench.feed(*(tick(OUTAGE + SECOND * n + (30_000 if n % 2 else -30_000)) for n in range(1, 22))))
    assert [round((row.occurred_at - OUTAGE) / SECOND) for row in said] == [1, 6, 11, 16, 21]


def test_the_permits_are_the_room_of_the_time_and_no_fraction_is_lost():
    said = rows(out(there=300).ticks(OUTAGE, OUTAGE + 10 * MINUTE))
    assert {round(row.spare_contacts_per_minute, 4) for row in said} == {51.0}
    assert sum(sum(row.permits) for row in said) == pytest.approx(51 * 10, abs=1)
    assert {sum(row.permits) for row in said} == {4, 5}


def test_no_partition_is_left_out():
    said = rows(out(there=120).ticks(OUTAGE, OUTAGE + 10 * MINUTE))
    by_partition = [sum(row.permits[partition] for row in said) for partition in range(PARTITIONS)]
    assert {len(row.permits) for row in said} == {PARTITIONS}
    assert max(by_partition) - min(by_partition) <= 1


def test_odd_permits_go_on_where_the_last_ones_ended():
    assert shares(2, 4, 3) == (1, 0, 0, 1)
    assert shares(9, 4, 1) == (2, 3, 2, 2)
    assert shares(0, 3, 2) == (0, 0, 0)


def test_every_third_permit_of_a_partition_is_kept_for_those_who_come_first():
    assert kept_of((9,), 0) == (3,)
    assert kept_of((1, 1, 1, 1), 0) == (0, 0, 1, 0)
    assert kept_of((1, 1, 1, 1), 4) == (0, 1, 0, 0)
    assert kept_of((1, 1, 1, 1), 8) == (1, 0, 0, 1)
    assert kept_of((2, 3, 2, 2), 1) == (1, 1, 1, 0)
    assert kept_of((0, 0), 3) == (0, 0)


def test_of_few_permits_a_third_is_kept_on_every_partition():
    said = rows(out(there=30).ticks(OUTAGE, OUTAGE + 60 * MINUTE))
    assert max(max(row.permits) for row in said) <= 2
    for partition in range(PARTITIONS):
        assert abs(sum(row.kept[partition] - row.permits[partition] / 3 for row in said)) < 1
        assert all(row.kept[partition] <= row.permits[partition] for row in said)


@pytest.mark.parametrize(
    ("changes", "there"),
    [
        ({}, 500),
        ({"starts_at": OUTAGE, "expires_at": OUTAGE + 1}, 500),
        ({"starts_at": OUTAGE + 1}, 71),
        ({"expires_at": OUTAGE}, 71),
        ({"queue": "sales"}, 71),
        ({"tenant": "other"}, 71),
    ],
)
def test_the_word_of_who_is_there_counts_in_its_time_and_queue_alone(changes, there):
    bench = Bench(snapshot_of(METERED, people(500.9, **changes)))
    bench.feed(*human_contacts(60, START, OUTAGE), opened())
    own = bench.state.get("queue:billing")["before"]
    (row,) = rows(bench.feed(tick(OUTAGE)))
    assert row.spare_contacts_per_minute == pytest.approx(capacity(there) - own)


def test_without_a_word_those_are_there_whom_the_load_before_required():
    #  12 contacts a minute took 71 people, who can take a little more: a person is a whole one.
    bench = Bench(snapshot_of(METERED))
    bench.feed(*human_contacts(60, START, OUTAGE))
    told = bench.told(opened()).staffing["billing"]
    (row,) = rows(bench.feed(tick(OUTAGE)))
    spare = capacity(told.agents_required_before) - told.human_contacts_per_minute_before
    assert 0 < spare < 0.2
    assert row.spare_contacts_per_minute == pytest.approx(spare)


def test_the_end_of_a_loss_is_said_once_with_a_row_that_stands_no_more():
    #  O r ... C e
    bench = out(snapshot=snapshot_of(UNRAMPED, people(120)))
    before = rows(bench.ticks(OUTAGE, OUTAGE + 12 * SECOND))
    bench.feed(closed(OUTAGE + 12 * SECOND))
    (last,) = rows(bench.ticks(OUTAGE + 13 * SECOND, OUTAGE + MINUTE))
    assert (last.permits, last.held, last.spare_contacts_per_minute) == ((0,) * PARTITIONS, 0, 0)
    assert last.occurred_at == last.expires_at == OUTAGE + 13 * SECOND
    assert last.revision == before[-1].revision + 1


def test_contacts_are_metered_until_agents_that_are_back_have_all_of_theirs():
    #  O r r C r r r (ramp) e
    bench = out(there=300)
    bench.ticks(OUTAGE, OUTAGE + 12 * SECOND)
    back = OUTAGE + 12 * SECOND
    bench.feed(closed(back))
    said = rows(bench.ticks(back, back + 2 * RAMP))
    assert said[-1].occurred_at == back + RAMP
    assert all(sum(row.permits) for row in said[:-1])
    assert len(said) == RAMP // SECOND // 5 + 1


def test_where_nothing_is_metered_the_end_waits_for_no_ramp():
    bench = out(snapshot=snapshot_of(POLICY, people(120)))
    bench.feed(tick(OUTAGE), closed(OUTAGE + SECOND))
    (last,) = rows(bench.ticks(OUTAGE + SECOND, OUTAGE + MINUTE))
    assert (last.occurred_at, last.expires_at, last.revision) == (OUTAGE + SECOND, OUTAGE + SECOND, 2)


def test_a_second_loss_goes_on_with_the_revisions():
    bench = out(snapshot=snapshot_of(UNRAMPED, people(120)))
    bench.ticks(OUTAGE, OUTAGE + 2 * SECOND)
    bench.feed(closed(OUTAGE + 2 * SECOND))
    bench.ticks(OUTAGE + 2 * SECOND, OUTAGE + 4 * SECOND)
    bench.feed(opened(OUTAGE + 4 * SECOND, 3))
    (row,) = rows(bench.ticks(OUTAGE + 5 * SECOND, OUTAGE + 6 * SECOND))
    assert row.revision == 3


def test_a_loss_that_is_over_before_a_tick_says_nothing():
    bench = out()
    bench.feed(closed(OUTAGE + SECOND // 2))
    assert bench.ticks(OUTAGE + SECOND, OUTAGE + MINUTE) == []
    assert bench.state.get("metered") == []


def test_each_queue_has_rows_of_its_own():
    bench = Bench(snapshot_of(METERED, people(120), people(60, queue="sales")))
    bench.feed(impact(OUTAGE, OPEN, 1, carried("billing", 30.0), carried("sales", 9.0, intent="upgrade")))
    said = {row.queue: row for row in rows(bench.feed(tick(OUTAGE)))}
    assert said.keys() == {"billing", "sales"}
    assert said["sales"].spare_contacts_per_minute == pytest.approx(carried_per_minute(60, 240.0, 0.8, 20.0, 0.85))


def test_after_a_silence_the_room_of_the_silence_is_not_made_up_for():
    #  r . . . . . . (ten minutes) r
    bench = out()
    first, *_ = rows(bench.feed(tick(OUTAGE)))
    (after,) = rows(bench.feed(tick(OUTAGE + 10 * MINUTE), tick(OUTAGE + 10 * MINUTE)))
    assert sum(after.permits) <= sum(first.permits) + 1


def test_a_row_that_is_late_covers_the_time_since_the_last():
    bench = out(there=300)
    bench.feed(tick(OUTAGE))
    (late,) = rows(bench.feed(tick(OUTAGE + 10 * SECOND)))
    assert sum(late.permits) == pytest.approx(capacity(300) / 6, abs=1)


def test_ticks_that_are_read_all_at_once_make_one_row():
    bench = out()
    assert len(rows(bench.feed(*(tick(OUTAGE + n * SECOND) for n in range(60)), now=OUTAGE + MINUTE))) == 1


def test_a_clock_that_is_set_back_does_not_silence_the_rows():
    bench = out()
    bench.feed(tick(OUTAGE + MINUTE))
    assert len(rows(bench.ticks(OUTAGE + MINUTE - SECOND, OUTAGE + MINUTE))) == 0
    assert len(rows(bench.feed(tick(OUTAGE)))) == 1


def test_where_time_runs_fast_a_row_covers_the_time_between_two_ticks():
    bench = out(snapshot=snapshot_of(METERED, people(120), speed=600.0))
    said = rows(bench.ticks(OUTAGE, OUTAGE + 60 * MINUTE, 10 * MINUTE))
    assert len(said) == 6
    assert {row.expires_at - row.occurred_at for row in said} == {20 * MINUTE}
    assert sum(sum(row.permits) for row in said) == pytest.approx(capacity(120) * 60, abs=1)


def test_the_buffer_has_the_room_before_routers_do():
    #  O H H H   R: the highest priority first, then the longest waiting
    bench = out(there=120)
    names = [("low", 0, 0), ("late", 5, 2), ("early", 5, 1)]
    bench.feed(*(held(name, OUTAGE + at * SECOND, priority) for name, priority, at in names))
    effects = bench.ticks(OUTAGE + 3 * SECOND, OUTAGE + 30 * SECOND)
    assert released(effects) == ["early", "late", "low"]
    assert [(row.held, (row.occurred_at - OUTAGE) // SECOND) for row in rows(effects)] == [
        (2, 3),
        (0, 8),
        (0, 13),
        (0, 25),
    ]
    assert let_through(effects) == math.floor(capacity(120) * (5 + 5 + 5 + 12) / 60)


def test_a_release_is_told_to_the_contact_with_its_queue_before_the_row():
    bench = out(there=120)
    bench.feed(held("one", OUTAGE))
    effects = bench.feed(tick(OUTAGE + SECOND))
    assert [effect.topic for effect in effects] == [topics.INTERACTION_EVENTS, topics.SPARE]
    told = effects[0].event
    assert (told.interaction_id, told.tenant, told.queue) == ("one", "acme", "billing")
    assert (told.reason, told.occurred_at) == ("room", OUTAGE + SECOND)
    assert sum(effects[1].event.permits) == 0
    assert all(Codec().decode(Codec().encode(effect.event)) == effect.event for effect in effects)


def test_a_contact_is_released_once():
    bench = out(there=120)
    bench.feed(held("one", OUTAGE))
    assert released(bench.ticks(OUTAGE, OUTAGE + 7 * SECOND)) == ["one"]
    bench.feed(held("one", OUTAGE))
    assert released(bench.ticks(OUTAGE + 7 * SECOND, OUTAGE + MINUTE)) == []
    bench.feed(over("one", OUTAGE + MINUTE))
    assert "held:one" not in bench.state.entries


def test_a_contact_that_leaves_is_not_released():
    bench = out(there=0)
    bench.feed(held("one", OUTAGE), held("two", OUTAGE), over("one", OUTAGE + SECOND))
    bench.snapshot = snapshot_of(METERED, people(1000))
    assert released(bench.feed(tick(OUTAGE + SECOND))) == ["two"]


def test_the_end_of_a_wait_that_is_not_known_changes_nothing():
    bench = out()
    stored = dict(bench.state.entries)
    assert bench.feed(over("stranger", OUTAGE)) == []
    assert bench.state.entries == stored


def test_a_contact_whose_time_is_up_is_dropped_and_those_behind_it_move_up():
    bench = out(there=0)
    bench.feed(held("up", OUTAGE, 9, hold_until=OUTAGE + 30 * SECOND), held("behind", OUTAGE))
    bench.snapshot = snapshot_of(METERED, people(500))
    assert released(bench.feed(tick(OUTAGE + 30 * SECOND))) == ["behind"]
    assert "held:up" not in bench.state.entries


def test_a_contact_that_comes_after_its_time_is_not_taken_in():
    bench = out()
    stored = dict(bench.state.entries)
    bench.feed(held("late", OUTAGE, hold_until=OUTAGE + SECOND), now=OUTAGE + SECOND)
    assert bench.state.entries == stored


def test_a_line_whose_time_is_up_ends_though_sessions_are_silent_and_there_is_no_room():
    bench = Bench(snapshot_of(METERED, people(0)))
    bench.feed(*(held(f"c-{n}", START) for n in range(100)))
    said = rows(bench.ticks(START, START + 11 * MINUTE))
    assert [row.held for row in said[:2]] == [100, 100]
    assert said[-1].permits == (0,) * PARTITIONS
    assert bench.state.get("metered") == []
    assert not [name for name in bench.state.entries if name.startswith(("held:", "place:"))]


def test_a_buffer_outlasts_the_loss_and_is_emptied():
    bench = Bench(snapshot_of(UNRAMPED, people(120)))
    bench.feed(*human_contacts(60, START, OUTAGE), opened())
    bench.feed(*(held(f"c-{n:02}", OUTAGE + n) for n in range(20)), closed(OUTAGE + SECOND))
    effects = bench.ticks(OUTAGE + SECOND, OUTAGE + 9 * MINUTE)
    assert released(effects) == [f"c-{n:02}" for n in range(20)]
    assert let_through(effects) <= 22
    assert rows(effects)[-1].occurred_at < OUTAGE + 4 * MINUTE


def test_contacts_held_without_a_loss_are_released_as_people_have_room():
    bench = Bench(snapshot_of(METERED, people(120)))
    bench.feed(*human_contacts(60, START, OUTAGE), held("one", OUTAGE))
    assert released(bench.ticks(OUTAGE, OUTAGE + 12 * SECOND)) == ["one"]
    (row,) = rows(bench.feed(held("two", OUTAGE + MINUTE), tick(OUTAGE + MINUTE)))
    assert row.spare_contacts_per_minute == pytest.approx(capacity(120) - 12 * 4 / 5, rel=0.1)


@pytest.mark.parametrize("seed", range(20))
def test_whoever_leaves_in_between_the_others_keep_their_order(seed):
    draw, state = random.Random(seed), DictState()
    line = Line(state, "billing")
    contacts = [held(f"c-{n}", START + draw.randrange(50), draw.randrange(3)) for n in range(200)]
    for contact in contacts:
        line.join(contact)
    leaving = set(draw.sample([contact.interaction_id for contact in contacts], 120))
    for name in sorted(leaving):
        line_over(state, name)
    left = [contact for contact in contacts if contact.interaction_id not in leaving]
    left.sort(key=lambda contact: (-contact.priority, contact.offered_at, contact.interaction_id))
    assert line.release(200, 200, START) == [contact.interaction_id for contact in left]


def test_a_swept_line_keeps_those_whose_time_is_not_up():
    state = DictState()
    line = Line(state, "billing")
    for n in range(50):
        line.join(held(f"c-{n:02}", START, hold_until=START + n % 2 * SECOND))
    place = 0
    for _ in range(10):
        place = line.sweep(place, 5, START)
    assert line.release(50, 50, START) == [f"c-{n:02}" for n in range(1, 50, 2)]


def test_ten_thousand_held_contacts_cost_a_handful_of_small_entries_each():
    bench = Bench(snapshot_of(METERED, people(0)), is_long=True)
    writes = []
    bench.state.set = lambda name, value: (writes.append(name), bench.state.entries.__setitem__(name, value))[0]
    bench.feed(*(held(f"c-{n}", START + n, n % 7) for n in range(10_000)))
    assert len(writes) / 10_000 < 10
    assert max(len(str(value)) for value in bench.state.entries.values()) < 300
    writes.clear()
    bench.feed(*(over(f"c-{n}", START + n) for n in range(0, 10_000, 10)))
    assert len(writes) / 1_000 < 2 * 2 * 14
    bench.snapshot = snapshot_of(METERED, people(100_000))
    (first,) = rows(bench.feed(tick(START + MINUTE)))
    assert 9_000 - first.held == RELEASE_LOOK


def test_partitions_that_there_are_none_of_are_refused():
    with pytest.raises(TrunklineError, match="offered_partitions is 0: pass the number of partitions of interactions"):
        Staffing(offered_partitions=0)
