"""Offers, a tenant's policy, and breakers in any state: the world of a routing decision."""

from __future__ import annotations

from typing import Any

import msgspec

from router.decide.contact import Contact
from router.decide.world import World, world_of
from runtime.snapshot import Snapshot
from schemas.agents import Evidence, Transition
from schemas.control import Endpoint, HumanQueue, Policy
from schemas.fields import BreakerState, Channel
from schemas.interactions import Classification, Offered, Thresholds
from schemas.topics import POLICY, SPARE, TRANSITIONS, breaker_key, queue_key
from schemas.wfm import SpareCapacity

SECOND = 1_000_000
NOW = 922_271_400 * SECOND
EVIDENCE = Evidence(
    window_seconds=60.0, outcomes=20, failures=12, consecutive_failures=5, failure_rate=0.6, posterior_mean=0.6,
    latency_mean_ms=900.0, latency_baseline_ms=400.0,
)  # fmt: skip


def policy(**changes: Any) -> Policy:
    """Three endpoints: nova and vega share `balance`, vega alone has `card_lost`, lyra `loan`."""
    base = Policy(
        tenant="acme",
        revision=1,
        thresholds=Thresholds(contained=0.92, assisted=0.75),
        endpoints=(
            Endpoint(endpoint="nova", provider="north", version="7", intents=("balance",)),
            Endpoint(endpoint="vega", provider="south", version="2", intents=("balance", "card_lost")),
            Endpoint(endpoint="lyra", provider="south", version="1", intents=("loan", "complaint")),
        ),
        queues=(
            HumanQueue(queue="retail", intents=("balance", "loan")),
            HumanQueue(queue="cards", intents=("card_lost",)),
            HumanQueue(queue="front_desk", intents=()),
        ),
        default_queue="front_desk",
        human_only_intents=("complaint",),
        occurred_at=NOW,
    )
    return msgspec.structs.replace(base, **changes)


def breaker(endpoint: str, state: BreakerState, epoch: int = 4, **changes: Any) -> Transition:
    """The transition that put a breaker in a state."""
    base = Transition(
        tenant="acme",
        provider="north",
        endpoint=endpoint,
        from_state=BreakerState.CLOSED,
        to_state=state,
        epoch=epoch,
        reason="drill",
        evidence=EVIDENCE,
        occurred_at=NOW,
    )
    return msgspec.structs.replace(base, **changes)


def recovering(
    endpoint: str, permits: tuple[int, ...] = (1, 1, 1, 1), seconds: float = 60, **changes: Any
) -> Transition:
    """A breaker in HALF_OPEN, with so many probes for each partition, for so long from NOW."""
    expiry = NOW + round(seconds * SECOND)
    return breaker(endpoint, BreakerState.HALF_OPEN, probe_permits=permits, probes_expire_at=expiry, **changes)


def snapshot(*breakers: Transition, of: Policy | None = None) -> Snapshot:
    """The control topics: a policy, then these transitions in their order."""
    tenant = of or policy()
    made = Snapshot().with_record(POLICY, tenant.tenant, tenant, 0)
    for offset, transition in enumerate(breakers):
        key = breaker_key(transition.tenant, transition.endpoint, transition.version)
        made = made.with_record(TRANSITIONS, key, transition, offset)
    return made


def spare(
    permits: tuple[int, ...] = (9, 9, 9, 9), revision: int = 1, seconds: float = 10, **changes: Any
) -> SpareCapacity:
    """Room among the people of `cards`, for so long from NOW, a third of it for those who come first."""
    base = SpareCapacity(
        tenant="acme", queue="cards", revision=revision, spare_contacts_per_minute=60.0, permits=permits,
        expires_at=NOW + round(seconds * SECOND), occurred_at=NOW, kept=tuple(given // 3 for given in permits),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def with_spare(given: Snapshot, *rows: SpareCapacity) -> Snapshot:
    """The control topics with these rows of staffing's besides, in their order."""
    for row in rows:
        given = given.with_record(SPARE, queue_key(row.tenant, row.queue), row, given.epoch(SPARE) + 1)
    return given


def world(*breakers: Transition, of: Policy | None = None) -> World:
    """What the router makes of the control topics."""
    return world_of(snapshot(*breakers, of=of))


def offered(interaction_id: str = "c-1", **changes: Any) -> Offered:
    """A contact arrives."""
    base = Offered(
        interaction_id=interaction_id, tenant="acme", channel=Channel.CHAT, text="how much is left", occurred_at=NOW
    )
    return msgspec.structs.replace(base, **changes)


def contact(
    intent: str = "balance", confidence: float = 0.97, *, partition: int = 0, offset: int = 0, **changes: Any
) -> Contact:
    """An offer with the intent that was found."""
    found = Classification(intent=intent, confidence=confidence, runner_up="loan", runner_up_gap=0.5, model="m-1")
    return Contact(offered(**changes), partition, offset, found)
