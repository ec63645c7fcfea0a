"""What an agent does not do: alerts that are told once, and no move of any breaker."""

from __future__ import annotations

import datetime as dt

import msgspec
import pytest

from schemas.agents import BreakerAction
from schemas.control import KillSwitch
from schemas.conversations import AlertKind
from schemas.fields import BreakerState, Handling, TurnResult
from schemas.rules import Maintenance, Targets
from schemas.topics import ALERTS
from tests.endpoints import SECOND, START, Bench

LOST, LOW, HIGH = AlertKind.TELEMETRY_LOST, AlertKind.THROUGHPUT_LOW, AlertKind.UTILISATION_HIGH


def heard(bench: Bench, seconds: range) -> None:
    """A contact a second, and a tick; each is over at once."""
    for second in seconds:
        bench.turn(float(second), turn=1)
        bench.ended(float(second))
        bench.tick(float(second))


def silent(bench: Bench, seconds: range) -> None:
    for second in seconds:
        bench.tick(float(second))


def test_silence_is_told_once_and_again_only_after_something_was_heard() -> None:
    bench = Bench()
    heard(bench, range(120))
    silent(bench, range(120, 179))
    assert bench.alerts == []
    silent(bench, range(179, 400))
    assert [alert.alert for alert in bench.alerts] == [LOST]
    assert (bench.alerts[0].endpoint, bench.alerts[0].tenant) == ("nova", "acme")
    assert "nothing heard of nova for 60 s" in bench.alerts[0].detail
    assert {effect.topic for effect in bench.effects} == {ALERTS}
    heard(bench, range(400, 500))
    assert bench.state.get("alerted\x1fnova") is None
    silent(bench, range(500, 700))
    assert [alert.alert for alert in bench.alerts] == [LOST, LOST]


def test_silence_of_an_agent_with_few_contacts_is_told_later() -> None:
    bench = Bench()
    for second in range(0, 1200, 20):
        bench.turn(float(second), turn=1)
    silent(bench, range(1200, 1500))
    assert bench.alerts == []
    silent(bench, range(1500, 1700))
    assert [alert.alert for alert in bench.alerts] == [LOST]


def test_missing_data_never_trips() -> None:
    bench = Bench(targets=Targets(answers_per_minute_least=30.0))
    heard(bench, range(120))
    bench.turns_of(3, 120.0, TurnResult.TIMEOUT)
    silent(bench, range(121, 6000, 3))
    assert bench.transitions == []


def test_an_agent_that_gets_no_contacts_is_silent_for_a_reason() -> None:
    """In maintenance, while its breaker is out, or while that of the policy's version is."""
    begins, ends = (dt.datetime.fromtimestamp(START / SECOND + at, tz=dt.UTC).isoformat() for at in (100, 5000))
    maintained, forced, version = Bench(), Bench(), Bench()
    for bench in (maintained, forced, version):
        heard(bench, range(120))
    maintained.agent(maintenance=(Maintenance(starts=begins, ends=ends),))
    forced.order(BreakerAction.FORCE_OPEN, 120.0)
    version.order(BreakerAction.FORCE_OPEN, 120.0, version="1")
    for bench in (maintained, forced, version):
        silent(bench, range(120, 1000, 5))
        assert bench.alerts == []


@pytest.mark.parametrize("scope", [{}, {"tenant": "acme"}, {"tenant": "acme", "endpoint": "nova"}], ids=str)
def test_an_agent_that_is_killed_is_silent_for_a_reason(scope: dict[str, str]) -> None:
    bench = Bench()
    heard(bench, range(120))
    bench.follow(KillSwitch(**scope, killed=True, reason="wrong prices", occurred_at=START))
    silent(bench, range(120, 1000, 5))
    assert bench.alerts == []


def test_another_agents_kill_explains_no_silence() -> None:
    bench = Bench()
    heard(bench, range(120))
    bench.follow(KillSwitch(tenant="acme", endpoint="vega", killed=True, reason="wrong prices", occurred_at=START))
    silent(bench, range(120, 200))
    assert [alert.alert for alert in bench.alerts] == [LOST]


