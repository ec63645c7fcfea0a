"""WFM's word over HTTP: people who are there, and plans; said with a key, and acknowledged once Kafka has it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Body, Depends, Path, Request, Response
from fastapi.routing import APIRoute

from runtime.errors import KafkaUnavailableError
from runtime.keys import Scope
from runtime.plans import Plans
from runtime.snapshot import Snapshot
from schemas.control import Availability
from schemas.topics import AVAILABILITY
from wfm_bridge.access import REFUSALS, Keys, admission, within
from wfm_bridge.inbound.checks import Said
from wfm_bridge.inbound.desk import Written
from wfm_bridge.inbound.errors import InboundError, UnknownQueueError
from wfm_bridge.inbound.models import AvailabilityBody, PlanBody, WrittenAnswer, WrittenAnswers
from wfm_bridge.inbound.plans import PlanRow, plans_of_csv, rows_between
from wfm_bridge.inbound.schedules import plans_of, stretches_of_csv
from wfm_bridge.inbound.tables import MOST_BYTES
from wfm_bridge.models import Problem, page_of
from wfm_bridge.pages import Page
from wfm_bridge.parameters import From, Queue, Tenant, To, parse_range
from wfm_bridge.problems import RequestError
from wfm_bridge.store import MAX_MICROS
from wfm_bridge.tagged import TAGGED, Tagged, conditional

_BUSY_SECONDS = 10.0
"""Longest wait for those who are before: with the broker away each takes five."""
_ANSWERS: dict[int | str, dict[str, Any]] = {
    **REFUSALS,
    400: {"model": Problem, "description": "The body is no text"},
    404: {"model": Problem, "description": "The tenant's policy has no such queue"},
    411: {"model": Problem, "description": "There is no `Content-Length`"},
    413: {"model": Problem, "description": "The body is too large"},
    422: {"model": Problem, "description": "The body or a parameter makes no sense; `errors` names each mistake"},
    503: {"model": Problem, "description": "Kafka did not take it: say it again; see `Retry-After`"},
}
_TenantPath = Annotated[str, Path(description="tenant", examples=["acme"])]
_QueuePath = Annotated[str, Path(description="queue of people, as the tenant's policy names it", examples=["billing"])]
_Csv = Annotated[bytes, Body(media_type="text/csv", description="UTF-8; the columns are in docs/wfm.md")]


class Desk(Protocol):
    """Takes what WFM says, and tells what stands (`wfm_bridge.inbound.desk.Desk`)."""

    plans: Plans

    def look(self) -> Snapshot:
        """Return what stands."""

    def now(self) -> int:
        """Return the present time, UTC microseconds."""

    def say(self, make: Callable[[Snapshot, int], Sequence[Said]]) -> list[Written]:
        """Have written what is new; raises InboundError and KafkaUnavailableError."""


def create_inbound(desk: Desk, keys: Keys, *, require_keys: bool) -> tuple[APIRouter, APIRouter]:
    """Return the paths that take WFM's word, for keys with `write:wfm`, and those that show it."""
    admitted = [Depends(admission(keys, Scope.WRITE_WFM))]
    writing = APIRouter(prefix="/v1", responses=_ANSWERS, tags=["inbound"], dependencies=admitted, route_class=_Bounded)
    counter = _Counter(desk)
    _add_puts(writing, counter)
    _add_files(writing, counter)
    needs = [Depends(admission(keys, Scope.READ_WFM, required=require_keys)), Depends(conditional)]
    shown: dict[int | str, dict[str, Any]] = {
        **REFUSALS, **TAGGED, 422: {"model": Problem, "description": "A parameter is malformed"}
    }  # fmt: skip
    reading = APIRouter(prefix="/v1", responses=shown, tags=["inbound"], dependencies=needs, route_class=Tagged)
    _add_views(reading, desk)
    return writing, reading


class _Bounded(APIRoute):
    """A path whose bodies are not read where they are too large: they are read before keys are looked at."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return what answers."""
        answer = super().get_route_handler()

        async def bounded(request: Request) -> Response:
            length = request.headers.get("content-length", "")
            if not length.isdecimal():
                raise RequestError(
                    HTTPStatus.LENGTH_REQUIRED, "it is not said how long the body is", "no Content-Length",
                    "Send it with Content-Length, not in chunks.",
                )  # fmt: skip
            if int(length) > MOST_BYTES:
                raise RequestError(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BYTES} bytes are taken at once",
                    f"{length} bytes", "Send it in parts.",
                )  # fmt: skip
            return await answer(request)

        return bounded


class _Counter:
    """One at a time says something: in the order in which they came."""

    def __init__(self, desk: Desk) -> None:
        self._desk, self._turn = desk, asyncio.Lock()

    async def say(self, make: Callable[[Snapshot, int], Sequence[Said]]) -> list[WrittenAnswer]:
        """Have it written, and return what became of it; raises RequestError (404, 422, 503)."""
        try:
            async with asyncio.timeout(_BUSY_SECONDS):
                await self._turn.acquire()
        except TimeoutError as problem:
            raise _not_taken("others wait for Kafka as well") from problem
        try:
            written = await asyncio.to_thread(self._desk.say, make)
        except InboundError as problem:
            raise _mistaken(problem) from problem
        except KafkaUnavailableError as problem:
            raise _not_taken(str(problem)) from problem
        finally:
            self._turn.release()
        return [WrittenAnswer(**each._asdict()) for each in written]


