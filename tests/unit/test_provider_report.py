"""What a report says of a provider: hand-counted courses of breakers.

```
seconds   0        100        200        300        400        500
          closed   |degraded  |open      |half_open |closed    |
```
"""

from __future__ import annotations

import msgspec
import pytest

from processors.breakers.logic.report import AgentReport, of_agent, report
from processors.breakers.logic.tables import as_json, as_text
from tests.breakers import CLOSED, DEGRADED, FORCED_OPEN, HALF_OPEN, OPEN, SECOND, agent, course, seen, window

OUTAGE = ((100, DEGRADED), (200, OPEN), (300, HALF_OPEN), (400, CLOSED))


def spent(made: AgentReport) -> tuple[float, float, float, float, float]:
    assert made.times is not None
    times = made.times
    assert times.counted_seconds == pytest.approx(times.normal_seconds + times.out_seconds)
    return (
        times.normal_seconds,
        times.degraded_seconds,
        times.out_seconds,
        times.forced_seconds,
        times.maintenance_seconds,
    )


def lines(made: AgentReport) -> str:
    found = report([agent(*OUTAGE)], window(0, 500))
    replaced = [msgspec.structs.replace(found[0], agents=(made,))]
    return "\n".join(as_text(replaced, window(0, 500)))


def test_degraded_is_available_and_open_and_half_open_are_one_outage() -> None:
    made = of_agent(agent(*OUTAGE), window(0, 500))
    assert spent(made) == (300, 100, 200, 0, 0)
    assert made.availability == pytest.approx(0.6)
    assert made.outages is not None
    assert (made.outages.number, made.outages.p50_seconds, made.outages.longest_seconds) == (1, 200, 200)
    assert "missed by 39.000 points (3 min 15 s)" in lines(made)
    assert "1, the longest 3 min 20 s, p50 3 min 20 s, p90 3 min 20 s of 1 that are over" in lines(made)


@pytest.mark.parametrize(
    ("since", "until", "expected", "outages"),
    [
        (250, 500, (100, 0, 150, 0, 0), 1),
        (0, 250, (200, 100, 50, 0, 0), 1),
        (250, 350, (0, 0, 100, 0, 0), 1),
        (400, 500, (100, 0, 0, 0, 0), 0),
        (0, 200, (200, 100, 0, 0, 0), 0),
        (0, 100, (100, 0, 0, 0, 0), 0),
    ],
)
def test_an_outage_over_the_edge_of_the_window_counts_in_it_and_is_as_long_as_it_was(
    since: int, until: int, expected: tuple[float, ...], outages: int
) -> None:
    made = of_agent(agent(*OUTAGE), window(since, until))
    assert spent(made) == expected
    assert made.outages is not None
    assert made.outages.number == outages
    assert made.outages.longest_seconds == (200 if outages else None)


def test_an_agent_that_never_moved_has_no_figures_at_all() -> None:
    made = of_agent(agent(), window(0, 500))
    assert (made.times, made.availability, made.outages, made.state) == (None, None, None, None)
    assert "nova: no transitions: its breaker has never moved, or nothing has watched it" in lines(made)
    (provider,) = report([agent()], window(0, 500))
    assert provider.times is None
    assert "acme, provider north: no transitions" in "\n".join(as_text([provider], window(0, 500)))


def test_a_time_without_moves_is_that_of_the_state_it_was_left_in() -> None:
    made = of_agent(agent(*OUTAGE), window(1000, 1100))
    assert (spent(made), made.transitions) == ((100, 0, 0, 0, 0), 0)
    assert "moves:       none in this time, closed now" in lines(made)


def test_an_outage_that_goes_on_is_as_long_as_it_is_and_in_no_quantile() -> None:
    made = of_agent(agent((10, OPEN), (20, CLOSED), (400, OPEN)), window(0, 500))
    assert made.outages is not None
    assert (made.outages.number, made.outages.going_on, made.outages.samples) == (2, 1, 1)
    assert (made.outages.p50_seconds, made.outages.p90_seconds, made.outages.longest_seconds) == (10, 10, 100)
    assert "1 going on" in lines(made)


