"""`trunkline thresholds`: from what became of contacts to a policy that a person may apply."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from runtime.kafka import Writer
from runtime.settings import Settings
from schemas.fields import Handling, Pool
from schemas.topics import CLOSED, Effect
from tests.flow.command import trunkline
from tests.thresholds_truth import centre, closed, history

COSTS = ("--wrong", "20", "--human", "5", "--escalation", "6")
ONE = "intent,channel,segment,confidence,resolved\neasy,chat,gold,0.9,1\n"
POLICY = """\
# acme's own words
tenant: acme
thresholds: {contained: 0.92, assisted: 0.75}
endpoints:
  bot: {provider: north, version: "3", intents: [hopeless, useless, easy]}
queues:
  care: {intents: [hopeless, useless, easy]}
default_queue: care
supervision:
  phase: pilot
  phases:
    pilot: {supervision: full, promote: {contacts: 500, resolved: 0.8, escalated: 0.3}}
"""


def outcomes_of_a_centre() -> list:  # type: ignore[type-arg]
    return [each for each in history(centre(0), 0) if each.intent in ("hopeless", "useless", "easy")]


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    path = tmp_path / "acme.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return path


@pytest.fixture
def lines(tmp_path: Path) -> Path:
    """What `trunkline tail` prints of a centre's contacts, with some that say nothing of AI."""
    events = [closed(handling=Handling.ABANDONED, resolved=None), closed(pool=Pool.HUMAN_EXCLUSIVE)]
    for number, each in enumerate(outcomes_of_a_centre()):
        handling = Handling.AI_CONTAINED if each.resolved else Handling.AI_ESCALATED
        cell = {"intent": each.intent, "channel": each.channel, "segment": each.segment}
        events.append(closed(interaction_id=f"c-{number}", handling=handling, confidence=each.confidence, **cell))
    path = tmp_path / "closed.jsonl"
    path.write_bytes(b"".join(msgspec.json.encode({"type": "Closed", "event": each}) + b"\n" for each in events))
    return path


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "outcomes.csv"
    rows = [
        f"{each.intent},{each.channel},{each.segment},{each.confidence},{int(each.resolved)}"
        for each in outcomes_of_a_centre()
    ]
    path.write_text("\n".join(["intent,channel,segment,confidence,resolved", *rows]) + "\n", encoding="utf-8")
    return path


