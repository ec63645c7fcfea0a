"""An answer as a table, and as JSON. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from processors.staffing.logic.what_if import Answer, Row
from trunkline.what_if.base import Base, Basis

_HEADS = ("contacts/min", "agents", "scheduled")


def text(base: Base, answer: Answer) -> Iterator[str]:
    """Yield the lines: people by queue before and after, and what the figures are from."""
    rows = [*answer.queues, answer.total] if len(answer.queues) > 1 else [*answer.queues]
    if answer.supervision.agents_before or answer.supervision.agents_after:
        rows += [answer.supervision, answer.people]
    wide = max(len("queue"), *(len(row.queue) for row in rows))
    has_there = bool(base.available)
    yield base.title
    yield f"{'':<{wide}}" + "".join(f"{name:>18}" for name in _HEADS)
    pair = f"{'before':>10}{'after':>8}"
    yield f"{'queue':<{wide}}{pair * len(_HEADS)}{'difference':>12}" + (f"{'there':>8}" if has_there else "")
    for row in rows:
        there = base.available.get(row.queue) if row in answer.queues else None
        yield f"{row.queue:<{wide}}{_figures(row)}" + (f"{there:>8g}" if there is not None else "")
    if answer.ai_lost:
        yield f"AI has no room for {answer.ai_lost:.1%} of its contacts any more: they come to people"
    if answer.supervision in rows:
        yield "supervision: people who watch AI's contacts; contacts/min are those watched, and come to no queue"
    for basis in Basis:
        figures = [source.figures for source in base.sources if source.basis is basis]
        if figures:
            yield f"{basis}: {'; '.join(figures)}"


def _figures(row: Row) -> str:
    rates = (row.contacts_per_minute_before, row.contacts_per_minute_after)
    pairs = [
        f"{before:>10}{after:>8}" for before, after in ((f"{rates[0]:.2f}", f"{rates[1]:.2f}"), row[3:5], row[5:7])
    ]
    return f"{''.join(pairs)}{row.difference:>+12}"


def plain(base: Base, answer: Answer) -> dict[str, Any]:
    """Return the same for JSON."""
    return {
        "base": base.title,
        "queues": [_plain(row, base.available) for row in answer.queues],
        "total": _plain(answer.total),
        "supervision": _plain(answer.supervision),
        "people": _plain(answer.people),
        "ai_lost": answer.ai_lost,
        "sources": [source._asdict() for source in base.sources],
    }


def _plain(row: Row, available: Mapping[str, float] | None = None) -> dict[str, Any]:
    told: dict[str, Any] = {**row._asdict(), "difference": row.difference}
    return told if available is None else {**told, "agents_available": available.get(row.queue)}
