"""Containment on the real broker: deltas and ticks in, rows and one alert out, a kill in between."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.agents import Tick
from schemas.control import ClockSetting
from schemas.conversations import Alert, AlertKind
from schemas.fields import Channel, Event, Handling, Pool
from schemas.topics import ALERTS, CLOCK, CONTAINMENT, WFM_EVENTS
from schemas.wfm import ContainmentRow, TrendSpan, VolumeDelta
from tests.flow.steps import SECOND, Watch, new_room, running, write
from tests.support.services import ServiceProcess

pytestmark = pytest.mark.xdist_group("containment_flow")


@pytest.fixture(scope="module")
def room(
    bootstrap: str, redis_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, ServiceProcess]]:
    settings = new_room(bootstrap, redis_url, tmp_path_factory.mktemp("containment-flow"))
    with running(settings, "analytics") as (service,):
        yield settings, service


def closes(tenant: str, of: dict[str, tuple[int, int]], at: int, tag: str) -> list[Event]:
    """Contacts of one queue that ended at `at`: by intent, contained and escalated."""
    return [
        VolumeDelta(
            tenant=tenant, interaction_id=f"{tag}-{intent}-{number}", queue="retail", intent=intent,
            channel=Channel.CHAT, language="en", interval_start=at - at % (900 * SECOND), pool=Pool.AI_CONTAINED,
            from_handling=None, to_handling=Handling.AI_CONTAINED if number < contained else Handling.AI_ESCALATED,
            occurred_at=at,
        )
        for intent, (contained, escalated) in of.items()
        for number in range(contained + escalated)
    ]  # fmt: skip


def whole(watch: Watch, tenant: str, span: TrendSpan, contacts: int) -> list[ContainmentRow]:
    return watch.of(CONTAINMENT, tenant=tenant, queue=None, intent=None, span=span, contacts=contacts)


def test_deltas_and_ticks_give_rows_of_every_span_and_one_alert_though_the_service_is_killed(
    room: tuple[Settings, ServiceProcess],
) -> None:
    #  1,200 contacts at 85 % | kill, start | 400 at 60 %, of one intent | 400 more: no second alert
    settings, service = room
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    now = real_now()
    good, bad = {"balance": (51, 9), "refund": (51, 9)}, {"balance": (17, 3), "refund": (7, 13)}
    with Watch(settings, CONTAINMENT, ALERTS) as watch:
        for number in range(10):
            write(settings, WFM_EVENTS, *closes(tenant, good, now, f"good-{number}"), Tick(key=tenant, now=now))
        watch.until("1,200 contacts of the hour", lambda: whole(watch, tenant, TrendSpan.HOUR, 1_200))
        service.kill()
        for number in range(20):
            write(settings, WFM_EVENTS, *closes(tenant, bad, now, f"bad-{number}"), Tick(key=tenant, now=now))
        service.start().wait_ready()
        watch.until("2,000 contacts of the month", lambda: whole(watch, tenant, TrendSpan.MONTH, 2_000))
        watch.to_end()
        rows = watch.of(CONTAINMENT, tenant=tenant)
        alerts = watch.of(ALERTS, tenant=tenant)

    for span in (TrendSpan.DAY, TrendSpan.WEEK, TrendSpan.MONTH):
        (row,) = whole(watch, tenant, span, 2_000)
        assert (row.contained, row.escalated, row.containment) == (1_500, 500, 0.75)
        assert row.low < 0.75 < row.high
    by_key: dict[str, int] = {}
    for row in rows:
        assert row.revision > by_key.get(CONTAINMENT.key_of(row), 0)
        by_key[CONTAINMENT.key_of(row)] = row.revision
    names = {(row.queue, row.intent) for row in rows}
    assert names == {(None, None), ("retail", None), (None, "balance"), (None, "refund")}
    (alert,) = alerts
    assert isinstance(alert, Alert)
    assert (alert.alert, alert.queue, alert.intents) == (AlertKind.CONTAINMENT_FALLING, "retail", ("refund",))
    assert "contained 85.0 % to 35.0 %" in alert.detail


def test_the_window_of_five_minutes_is_told_empty_when_nothing_has_ended_for_so_long(
    room: tuple[Settings, ServiceProcess],
) -> None:
    settings, _ = room
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    with Watch(settings, CONTAINMENT) as watch:
        write(
            settings,
            WFM_EVENTS,
            *closes(tenant, {"balance": (3, 1)}, real_now(), "few"),
            Tick(key=tenant, now=real_now()),
        )
        watch.until("4 contacts in the window", lambda: whole(watch, tenant, TrendSpan.MINUTES_5, 4))
        ahead = ClockSetting(origin=real_now() + 300 * SECOND, real_origin=real_now(), speed=1.0)
        write(settings, CLOCK, ahead)
        watch.until(
            "an empty window", lambda: _ticked(settings, tenant) or whole(watch, tenant, TrendSpan.MINUTES_5, 0)
        )
        watch.to_end()
    assert len(whole(watch, tenant, TrendSpan.MINUTES_5, 0)) == 1


def _ticked(settings: Settings, tenant: str) -> None:
    write(settings, WFM_EVENTS, Tick(key=tenant, now=real_now()))
