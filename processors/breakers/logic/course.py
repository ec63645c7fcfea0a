"""The course of one breaker: in which state it was when, from its transitions in the order of the topic."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from processors.breakers.logic.spans import FOR_EVER, Spans, spans
from schemas.agents import Transition
from schemas.fields import BreakerState

OUT = frozenset({BreakerState.OPEN, BreakerState.HALF_OPEN})
"""It has none, or a few contacts on trial, because it failed."""


class Stay(NamedTuple):
    """A transition and the instant of the next (UTC microseconds), None where there is none yet."""

    transition: Transition
    since: int
    until: int | None

    def seconds(self, now: int) -> float:
        """Return how long it stands or stood, in seconds."""
        return max(0, (now if self.until is None else self.until) - self.since) / 1_000_000


def stays(transitions: Sequence[Transition]) -> list[Stay]:
    """Return each transition with the time until the next. A clock that was set back reads as standing still."""
    instants: list[int] = []
    for each in transitions:
        instants.append(max(each.occurred_at, instants[-1] if instants else 0))
    ends = (*instants[1:], None)
    return [Stay(each, since, until) for each, since, until in zip(transitions, instants, ends, strict=False)]


def state_since(newest_first: Iterable[Transition]) -> int | None:
    """Return when the breaker came into the state that it is in; None without transitions.

    Moves that stay in a state, such as a renewal of permits, begin no new one.
    """
    begun = None
    for made in newest_first:
        begun = made.occurred_at
        if made.from_state is not made.to_state:
            break
    return begun


def times_in(transitions: Sequence[Transition], states: frozenset[BreakerState]) -> Spans:
    """Return when the breaker was in one of these states, of all time.

    Before its first transition it was in the state that this one left; in the last it is for ever. Without any
    transition it is nowhere.
    """
    ((begin, end),) = FOR_EVER
    course = stays(transitions)
    if not course:
        return ()
    first = course[0]
    found = [(begin, first.since)] if first.transition.from_state in states else []
    found += [
        (stay.since, end if stay.until is None else stay.until) for stay in course if stay.transition.to_state in states
    ]
    return spans(found)


class Spell(NamedTuple):
    """A time in a row in some states (UTC microseconds), and the transition that ended it, if one has."""

    since: int
    until: int | None
    ended_by: Transition | None


def spells(transitions: Sequence[Transition], states: frozenset[BreakerState]) -> Iterator[Spell]:
    """Yield each time in a row that the breaker spent in these states, by the order of its transitions."""
    since: int | None = None
    for stay in stays(transitions):
        inside = stay.transition.to_state in states
        if inside and since is None:
            since = stay.since
        elif not inside and since is not None:
            yield Spell(since, stay.since, stay.transition)
            since = None
    if since is not None:
        yield Spell(since, None, None)
