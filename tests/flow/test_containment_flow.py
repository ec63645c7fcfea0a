"""Analytics on the real broker: deltas, findings and ticks in, rows and one alert out, a kill in between."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import msgspec
import pytest

from runtime.clock import real_now
from runtime.settings import Settings
from schemas.agents import Tick
from schemas.analytics import HandleTimeRow, QualityRow
from schemas.control import ClockSetting
from schemas.conversations import Alert, AlertKind
from schemas.fields import Channel, Event, GradedBy, Handling, Pool
from schemas.rules import Costs
from schemas.topics import ALERTS, CLOCK, CONTAINMENT, HANDLE_TIME, POLICY, QUALITY, WFM_EVENTS
from schemas.wfm import ContainmentRow, Finding, TrendSpan, VolumeDelta
from tests.flow.steps import SECOND, Watch, new_room, policy, running, write
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


def handled(tenant: str, number: int, at: int) -> list[Event]:
    """A contact that people finished, and one that AI handed to them: the n-th, of n seconds of talk; and a rating."""
    about = {
        "tenant": tenant, "queue": "retail", "intent": "refund", "channel": Channel.VOICE, "language": "en",
        "occurred_at": at,
    }  # fmt: skip
    interval = at - at % (900 * SECOND)
    talk = {"talk_seconds": float(number), "wrap_seconds": 10.0, "interval_start": interval, "resolved": True}
    of_people, of_ai = {"pool": Pool.HUMAN_EXCLUSIVE}, {"pool": Pool.AI_CONTAINED}
    return [
        VolumeDelta(interaction_id=f"p-{number}", from_handling=None, to_handling=Handling.HUMAN_ONLY,
                    **about, **talk, **of_people),
        VolumeDelta(interaction_id=f"a-{number}", from_handling=None, to_handling=Handling.AI_ESCALATED,
                    trigger="person_asked", ai_cost=0.25, ai_seconds=30.0, **about, **talk, **of_ai),
        Finding(interaction_id=f"p-{number}", handling=Handling.HUMAN_ONLY, by=GradedBy.CUSTOMER,
                csat=5 if number % 4 else 2, **about, **of_people),
    ]  # fmt: skip


def test_handle_times_and_quality_are_told_with_costs_of_the_policy_though_the_service_is_killed(
    room: tuple[Settings, ServiceProcess],
) -> None:
    #  a policy | 100 contacts of people and 100 handed to them, in ten writes | kill, start after the fifth
    settings, service = room
    tenant = f"tenant-{uuid.uuid4().hex[:8]}"
    now = real_now()
    write(settings, POLICY, msgspec.structs.replace(policy(tenant), costs=Costs(people_per_hour=36.0)))
    with Watch(settings, HANDLE_TIME, QUALITY) as watch:
        for part in range(10):
            if part == 5:
                service.kill()
                service.start().wait_ready()
            events = [each for number in range(1, 101) if number % 10 == part for each in handled(tenant, number, now)]
            write(settings, WFM_EVENTS, *events, Tick(key=tenant, now=now))
        watch.until("the month", lambda: _quality(watch, tenant, TrendSpan.MONTH, 200))
        watch.until("100 contacts each", lambda: len(watch.of(HANDLE_TIME, tenant=tenant, contacts=100)) == 2)
        watch.to_end()
        last = {HANDLE_TIME.key_of(row): row for row in watch.of(HANDLE_TIME, tenant=tenant)}

    (quality,) = _quality(watch, tenant, TrendSpan.MONTH, 200)
    assert (quality.human_only, quality.ai_escalated, quality.escalation_reasons) == (100, 100, {"person_asked": 100})
    assert (quality.people.csat_answers, quality.people.csat, quality.ai.csat) == (100, 0.75, None)
    assert (quality.ai_cost, quality.people_seconds, quality.people_per_hour) == (25.0, 2 * 6_050.0, 36.0)
    assert quality.people.cost_per_contact == pytest.approx(0.605)
    assert quality.ai.cost_per_resolved == pytest.approx(0.855)
    by_handling = {row.handling: row for row in last.values()}
    assert set(by_handling) == {Handling.HUMAN_ONLY, Handling.AI_ESCALATED}
    people: HandleTimeRow = by_handling[Handling.HUMAN_ONLY]
    assert (people.talk.sum_seconds, people.handle.sum_seconds, people.ai.zeros) == (5_050.0, 6_050.0, 100)
    assert people.talk.p50_seconds == pytest.approx(50.0, rel=0.01)
    assert by_handling[Handling.AI_ESCALATED].handle.p90_seconds == pytest.approx(130.0, rel=0.01)
    assert {key.decode() for key in _keys(watch, HANDLE_TIME.name, tenant)} == set(last)


def _quality(watch: Watch, tenant: str, span: TrendSpan, contacts: int) -> list[QualityRow]:
    rows = watch.of(QUALITY, tenant=tenant, queue=None, intent=None, span=span, contacts=contacts)
    return [row for row in rows if row.people.csat_answers == contacts // 2]


def _keys(watch: Watch, topic: str, tenant: str) -> set[bytes]:
    return {each.key for each in watch.records if each.topic == topic and each.key and tenant.encode() in each.key}


def _ticked(settings: Settings, tenant: str) -> None:
    write(settings, WFM_EVENTS, Tick(key=tenant, now=real_now()))
