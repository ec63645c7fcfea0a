"""A proposal as a policy document, which `trunkline policy apply` takes."""

from __future__ import annotations

import io
from collections.abc import MutableMapping
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap

from router.thresholds.cells import Name
from router.thresholds.fit import Proposal, Proposed
from schemas.policy_check import ANY


def row_key(name: Name) -> str:
    """Return the key of a row in a document: intent/channel/segment, `*` for any."""
    return "/".join(ANY if part is None else part for part in name)


def document_with(tree: MutableMapping[str, Any], proposal: Proposal) -> str:
    """Return a document as YAML with the thresholds and rows of a proposal; all else stays, with its comments.

    tree: of the document, as it was read; it is changed.
    """
    # Whole mappings, not what is different: a document that extends another may have none of its own.
    tree["thresholds"] = _pair(proposal.thresholds)
    if proposal.rows:
        if not isinstance(tree.get("matrix"), MutableMapping):
            tree["matrix"] = CommentedMap()
        for row in proposal.rows:
            tree["matrix"][row_key(row.name)] = _pair(row)
    out = io.StringIO()
    yaml = YAML(typ="rt")
    yaml.width = 120
    yaml.dump(tree, out)
    return out.getvalue()


def _pair(proposed: Proposed) -> CommentedMap:
    pair = CommentedMap(contained=proposed.contained, assisted=proposed.assisted)
    pair.fa.set_flow_style()
    return pair
