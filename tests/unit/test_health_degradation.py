"""Narrowing and coming back: caps, ramps, the flap guard, probes without customers, confidence, orders."""

from __future__ import annotations

import msgspec
import pytest

from processors.health.logic import impact
from processors.health.logic.breaker import Breaker, MoveReason
from schemas import topics
from schemas.agents import BreakerAction, ProbeRequest
from schemas.fields import BreakerState, TurnResult
from tests.endpoints import SECOND, START, Bench

TIMEOUT, RATE_LIMITED, OK = TurnResult.TIMEOUT, TurnResult.RATE_LIMITED, TurnResult.OK
HALF_OPEN = BreakerState.HALF_OPEN


def busy(contacts: int, **breaker: object) -> Bench:
    """So many contacts under way, and failures until it is degraded."""
    bench = Bench(**breaker)
    bench.turns_of(contacts, 0.0, turn=1)
    while not bench.path:
        bench.turn(0.0, RATE_LIMITED, intent=f"i-{bench.turns}")
    assert bench.path == ["degraded"]
    return bench


@pytest.mark.parametrize(("contacts", "cap"), [(0, None), (1, None), (2, 1), (10, 7), (100, 70)])
def test_a_stressed_agent_gets_seven_tenths_of_what_it_had_at_once(contacts: int, cap: int | None) -> None:
    bench = busy(contacts, minimum_outcomes=1000)
    assert bench.transitions[-1].most_at_once == cap
    assert bench.transitions[-1].evidence.in_flight == contacts


def test_a_cap_is_lowered_after_each_window_in_which_it_did_not_help() -> None:
    bench, caps = busy(20), []
    for second in range(2, 400):
        bench.turns_of(3, float(second))
        bench.turns_of(1, float(second), RATE_LIMITED, intent=f"i-{second}")
        caps = [(t.occurred_at - START) / SECOND for t in bench.transitions if t.reason == "cap_lowered"]
    assert [t.most_at_once for t in bench.transitions] == [14, 9, 6, 4, 2, 1]
    assert all(later - earlier >= 60.0 for earlier, later in zip([0.0, *caps], caps, strict=False))
    assert set(bench.path) == {"degraded"}


def test_a_cap_is_not_lowered_where_no_signal_of_stress_is_at_its_limit() -> None:
    # 12 % of failures: not recovered, and not at the limit either once the score has come down
    bench = busy(20)
    for second in range(2, 200):
        bench.turns_of(29, float(second))
        bench.turn(float(second), RATE_LIMITED, intent=f"i-{second}")
        if bench.path[-1] == "closed":
            break
    assert "cap_lowered" not in bench.reasons


def test_a_lowered_cap_does_not_put_the_recovery_off() -> None:
    bench = busy(20)
    for second in range(2, 62):
        bench.turns_of(2, float(second))
        bench.turn(float(second), RATE_LIMITED, intent=f"i-{second}")
    assert bench.reasons[-1] == "cap_lowered"
    since = bench.breaker().changed_at
    assert since == bench.transitions[0].occurred_at
    for second in range(62, 200):
        bench.turns_of(3, float(second))
    assert bench.path[-1] == "closed"
    assert (bench.transitions[-1].occurred_at - START) / SECOND < 125.0


def test_a_quality_below_target_caps_nothing() -> None:
    bench = Bench()
    bench.turns_of(20, 0.0, turn=1, quality=0.5)
    assert bench.reasons == ["quality"]
    assert bench.transitions[0].most_at_once is None


def test_after_an_outage_contacts_come_back_by_a_ramp_that_is_slower_each_time() -> None:
    bench, second, ramps = Bench(open_jitter=0.0), 0.0, []
    for _ in range(7):
        woken = bench.half_opened(second)
        while bench.breaker().state is HALF_OPEN:
            bench.turn(woken + 1.0)
        last = bench.transitions[-1]
        ramps.append((last.ramp_seconds, last.ramp_from))
        second = woken + 2.0
    assert ramps == [(60.0 * times, 0.2) for times in (1, 2, 3, 4, 5, 5, 5)]


