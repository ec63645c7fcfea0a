"""What the simulator reads: files, options, its policy."""

from __future__ import annotations

import csv
from collections import Counter
from datetime import date
from pathlib import Path

import pytest
from click.testing import CliRunner

from runtime.errors import SettingsError
from schemas.codec import Codec
from schemas.control import FaultKind
from schemas.rules import Triggers
from simulator.agents import FAILURES_TO_GIVE_UP
from simulator.arrivals import midnight, read_intervals
from simulator.cli import simulate, simulate_fault
from simulator.options import Options, PlannedFault, parse_fault, parse_people
from simulator.people import HANDLE_SECONDS
from simulator.policies import DEFAULT_QUEUE, demo_policy
from simulator.report import Progress, describe_missing
from simulator.utterances import read_utterances

SEED_FILE = Path(__file__).parents[2] / "router" / "classify" / "seed" / "utterances.csv"
DAY = date(1999, 3, 1)
HALF_HOUR = 1800 * 1_000_000


def arrivals_file(folder: Path, text: str) -> Path:
    path = folder / "arrivals.csv"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_day_is_cut_out_of_the_arrivals_file_in_utc(tmp_path: Path) -> None:
    path = arrivals_file(
        tmp_path,
        "interval_start,calls\n1999-02-28T23:30,9\n1999-03-01T00:30,2.5\n1999-03-01T00:00,1\n"
        "1999-03-01T02:00+01:00,4\n1999-03-02T00:00,7\n",
    )
    start = midnight(DAY)
    assert start == 920_246_400 * 1_000_000  # date -u -d 1999-03-01 +%s
    assert read_intervals(path, DAY) == [
        (start, start + HALF_HOUR, 1.0),
        (start + HALF_HOUR, start + 2 * HALF_HOUR, 2.5),
        (start + 2 * HALF_HOUR, start + 3 * HALF_HOUR, 4.0),
    ]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("when,calls\n1999-03-01T00:00,1\n", "needs the columns"),
        ("interval_start,calls\n", "no rows"),
        ("interval_start,calls\n1999-03-01T00:00,many\n", "line 2"),
        ("interval_start,calls\n1999-03-01T00:00,-1\n", "0 or more"),
        ("interval_start,calls\n1999-03-01T00:00,nan\n", "0 or more"),
        ("interval_start,calls\n1999-04-01T00:00,1\n1999-04-02T00:00,1\n", "covers 1999-04-01 to 1999-04-02"),
    ],
)
def test_an_arrivals_file_of_no_use_is_refused_with_the_reason(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        read_intervals(arrivals_file(tmp_path, text), DAY)


def test_utterances_without_text_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "u.csv"
    path.write_text('intent,text\na,"hello, you"\nb,\nc,   \n', encoding="utf-8")
    assert read_utterances(path) == [("hello, you", "a")]
    path.write_text("text,label\nhello,a\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="text,intent"):
        read_utterances(path)
    path.write_text("text,intent\n", encoding="utf-8")
    with pytest.raises(SettingsError, match="no utterance"):
        read_utterances(path)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_utterances(tmp_path / "absent.csv")


def test_the_package_brings_utterances_of_at_least_25_intents() -> None:
    assert len({row.intent for row in read_utterances()}) >= 25


def test_the_demo_policy_places_every_intent_of_the_seed_corpus() -> None:
    with SEED_FILE.open(newline="", encoding="utf-8") as file:
        seeded = {row["intent"] for row in csv.DictReader(file)} - {"oos"}
    policy = demo_policy(0)
    placed = Counter(intent for queue in policy.queues for intent in queue.intents)
    by_agent = Counter(intent for endpoint in policy.endpoints for intent in endpoint.intents)
    assert set(placed) == seeded
    assert set(placed.values()) == {1}
    assert set(by_agent) | set(policy.human_only_intents) == seeded
    assert not set(by_agent) & set(policy.human_only_intents)


def test_every_agent_of_the_demo_has_intents_of_its_own_and_shared_ones() -> None:
    policy = demo_policy(0, pace=0.5)
    by_agent = Counter(intent for endpoint in policy.endpoints for intent in endpoint.intents)
    for endpoint in policy.endpoints:
        assert {by_agent[intent] for intent in endpoint.intents} == {1, 2}
    assert len({endpoint.provider for endpoint in policy.endpoints}) == 2
    assert DEFAULT_QUEUE in {queue.queue for queue in policy.queues}
    assert {queue.aht_seconds for queue in policy.queues} == {HANDLE_SECONDS * 0.5}
    assert Codec().decode(Codec().encode(policy)) == policy


def test_the_demo_policy_moves_no_contact_later_than_the_acd_would_and_has_transfers_answered_at_any_speed() -> None:
    escalation = demo_policy(0).escalation
    assert escalation == Triggers(person_asked=True, failures_over=FAILURES_TO_GIVE_UP - 1, breaker_opens=True)
    assert [demo_policy(0, speed=speed).transfer.ack_seconds for speed in (0.5, 60.0, 9000.0)] == [15.0, 60.0, 3600.0]


def test_a_fault_is_read_from_its_text() -> None:
    assert parse_fault("a-bot:outage@20+30") == PlannedFault("a-bot", FaultKind.OUTAGE, 1.0, 20.0, 30.0)
    assert parse_fault("a:errors:0.5@0.5+3") == PlannedFault("a", FaultKind.ERRORS, 0.5, 0.5, 3.0)
    begin, end = parse_fault("a:latency@20+30").orders(1_000_000)
    assert (begin[0], begin[1].kind, begin[1].severity) == (21_000_000, FaultKind.LATENCY, 5.0)
    assert (end[0], end[1].kind) == (51_000_000, FaultKind.NONE)


@pytest.mark.parametrize(
    "text", ["", "a:outage", "a:outage@20", "a:none@1+2", "a:fire@1+2", "a:errors:x@1+2", ":outage@1+2"]
)
def test_what_is_no_fault_is_refused(text: str) -> None:
    with pytest.raises(SettingsError, match="is no fault"):
        parse_fault(text)


def test_people_are_read_from_their_text() -> None:
    assert parse_people(("a=3", "b=c=4")) == {"a": 3, "b=c": 4}
    with pytest.raises(SettingsError, match="QUEUE=N"):
        parse_people(("a",))


@pytest.mark.parametrize(
    "given",
    [
        {"speed": 0.0},
        {"pace": -1.0},
        {"offer_twice": 1.5},
        {"change_matter": -0.1},
        {"qa_share": 1.1},
        {"rated_share": -1.0},
        {"qa_after_seconds": -1.0},
        {"callback_seconds": 0.0},
        {"arrivals": Path("x.csv")},
        {"arrivals": Path("x.csv"), "day": DAY, "rate_per_second": 1.0},
    ],
)
def test_options_that_contradict_each_other_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(SettingsError):
        Options(**given)


def test_the_drain_lasts_longer_at_a_slow_speed_unless_it_is_given() -> None:
    assert Options().drain_limit_seconds == 1860.0
    assert Options(speed=600.0).drain_limit_seconds == 63.0
    assert Options(callback_seconds=1900.0, pace=0.5).drain_limit_seconds == 60 + 0.5 * 2800
    assert Options(drain_seconds=5.0).drain_limit_seconds == 5.0


def test_what_is_missing_is_said_by_where_it_is() -> None:
    progress = Progress(0, False, 9, 0, 7, 3, 2, 1, 1, {"care": 2, "orders": 0}, {}, 0)
    said = describe_missing(progress, ["run-000008"])
    assert "2 contacts have no decision (such as run-000008)" in said
    assert "1 contacts are with AI" in said
    assert "2 contacts wait for a person" in said
    spilled = Progress(0, False, 9, 0, 9, 3, 0, 0, 0, {}, {}, 0, held=4, to_call_back=2)
    assert describe_missing(spilled, []) == "4 contacts are held; 2 contacts are to be called back"
    assert describe_missing(Progress(0, False, 1, 0, 1, 1, 0, 0, 0, {}, {}, 0), []) == ""


def test_the_commands_refuse_bad_options_before_they_talk_to_kafka() -> None:
    shown = CliRunner().invoke(simulate, ["--arrivals", str(SEED_FILE)])
    assert isinstance(shown.exception, SettingsError)
    assert CliRunner().invoke(simulate_fault, ["a-bot", "fire"]).exit_code == 2
