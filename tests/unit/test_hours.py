"""Opening hours and instants, as a policy writes them."""

from __future__ import annotations

import datetime as dt
import zoneinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.hours import Calendar, days_of, instant, spans_of
from schemas.rules import Opening


def calendar(time_zone: str = "UTC", **hours: str) -> Calendar:
    return Calendar([Opening(days=days.replace("_", "-"), hours=each) for days, each in hours.items()], time_zone)


def clock(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros / 1_000_000, dt.UTC).strftime("%a %d %H:%M")


@pytest.mark.parametrize(
    ("at", "is_open", "until"),
    [
        # Fri |--08-----12--13-----18--|  Sat |--22--> 02 Sun
        ("2026-11-27T07:59:59Z", False, "Fri 27 08:00"),
        ("2026-11-27T08:00:00Z", True, "Fri 27 12:00"),
        ("2026-11-27T12:00:00Z", False, "Fri 27 13:00"),
        ("2026-11-27T17:59:59Z", True, "Fri 27 18:00"),
        ("2026-11-27T18:00:00Z", False, "Sat 28 22:00"),
        ("2026-11-29T01:59:00Z", True, "Sun 29 02:00"),
        ("2026-11-29T02:00:00Z", False, "Mon 30 08:00"),
    ],
)
def test_it_is_open_within_its_hours_and_says_how_long_that_stays_so(at: str, is_open: bool, until: str) -> None:
    state = calendar(mon_fri="08:00-12:00, 13:00-18:00", sat="22:00-02:00").at(instant(at))
    assert (state.is_open, clock(state.until)) == (is_open, until)


def test_a_date_of_its_own_comes_before_its_day_of_the_week() -> None:
    made = Calendar([Opening(days="mon-sun", hours="00:00-24:00"), Opening(days="2026-12-25", hours="closed")], "UTC")
    assert made.at(instant("2026-12-24T23:59:59Z")).is_open
    state = made.at(instant("2026-12-25T00:00:00Z"))
    assert (state.is_open, clock(state.until)) == (False, "Sat 26 00:00")


@pytest.mark.parametrize(("at", "is_open"), [("2026-07-01T06:30:00Z", True), ("2026-12-01T06:30:00Z", False)])
def test_hours_are_those_of_the_queue_s_time_zone_in_summer_and_winter(at: str, is_open: bool) -> None:
    assert calendar("Europe/Berlin", mon_sun="08:00-20:00").at(instant(at)).is_open is is_open


def test_a_span_of_days_may_go_over_the_week_s_end() -> None:
    assert days_of("sat-mon") == ["sat", "sun", "mon"]
    assert days_of("mon-sun") == ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
    assert days_of("mon, 2026-12-25") == ["mon", "2026-12-25"]


@pytest.mark.parametrize("wrong", ["8-9", "08:00", "25:00-26:00", "08:60-09:00", "24:00-08:00", ""])
def test_hours_that_make_no_sense_are_refused(wrong: str) -> None:
    with pytest.raises(ValueError, match=r"is no span of time|hours are 00 to 23"):
        spans_of(wrong)


def test_an_instant_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="has no time zone: end it with Z"):
        instant("2026-12-01T02:00:00")


def test_a_zone_that_is_none_is_refused() -> None:
    with pytest.raises(zoneinfo.ZoneInfoNotFoundError):
        calendar("Mars/Base", mon="08:00-09:00")


@given(
    start=st.integers(0, 23), minutes=st.integers(1, 1439), ahead=st.integers(0, 14 * 86_400),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)  # fmt: skip
def test_nothing_changes_before_it_says_so(start: int, minutes: int, ahead: int, zone: str) -> None:
    end = (start * 60 + minutes) % 1440
    hours = f"{start:02}:00-{end // 60:02}:{end % 60:02}"
    now = instant("2026-10-20T00:00:00Z") + ahead * 1_000_000  # two weeks with the end of summer time
    state = calendar(zone, mon_fri=hours).at(now)
    assert state.until > now
    for share in (0.25, 0.5, 0.75, 1.0):
        between = now + int((state.until - now - 1) * share)
        assert calendar(zone, mon_fri=hours).at(between).is_open is state.is_open
