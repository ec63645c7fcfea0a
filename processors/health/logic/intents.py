"""Which intents of an agent fail while the others do not: those alone are shed.

State, one entry per endpoint and intent: [score of failures, its observations, those against; the same of contacts that
QA found unresolved; second of the last observation; epoch since which it counts]. An intent whose scores are 0 is not
stored, and what was seen before the endpoint was out, or closed by command, counts no more.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from processors.health.logic.breaker import Breaker, micros, spread
from processors.health.logic.signals import LABEL_SILENCE_SECONDS, Alarm, Signal, tests_of
from processors.health.logic.watch import Watch
from schemas.control import BreakerPolicy
from schemas.fields import BreakerState

ON_TRIAL_SHARE = 0.5
"""Score, as a share of its limit, with which an intent comes back: it is shed again on half of the evidence."""
_PLACES = {Signal.FAILURES: 0, Signal.UNRESOLVED: 3}


class Shed(NamedTuple):
    """An intent that is to be shed, and the signal of it that spoke."""

    intent: str
    alarm: Alarm

    @property
    def detail(self) -> str:
        """Say it in words and figures."""
        alarm = self.alarm
        return (
            f"{self.intent}: {alarm.against} of the last {alarm.observations} against it, score {alarm.score} of "
            f"{alarm.limit} ({alarm.signal})"
        )


def observed(watch: Watch, intent: str, signal: Signal, *, against: bool) -> Shed | None:
    """Take an observation of one intent of a watch's endpoint into account; return it where it is to be shed."""
    name, second = _name(watch.endpoint, intent), watch.second
    stored = watch.state.get(name)
    if stored is None and not against:
        return None
    test = tests_of(watch.policy)[signal]
    if test is None:
        return None
    since = watch.breaker.clean_from
    entry = list(stored) if stored else [0] * 8
    if entry[7] != since or abs(second - entry[6]) > LABEL_SILENCE_SECONDS:
        entry = [0] * 6 + [second, since]
    at = _PLACES[signal]
    score = test.scored(entry[at], against=against)
    entry[at : at + 3] = [score, entry[at + 1] + 1, entry[at + 2] + against] if score else [0, 0, 0]
    entry[6] = second
    if entry[0] or entry[3]:
        watch.state.set(name, entry)
    else:
        watch.state.delete(name)
    if score < test.limit:
        return None
    seen, adverse = entry[at + 1 : at + 3]
    return Shed(intent, Alarm(signal, test, test.limit, score, seen, adverse))


def shed(before: Breaker, moved: Breaker, intent: str, policy: BreakerPolicy, endpoint: str) -> Breaker:
    """Return the breaker with one more intent shed; all come back together, later each time.

    Having shed none for the longest wait is stable, and the count begins anew.
    """
    quiet = moved.changed_at - before.changed_at if before.state is BreakerState.CLOSED else 0
    sheds = 1 if quiet >= micros(policy.open_seconds_max) else before.sheds + 1
    nominal = min(policy.open_seconds * sheds, policy.open_seconds_max)
    wait = min(nominal * (1.0 + policy.open_jitter * spread(endpoint, moved.epoch)), policy.open_seconds_max)
    return msgspec.structs.replace(
        moved,
        shed=tuple(sorted({*before.shed, intent})),
        shed_until=max(before.shed_until, moved.changed_at + micros(wait)),
        sheds=sheds,
        intents_only=True,
    )


def on_trial(watch: Watch, intents: tuple[str, ...]) -> None:
    """Let intents that were shed come back with at most half of what it takes to be shed again."""
    for intent in intents:
        name = _name(watch.endpoint, intent)
        held = watch.state.get(name)
        if held is None:
            continue
        entry = [0] * 6 + [watch.second, watch.breaker.clean_from]
        for signal, at in _PLACES.items():
            test = tests_of(watch.policy)[signal]
            entry[at] = 0 if test is None else min(held[at], round(ON_TRIAL_SHARE * test.limit))
        watch.state.set(name, entry)


def _name(endpoint: str, intent: str) -> str:
    return f"intent\x1f{endpoint}\x1f{intent}"
