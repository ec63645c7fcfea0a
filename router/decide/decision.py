"""The decision: a pure function of the offer, of the world at its epochs, and of the load.

The order of the steps is the order of the reasons on the record. Whatever is missing or unwell,
the contact goes to people: there is no path on which it is dropped.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping

import msgspec

from router.classify.result import OUT_OF_SCOPE
from router.decide.world import Agent, Cut, Route, TenantWorld, World
from schemas.control import KillSwitch
from schemas.fields import MICROS_PER_SECOND, Disposition, Pool, Supervision
from schemas.interactions import DEFAULT_THRESHOLDS, Classification, Decision, Load, Offered, Reason
from schemas.topics import kill_key

FALLBACK_QUEUE = "default"
"""Queue of a tenant without a policy."""
AHEAD_MICROS = 5 * 60 * MICROS_PER_SECOND
BEHIND_MICROS = 7 * 24 * 60 * 60 * MICROS_PER_SECOND

_SUPERVISION = {Pool.AI_CONTAINED: Supervision.AUTONOMOUS, Pool.AI_ASSISTED: Supervision.SEMI}


class Contact(msgspec.Struct, frozen=True, gc=False):
    """An offer with the place it was read from and its intent."""

    offered: Offered
    partition: int
    offset: int
    classification: Classification


_Choice = tuple[Pool, Agent | None, tuple[Reason, ...]]


def decision_id(interaction_id: str, partition: int, offset: int) -> str:
    """Return the id of the decision on the offer at this place: the same at every replay."""
    return hashlib.blake2b(f"{interaction_id}|{partition}|{offset}".encode(), digest_size=16).hexdigest()


def offered_at(offered: Offered, now: int) -> int:
    """Return when the contact was offered: `now` where its own time is 5 min ahead or 7 days old."""
    return offered.occurred_at if now - BEHIND_MICROS <= offered.occurred_at <= now + AHEAD_MICROS else now


def eligible_probes(contact: Contact, world: World) -> tuple[Agent, ...]:
    """Return the agents in HALF_OPEN that this contact could probe: their permits are load."""
    tenant = world.tenant(contact.offered.tenant)
    if tenant is None or tenant.killed:
        return ()
    return tenant.route(contact.classification.intent, contact.offered).recovering


def decide(contact: Contact, world: World, load: Load, now: int) -> Decision:
    """Return the decision record of a contact.

    load.probe_permits: endpoint -> permits left for the contact's partition, for those in HALF_OPEN.
    """
    offered, classification = contact.offered, contact.classification
    tenant = world.tenant(offered.tenant)
    if tenant is None:
        thresholds, queue = DEFAULT_THRESHOLDS, FALLBACK_QUEUE
        pool, agent, reasons = _people("no_policy", offered.tenant)
    else:
        route = tenant.route(classification.intent, offered)
        cut = tenant.cut(classification.intent, offered.channel, offered.segment)
        thresholds, queue = cut.thresholds, route.queue
        pool, agent, reasons = _stopped(tenant.killed) if tenant.killed else _choose(contact, tenant, cut, route, load)
    arrival = offered_at(offered, now)
    if arrival != offered.occurred_at:
        reasons = (Reason(code="time_corrected", detail=str(offered.occurred_at)), *reasons)
    endpoint = agent.endpoint if agent else None
    return Decision(
        decision_id=decision_id(offered.interaction_id, contact.partition, contact.offset),
        interaction_id=offered.interaction_id,
        tenant=offered.tenant,
        channel=offered.channel,
        language=offered.language,
        segment=offered.segment,
        intent=classification.intent,
        confidence=classification.confidence,
        runner_up_gap=classification.runner_up_gap,
        model=classification.model,
        pool=pool,
        supervision=_SUPERVISION.get(pool),
        disposition=Disposition.ROUTE,
        queue=queue,
        endpoint=endpoint.endpoint if endpoint else None,
        endpoint_version=endpoint.version if endpoint else None,
        provider=endpoint.provider if endpoint else None,
        breaker_epoch=agent.breaker_epoch if agent else 0,
        thresholds=thresholds,
        reasons=reasons,
        epochs=world.epochs,
        load=load,
        offered_partition=contact.partition,
        offered_offset=contact.offset,
        offered_at=arrival,
        decided_at=now,
    )


def repeat(contact: Contact, world: World, first_place: tuple[int, int], now: int) -> Decision:
    """Return the record for a contact that was decided before: it names that decision and decides nothing."""
    first = decision_id(contact.offered.interaction_id, *first_place)
    plain = decide(contact, world, Load(), now)
    return msgspec.structs.replace(
        plain,
        pool=None,
        supervision=None,
        disposition=Disposition.REPEAT,
        endpoint=None,
        endpoint_version=None,
        provider=None,
        breaker_epoch=0,
        reasons=(Reason(code="repeat", detail=f"decided first as {first}"),),
        first_decision_id=first,
    )


def _people(code: str, detail: str = "") -> _Choice:
    return Pool.HUMAN_EXCLUSIVE, None, (Reason(code=code, detail=detail),)


def _stopped(order: KillSwitch) -> _Choice:
    return _people("kill_switch", f"{kill_key(order)}: {order.reason}")


def _choose(contact: Contact, tenant: TenantWorld, cut: Cut, route: Route, load: Load) -> _Choice:
    intent, confidence = contact.classification.intent, contact.classification.confidence
    if route.human_only:
        return _people("human_only_intent", intent)
    for flag in contact.offered.flags:
        if flag in tenant.policy.human_only_flags:
            return _people("human_only_flag", flag)
    if intent == OUT_OF_SCOPE:
        return _people("out_of_scope")
    if confidence < cut.thresholds.assisted:
        below = Reason(code="confidence_below_assisted", detail=f"{confidence:.4f} < {cut.assisted_text}")
        return Pool.HUMAN_EXCLUSIVE, None, (*cut.named, below)
    if not route.agents:
        return _people("no_endpoint_for_intent", intent)
    return _among(contact, cut, route, load.probe_permits)


def _among(contact: Contact, cut: Cut, route: Route, permits: Mapping[str, int]) -> _Choice:
    """Choose among the agents of the intent by the state of their breakers.

    A probe comes first, or a recovering agent would wait for ever; a person watches it, as one
    watches a degraded agent.
    """
    for agent in route.recovering:
        if permits.get(agent.endpoint.endpoint, 0) > 0:
            reason = Reason(code="probe", detail=agent.endpoint.endpoint)
            return Pool.AI_ASSISTED, agent, (*route.unwell, reason)
    among = route.well if route.well.agents else route.degraded
    reasons = (*route.unwell, *among.reasons)
    if not among.agents:
        return Pool.HUMAN_EXCLUSIVE, None, (*reasons, Reason(code="all_ai_unavailable"))
    agent = among.agents[zlib.crc32(contact.offered.interaction_id.encode()) % len(among.agents)]
    if not route.well.agents:
        return Pool.AI_ASSISTED, agent, (*reasons, Reason(code="degraded_needs_watching"))
    confidence = contact.classification.confidence
    if confidence >= cut.thresholds.contained:
        reason = Reason(code="confidence_contained", detail=f"{confidence:.4f} >= {cut.contained_text}")
        return Pool.AI_CONTAINED, agent, (*reasons, *cut.named, reason)
    reason = Reason(code="confidence_assisted", detail=f"{confidence:.4f} >= {cut.assisted_text}")
    return Pool.AI_ASSISTED, agent, (*reasons, *cut.named, reason)
