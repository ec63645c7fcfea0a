"""Arrivals follow their file within the bounds of a Poisson process; malformed records are malformed."""

from __future__ import annotations

import itertools
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.codec import Codec
from schemas.errors import DecodeError
from schemas.fields import Channel
from schemas.interactions import Offered
from schemas.topics import OFFERED
from simulator.arrivals import Interval, bounded, by_intervals, constant_rate
from simulator.malformed import Malformed

HALF_HOUR = 1800 * 1_000_000
START = 920_000_000 * 1_000_000
SIX_SIGMA = 6.0  # one false alarm in 500 million normal draws; Hypothesis draws a few thousand
CODEC = Codec()
CALLS = st.lists(st.one_of(st.just(0.0), st.floats(0.1, 300.0)), min_size=1, max_size=48)


def intervals_of(calls: list[float]) -> list[Interval]:
    return [Interval(START + i * HALF_HOUR, START + (i + 1) * HALF_HOUR, c) for i, c in enumerate(calls)]


@given(CALLS, st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_totals_per_half_hour_lie_within_poisson_bounds_of_the_file(calls: list[float], seed: int) -> None:
    intervals = intervals_of(calls)
    arrivals = list(by_intervals(intervals, random.Random(seed)))
    assert arrivals == sorted(arrivals)
    for start, end, expected in intervals:
        count = sum(start <= at < end for at in arrivals)
        # the Poisson's right tail is heavier than the normal's at small means: 6 more calls cover it
        assert abs(count - expected) <= SIX_SIGMA * expected**0.5 + 6, (expected, count)
        assert expected > 0 or count == 0
    assert abs(len(arrivals) - sum(calls)) <= SIX_SIGMA * sum(calls) ** 0.5 + 6


def test_a_busy_day_meets_its_expected_total_within_one_per_cent() -> None:
    calls = [2000.0] * 24 + [0.0] * 12 + [10_000.0] * 12  # 168,000: one per cent is four standard deviations
    count = sum(1 for _ in by_intervals(intervals_of(calls), random.Random(7)))
    assert count == pytest.approx(sum(calls), rel=0.01)


@given(st.floats(0.5, 200.0), st.integers(0, 1000))
@settings(max_examples=40, deadline=None)
def test_a_constant_rate_gives_that_rate(per_second: float, seed: int) -> None:
    arrivals = itertools.islice(constant_rate(START, per_second, random.Random(seed)), 1000)
    seconds = (list(arrivals)[-1] - START) / 1e6
    expected = 1000 / per_second  # a sum of 1,000 exponentials: standard deviation of the mean / sqrt(1000)
    assert abs(seconds - expected) <= SIX_SIGMA * expected / 1000**0.5


@given(CALLS, st.integers(0, 50), st.integers(0, 20 * HALF_HOUR))
@settings(max_examples=50, deadline=None)
def test_bounds_cut_the_schedule_and_change_nothing_before(calls: list[float], contacts: int, length: int) -> None:
    everything = list(by_intervals(intervals_of(calls), random.Random(3)))
    cut = list(bounded(by_intervals(intervals_of(calls), random.Random(3)), START + length, contacts))
    assert cut == [at for at in everything if at < START + length][:contacts]


@given(st.integers(0, 2000), st.text(min_size=0, max_size=40))
@settings(max_examples=60, deadline=None)
def test_no_malformed_record_can_be_decoded_and_each_has_a_key_of_its_own(seed: int, text: str) -> None:
    malformed = Malformed(1.0, "run", CODEC, random.Random(seed))
    offered = Offered(
        interaction_id="run-000001", tenant="demo", channel=Channel.CHAT, text=text, customer_id="c", occurred_at=START
    )
    records = [malformed.beside(offered) for _ in range(14)]
    assert len({record.key for record in records if record}) == 14
    reasons = set()
    for record in records:
        assert record is not None
        with pytest.raises(DecodeError) as caught:
            CODEC.decode(record.value, OFFERED.types)
        reasons.add(caught.value.reason)
    assert reasons == {"empty", "unknown_framing", "unknown_schema", "truncated", "invalid_fields", "unexpected_type"}
    assert set(malformed.counts.values()) == {2}
