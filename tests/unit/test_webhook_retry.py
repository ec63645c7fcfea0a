"""When a message is tried again, and when it is given up."""

from __future__ import annotations

import datetime as dt

import pytest

from tests.support.webhooks import subscription
from wfm_bridge.webhooks.retry import asked_seconds, delay_seconds, is_given_up

NOW = dt.datetime(2026, 12, 1, 8, 0, 0, tzinfo=dt.UTC)
DAY = 86_400.0


def test_waits_double_from_half_a_second_to_five_minutes() -> None:
    assert [delay_seconds(failures, 1.0) for failures in (1, 2, 3, 4, 10, 11, 10_000)] == [0.5, 1, 2, 4, 256, 300, 300]


def test_jitter_takes_at_most_half_of_a_wait() -> None:
    assert delay_seconds(3, 0.0) == 1.0
    assert delay_seconds(3, 0.5) == 1.5


def test_a_receiver_gets_the_pause_that_it_asks_for_up_to_an_hour() -> None:
    assert delay_seconds(1, 0.0, 7.0) == 7.0
    assert delay_seconds(11, 1.0, 7.0) == 300.0
    assert delay_seconds(1, 0.0, 31_536_000.0) == 3600.0


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Tue, 01 Dec 2026 08:01:30 GMT", 90.0),
        ("Tue, 01 Dec 2026 07:00:00 GMT", 0.0),
        ("Tuesday, 01-Dec-26 08:01:30 GMT", 90.0),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("1.5", None),
        ("٣", None),
    ],
)
def test_a_pause_is_given_in_seconds_or_as_a_time(header: str, seconds: float | None) -> None:
    assert asked_seconds(header, NOW) == seconds


def test_a_day_in_which_nobody_takes_it_ends_a_message() -> None:
    policy = subscription()
    assert not is_given_up(3, DAY - 1, policy, refused=False)
    assert is_given_up(3, DAY, policy, refused=False)


def test_an_old_message_has_three_attempts_nonetheless() -> None:
    policy = subscription()
    assert [is_given_up(failures, 9 * DAY, policy, refused=False) for failures in (1, 2, 3)] == [False, False, True]


def test_a_message_that_is_called_malformed_has_five() -> None:
    policy = subscription()
    assert [is_given_up(failures, 0.0, policy, refused=True) for failures in (4, 5)] == [False, True]
    assert not is_given_up(5, 0.0, policy, refused=False)


def test_a_subscription_may_allow_fewer() -> None:
    assert is_given_up(1, 0.0, subscription(max_attempts=1), refused=False)
    assert is_given_up(3, 60.0, subscription(max_age_seconds=60.0), refused=False)


def test_a_night_in_which_a_receiver_is_down_costs_it_some_hundred_requests() -> None:
    waited, failures = 0.0, 0
    while waited < 8 * 3600:
        failures += 1
        waited += delay_seconds(failures, 0.5)
    assert 100 < failures < 200
