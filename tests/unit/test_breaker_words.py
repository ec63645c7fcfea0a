"""What operators read of a transition and of its impact."""

from __future__ import annotations

import msgspec
import pytest

from processors.breakers.listing import history, history_as_json
from processors.breakers.logic.words import (
    cause,
    duration,
    impact_lines,
    laid_out,
    planned_lines,
    table,
    transition_lines,
)
from schemas.agents import LatencySummary, Transition
from schemas.control import Endpoint
from schemas.fields import Channel
from schemas.rules import Maintenance
from schemas.wfm import Displaced, DurationSource, Impact, ImpactCause
from tests.breakers import CLOSED, DEGRADED, FORCED_OPEN, HALF_OPEN, OPEN, SECOND, course, seen


def said(made: Transition, now: float = 0.0) -> str:
    return "\n".join(laid_out(transition_lines(made, round(now * SECOND))))


def last(state: object, **changes: object) -> Transition:
    return msgspec.structs.replace(course((0, CLOSED))[0], to_state=state, **changes)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0, "0.0 s"),
        (59.94, "59.9 s"),
        (60.0, "1 min"),
        (250.4, "4 min 10 s"),
        (3_600.0, "1 h"),
        (7_530.0, "2 h 5 min"),
        (86_400.0, "1 d"),
        (273_600.0, "3 d 4 h"),
    ],
)
def test_times_are_told_in_their_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


def test_the_cause_names_who_ordered_it() -> None:
    assert cause(last(FORCED_OPEN, reason="forced_by_command", detail="drill", by="ann")) == (
        "forced_by_command: drill (by ann)"
    )
    assert cause(last(OPEN, reason="failure_rate")) == "failure_rate"


def test_the_evidence_is_told_with_its_sample_size_and_the_false_alarm_rate_of_its_signal() -> None:
    evidence = seen(
        outcomes=12, failures=3, failure_rate=0.25, consecutive_failures=1, posterior_mean=0.182,
        failures_by_result={"timeout": 2, "server_error": 1, "rate_limited": 0}, signal="unresolved", observations=40,
        adverse=9, statistic=6.21, limit=6.0, false_alarm_observations=250_000.0, latency_mean_ms=1812.0,
        latency_baseline_ms=800.0, quality_mean=0.93, in_flight=14, tokens_per_outcome=230.4,
        latencies=(LatencySummary(channel=Channel.CHAT, answers=40, p50_ms=700.0, p95_ms=1400.0, p99_ms=2000.0),),
    )  # fmt: skip
    told = said(last(DEGRADED, evidence=evidence))
    for line in (
        "window:      12 outcomes in 60 s, 3 failed (25.0%: server_error 1, timeout 2), 1 in a row at its end",
        "posterior:   failure rate 0.182, from 12 outcomes",
        "latency:     mean 1,812 ms, normally 800 ms",
        "latency:     chat: p50 700 ms, p95 1,400 ms, p99 2,000 ms, of 40 answers",
        "quality:     mean 0.930",
        "load:        14 contacts at once, 230 tokens an outcome",
    ):
        assert f"  {line}\n" in f"{told}\n"
    signal = (
        "signal:      unresolved: 9 of 40 observations were against it, statistic 6.21 at a limit of 6, which an agent"
    )
    assert f"  {signal} that is well reaches once in 250,000 observations\n" in told


def test_what_was_not_seen_is_not_told() -> None:
    told = said(last(OPEN))
    assert "0 outcomes in 60 s, 0 failed (0.0%)\n" in told
    assert not any(word in told for word in ("signal", "latency", "quality", "load", "shed", "cap", "ramp", "probes"))


def test_what_holds_while_a_transition_stands_is_told() -> None:
    shed = said(last(DEGRADED, shed_intents=("refund", "dispute"), intents_only=True, most_at_once=20))
    assert "shed:        it does not get refund, dispute; it is well for all others" in shed
    assert "cap:         at most 20 contacts at once" in shed
    assert "the others are watched" in said(last(DEGRADED, shed_intents=("refund",)))
    ramped = last(CLOSED, ramp_seconds=60.0, ramp_from=0.2)
    assert "from 20% to all of its contacts in 1 min; now 60%" in said(ramped, 30)
    assert "now 100%" in said(ramped, 600)
    opened = said(last(OPEN, open_until=30 * SECOND), 10)
    assert "open until:  1970-01-01T00:00:30Z (in 20.0 s)" in opened
    tried = said(last(HALF_OPEN, probe_permits=(1, 0, 2), probes_expire_at=60 * SECOND), 70)
    assert "probes:      3 contacts on trial, good until 1970-01-01T00:01:00Z (10.0 s ago)" in tried


