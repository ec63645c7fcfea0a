"""What a breaker's transition says, and what it costs, in words and figures for operators."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from schemas.agents import Evidence, LatencySummary, Transition
from schemas.control import Endpoint
from schemas.envelope import iso_time
from schemas.hours import instant
from schemas.wfm import Displaced, DurationSource, Impact, ImpactCause

Line = tuple[str, str]
"""What it is about, and what is said of it."""

_UNITS = ((86_400, "d"), (3_600, "h"), (60, "min"))
_SOURCES = {
    DurationSource.PRIOR: "a prior: no outage of it is over yet",
    DurationSource.HISTORY: "its outages so far",
    DurationSource.PROVIDER: "the provider's own word",
    DurationSource.PLAN: "the plan",
}


def duration(seconds: float) -> str:
    """Return a time in words, to its two largest units: `45.2 s`, `4 min 10 s`, `3 d 4 h`."""
    if seconds < 60:  # noqa: PLR2004 - below a minute, in seconds
        return f"{seconds:.1f} s"
    whole = round(seconds)
    for at, (size, unit) in enumerate(_UNITS):
        if whole >= size:
            below, name = _UNITS[at + 1] if at + 1 < len(_UNITS) else (1, "s")
            rest = whole % size // below
            return f"{whole // size} {unit}" + (f" {rest} {name}" if rest else "")
    return f"{whole} s"


def cause(transition: Transition) -> str:
    """Return why a breaker moved, and who ordered it where somebody did."""
    said = transition.reason + (f": {transition.detail}" if transition.detail else "")
    return said + (f" (by {transition.by})" if transition.by else "")


def transition_lines(transition: Transition, now: int) -> Iterator[Line]:
    """Yield what a transition carries: its reason, its evidence, and what holds while it stands."""
    yield "why", cause(transition)
    yield "before", transition.from_state
    yield from _evidence(transition.evidence)
    yield from _consequences(transition, now)


def _evidence(seen: Evidence) -> Iterator[Line]:
    kinds = ", ".join(f"{kind} {count}" for kind, count in sorted(seen.failures_by_result.items()) if count)
    failures = f"{seen.failures} failed ({seen.failure_rate:.1%}{f': {kinds}' if kinds else ''})"
    run = f", {seen.consecutive_failures} in a row at its end" if seen.consecutive_failures else ""
    yield "window", f"{seen.outcomes} outcomes in {seen.window_seconds:g} s, {failures}{run}"
    yield "posterior", f"failure rate {seen.posterior_mean:.3f}, from {seen.outcomes} outcomes"
    if seen.signal is not None:
        yield "signal", f"{seen.signal}: {_signal(seen)}"
    if seen.latency_mean_ms or seen.latency_baseline_ms:
        normal = f"normally {seen.latency_baseline_ms:,.0f} ms" if seen.latency_baseline_ms else "no baseline yet"
        yield "latency", f"mean {seen.latency_mean_ms:,.0f} ms, {normal}"
    for summary in seen.latencies:
        yield "latency", _latency(summary)
    if seen.quality_mean is not None:
        yield "quality", f"mean {seen.quality_mean:.3f}"
    if seen.in_flight or seen.tokens_per_outcome:
        yield "load", f"{seen.in_flight} contacts at once, {seen.tokens_per_outcome:,.0f} tokens an outcome"


def _signal(seen: Evidence) -> str:
    said = f"{seen.adverse} of {seen.observations} observations were against it, statistic {seen.statistic:.3g}"
    said += f" at a limit of {seen.limit:.3g}"
    if not seen.false_alarm_observations:
        return said
    return f"{said}, which an agent that is well reaches once in {seen.false_alarm_observations:,.0f} observations"


def _latency(seen: LatencySummary) -> str:
    figures = f"p50 {seen.p50_ms:,.0f} ms, p95 {seen.p95_ms:,.0f} ms, p99 {seen.p99_ms:,.0f} ms"
    return f"{seen.channel}: {figures}, of {seen.answers} answers"


def _consequences(made: Transition, now: int) -> Iterator[Line]:
    """What holds while it stands."""
    if made.shed_intents:
        others = "it is well for all others" if made.intents_only else "the others are watched"
        yield "shed", f"it does not get {', '.join(made.shed_intents)}; {others}"
    if made.most_at_once is not None:
        yield "cap", f"at most {made.most_at_once} contacts at once, or the policy's number where that is lower"
    if made.ramp_seconds:
        yield "ramp", _ramp(made, now)
    if made.open_until is not None:
        yield "open until", _instant(made.open_until, now)
    if made.probe_permits:
        until = "" if made.probes_expire_at is None else f", good until {_instant(made.probes_expire_at, now)}"
        yield "probes", f"{sum(made.probe_permits)} contacts on trial{until}"


def _ramp(made: Transition, now: int) -> str:
    passed = max(0.0, (now - made.occurred_at) / 1_000_000)
    share = min(1.0, made.ramp_from + (1.0 - made.ramp_from) * passed / made.ramp_seconds)
    return f"from {made.ramp_from:.0%} to all of its contacts in {duration(made.ramp_seconds)}; now {share:.0%}"


def _instant(at: int, now: int) -> str:
    apart = duration(abs(at - now) / 1_000_000)
    return f"{iso_time(at)} ({f'in {apart}' if at > now else f'{apart} ago'})"


def impact_lines(impact: Impact) -> Iterator[Line]:
    """Yield what is expected of a change: contacts per minute by queue, for how long, and how sure that is."""
    planned = impact.cause is ImpactCause.MAINTENANCE
    rates: dict[str, float] = {}
    for each in impact.displaced:
        rates[each.queue] = rates.get(each.queue, 0.0) + each.contacts_per_minute
    if not rates:
        yield "carried", "nothing that was seen: no contact began while it had its normal traffic"
    for queue, rate in sorted(rates.items()):
        parts = [each for each in impact.displaced if each.queue == queue]
        yield "carried", f"{rate:.2f} contacts/min of queue {queue}: {', '.join(_part(each) for each in parts)}"
    if rates:
        basis = f"{impact.contacts_counted} contacts counted, right to a fifth with probability {impact.confidence:.2f}"
        yield "confidence", basis
    p50, p90 = duration(impact.expected_seconds_p50), duration(impact.expected_seconds_p90)
    source = _SOURCES[impact.duration_source]
    yield "expected", f"{p50} (p50), {p90} (p90), from {source} ({impact.duration_samples} samples)"
    if planned:
        edges = [iso_time(at) for at in (impact.starts_at, impact.ends_at) if at is not None]
        yield "maintenance", " to ".join(edges)
    yield "told WFM", f"{iso_time(impact.occurred_at)}, {impact.cause} {impact.state}, epoch {impact.epoch}"


def _part(displaced: Displaced) -> str:
    others = f", which {', '.join(displaced.alternatives)} may have too" if displaced.alternatives else ""
    return f"{displaced.intent} {displaced.contacts_per_minute:.2f}{others}"


def planned_lines(endpoint: Endpoint, now: int) -> Iterator[Line]:
    """Yield the maintenance that the policy names and that is not over."""
    for window in endpoint.maintenance:
        if instant(window.ends) > now:
            begun = "under way" if instant(window.starts) <= now else f"in {duration(_ahead(window.starts, now))}"
            why = f": {window.reason}" if window.reason else ""
            yield "planned", f"maintenance {window.starts} to {window.ends}, {begun}{why}"


def _ahead(text: str, now: int) -> float:
    return (instant(text) - now) / 1_000_000


def laid_out(lines: Iterable[Line]) -> Iterator[str]:
    """Yield lines for a terminal, indented, what they are about in a column of its own."""
    for name, said in lines:
        yield f"  {name + ':':<12} {said}"


def table(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Yield rows with their columns aligned, the last as long as it is."""
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))] if rows else []
    for row in rows:
        padded = [f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=False)]
        yield "  ".join([*padded, row[-1]]).rstrip()