def test_what_an_operator_forced_open_is_not_counted_against_the_provider() -> None:
    made = of_agent(agent((100, OPEN), (150, FORCED_OPEN), (400, CLOSED)), window(0, 500))
    assert spent(made) == (200, 0, 50, 250, 0)
    assert made.availability == pytest.approx(0.8)
    assert made.outages is not None
    assert (made.outages.number, made.outages.taken_over, made.outages.samples) == (1, 1, 0)
    assert "4 min 10 s forced open, not counted" in lines(made)
    assert "1 ended by an order to stay open" in lines(made)


def test_maintenance_is_stated_apart_whatever_the_breaker_did_in_it() -> None:
    planned = agent((100, OPEN), (200, CLOSED), (300, FORCED_OPEN), (350, CLOSED), maintenance=(window(50, 320),))
    made = of_agent(planned, window(0, 500))
    assert spent(made) == (200, 0, 0, 30, 270)
    assert made.outages is not None
    assert made.outages.number == 0
    over = of_agent(agent((100, OPEN), (200, CLOSED), maintenance=(window(150, 320),)), window(0, 500))
    assert over.outages is not None
    assert (over.outages.number, over.outages.longest_seconds) == (1, 50)


def test_time_in_which_no_policy_named_the_agent_is_not_measured() -> None:
    made = of_agent(agent((100, OPEN), named=(window(50, 200),)), window(0, 500))
    assert spent(made) == (50, 0, 100, 0, 0)
    assert made.times is not None
    assert made.times.measured_seconds == 150


def test_time_of_which_none_counts_has_no_availability() -> None:
    made = of_agent(agent((0, FORCED_OPEN)), window(0, 500))
    assert made.availability is None
    assert "no time that counts" in lines(made)


def test_drift_is_the_first_and_the_last_figure_that_the_transitions_have() -> None:
    figures = [(0.0, None), (800.0, 0.95), (0.0, 0.9), (1000.0, None)]
    moves = tuple(
        msgspec.structs.replace(each, evidence=seen(latency_baseline_ms=latency, quality_mean=quality))
        for each, (latency, quality) in zip(course(*OUTAGE), figures, strict=True)
    )
    made = of_agent(agent(transitions=moves), window(0, 500))
    assert made.latency_ms is not None
    assert made.quality is not None
    assert (made.latency_ms.first, made.latency_ms.first_at, made.latency_ms.last) == (800, 200 * SECOND, 1000)
    assert (made.quality.first, made.quality.last, made.quality.last_at) == (0.95, 0.9, 300 * SECOND)
    assert "normally 800 ms, then normally 1,000 ms (+25.0%), on 1970-01-01T00:03:20Z and" in lines(made)
    assert "mean 0.950, then mean 0.900 (-5.3%)" in lines(made)
    one = of_agent(agent(transitions=moves), window(0, 250))
    assert (one.latency_ms, one.quality) == (None, None)


def test_a_provider_is_the_sum_of_its_agents_and_versions_are_not_added_again() -> None:
    vega = agent((250, OPEN), endpoint="vega")
    version = agent((0, OPEN), version="7")
    other = agent((0, OPEN), provider="south", endpoint="lyra", promised=None)
    north, south = report([vega, version, agent(*OUTAGE), agent(endpoint="idle"), other], window(0, 500))
    assert [(each.endpoint, each.version) for each in north.agents] == [
        ("idle", None), ("nova", None), ("nova", "7"), ("vega", None)
    ]  # fmt: skip
    assert north.availability == pytest.approx((300 + 250) / 1000)
    said = "\n".join(as_text([north, south], window(0, 500)))
    assert "nova, version 7 alone: available 0.000% of 8 min 20 s" in said
    assert "no policy stands that says what was promised" in said
    assert as_json(south)["agents"][0]["outages"]["going_on"] == 1
