"""Reports on providers for any course of a breaker, beside a recount second by second."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from processors.breakers.logic.course import spells, stays
from processors.breakers.logic.report import of_agent
from processors.breakers.logic.spans import Spans, both, seconds, spans, without
from schemas.fields import BreakerState
from tests.breakers import CLOSED, DEGRADED, FORCED_OPEN, HALF_OPEN, OPEN, SECOND, agent, course, window

MOST = 40
instants = st.integers(0, MOST)
pairs = st.lists(st.tuples(instants, instants), max_size=4)
steps = st.lists(st.tuples(instants, st.sampled_from(BreakerState)), max_size=8)


def points(times: Spans) -> set[int]:
    return {at for start, end in times for at in range(start, end)}


def timed(found: list[tuple[int, int]]) -> Spans:
    return spans((start * SECOND, end * SECOND) for start, end in found)


@given(one=pairs, other=pairs)
def test_sets_of_times_are_sets_of_instants(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    mine, theirs = spans(one), spans(other)
    assert points(mine) == {at for start, end in one for at in range(start, end)}
    assert points(both(mine, theirs)) == points(mine) & points(theirs)
    assert points(without(mine, theirs)) == points(mine) - points(theirs)
    for found in (mine, both(mine, theirs), without(mine, theirs)):
        edges = [edge for span in found for edge in span]
        assert edges == sorted(set(edges)), "in order, none empty, no two that touch"


@given(moves=steps, ends=st.tuples(instants, instants), planned=pairs, named=pairs)
def test_each_second_is_counted_once_and_where_a_recount_puts_it(
    moves: list[tuple[int, BreakerState]],
    ends: tuple[int, int],
    planned: list[tuple[int, int]],
    named: list[tuple[int, int]],
) -> None:
    made = of_agent(agent(*moves, maintenance=timed(planned), named=timed(named)), window(*ends))
    if not moves:
        assert made.times is None
        return
    counted: Counter[str] = Counter()
    for second in range(*ends):
        if second in points(spans(named)):
            counted["measured"] += 1
            counted["maintenance" if second in points(spans(planned)) else state_at(moves, second)] += 1
    assert made.times is not None
    assert made.times.measured_seconds == counted["measured"]
    assert made.times.maintenance_seconds == counted["maintenance"]
    assert made.times.normal_seconds == counted[CLOSED] + counted[DEGRADED]
    assert made.times.degraded_seconds == counted[DEGRADED]
    assert made.times.out_seconds == counted[OPEN] + counted[HALF_OPEN]
    assert made.times.forced_seconds == counted[FORCED_OPEN]
    whole = made.times.normal_seconds + made.times.out_seconds
    assert made.availability == (made.times.normal_seconds / whole if whole else None)
    assert made.outages is not None
    assert bool(made.outages.number) == bool(made.times.out_seconds), "out of traffic is an outage, and nothing else is"


def state_at(moves: list[tuple[int, BreakerState]], second: int) -> str:
    """The state in a second, where a clock that was set back stands still."""
    state, at = CLOSED, 0
    for instant, to in moves:
        at = max(at, instant)
        if at <= second:
            state = to
    return state


@given(moves=steps, ends=st.tuples(instants, instants))
def test_outages_are_as_long_together_as_the_time_out_and_their_quantiles_are_in_order(
    moves: list[tuple[int, BreakerState]], ends: tuple[int, int]
) -> None:
    made = of_agent(agent(*moves), window(0, MOST + 1))
    if made.outages is None or made.times is None:
        return
    seen = made.outages
    assert seen.number == seen.samples + seen.going_on + seen.taken_over
    assert seen.going_on == (moves[-1][1] in {OPEN, HALF_OPEN})
    lengths = [
        (MOST + 1 if spell.until is None else spell.until / SECOND) - spell.since / SECOND
        for spell in spells(course(*moves), frozenset({OPEN, HALF_OPEN}))
    ]
    assert sum(lengths) == made.times.out_seconds
    assert seen.longest_seconds == max(filter(None, lengths), default=None)
    if seen.p50_seconds is not None and seen.p90_seconds is not None and seen.longest_seconds is not None:
        assert 0 < seen.p50_seconds <= seen.p90_seconds + 1e-9 <= seen.longest_seconds + 2e-9


@given(moves=steps)
def test_the_times_for_which_transitions_stand_follow_each_other_without_a_gap(
    moves: list[tuple[int, BreakerState]],
) -> None:
    found = stays(course(*moves))
    assert [each.transition.epoch for each in found] == list(range(1, len(moves) + 1))
    assert [each.until for each in found[:-1]] == [each.since for each in found[1:]]
    if found:
        assert found[-1].until is None
        total = sum(each.seconds(MOST * SECOND) for each in found)
        assert total == seconds(spans([(found[0].since, MOST * SECOND)]))
