"""What would have changed a decision: it is taken again with one input moved. Pure.

Not on the record, which has all that is needed to ask at any time, and would be paid for by every contact.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from router.decide.breakers import breaker_keys, ramp_of
from router.decide.contact import Contact
from router.decide.decision import decide, spare_room
from router.decide.spillover import Room, Spilling
from router.decide.world import world_of
from runtime.snapshot import Snapshot
from schemas.agents import Transition
from schemas.control import Availability, Endpoint, KillSwitch, Policy
from schemas.fields import BreakerState
from schemas.interactions import Decision, Load
from schemas.rules import Phase
from schemas.topics import AVAILABILITY, COMMANDS, POLICY, TRANSITIONS, Topic, kill_key, queue_key


class Outcome(NamedTuple):
    """Where a contact goes, and how."""

    pool: str | None
    supervision: str | None
    endpoint: str | None
    queue: str
    disposition: str


class Move(NamedTuple):
    """One input moved: its name, what it was and is now, and the contact, world and load in which that is so."""

    name: str
    was: Any
    now: Any
    contact: Contact
    snapshot: Snapshot
    load: Load


class Counterfactual(NamedTuple):
    """A move, and where the contact would have gone."""

    move: Move
    outcome: Outcome


def counterfactuals(contact: Contact, snapshot: Snapshot, load: Load, now: int) -> list[Counterfactual]:
    """Return the moves that would have sent a contact elsewhere, or had it watched otherwise.

    They are of confidence, intent, flags, breakers, kills, people available, room for what spills over, rules of the
    policy, and load.
    """
    given = _Given(contact, snapshot, load)
    taken = decide(contact, world_of(snapshot), load, now)
    found = []
    for move in _moves(given, taken):
        outcome = outcome_of(decide(move.contact, world_of(move.snapshot), move.load, now))
        if outcome != outcome_of(taken):
            found.append(Counterfactual(move, outcome))
    return found


def outcome_of(decision: Decision) -> Outcome:
    """Return where a decision sends its contact."""
    return Outcome(decision.pool, decision.supervision, decision.endpoint, decision.queue, str(decision.disposition))


class _Given(NamedTuple):
    """What a decision was taken from."""

    contact: Contact
    snapshot: Snapshot
    load: Load

    def classified(self, name: str, was: Any, now: Any) -> Move:
        found = msgspec.structs.replace(self.contact.classification, **{name: now})
        return Move(name, was, now, msgspec.structs.replace(self.contact, classification=found), *self[1:])

    def record(self, name: str, was: Any, now: Any, topic: Topic, key: str, event: Any) -> Move:
        """Return a move of one record of a control topic, and of no epoch."""
        moved = self.snapshot.with_record(topic, key, event, self.snapshot.epoch(topic))
        return Move(name, was, now, self.contact, moved, self.load)

    def policy(self, name: str, was: Any, now: Any, standing: Policy, **changes: Any) -> Move:
        changed = msgspec.structs.replace(standing, **changes)
        return self.record(name, was, now, POLICY, standing.tenant, changed)


def _moves(given: _Given, taken: Decision) -> Iterator[Move]:
    snapshot, said = given.snapshot, given.contact.classification
    for confidence in _confidences(taken):
        yield given.classified("confidence", said.confidence, confidence)
    policy: Policy | None = snapshot.of(POLICY).get(taken.tenant)
    if policy is None:
        return
    for endpoint in policy.endpoints:
        if said.intent in endpoint.intents:
            yield from _breaker_moves(given, taken, endpoint)
    for key, order in sorted(snapshot.of(COMMANDS).items()):
        if isinstance(order, KillSwitch) and order.killed and order.tenant in (None, taken.tenant):
            lifted = msgspec.structs.replace(order, killed=False)
            yield given.record(f"kill {key}", "killed", "restored", COMMANDS, kill_key(order), lifted)
    if said.runner_up is not None:
        yield given.classified("intent", said.intent, said.runner_up)
    yield from _load_moves(given)
    yield from _spill_moves(given, policy, taken.decided_at)
    yield from _flag_moves(given, policy)
    yield from _people_moves(given, policy)
    yield from _policy_moves(given, policy)
    if any(reason.code == "supervision" for reason in taken.reasons):
        yield from _phase_moves(given, policy)


def _load_moves(given: _Given) -> Iterator[Move]:
    contact, snapshot, load = given
    for name in load.full:
        fewer = msgspec.structs.replace(load, full=tuple(each for each in load.full if each != name))
        yield Move(f"capacity {name}", "full", "free", contact, snapshot, fewer)
    for name in load.limited:
        fewer = msgspec.structs.replace(load, limited=tuple(each for each in load.limited if each != name))
        yield Move(f"limit {name}", "above", "below", contact, snapshot, fewer)


def _spill_moves(given: _Given, policy: Policy, now: int) -> Iterator[Move]:
    """Yield more room among people, and less, for a contact that may need it, and the policy without its metering."""
    contact, snapshot, load = given
    grant = spare_room(contact, world_of(snapshot), now)
    said = policy.spillover
    if grant is None:
        return
    left = load.spare or 0
    enough = Spilling(said).least_left(contact.offered, Room.of(grant, contact.partition, load))
    for spare in (enough, 0):
        if (left >= enough) != (spare >= enough):
            moved = msgspec.structs.replace(load, spare=spare)
            yield Move("spare", left, spare, contact, snapshot, moved)
    if said.deflect_below is not None:
        changed = msgspec.structs.replace(said, deflect_below=None)
        yield given.policy("spillover.deflect_below", said.deflect_below, None, policy, spillover=changed)
    changed = msgspec.structs.replace(said, metered=False, deflect_below=None)
    yield given.policy("spillover.metered", was=True, now=False, standing=policy, spillover=changed)


def _flag_moves(given: _Given, policy: Policy) -> Iterator[Move]:
    """Yield the contact without a flag, and with one that a rule asks for."""
    contact, snapshot, load = given
    flags = contact.offered.flags
    asked = {flag for rule in policy.compliance for flag in rule.when.without_flags}
    for flag in sorted({*flags, *asked}):
        changed = tuple(each for each in flags if each != flag) if flag in flags else (*flags, flag)
        moved = msgspec.structs.replace(contact, offered=msgspec.structs.replace(contact.offered, flags=changed))
        yield Move("flags", list(flags), list(changed), moved, snapshot, load)


def _people_moves(given: _Given, policy: Policy) -> Iterator[Move]:
    for queue in policy.queues:
        key = queue_key(policy.tenant, queue.queue)
        said: Availability | None = given.snapshot.of(AVAILABILITY).get(key)
        if said is not None and said.agents_available < said.agents_required:
            enough = msgspec.structs.replace(said, agents_available=said.agents_required)
            name = f"people {queue.queue}"
            yield given.record(name, said.agents_available, said.agents_required, AVAILABILITY, key, enough)


def _policy_moves(given: _Given, policy: Policy) -> Iterator[Move]:
    """Yield the policy without one thing that keeps the intent from AI, or has it watched."""
    intent = given.contact.classification.intent
    if intent in policy.human_only_intents:
        others = tuple(each for each in policy.human_only_intents if each != intent)
        was = list(policy.human_only_intents)
        yield given.policy("human_only_intents", was, list(others), policy, human_only_intents=others)
    for rule in policy.compliance:
        others_left = tuple(each for each in policy.compliance if each is not rule)
        yield given.policy(f"compliance {rule.rule}", str(rule.effect), None, policy, compliance=others_left)


def _phase_moves(given: _Given, policy: Policy) -> Iterator[Move]:
    """Yield the other phases of an intent that is watched for the one that it is in."""
    intent, said = given.contact.classification.intent, policy.supervision
    own = next((rule for rule in policy.intents if rule.intent == intent and rule.phase is not None), None)
    for phase in Phase:
        if own is None and phase is not said.phase:
            changed = msgspec.structs.replace(said, phase=phase)
            yield given.policy("phase", str(said.phase), str(phase), policy, supervision=changed)
        elif own is not None and phase is not own.phase:
            rules = tuple(
                msgspec.structs.replace(rule, phase=phase) if rule is own else rule for rule in policy.intents
            )
            yield given.policy(f"phase {intent}", str(own.phase), str(phase), policy, intents=rules)


def _confidences(taken: Decision) -> Iterator[float]:
    """Yield the confidences at which a contact passes a threshold, upwards, then downwards; the nearest first."""
    thresholds = sorted({taken.thresholds.assisted, taken.thresholds.contained})
    yield from (least for least in thresholds if least > taken.confidence)
    yield from (math.nextafter(least, 0.0) for least in reversed(thresholds) if 0.0 < least <= taken.confidence)


def _breaker_moves(given: _Given, taken: Decision, endpoint: Endpoint) -> Iterator[Move]:
    """Yield the breakers of an agent, its own and its version's, as they would be were they better or worse."""
    breakers = given.snapshot.of(TRANSITIONS)
    own, of_version = breaker_keys(taken.tenant, endpoint)
    for key in (own, of_version):
        breaker: Transition | None = breakers.get(key)
        if breaker is not None:
            yield from _better(given, key, breaker, taken.decided_at)
    if taken.endpoint == endpoint.endpoint and (own not in breakers or _is_closed(breakers[own])):
        # Nothing but the state counts: any transition of this agent will do.
        opened = transition_to(taken.tenant, endpoint, BreakerState.OPEN)
        yield given.record(f"breaker {own}", "closed", "open", TRANSITIONS, own, opened)


