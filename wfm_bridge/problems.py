"""Answers to requests that cannot be served: problem objects (RFC 9457) that name their remedy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from schemas.errors import TrunklineError
from wfm_bridge.models import Fault, Problem

_HEADERS: dict[int, dict[str, str]] = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
}
_MEDIA_TYPE = "application/problem+json"
_PROBLEM = "#/components/schemas/Problem"
_SHOWN = 200
"""Characters of an input that an answer repeats: enough to find it again."""


class RequestError(TrunklineError):
    """A request cannot be answered; the handler makes a problem object of it."""

    def __init__(
        self, status: HTTPStatus, detail: str, given: str, remedy: str, errors: Sequence[Fault] | None = None
    ) -> None:
        super().__init__(f"{detail} (given: {given}). {remedy}")
        self.problem = Problem(
            title=status.phrase,
            status=status,
            detail=detail,
            input=given,
            remedy=remedy,
            errors=None if errors is None else list(errors),
        )


def answer_problems(app: FastAPI) -> None:
    """Have an application answer with problem objects, whatever goes wrong with a request, and say so."""
    document = app.openapi
    app.openapi = lambda: _described(document())  # type: ignore[method-assign]  # FastAPI extends it so
    app.add_exception_handler(RequestError, _on_request_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)


def _described(document: dict[str, Any]) -> dict[str, Any]:
    """Return an OpenAPI document with the media type of problems, for which FastAPI has no setting."""
    operations = (operation for path in document["paths"].values() for operation in path.values())
    for response in (response for operation in operations for response in operation["responses"].values()):
        content = response.get("content", {})
        if content.get("application/json", {}).get("schema", {}).get("$ref") == _PROBLEM:
            response["content"] = {_MEDIA_TYPE: content["application/json"]}
    return document


def _answer(problem: Problem, headers: Mapping[str, str] | None = None) -> JSONResponse:
    told = {"Cache-Control": "no-store", **(headers or {}), **_HEADERS.get(problem.status, {})}
    return JSONResponse(problem.model_dump(exclude_none=True), problem.status, told, media_type=_MEDIA_TYPE)


async def _on_request_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101 - registered for this type alone
    return _answer(error.problem)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type alone
    errors = error.errors()
    faults = [
        Fault(field=_field(each["loc"]), detail=each["msg"], remedy="See /openapi.json for what the field takes.")
        for each in errors
    ]
    first = faults[0]
    return _answer(
        Problem(
            title=HTTPStatus.UNPROCESSABLE_ENTITY.phrase,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            detail=f"{first.field!r}: {first.detail}",
            input=_shown(f"{first.field}={errors[0]['input']}"),
            remedy="See /openapi.json for what the parameter takes.",
            errors=faults if len(faults) > 1 else None,
        )
    )


def _field(place: Sequence[str | int]) -> str:
    """Return the name of a field without where it is: `intervals.3.contacts` of a body, `limit` of a query."""
    return ".".join(map(str, place[1:])) or str(place[0])


def _shown(given: str) -> str:
    # What came as JSON may have half a character in it, which no answer can have.
    return given[:_SHOWN].encode(errors="replace").decode()


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - registered for this type alone
    status = HTTPStatus(error.status_code)
    return _answer(
        Problem(
            title=status.phrase,
            status=status,
            detail=str(error.detail),
            input=f"{request.method} {request.url.path}",
            remedy="See /openapi.json for the paths and their methods.",
        ),
        error.headers,
    )
