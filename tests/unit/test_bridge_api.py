"""The API over views filled by hand: pages, filters, problems, the OpenAPI document."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import msgspec
import pytest

from schemas.agents import Evidence, Transition
from schemas.fields import BreakerState, Channel
from schemas.wfm import CapacitySignal, ContainmentRow, StaffingRequirement, TrendSpan, VolumeRow
from wfm_bridge.api import create_api
from wfm_bridge.progress import Place, Progress
from wfm_bridge.store import Views

MARCH_1ST = 1_772_355_600_000_000  # 2026-03-01T09:00:00Z
QUARTER = 900_000_000


def filled() -> Views:
    views = Views()
    for n in range(5):
        row = VolumeRow(
            tenant="acme" if n % 2 == 0 else "beta", queue="billing", intent="refund", channel=Channel.VOICE,
            language="en", interval_start=MARCH_1ST + n * QUARTER, revision=n, offered=n, ai_contained=n,
            ai_assisted=0, ai_escalated=0, human_only=0, deflected=0, abandoned=0, in_progress=0,
            updated_at=MARCH_1ST + 1,
        )  # fmt: skip
        views.apply(row)
        if n == 1:
            views.apply(msgspec.structs.replace(row, interval_start=0, late=True))
    for queue, intent in ((None, None), ("billing", None), (None, "refund")):
        for n, span in enumerate((TrendSpan.HOUR, TrendSpan.HOUR, TrendSpan.MINUTES_5)):
            views.apply(
                ContainmentRow(
                    tenant="acme", queue=queue, intent=intent, span=span, starts_at=MARCH_1ST + n * 4 * QUARTER,
                    revision=n + 1, contacts=4, contained=2, assisted=1, escalated=1, abandoned=0, containment=0.75,
                    low=0.3, high=0.95, updated_at=MARCH_1ST + 1,
                )
            )  # fmt: skip
    common: dict[str, Any] = {
        "tenant": "acme", "queue": "billing", "revision": 3, "cause_endpoint": "north/nova",
        "cause_state": BreakerState.OPEN, "cause_epoch": 1, "expected_seconds_p50": 300, "expected_seconds_p90": 900,
        "duration_samples": 0, "occurred_at": MARCH_1ST,
    }  # fmt: skip
    views.apply(
        StaffingRequirement(
            **common, cause_at=MARCH_1ST, since=None, human_contacts_per_minute_before=1,
            human_contacts_per_minute_after=4, aht_seconds=300, agents_required_before=8, agents_required_after=24,
            agents_scheduled_after=35, service_level_target=0.8, service_level_seconds=20, service_level_after=0.84,
            occupancy_after=0.83,
        )
    )  # fmt: skip
    views.apply(CapacitySignal(**common, ai_contacts_per_minute_lost=3, endpoints_out=("north/nova",)))
    evidence = Evidence(
        window_seconds=60, outcomes=10, failures=9, consecutive_failures=9, failure_rate=0.9, posterior_mean=0.8,
        latency_mean_ms=100, latency_baseline_ms=100,
    )  # fmt: skip
    for epoch, state in enumerate((BreakerState.OPEN, BreakerState.HALF_OPEN), start=1):
        views.apply(
            Transition(
                tenant="acme", provider="north", endpoint="north/nova", from_state=BreakerState.CLOSED, to_state=state,
                epoch=epoch, reason="failures", evidence=evidence, occurred_at=MARCH_1ST, probes_expire_at=MARCH_1ST,
            )
        )  # fmt: skip
    return views


def get(
    path: str,
    progress: Progress | None = None,
    views: Views | None = None,
    headers: dict[str, str] | None = None,
    **params: Any,
) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_api(views or filled(), progress or Progress({})))
        async with httpx.AsyncClient(transport=transport, base_url="http://bridge") as client:
            return await client.get(path, params=params or None, headers=headers)

    return asyncio.run(ask())


def test_volume_rows_keep_the_events_names_and_tell_time_in_iso_8601() -> None:
    body = get("/v1/volume", limit=1).json()
    assert body["items"] == [
        {
            "tenant": "acme", "queue": "billing", "intent": "refund", "channel": "voice", "language": "en",
            "interval_start": "2026-03-01T09:00:00Z", "revision": 0, "offered": 0, "ai_contained": 0, "ai_assisted": 0,
            "ai_escalated": 0, "human_only": 0, "deflected": 0, "abandoned": 0, "in_progress": 0,
            "updated_at": "2026-03-01T09:00:00.000001Z", "late": False,
        }
    ]  # fmt: skip


def test_pages_cover_every_row_once() -> None:
    seen, offset = [], 0
    while offset is not None:
        body = get("/v1/volume", limit=2, offset=offset).json()
        assert body["total"] == 5
        seen += [row["revision"] for row in body["items"]]
        offset = body["next_offset"]
    assert seen == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("first", "last"),
    [
        ("2026-03-01T09:15:00Z", "2026-03-01T09:45:00Z"),
        ("2026-03-01T09:15:00", "2026-03-01T10:45:00+01:00"),
        (str(MARCH_1ST + QUARTER), str(MARCH_1ST + 3 * QUARTER)),
    ],
)
def test_a_range_is_given_in_iso_8601_or_in_microseconds(first: str, last: str) -> None:
    body = get("/v1/volume", **{"from": first, "to": last}).json()
    assert [row["revision"] for row in body["items"]] == [1, 2]


@pytest.mark.parametrize(
    ("path", "total"),
    [("/v1/volume?late=true", 6), ("/v1/containment", 9), ("/v1/breakers/acme/north/nova/history", 2)],
)
def test_following_next_shows_every_row_once(path: str, total: int) -> None:
    everything = get(path + ("&" if "?" in path else "?") + "limit=5000").json()
    assert (len(everything["items"]), everything["next"]) == (total, None)
    seen, link = [], path + ("&" if "?" in path else "?") + "limit=2"
    while link is not None:
        body = get(link).json()
        assert body["offset"] == len(seen)
        seen += body["items"]
        link = body["next"]
    assert seen == everything["items"]


def test_a_row_that_comes_between_two_pages_moves_none_of_the_second() -> None:
    first = get("/v1/volume?limit=2&tenant=acme").json()
    assert [row["revision"] for row in first["items"]] == [0, 2]
    views = filled()
    (row,) = views.volume.select(tenant="acme", to_micros=MARCH_1ST + QUARTER)
    views.apply(msgspec.structs.replace(row, intent="cancel", revision=9))
    assert [row["revision"] for row in get(first["next"], views=views).json()["items"]] == [4]
    by_offset = get(f"/v1/volume?limit=2&tenant=acme&offset={first['next_offset']}", views=views).json()["items"]
    assert [row["revision"] for row in by_offset] == [2, 4], "which is why there is a cursor"


@pytest.mark.parametrize("cursor", ["nonsense", "", "W10", "WzEsMl0", "W1tbW1tb", "bnVsbA", "W3RydWVd", "ü", "=" * 9])
def test_a_cursor_that_names_no_place_is_a_problem(cursor: str) -> None:
    answer = get("/v1/volume", after=cursor)
    assert (answer.status_code, answer.json()["input"]) == (422, f"after={cursor}")


def test_who_has_the_answer_already_is_not_sent_it_again() -> None:
    first = get("/v1/volume", limit=2)
    tag = first.headers["etag"]
    assert first.headers["cache-control"] == "private, no-cache"
    for given in (tag, f'"other", W/{tag}', "*"):
        again = get("/v1/volume", headers={"If-None-Match": given}, limit=2)
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", tag)
    for given in ('"other"', tag.strip('"')):
        assert get("/v1/volume", headers={"If-None-Match": given}, limit=2).status_code == 200
    assert get("/v1/volume", limit=3).headers["etag"] != tag
    assert get("/livez").headers.get("etag") is None


def test_volume_is_filtered_by_tenant() -> None:
    assert [row["revision"] for row in get("/v1/volume", tenant="beta").json()["items"]] == [1, 3]
    assert get("/v1/volume", intent="cancel").json()["total"] == 0


@pytest.mark.parametrize(
    ("params", "given"),
    [
        ({"from": "yesterday"}, "from=yesterday"),
        ({"to": "-5"}, "to=-5"),
        ({"from": "9" * 30}, "from=" + "9" * 30),
        ({"limit": "0"}, "limit=0"),
        ({"limit": "many"}, "limit=many"),
        ({"offset": "-1"}, "offset=-1"),
        ({"from": "2026-03-02", "to": "2026-03-01"}, "from=2026-03-02&to=2026-03-01"),
    ],
)
def test_a_malformed_parameter_is_a_problem_that_names_it_and_the_remedy(params: dict[str, str], given: str) -> None:
    answer = get("/v1/volume", **params)
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["input"] == given
    assert problem["status"] == 422
    assert problem["remedy"]


def test_late_totals_are_told_where_asked_for_and_not_with_a_range_of_time() -> None:
    assert [row["late"] for row in get("/v1/volume", tenant="beta").json()["items"]] == [False] * 2
    assert [row["late"] for row in get("/v1/volume", tenant="beta", late=True).json()["items"]] == [True, False, False]
    answer = get("/v1/volume", late=True, **{"from": "2026-03-01"})
    assert (answer.status_code, answer.json()["input"]) == (422, "late=true&from=2026-03-01&to=")


def test_a_containment_row_keeps_the_events_names() -> None:
    (row,) = get("/v1/containment", by="queue", span="5m").json()["items"]
    assert row == {
        "tenant": "acme", "queue": "billing", "intent": None, "span": "5m", "starts_at": "2026-03-01T11:00:00Z",
        "revision": 3, "contacts": 4, "contained": 2, "assisted": 1, "escalated": 1, "abandoned": 0,
        "containment": 0.75, "low": 0.3, "high": 0.95, "updated_at": "2026-03-01T09:00:00.000001Z",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("params", "total"),
    [
        ({}, 9),
        ({"by": "all"}, 3),
        ({"queue": "billing"}, 3),
        ({"intent": "refund", "span": "hour"}, 2),
        ({"tenant": "beta"}, 0),
        ({"from": "2026-03-01T10:00:00Z", "to": "2026-03-01T11:00:00Z"}, 3),
    ],
)
def test_containment_is_filtered(params: dict[str, str], total: int) -> None:
    assert get("/v1/containment", **params).json()["total"] == total


def test_a_span_that_there_is_not_and_a_range_with_nothing_in_it_are_problems() -> None:
    for params in ({"span": "year"}, {"by": "colour"}, {"from": "2026-03-02", "to": "2026-03-01"}):
        assert get("/v1/containment", **params).status_code == 422


def test_staffing_and_capacity_show_the_standing_row_of_each_queue() -> None:
    staffing = get("/v1/staffing", tenant="acme").json()["items"]
    assert [(row["agents_required_before"], row["agents_required_after"]) for row in staffing] == [(8, 24)]
    assert staffing[0]["cause_at"] == "2026-03-01T09:00:00Z"
    assert staffing[0]["since"] is None
    assert get("/v1/capacity").json()["items"][0]["endpoints_out"] == ["north/nova"]
    assert get("/v1/staffing", queue="sales").json()["total"] == 0


def test_a_breaker_shows_its_state_and_its_history_even_with_a_slash_in_its_name() -> None:
    assert [row["to_state"] for row in get("/v1/breakers").json()["items"]] == ["half_open"]
    assert get("/v1/breakers", state="open").json()["total"] == 0
    history = get("/v1/breakers/acme/north/nova/history").json()["items"]
    assert [row["to_state"] for row in history] == ["open", "half_open"]
    assert history[0]["evidence"]["failures"] == 9


def test_an_unknown_breaker_and_an_unknown_path_are_problems_too() -> None:
    for path in ("/v1/breakers/acme/other/history", "/v1/nothing"):
        answer = get(path)
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["remedy"]


def test_views_are_refused_until_they_are_rebuilt() -> None:
    rebuilding = Progress({Place("wfm.volume", 2): 7})
    answer = get("/v1/volume", rebuilding)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    readyz = get("/readyz", rebuilding)
    assert readyz.status_code == 503
    assert readyz.json()["behind"] == [{"topic": "wfm.volume", "partition": 2, "end": 7, "position": 0}]
    assert get("/livez", rebuilding).status_code == 200
    assert get("/readyz").json() == {"ready": True, "behind": []}


def test_metrics_are_served_in_the_format_of_prometheus() -> None:
    answer = get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "trunkline_view_lag_seconds_bucket" in answer.text


def test_every_path_and_parameter_of_the_openapi_document_is_described() -> None:
    document = get("/openapi.json").json()
    operations = {path: each["get"] for path, each in document["paths"].items()}
    wanted = {"/v1/volume", "/v1/containment", "/v1/staffing", "/v1/capacity", "/v1/breakers"}
    assert wanted | {"/livez", "/readyz", "/metrics"} <= set(operations)
    for path, operation in operations.items():
        assert operation["description"], path
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "query":
                assert parameter["description"], (path, parameter["name"])
    for model in ("VolumeRow", "ContainmentRow", "StaffingRequirement", "CapacitySignal", "Transition"):
        assert document["components"]["schemas"][model]["description"]
