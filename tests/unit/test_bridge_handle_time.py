"""Handle times and quality over HTTP: merged, told apart, filtered."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from runtime.sketches import Sketch, micros_of
from schemas.analytics import HandleTimeRow, QualityOf, QualityRow
from schemas.fields import Channel, Handling
from schemas.wfm import TrendSpan
from wfm_bridge.api import create_api
from wfm_bridge.handle_time import COMPONENTS, GroupBy, merged
from wfm_bridge.progress import Progress
from wfm_bridge.store import Views
from wfm_bridge.verdict import Verdict

MARCH_1ST = 1_772_355_600_000_000  # 2026-03-01T09:00:00Z
QUARTER = 900_000_000


def row(interval: int, talk: tuple[float, ...], revision: int = 1, **changes: Any) -> HandleTimeRow:
    """The times of some contacts that had talk alone."""
    sketches = {name: Sketch() for name in COMPONENTS}
    for seconds in talk:
        for name, sketch in sketches.items():
            sketch.add(micros_of(seconds) if name in {"talk", "handle"} else 0)
    about: dict[str, Any] = {
        "tenant": "acme", "queue": "billing", "channel": Channel.VOICE, "handling": Handling.HUMAN_ONLY,
        "interval_start": MARCH_1ST + interval * QUARTER, "revision": revision, "contacts": len(talk),
        "relative_accuracy": 0.01, "updated_at": MARCH_1ST + revision,
    }  # fmt: skip
    return HandleTimeRow(**{**about, **{name: each.told() for name, each in sketches.items()}, **changes})


ROWS = [
    row(0, (10.0, 20.0)),
    row(1, (30.0, 0.0)),
    row(0, (600.0,), handling=Handling.AI_ESCALATED),
    row(0, (5.0,), queue="sales", channel=Channel.CHAT),
    row(0, (7.0,), tenant="beta"),
    row(0, (1_000.0,), interval_start=0, late=True),
]


def filled() -> Views:
    views = Views()
    for each in ROWS:
        assert views.apply(each) is Verdict.APPLIED
    side = QualityOf(
        contacts=3, resolution_known=2, resolved=1, csat_answers=0, csat_satisfied=0, csat=None, qa_sampled=0,
        qa_resolved=0, accuracy=None, ai_cost=None, people_seconds=60.0, people_cost=None, cost_per_contact=None,
        cost_per_resolved=None,
    )  # fmt: skip
    for queue, intent in ((None, None), ("billing", None), (None, "refund")):
        for n, span in enumerate((TrendSpan.HOUR, TrendSpan.MINUTES_5)):
            quality = QualityRow(
                tenant="acme", queue=queue, intent=intent, span=span, starts_at=MARCH_1ST + n * 4 * QUARTER, revision=n,
                contacts=3, ai_contained=2, ai_assisted=0, ai_escalated=1, human_only=0, deflected=0, abandoned=0,
                escalation_reasons={"person_asked": 1}, ai=side, people=side, ai_cost=None, people_seconds=60.0,
                people_cost=None, people_per_hour=None, updated_at=MARCH_1ST,
            )  # fmt: skip
            assert views.apply(quality) is Verdict.APPLIED
    return views


def get(path: str, **params: Any) -> httpx.Response:
    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(create_api(filled(), Progress({})))
        async with httpx.AsyncClient(transport=transport, base_url="http://bridge") as client:
            return await client.get(path, params=params)

    return asyncio.run(ask())


def items(**params: Any) -> list[dict[str, Any]]:
    answer = get("/v1/handle-time", **params)
    assert answer.status_code == 200
    return answer.json()["items"]


def test_all_rows_of_a_tenant_are_merged_into_one_that_says_over_which_time() -> None:
    (told,) = items(tenant="acme")
    assert (told["queue"], told["channel"], told["handling"]) == (None, None, None)
    assert (told["starts_at"], told["ends_at"]) == ("2026-03-01T09:00:00Z", "2026-03-01T09:30:00Z")
    assert (told["contacts"], told["talk"]["zeros"], told["wait"]["zeros"]) == (6, 1, 6)
    assert told["talk"]["sum_seconds"] == 665.0
    assert told["talk"]["mean_seconds"] == pytest.approx(665.0 / 6)
    assert told["handle"]["p50_seconds"] == pytest.approx(10.0, rel=0.01)
    assert told["handle"]["p99_seconds"] == pytest.approx(30.0, rel=0.01)  # rank 4.95 of 0 to 5, rounded down
    assert sum(told["talk"]["counts"]) == 5


def test_merging_rows_gives_the_sketch_of_all_their_contacts() -> None:
    (told,) = merged([row(0, (10.0, 20.0)), row(1, (30.0, 0.0)), row(2, (20.0,))], ())
    assert told.talk == row(0, (10.0, 20.0, 30.0, 0.0, 20.0)).talk


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        (["handling"], [(None, None, "ai_escalated", 1), (None, None, "human_only", 5)]),
        (["queue"], [("billing", None, None, 5), ("sales", None, None, 1)]),
        (["channel"], [(None, "chat", None, 1), (None, "voice", None, 5)]),
        (
            ["handling", "channel", "queue"],
            [("billing", "voice", "ai_escalated", 1), ("billing", "voice", "human_only", 4),
             ("sales", "chat", "human_only", 1)],
        ),
    ],
)  # fmt: skip
def test_what_is_to_be_told_apart_is(by: list[str], expected: list[tuple[Any, ...]]) -> None:
    told = items(tenant="acme", by=by)
    assert [(each["queue"], each["channel"], each["handling"], each["contacts"]) for each in told] == expected


def test_intervals_told_apart_are_listed_by_time() -> None:
    told = items(tenant="acme", by="interval")
    assert [(each["starts_at"], each["ends_at"], each["contacts"]) for each in told] == [
        ("2026-03-01T09:00:00Z", "2026-03-01T09:15:00Z", 4), ("2026-03-01T09:15:00Z", "2026-03-01T09:30:00Z", 2),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("params", "contacts"),
    [
        ({"queue": "sales"}, [1]),
        ({"channel": "voice"}, [5, 1]),
        ({"handling": "ai_escalated"}, [1]),
        ({"tenant": "beta"}, [1]),
        ({"tenant": "acme", "from": "2026-03-01T09:15:00Z"}, [2]),
        ({"tenant": "acme", "to": "2026-03-01T09:15:00Z"}, [4]),
        ({"tenant": "acme", "late": True}, [7]),
        ({"from": "2026-03-02"}, []),
    ],
)
def test_handle_times_are_filtered(params: dict[str, Any], contacts: list[int]) -> None:
    assert [each["contacts"] for each in items(**params)] == contacts


def test_what_came_too_late_has_no_time_where_intervals_are_told_apart() -> None:
    first, *_ = items(tenant="acme", by="interval", late=True)
    assert (first["starts_at"], first["ends_at"], first["contacts"]) == (None, None, 1)


@pytest.mark.parametrize("params", [{"by": "intent"}, {"channel": "fax"}, {"handling": "x"}, {"late": 1, "to": "9"}])
def test_what_there_is_not_is_a_problem(params: dict[str, Any]) -> None:
    answer = get("/v1/handle-time", **params)
    assert (answer.status_code, bool(answer.json()["remedy"])) == (422, True)


def test_rows_of_another_accuracy_are_not_merged() -> None:
    told = merged([row(0, (10.0,)), row(1, (10.0,), relative_accuracy=0.02)], {GroupBy.QUEUE})
    assert [(each.relative_accuracy, each.contacts) for each in told] == [(0.01, 1), (0.02, 1)]


def test_a_row_of_a_lower_revision_is_ignored() -> None:
    views = Views()
    assert views.apply(row(0, (10.0,), revision=3)) is Verdict.APPLIED
    assert views.apply(row(0, (20.0,), revision=2)) is Verdict.OLDER
    assert [each.revision for each in views.handle_time.select()] == [3]


@pytest.mark.parametrize(
    ("params", "total"),
    [({}, 6), ({"by": "all"}, 2), ({"queue": "billing", "span": "5m"}, 1), ({"intent": "refund"}, 2),
     ({"tenant": "beta"}, 0), ({"to": "2026-03-01T10:00:00Z"}, 3)],
)  # fmt: skip
def test_quality_is_filtered_as_containment_is(params: dict[str, str], total: int) -> None:
    assert get("/v1/quality", **params).json()["total"] == total


def test_a_quality_row_keeps_the_events_names_and_null_for_what_is_not_known() -> None:
    (told,) = get("/v1/quality", by="queue", span="hour").json()["items"]
    assert (told["queue"], told["span"], told["contacts"], told["ai_contained"]) == ("billing", "hour", 3, 2)
    assert told["escalation_reasons"] == {"person_asked": 1}
    assert (told["ai"]["resolved"], told["ai"]["csat"], told["people_cost"]) == (1, None, None)


def test_both_are_described_in_the_openapi_document() -> None:
    document = get("/openapi.json").json()
    for path in ("/v1/handle-time", "/v1/quality"):
        operation = document["paths"][path]["get"]
        assert operation["description"]
        assert all(each["description"] for each in operation["parameters"])
    for model in ("HandleTimes", "TimeSketch", "QualityRow", "QualityOf"):
        assert document["components"]["schemas"][model]["description"]
