"""Who may ask the bridge what: scopes and tenants of keys, where keys are required and where they are not."""

from __future__ import annotations

import asyncio
import datetime as dt
from typing import Any

import httpx
import pytest

from runtime.keys import ApiKey, Scope
from runtime.settings import Settings
from tests.support.desk import MemoryDesk
from tests.unit.test_bridge_api import filled
from tests.unit.test_bridge_sessions import MemoryLookup
from wfm_bridge.api import create_api
from wfm_bridge.inbound.routes import create_inbound
from wfm_bridge.progress import Progress
from wfm_bridge.service import _requires_keys
from wfm_bridge.sessions import create_lookups

EVERY = tuple(Scope)
KEYS = {
    "reader": ("acme", (Scope.READ_WFM,)),
    "desk": ("acme", (Scope.READ_SESSIONS,)),
    "writer": ("acme", (Scope.WRITE_WFM,)),
    "beta": ("beta", EVERY),
    "all": ("*", (Scope.READ_WFM, Scope.WRITE_WFM)),
}
SAID = {"agents_available": 34, "agents_required": 40, "expires_at": "2026-03-01T10:00:00Z"}


class MemoryKeys:
    def find(self, given: str) -> ApiKey | None:
        if given not in KEYS:
            return None
        tenant, scopes = KEYS[given]
        made = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
        return ApiKey(name=given, tenant=tenant, scopes=scopes, sha256="0" * 64, created_at=made)


def ask(method: str, path: str, key: str | None, *, require_keys: bool = True, **given: Any) -> httpx.Response:
    async def request() -> httpx.Response:
        keys = MemoryKeys()
        others = (
            create_lookups(keys, MemoryLookup()),
            *create_inbound(MemoryDesk(), keys, require_keys=require_keys),
        )
        app = create_api(filled(), Progress({}), *others, keys=keys, require_keys=require_keys)
        headers = {} if key is None else {"Authorization": f"Bearer {key}"}
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bridge") as client:
            return await client.request(method, path, headers=headers, **given)

    return asyncio.run(request())


TABLE = [
    # path                                       none  bad  reader desk writer beta  all
    ("GET", "/v1/volume",                        (401, 401, 200, 403, 403, 200, 200)),
    ("GET", "/v1/volume?tenant=acme",            (401, 401, 200, 403, 403, 403, 200)),
    ("GET", "/v1/staffing?tenant=acme",          (401, 401, 200, 403, 403, 403, 200)),
    ("GET", "/v1/containment?tenant=acme",       (401, 401, 200, 403, 403, 403, 200)),
    ("GET", "/v1/breakers?tenant=acme",          (401, 401, 200, 403, 403, 403, 200)),
    ("GET", "/v1/breakers/acme/north/nova/history", (401, 401, 200, 403, 403, 403, 200)),
    ("GET", "/v1/availability",                  (401, 401, 200, 403, 403, 200, 200)),
    ("GET", "/v1/plans/acme/billing",            (401, 401, 200, 403, 403, 403, 200)),
    ("GET", "/v1/sessions/a",                    (401, 401, 403, 200, 403, 404, 403)),
    ("PUT", "/v1/availability/acme/billing",     (401, 401, 403, 403, 200, 403, 200)),
    ("GET", "/livez",                            (200, 200, 200, 200, 200, 200, 200)),
]  # fmt: skip


@pytest.mark.parametrize(("method", "path", "wanted"), TABLE, ids=[f"{row[0]} {row[1]}" for row in TABLE])
def test_a_key_opens_what_its_scopes_and_its_tenant_say(method: str, path: str, wanted: tuple[int, ...]) -> None:
    body = {"json": SAID} if method == "PUT" else {}
    keys = (None, "bad", *KEYS)
    assert tuple(ask(method, path, key, **body).status_code for key in keys) == wanted


def test_a_key_of_a_tenant_sees_that_tenant_alone_without_naming_it() -> None:
    assert {row["tenant"] for row in ask("GET", "/v1/volume", "beta").json()["items"]} == {"beta"}
    assert {row["tenant"] for row in ask("GET", "/v1/volume", "all").json()["items"]} == {"acme", "beta"}
    assert ask("GET", "/v1/staffing", "beta").json()["total"] == 0


def test_a_refusal_names_the_remedy_and_is_not_to_be_kept() -> None:
    answer = ask("GET", "/v1/volume", "desk")
    assert "--scope read:wfm" in answer.json()["remedy"]
    assert answer.headers["cache-control"] == "no-store"
    assert "of tenant 'beta', and of no other" in ask("GET", "/v1/volume?tenant=acme", "beta").json()["detail"]


def test_where_reading_needs_no_key_a_key_that_is_sent_still_counts_and_writing_needs_one() -> None:
    assert ask("GET", "/v1/volume", None, require_keys=False).json()["total"] == 5
    assert ask("GET", "/v1/volume", "beta", require_keys=False).json()["total"] == 2
    assert ask("GET", "/v1/volume", "bad", require_keys=False).status_code == 401
    assert ask("GET", "/v1/plans/acme/billing", None, require_keys=False).status_code == 200
    assert ask("GET", "/v1/sessions/a", None, require_keys=False).status_code == 401
    assert ask("PUT", "/v1/availability/acme/billing", None, require_keys=False, json=SAID).status_code == 401


@pytest.mark.parametrize(
    ("host", "said", "required"),
    [
        ("127.0.0.1", None, False),
        ("::1", None, False),
        ("localhost", None, False),
        ("0.0.0.0", None, True),  # noqa: S104 - nothing is bound
        ("10.1.2.3", None, True),
        ("bridge.internal", None, True),
        ("127.0.0.1", True, True),
        ("0.0.0.0", False, False),  # noqa: S104 - nothing is bound
    ],
)
def test_keys_are_required_beyond_this_machine_unless_said_otherwise(
    host: str, said: bool | None, required: bool
) -> None:
    assert _requires_keys(Settings(host=host, require_keys=said)) is required