def _add_puts(router: APIRouter, counter: _Counter) -> None:
    @router.put("/availability/{tenant}/{queue:path}", summary="Say how many people there are")
    async def put_availability(
        request: Request, tenant: _TenantPath, queue: _QueuePath, body: AvailabilityBody
    ) -> WrittenAnswer:
        """People that a queue needs and has, as of now: routers go by it from their next batch on, until it expires.

        The same again is not written again.
        """
        within(request, tenant)
        said = body.event(tenant, queue)
        (answer,) = await counter.say(lambda _snapshot, _now: [said])
        return answer

    @router.put("/plans/{tenant}/{queue:path}", summary="Say what is planned for a queue")
    async def put_plan(request: Request, tenant: _TenantPath, queue: _QueuePath, body: PlanBody) -> WrittenAnswer:
        """A queue's plan from an instant on. It replaces the plan of the same start, but for what it leaves null.

        Where plans overlap, the one said last counts. The same again is not written again.
        """
        within(request, tenant)
        said = body.event(tenant, queue)
        (answer,) = await counter.say(lambda _snapshot, _now: [said])
        return answer


def _add_files(router: APIRouter, counter: _Counter) -> None:
    @router.post("/plans/{tenant}", summary="Say what is planned, as CSV")
    async def post_plans(request: Request, tenant: _TenantPath, body: _Csv) -> WrittenAnswers:
        """Plans of any number of queues. All of it is taken, or nothing: `errors` names each mistake with its line."""
        within(request, tenant)
        said = await _of_csv(body, lambda text: plans_of_csv(text, tenant))
        return WrittenAnswers(items=await counter.say(lambda _snapshot, _now: said))

    @router.post("/schedules/{tenant}", summary="Say who works when, as CSV")
    async def post_schedules(request: Request, tenant: _TenantPath, body: _Csv) -> WrittenAnswers:
        """Schedules of people, from which the people of each queue are planned, in intervals of 15 minutes.

        What is planned of contacts is left as it is. All of it is taken, or nothing.
        """
        within(request, tenant)
        said = await _of_csv(body, lambda text: plans_of(stretches_of_csv(text), tenant, 900))
        return WrittenAnswers(items=await counter.say(lambda _snapshot, _now: said))


def _add_views(router: APIRouter, desk: Desk) -> None:
    @router.get("/availability", response_model=page_of(Availability), summary="People there are, as WFM said")
    async def availability(window: Page, tenant: Tenant, queue: Queue = None) -> dict[str, Any]:
        """What WFM said of each queue last, where it is not over. Listed by tenant and queue."""
        snapshot, now = await asyncio.to_thread(desk.look), desk.now()
        standing = [
            said
            for said in snapshot.of(AVAILABILITY).values()
            if now < said.expires_at <= MAX_MICROS
            and (tenant is None or said.tenant == tenant)
            and (queue is None or said.queue == queue)
        ]
        return window.page(sorted(standing, key=_place), _place)

    @router.get("/plans/{tenant}/{queue:path}", response_model=page_of(PlanRow), summary="What is planned for a queue")
    async def plan(
        request: Request, window: Page, tenant: _TenantPath, queue: _QueuePath, from_: From = None, to: To = None
    ) -> dict[str, Any]:
        """What WFM plans for each interval of a queue, put together from all its plans. Listed by time."""
        within(request, tenant)
        first, last = parse_range(from_, to)
        plans = desk.plans.of(await asyncio.to_thread(desk.look), tenant, queue)
        rows = await asyncio.to_thread(rows_between, plans, first or 0, MAX_MICROS if last is None else last)
        return window.page(rows, lambda row: (row.starts_at,))


def _place(said: Availability) -> tuple[str, str]:
    return said.tenant, said.queue


async def _of_csv(body: bytes, read: Callable[[str], Sequence[Said]]) -> Sequence[Said]:
    try:
        return await asyncio.to_thread(read, body.decode("utf-8-sig"))
    except UnicodeDecodeError as problem:
        raise RequestError(
            HTTPStatus.UNPROCESSABLE_ENTITY, f"the file is not UTF-8: {problem.reason}", "the body", "Save it as UTF-8."
        ) from problem
    except InboundError as problem:
        raise _mistaken(problem) from problem


def _mistaken(problem: InboundError) -> RequestError:
    first = problem.faults[0]
    status = HTTPStatus.NOT_FOUND if isinstance(problem, UnknownQueueError) else HTTPStatus.UNPROCESSABLE_ENTITY
    return RequestError(
        status, f"{problem.summary}: {first.detail}", first.field or "the body", f"{first.remedy}.", problem.faults
    )


def _not_taken(why: str) -> RequestError:
    return RequestError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        f"Kafka did not take it: {why}",
        "the body",
        "Say it again in a second: the same twice does no harm.",
    )
