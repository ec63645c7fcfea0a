"""WFM's word over HTTP, with a desk in memory: what is written, what is answered, and what is refused, and why."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from schemas.control import Availability, PlannedInterval
from schemas.topics import AVAILABILITY, PLANS
from tests.support.desk import NOW, MemoryDesk, expired
from tests.unit.test_bridge_access import MemoryKeys
from wfm_bridge.api import create_api
from wfm_bridge.inbound.routes import create_inbound
from wfm_bridge.inbound.tables import MOST_BYTES
from wfm_bridge.progress import Progress
from wfm_bridge.store import Views

SAID = {"agents_available": 34, "agents_required": 40, "expires_at": "2026-03-01T09:30:00Z", "agents_on_break": 3}
PLAN = {"starts_at": "2026-03-02T08:00:00+01:00", "intervals": [{"contacts": 50, "aht_seconds": 300}, {"agents": 20}]}
MINUTE = 60_000_000


def ask(desk: MemoryDesk, method: str, path: str, **given: Any) -> httpx.Response:
    async def request() -> httpx.Response:
        keys = MemoryKeys()
        app = create_api(Views(), Progress({}), *create_inbound(desk, keys, require_keys=False), keys=keys)
        async with httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://bridge", headers={"X-API-Key": "all"}
        ) as client:
            return await client.request(method, path, **given)

    return asyncio.run(request())


def put(desk: MemoryDesk, path: str, body: Any) -> httpx.Response:
    return ask(desk, "PUT", path, json=body)


def test_availability_is_written_once_and_acknowledged_with_its_epoch() -> None:
    desk = MemoryDesk()
    first = put(desk, "/v1/availability/acme/billing", SAID)
    assert (first.status_code, first.json()) == (
        200, {"topic": "wfm.availability", "queue": "billing", "new": True, "epoch": 0},
    )  # fmt: skip
    assert desk.snapshot.of(AVAILABILITY)["acme|billing"] == Availability(
        tenant="acme", queue="billing", agents_required=40, agents_available=34, starts_at=0,
        expires_at=NOW + 30 * MINUTE, occurred_at=NOW, agents_on_break=3,
    )  # fmt: skip
    again = put(desk, "/v1/availability/acme/billing", SAID).json()
    assert (again["new"], again["epoch"]) == (False, 0)
    changed = put(desk, "/v1/availability/acme/billing", {**SAID, "agents_available": 30}).json()
    assert (changed["new"], changed["epoch"]) == (True, 1)


def test_a_queue_may_have_a_slash_in_its_name() -> None:
    desk = MemoryDesk()
    assert put(desk, "/v1/availability/acme/claims/eu", SAID).json()["queue"] == "claims/eu"
    assert put(desk, "/v1/plans/acme/claims%2Feu", PLAN).json()["queue"] == "claims/eu"


def test_what_stands_is_shown_until_it_is_over() -> None:
    desk = MemoryDesk()
    put(desk, "/v1/availability/acme/billing", SAID)
    put(desk, "/v1/availability/beta/sales", SAID)
    answer = ask(desk, "GET", "/v1/availability?tenant=acme").json()
    (row,) = answer["items"]
    assert (row["agents_available"], row["expires_at"]) == (34, "2026-03-01T09:30:00Z")
    assert ask(desk, "GET", "/v1/availability").json()["total"] == 2
    expired(desk)
    assert ask(desk, "GET", "/v1/availability").json()["total"] == 0


def test_a_plan_is_written_once_and_a_later_one_keeps_what_it_does_not_say() -> None:
    desk = MemoryDesk()
    assert put(desk, "/v1/plans/acme/billing", PLAN).json()["new"] is True
    assert put(desk, "/v1/plans/acme/billing", PLAN).json()["new"] is False
    people = {"starts_at": "2026-03-02T07:00:00Z", "intervals": [{"agents": 18}, {"agents": 21}]}
    assert put(desk, "/v1/plans/acme/billing", people).json()["epoch"] == 1
    (plan,) = desk.snapshot.of(PLANS).values()
    assert plan.intervals == (
        PlannedInterval(contacts=50, aht_seconds=300, agents=18),
        PlannedInterval(agents=21),
    )
    assert put(desk, "/v1/plans/acme/billing", PLAN).json()["epoch"] == 2, "it says 20 again"
    shown = ask(desk, "GET", "/v1/plans/acme/billing?from=2026-03-02T07:15:00Z").json()["items"]
    assert [(row["starts_at"], row["agents"], row["contacts"]) for row in shown] == [
        ("2026-03-02T07:15:00Z", 20.0, None)
    ]


def test_a_plan_that_a_later_one_hides_is_written_again() -> None:
    desk = MemoryDesk()
    day = {"starts_at": "2026-03-02T00:00:00Z", "interval_seconds": 3600, "intervals": [{"contacts": 9}] * 24}
    assert [put(desk, "/v1/plans/acme/billing", body).json()["new"] for body in (PLAN, PLAN)] == [True, False]
    desk.time += MINUTE
    assert put(desk, "/v1/plans/acme/billing", day).json()["new"] is True
    desk.time += MINUTE
    assert [put(desk, "/v1/plans/acme/billing", body).json()["new"] for body in (PLAN, PLAN)] == [True, False]
    path = "/v1/plans/acme/billing?from=2026-03-02T07:00:00Z&to=2026-03-02T07:01:00Z"
    assert [row["contacts"] for row in ask(desk, "GET", path).json()["items"]] == [50.0]


def test_a_csv_says_plans_of_many_queues_and_again_says_nothing() -> None:
    desk = MemoryDesk()
    text = "queue,starts_at,contacts\nbilling,2026-03-02T08:00Z,50\nclaims/eu,2026-03-02T08:00Z,5\n"
    for new in (True, False):
        answer = ask(desk, "POST", "/v1/plans/acme?format=csv", content=text, headers={"Content-Type": "text/csv"})
        assert (answer.status_code, [each["new"] for each in answer.json()["items"]]) == (200, [new, new])
    assert len(desk.snapshot.of(PLANS)) == 2


def test_a_schedule_says_the_people_of_each_queue() -> None:
    desk = MemoryDesk()
    text = "agent,queue,starts_at,ends_at\nann,billing,2026-03-02T08:00Z,2026-03-02T08:30Z\n"
    answer = ask(desk, "POST", "/v1/schedules/acme", content=text, headers={"Content-Type": "text/csv"})
    assert answer.json()["items"] == [{"topic": "wfm.plans", "queue": "billing", "new": True, "epoch": 0}]
    (plan,) = desk.snapshot.of(PLANS).values()
    assert [each.agents for each in plan.intervals] == [1.0, 1.0]


def test_mistakes_in_a_csv_are_told_all_at_once_and_nothing_is_written() -> None:
    desk = MemoryDesk()
    text = "queue,starts_at,contacts\nbilling,2026-03-02T08:00Z,50\nbilling,never,5\nbilling,2026-03-02T09:00Z,-5\n"
    answer = ask(desk, "POST", "/v1/plans/acme", content=text, headers={"Content-Type": "text/csv"})
    assert answer.status_code == 422
    problem = answer.json()
    assert [(each["line"], each["field"]) for each in problem["errors"]] == [(3, "starts_at"), (4, "contacts")]
    assert "2026-12-01T08:00:00Z" in problem["remedy"]
    assert not desk.snapshot.of(PLANS)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"agents_available": -1}, "agents_available"),
        ({"agents_required": "many"}, "agents_required"),
        ({"expires_at": "soon"}, "expires_at"),
        ({"expires_at": "2026-03-01T08:59:59Z"}, "expires_at"),
        ({"starts_at": "2026-03-01T09:30:00Z"}, "expires_at"),
        ({"expires_at": "1969-01-01T00:00:00Z"}, "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-10:00"}, "expires_at"),
        ({"agents_here": 1}, "agents_here"),
    ],
)
def test_availability_that_makes_no_sense_is_refused_with_its_field(changes: dict[str, Any], field: str) -> None:
    desk = MemoryDesk()
    answer = put(desk, "/v1/availability/acme/billing", {**SAID, **changes})
    assert answer.status_code == 422
    assert field in answer.json()["input"]
    assert answer.json()["remedy"]
    assert not desk.snapshot.of(AVAILABILITY)


def test_every_field_at_fault_is_named() -> None:
    body = {"starts_at": "x", "intervals": [{"contacts": -1}, {"agents": "a"}]}
    answer = put(MemoryDesk(), "/v1/plans/acme/billing", body)
    assert answer.status_code == 422
    named = [each["field"] for each in answer.json()["errors"]]
    assert named == ["starts_at", "intervals.0.contacts", "intervals.1.agents"]


def test_a_queue_and_a_tenant_that_there_are_not_are_named_with_those_that_there_are() -> None:
    desk = MemoryDesk()
    unknown = put(desk, "/v1/availability/acme/billling", SAID)
    assert unknown.status_code == 404
    assert unknown.json()["remedy"] == "Its queues are: billing, claims/eu."
    nobody = put(desk, "/v1/plans/nobody/billing", PLAN)
    assert (nobody.status_code, "trunkline policy apply" in nobody.json()["remedy"]) == (404, True)


def test_what_kafka_did_not_take_is_to_be_said_again() -> None:
    answer = put(MemoryDesk(down=True), "/v1/availability/acme/billing", SAID)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "is Kafka up?" in answer.json()["detail"]


def test_a_body_that_is_too_large_is_not_read() -> None:
    def body() -> Any:
        pytest.fail("it was read")
        yield b""

    async def chunks() -> Any:
        for chunk in body():
            yield chunk

    desk = MemoryDesk()
    large = {"Content-Type": "text/csv", "Content-Length": str(MOST_BYTES + 1)}
    assert ask(desk, "POST", "/v1/plans/acme", content=chunks(), headers=large).status_code == 413
    assert (
        ask(desk, "POST", "/v1/plans/acme", content=chunks(), headers={"Content-Type": "text/csv"}).status_code == 411
    )


def test_a_file_that_is_not_utf_8_is_refused() -> None:
    answer = ask(MemoryDesk(), "POST", "/v1/plans/acme", content=b"\xff\xfe", headers={"Content-Type": "text/csv"})
    assert (answer.status_code, answer.json()["remedy"]) == (422, "Save it as UTF-8.")
