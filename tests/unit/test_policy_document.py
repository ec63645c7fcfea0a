"""Policies as people write them: what is valid, what is said of what is not, what extends what."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from router.policy.document import (
    PolicyDocumentError,
    Source,
    differences,
    document_of,
    merged,
    plain,
    policy_of,
    read_source,
    resolved,
    to_yaml,
)
from router.policy.model import json_schema
from schemas.control import BreakerPolicy, Endpoint, HumanQueue, Policy, ThresholdRow
from schemas.fields import Channel
from schemas.interactions import Thresholds

GOOD = """\
tenant: acme
thresholds: {contained: 0.92, assisted: 0.75}
matrix:
  refund/*/*: {contained: 0.97, assisted: 0.85}
  refund/voice/gold: {contained: 0.99, assisted: 0.95}
endpoints:
  support-bot: {provider: north, version: "3", intents: [refund, billing]}
queues:
  care: {intents: [refund, billing], aht_seconds: 240}
default_queue: care
human_only_intents: [complaint]
"""


def written(text: str, tmp_path: Path) -> Source:
    path = tmp_path / "acme.yaml"
    path.write_text(text, encoding="utf-8")
    return read_source(path)


def policy_from(text: str, tmp_path: Path) -> Policy:
    source = written(text, tmp_path)
    return policy_of(plain(source), source, revision=4, occurred_at=7, by="ann", reason="spring")


def complaint(text: str, tmp_path: Path) -> str:
    with pytest.raises(PolicyDocumentError) as raised:
        policy_from(text, tmp_path)
    return str(raised.value)


MORE = """\
spillover:
  metered: true
  channels: {voice: callback, chat: hold}
  priorities: {gold: 10, basic: -10}
  deflect_below: 0
  notices: {voice: ai_away}
  hold_seconds: 900
breaker:
  ramp_seconds: 120
  ramp_from: 0.1
  synthetic_probes: false
  maintenance_ahead_seconds: 3600
  targets:
    latency: {chat: 2000, voice: 500}
    resolved: 0.9
    csat_baseline: 0.8
"""


def test_mappings_by_name_may_be_deep_in_a_document_and_come_back_as_they_were_written(tmp_path: Path) -> None:
    made = policy_from(GOOD + MORE, tmp_path)
    assert [(each.channel, each.p95_ms) for each in made.breaker.targets.latency] == [
        (Channel.CHAT, 2000.0), (Channel.VOICE, 500.0),
    ]  # fmt: skip
    assert [(each.segment, each.priority) for each in made.spillover.priorities] == [("gold", 10), ("basic", -10)]
    assert [(each.channel, each.notice) for each in made.spillover.notices] == [(Channel.VOICE, "ai_away")]
    assert (made.breaker.ramp_seconds, made.breaker.ramp_from, made.breaker.synthetic_probes) == (120.0, 0.1, False)
    said = document_of(made)
    assert said["breaker"]["targets"]["latency"] == {"chat": 2000.0, "voice": 500.0}
    assert said["spillover"]["priorities"] == {"gold": 10, "basic": -10}
    again = policy_from(to_yaml(said), tmp_path)
    assert again == made
    full = document_of(policy_from(GOOD, tmp_path), full=True)
    assert full["breaker"]["targets"]["latency"] == {}
    assert full["spillover"]["hold_seconds"] == 600.0


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("breaker:\n  targets: {latency: {chta: 9}}", "breaker.targets.latency.chta: input should be"),
        (
            "breaker:\n  targets: {latncy: {chat: 9}}",
            "breaker.targets.latncy: there is no such field; did you mean",
        ),
        ("breaker:\n  ramp_from: 0.0", "breaker.ramp_from: input should be greater than 0, and is 0.0"),
        ("spillover:\n  priorities: {gold: high}", "spillover.priorities.gold: input should be a valid integer"),
        ("spillover:\n  priorities: {gold: 101}", "spillover.priorities.gold: input should be less than or equal"),
        ("spillover:\n  hold_seconds: 0", "spillover.hold_seconds: input should be greater than or equal to 1"),
        (
            "spillover:\n  notices: {voice: 7}",
            "spillover.notices.voice: input should be a valid string, and is 7; put",
        ),
        ("spillover:\n  deflect_below: 0", "spillover.deflect_below: has no meaning while metered is false; set"),
    ],
)
def test_a_mistake_in_breakers_or_spillover_names_its_line_its_field_and_a_remedy(
    tmp_path: Path, wrong: str, says: str
) -> None:
    said = complaint(f"{GOOD}{wrong}\n", tmp_path)
    assert f"acme.yaml:13: {says}" in said


def test_a_document_says_what_the_wire_says(tmp_path: Path) -> None:
    assert policy_from(GOOD, tmp_path) == Policy(
        tenant="acme",
        revision=4,
        thresholds=Thresholds(contained=0.92, assisted=0.75),
        matrix=(
            ThresholdRow(intent="refund", contained=0.97, assisted=0.85),
            ThresholdRow(intent="refund", channel=Channel.VOICE, segment="gold", contained=0.99, assisted=0.95),
        ),
        endpoints=(Endpoint(endpoint="support-bot", provider="north", version="3", intents=("refund", "billing")),),
        queues=(HumanQueue(queue="care", intents=("refund", "billing"), aht_seconds=240.0),),
        default_queue="care",
        human_only_intents=("complaint",),
        changed_by="ann",
        reason="spring",
        occurred_at=7,
    )


@pytest.mark.parametrize("full", [False, True])
def test_a_policy_written_as_a_document_is_the_same_policy(tmp_path: Path, full: bool) -> None:
    breaker = BreakerPolicy(open_seconds=8.0)
    policy = msgspec.structs.replace(policy_from(GOOD, tmp_path), breaker=breaker, extends="base")
    document = document_of(policy, full=full)
    source = written(to_yaml(document), tmp_path)
    assert policy_of(plain(source), source, revision=4, occurred_at=7, by="ann", reason="spring") == policy
    assert ("shrinkage" in document["queues"]["care"]) is full


def test_json_is_a_document_too(tmp_path: Path) -> None:
    policy = policy_from(GOOD, tmp_path)
    assert policy_from(json.dumps(document_of(policy)), tmp_path) == policy


def test_every_mistake_is_told_with_its_line_its_path_and_a_remedy(tmp_path: Path) -> None:
    bad = GOOD.replace("assisted: 0.75", "asisted: 0.75").replace('version: "3"', "version: 3, max_concurrent: 0")
    name = tmp_path / "acme.yaml"
    assert complaint(bad, tmp_path).splitlines() == [
        f"{name}:2: thresholds.asisted: there is no such field; did you mean 'assisted'?",
        f"{name}:2: thresholds.assisted: is missing; add it",
        f"{name}:7: endpoints.support-bot.version: input should be a valid string, and is 3; put it in quotes",
        f"{name}:7: endpoints.support-bot.max_concurrent: input should be greater than or equal to 1, and is 0",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("default_queue: care", "default_queue: car", 10, "default_queue: there is no queue 'car'; name one of care"),
        ("refund/*/*", "refund/*", 4, "a row is named intent/channel/segment, each * for any"),
        ("refund/*/*", "refund/fax/*", 4, "there is no channel 'fax'; there are voice, chat"),
        ("refund/*/*", "refund//*", 4, "a row is named intent/channel/segment"),
        ("assisted: 0.85", "assisted: 0.98", 4, "0.98 is more than contained, 0.97"),
        ("human_only_intents: [complaint]", "breaker: {open_seconds: 500}", 11, "500 is more than open_seconds_max"),
        (
            "default_queue: care",
            "  bills: {intents: [billing], hours: {mon-fri: 8-20}}\ndefault_queue: care",
            10,
            "queues.bills.hours.mon-fri: '8-20' cannot be read; write them as 08:00-18:00, or closed",
        ),
        (
            "default_queue: care",
            "intents: {refund: {phase: plot}}\ndefault_queue: care",
            10,
            "intents.refund.phase: input should be 'pilot', 'scaling' or 'maturity'",
        ),
        ("contained: 0.92", "contained: .nan", 2, "thresholds.contained"),
        ("billing]}\nqueues", "billing], channels: {fax: 1}}\nqueues", 7, "support-bot.channels.fax: input should be"),
    ],
)  # fmt: skip
def test_what_a_policy_says_must_make_sense(tmp_path: Path, old: str, new: str, line: int, says: str) -> None:
    (told,) = complaint(GOOD.replace(old, new), tmp_path).splitlines()
    assert f"acme.yaml:{line}: " in told
    assert says in told


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is a mapping"),
        ("- acme", "is a mapping"),
        ("tenant: [acme", "acme.yaml:1: no YAML"),
        ("tenant: acme\ntenant: other", 'duplicate key "tenant"'),
        ("tenant: \x07", "no YAML"),
    ],
)
def test_what_is_no_document_is_refused_by_name(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(PolicyDocumentError, match="acme") as raised:
        written(text, tmp_path)
    assert says in str(raised.value)


def test_norwegian_is_a_language_and_no_negation(tmp_path: Path) -> None:
    assert plain(written("tenant: no", tmp_path)) == {"tenant": "no"}


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "acme.yaml"
    path.write_bytes(b"tenant: \xff")
    with pytest.raises(PolicyDocumentError, match="save it as UTF-8"):
        read_source(path)


@pytest.mark.parametrize(
    ("base", "patch", "result"),
    [  # from the table of RFC 7396
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_document_extends_another_as_a_merge_patch(base: object, patch: object, result: object) -> None:
    assert merged(base, patch) == result


def test_a_chain_of_documents_is_resolved_from_its_root() -> None:
    known = {
        "root": {"tenant": "root", "thresholds": {"contained": 0.9, "assisted": 0.7}, "default_queue": "care"},
        "brand": {"tenant": "brand", "extends": "root", "thresholds": {"contained": 0.95}},
    }
    document = resolved({"tenant": "shop", "extends": "brand", "default_queue": "desk"}, known.__getitem__)
    assert document == {
        "tenant": "shop",
        "extends": "brand",
        "thresholds": {"contained": 0.95, "assisted": 0.7},
        "default_queue": "desk",
    }


def test_documents_that_extend_each_other_are_refused() -> None:
    known = {"a": {"tenant": "a", "extends": "b"}, "b": {"tenant": "b", "extends": "a"}}
    with pytest.raises(PolicyDocumentError, match="a extends b extends a: extend one that does not come back"):
        resolved(known["a"], known.__getitem__)


def test_differences_name_what_changed(tmp_path: Path) -> None:
    before = document_of(policy_from(GOOD, tmp_path))
    after = document_of(policy_from(GOOD.replace("contained: 0.92", "contained: 0.95"), tmp_path))
    lines = differences(before, after)
    assert [line for line in lines if line[0] in "+-"] == ["-  contained: 0.92", "+  contained: 0.95"]
    assert differences(before, before) == []


def test_the_json_schema_knows_fields_bounds_and_what_is_needed() -> None:
    schema = json_schema()
    assert schema["required"] == ["tenant", "thresholds", "endpoints", "queues", "default_queue"]
    assert schema["additionalProperties"] is False
    endpoint = schema["$defs"]["Endpoint"]["properties"]
    assert endpoint["max_concurrent"] == {
        "default": 100, "description": "contacts at once", "minimum": 1, "title": "Max Concurrent", "type": "integer",
    }  # fmt: skip
