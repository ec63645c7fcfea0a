"""The policy of a simulated tenant: a telephone and internet company with four AI agents of two providers.

Some intents belong to one agent alone, some to two: when an agent is out, a part of its contacts moves
to a sibling and the rest to people.
"""

from __future__ import annotations

from schemas.control import BreakerPolicy, Endpoint, HumanQueue, Policy
from schemas.interactions import DEFAULT_THRESHOLDS
from schemas.rules import Transfer, Triggers
from simulator.agents import FAILURES_TO_GIVE_UP
from simulator.people import HANDLE_SECONDS

DEFAULT_QUEUE = "care"
_OPEN_SECONDS = 8.0
"""A quarter of the breaker's default: a run of a minute sees it probe, and once more where a probe failed by chance."""
_MAX_CONCURRENT = 500
_ESCALATION = Triggers(person_asked=True, failures_over=FAILURES_TO_GIVE_UP - 1, breaker_opens=True)
"""After as many failures as the ACD itself would bear, so that the policy moves no contact later than it would."""
_ACK_SECONDS, _MOST_ACK_SECONDS = 15.0, 3600.0
"""The product's default, and the most that a policy may say."""

HUMAN_ONLY_INTENTS = (
    "cancel_service", "complaint", "fraud_report", "lost_phone", "payment_arrangement", "speak_to_person",
)  # fmt: skip
QUEUE_INTENTS: dict[str, tuple[str, ...]] = {
    "billing": (
        "bill_copy", "bill_query", "pay_bill", "payment_arrangement", "payment_failed", "promo_code", "refund_status",
        "usage_balance",
    ),
    "orders": ("damaged_item", "delivery_tracking", "opening_hours", "order_change", "return_item"),
    "technical": (
        "device_setup", "internet_fault", "mobile_signal", "number_porting", "roaming", "sim_activation",
        "technician_visit",
    ),
    DEFAULT_QUEUE: (
        "account_access", "cancel_service", "complaint", "fraud_report", "lost_phone", "plan_change",
        "speak_to_person", "update_details",
    ),
}  # fmt: skip
_AGENTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("billing-bot", "northwind-ai", "2.4.1", (
        "bill_query", "pay_bill", "payment_failed",
        "bill_copy", "plan_change", "promo_code", "refund_status", "usage_balance",
    )),
    ("orders-bot", "northwind-ai", "1.9.0", (
        "damaged_item", "delivery_tracking", "order_change", "return_item",
        "opening_hours", "refund_status",
    )),
    ("support-bot", "lumen-ai", "5.0.3", (
        "internet_fault", "mobile_signal", "number_porting", "roaming", "technician_visit",
        "bill_copy", "device_setup", "opening_hours", "sim_activation", "usage_balance",
    )),
    ("care-bot", "lumen-ai", "5.0.3", (
        "account_access", "update_details",
        "device_setup", "plan_change", "promo_code", "sim_activation",
    )),
)  # fmt: skip
"""Endpoint, provider, version, intents: those of one agent alone on the first line, shared ones on the second."""


def demo_policy(now: int, *, tenant: str = "demo", pace: float = 1.0, speed: float = 1.0) -> Policy:
    """Return the simulated tenant's policy as of `now` (UTC microseconds).

    Thresholds are the product's defaults. The handle time of the queues is that of the simulated people
    at this pace. Intents that it does not name, and contacts out of scope, go to the queue `care`. A warm transfer
    may take a second of real time at this speed: to get there and back takes some 0.2 s, whatever the clock says.
    """
    return Policy(
        tenant=tenant,
        revision=1,
        thresholds=DEFAULT_THRESHOLDS,
        endpoints=tuple(
            Endpoint(
                endpoint=endpoint, provider=provider, version=version, intents=intents, max_concurrent=_MAX_CONCURRENT
            )
            for endpoint, provider, version, intents in _AGENTS
        ),
        queues=tuple(
            HumanQueue(queue=queue, intents=intents, aht_seconds=HANDLE_SECONDS * pace)
            for queue, intents in QUEUE_INTENTS.items()
        ),
        default_queue=DEFAULT_QUEUE,
        human_only_intents=HUMAN_ONLY_INTENTS,
        breaker=BreakerPolicy(open_seconds=_OPEN_SECONDS),
        escalation=_ESCALATION,
        transfer=Transfer(ack_seconds=min(max(_ACK_SECONDS, speed), _MOST_ACK_SECONDS)),
        occurred_at=now,
    )
