"""Look-ups over HTTP, with keys and copies in memory: who is let in, what is answered, and what is never told."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import httpx
import pytest

from runtime.copies import Copy
from runtime.errors import StoreUnavailableError
from runtime.keys import ApiKey
from schemas.supervision import Override, VerdictKind
from schemas.views import Transferred
from tests.support.views import MARCH_1ST, header, turn
from wfm_bridge.api import create_api
from wfm_bridge.progress import Place, Progress
from wfm_bridge.sessions import create_lookups
from wfm_bridge.store import Views

REBUILDING = Progress({Place("wfm.volume", 0): 7})


class MemoryKeys:
    def find(self, given: str) -> ApiKey | None:
        tenant = {"good": "acme", "beta's": "beta"}.get(given)
        made = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
        return None if tenant is None else ApiKey(name="desk", tenant=tenant, sha256="0" * 64, created_at=made)


class MemoryLookup:
    """Two contacts; `down` is an outage."""

    def __init__(self, *, down: bool = False) -> None:
        self.down = down
        overrides = (
            Override(epoch=0, turn=1, verdict=VerdictKind.EDIT, by="ann", why="wrong sum", occurred_at=MARCH_1ST),
        )
        views = [
            header("a", 9, overrides=overrides, transfer=Transferred(handoff_id="h", attempts=2, acked_at=MARCH_1ST)),
            header("a/b%c", customer=None, triggers=()),
        ]
        self.copies = {view.interaction_id: Copy(view, (turn("a", 1, 2), turn("a", 2, 3, epoch=1))) for view in views}

    async def find(self, interaction_id: str) -> Copy | None:
        if self.down:
            raise StoreUnavailableError("Redis does not answer: refused")
        return self.copies.get(interaction_id)


def get(path: str, headers: dict[str, str] | None = None, *, down: bool = False) -> httpx.Response:
    async def ask() -> httpx.Response:
        app = create_api(Views(), REBUILDING, create_lookups(MemoryKeys(), MemoryLookup(down=down)))
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge") as client:
            return await client.get(path, headers=headers)

    return asyncio.run(ask())


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize("headers", [bearer("good"), {"X-API-Key": "good"}, {"authorization": "bearer good"}])
def test_a_contact_is_shown_with_its_turns_even_while_the_views_are_rebuilt(headers: dict[str, str]) -> None:
    assert get("/v1/volume").status_code == 503
    answer = get("/v1/sessions/a", headers)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["interaction_id"], body["tenant"], body["revision"], body["pool"]) == ("a", "acme", 9, "ai_contained")
    assert body["customer"] == {
        "customer_id": "c-1", "region": "EU", "flags": [], "age_years": None, "direction": "inbound",
    }  # fmt: skip
    assert body["triggers"][0] == {
        "trigger": "sentiment", "detail": "", "epoch": 0, "turn": 3, "occurred_at": "2026-03-01T09:00:00Z",
    }  # fmt: skip
    assert body["transfer"]["acked_at"] == "2026-03-01T09:00:00Z"
    assert body["overrides"][0]["verdict"] == "edit"
    assert [(each["epoch"], each["turn"], each["occurred_at"]) for each in body["history"]] == [
        (0, 1, "2026-03-01T09:00:00.000001Z"),
        (1, 2, "2026-03-01T09:00:00.000002Z"),
    ]
    assert body["history"][0]["agent_text"].startswith("I have blocked")
    assert (body["decided_at"], body["closed"]) == ("2026-03-01T09:00:00.000001Z", None)


@pytest.mark.parametrize("path", ["/v1/sessions/a/b%25c", "/v1/sessions/a%2Fb%25c"])
def test_an_id_may_have_slashes_and_percent_signs(path: str) -> None:
    answer = get(path, bearer("good"))
    assert (answer.status_code, answer.json()["interaction_id"]) == (200, "a/b%c")
    assert answer.json()["customer"] is None


@pytest.mark.parametrize(
    "headers",
    [{}, bearer("bad"), bearer(""), {"X-API-Key": "bad"}, {"Authorization": "Basic good"}, {"Authorization": "good"},
     {**bearer("bad"), "X-API-Key": "good"}],
)  # fmt: skip
def test_without_a_good_key_nothing_is_shown_and_the_key_is_not_repeated(headers: dict[str, str]) -> None:
    for path in ("/v1/sessions/a", "/v1/sessions/unknown"):
        answer = get(path, headers)
        assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")
        assert answer.headers["content-type"] == "application/problem+json"
        assert "trunkline keys create" in answer.json()["remedy"]
        assert "bad" not in answer.text


def test_a_contact_of_another_tenant_looks_like_one_that_does_not_exist() -> None:
    def told(path: str, key: str) -> tuple[int, dict[str, Any], list[tuple[str, str]]]:
        answer = get(path, bearer(key))
        headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
        return answer.status_code, {**answer.json(), "input": "the id"}, headers

    theirs, unknown = told("/v1/sessions/a", "beta's"), told("/v1/sessions/zzz", "beta's")
    assert theirs == unknown
    assert theirs[0] == 404
    assert get("/v1/sessions/a", bearer("beta's")).json()["input"] == "a"


def test_without_redis_it_is_told_to_try_again_but_not_to_those_without_a_key() -> None:
    answer = get("/v1/sessions/a", bearer("good"), down=True)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "Redis does not answer" in answer.json()["detail"]
    assert get("/v1/sessions/a", bearer("bad"), down=True).status_code == 401


def test_the_openapi_document_describes_the_path_its_keys_and_its_answers() -> None:
    document = get("/openapi.json").json()
    operation = document["paths"]["/v1/sessions/{interaction_id}"]["get"]
    assert operation["description"]
    assert operation["parameters"][0]["description"]
    assert {scheme for each in operation["security"] for scheme in each} == {"HTTPBearer", "APIKeyHeader"}
    assert {"200", "401", "404", "503"} <= set(operation["responses"])
    model = document["components"]["schemas"]["Session"]
    assert model["description"]
    assert model["properties"]["history"]["items"] == {"$ref": "#/components/schemas/Exchange"}
    assert model["properties"]["updated_at"]["format"] == "date-time"