def test_after_a_cap_the_rest_comes_back_by_a_ramp_and_after_no_cap_at_once() -> None:
    for contacts, expected in ((20, (60.0, 0.7)), (0, (0.0, 1.0))):
        bench = busy(contacts)
        bench.order(BreakerAction.CLOSE, 2.0)
        assert (bench.transitions[-1].ramp_seconds, bench.transitions[-1].ramp_from) == expected


def test_a_close_by_command_ramps_and_a_policy_without_a_ramp_has_none() -> None:
    for seconds, expected in ((40.0, (40.0, 0.5)), (0.0, (0.0, 1.0))):
        bench = Bench(ramp_seconds=seconds, ramp_from=0.5).opened()
        bench.order(BreakerAction.CLOSE, 2.0)
        assert (bench.transitions[-1].ramp_seconds, bench.transitions[-1].ramp_from) == expected
    assert all(t.ramp_seconds == 0.0 for t in bench.transitions if t.to_state is not BreakerState.CLOSED)


def test_a_flapping_agent_must_succeed_two_and_three_times_as_often_and_no_more() -> None:
    bench, second, needed = Bench(open_jitter=0.0), 0.0, []
    for _ in range(5):
        woken = bench.half_opened(second)
        before = bench.turns
        while bench.breaker().state is HALF_OPEN:
            bench.turn(woken + 1.0)
        needed.append(bench.turns - before)
        second = woken + 2.0
    assert needed == [5, 10, 15, 15, 15]


def answered(bench: Bench, request: ProbeRequest, second: float, result: TurnResult = OK) -> None:
    bench.turn(
        second, result, synthetic=True, interaction_id=request.probe_id, breaker_epoch=request.breaker_epoch, turn=1,
        intent="probe", version=request.version,
    )  # fmt: skip


def test_a_probe_is_wished_for_only_after_permits_that_met_nobody_and_once_a_renewal() -> None:
    bench = Bench()
    woken = bench.half_opened()
    bench.turn(woken + 1.0)
    for tenth in range(10, 400):
        bench.tick(woken + tenth / 10)
    renewals = [t for t in bench.transitions if t.reason == "probes_renewed"]
    # 5 s: one was heard. 10 s, 20 s later: nobody.
    assert [probe.breaker_epoch for probe in bench.probes] == [t.epoch for t in renewals[1:]]
    assert len(bench.probes) == len({probe.probe_id for probe in bench.probes}) == 2
    first = bench.probes[0]
    assert (first.tenant, first.provider, first.endpoint, first.version) == ("acme", "north", "nova", "1")
    assert first.expires_at == renewals[2].occurred_at
    assert topics.PROBES.key_of(first) == "acme/nova"


def test_probe_ids_are_the_same_in_a_replay_and_differ_between_agents() -> None:
    ids = []
    for endpoint in ("nova", "nova", "vega"):
        bench = Bench()
        bench.turns_of(5, 0.0, TIMEOUT, endpoint=endpoint)
        for second in range(100):
            bench.tick(float(second))
        ids.append([probe.probe_id for probe in bench.probes])
    assert ids[0] == ids[1]
    assert ids[0]
    assert not set(ids[0]) & set(ids[2])


def test_a_policy_without_synthetic_probes_and_one_that_does_not_know_the_agent() -> None:
    without, unknown = Bench(synthetic_probes=False), Bench(known=False)
    for bench in (without, unknown):
        bench.half_opened()
        for second in range(100):
            bench.tick(float(second))
    assert without.probes == []
    assert unknown.probes[0].version == ""


def test_synthetic_probes_alone_bring_an_agent_back() -> None:
    bench = Bench(half_open_successes=2)
    woken, done = bench.half_opened(), 0
    for second in range(1, 200):
        bench.tick(woken + second)
        for request in bench.probes[done:]:
            answered(bench, request, woken + second + 0.5)
        done = len(bench.probes)
    assert bench.path[-1] == "closed"
    assert bench.impacts[-1].displaced == ()
    assert bench.transitions[-1].evidence.in_flight == 0