def test_silence_counts_from_when_contacts_may_come_again() -> None:
    """A rest of an hour is not held against the agent at its end; silence after it is."""
    bench = Bench()
    heard(bench, range(120))
    stop = KillSwitch(tenant="acme", killed=True, reason="wrong prices", occurred_at=START)
    bench.follow(stop)
    silent(bench, range(120, 3720, 5))
    bench.follow(msgspec.structs.replace(stop, killed=False))
    silent(bench, range(3720, 3779))
    assert bench.alerts == []
    silent(bench, range(3779, 3800))
    assert [alert.alert for alert in bench.alerts] == [LOST]
    assert "for 60 s" in bench.alerts[0].detail


def test_silence_after_a_rest_is_told_though_the_clock_was_set_back() -> None:
    bench = Bench()
    heard(bench, range(120))
    bench.order(BreakerAction.FORCE_OPEN, 120.0)
    silent(bench, range(120, 3000, 60))
    bench.order(BreakerAction.CLOSE, 3000.0)
    silent(bench, range(3000, 3010))
    bench.tick(1000.0)
    heard(bench, range(1000, 1120))
    silent(bench, range(1120, 1200))
    assert [alert.alert for alert in bench.alerts] == [LOST]


def test_utilisation_is_told_above_its_share_and_over_below_nine_tenths_of_it() -> None:
    bench = Bench()
    bench.agent(max_concurrent=10)
    for number in range(8):
        bench.turn(float(number) / 10, turn=1)
    bench.tick(1.0)
    assert bench.alerts == []
    bench.turns_of(1, 1.0, turn=1)
    bench.tick(1.0)
    assert [alert.alert for alert in bench.alerts] == [HIGH]
    bench.ended(1.0)
    bench.tick(1.0)
    assert bench.state.get("alerted\x1fnova") == ["utilisation_high"]
    bench.ended(1.0, Handling.AI_ESCALATED)
    bench.ended(1.0, Handling.ABANDONED)
    bench.tick(1.0)
    assert bench.state.get("alerted\x1fnova") is None
    assert len(bench.alerts) == 1


def test_contacts_at_once_are_never_fewer_than_none_and_fade_where_their_end_is_missed() -> None:
    bench = Bench()
    for _ in range(5):
        bench.ended(0.0)
    bench.turns_of(10, 1.0, turn=1)
    bench.order(BreakerAction.FORCE_OPEN, 1.0)
    assert bench.transitions[-1].evidence.in_flight == 10
    bench.order(BreakerAction.CLOSE, 1801.0)
    assert bench.transitions[-1].evidence.in_flight == 4


def test_throughput_below_its_floor_is_told_once_a_window_was_seen() -> None:
    bench = Bench(targets=Targets(answers_per_minute_least=30.0))
    for second in range(0, 300, 4):
        bench.turn(float(second), turn=1)
        bench.tick(float(second))
        assert bool(bench.alerts) is (second >= 60)
    assert [alert.alert for alert in bench.alerts] == [LOW]
    for second in range(300, 420):
        bench.turn(float(second))
        bench.tick(float(second))
    assert bench.state.get("alerted\x1fnova") is None
    without = Bench()
    for second in range(0, 300, 4):
        without.turn(float(second), turn=1)
        without.tick(float(second))
    assert without.alerts == []


def test_looking_at_throughput_leaves_the_window_as_it_was() -> None:
    looked, blind = Bench(targets=Targets(answers_per_minute_least=1.0)), Bench()
    for second in (0, 7, 30, 59, 61, 100, 130):
        for bench in (looked, blind):
            bench.turn(float(second))
        silent(looked, range(second, second + 5))
    for bench in (looked, blind):
        bench.order(BreakerAction.FORCE_OPEN, 131.0)
    assert looked.transitions[-1].evidence == blind.transitions[-1].evidence


def test_an_agent_that_no_policy_knows_is_missed_too() -> None:
    bench = Bench(known=False)
    heard(bench, range(120))
    silent(bench, range(120, 300))
    assert [alert.alert for alert in bench.alerts] == [LOST]
    assert bench.breaker().state is BreakerState.CLOSED


def test_each_agent_of_a_provider_has_alerts_of_its_own() -> None:
    bench = Bench()
    for endpoint in ("nova", "vega"):
        bench.agent(endpoint, max_concurrent=1000)
    for second in range(120):
        for endpoint in ("nova", "vega"):
            bench.turn(float(second), endpoint=endpoint, turn=1)
    heard(bench, range(120, 250))
    assert [alert.endpoint for alert in bench.alerts] == ["vega"]
