"""What flows to people in an outage against what they can take: 120 people, 20.4 contacts a minute in billing."""

import itertools
import random

import msgspec
import pytest

from processors.staffing.logic.erlang import carried_per_minute
from processors.staffing.logic.room import SCALE_LEAST, SCALE_MOST, Scene, room_of
from processors.staffing.logic.traffic import counted_between, observed
from schemas.control import Policy
from schemas.fields import BreakerState
from schemas.rules import Spillover
from tests.staffing_bench import (
    BILLING,
    METERED,
    MINUTE,
    POLICY,
    SECOND,
    START,
    Bench,
    Floor,
    carried,
    delta,
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


def floor_of(own, lost, *, holds):
    """A floor that has had 12 contacts a minute, after an outage of 60 a minute in which these came."""
    bench = Bench(snapshot_of(METERED, people(THERE)), is_long=True)
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


def test_people_are_kept_at_their_capacity_when_the_load_grows_by_a_quarter():
    steady, grown = (
        floor_of(even(OWN * factor), even(LOST * factor), holds=True).per_minute(OUTAGE + 5 * MINUTE, END)
        for factor in (1.0, 1.25)
    )
    assert steady == pytest.approx(CAPACITY, rel=0.02)
    assert grown == pytest.approx(CAPACITY, rel=0.02)


def room_after(contacts_per_minute, *, policy: Policy = METERED, there=THERE, minutes=6):
    """The room once so many contacts a minute have been booked for people, of whatever kind, in an outage."""
    bench = Bench(snapshot_of(policy, people(there)))
    bench.feed(*human_contacts(OWN * 5, START, OUTAGE), impact(OUTAGE, BreakerState.OPEN, 1, carried("billing", LOST)))
    later = OUTAGE + minutes * MINUTE
    bench.feed(*human_contacts(contacts_per_minute * minutes, OUTAGE, later))
    (row,) = rows(bench.feed(tick(later)))
    return row.spare_contacts_per_minute


def test_displaced_contacts_that_are_booked_for_people_do_not_close_the_room():
    assert room_after(OWN + LOST) == pytest.approx(CAPACITY - OWN, rel=0.02)


@pytest.mark.parametrize(
    ("contacts", "scale"),
    [(0, SCALE_LEAST), (10 * (OWN + LOST), SCALE_MOST), (54, 0.75)],
    ids=["none", "tenfold", "less"],
)
def test_the_load_before_follows_what_is_observed_within_bounds(contacts, scale):
    assert room_after(contacts) == pytest.approx(CAPACITY - OWN * scale, rel=0.03)


def outage(bench, *more):
    bench.feed(*human_contacts(OWN * 5, START, OUTAGE), impact(OUTAGE, BreakerState.OPEN, 1, carried("billing", LOST)))
    bench.feed(*more)


def test_what_is_observed_counts_from_when_the_loss_last_changed_not_from_each_word_of_it():
    #  O 36 a minute H 36 a minute
    half = OUTAGE + 3 * MINUTE
    bench = Bench(snapshot_of(METERED, people(THERE)))
    probing = impact(half, BreakerState.HALF_OPEN, 2, carried("billing", 1))
    outage(bench, *human_contacts(108, OUTAGE, half), probing, *human_contacts(36, half, half + MINUTE))
    (row,) = rows(bench.feed(tick(half + MINUTE)))
    own = OWN * (36 * 4 + 20) / (72 * 4 + 20)
    assert own < OWN * SCALE_LEAST
    assert row.spare_contacts_per_minute == pytest.approx(CAPACITY - OWN * SCALE_LEAST, rel=0.02)
    assert bench.state.get("spare:billing")["changed_at"] == OUTAGE


def test_after_a_loss_the_load_is_the_last_of_it_until_no_contact_of_it_is_in_the_window():
    #  O 72 a minute r C 20 a minute ...
    back = OUTAGE + 5 * MINUTE
    bench = Bench(snapshot_of(METERED, people(THERE)))
    outage(bench, *human_contacts(72 * 5, OUTAGE, back))
    bench.feed(tick(back), impact(back, BreakerState.CLOSED, 2), *human_contacts(20 * 7, back, back + 7 * MINUTE))

    def own(at):
        return room_of(Scene("acme", "billing", bench.state, bench.snapshot, at, at)).own_per_minute

    assert own(back + MINUTE) == own(back + 6 * MINUTE - 1) == pytest.approx(OWN, rel=0.02)  # window and ramp
    assert own(back + 7 * MINUTE) == pytest.approx(20, rel=0.05)


def test_where_nothing_is_metered_what_ai_lost_is_with_people():
    assert room_after(OWN + LOST, policy=POLICY) == 0
    assert room_after(OWN + LOST, policy=POLICY, there=500) == pytest.approx(85 - OWN - LOST, rel=0.05)


def test_people_who_are_behind_with_their_own_contacts_have_no_room():
    assert room_after(OWN + LOST, there=30) == 0


def test_nobody_there_has_no_room():
    assert room_after(OWN + LOST, there=0) == 0


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


def traffic_of(deltas):
    traffic = None
    for one in deltas:
        traffic = observed(traffic, one, 300.0, START + 60 * MINUTE)
    return traffic


def test_contacts_are_counted_in_whole_buckets_between_two_instants():
    traffic = traffic_of(human_contacts(60, START, START + MINUTE))
    assert counted_between(traffic, START, START + MINUTE) == (60, 1.0)
    assert counted_between(traffic, START + 1, START + MINUTE - 1) == (40, 40 / 60)
    assert counted_between(traffic, START + 25 * SECOND, START + 29 * SECOND) == (0, 0.0)


def test_contacts_are_counted_over_what_the_ring_still_holds():
    contacts = [delta(START + second * SECOND) for second in range(0, 600, 10)]
    assert counted_between(traffic_of(contacts), START, START + 10 * MINUTE) == (29, 290 / 60)
    assert counted_between(traffic_of(contacts), START, START + 20 * MINUTE) == (0, 290 / 60)
    assert counted_between(None, START, START + MINUTE) == (0, 1.0)
