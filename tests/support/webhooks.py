"""Subscriptions and what is sent by them, for tests."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.fields import BreakerState
from schemas.topics import STAFFING, WEBHOOKS, Effect, Topic
from schemas.webhooks import WebhookSubscription
from schemas.wfm import CapacitySignal, StaffingRequirement
from tests.support.receivers import LOOPBACK
from tests.support.services import ServiceProcess
from tests.support.topics import write_all
from wfm_bridge.webhooks.signing import check_of, derived, installation_key, shown

KEY = b"0123456789abcdef0123456789abcdef"


def subscription(url: str = "https://wfm.example.com/in", *, key: bytes = KEY, **changes: Any) -> WebhookSubscription:
    name, now = f"wh-{secrets.token_hex(8)}", real_now()
    base = WebhookSubscription(
        subscription=name, tenant="acme", url=url, topics=(STAFFING.name,), revision=1, secret_generation=1,
        secret_check=check_of(derived(key, name, 1)), at_once=8, max_age_seconds=86_400.0, max_attempts=500,
        starts_at=now, created_at=now, occurred_at=now,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def subscribe(settings: Settings, url: str, *topics: Topic, **changes: Any) -> tuple[WebhookSubscription, str]:
    """Write a subscription; return it and its secret."""
    key = installation_key(settings, make=True)
    made = subscription(url, key=key, topics=tuple(topic.name for topic in topics or (STAFFING,)), **changes)
    write_all(settings, [Effect(WEBHOOKS, made)])
    return made, shown(derived(key, made.subscription, made.secret_generation))


@contextmanager
def sending(settings: Settings, slot: int = 0) -> Iterator[ServiceProcess]:
    """The sender, allowed to go to loopback, ready."""
    process = ServiceProcess(settings, "webhooks-sender", slot, ["--allow-private", LOOPBACK])
    try:
        yield process.start().wait_ready()
    finally:
        if process.process is not None and process.process.poll() is None:
            process.stop()


def staffing(queue: str, revision: int, tenant: str = "acme") -> StaffingRequirement:
    return StaffingRequirement(
        tenant=tenant, queue=queue, revision=revision, cause_endpoint="nova", cause_state=BreakerState.OPEN,
        cause_epoch=1, cause_at=1_772_355_600_000_001, since=None, human_contacts_per_minute_before=1,
        human_contacts_per_minute_after=4, aht_seconds=300, agents_required_before=8, agents_required_after=revision,
        agents_scheduled_after=35, service_level_target=0.8, service_level_seconds=20, service_level_after=0.84,
        occupancy_after=0.83, expected_seconds_p50=300, expected_seconds_p90=900, duration_samples=0,
        occurred_at=1_772_355_600_000_000 + revision,
    )  # fmt: skip


def capacity(queue: str, revision: int, tenant: str = "acme") -> CapacitySignal:
    return CapacitySignal(
        tenant=tenant, queue=queue, revision=revision, ai_contacts_per_minute_lost=3.5, endpoints_out=("nova",),
        cause_endpoint="nova", cause_state=BreakerState.OPEN, cause_epoch=1, expected_seconds_p50=300,
        expected_seconds_p90=900, duration_samples=0, occurred_at=1_772_355_600_000_000 + revision,
    )  # fmt: skip
