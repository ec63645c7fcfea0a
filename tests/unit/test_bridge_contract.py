"""The API against its own OpenAPI document: whatever is sent, nothing breaks, and answers are as they are described."""

from __future__ import annotations

import datetime as dt

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi.checks import allow_header_conformance, positive_data_acceptance

from runtime.keys import ALL_TENANTS, ApiKey, Scope
from tests.support.desk import MemoryDesk
from tests.unit.test_bridge_api import filled
from tests.unit.test_bridge_sessions import MemoryLookup
from wfm_bridge.api import create_api
from wfm_bridge.inbound.routes import create_inbound
from wfm_bridge.progress import Progress
from wfm_bridge.sessions import create_lookups

MADE = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


class OneKey:
    """A key for everything."""

    def find(self, given: str) -> ApiKey | None:
        if given != "good":
            return None
        return ApiKey(name="all", tenant=ALL_TENANTS, scopes=tuple(Scope), sha256="0" * 64, created_at=MADE)


KEYS = OneKey()
APP = create_api(
    filled(),
    Progress({}),
    create_lookups(KEYS, MemoryLookup()),
    *create_inbound(MemoryDesk(), KEYS, require_keys=True),
    keys=KEYS,
    require_keys=True,
)
schema = schemathesis.openapi.from_asgi("/openapi.json", APP)


@schema.parametrize()
@settings(max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
@pytest.mark.timeout(120)
def test_whatever_is_sent_is_answered_as_the_document_says(case: schemathesis.Case) -> None:
    # What makes a time or a cursor usable is told in words: not all that fits the document is taken. Of a path with two
    # methods, Starlette's Allow names the one alone that was asked for first.
    excluded = [positive_data_acceptance, allow_header_conformance]
    case.call_and_validate(headers={"Authorization": "Bearer good"}, excluded_checks=excluded)
