"""Answers to requests that cannot be served: problem objects (RFC 9457) that name their remedy."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from schemas.errors import TrunklineError
from wfm_bridge.models import Problem

_HEADERS: dict[int, dict[str, str]] = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": "1"},
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
}


class RequestError(TrunklineError):
    """A request cannot be answered; the handler makes a problem object of it."""

    def __init__(self, status: HTTPStatus, detail: str, given: str, remedy: str) -> None:
        super().__init__(f"{detail} (given: {given}). {remedy}")
        self.problem = Problem(title=status.phrase, status=status, detail=detail, input=given, remedy=remedy)


def answer_problems(app: FastAPI) -> None:
    """Have an application answer with problem objects, whatever goes wrong with a request."""
    app.add_exception_handler(RequestError, _on_request_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)


def _answer(problem: Problem) -> JSONResponse:
    return JSONResponse(
        problem.model_dump(), problem.status, _HEADERS.get(problem.status), media_type="application/problem+json"
    )


async def _on_request_error(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestError)  # noqa: S101 - registered for this type alone
    return _answer(error.problem)


async def _on_invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - registered for this type alone
    first = error.errors()[0]
    name = str(first["loc"][-1])
    return _answer(
        Problem(
            title=HTTPStatus.UNPROCESSABLE_ENTITY.phrase,
            status=HTTPStatus.UNPROCESSABLE_ENTITY,
            detail=f"{name!r}: {first['msg']}",
            input=f"{name}={first['input']}",
            remedy="See /openapi.json for what the parameter takes.",
        )
    )


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
        )
    )
