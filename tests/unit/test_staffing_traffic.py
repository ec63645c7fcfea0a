"""The load that people get: contacts per minute from event times, handle time from finished contacts."""

import pytest

from processors.staffing.logic.traffic import (
    MEMORY_CONTACTS,
    PRIOR_CONTACTS,
    WINDOW_MICROS,
    aht_seconds,
    human_contacts_per_minute,
    observed,
    own_contacts_per_minute,
    touches_people,
)
from schemas.fields import Handling, Pool
from tests.staffing_bench import MINUTE, SECOND, START, closing, delta, human_contacts

LONG_AGO = START - 10 * WINDOW_MICROS


def fold(deltas, traffic=None, now=START + WINDOW_MICROS):
    for one in deltas:
        traffic = observed(traffic, one, 300.0, now)
    return traffic


def rate(deltas, since, at):
    return human_contacts_per_minute(fold(deltas), since, at)


def test_twelve_a_minute_for_five_minutes_are_twelve_a_minute():
    contacts = human_contacts(60, START, START + 5 * MINUTE)
    assert rate(contacts, START, START + 5 * MINUTE - 1) == pytest.approx(12, rel=1e-3)


def test_a_young_window_is_divided_by_the_time_observed():
    contacts = human_contacts(10, START, START + 30 * SECOND)
    assert rate(contacts, START, START + 30 * SECOND) == pytest.approx(20)


def test_the_first_contact_is_not_a_thousand_a_minute():
    assert rate([delta(START)], START, START + 1) == pytest.approx(6)  # one in 10 s


def test_contacts_leave_the_window_after_five_minutes():
    contacts = human_contacts(60, START, START + MINUTE)
    assert rate(contacts, LONG_AGO, START + 4 * MINUTE) == pytest.approx(60 * 60 / 290)
    assert rate(contacts, LONG_AGO, START + 7 * MINUTE) == 0


def test_a_long_silence_then_one_contact_leaves_that_one_only():
    contacts = [*human_contacts(60, START - 60 * MINUTE, START - 50 * MINUTE), delta(START)]
    assert rate(contacts, LONG_AGO, START) == pytest.approx(60 / 290)


def test_a_contact_older_than_the_ring_is_dropped():
    contacts = [delta(START), delta(START - WINDOW_MICROS)]
    assert rate(contacts, LONG_AGO, START) == pytest.approx(60 / 290)


def test_the_oldest_bucket_of_the_ring_still_counts():
    contacts = [delta(START), delta(START - WINDOW_MICROS + 10 * SECOND)]
    assert rate(contacts, LONG_AGO, START) == pytest.approx(120 / 290)


def test_the_order_in_which_contacts_are_read_does_not_matter():
    contacts = human_contacts(40, START, START + 4 * MINUTE)
    assert fold(contacts) == fold(reversed(contacts))


def test_a_contact_from_the_future_is_booked_now():
    traffic = fold([delta(START + 400 * MINUTE)], now=START)
    assert human_contacts_per_minute(traffic, LONG_AGO, START) == pytest.approx(60 / 290)


def test_nothing_observed_is_no_contacts():
    assert human_contacts_per_minute(None, START, START) == 0
    assert aht_seconds(None, 250.0) == 250.0