def _is_closed(breaker: Transition) -> bool:
    return breaker.to_state is BreakerState.CLOSED


def _better(given: _Given, key: str, breaker: Transition, now: int) -> Iterator[Move]:
    """Yield a breaker closed, without the intents that it sheds, and at the end of its ramp, where it is not so."""
    if not _is_closed(breaker):
        changes = {"to_state": BreakerState.CLOSED, "shed_intents": (), "ramp_seconds": 0.0}
        closed = msgspec.structs.replace(breaker, **changes)
        yield given.record(f"breaker {key}", str(breaker.to_state), "closed", TRANSITIONS, key, closed)
    if given.contact.classification.intent in breaker.shed_intents:
        left = tuple(each for each in breaker.shed_intents if each != given.contact.classification.intent)
        kept = msgspec.structs.replace(breaker, shed_intents=left)
        yield given.record(f"shed_intents {key}", list(breaker.shed_intents), list(left), TRANSITIONS, key, kept)
    ramp = ramp_of(breaker)
    if ramp is not None and ramp.share(now) < 1.0:
        ended = msgspec.structs.replace(breaker, ramp_seconds=0.0)
        yield given.record(f"ramp {key}", round(ramp.share(now), 4), 1.0, TRANSITIONS, key, ended)


def transition_to(tenant: str, endpoint: Endpoint, state: BreakerState, **changes: Any) -> Transition:
    """Return a transition that nobody made, for a world that is supposed."""
    fields = {
        "tenant": tenant, "provider": endpoint.provider, "endpoint": endpoint.endpoint,
        "from_state": BreakerState.CLOSED, "to_state": state, "epoch": 0, "reason": "supposed", "occurred_at": 0,
        "evidence": {"window_seconds": 0.0, "outcomes": 0, "failures": 0, "consecutive_failures": 0,
                     "failure_rate": 0.0, "posterior_mean": 0.0, "latency_mean_ms": 0.0, "latency_baseline_ms": 0.0},
    }  # fmt: skip
    return msgspec.convert({**fields, **changes}, Transition)
