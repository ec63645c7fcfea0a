"""WFM's word from end to end: said over REST and by commands, it changes decisions and recommendations in seconds."""

from __future__ import annotations

import datetime as dt
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from runtime.clock import real_now
from runtime.keys import Scope, create_key
from runtime.settings import Settings
from schemas.agents import Tick
from schemas.control import Availability, QueuePlan
from schemas.fields import BreakerState, Pool
from schemas.interactions import Classification
from schemas.rules import Relief
from schemas.topics import AVAILABILITY, OFFERED, PLANS, ROUTED, STAFFING, WFM_EVENTS
from schemas.wfm import Displaced, Impact, LoadBasis
from tests.flow.command import trunkline
from tests.flow.steps import SECOND, Watch, new_room, offered, policy, publish_policy, running, write

pytestmark = pytest.mark.xdist_group("inbound_flow")

OBEYED_WITHIN_SECONDS = 2.0
ANSWERED_WITHIN_SECONDS = 10.0


class Room:
    """An installation with a bridge, and a tenant of its own for each test."""

    def __init__(self, settings: Settings, url: str, key: str) -> None:
        self.settings, self.tenant = settings, f"tenant-{uuid.uuid4().hex[:8]}"
        self.client = httpx.Client(base_url=url, headers={"X-API-Key": key}, timeout=ANSWERED_WITHIN_SECONDS)
        relief = Relief(shortage_full=0.5, contained_by=0.2, assisted_by=0.2)
        publish_policy(settings, msgspec.structs.replace(policy(self.tenant), relief=relief))

    def put(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """Say something; the policy may only just be on its way to the bridge."""
        deadline = time.monotonic() + ANSWERED_WITHIN_SECONDS
        while (answer := self.client.put(path, json=body)).status_code == 404 and time.monotonic() < deadline:
            pass
        assert answer.status_code == 200, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def run(self, *arguments: str, given: str = "", ends: int = 0) -> str:
        done = trunkline(
            "wfm", *arguments, "--bootstrap", self.settings.bootstrap, "--prefix", self.settings.prefix,
            "--tenant", self.tenant, given=given,
        )  # fmt: skip
        assert done.returncode == ends, done.stderr
        return done.stdout if ends == 0 else done.stderr


@pytest.fixture(scope="module")
def services(
    bootstrap: str, redis_url: str, models: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Settings, str, str]]:
    data = tmp_path_factory.mktemp("inbound-flow")
    (data / "models").symlink_to(models)
    settings = new_room(bootstrap, redis_url, data)
    key = create_key(settings.api_keys_file, "wfm", "*", scopes=(Scope.READ_WFM, Scope.WRITE_WFM))
    with running(settings, "router", "staffing", "clock", "bridge") as (*_, bridge):
        yield settings, f"http://127.0.0.1:{bridge.port()}", key


@pytest.fixture
def room(services: tuple[Settings, str, str]) -> Iterator[Room]:
    made = Room(*services)
    yield made
    made.client.close()


def iso(micros: int) -> str:
    return dt.datetime.fromtimestamp(micros / SECOND, dt.UTC).isoformat()


def ticks(watch: Watch, tenant: str) -> list[Tick]:
    return [event for event in watch.of(WFM_EVENTS) if isinstance(event, Tick) and event.key == tenant]


def offer(room: Room, watch: Watch) -> Any:
    name = f"{room.tenant}-{uuid.uuid4().hex[:8]}"
    unsure = Classification(intent="balance", confidence=0.85)
    write(room.settings, OFFERED, offered(name, room.tenant, classification=unsure))
    return watch.decision(name)


def test_availability_over_rest_changes_decisions_within_two_seconds(room: Room) -> None:
    with Watch(room.settings, ROUTED) as watch:
        deadline = time.monotonic() + 30
        while (before := offer(room, watch)).endpoint is None:
            assert time.monotonic() < deadline, "the router did not take the policy"
        assert (before.pool, before.thresholds.contained) == (Pool.AI_ASSISTED, 0.92)
        lags = []
        for available, contained in ((15, 0.82), (20, 0.92), (10, 0.72)):
            began = time.monotonic()
            told = room.put(f"/v1/availability/{room.tenant}/retail", {
                "agents_required": 20, "agents_available": available, "expires_at": iso(real_now() + 600 * SECOND),
            })  # fmt: skip
            acknowledged = time.monotonic() - began
            while (after := offer(room, watch)).epochs[AVAILABILITY.name] < told["epoch"]:
                assert time.monotonic() - began < OBEYED_WITHIN_SECONDS
            lags.append(time.monotonic() - began)
            print(f"availability acknowledged in {acknowledged:.3f} s, obeyed by a decision in {lags[-1]:.3f} s")
            assert round(after.thresholds.contained, 9) == contained
        assert max(lags) <= OBEYED_WITHIN_SECONDS
    shown = room.client.get("/v1/availability", params={"tenant": room.tenant})
    assert [row["agents_available"] for row in shown.json()["items"]] == [10]
    tag = {"If-None-Match": shown.headers["etag"]}
    again = room.client.get("/v1/availability", params={"tenant": room.tenant}, headers=tag)
    assert again.status_code == 304


