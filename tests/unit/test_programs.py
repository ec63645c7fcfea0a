"""When a program is started again, and when it is given up."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from runtime.programs import restart_delay_seconds


def test_the_first_restart_is_immediate_and_the_fifth_death_is_the_last() -> None:
    # deaths at         0   1   2   3   4
    # restart after     0  .2  .4  .6   -
    deaths = [0.0, 1.0, 2.0, 3.0, 4.0]

    delays = [restart_delay_seconds(deaths[: count + 1], deaths[count]) for count in range(5)]

    assert delays[0] == 0
    assert delays[4] is None
    assert all(before < after for before, after in itertools.pairwise(delay for delay in delays if delay is not None))


def test_a_death_a_minute_ago_is_forgotten() -> None:
    assert restart_delay_seconds([0.0, 57.0, 58.0, 59.0, 59.9], 59.9) is None
    assert restart_delay_seconds([0.0, 57.0, 58.0, 59.0, 60.0], 60.0) is not None


@given(st.lists(st.floats(0, 30), min_size=1, max_size=40))
def test_a_program_is_given_up_exactly_when_five_deaths_fall_within_a_minute(pauses: list[float]) -> None:
    deaths = list(itertools.accumulate(pauses))
    now = deaths[-1]

    delay = restart_delay_seconds(deaths, now)

    fifth_last_is_recent = len(deaths) >= 5 and now - deaths[-5] < 60
    assert (delay is None) == fifth_last_is_recent
    if delay is not None:
        assert 0 <= delay < 0.7, "a restart has to be done within a second"
