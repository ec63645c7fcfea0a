"""How fast an agent answers: its own normal, learnt and kept, and the quantiles on the record."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from processors.health.logic.latency import FIRST_SECONDS, LEAST_ANSWERS, LEAST_SECONDS, MARGIN, Latency, target_ms
from runtime.state import DictState
from schemas.control import BreakerPolicy
from schemas.fields import Channel, TurnResult
from schemas.rules import ChannelLatency, Targets
from tests.endpoints import Bench

AT = 60 * 15_000_000
BUCKET = 2 ** (1 / 16)
"""Half the width of a bucket: an answer is at most this much off its middle."""


def booked(state: DictState, milliseconds: float, second: int, *, learn: bool = True) -> None:
    Latency(state, "nova", Channel.CHAT).book(milliseconds, second, learn=learn)


def is_slow(state: DictState, milliseconds: float) -> bool | None:
    return Latency(state, "nova", Channel.CHAT).is_slow(milliseconds)


def entry(state: DictState) -> list[object]:
    found: list[object] = state.get("latency\x1fnova\x1fchat")
    return found


def test_nothing_is_slow_before_the_agents_own_is_known() -> None:
    # as many seconds as are needed, and too few answers; then too few seconds, and more answers than are needed
    sparse, dense = DictState(), DictState()
    for second in range(LEAST_ANSWERS - 1):
        booked(sparse, 500.0, AT + second)
    assert is_slow(sparse, 1e6) is None
    for second, _ in itertools.product(range(LEAST_SECONDS), range(10)):
        booked(dense, 500.0, AT + second)
    assert is_slow(dense, 1e6) is None
    booked(dense, 500.0, AT + LEAST_SECONDS)
    assert is_slow(dense, 1e6) is True


def test_what_is_slow_is_a_margin_above_the_95th_percentile() -> None:
    state, random = DictState(), np.random.default_rng(3)
    for second in range(FIRST_SECONDS):
        for size in random.lognormal(np.log(800.0), 0.3, 20):
            booked(state, float(size), AT + second)
    expected = MARGIN * 800.0 * np.exp(1.645 * 0.3)
    assert is_slow(state, float(expected) * 0.97) is False
    assert is_slow(state, float(expected) * 1.03) is True


def test_what_is_not_learnt_does_not_move_the_normal_and_half_an_hour_hardly_does() -> None:
    state, random = DictState(), np.random.default_rng(9)
    for second in range(400):
        booked(state, float(random.lognormal(np.log(500.0), 0.3)), AT + second)
    before = entry(state)[:2]
    for second in range(400, 700):
        booked(state, 5000.0, AT + second, learn=False)
    booked(state, 5000.0, AT + 700, learn=False)
    assert entry(state)[:2] == before
    for second in range(701, 2501):
        booked(state, float(random.lognormal(np.log(750.0), 0.3)), AT + second)
    assert is_slow(state, 1.1 * MARGIN * 500.0 * np.exp(1.645 * 0.3)) is True


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_quantiles_are_those_of_the_answers_to_half_a_bucket(seed: int) -> None:
    state, random = DictState(), np.random.default_rng(seed)
    answers = random.lognormal(np.log(700.0), 0.8, 1000)
    for number, size in enumerate(answers):
        booked(state, float(size), AT + number * 60 // 1000)
    summary = Latency(state, "nova", Channel.CHAT).summary(AT + 59)
    assert summary is not None
    assert summary.answers == 1000
    exact = np.quantile(answers, [0.5, 0.95, 0.99], method="inverted_cdf")
    found = np.array([summary.p50_ms, summary.p95_ms, summary.p99_ms])
    assert np.all(np.abs(np.log(found / exact)) <= np.log(BUCKET) + 1e-9)


def test_a_summary_is_of_this_minute_and_the_one_before() -> None:
    # minute 0: 100 ms | minute 1: 800 ms | minute 2 . | minute 3 .
    state = DictState()
    booked(state, 100.0, AT)
    booked(state, 800.0, AT + 60)
    latency = Latency(state, "nova", Channel.CHAT)
    seen = [latency.summary(AT + second) for second in (60, 119, 120, 179, 180)]
    assert [None if each is None else each.answers for each in seen] == [2, 2, 1, 1, None]
    assert seen[2] is not None
    assert seen[2].p50_ms == pytest.approx(800.0, rel=0.05)


def test_after_a_gap_the_minute_before_is_not_that_of_long_ago() -> None:
    state = DictState()
    booked(state, 100.0, AT)
    booked(state, 800.0, AT + 600)
    summary = Latency(state, "nova", Channel.CHAT).summary(AT + 600)
    assert summary is not None
    assert summary.answers == 1


def test_a_clock_that_stands_still_or_is_a_little_behind_books_to_the_present_second() -> None:
    state = DictState()
    for second in (30, 30, 29, 0, 30):
        booked(state, 500.0, AT + second)
    assert entry(state)[4:6] == [AT + 30, 5]
    assert entry(state)[2] == 0
    booked(state, 500.0, AT + 31)
    assert entry(state)[2:4] == [1, 5]


def test_a_clock_set_back_by_a_day_begins_a_new_minute_and_learns_on() -> None:
    state, yesterday = DictState(), AT - 86_400
    booked(state, 100.0, AT)
    for second in range(90):
        booked(state, 800.0, yesterday + second)
    summary = Latency(state, "nova", Channel.CHAT).summary(yesterday + 89)
    assert summary is not None
    assert (summary.answers, summary.p50_ms) == (90, pytest.approx(800.0, rel=0.05))
    assert entry(state)[2] == 90


@pytest.mark.parametrize("milliseconds", [0.0, 1e-9, 86_400_000.0])
def test_the_fastest_and_the_slowest_answer_have_a_size(milliseconds: float) -> None:
    state = DictState()
    booked(state, milliseconds, AT)
    summary = Latency(state, "nova", Channel.CHAT).summary(AT)
    assert summary is not None
    assert summary.p99_ms == pytest.approx(max(milliseconds, 1.0), rel=0.05)


def test_targets_are_those_of_the_policy_else_the_standard_ones_of_chat_and_voice() -> None:
    stated = BreakerPolicy(targets=Targets(latency=(ChannelLatency(channel=Channel.CHAT, p95_ms=900.0),)))
    assert [target_ms(stated, channel) for channel in (Channel.CHAT, Channel.VOICE, Channel.EMAIL)] == [900, 500, None]
    assert target_ms(BreakerPolicy(), Channel.CHAT) == 2000.0


@pytest.mark.parametrize(("channel", "milliseconds", "path"), [
    (Channel.CHAT, 1900.0, []), (Channel.VOICE, 499.0, []), (Channel.EMAIL, 60_000.0, []),
    (Channel.CHAT, 2100.0, ["degraded"]), (Channel.VOICE, 600.0, ["degraded"]),
])  # fmt: skip
def test_an_agent_that_was_always_too_slow_degrades_by_its_channels_target(
    channel: Channel, milliseconds: float, path: list[str]
) -> None:
    bench = Bench()
    for second in range(25):
        bench.turn(float(second), channel=channel, latency_ms=milliseconds)
    assert bench.path == path
    if path:
        assert bench.transitions[0].evidence.signal == "over_latency_target"
        assert bench.transitions[0].evidence.latencies[0].channel is channel


def test_answers_slower_than_the_agents_own_by_half_degrade_long_before_they_are_twice_as_slow() -> None:
    bench, random = Bench(), np.random.default_rng(5)
    for second in range(150):
        for size in random.lognormal(np.log(600.0), 0.2, 3):
            bench.turn(float(second), latency_ms=float(size))
    assert bench.path == []
    for second in range(150, 200):
        for size in random.lognormal(np.log(900.0), 0.2, 3):
            bench.turn(float(second), latency_ms=float(size))
    assert bench.reasons == ["latency"]
    assert bench.transitions[0].evidence.signal == "slow"


def test_a_tenth_slower_at_a_busy_hour_is_no_fault() -> None:
    bench, random = Bench(), np.random.default_rng(5)
    for second in range(900):
        factor = 1.0 if second < 150 else 1.15
        for size in random.lognormal(np.log(600.0 * factor), 0.2, 2):
            bench.turn(float(second), latency_ms=float(size))
    assert bench.path == []


def test_channels_are_learnt_apart_and_failures_are_no_answers() -> None:
    bench = Bench(degraded_failure_rate=1.0)
    bench.turn(0.0, channel=Channel.VOICE, latency_ms=100.0)
    bench.turn(0.0, channel=Channel.CHAT, latency_ms=900.0)
    bench.turn(0.0, TurnResult.TIMEOUT, latency_ms=30_000.0)
    names = {name.rsplit("\x1f", 1)[1] for name in bench.state.entries if name.startswith("latency")}
    assert names == {"voice", "chat"}
    assert bench.state.get("latency\x1fnova\x1fchat")[5] == 1