def test_outcomes_become_a_policy_that_validates(lines: Path, policy: Path, tmp_path: Path) -> None:
    out = tmp_path / "proposed.yaml"
    done = trunkline("thresholds", "fit", str(lines), *COSTS, "--policy", str(policy), "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "hopeless/*/*" in done.stdout
    assert "left out: 1 abandoned, 1 not begun by AI" in done.stdout
    assert "now " in done.stdout
    assert "proposed " in done.stdout
    assert f"nothing is changed: `trunkline policy apply {out}` is yours to give" in done.stderr
    written = out.read_text(encoding="utf-8")
    assert written.startswith("# acme's own words\n")
    assert "hopeless/*/*: {contained: 1.0, assisted: " in written
    assert trunkline("policy", "validate", str(out)).returncode == 0
    again = trunkline("thresholds", "fit", str(lines), *COSTS, "--policy", str(out), "--json")
    made = json.loads(again.stdout)
    assert made["matrix"] == {}
    assert made["now"] == made["proposed"]


def test_a_csv_from_standard_input_gives_the_same_thresholds_as_lines(lines: Path, table: Path, policy: Path) -> None:
    one = trunkline("thresholds", "fit", str(lines), *COSTS, "--json")
    other = trunkline("thresholds", "fit", "-", *COSTS, "--json", given=table.read_text(encoding="utf-8"))
    assert (one.returncode, other.returncode) == (0, 0), one.stderr + other.stderr
    first, second = json.loads(one.stdout), json.loads(other.stdout)
    assert first["now"] is None
    assert first["thresholds"] == second["thresholds"]
    assert first["matrix"] == second["matrix"]
    assert second["left_out"] == {}


def test_a_phase_is_proposed_for_what_has_shown_enough_and_put_as_lines_of_a_policy(lines: Path, policy: Path) -> None:
    done = trunkline("thresholds", "phases", str(lines), "--policy", str(policy))
    assert done.returncode == 0, done.stderr
    told = {line.split()[0]: line for line in done.stdout.splitlines() if line.strip()}
    assert "met: scaling is next" in told["easy"]
    assert "below 0.8" in told["hopeless"]
    assert done.stdout.endswith("intents:\n  easy:\n    phase: scaling\n")
    assert "nothing is changed" in done.stderr
    said = json.loads(trunkline("thresholds", "phases", str(lines), "--policy", str(policy), "--json").stdout)
    assert {each["intent"]: each["proposed"] for each in said} == {"easy": "scaling", "hopeless": None, "useless": None}


def test_the_topic_and_the_standing_policy_are_read_where_no_files_are_given(
    settings: Settings, policy: Path, tmp_path: Path
) -> None:
    at = ("--bootstrap", settings.bootstrap, "--prefix", settings.prefix)
    told = trunkline("thresholds", "fit", "--tenant", "acme", *COSTS, *at)
    assert told.returncode == 1
    assert "'acme' has no policy; tenants with one: none" in told.stderr
    assert trunkline("policy", "apply", str(policy), *at).returncode == 0
    told = trunkline("thresholds", "fit", "--tenant", "acme", *COSTS, *at)
    assert "nothing is known of what AI resolved (no contact at all)" in told.stderr

    writer = Writer(settings, "test")
    events = [closed(interaction_id=f"c-{n}", confidence=0.5 + n / 1000, resolved=n % 7 > 0) for n in range(490)]
    for event in (*events, closed(tenant="other"), closed(resolved=None)):
        writer.write(Effect(CLOSED, event))
    writer.close()
    out = tmp_path / "proposed.yaml"
    done = trunkline("thresholds", "fit", "--tenant", "acme", *COSTS, "--json", "--out", str(out), *at)
    assert done.returncode == 0, done.stderr
    made = json.loads(done.stdout)
    assert made["thresholds"]["samples"] == 490
    assert made["left_out"] == {"not known to be resolved or not": 1}
    assert made["thresholds"]["assisted"] >= 0.5
    changes = trunkline("policy", "apply", str(out), "--dry-run", *at).stdout.splitlines()
    assert [line for line in changes if line[0] in "+-"] == [
        "-  contained: 0.92",
        "-  assisted: 0.75",
        f"+  contained: {made['thresholds']['contained']}",
        f"+  assisted: {made['thresholds']['assisted']}",
    ]


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        (["fit", "-", *COSTS], "intent\n", "line 1 names the columns intent: a CSV of outcomes has intent, channel"),
        (["fit", "-", *COSTS], '{"intent": "x"}\n', "line 1 is no closed contact: Object missing required field"),
        (["fit", "-", *COSTS], "", "nothing is known of what AI resolved (no contact at all)"),
        (["fit", *COSTS], "", "whose contacts? Name --tenant, or give OUTCOMES"),
        (["fit", "-", *COSTS, "--out", "x.yaml"], "", "there is no policy to go by: give its document with --policy"),
        (["fit", "-", *COSTS, "--since", "monday"], "", "--since: "),
        (["fit", "-", *COSTS, "--ai-cost", "nan"], ONE, "a cost is no finite number"),
        (["phases", "-"], "", "there is no policy to go by"),
    ],
)
def test_what_makes_no_sense_is_named(arguments: list[str], given: str, says: str) -> None:
    done = trunkline("thresholds", *arguments, given=given)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert says in done.stderr


def test_a_policy_of_another_tenant_is_refused(policy: Path) -> None:
    done = trunkline("thresholds", "fit", "-", *COSTS, "--policy", str(policy), "--tenant", "other")
    assert "--policy is that of 'acme', and --tenant is 'other': leave one of them away" in done.stderr


def test_the_help_teaches_with_an_example() -> None:
    for command in (["thresholds"], ["thresholds", "fit"], ["thresholds", "phases"]):
        done = trunkline(*command, "--help")
        assert "trunkline thresholds fit closed.jsonl --policy acme.yaml" in done.stdout
