"""What would have changed a decision: it is taken again with one input moved. Pure.

Not on the record, which has all that is needed to ask at any time, and would be paid for by every contact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from router.decide.decision import Contact, decide
from router.decide.world import world_of
from runtime.snapshot import Snapshot
from schemas.agents import Transition
from schemas.control import Endpoint, KillSwitch, Policy
from schemas.fields import BreakerState
from schemas.interactions import Decision, Load
from schemas.topics import COMMANDS, POLICY, TRANSITIONS, endpoint_key, kill_key


class Outcome(NamedTuple):
    """Where a contact goes."""

    pool: str | None
    endpoint: str | None
    queue: str


class Move(NamedTuple):
    """One input moved: its name, what it was and what it is now, and the world in which that is so."""

    name: str
    was: Any
    now: Any
    contact: Contact
    snapshot: Snapshot


class Counterfactual(NamedTuple):
    """A move, and where the contact would have gone."""

    move: Move
    outcome: Outcome


def counterfactuals(contact: Contact, snapshot: Snapshot, load: Load, now: int) -> list[Counterfactual]:
    """Return the moves that would have sent a contact elsewhere: of confidence, breakers, kills, intent and policy."""
    taken = decide(contact, world_of(snapshot), load, now)
    found = []
    for move in _moves(contact, snapshot, taken):
        outcome = outcome_of(decide(move.contact, world_of(move.snapshot), load, now))
        if outcome != outcome_of(taken):
            found.append(Counterfactual(move, outcome))
    return found


def outcome_of(decision: Decision) -> Outcome:
    """Return where a decision sends its contact."""
    return Outcome(decision.pool, decision.endpoint, decision.queue)


def _moves(contact: Contact, snapshot: Snapshot, taken: Decision) -> Iterator[Move]:
    said = contact.classification
    for confidence in _confidences(taken):
        yield Move("confidence", said.confidence, confidence, _classified(contact, confidence=confidence), snapshot)
    policy: Policy | None = snapshot.of(POLICY).get(taken.tenant)
    if policy is None:
        return
    for endpoint in policy.endpoints:
        if said.intent in endpoint.intents:
            yield from _breaker_moves(contact, snapshot, taken, endpoint)
    for key, order in sorted(snapshot.of(COMMANDS).items()):
        if isinstance(order, KillSwitch) and order.killed and order.tenant in (None, taken.tenant):
            lifted = msgspec.structs.replace(order, killed=False)
            yield Move(f"kill {key}", "killed", "restored", contact, _with(snapshot, COMMANDS, kill_key(order), lifted))
    if said.runner_up is not None:
        yield Move("intent", said.intent, said.runner_up, _classified(contact, intent=said.runner_up), snapshot)
    if said.intent in policy.human_only_intents:
        others = tuple(intent for intent in policy.human_only_intents if intent != said.intent)
        changed = msgspec.structs.replace(policy, human_only_intents=others)
        yield Move("human_only_intents", list(policy.human_only_intents), list(others), contact,
                   _with(snapshot, POLICY, taken.tenant, changed))  # fmt: skip


def _confidences(taken: Decision) -> Iterator[float]:
    """Yield the confidences at which a contact passes a threshold, upwards, then downwards; the nearest first."""
    thresholds = sorted({taken.thresholds.assisted, taken.thresholds.contained})
    yield from (least for least in thresholds if least > taken.confidence)
    yield from (math.nextafter(least, 0.0) for least in reversed(thresholds) if 0.0 < least <= taken.confidence)


def _breaker_moves(contact: Contact, snapshot: Snapshot, taken: Decision, endpoint: Endpoint) -> Iterator[Move]:
    key = endpoint_key(taken.tenant, endpoint.endpoint)
    breaker: Transition | None = snapshot.of(TRANSITIONS).get(key)
    state = breaker.to_state if breaker else BreakerState.CLOSED
    if state is not BreakerState.CLOSED and breaker is not None:
        closed = msgspec.structs.replace(breaker, to_state=BreakerState.CLOSED)
        yield Move(f"breaker {key}", str(state), "closed", contact, _with(snapshot, TRANSITIONS, key, closed))
    elif taken.endpoint == endpoint.endpoint:
        # Nothing but the state counts: any transition of this agent will do.
        opened = transition_to(taken.tenant, endpoint, BreakerState.OPEN)
        yield Move(f"breaker {key}", str(state), "open", contact, _with(snapshot, TRANSITIONS, key, opened))


def transition_to(tenant: str, endpoint: Endpoint, state: BreakerState, **changes: Any) -> Transition:
    """Return a transition that nobody made, for a world that is supposed."""
    fields = {
        "tenant": tenant, "provider": endpoint.provider, "endpoint": endpoint.endpoint,
        "from_state": BreakerState.CLOSED, "to_state": state, "epoch": 0, "reason": "supposed", "occurred_at": 0,
        "evidence": {"window_seconds": 0.0, "outcomes": 0, "failures": 0, "consecutive_failures": 0,
                     "failure_rate": 0.0, "posterior_mean": 0.0, "latency_mean_ms": 0.0, "latency_baseline_ms": 0.0},
    }  # fmt: skip
    return msgspec.convert({**fields, **changes}, Transition)


def _classified(contact: Contact, **changes: Any) -> Contact:
    return msgspec.structs.replace(contact, classification=msgspec.structs.replace(contact.classification, **changes))


def _with(snapshot: Snapshot, topic: Any, key: str, event: Any) -> Snapshot:
    """Return a snapshot with one record changed, and no epoch."""
    return snapshot.with_record(topic, key, event, snapshot.epoch(topic))
