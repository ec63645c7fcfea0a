"""A report on providers as text, and as JSON data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from processors.breakers.logic.report import AgentReport, Drift, Outages, ProviderReport, Times
from processors.breakers.logic.words import duration, laid_out
from schemas.envelope import iso_time

_FOOT = (
    "Measured from breakers.transitions alone: a breaker is as it was left until it moves. Available is closed or",
    "degraded. Not counted: forced open by an order, and maintenance in the policy that then stood. Latency and",
    "quality are what breakers saw as they moved: an agent that did not move shows no drift.",
)


def as_json(made: ProviderReport) -> dict[str, Any]:
    """Return the report on one provider as JSON data; instants in UTC microseconds."""
    data: dict[str, Any] = msgspec.to_builtins(made)
    return data


def as_text(found: Sequence[ProviderReport], window: tuple[int, int]) -> Iterator[str]:
    """Yield the reports as lines for a terminal; `window` is the time that they are about (UTC microseconds)."""
    if not found:
        return
    yield f"{iso_time(window[0])} to {iso_time(window[1])} ({duration((window[1] - window[0]) / 1_000_000)})"
    for each in found:
        yield ""
        yield f"{each.tenant}, provider {each.provider}: {_kept(each.times, each.promised)}"
        for agent in each.agents:
            yield from _agent(agent)
    yield ""
    yield from _FOOT


def _agent(made: AgentReport) -> Iterator[str]:
    name = made.endpoint if made.version is None else f"{made.endpoint}, version {made.version} alone"
    if made.times is None or made.outages is None or made.state is None:
        yield f"{name}: no transitions: its breaker has never moved, or nothing has watched it"
        return
    moves = f"{made.transitions or 'none'} in this time, {made.state} now"
    yield f"{name}: {_kept(made.times, made.promised)}"
    yield from laid_out([("moves", moves), ("time", _spent(made.times)), ("outages", _outages(made.outages))])
    if made.latency_ms is not None:
        yield from laid_out([("latency", _drift(made.latency_ms, "normally {:,.0f} ms"))])
    if made.quality is not None:
        yield from laid_out([("quality", _drift(made.quality, "mean {:.3f}"))])


def _kept(times: Times | None, promised: float | None) -> str:
    """Availability beside what was promised, and what is missing."""
    if times is None:
        return "no transitions"
    share = times.availability
    if share is None:
        return "no time that counts"
    said = f"available {share:.3%} of {duration(times.counted_seconds)}"
    if promised is None:
        return f"{said}, no policy stands that says what was promised"
    if share >= promised:
        return f"{said}, promised {promised:.3%}: kept"
    missing = duration((promised - share) * times.counted_seconds)
    return f"{said}, promised {promised:.3%}: missed by {(promised - share) * 100:.3f} points ({missing})"


def _spent(times: Times) -> str:
    parts = (
        (times.degraded_seconds, "degraded"),
        (times.out_seconds, "out"),
        (times.forced_seconds, "forced open, not counted"),
        (times.maintenance_seconds, "in maintenance, not counted"),
    )
    said = [f"{duration(seconds)} {what}" for seconds, what in parts if seconds]
    return f"{duration(times.measured_seconds)} measured" + "".join(f", {each}" for each in said)


def _outages(seen: Outages) -> str:
    if seen.longest_seconds is None:
        return "none"
    said = f"{seen.number}, the longest {duration(seen.longest_seconds)}"
    if seen.p50_seconds is not None and seen.p90_seconds is not None:
        said += f", p50 {duration(seen.p50_seconds)}, p90 {duration(seen.p90_seconds)} of {seen.samples} that are over"
    said += f", {seen.taken_over} ended by an order to stay open" if seen.taken_over else ""
    return said + (f", {seen.going_on} going on" if seen.going_on else "")


def _drift(seen: Drift, form: str) -> str:
    change = f" ({seen.last / seen.first - 1.0:+.1%})" if seen.first else ""
    times = f"on {iso_time(seen.first_at)} and {iso_time(seen.last_at)}"
    return f"{form.format(seen.first)}, then {form.format(seen.last)}{change}, {times}"
