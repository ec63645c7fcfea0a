"""Early warning of containment that falls: one alert for each fall of a queue, or of all AI contacts of a tenant.

State of a tenant: `fall:q<queue>` and, for all, `fall:a` -> what is known of it (`fall.Watch`, a list);
`fall-told` -> when a queue's fall was last told.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from processors.analytics.logic.closings import Closings
from processors.analytics.logic.explain import describe, explain
from processors.analytics.logic.fall import AGAIN_MICROS, OTHER, Counts, Fall, Watch, observe
from processors.analytics.logic.figures import ABANDONED, BY_AI, ESCALATED, total
from runtime.state import KeyedState
from schemas.conversations import Alert, AlertKind
from schemas.fields import MICROS_PER_SECOND
from schemas.topics import ALERTS, Effect

FRESH_MICROS = 30 * 60 * MICROS_PER_SECOND
"""A contact that ended longer ago says nothing of now: it counts in the trends alone."""
_TOLD = "fall-told"


def alerts(tenant: str, ended: Iterable[Closings], state: KeyedState, now: int) -> list[Effect]:
    """Return an alert for each fall that is now certain enough, by queue. now: UTC microseconds.

    The fall of a queue makes the containment of all fall too: that is not told within an hour of it.
    """
    told: list[Effect] = []
    by_queue, everything = _by_queue(ended, now)
    for queue, counts in sorted(by_queue.items()):
        fall = _observed(state, f"fall:q{queue}", counts, now)
        if fall is not None:
            state.set(_TOLD, now)
            told.append(_alert(tenant, queue, fall))
    if everything:
        last = state.get(_TOLD)
        withheld = last is not None and 0 <= now - last < AGAIN_MICROS
        fall = _observed(state, "fall:a", everything, now, withheld=withheld)
        if fall is not None:
            told.append(_alert(tenant, None, fall))
    return told


def _by_queue(ended: Iterable[Closings], now: int) -> tuple[dict[str, dict[str, Counts]], dict[str, Counts]]:
    """Return contacts and not contained by queue and intent, and by intent."""
    by_queue: dict[str, dict[str, Counts]] = {}
    everything: dict[str, Counts] = {}
    for closings in ended:
        contacts, failed = total(closings.counts, BY_AI), total(closings.counts, (ESCALATED, ABANDONED))
        if not contacts or now - closings.closed_at > FRESH_MICROS:
            continue
        for mix in (by_queue.setdefault(closings.queue, {}), everything):
            counts = mix.setdefault(closings.intent, [0, 0])
            counts[0] += contacts
            counts[1] += failed
    return by_queue, everything


def _observed(
    state: KeyedState, name: str, counts: dict[str, Counts], now: int, *, withheld: bool = False
) -> Fall | None:
    watch = msgspec.convert(state.get(name, []), Watch)
    fall = observe(watch, counts, now, withheld=withheld)
    state.set(name, msgspec.to_builtins(watch))
    return fall


def _alert(tenant: str, queue: str | None, fall: Fall) -> Effect:
    why = explain(fall)
    event = Alert(
        tenant=tenant,
        alert=AlertKind.CONTAINMENT_FALLING,
        queue=queue,
        intents=tuple(cause.intent for cause in why.causes if cause.intent != OTHER),
        detail=describe(fall, why),
        occurred_at=fall.at,
    )
    return Effect(ALERTS, event)
