"""Availability, outages and drift of AI agents, from their breakers' transitions alone.

Availability is the share of the counted time in which the agent had its normal traffic (closed or degraded). Not
counted, and stated apart: time that an operator forced it open, and maintenance that the policy then named.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter

import msgspec

from processors.breakers.logic import course
from processors.breakers.logic.spans import Spans, both, seconds, without
from schemas.agents import Transition
from schemas.fields import NORMAL_TRAFFIC, BreakerState

_FORCED = frozenset({BreakerState.FORCED_OPEN})
_DEGRADED = frozenset({BreakerState.DEGRADED})
_MICROS = 1_000_000


class Agent(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of one agent, or of one version of it.

    `named`: when a policy named it; `maintenance`: when a policy that stood had it in maintenance; `promised`: the
    least availability by the policy that stands, None without one; `transitions`: all of them, in their order.
    """

    tenant: str
    provider: str
    endpoint: str
    version: str | None = None
    named: Spans
    maintenance: Spans
    promised: float | None
    transitions: tuple[Transition, ...]


class Times(msgspec.Struct, frozen=True, kw_only=True):
    """Where the time went, in seconds: measured = normal + out + forced + maintenance; degraded is part of normal."""

    measured_seconds: float
    normal_seconds: float
    degraded_seconds: float
    out_seconds: float
    forced_seconds: float
    maintenance_seconds: float

    @property
    def counted_seconds(self) -> float:
        """Time that counts for or against the provider."""
        return self.normal_seconds + self.out_seconds

    @property
    def availability(self) -> float | None:
        """Share of the counted time with normal traffic; None where nothing counts."""
        return self.normal_seconds / self.counted_seconds if self.counted_seconds else None


class Outages(msgspec.Struct, frozen=True, kw_only=True):
    """Times in a row without normal traffic that touch the counted time, whole, less maintenance, in seconds.

    The quantiles are of those that are over: the last of them `samples`. `going_on`: not over yet; `taken_over`: an
    operator forced the breaker open, so that nobody knows how long it would have been. `longest_seconds` is of all, so
    it may be growing.
    """

    number: int
    samples: int
    going_on: int
    taken_over: int
    p50_seconds: float | None
    p90_seconds: float | None
    longest_seconds: float | None


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """A figure on the first and on the last transition of the time that has it, and when these were."""

    first: float
    first_at: int
    last: float
    last_at: int


