"""Who may ask for what: API keys, their scopes and their tenants, for every path under `/v1`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from fastapi import Request, Security
from fastapi.security import APIKeyHeader, HTTPAuthorizationCredentials, HTTPBearer

from runtime.keys import ALL_TENANTS, ApiKey, Scope
from wfm_bridge.models import Problem
from wfm_bridge.problems import RequestError

_ABOUT = "an API key, as `trunkline keys create` prints it"
_BEARER = HTTPBearer(auto_error=False, description=_ABOUT)
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description=_ABOUT)
REFUSALS: dict[int | str, dict[str, Any]] = {
    401: {"model": Problem, "description": "There is no key, or it is not good"},
    403: {"model": Problem, "description": "The key is not for this, or not of this tenant"},
}
"""How requests are refused that may not ask, for the OpenAPI document."""


class Keys(Protocol):
    """Knows the keys (`runtime.keys.Keyring`)."""

    def find(self, given: str) -> ApiKey | None:
        """Return what is kept of a key, None where it is not good."""


class NoKeys:
    """Nobody has a key."""

    def find(self, _given: str) -> ApiKey | None:
        """Return None."""
        return None


async def _given(
    bearer: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
    header: Annotated[str | None, Security(_HEADER)],
) -> str | None:
    return bearer.credentials if bearer is not None else header


NO_KEYS = NoKeys()
Admission = Callable[[Request, str | None], Awaitable[None]]
"""A dependency that refuses those who may not ask; what the others may see is told by `within`."""


def admission(keys: Keys, scope: Scope, *, required: bool = True) -> Admission:
    """Return what admits those with a key of this scope; where none is required, those without a key as well.

    Whoever sends a key is bound by it: it must be good, of the scope, and shows its own tenant alone.
    """

    async def admitted(request: Request, key: Annotated[str | None, Security(_given)]) -> None:
        if key is None and not required:
            return
        found = keys.find(key) if key else None
        if found is None:
            raise RequestError(
                HTTPStatus.UNAUTHORIZED,
                "the API key is not known, has expired or was revoked" if key else "there is no API key",
                "a request with a key that is not good" if key else "a request without a key",
                "Send 'Authorization: Bearer KEY' or 'X-API-Key: KEY'; 'trunkline keys create' makes a key.",
            )
        if scope not in found.scopes:
            raise RequestError(
                HTTPStatus.FORBIDDEN,
                f"the API key {found.name!r} is for {', '.join(found.scopes)}, not for {scope}",
                "a request with a key of another scope",
                f"Make one with 'trunkline keys create NAME --tenant {found.tenant} --scope {scope}'.",
            )
        request.state.bound_to = None if found.tenant == ALL_TENANTS else found.tenant

    return admitted


def within(request: Request, tenant: str | None) -> str | None:
    """Return the tenant that a request is about: the one asked for, else the key's own, if it has one.

    Raises RequestError (403) where it asks for another than the key's.
    """
    bound_to: str | None = getattr(request.state, "bound_to", None)
    if bound_to is None or tenant == bound_to:
        return tenant
    if tenant is None:
        return bound_to
    raise RequestError(
        HTTPStatus.FORBIDDEN,
        f"the API key is of tenant {bound_to!r}, and of no other",
        f"tenant={tenant}",
        "Ask for the key's own tenant, or leave the tenant away; each tenant has keys of its own.",
    )