def impact(**changes: object) -> Impact:
    base = Impact(
        tenant="acme", provider="north", endpoint="nova", state=OPEN, epoch=3, expected_seconds_p50=300.0,
        expected_seconds_p90=1800.0, duration_samples=0, occurred_at=0, contacts_counted=25, confidence=0.68,
        displaced=(
            Displaced(queue="retail", intent="balance", contacts_per_minute=4.0, alternatives=("vega",)),
            Displaced(queue="cards", intent="card_lost", contacts_per_minute=0.5),
            Displaced(queue="retail", intent="refund", contacts_per_minute=1.0),
        ),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def test_an_impact_is_told_by_queue_with_what_its_expectation_is_from() -> None:
    told = "\n".join(laid_out(impact_lines(impact())))
    for line in (
        "carried:     0.50 contacts/min of queue cards: card_lost 0.50",
        "carried:     5.00 contacts/min of queue retail: balance 4.00, which vega may have too, refund 1.00",
        "confidence:  25 contacts counted, right to a fifth with probability 0.68",
        "expected:    5 min (p50), 30 min (p90), from a prior: no outage of it is over yet (0 samples)",
        "told WFM:    1970-01-01T00:00:00Z, breaker open, epoch 3",
    ):
        assert f"  {line}\n" in f"{told}\n"
    nothing = "\n".join(laid_out(impact_lines(impact(displaced=()))))
    assert "nothing that was seen" in nothing
    assert "confidence" not in nothing


@pytest.mark.parametrize("source", DurationSource)
def test_every_source_of_a_duration_has_words(source: DurationSource) -> None:
    assert any("(0 samples)" in line for _, line in impact_lines(impact(duration_source=source)))


def test_planned_maintenance_is_told_while_it_is_not_over() -> None:
    window = Maintenance(starts="1970-01-01T01:00:00Z", ends="1970-01-01T02:00:00Z", reason="new version")
    nova = Endpoint(endpoint="nova", provider="north", version="7", intents=(), maintenance=(window,))
    told = [list(planned_lines(nova, hour * 3_600 * SECOND)) for hour in (0, 1, 2)]
    assert "in 1 h: new version" in told[0][0][1]
    assert "under way: new version" in told[1][0][1]
    assert told[2] == []
    planned = impact(cause=ImpactCause.MAINTENANCE, starts_at=0, ends_at=60 * SECOND)
    assert ("maintenance", "1970-01-01T00:00:00Z to 1970-01-01T00:01:00Z") in list(impact_lines(planned))


def test_a_history_tells_how_long_each_state_stood_and_adds_the_states_up() -> None:
    moves = course((0, DEGRADED), (10, OPEN), (40, HALF_OPEN), (50, HALF_OPEN), (60, CLOSED))
    told = list(history(moves, 90 * SECOND))
    assert [line.partition("  for ")[2].rsplit("  ", 1)[0].strip() for line in told[:-1]] == [
        "10.0 s", "30.0 s", "10.0 s", "10.0 s", "30.0 s so far"
    ]  # fmt: skip
    assert "half_open -> half_open  epoch 4" in told[3]
    assert told[-1] == "since its first move: closed 30.0 s, degraded 10.0 s, open 30.0 s, half_open 20.0 s"
    assert [msgspec.json.decode(line)["seconds"] for line in history_as_json(moves, 90 * SECOND)] == [
        10.0, 30.0, 10.0, 10.0, 30.0
    ]  # fmt: skip
    assert list(history((), 0)) == []


def test_columns_are_aligned_and_the_last_is_not_padded() -> None:
    assert list(table([("a", "bb", "c"), ("aaa", "b", "")])) == ["a    bb  c", "aaa  b"]
    assert list(table([])) == []
