"""What `trunkline breakers` prints: breakers in a list, one in full, the history of one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec

from processors.breakers.impacts import Told
from processors.breakers.logic.course import state_since, stays
from processors.breakers.logic.words import (
    cause,
    duration,
    impact_lines,
    laid_out,
    planned_lines,
    table,
    transition_lines,
)
from processors.breakers.reading import Breakers, Named
from schemas.agents import Transition
from schemas.envelope import iso_time
from schemas.fields import BreakerState
from schemas.topics import breaker_key
from schemas.wfm import Impact


class Row(NamedTuple):
    """One breaker as it is now; `last`: its latest transition, None where it has never moved."""

    tenant: str
    endpoint: str
    version: str | None
    provider: str
    since: int | None
    last: Transition | None

    @property
    def name(self) -> str:
        """TENANT/ENDPOINT, or TENANT/ENDPOINT/VERSION."""
        return breaker_key(self.tenant, self.endpoint, self.version)

    @property
    def state(self) -> BreakerState:
        """The state it is in: closed, before it ever moves."""
        return self.last.to_state if self.last else BreakerState.CLOSED

    @property
    def epoch(self) -> int:
        """Its latest transition's."""
        return self.last.epoch if self.last else 0

    @property
    def cells(self) -> tuple[str, ...]:
        """The row of a table."""
        since = "since ever" if self.since is None else f"since {iso_time(self.since)}"
        return (self.name, self.state, since, f"epoch {self.epoch}", cause(self.last) if self.last else "never moved")

    @property
    def said(self) -> str:
        """The row as a line of its own."""
        return "  ".join(self.cells)

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data."""
        last = self.last
        return {
            "tenant": self.tenant,
            "endpoint": self.endpoint,
            "version": self.version,
            "provider": self.provider,
            "state": self.state,
            "since": None if self.since is None else iso_time(self.since),
            "epoch": self.epoch,
            "reason": last.reason if last else None,
            "detail": last.detail if last else None,
            "transition": msgspec.to_builtins(last),
        }


def row(read: Breakers, tenant: str, endpoint: str, version: str | None = None) -> Row:
    """Return one breaker as it is now."""
    moves = read.of(tenant, endpoint, version)
    last = next(moves.newest_first(), None)
    named = read.known().get((tenant, endpoint))
    provider = named.provider if named else last.provider if last else ""
    return Row(tenant, endpoint, version, provider, state_since(moves.newest_first()), last)


def rows(read: Breakers, only: Named | None = None) -> list[Row]:
    """Return all breakers, or those of one agent: the agent's own, then those of its versions that have moved."""
    agents = list(read.known()) if only is None else [(only.tenant, only.name)]
    return [row(read, *agent, version) for agent in agents for version in (None, *read.versions(*agent))]


def as_text(found: Sequence[Row]) -> Iterator[str]:
    """Yield a line for each breaker, in columns."""
    return table([each.cells for each in found])


def as_json(found: Iterable[Row]) -> Iterator[str]:
    """Yield a JSON line for each breaker, with its latest transition."""
    return (json.dumps(each.as_json(), ensure_ascii=False) for each in found)


def shown(found: Iterable[Row], agent: Named, told: Told, now: int) -> Iterator[str]:
    """Yield the breakers of one agent in full, what is planned for it, and what WFM was told last."""
    for each in found:
        if each.last is None or each.since is None:
            yield f"{each.name}: {each.state} since ever, epoch 0: it has never moved"
            continue
        lasted = duration(max(0, now - each.since) / 1_000_000)
        yield f"{each.name}: {each.state} since {iso_time(each.since)} ({lasted}), epoch {each.epoch}"
        yield from laid_out(transition_lines(each.last, now))
    if agent.endpoint is None:
        yield f"the policy of {agent.tenant} names {agent.name} no more"
    else:
        yield from laid_out(planned_lines(agent.endpoint, now))
    impact = told.impact
    if impact is not None:
        yield f"what its last change means for people ({impact.cause} {impact.state}, epoch {impact.epoch}):"
        yield from laid_out(impact_lines(impact))
    elif told.to_end:
        yield "what WFM was told of it is not on wfm.events any more, or nothing was (7 days are kept)"
    if not told.to_end:
        yield "wfm.events was not read to its end in time: there may be a later word on it, look again"


def shown_as_json(found: Iterable[Row], impact: Impact | None) -> dict[str, Any]:
    """Return the breakers of one agent, and the last impact, as JSON data."""
    return {"breakers": [each.as_json() for each in found], "impact": msgspec.to_builtins(impact)}


def history(moves: Sequence[Transition], now: int) -> Iterator[str]:
    """Yield a line for each transition, with how long what it made stood, and then the time in each state."""
    lines, spent = [], dict.fromkeys(BreakerState, 0.0)
    for stay in stays(moves):
        made, seconds = stay.transition, stay.seconds(now)
        spent[made.to_state] += seconds
        stood = f"{duration(seconds)}{' so far' if stay.until is None else ''}"
        lines.append((iso_time(made.occurred_at), move(made), f"epoch {made.epoch}", f"for {stood}", cause(made)))
    yield from table(lines)
    if lines:
        parts = [f"{state} {duration(seconds)}" for state, seconds in spent.items() if seconds]
        yield f"since its first move: {', '.join(parts) or 'no time at all'}"


def history_as_json(moves: Sequence[Transition], now: int) -> Iterator[str]:
    """Yield a JSON line for each transition, with the seconds that what it made stood."""
    for stay in stays(moves):
        data = {"seconds": stay.seconds(now), "over": stay.until is not None}
        yield json.dumps({**data, "transition": msgspec.to_builtins(stay.transition)}, ensure_ascii=False)


def move(made: Transition) -> str:
    """Return from where to where."""
    return f"{made.from_state} -> {made.to_state}"


def moved(made: Transition) -> str:
    """Return a transition as a line."""
    name = breaker_key(made.tenant, made.endpoint, made.version)
    return f"{name}: {move(made)}, epoch {made.epoch}, {cause(made)}"
