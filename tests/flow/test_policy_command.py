"""A tenant's policy from a file to a decision, and what becomes of one that makes no sense."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from runtime.kafka import Writer
from runtime.settings import Settings
from schemas.control import Policy
from schemas.fields import Pool
from schemas.interactions import Classification
from schemas.topics import OFFERED, POLICY, ROUTED
from tests.flow.command import trunkline
from tests.flow.steps import CODEC, Watch, offered, running, write

ACME = """\
tenant: acme
thresholds: {contained: 0.92, assisted: 0.75}
matrix:
  refund/chat/*: {contained: 0.99, assisted: 0.95}
endpoints:
  bot: {provider: north, version: "3", intents: [refund, billing]}
queues:
  care: {intents: [refund, billing]}
default_queue: care
"""
OUTLET = "tenant: outlet\nextends: acme\nmatrix: {refund/chat/*: null}\n"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    paths = {"acme": tmp_path / "acme.yaml", "outlet": tmp_path / "outlet.yaml"}
    paths["acme"].write_text(ACME, encoding="utf-8")
    paths["outlet"].write_text(OUTLET, encoding="utf-8")
    return {name: str(path) for name, path in paths.items()}


def asked(settings: Settings, *arguments: str, ends: int = 0) -> str:
    done = trunkline("policy", *arguments, "--bootstrap", settings.bootstrap, "--prefix", settings.prefix)
    assert done.returncode == ends, done.stderr
    return done.stdout if ends == 0 else done.stderr


def refund(tenant: str, interaction_id: str) -> object:
    found = Classification(intent="refund", confidence=0.96)
    return msgspec.structs.replace(offered(interaction_id, tenant=tenant), classification=found)


def test_a_policy_is_applied_obeyed_compared_and_taken_back(settings: Settings, files: dict[str, str]) -> None:
    told = asked(settings, "apply", files["outlet"], ends=1)
    assert "extends 'acme', which has no policy: apply that first, or give its --base" in told
    assert "not applied (--dry-run)" in asked(settings, "apply", files["acme"], "--dry-run")
    assert "'acme' has no policy; tenants with one: none" in asked(settings, "show", "acme", ends=1)

    told = asked(settings, "apply", files["acme"], "--by", "ann", "--reason", "opening")
    assert told.endswith("acme: revision 1 applied; 1 AI agent, 1 queue, 1 matrix row\n")
    assert "nothing changes, revision 1 stands" in asked(settings, "apply", files["acme"])
    assert "outlet: revision 1 applied" in asked(settings, "apply", files["outlet"])

    with Watch(settings, ROUTED, POLICY) as watch, running(settings, "router"):
        write(settings, OFFERED, refund("acme", "strict"), refund("outlet", "plain"))
        strict, plain = watch.decision("strict"), watch.decision("plain")
        assert (strict.pool, strict.thresholds.contained) == (Pool.AI_ASSISTED, 0.99)
        assert ("threshold_row", "refund/chat/*") in [(reason.code, reason.detail) for reason in strict.reasons]
        assert (plain.pool, plain.thresholds.contained) == (Pool.AI_CONTAINED, 0.92)

        Path(files["acme"]).write_text(ACME.replace("0.95}", "0.97}"), encoding="utf-8")
        asked(settings, "apply", files["acme"], "--reason", "stricter")
        write(settings, OFFERED, refund("acme", "stricter"))
        assert watch.decision("stricter").pool is Pool.HUMAN_EXCLUSIVE

        lines = asked(settings, "diff", "acme", "1").splitlines()
        assert [line for line in lines if line[0] in "+-"] == ["-    assisted: 0.95", "+    assisted: 0.97"]
        asked(settings, "rollback", "acme", "--reason", "too strict")
        write(settings, OFFERED, refund("acme", "again"))
        again = watch.decision("again")
        assert again.pool is Pool.AI_ASSISTED

    newest, *_, oldest = asked(settings, "history", "acme").splitlines()
    assert newest.startswith(f"revision 3  epoch {again.epochs[POLICY.name]}  ")
    assert newest.endswith("back to revision 1: too strict")
    assert oldest.endswith("ann  opening")
    assert asked(settings, "show", "acme", "--revision", "1") == asked(settings, "show", "acme")
    assert "there are 1, 2, 3" in asked(settings, "show", "acme", "--revision", "9", ends=1)


def test_a_policy_that_makes_no_sense_is_skipped_and_gets_one_dead_letter(
    settings: Settings, files: dict[str, str]
) -> None:
    asked(settings, "apply", files["acme"])
    with Watch(settings, POLICY, POLICY.dead_letter_name, ROUTED) as watch:
        watch.until("the policy", lambda: watch.of(POLICY))
        (good,) = watch.of(POLICY)
        assert isinstance(good, Policy)
        foolish = CODEC.encode(msgspec.structs.replace(good, revision=2, default_queue="nowhere"))
        writer = Writer(settings, "test")
        writer.write_bytes(POLICY.name, b"acme", foolish)
        writer.write_bytes(POLICY.name, b"acme", b"no record at all")
        writer.close()
        for _start in range(2):
            with running(settings, "clock", "router"):
                write(settings, OFFERED, refund("acme", f"c-{_start}"))
                assert watch.decision(f"c-{_start}").queue == "care"
                watch.until("letters", lambda: len(letters(watch)) >= 2)
        assert [(dict(r.headers)["dlq_reason"], r.value) for r in letters(watch)] == [
            (b"invalid_policy", foolish),
            (b"unknown_framing", b"no record at all"),
        ]
        assert b"there is no queue 'nowhere'; name one of care" in dict(letters(watch)[0].headers)["dlq_error"]
    assert "revision 1" in asked(settings, "history")


def letters(watch: Watch) -> list:  # type: ignore[type-arg]
    return [record for record in watch.records if record.topic == POLICY.dead_letter_name]