def test_a_plan_over_rest_is_what_recommendations_rest_on(room: Room) -> None:
    now = real_now()
    start = now - now % (900 * SECOND)
    body = {"starts_at": iso(start), "intervals": [{"contacts": 150, "aht_seconds": 240, "agents": 20}] * 16}
    told = room.put(f"/v1/plans/{room.tenant}/retail", body)
    assert (told["topic"], told["new"]) == ("wfm.plans", True)
    assert room.put(f"/v1/plans/{room.tenant}/retail", body)["new"] is False
    carried = Displaced(queue="retail", intent="balance", contacts_per_minute=40.0)
    lost = Impact(
        tenant=room.tenant, provider="north", endpoint="nova", state=BreakerState.OPEN, epoch=1, displaced=(carried,),
        expected_seconds_p50=300.0, expected_seconds_p90=1800.0, duration_samples=0, occurred_at=real_now(),
    )  # fmt: skip
    with Watch(room.settings, STAFFING, WFM_EVENTS) as watch:
        watch.until("ticks of the tenant", lambda: ticks(watch, room.tenant))
        write(room.settings, WFM_EVENTS, lost)
        watch.until("the recommendation", lambda: watch.of(STAFFING, tenant=room.tenant))
        (required, *_) = watch.of(STAFFING, tenant=room.tenant)
    assert {each.basis for each in required.intervals} == {LoadBasis.PLAN}
    shown = room.client.get(f"/v1/plans/{room.tenant}/retail", params={"limit": 10}).json()
    assert (len(shown["items"]), shown["total"]) == (10, 16)
    rest = room.client.get(shown["next"]).json()
    assert [len(rest["items"]), rest["next"]] == [6, None]


def test_commands_say_who_is_there_and_what_is_planned(room: Room) -> None:
    room.run("availability", "set", "--queue", "retail", "--agents-available", "34", "--agents-required", "40",
             "--on-break", "3", "--for", "45m")  # fmt: skip
    forecast = "queue,starts_at,contacts,aht_seconds\nretail,2030-12-01T08:00Z,50,300\nretail,2030-12-01T08:15Z,60,\n"
    assert room.run("plan", "load", "-", "--dry-run", given=forecast) == "wfm.plans retail: new\n"
    with Watch(room.settings, AVAILABILITY, PLANS) as watch:
        watch.to_end()
        (said,) = watch.of(AVAILABILITY, tenant=room.tenant)
        assert watch.of(PLANS, tenant=room.tenant) == [], "it was dry"
    assert isinstance(said, Availability)
    assert (said.agents_available, said.agents_on_break) == (34.0, 3.0)
    assert said.expires_at - said.occurred_at == 45 * 60 * SECOND
    assert "wfm.plans retail: written, epoch" in room.run("plan", "load", "-", given=forecast)
    assert room.run("plan", "load", "-", given=forecast) == "wfm.plans retail: stands already\n"
    people = "agent,queue,starts_at,ends_at\n" + "".join(
        f"{agent},retail,2030-12-01T08:00Z,2030-12-01T08:{end}Z\n" for agent, end in (("ann", "30"), ("bob", "15"))
    )
    assert "written" in room.run("schedule", "load", "-", given=people)
    table = room.run("plan", "show", "--queue", "retail", "--day", "2030-12-01").splitlines()
    assert [line.split() for line in table[1:]] == [
        ["2030-12-01T08:00:00Z", "15", "50", "300", "2"],
        ["2030-12-01T08:15:00Z", "15", "60", "-", "1"],
    ]


def test_a_schedule_says_who_is_there_now_where_it_is_known_who_is_needed(room: Room) -> None:
    now = real_now()
    start, end = iso(now - 60 * SECOND), iso(now + 3600 * SECOND)
    rows = [
        f"ann,retail,{start},{end},on_queue",
        f"bob,retail,{start},{end},on_queue",
        f"bob,retail,{start},{end},break",
    ]
    given = "\n".join(["agent,queue,starts_at,ends_at,activity", *rows])
    refused = room.run("schedule", "load", "-", "--publish-availability", given=given, ends=1)
    assert "--required retail=N" in refused
    with Watch(room.settings, AVAILABILITY, PLANS) as watch:
        watch.to_end()
        assert watch.of(PLANS, tenant=room.tenant) == [], "all or nothing"
        room.run("schedule", "load", "-", "--publish-availability", "--required", "retail=4", given=given)
        watch.until("both", lambda: watch.of(PLANS, tenant=room.tenant) and watch.of(AVAILABILITY, tenant=room.tenant))
        (plan,), (said,) = watch.of(PLANS, tenant=room.tenant), watch.of(AVAILABILITY, tenant=room.tenant)
    assert isinstance(plan, QueuePlan)
    assert isinstance(said, Availability)
    assert (said.agents_required, said.agents_available, said.agents_on_break) == (4.0, 1.0, 1.0)
    assert {each.contacts for each in plan.intervals} == {None}


def test_mistakes_are_told_all_at_once_and_nothing_is_written(room: Room) -> None:
    text = "queue,starts_at,contacts\nretail,never,5\nretial,2030-12-01T08:00Z,-1\n"
    told = room.run("plan", "load", "-", given=text, ends=1)
    assert "line 2, starts_at" in told
    assert "line 3, contacts" in told
    unknown = room.run("plan", "load", "-", given=text.replace("never", "2030-12-01").replace("-1\n", "1\n"), ends=1)
    assert "has no queue 'retial'. Its queues are: retail" in unknown
