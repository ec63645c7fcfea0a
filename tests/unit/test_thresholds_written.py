"""A proposal as a document, and as a person reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from router.policy.document import load_policy, read_source
from router.thresholds.fit import Proposal, Standing, propose
from router.thresholds.report import proposal_json, proposal_lines
from router.thresholds.written import document_with
from schemas.interactions import DEFAULT_THRESHOLDS
from tests.thresholds_truth import COST_TRIPLES, centre, costs, history

DOCUMENT = """\
# what acme wants
tenant: acme
thresholds: {contained: 0.92, assisted: 0.75}
matrix:
  refund/voice/*: {contained: 0.99, assisted: 0.95}  # the law
  step/*/*: {contained: 0.5, assisted: 0.4}
endpoints:
  bot: {provider: north, version: "3", intents: [step]}
queues:
  care: {intents: [step]}
default_queue: care
"""


@pytest.fixture(scope="module")
def proposal() -> Proposal:
    return propose(history(centre(0), 0), costs(COST_TRIPLES[0]), Standing(DEFAULT_THRESHOLDS))


@pytest.mark.parametrize("matrix", [True, False])
def test_a_document_keeps_all_but_the_thresholds_that_are_proposed(
    proposal: Proposal, tmp_path: Path, *, matrix: bool
) -> None:
    before, after = tmp_path / "before.yaml", tmp_path / "after.yaml"
    head, _, tail = DOCUMENT.partition("matrix:")
    before.write_text(DOCUMENT if matrix else head + "endpoints:" + tail.partition("endpoints:")[2], encoding="utf-8")
    after.write_text(document_with(read_source(before).tree, proposal), encoding="utf-8")
    one, other = load_policy(before), load_policy(after)
    assert (one.endpoints, one.queues) == (other.endpoints, other.queues)
    assert other.thresholds.contained == proposal.thresholds.contained
    rows = {(row.intent, row.channel, row.segment): (row.contained, row.assisted) for row in other.matrix}
    assert {name: pair for name, pair in rows.items() if name != ("refund", "voice", None)} == {
        row.name: (row.contained, row.assisted) for row in proposal.rows
    }
    assert (("refund", "voice", None) in rows) is matrix
    assert after.read_text(encoding="utf-8").startswith("# what acme wants\n")
    assert ("# the law" in after.read_text(encoding="utf-8")) is matrix


def test_a_proposal_is_told_with_its_effect_and_what_it_cannot_know(proposal: Proposal) -> None:
    told = list(proposal_lines(proposal, {"abandoned": 1200, "deflected": 3}))
    assert told[0].split() == ["row", "n", "contained", "assisted", "alone", "watched", "people", "cost"]
    assert told[1].startswith("thresholds")
    assert len(told[2 : told.index("")]) == len(proposal.rows)
    rest = "\n".join(told[told.index("") :])
    assert f"of {len(history(centre(0), 0)):,} contacts that AI began:" in rest
    assert f"{proposal.now.cost:.4f} per contact" in rest
    assert f"{proposal.then.cost:.4f} per contact" in rest
    assert "left out: 1,200 abandoned, 3 deflected" in rest
    assert "not known: contacts that AI never began" in rest


def test_all_figures_are_in_the_json(proposal: Proposal) -> None:
    made = json.loads(json.dumps(proposal_json(proposal, {})))
    assert made["thresholds"]["contained"] == proposal.thresholds.contained
    assert made["proposed"]["cost"] == proposal.then.cost
    assert len(made["matrix"]) == len(proposal.rows)
    row = made["matrix"]["hopeless/*/*"]
    assert row["contained_interval"][0] <= row["contained"] <= row["contained_interval"][1]
    assert {"samples", "lowest_seen", "extrapolated", "before", "now", "then"} <= set(row)
