"""Calls without a customer, which the simulated AI platform makes where Trunkline asks for them."""

from __future__ import annotations

from typing import Any

import pytest

from schemas.agents import Outcome, ProbeRequest
from schemas.control import Fault, FaultKind
from schemas.fields import TurnResult
from schemas.interactions import Offered
from schemas.topics import AGENT_EVENTS
from simulator.fleet import REFUSED_SECONDS, RETRY_AFTER_SECONDS
from simulator.world import World
from tests.centre import SECOND, START, of, play, to_ai, world
from tests.said import probe


def faulty(kind: FaultKind, severity: float = 1.0) -> World:
    order = Fault(endpoint="support-bot", kind=kind, severity=severity, occurred_at=START)
    return world([], faults=[(START, order)])


def answers(simulated: World, *requests: ProbeRequest, at: int = START) -> list[Outcome]:
    """The outcomes of probes wanted at an instant, within a minute."""
    effects = [*simulated.step(at, requests), *simulated.step(at + 60 * SECOND)]
    assert {effect.topic for effect in effects} <= {AGENT_EVENTS}
    return of(effects, Outcome)


def test_a_probe_is_a_call_of_its_own_that_bears_the_requests_epoch_and_no_customer() -> None:
    simulated = world([])
    assert of(simulated.step(START, [probe()]), Outcome) == []
    (told,) = of(simulated.step(START + 30 * SECOND), Outcome)
    assert told.synthetic
    assert (told.interaction_id, told.turn, told.breaker_epoch) == ("probe-1", 1, 7)
    assert (told.tenant, told.provider, told.endpoint, told.version) == ("demo", "lumen-ai", "support-bot", "5.0.3")
    assert (told.result, told.looping, told.retry_after_seconds) == (TurnResult.OK, False, None)
    assert told.occurred_at == pytest.approx(START + told.latency_ms * 1000, abs=1)
    assert told.latency_ms > 100
    assert told.tokens > 0 < told.cost
    assert simulated.tally.probes == 1
    assert simulated.tally.offered == 0


@pytest.mark.parametrize(
    ("kind", "results", "least_ms"),
    [
        (FaultKind.OUTAGE, TurnResult.SERVER_ERROR, REFUSED_SECONDS * 1000),
        (FaultKind.TIMEOUTS, TurnResult.TIMEOUT, 10_000.0),
        (FaultKind.RATE_LIMITS, TurnResult.RATE_LIMITED, REFUSED_SECONDS * 1000),
    ],
)
def test_a_fault_shows_in_a_probe(kind: FaultKind, results: TurnResult, least_ms: float) -> None:
    told = answers(faulty(kind), *(probe(number) for number in range(50)))
    assert len(told) == 50
    assert sum(each.result is results for each in told) > 45
    assert all(each.latency_ms >= least_ms for each in told if each.result is results)
    rests = {each.retry_after_seconds for each in told if each.result is TurnResult.RATE_LIMITED}
    assert rests == ({RETRY_AFTER_SECONDS} if kind is FaultKind.RATE_LIMITS else set())


def test_a_probe_shows_slow_wrong_and_looping_answers_too_and_none_when_the_agent_is_well_again() -> None:
    assert [t.looping for t in answers(faulty(FaultKind.LOOPS), probe())] == [True]
    assert all(t.quality <= 0.5 for t in answers(faulty(FaultKind.WRONG_ANSWERS), probe()))
    simulated = faulty(FaultKind.LATENCY, 8.0)
    assert answers(simulated, probe(seconds=60))[0].latency_ms > 3000
    heal = Fault(endpoint="support-bot", kind=FaultKind.NONE, occurred_at=START)
    simulated.step(START + 60 * SECOND, [heal])
    assert answers(simulated, probe(2, seconds=200), at=START + 100 * SECOND)[0].latency_ms < 3000


def test_a_request_that_is_over_is_not_obeyed() -> None:
    assert answers(world([]), probe(), at=START + 30 * SECOND) == []
    assert len(answers(world([]), probe(), at=START + 28 * SECOND)) == 1


def test_a_call_that_is_not_over_in_time_is_given_up_at_the_end_of_the_request() -> None:
    (told,) = answers(faulty(FaultKind.TIMEOUTS), probe(seconds=4.0), at=START + SECOND)
    assert (told.result, told.occurred_at, told.latency_ms) == (TurnResult.TIMEOUT, START + 4 * SECOND, 3000.0)
    assert told.quality is None


def test_a_request_that_comes_again_is_obeyed_once() -> None:
    simulated = world([])
    assert len(answers(simulated, probe(), probe(), probe(2))) == 2
    assert answers(simulated, probe(seconds=300), at=START + 100 * SECOND) == []


@pytest.mark.parametrize("strange", [{"tenant": "another"}, {"endpoint": "no-such-bot"}])
def test_a_request_about_an_agent_that_is_not_of_this_fleet_is_left_to_others(strange: dict[str, Any]) -> None:
    assert answers(world([]), probe(**strange)) == []


def test_probes_change_nothing_of_the_contacts() -> None:
    def told(requests: list[ProbeRequest]) -> list[Any]:
        simulated = world([START + i * SECOND for i in range(100)], rated_share=0.0, qa_share=0.0)
        effects = simulated.step(START - 1, requests)
        simulated.step(START - 1)
        return [e.event for e in [*effects, *play(simulated, to_ai)] if not isinstance(e.event, Outcome)]

    assert told([probe(number) for number in range(20)]) == told([])
    assert any(isinstance(event, Offered) for event in told([]))
