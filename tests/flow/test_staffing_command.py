"""`trunkline wfm staffing`: people for a load, without Kafka."""

from __future__ import annotations

from typing import Any

import pytest

from tests.flow.command import answered, trunkline

LOAD = ("--contacts", "100", "--interval-minutes", "30", "--aht-seconds", "180")


def told(*arguments: str) -> dict[str, Any]:
    return answered("wfm", "staffing", *arguments)


def test_the_least_agents_for_the_usual_target_are_told_with_what_they_give() -> None:
    # The worked example of tests/unit/test_erlang.py: 10 Erlangs.
    answer = told(*LOAD, "--service-level", "0.8", "--within-seconds", "20")
    assert answer == {
        "model": "erlang_c",
        "traffic_erlangs": pytest.approx(10),
        "agents": 14,
        "scheduled": 20,
        "service_level": pytest.approx(0.888, abs=5e-4),
        "occupancy": pytest.approx(0.714, abs=5e-4),
        "asa_seconds": pytest.approx(7.8, abs=0.05),
        "wait_probability": pytest.approx(0.174, abs=5e-4),
        "abandonment": 0.0,
        "meets_targets": True,
    }


def test_agents_may_be_given_and_may_be_too_few() -> None:
    answer = told(*LOAD, "--agents", "9")
    assert (answer["agents"], answer["scheduled"], answer["meets_targets"]) == (9, 13, False)
    assert (answer["asa_seconds"], answer["service_level"], answer["occupancy"]) == (None, 0, 1)
    patient = told(*LOAD, "--agents", "9", "--patience-seconds", "90")
    assert patient["model"] == "erlang_a"
    assert 0 < patient["asa_seconds"] < 90
    assert patient["abandonment"] > 0.1


def test_each_limit_has_its_option() -> None:
    busy = told(*LOAD, "--max-occupancy", "0.5")
    assert (busy["agents"], busy["occupancy"]) == (20, 0.5)
    quick = told(*LOAD, "--max-asa-seconds", "1")
    assert quick["asa_seconds"] <= 1
    kept = told(*LOAD, "--patience-seconds", "60", "--max-abandonment", "0.01")
    assert kept["abandonment"] <= 0.01 < told(*LOAD, "--patience-seconds", "60")["abandonment"]
    assert told(*LOAD, "--shrinkage", "0")["scheduled"] == 14
    assert told(*LOAD, "--concurrency", "3")["agents"] == 5


def test_a_reader_gets_a_block_with_the_target_in_it() -> None:
    done = trunkline("wfm", "staffing", *LOAD)
    assert done.returncode == 0
    assert [line.split()[:2] for line in done.stdout.splitlines()][1:3] == [["agents", "14"], ["scheduled", "20"]]
    assert "the least for 0.8 in 20 s, occupancy at most 0.85" in done.stdout
    assert "too few" in trunkline("wfm", "staffing", *LOAD, "--agents", "9").stdout


def test_help_teaches_by_example() -> None:
    done = trunkline("wfm", "staffing", "--help")
    assert "trunkline wfm staffing --contacts 100 --interval-minutes 30 --aht-seconds 180" in done.stdout
    assert "staffing" in trunkline("wfm", "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--contacts", "100"), "--aht-seconds"),
        (("--contacts", "many", "--aht-seconds", "180"), "many is not a number, 0 or more"),
        (("--contacts", "nan", "--aht-seconds", "180"), "nan is not a number, 0 or more"),
        ((*LOAD, "--aht-seconds", "0"), "0 is not seconds above 0"),
        ((*LOAD, "--service-level", "80"), "such as 0.8 for 80 %"),
        ((*LOAD, "--shrinkage", "1"), "from 0 to under 1"),
        ((*LOAD, "--agents", "-1"), "--agents"),
        ((*LOAD, "--max-abandonment", "0.1"), "give the patience"),
        (("--contacts", "1e12", "--aht-seconds", "180"), "check the units"),
    ],
)
def test_what_makes_no_sense_is_named_with_the_remedy(arguments: tuple[str, ...], named: str) -> None:
    done = trunkline("wfm", "staffing", *arguments, "--json")
    assert done.returncode == 2
    assert done.stdout == ""
    assert named in done.stderr
