"""`trunkline decide`: the router's decisions without Kafka, and what would change them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.flow.command import trunkline

POLICY = """\
tenant: acme
thresholds: {contained: 0.92, assisted: 0.75}
matrix: {refund/voice/*: {contained: 0.99, assisted: 0.95}}
endpoints:
  bot: {provider: north, version: "3", intents: [refund]}
queues:
  care: {intents: [refund]}
default_queue: care
"""


def contact(**changes: Any) -> str:
    found = {"intent": "refund", "confidence": 0.96, "runner_up": "complaint"}
    fields = {"interaction_id": "1", "tenant": "acme", "channel": "voice", "text": "my money", "occurred_at": 7}
    return json.dumps({**fields, "classification": found, **changes}) + "\n"


@pytest.fixture
def policy(tmp_path: Path) -> str:
    path = tmp_path / "acme.yaml"
    path.write_text(POLICY, encoding="utf-8")
    return str(path)


def decided(*arguments: str, given: str) -> list[dict[str, Any]]:
    done = trunkline("decide", *arguments, given=given)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_decision_comes_with_its_reasons_and_what_would_change_it(policy: str) -> None:
    (said,) = decided("--policy", policy, given=contact())
    assert (said["pool"], said["endpoint"], said["queue"], said["decided_at"]) == ("ai_assisted", "bot", "care", 7)
    assert [reason["code"] for reason in said["reasons"]] == ["threshold_row", "confidence_assisted"]
    care = {"queue": "care", "disposition": "route"}
    people = {"pool": "human_exclusive", "supervision": None, "endpoint": None, **care}
    alone = {"pool": "ai_contained", "supervision": "autonomous", "endpoint": "bot", **care}
    assert said["counterfactual"] == [
        {"input": "confidence", "from": 0.96, "to": 0.99, "then": alone},
        {"input": "confidence", "from": 0.96, "to": pytest.approx(0.95), "then": people},
        {"input": "breaker acme/bot", "from": "closed", "to": "open", "then": people},
        {"input": "intent", "from": "refund", "to": "complaint", "then": people},
    ]


def test_breakers_kills_and_load_may_be_supposed(policy: str, tmp_path: Path) -> None:
    state = tmp_path / "state.json"
    outcomes = []
    for supposed in (
        {"breakers": {"acme/bot": "open"}},
        {"breakers": {"acme/bot": "half_open"}, "load": {"probe_permits": {"bot": 1}}},
        {"killed": ["agent/acme/bot"], "now": 9},
    ):
        state.write_text(json.dumps(supposed), encoding="utf-8")
        (said,) = decided("--policy", policy, "--state", str(state), given=contact())
        outcomes.append((said["pool"], [reason["code"] for reason in said["reasons"]]))
    assert outcomes == [
        ("human_exclusive", ["breaker_open", "all_ai_unavailable"]),
        ("ai_assisted", ["breaker_half_open", "probe"]),
        ("human_exclusive", ["killed", "all_ai_unavailable"]),
    ]


def test_a_contact_that_spilled_over_says_what_it_lacked(tmp_path: Path) -> None:
    path, state = tmp_path / "metered.yaml", tmp_path / "state.json"
    path.write_text(f"{POLICY}spillover: {{metered: true, channels: {{voice: callback}}}}\n", encoding="utf-8")
    outcomes = []
    for supposed in (
        {"breakers": {"acme/bot/3": "open"}, "spare": {"acme/care": 3}},
        {"breakers": {"acme/bot/3": "open"}, "spare": {"acme/care": 3}, "load": {"spare": 0}},
        {"breakers": {"acme/bot": {"state": "degraded", "shed_intents": ["refund"], "intents_only": True}}},
        {"breakers": {"acme/bot": {"state": "closed", "ramp_seconds": 60, "ramp_from": 0.01}}},
    ):
        state.write_text(json.dumps(supposed), encoding="utf-8")
        (said,) = decided("--policy", str(path), "--state", str(state), given=contact())
        moved = {each["input"]: (each["from"], each["to"]) for each in said["counterfactual"]}
        told = [reason["code"] for reason in said["reasons"] if reason["code"] != "all_ai_unavailable"]
        outcomes.append((said["disposition"], told, moved))
    spent, lacked, shed, ramping = outcomes
    assert spent[:2] == ("route", ["breaker_open", "spare"])
    assert (spent[2]["spare"], spent[2]["breaker acme/bot/3"]) == ((3, 0), ("open", "closed"))
    assert lacked[:2] == ("callback", ["breaker_open", "spillover"])
    assert lacked[2]["spare"] == (0, 1)
    assert shed[:2] == ("route", ["intent_shed"])
    assert shed[2]["shed_intents acme/bot"] == (["refund"], [])
    assert ramping[:2] == ("route", ["ramping"])
    assert ramping[2]["ramp acme/bot"] == (0.01, 1.0)


def test_a_contact_without_an_intent_is_classified(policy: str, tmp_path: Path) -> None:
    given = contact() + "\n" + contact(classification=None, text="")
    done = trunkline("decide", "--policy", policy, given=given, TRUNKLINE_DATA=str(tmp_path))
    own, found = (json.loads(line) for line in done.stdout.splitlines())
    assert (own["model"], own["offered_offset"]) == ("", 0)
    assert (found["intent"], found["offered_offset"]) == ("oos", 2)
    assert found["model"].startswith("seed-")


@pytest.mark.parametrize(
    ("given", "state", "says"),
    [
        ("{}\n", "{}", "line 1 is no contact: Object missing required field `interaction_id`"),
        (contact() + "no json\n", "{}", "line 2 is no contact"),
        ("[1]\n", "{}", "line 1 is no contact"),
        ("", '{"breaker": {}}', "unknown field `breaker`"),
        ("", '{"breakers": {"acme/both": "open"}}', "breakers: there is no 'acme/both'; there are acme/bot"),
        ("", '{"killed": ["acme"]}', "there is no 'acme'; there are agent/acme/bot, all, tenant/acme"),
        ("", "{", "state.json: Input data was truncated"),
    ],
)
def test_what_makes_no_sense_is_named(policy: str, tmp_path: Path, given: str, state: str, says: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(state, encoding="utf-8")
    done = trunkline("decide", "--policy", policy, "--state", str(path), given=given)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert says in done.stderr
