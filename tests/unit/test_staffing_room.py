"""What flows to people in an outage against what they can take: 120 people, 20.4 contacts a minute in billing."""

import itertools
import random

import msgspec
import pytest

from processors.staffing.logic import Staffing
from processors.staffing.logic.erlang import agents_required, carried_per_minute
from processors.staffing.logic.room import Scene, room_per_minute
from schemas.control import Policy
from schemas.fields import BreakerState
from schemas.rules import Spillover
from tests.staffing_bench import (
    BILLING,
    METERED,
    MINUTE,
    PARTITIONS,
    POLICY,
    START,
    Bench,
    Floor,
    carried,
    human_contacts,
    impact,
    people,
    rows,
    snapshot_of,
    tick,
)

OUTAGE = START + 5 * MINUTE
END = OUTAGE + 20 * MINUTE
OWN, LOST, THERE = 12, 60, 120
CAPACITY = carried_per_minute(THERE, 300.0, 0.8, 20.0, 0.85)


def even(per_minute, start=OUTAGE, end=END):
    count = round(per_minute * (end - start) / MINUTE)
    return [start + (end - start) * number // count for number in range(count)]


def at_random(per_minute, draw, start=OUTAGE, end=END):
    at, out = start, []
    while (at := at + round(draw.expovariate(per_minute) * MINUTE)) < end:
        out.append(at)
    return out


def floor_of(own, lost, *, holds, partitions=PARTITIONS):
    """A floor that has had 12 contacts a minute, after an outage of 60 a minute in which these came."""
    bench = Bench(snapshot_of(METERED, people(THERE)), is_long=True, staffing=Staffing(offered_partitions=partitions))
    bench.feed(*human_contacts(OWN * 5, START, OUTAGE), impact(OUTAGE, BreakerState.OPEN, 1, carried("billing", LOST)))
    floor = Floor(bench, holds=holds)
    floor.run([(at, True) for at in own] + [(at, False) for at in lost], OUTAGE, END)
    return floor


def test_what_goes_to_people_comes_to_their_capacity_within_a_minute_and_stays_there():
    floor = floor_of(even(OWN), even(LOST), holds=True)
    flows = [floor.per_minute(at, at + MINUTE) for at in range(OUTAGE, END, MINUTE)]
    assert pytest.approx(20.4) == CAPACITY
    assert max(flows) <= 1.1 * CAPACITY
    assert min(flows) >= 0.9 * CAPACITY
    # No swing: neighbouring minutes differ by the one contact that does not go into either.
    assert max(abs(one - other) for one, other in itertools.pairwise(flows)) <= 1


@pytest.mark.parametrize("holds", [True, False], ids=["held", "turned away"])
def test_with_random_arrivals_people_are_neither_idle_nor_overrun(holds):
    draw = random.Random(7)
    floors = [floor_of(at_random(OWN, draw), at_random(LOST, draw), holds=holds) for _ in range(5)]
    flows = [floor.per_minute(OUTAGE, END) for floor in floors]
    assert max(flows) <= 1.1 * CAPACITY
    # Who comes to a partition that has no permit is turned away though another has one left.
    assert min(flows) >= (0.9 if holds else 0.75) * CAPACITY


def test_most_of_the_room_is_used_where_partitions_have_a_permit_every_minute_or_two():
    #  Room for 8.4 a minute, 24 partitions: rows of a minute have a permit for every third.
    draw = random.Random(7)
    floors = [floor_of(at_random(OWN, draw), at_random(LOST, draw), holds=False, partitions=24) for _ in range(3)]
    assert all(len(floor.reached) >= (OWN + 0.8 * (CAPACITY - OWN)) * 20 for floor in floors)
    assert all(len(floor.reached) <= 1.1 * CAPACITY * 20 for floor in floors)


def test_people_are_kept_at_their_capacity_when_the_load_grows_by_a_quarter():
    steady, grown = (
        floor_of(even(OWN * factor), even(LOST * factor), holds=True).per_minute(OUTAGE + 5 * MINUTE, END)
        for factor in (1.0, 1.25)
    )
    assert steady == pytest.approx(CAPACITY, rel=0.02)
    assert grown == pytest.approx(CAPACITY, rel=0.02)


def outage(*, policy: Policy = METERED, there=THERE):
    """A bench that has had 12 contacts a minute, and now loses 60."""
    bench = Bench(snapshot_of(policy, people(there)))
    bench.feed(*human_contacts(OWN * 5, START, OUTAGE), impact(OUTAGE, BreakerState.OPEN, 1, carried("billing", LOST)))
    return bench


def room_after(own, displaced, *, policy: Policy = METERED, there=THERE, minutes=6):
    """The room once so many contacts a minute have been booked for people in an outage."""
    bench, later = outage(policy=policy, there=there), OUTAGE + minutes * MINUTE
    bench.feed(*human_contacts(own * minutes, OUTAGE, later))
    bench.feed(*human_contacts(displaced * minutes, OUTAGE, later, displaced=True))
    (row,) = rows(bench.feed(tick(later)))
    return row.spare_contacts_per_minute


@pytest.mark.parametrize("displaced", [0, LOST, 10 * LOST])
def test_displaced_contacts_that_are_booked_for_people_do_not_close_the_room(displaced):
    assert room_after(OWN, displaced) == pytest.approx(CAPACITY - OWN, rel=0.02)


@pytest.mark.parametrize("own", [0, 6, 12, 18, 30])
def test_the_room_is_what_people_s_own_contacts_leave_whatever_they_were_before(own):
    assert room_after(own, LOST) == pytest.approx(max(CAPACITY - own, 0.0), rel=0.02)


def room_at(bench, at, snapshot=None):
    return room_per_minute(Scene("acme", "billing", bench.state, snapshot or bench.snapshot, at, at))


def test_the_room_follows_people_s_own_contacts_within_the_window():
    #  O 12 own a minute .......... 18 own a minute
    bench, later, room = outage(), OUTAGE + 10 * MINUTE, []
    bench.feed(*human_contacts(OWN * 10, OUTAGE, later))
    for at in range(later, later + 6 * MINUTE, MINUTE):
        room.append(room_at(bench, at))
        bench.feed(*human_contacts(18, at, at + MINUTE))
    assert room[0] == pytest.approx(CAPACITY - OWN, rel=0.05)
    assert room[5] == pytest.approx(CAPACITY - 18, abs=0.6)
    assert room == sorted(room, reverse=True)


def test_after_a_loss_displaced_contacts_in_the_window_do_not_close_the_room():
    #  O 12 own and 60 displaced a minute C 12 own a minute
    back = OUTAGE + 5 * MINUTE
    bench = outage()
    bench.feed(*human_contacts(OWN * 6, OUTAGE, back + MINUTE), *human_contacts(LOST * 5, OUTAGE, back, displaced=True))
    bench.feed(tick(back), impact(back, BreakerState.CLOSED, 2))
    assert room_at(bench, back + MINUTE) == pytest.approx(CAPACITY - OWN, rel=0.02)


def test_where_wfm_says_nothing_those_are_there_who_were_needed_before_until_the_window_is_past_the_loss():
    #  O 12 own and 60 displaced a minute C 18 own a minute ...
    back, settled = OUTAGE + 5 * MINUTE, OUTAGE + 11 * MINUTE  # the window, and the minute in which agents come back
    needed = agents_required(OWN, 300.0, 0.8, 20.0, 0.85).agents
    spare = carried_per_minute(needed, 300.0, 0.8, 20.0, 0.85) - OWN
    bench = outage()
    bench.feed(*human_contacts(OWN * 5, OUTAGE, back), *human_contacts(LOST * 5, OUTAGE, back, displaced=True))
    assert room_at(bench, back - 1, snapshot_of(METERED)) == pytest.approx(spare, abs=0.1)
    bench.feed(impact(back, BreakerState.CLOSED, 2), *human_contacts(18 * 7, back, back + 7 * MINUTE))
    assert room_at(bench, settled - 1, snapshot_of(METERED)) == 0
    assert room_at(bench, settled, snapshot_of(METERED)) > 0


def test_where_nothing_is_metered_what_ai_lost_is_with_people():
    assert room_after(OWN, LOST, policy=POLICY) == 0
    assert room_after(OWN, LOST, policy=POLICY, there=500) == pytest.approx(85 - OWN - LOST, rel=0.05)


def test_people_who_are_behind_with_their_own_contacts_have_no_room():
    assert room_after(OWN, LOST, there=30) == 0


def test_nobody_there_has_no_room():
    assert room_after(OWN, LOST, there=0) == 0


def test_a_queue_that_cannot_be_planned_for_has_no_room():
    queue = msgspec.structs.replace(BILLING, max_occupancy=0.0)
    bench = Bench(snapshot_of(METERED, people(THERE)))
    bench.feed(impact(OUTAGE, BreakerState.OPEN, 1, carried("billing", LOST)))
    bench.snapshot = snapshot_of(msgspec.structs.replace(METERED, queues=(queue,)), people(THERE))
    (row,) = rows(bench.feed(tick(OUTAGE)))
    assert (row.spare_contacts_per_minute, sum(row.permits)) == (0, 0)


def test_handle_times_near_nothing_make_permits_that_fit_the_wire():
    queue = msgspec.structs.replace(BILLING, aht_seconds=5e-324)
    policy = Policy(
        tenant="acme", revision=1, thresholds=POLICY.thresholds, endpoints=(), queues=(queue,), default_queue="billing",
        spillover=Spillover(metered=True), occurred_at=START,
    )  # fmt: skip
    bench = Bench(snapshot_of(policy, people(THERE)))
    bench.feed(impact(OUTAGE, BreakerState.OPEN, 1, carried("billing", LOST)))
    (row,) = rows(bench.feed(tick(OUTAGE)))
    assert row.spare_contacts_per_minute == 1e6
    assert sum(row.permits) < 100_000