def test_a_synthetic_probe_that_times_out_as_it_expires_opens_again() -> None:
    bench = Bench()
    woken = bench.half_opened()
    for second in range(1, 20):
        bench.tick(woken + second)
    request = bench.probes[0]
    at = (request.expires_at - START) / SECOND
    bench.tick(at)
    answered(bench, request, at, TIMEOUT)
    assert bench.reasons[-1] == "probe_failed"
    assert bench.path[-1] == "open"


def test_a_synthetic_outcome_in_normal_traffic_or_of_an_outage_before_is_ignored() -> None:
    bench = Bench()
    woken = bench.half_opened()
    for second in range(1, 20):
        bench.tick(woken + second)
    request = bench.probes[0]
    bench.order(BreakerAction.CLOSE, woken + 20.0)
    before = dict(bench.state.entries)
    for _ in range(9):
        answered(bench, request, woken + 21.0, TIMEOUT)
        answered(bench, msgspec.structs.replace(request, breaker_epoch=99), woken + 21.0, TIMEOUT)
    assert bench.state.entries == before
    again = bench.half_opened(woken + 30.0)
    answered(bench, request, again + 1.0)
    assert bench.breaker().successes == 0


def test_confidence_is_the_chance_that_a_count_is_right_to_a_fifth() -> None:
    found = [impact.confidence(contacts) for contacts in (0, 1, 10, 50, 100, 400, 10_000)]
    assert found == sorted(found)
    assert found[0] == 0.0
    # Of 100 contacts one standard deviation is a tenth: a fifth is two of them.
    assert found[4] == pytest.approx(0.954, abs=0.01)
    assert found[-1] == 1.0


def test_an_impact_says_on_how_many_contacts_it_rests() -> None:
    bench = Bench()
    for second in range(30):
        bench.turn(float(second), turn=1)
    bench.turns_of(5, 30.0, TIMEOUT)
    assert bench.impacts[-1].contacts_counted == 30
    assert bench.impacts[-1].confidence == impact.confidence(30)


@pytest.mark.parametrize("state", ["closed", "degraded", "open", "half_open", "forced_open"])
def test_a_reset_closes_and_forgets_all_that_was_learnt(state: str) -> None:
    bench = Bench()
    for second in range(100):
        bench.turns_of(4, float(second), latency_ms=500.0)
    bench.turn(100.0, RATE_LIMITED, retry_after_seconds=60.0)
    if state == "degraded":
        bench.turns_of(20, 100.0, quality=0.1)
    elif state == "open":
        bench.opened(100.0)
    elif state == "half_open":
        bench.half_opened(100.0)
    elif state == "forced_open":
        bench.order(BreakerAction.FORCE_OPEN, 100.0)
    assert bench.breaker().state.value == state
    bench.order(BreakerAction.RESET, 200.0, by="kim")
    assert bench.breaker().state is BreakerState.CLOSED
    if state != "closed":
        assert (bench.transitions[-1].by, bench.transitions[-1].detail) == ("kim", "drill")
    left = {name.split("\x1f")[0] for name in bench.state.entries}
    assert not left & {"signals", "latency", "retry", "second"}
    # Twice as slow as before is normal now, and four failures are none too many.
    for second in range(201, 300):
        bench.turns_of(4, float(second), latency_ms=1500.0)
    assert bench.breaker().state is BreakerState.CLOSED
    moves = len(bench.transitions)
    bench.order(BreakerAction.RESET, 300.0)
    assert len(bench.transitions) == moves


def test_a_state_stored_by_an_older_version_is_read() -> None:
    bench = Bench().opened()
    name = "breaker\x1fnova"
    bench.state.set(name, bench.state.get(name)[:15])
    bench.tick(400.0)
    assert bench.path == ["open", "half_open"]
    assert bench.breaker().shed == Breaker().shed
    assert MoveReason(bench.reasons[-1]) is MoveReason.OPEN_ELAPSED
