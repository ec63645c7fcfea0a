"""What an agent in normal traffic does not do: say anything, answer enough, have room. Alerts, never a trip.

Missing data says nothing of an agent, so it moves no breaker; people are told. State, per endpoint: `alerted`, the
alerts that stand, so that each is told once until it is over; `rested`, once it has been kept from contacts: 0 while
it is (its breaker is out, it is in maintenance or killed), then since when it may have some again.
"""

from __future__ import annotations

from processors.health.logic import impact, planned
from processors.health.logic.watch import Watch, in_flight
from schemas.conversations import Alert, AlertKind
from schemas.fields import MICROS_PER_SECOND, NORMAL_TRAFFIC
from schemas.topics import ALERTS, COMMANDS, Effect, kill_scope

QUIET_SECONDS = 60
"""Less silence than this is a gap between contacts, or a hiccup of the log."""
MISSED_CONTACTS = 20.0
"""Contacts that should have come in the silence, by the rate before it: of a Poisson stream none comes then once in
five hundred million times."""
UTILISATION_HYSTERESIS = 0.9
"""An alert of utilisation is over below this share of its bound."""


def told(watch: Watch) -> list[Effect]:
    """Return the alerts that have become due; forget those that are over."""
    name = f"alerted\x1f{watch.endpoint}"
    stands: list[str] = watch.state.get(name) or []
    since = _due_since(watch)
    found = {} if since is None else _found(watch, stands, since)
    if sorted(found) != stands:
        if found:
            watch.state.set(name, sorted(found))
        else:
            watch.state.delete(name)
    return [
        Effect(
            ALERTS,
            Alert(
                tenant=watch.tenant,
                alert=AlertKind(kind),
                endpoint=watch.endpoint,
                detail=detail,
                occurred_at=watch.now,
            ),
        )
        for kind, detail in found.items()
        if kind not in stands
    ]


def _due_since(watch: Watch) -> int | None:
    """Return since when contacts are due, microseconds: 0 if ever; None while the agent is kept from them."""
    name = f"rested\x1f{watch.endpoint}"
    rested: int | None = watch.state.get(name)
    kept = watch.routed_state() not in NORMAL_TRAFFIC or planned.under_way(watch) or _is_killed(watch)
    if kept:
        if rested != 0:
            watch.state.set(name, 0)
        return None
    # Behind a clock that was set back it would be silent until the old time comes round again.
    if rested == 0 or (rested is not None and rested > watch.now):
        rested = watch.now
        watch.state.set(name, rested)
    return rested or 0


def _is_killed(watch: Watch) -> bool:
    """Return whether an order of an operator keeps the agent from contacts."""
    orders = watch.snapshot.of(COMMANDS)
    if not orders:
        return False
    scopes = (kill_scope(None), kill_scope(watch.tenant), kill_scope(watch.tenant, watch.endpoint))
    return any((order := orders.get(scope)) is not None and order.killed for scope in scopes)


def _found(watch: Watch, stands: list[str], since: int) -> dict[str, str]:
    found: dict[str, str] = {}
    quiet = (watch.now - max(watch.window.at, since)) / MICROS_PER_SECOND
    if quiet >= QUIET_SECONDS and (missed := _missed(watch, quiet)) >= MISSED_CONTACTS:
        found[AlertKind.TELEMETRY_LOST] = (
            f"nothing heard of {watch.endpoint} for {quiet:.0f} s, in which {missed:.0f} contacts should have come: "
            "see whether its platform still writes to interactions.events"
        )
    known = watch.known
    if known is None:
        return found
    targets = watch.policy.targets
    most, has = known.max_concurrent, in_flight(watch.state, watch.endpoint, watch.second)
    bound = targets.utilisation_most * (UTILISATION_HYSTERESIS if AlertKind.UTILISATION_HIGH in stands else 1.0)
    if has > bound * most:
        found[AlertKind.UTILISATION_HIGH] = (
            f"{watch.endpoint} has about {has:.0f} contacts at once of {most} that the policy allows: "
            f"more than {targets.utilisation_most:.0%}"
        )
    floor = targets.answers_per_minute_least
    if floor is not None and quiet < watch.policy.window_seconds:
        watch.window.advance(watch.now, learn=False)
        answers = watch.window.answered * 60.0 / watch.policy.window_seconds
        full = watch.now - watch.window.summary.normal_since >= watch.policy.window_seconds * MICROS_PER_SECOND
        if full and answers < floor:
            found[AlertKind.THROUGHPUT_LOW] = (
                f"{watch.endpoint} gave {answers:.3g} answers a minute, of {floor:g} that the policy asks for"
            )
    return found


def _missed(watch: Watch, quiet_seconds: float) -> float:
    window = watch.window
    rows = impact.carried(watch.state, watch.endpoint, window.summary.normal_since, window.at)
    return sum(float(row[2]) for row in rows) * quiet_seconds / 60.0
