"""Look-ups of single contacts, from the copies in Redis, by whoever has a key of the contact's tenant."""

from __future__ import annotations

from http import HTTPStatus
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Path, Request
from pydantic import BaseModel, Field, create_model

from runtime.copies import Copy
from runtime.errors import StoreUnavailableError
from runtime.keys import Scope
from schemas.views import Exchange, SessionView
from wfm_bridge.access import REFUSALS, Keys, admission, within
from wfm_bridge.models import Problem, model_of, to_answer
from wfm_bridge.problems import RequestError
from wfm_bridge.tagged import TAGGED, Tagged, conditional

_RESPONSES: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    **TAGGED,
    404: {"model": Problem, "description": "The key's tenant has no such contact now"},
    503: {"model": Problem, "description": "Redis, where the copies are, does not answer; see `Retry-After`"},
}


class Lookup(Protocol):
    """Finds copies (`runtime.copies.SessionLookup`)."""

    async def find(self, interaction_id: str) -> Copy | None:
        """Return the copy of a contact, None where there is none; raises StoreUnavailableError."""


def _session_model() -> type[BaseModel]:
    history = Field(description="its turns, by epoch and number; texts are redacted")
    turns = list.__class_getitem__(model_of(Exchange))
    return create_model(
        "Session", __base__=model_of(SessionView), __doc__=SessionView.__doc__, history=(turns, history)
    )


def create_lookups(keys: Keys, lookup: Lookup) -> APIRouter:
    """Return the path that shows a contact. It needs no live view, so it answers while those are rebuilt."""
    needs = [Depends(admission(keys, Scope.READ_SESSIONS)), Depends(conditional)]
    router = APIRouter(prefix="/v1", responses=_RESPONSES, tags=["sessions"], route_class=Tagged, dependencies=needs)

    @router.get("/sessions/{interaction_id:path}", response_model=_session_model(), summary="A contact as it stands")
    async def session(
        request: Request,
        interaction_id: Annotated[str, Path(description="the contact, by the ACD's id")],
    ) -> dict[str, Any]:
        """A contact of the key's tenant with its turns: where it is, who has it, what was said, how it was handed over.

        `revision` grows with every change. Contacts that ended are shown until sessions forget them.
        """
        try:
            copy = await lookup.find(interaction_id)
        except StoreUnavailableError as problem:
            raise RequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"the contact cannot be looked up now: {problem}",
                interaction_id,
                "Repeat it in a second; the copies are made anew as soon as Redis is there.",
            ) from problem
        if copy is None or copy.view.tenant != within(request, None):
            raise RequestError(
                HTTPStatus.NOT_FOUND,
                "no such contact is known",
                interaction_id,
                "Check the id, and that the key is of the contact's tenant; those that ended long ago are forgotten.",
            )
        return {**to_answer(copy.view), "history": [to_answer(turn.exchange) for turn in copy.turns]}

    return router
