"""The health suite's own arithmetic: its agents are what they are said to be, its rules do what is documented."""

from __future__ import annotations

import collections
import json
import math
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from bench import health
from bench.fleet.contacts import (
    SECOND,
    Flag,
    Happening,
    Kind,
    instant,
)
from bench.fleet.parameters import scenarios
from bench.fleet.rules import LiteLLM, Resilience4j
from bench.fleet.runs import RULES, Job, Run, Seat, Stretch, Watched, play, watch
from bench.fleet.scores import detected, false_alarms, quantile, recovers, score
from schemas.fields import BreakerState
from tests.fleets import CLOSED, DEGRADED, HALF_OPEN, OPEN, arrival, call, hears, states

# The peers' rules.


def test_resilience4j_wants_a_hundred_calls_and_opens_at_half_of_them() -> None:
    rule = Resilience4j()
    hears(rule, 1.0, *[True] * 99)
    assert states(rule) == []
    hears(rule, 1.0, False)
    assert states(rule) == [OPEN]

    below = Resilience4j()
    hears(below, 1.0, *[True] * 49, *[False] * 51)
    assert states(below) == []
    hears(below, 1.0, *[False] * 49)  # 49 failures have left, and none has come
    hears(below, 1.0, *[True] * 49)
    assert states(below) == []
    hears(below, 1.0, True)
    assert states(below) == [OPEN]


def test_resilience4j_lets_ten_in_after_a_minute_and_their_rate_decides() -> None:
    # 0 s: open ... 59.9 s: nobody ... 60 s: ten, no eleventh; half of them fail: open for another minute
    rule = Resilience4j()
    hears(rule, 0.0, *[True] * 100)
    assert rule.admit(arrival(59.9)) is None
    assert [rule.admit(arrival(60.0)) for _ in range(11)] == [0] * 10 + [None]
    hears(rule, 61.0, *[True] * 5, *[False] * 4)
    assert states(rule) == [OPEN, HALF_OPEN]
    hears(rule, 61.0, False)
    assert states(rule) == [OPEN, HALF_OPEN, OPEN]
    assert rule.admit(arrival(120.9)) is None
    assert rule.admit(arrival(121.0)) == 0
    hears(rule, 122.0, *[True] * 4, *[False] * 6)
    assert states(rule)[2:] == [OPEN, HALF_OPEN, CLOSED]
    hears(rule, 122.0, *[True] * 99)
    assert states(rule)[-1] is CLOSED


def test_resilience4j_counts_nothing_while_it_is_open() -> None:
    rule = Resilience4j()
    hears(rule, 0.0, *[True] * 100)
    hears(rule, 1.0, *[True] * 50)
    rule.admit(arrival(60.0))
    hears(rule, 61.0, *[False] * 10)
    assert states(rule) == [OPEN, HALF_OPEN, CLOSED]


def test_litellm_wants_five_calls_and_more_than_half_failed() -> None:
    rule = LiteLLM()
    hears(rule, 30.0, *[True] * 4)
    assert states(rule) == []
    hears(rule, 30.0, True)
    assert states(rule) == [OPEN]

    half = LiteLLM()
    hears(half, 30.0, *[False] * 3, *[True] * 3)
    assert states(half) == []
    hears(half, 30.0, True)
    assert states(half) == [OPEN]


def test_litellm_cools_down_for_five_seconds_and_again_with_the_next_failure_of_that_minute() -> None:
    rule = LiteLLM()
    hears(rule, 30.0, *[True] * 5)
    assert rule.admit(arrival(34.9)) is None
    hears(rule, 34.9, True)
    assert rule.admit(arrival(35.0)) == 0
    assert [(move.at, move.state) for move in rule.moves] == [(instant(30.0), OPEN), (instant(35.0), CLOSED)]
    hears(rule, 36.0, True)
    assert states(rule) == [OPEN, CLOSED, OPEN]


