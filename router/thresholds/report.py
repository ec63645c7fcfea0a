"""A proposal, and how phases stand, as a person reads them at the terminal, and as JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from router.policy.document import to_yaml
from router.thresholds.cells import EVERY
from router.thresholds.fit import Effect, Proposal, Proposed
from router.thresholds.phases import IntentPhase
from router.thresholds.written import row_key
from schemas.rules import Phase

_HEAD = ("row", "n", "contained", "assisted", "alone", "watched", "people", "cost")
_HELD = "<"


def proposal_lines(proposal: Proposal, left_out: Mapping[str, int]) -> Iterator[str]:
    """Yield the lines that tell a person of a proposal."""
    every = (proposal.thresholds, *proposal.rows)
    yield from _table([_HEAD, *map(_row, every)])
    yield ""
    yield f"of {proposal.then.contacts:,} contacts that AI began:"
    if proposal.now is not None:
        yield f"  now       {_effect(proposal.now)}"
    yield f"  proposed  {_effect(proposal.then)}"
    if left_out:
        told = ", ".join(f"{count:,} {why}" for why, count in sorted(left_out.items()))
        yield f"left out: {told}"
    if any(each.extrapolated for each in every):
        yield (
            f"{_HELD} the cheapest threshold lies below the lowest confidence seen there: what AI makes of such "
            "contacts is not known until it gets some"
        )
    yield "not known: contacts that AI never began; these figures are of those that it did"


def proposal_json(proposal: Proposal, left_out: Mapping[str, int]) -> dict[str, Any]:
    """Return a proposal as JSON data."""
    return {
        "thresholds": _json_row(proposal.thresholds),
        "matrix": {row_key(row.name): _json_row(row) for row in proposal.rows},
        "now": proposal.now and proposal.now._asdict(),
        "proposed": proposal.then._asdict(),
        "left_out": dict(sorted(left_out.items())),
    }


def phase_lines(standings: Sequence[IntentPhase]) -> Iterator[str]:
    """Yield the lines that tell how each intent stands in its phase, and what a policy would say for the next."""
    rows = [("intent", "phase", "n", "resolved", "at least", "escalated", "to leave it")]
    yield from _table(rows + [_phase(each) for each in standings])
    ready = [each for each in standings if each.proposed is not None]
    yield ""
    if not ready:
        yield "no phase is proposed"
        return
    yield "proposed, to be put into the policy:"
    yield ""
    yield to_yaml({"intents": {each.intent: {"phase": str(each.proposed)} for each in ready}}).rstrip()


def phase_json(standings: Sequence[IntentPhase]) -> list[dict[str, Any]]:
    """Return how each intent stands as JSON data."""
    return [{**msgspec.to_builtins(each), "resolved_at_least": each.resolved_at_least} for each in standings]


def _row(each: Proposed) -> tuple[str, ...]:
    shares = (f"{part:.1%}" for part in (each.then.contained, each.then.assisted, each.then.people))
    now = f"{each.now.cost:.3f} -> " if each.now else ""
    return (
        "thresholds" if each.name == EVERY else row_key(each.name),
        f"{each.samples:,}",
        _with_interval(each.contained, each.contained_interval),
        _with_interval(each.assisted, each.assisted_interval) + (f" {_HELD}" if each.extrapolated else ""),
        *(shares if each.then.contacts else ("-", "-", "-")),
        f"{now}{each.then.cost:.3f}" if each.then.contacts else "all have a row",
    )


def _json_row(each: Proposed) -> dict[str, Any]:
    made = dataclasses.asdict(each)
    del made["name"]
    return {
        **made,
        "before": each.before and each.before._asdict(),
        "now": each.now and each.now._asdict(),
        "then": each.then._asdict(),
    }


def _with_interval(at: float, interval: tuple[float, float]) -> str:
    return f"{at:.4f} [{interval[0]:.4f}-{interval[1]:.4f}]"


def _effect(effect: Effect) -> str:
    return (
        f"{effect.contained:.1%} AI alone, {effect.assisted:.1%} watched, {effect.people:.1%} people; "
        f"a person handles or finishes {effect.human_load:.1%}; {effect.cost:.4f} per contact"
    )


def _phase(each: IntentPhase) -> tuple[str, ...]:
    share, escalated = (part / each.contacts if each.contacts else 0.0 for part in (each.resolved, each.escalated))
    if each.proposed is not None:
        told = f"met: {each.proposed} is next"
    else:
        told = "; ".join(each.missing) or "the policy states no criteria"
    return (
        each.intent,
        str(each.phase),
        f"{each.contacts:,}",
        f"{each.resolved:,} ({share:.1%})",
        f"{each.resolved_at_least:.3f}",
        f"{each.escalated:,} ({escalated:.1%})",
        "it is the last" if each.phase is Phase.MATURITY else told,
    )


def _table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