@pytest.mark.parametrize(
    ("one", "reaches"),
    [
        (delta(START), 1),
        (delta(START, pool=Pool.AI_CONTAINED), 0),
        (delta(START, pool=Pool.AI_ASSISTED), 0),
        (closing(START, Handling.HUMAN_ONLY), 0),
        (closing(START, Handling.AI_ESCALATED, pool=Pool.AI_CONTAINED), 1),
        (closing(START, Handling.AI_ESCALATED, pool=Pool.AI_ASSISTED), 1),
        (closing(START, Handling.AI_ESCALATED), 0),
        (closing(START, Handling.AI_CONTAINED, pool=Pool.AI_CONTAINED), 0),
        (closing(START, Handling.AI_ASSISTED, pool=Pool.AI_ASSISTED), 0),
        (closing(START, Handling.ABANDONED), 0),
        (delta(START, to_handling=Handling.AI_ESCALATED, pool=Pool.AI_CONTAINED), 1),
    ],
    ids=lambda value: f"{value.pool}:{value.from_handling}->{value.to_handling}" if not isinstance(value, int) else "",
)
def test_a_contact_reaches_people_once_on_entry_or_when_a_person_takes_over(one, reaches):
    traffic = fold([one])
    assert sum(traffic["counts"]) == reaches
    assert touches_people(one) or not reaches


def test_people_s_own_contacts_are_those_that_ai_would_not_have_had():
    #  12 a minute of their own, and from the third minute on 30 that AI would have had
    own = human_contacts(60, START, START + 5 * MINUTE)
    displaced = human_contacts(90, START + 2 * MINUTE, START + 5 * MINUTE, displaced=True)
    traffic, at = fold([*own, *displaced]), START + 5 * MINUTE - 1
    assert own_contacts_per_minute(traffic, START, at) == pytest.approx(12, rel=1e-3)
    assert human_contacts_per_minute(traffic, START, at) == pytest.approx(30, rel=1e-3)
    assert own_contacts_per_minute(None, START, at) == 0


def test_displaced_contacts_alone_move_the_window_on():
    traffic = fold([delta(START), delta(START + WINDOW_MICROS, displaced=True)], now=START + WINDOW_MICROS)
    assert own_contacts_per_minute(traffic, LONG_AGO, START + WINDOW_MICROS) == 0
    assert own_contacts_per_minute(fold([delta(START)], traffic), LONG_AGO, START) == 0


def test_a_contact_that_people_never_see_says_nothing_about_them():
    assert not touches_people(delta(START, pool=Pool.AI_CONTAINED))
    assert not touches_people(closing(START, Handling.AI_CONTAINED, pool=Pool.AI_CONTAINED))
    assert not touches_people(closing(START, Handling.ABANDONED))


def test_handle_time_moves_from_the_prior_as_if_that_were_twenty_contacts():
    traffic = fold([closing(START, Handling.HUMAN_ONLY, talk_seconds=80.0, wrap_seconds=20.0) for _ in range(20)])
    assert PRIOR_CONTACTS == 20
    assert aht_seconds(traffic, 300.0) == pytest.approx(200.0)  # (20 x 300 + 20 x 100) / 40


def test_handle_time_follows_a_change_once_the_prior_has_faded():
    steady = [closing(START, Handling.HUMAN_ONLY, talk_seconds=100.0) for _ in range(5 * MEMORY_CONTACTS)]
    changed = [closing(START, Handling.AI_ESCALATED, talk_seconds=200.0) for _ in range(5 * MEMORY_CONTACTS)]
    assert aht_seconds(fold(steady), 300.0) == pytest.approx(100.0, rel=0.02)
    assert aht_seconds(fold(steady + changed), 300.0) == pytest.approx(200.0, rel=0.02)


@pytest.mark.parametrize(
    "one",
    [
        closing(START, Handling.ABANDONED, talk_seconds=9.0),
        closing(START, Handling.AI_CONTAINED, talk_seconds=9.0, pool=Pool.AI_CONTAINED),
        closing(START, Handling.AI_ASSISTED, talk_seconds=9.0, pool=Pool.AI_ASSISTED),
        closing(START, Handling.HUMAN_ONLY),
        delta(START, from_handling=Handling.ABANDONED, to_handling=Handling.HUMAN_ONLY, talk_seconds=9.0),
    ],
    ids=["abandoned", "contained", "assisted", "untimed", "corrected"],
)
def test_handle_time_counts_only_timed_contacts_that_a_person_finished(one):
    assert aht_seconds(fold([one]), 300.0) == 300.0