def test_litellm_begins_anew_with_the_clocks_minute() -> None:
    minute = (60 - instant(0.0) // SECOND % 60) + 60.0
    rule = LiteLLM()
    hears(rule, minute - 1.0, *[True] * 4)
    hears(rule, minute, True)
    assert states(rule) == []
    hears(rule, minute + 1.0, *[True] * 4)
    assert states(rule) == [OPEN]


@pytest.mark.parametrize("rule", [Resilience4j, LiteLLM])
def test_the_peers_are_told_of_calls_alone(rule: type[Resilience4j] | type[LiteLLM]) -> None:
    deaf = rule()
    for number in range(300):
        for what in (Kind.ENDED, Kind.GRADED, Kind.SURVEYED):
            deaf.hear(call(1.0, True, number)._replace(kind=what), 0)
    assert deaf.moves == []


# The runs.


def test_a_rule_hears_nothing_of_a_contact_that_it_did_not_let_in() -> None:
    class Every2nd:
        name = "every second"
        supervised = False

        def __init__(self) -> None:
            self.moves: list[Any] = []
            self.heard: list[tuple[int, int]] = []

        def admit(self, arrival: Happening) -> int | None:
            return arrival.contact if arrival.contact % 2 else None

        def hear(self, happening: Happening, epoch: int) -> None:
            self.heard.append((happening.contact, epoch))

        def tick(self, now: int) -> None:
            pass

    rule = Every2nd()
    seat = Seat(rule)
    arrivals = [arrival(1.0, contact)._replace(flags=int(Flag.HARMED)) for contact in range(4)]
    watch([seat], [*arrivals, *(call(2.0, False, contact) for contact in range(4))])
    assert rule.heard == [(1, 1), (3, 3)]
    assert (seat.contacts, seat.outcomes, seat.harmed, seat.unwatched) == (2, 2, 2, 2)


def test_a_hard_outage_is_noticed_by_every_rule_and_harms_fewer_contacts_the_sooner_it_is() -> None:
    run = play(Job("hard_outage_5", 1))
    assert run.begins is not None
    found = {rule: detected(run.watched[rule].stretches, run.begins) for rule in RULES}
    assert found["trunkline"] < 3.0
    assert all(math.isfinite(seconds) for seconds in found.values())
    assert run.watched["trunkline"].harmed < run.watched["litellm"].harmed


# The scores.


def stretches(*moves: tuple[float, BreakerState]) -> tuple[Stretch, ...]:
    return tuple(Stretch(at, state, "test") for at, state in moves)


def run_of(*moves: tuple[float, BreakerState], **changes: Any) -> Run:
    """A run of 1,000 s whose fault begins at 600 s, in which every rule did the same."""
    watched = Watched(stretches(*moves), contacts=100, outcomes=200, harmed=7, unwatched=5)
    about = {"scenario": "errors_30", "seed": 1000, "seconds": 1000.0, "begins": 600.0, "ends": None}
    return Run(**{**about, "first_label": None, "watched": dict.fromkeys(RULES, watched), **changes})


@pytest.mark.parametrize(
    ("moves", "seconds"),
    [
        ([], math.inf),
        ([(610.0, DEGRADED)], 10.0),
        ([(600.0, OPEN)], 0.0),
        ([(590.0, OPEN), (595.0, CLOSED), (612.0, OPEN)], 12.0),
        ([(590.0, DEGRADED)], math.inf),  # it stood before: it detects nothing
        ([(590.0, DEGRADED), (620.0, CLOSED), (640.0, OPEN)], 40.0),
    ],
)
def test_detection_is_the_first_move_out_of_closed_after_the_fault_began(moves: Any, seconds: float) -> None:
    assert detected(stretches(*moves), 600.0) == seconds


@pytest.mark.parametrize(
    ("moves", "degraded", "opened"),
    [
        ([], 0, 0),
        ([(100.0, DEGRADED), (200.0, CLOSED), (300.0, DEGRADED)], 2, 0),
        ([(100.0, DEGRADED), (110.0, OPEN), (140.0, HALF_OPEN), (141.0, OPEN), (200.0, HALF_OPEN)], 1, 1),
        ([(100.0, OPEN), (140.0, HALF_OPEN), (150.0, CLOSED), (160.0, OPEN)], 0, 2),
        ([(601.0, DEGRADED), (602.0, OPEN)], 0, 0),
    ],
)
def test_false_alarms_are_counted_once_each_and_only_while_the_agent_is_well(
    moves: Any, degraded: int, opened: int
) -> None:
    assert false_alarms(run_of(*moves), "trunkline") == (degraded, opened)


def test_a_healthy_run_is_well_to_its_end() -> None:
    assert false_alarms(run_of((999.0, DEGRADED), begins=None), "trunkline") == (1, 0)


def test_false_alarms_a_week_are_by_the_healthy_time_that_was_simulated() -> None:
    of = score([run_of((1.0, DEGRADED)), run_of()], "trunkline")
    assert of.healthy_weeks == pytest.approx(1200.0 / 604_800.0)
    assert of.false_degraded_per_week == pytest.approx(604_800.0 / 1200.0)
    assert of.false_open_per_week == 0.0


@pytest.mark.parametrize(
    ("moves", "seconds"),
    [
        ([(610.0, OPEN), (705.0, HALF_OPEN), (710.0, CLOSED)], 10.0),
        ([(610.0, OPEN), (650.0, HALF_OPEN), (660.0, CLOSED)], 0.0),
        ([(610.0, OPEN)], math.inf),
        ([(610.0, OPEN), (720.0, CLOSED), (730.0, OPEN), (740.0, CLOSED)], 20.0),
        ([], 0.0),
        ([(610.0, OPEN), (660.0, CLOSED), (720.0, DEGRADED), (800.0, CLOSED)], 0.0),
    ],
)
def test_recovery_is_the_first_time_in_closed_from_the_faults_end_on(moves: Any, seconds: float) -> None:
    assert recovers(stretches(*moves), 700.0, 1000.0) == seconds


def test_a_missed_run_is_infinite_so_that_the_95th_percentile_is_null_above_one_in_twenty() -> None:
    hits = [run_of((600.0 + seconds, DEGRADED)) for seconds in range(1, 20)]
    nineteen = score([*hits, run_of()], "trunkline")
    assert (nineteen.missed, nineteen.detect_median_seconds, nineteen.detect_p95_seconds) == (1, 10.0, 19.0)
    eighteen = score([*hits[:18], run_of(), run_of()], "trunkline")
    assert (eighteen.missed, eighteen.detect_median_seconds, eighteen.detect_p95_seconds) == (2, 10.0, None)
    none = score([run_of()], "trunkline")
    assert (none.missed, none.detect_median_seconds) == (1, None)


def test_silence_is_measured_from_the_first_label() -> None:
    of = score([run_of((1300.0, DEGRADED), first_label=1210.0, seconds=2000.0)], "trunkline")
    assert (of.detect_median_seconds, of.labelled_median_seconds) == (700.0, 90.0)


def test_a_quantile_is_a_value_that_occurred() -> None:
    assert quantile([3.0, 1.0, 2.0, 4.0], 0.5) == 2.0
    assert quantile([], 0.5) is None


# The suite.


def test_the_suite_plays_every_scenario_on_seeds_from_a_thousand_on() -> None:
    todo = health.jobs(quick=False)
    counts = collections.Counter(job.scenario for job in todo)
    assert set(counts) == set(scenarios())
    assert {counts[name] for name in counts if name.startswith("healthy")} == {28}
    assert {counts[name] for name in counts if not name.startswith("healthy")} == {200}
    assert min(job.seed for job in todo) == 1000
    assert len(set(todo)) == len(todo)
    assert len(health.jobs(quick=True)) < 60


def test_the_file_has_the_scenarios_by_name_and_rule_and_is_plain_json(tmp_path: Path) -> None:
    runs = {
        "errors_30": [run_of((610.0, DEGRADED), (620.0, OPEN)), run_of()],
        "silent_wrong": [run_of()],
        "healthy_5": [run_of((1.0, OPEN), begins=None)],
    }
    report = health.report(runs)
    report.publish(tmp_path)
    read = msgspec.json.decode((tmp_path / "health.json").read_bytes())
    assert set(read["scenarios"]) == set(runs)
    for rules in read["scenarios"].values():
        assert set(rules) == set(RULES)
        for said in rules.values():
            assert {
                "detect_median_seconds", "detect_p95_seconds", "missed", "false_degraded_per_week",
                "false_open_per_week",
            } <= set(said)  # fmt: skip
    assert read["scenarios"]["errors_30"]["trunkline"]["detect_median_seconds"] == 10.0
    assert read["scenarios"]["errors_30"]["trunkline"]["detect_p95_seconds"] is None
    assert read["scenarios"]["healthy_5"]["trunkline"]["detect_median_seconds"] is None
    assert [goal["met"] for goal in read["goals"]] == [False, False, True, False]
    assert (tmp_path / "health.png").stat().st_size > 0
    assert "Infinity" not in json.dumps(report.as_json())


def test_the_table_has_a_line_for_each_rule_in_each_scenario(capsys: pytest.CaptureFixture[str]) -> None:
    health.report({"errors_30": [run_of((610.0, DEGRADED))], "healthy_5": [run_of(begins=None)]}).print_table()
    printed = capsys.readouterr().out
    assert all(printed.count(rule) == 2 for rule in RULES)
    assert "healthy_5: 100 contacts and 200 outcomes" in printed
    assert "All goals are met." in printed


def test_one_scenario_can_be_played_by_itself() -> None:
    said = CliRunner().invoke(
        health.tune,
        ["--scenario", "low_volume", "--runs", "2", "--rule", "litellm", "--processes", "1"],
        catch_exceptions=False,
    )
    assert said.exit_code == 0
    assert "low_volume, seeds 0 to 1, litellm" in said.output
    assert "missed                     0" in said.output
