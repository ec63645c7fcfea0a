"""Staffing as a process: AI is lost, people have room, and contacts that were held go to them by priority."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from processors.staffing.logic.erlang import carried_per_minute
from runtime.clock import real_now
from runtime.settings import Settings
from schemas.agents import Tick
from schemas.control import Availability
from schemas.fields import BreakerState
from schemas.interactions import Released
from schemas.rules import Spillover
from schemas.topics import AVAILABILITY, CAPACITY, INTERACTION_EVENTS, SPARE, STAFFING, WFM_EVENTS
from schemas.wfm import Displaced, DurationSource, Held, Impact, ImpactCause, SpareCapacity
from tests.flow.steps import PARTITIONS, SECOND, Watch, new_room, policy, publish_policy, running, write
from tests.support.services import ServiceProcess

pytestmark = pytest.mark.xdist_group("spare_flow")

MINUTE = 60 * SECOND
EVERYTHING = (SPARE, CAPACITY, STAFFING, INTERACTION_EVENTS, WFM_EVENTS)
Room = tuple[Settings, ServiceProcess]


@pytest.fixture(scope="module")
def room(bootstrap: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """Staffing and the clock; each test has a tenant of its own."""
    settings = new_room(bootstrap, redis_url, tmp_path_factory.mktemp("spare-flow"))
    with running(settings, "staffing", "clock") as (staffing, _):
        yield settings, staffing


@pytest.fixture
def tenant() -> str:
    return f"tenant-{uuid.uuid4().hex[:8]}"


def staffed(settings: Settings, tenant: str, people: float) -> None:
    now = real_now()
    write(settings, AVAILABILITY, Availability(
        tenant=tenant, queue="retail", agents_required=people, agents_available=people, starts_at=now - MINUTE,
        expires_at=now + 60 * MINUTE, occurred_at=now,
    ))  # fmt: skip


def impact(tenant: str, state: BreakerState, epoch: int, **changes: Any) -> Impact:
    carried = Displaced(queue="retail", intent="balance", contacts_per_minute=40.0)
    base = Impact(
        tenant=tenant, provider="north", endpoint="nova", state=state, epoch=epoch, displaced=(carried,),
        expected_seconds_p50=300.0, expected_seconds_p90=1800.0, duration_samples=0, occurred_at=real_now(),
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def held(tenant: str, name: str, priority: int, waited_seconds: int = 0, **changes: Any) -> Held:
    now = real_now()
    base = Held(
        tenant=tenant, interaction_id=f"{tenant}-{name}", queue="retail", priority=priority,
        offered_at=now - waited_seconds * SECOND, hold_until=now + 10 * MINUTE, occurred_at=now,
    )  # fmt: skip
    return msgspec.structs.replace(base, **changes)


def released(watch: Watch, tenant: str) -> list[str]:
    told = [event for event in watch.of(INTERACTION_EVENTS, tenant=tenant) if isinstance(event, Released)]
    assert {(event.queue, event.reason) for event in told} <= {("retail", "room")}
    # Contacts lie on partitions of their own: their order is that of the instants at which they were released.
    return [event.interaction_id.removeprefix(f"{tenant}-") for event in sorted(told, key=lambda one: one.occurred_at)]


def spare(watch: Watch, tenant: str) -> list[SpareCapacity]:
    return list(watch.of(SPARE, tenant=tenant))


def test_contacts_that_were_held_go_to_people_by_priority_and_then_routers_have_permits(
    room: Room, tenant: str
) -> None:
    settings, staffing = room
    publish_policy(settings, msgspec.structs.replace(
        policy(tenant, ramp_seconds=0.0), spillover=Spillover(metered=True)))  # fmt: skip
    staffed(settings, tenant, 100)
    room_per_minute = carried_per_minute(100, 300.0, 0.8, 20.0, 0.85)
    with Watch(settings, *EVERYTHING) as watch:
        watch.until("ticks of the tenant", lambda: [
            event for event in watch.of(WFM_EVENTS) if isinstance(event, Tick) and event.key == tenant])  # fmt: skip
        write(settings, WFM_EVENTS, held(tenant, "low", 0, 60), held(tenant, "gone", 9), held(tenant, "young", 5, 1),
              held(tenant, "old", 5, 30), held(tenant, "gone", 9, over=True))  # fmt: skip
        write(settings, WFM_EVENTS, impact(tenant, BreakerState.OPEN, 1))
        watch.until("three contacts released", lambda: len(released(watch, tenant)) >= 3, 40)
        staffing.kill()
        staffing.start().wait_ready()
        watch.until("permits", lambda: [row for row in spare(watch, tenant) if sum(row.permits)], 40)
        write(settings, WFM_EVENTS, impact(tenant, BreakerState.CLOSED, 2))
        watch.until("the last row", lambda: spare(watch, tenant)[-1].expires_at == spare(watch, tenant)[-1].occurred_at)
        watch.to_end()
        rows, order = spare(watch, tenant), released(watch, tenant)

    assert order == ["old", "young", "low"]
    assert [row.revision for row in rows] == list(range(1, len(rows) + 1))
    assert {len(row.permits) for row in rows} == {PARTITIONS}
    for row in rows[:-1]:
        assert row.spare_contacts_per_minute == pytest.approx(room_per_minute)
        assert (row.expires_at - row.occurred_at) / SECOND in (10, pytest.approx(2 * 60 * PARTITIONS / room_per_minute))
        assert all(kept <= permits for kept, permits in zip(row.kept, row.permits, strict=True))
    assert (rows[-1].permits, rows[-1].held) == ((0,) * PARTITIONS, 0)
    lasted = (rows[-2].occurred_at - rows[0].occurred_at) / MINUTE
    let_through = len(order) + sum(sum(row.permits) for row in rows)
    assert let_through <= room_per_minute * (lasted + 5 / 60) + 1


def test_planned_maintenance_is_told_ahead_and_meters_when_it_begins(room: Room, tenant: str) -> None:
    settings, _ = room
    publish_policy(settings, policy(tenant))
    staffed(settings, tenant, 100)
    now = real_now()
    plan = {"cause": ImpactCause.MAINTENANCE, "starts_at": now + MINUTE, "ends_at": now + 60 * MINUTE,
            "confidence": 0.9, "duration_source": DurationSource.PLAN}  # fmt: skip
    with Watch(settings, *EVERYTHING) as watch:
        write(settings, WFM_EVENTS, impact(tenant, BreakerState.FORCED_OPEN, 1, occurred_at=now, **plan))
        watch.until("the forecast", lambda: watch.of(STAFFING, tenant=tenant) and watch.of(CAPACITY, tenant=tenant))
        begins = {**plan, "starts_at": now, "occurred_at": real_now()}
        assert spare(watch, tenant) == []
        write(settings, WFM_EVENTS, impact(tenant, BreakerState.FORCED_OPEN, 2, **begins))
        watch.until("a row", lambda: spare(watch, tenant))
        watch.to_end()
        ahead, begun = watch.of(STAFFING, tenant=tenant)
        foretold, lost = watch.of(CAPACITY, tenant=tenant)
    assert (ahead.starts_at, ahead.ends_at, ahead.since) == (plan["starts_at"], plan["ends_at"], None)
    assert (begun.starts_at, begun.ends_at, begun.since) == (None, plan["ends_at"], begins["occurred_at"])
    assert (foretold.starts_at, foretold.confidence, foretold.duration_source) == (
        plan["starts_at"], 0.9, DurationSource.PLAN,
    )  # fmt: skip
    assert foretold.ai_contacts_per_minute_lost == lost.ai_contacts_per_minute_lost == 40
