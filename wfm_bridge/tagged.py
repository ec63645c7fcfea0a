"""Answers that need not be sent twice: strong ETags from their content, and 304 for those who have it already."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Header, Request, Response
from fastapi.routing import APIRoute

CACHE_CONTROL = "private, no-cache"
"""Answers may be kept, by the client alone, and are to be validated at each use: they are as of now."""
TAGGED: dict[int | str, dict[str, Any]] = {
    200: {"headers": {"ETag": {"schema": {"type": "string"}, "description": "strong: the same for the same bytes"}}},
    304: {"description": "What `If-None-Match` names is still so; without a body"},
}
"""What this adds to answers, for the OpenAPI document."""


async def conditional(
    if_none_match: Annotated[str | None, Header(description="the `ETag` of an earlier answer")] = None,
) -> None:
    """Describe the header that `Tagged` reads."""


class Tagged(APIRoute):
    """A path whose answers to GET have an ETag, from their content: it changes when they do, and only then."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers."""
        answer = super().get_route_handler()

        async def tagged(request: Request) -> Response:
            response = await answer(request)
            if request.method != "GET" or response.status_code != HTTPStatus.OK:
                return response
            tag = f'"{hashlib.sha256(response.body).hexdigest()[:32]}"'
            if _names(request.headers.getlist("if-none-match"), tag):
                response = Response(status_code=HTTPStatus.NOT_MODIFIED)
            response.headers["ETag"] = tag
            response.headers["Cache-Control"] = CACHE_CONTROL
            return response

        return tagged


def _names(given: list[str], tag: str) -> bool:
    """Return whether one of the tags given is this one: weakly compared, as RFC 9110 (13.1.2) has it."""
    tags = [each.strip().removeprefix("W/") for line in given for each in line.split(",")]
    return tag in tags or "*" in tags