class AgentReport(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one agent in some time; without any transition nothing is known: `times` is None.

    `transitions`: of the time alone, those within a state left out. `latency_ms`: drift of its normal latency;
    `quality`: of the mean quality that its breaker saw as it moved.
    """

    tenant: str
    provider: str
    endpoint: str
    version: str | None
    promised: float | None
    times: Times | None
    availability: float | None
    transitions: int
    state: BreakerState | None
    outages: Outages | None
    latency_ms: Drift | None
    quality: Drift | None


class ProviderReport(msgspec.Struct, frozen=True, kw_only=True):
    """A provider of a tenant: its agents, and the times of those whose breakers have moved, added up."""

    tenant: str
    provider: str
    promised: float | None
    times: Times | None
    availability: float | None
    agents: tuple[AgentReport, ...]


def report(agents: Iterable[Agent], window: tuple[int, int]) -> list[ProviderReport]:
    """Return providers by tenant and name, with what became of their agents in `window` (UTC microseconds)."""
    rows: dict[tuple[str, str], list[AgentReport]] = {}
    for agent in sorted(agents, key=lambda each: (each.endpoint, each.version or "")):
        rows.setdefault((agent.tenant, agent.provider), []).append(of_agent(agent, window))
    return [_provider(tenant, provider, made) for (tenant, provider), made in sorted(rows.items())]


def of_agent(agent: Agent, window: tuple[int, int]) -> AgentReport:
    """Return what became of one agent in `window`, as far as a policy named it then."""
    moves = agent.transitions
    measured = both((window,), agent.named) if window[0] < window[1] else ()
    times = _times(moves, measured, agent.maintenance) if moves else None
    within = [each for each in moves if window[0] <= each.occurred_at < window[1]]
    return AgentReport(
        tenant=agent.tenant,
        provider=agent.provider,
        endpoint=agent.endpoint,
        version=agent.version,
        promised=agent.promised,
        times=times,
        availability=times.availability if times else None,
        transitions=sum(each.from_state is not each.to_state for each in within),
        state=moves[-1].to_state if moves else None,
        outages=_outages(agent, measured, window[1]) if moves else None,
        latency_ms=_drift(within, lambda each: each.evidence.latency_baseline_ms or None),
        quality=_drift(within, attrgetter("evidence.quality_mean")),
    )


def _times(moves: Sequence[Transition], measured: Spans, maintenance: Spans) -> Times:
    at_work = without(measured, maintenance)

    def spent(states: frozenset[BreakerState]) -> float:
        return seconds(both(at_work, course.times_in(moves, states)))

    return Times(
        measured_seconds=seconds(measured),
        normal_seconds=spent(NORMAL_TRAFFIC),
        degraded_seconds=spent(_DEGRADED),
        out_seconds=spent(course.OUT),
        forced_seconds=spent(_FORCED),
        maintenance_seconds=seconds(both(measured, maintenance)),
    )


def _outages(agent: Agent, measured: Spans, now: int) -> Outages:
    """Outages that touch the measured time outside maintenance; what goes on is as long as it is at the end."""
    counted = without(measured, agent.maintenance)
    over: list[float] = []
    cut: list[float] = []
    going_on = 0
    for spell in course.spells(agent.transitions, course.OUT):
        whole: Spans = ((spell.since, max(now, spell.since) if spell.until is None else spell.until),)
        if whole[0][0] == whole[0][1] or not both(counted, whole):
            continue
        length = seconds(without(whole, agent.maintenance))
        taken = spell.ended_by is not None and spell.ended_by.to_state is BreakerState.FORCED_OPEN
        going_on += spell.ended_by is None
        (cut if taken or spell.ended_by is None else over).append(length)
    return Outages(
        number=len(over) + len(cut),
        samples=len(over),
        going_on=going_on,
        taken_over=len(cut) - going_on,
        p50_seconds=_quantile(over, 50),
        p90_seconds=_quantile(over, 90),
        longest_seconds=max([*over, *cut], default=None),
    )


def _quantile(lengths: Sequence[float], percent: int) -> float | None:
    """Quantile by linear interpolation between order statistics (Hyndman and Fan's type 7)."""
    if len(lengths) < 2:  # noqa: PLR2004 - one is every quantile of itself
        return lengths[0] if lengths else None
    return statistics.quantiles(lengths, n=100, method="inclusive")[percent - 1]


def _drift(moves: Sequence[Transition], figure: Callable[[Transition], float | None]) -> Drift | None:
    seen = [(value, each.occurred_at) for each in moves if (value := figure(each)) is not None]
    if len(seen) < 2:  # noqa: PLR2004 - one figure is no drift
        return None
    (first, first_at), (last, last_at) = seen[0], seen[-1]
    return Drift(first=first, first_at=first_at, last=last, last_at=last_at)


def _provider(tenant: str, provider: str, agents: Sequence[AgentReport]) -> ProviderReport:
    """Add up agents; versions of an agent are a part of it, and not added again."""
    moved = [each.times for each in agents if each.times is not None and each.version is None]
    fields = Times.__struct_fields__
    times = Times(**{name: sum(getattr(each, name) for each in moved) for name in fields}) if moved else None
    return ProviderReport(
        tenant=tenant,
        provider=provider,
        promised=agents[0].promised,
        times=times,
        availability=times.availability if times else None,
        agents=tuple(agents),
    )
