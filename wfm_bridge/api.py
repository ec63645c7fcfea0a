"""The HTTP side of the live views: JSON pages, an OpenAPI document, problems that name their remedy."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Query, Response
from pydantic import BaseModel, Field

from runtime.metrics import exposition
from schemas.agents import Transition
from schemas.fields import BreakerState, Event
from schemas.wfm import CapacitySignal, ContainmentRow, StaffingRequirement, TrendSpan, VolumeRow
from wfm_bridge.models import Problem, page_of, to_answer, to_micros
from wfm_bridge.problems import RequestError, answer_problems
from wfm_bridge.progress import Progress
from wfm_bridge.store import MAX_MICROS, Views
from wfm_bridge.trends import By

DEFAULT_LIMIT = 500
MAX_LIMIT = 5000
"""5,000 volume rows are 2 MB of JSON."""

_DESCRIPTION = """
What Trunkline tells workforce management, as it stands now; and single contacts, for those who have an API key.

The views are rebuilt from Kafka whenever the service starts; until that is done every path under `/v1` but that of
contacts answers 503 with `Retry-After`. Rows carry a `revision` (breakers an `epoch`) that grows with every change.
All times are UTC, ISO 8601.
"""


class Liveness(BaseModel):
    """The process answers."""

    live: bool = Field(description="always true: a process that is not live does not answer")


class PartitionBehind(BaseModel):
    """A partition that is still being read."""

    topic: str = Field(description="topic on the broker, with its prefix")
    partition: int = Field(description="partition")
    end: int = Field(description="the end that it had at start (last stable offset)")
    position: int = Field(description="the next offset to read")


class Readiness(BaseModel):
    """Whether the views hold all that the topics held when the service started."""

    ready: bool = Field(description="true once every followed partition has been read to its end at start")
    behind: list[PartitionBehind] = Field(description="partitions still to be read")


class Window(BaseModel):
    """Which rows of the matching ones to answer."""

    limit: int
    offset: int

    def page(self, rows: Sequence[Event]) -> dict[str, Any]:
        """Return one page of rows, as data for its response model."""
        end = self.offset + self.limit
        return {
            "items": [to_answer(row) for row in rows[self.offset : end]],
            "total": len(rows),
            "limit": self.limit,
            "offset": self.offset,
            "next_offset": end if end < len(rows) else None,
        }


def _window(
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="rows to answer at most")] = DEFAULT_LIMIT,
    offset: Annotated[int, Query(ge=0, description="rows to skip")] = 0,
) -> Window:
    return Window(limit=limit, offset=offset)


def parse_instant(name: str, given: str | None) -> int | None:
    """Return UTC microseconds from ISO 8601 or from digits; None stays None.

    Raises RequestError (422) where it is neither.
    """
    if given is None:
        return None
    try:
        micros = int(given) if given.isascii() and given.isdigit() else to_micros(dt.datetime.fromisoformat(given))
    except (ValueError, OverflowError):
        micros = -1
    if not 0 <= micros <= MAX_MICROS:
        raise RequestError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"{name!r} is not an instant from 1970 to 9999",
            f"{name}={given}",
            "Give ISO 8601 in UTC, as in 2026-03-01T09:15:00Z (write '+' as %2B), or microseconds since 1970.",
        )
    return micros


def parse_range(from_: str | None, to: str | None) -> tuple[int | None, int | None]:
    """Return both ends in UTC microseconds; raises RequestError (422) where one is malformed or no time is between."""
    from_micros, to_micros = parse_instant("from", from_), parse_instant("to", to)
    if from_micros is not None and to_micros is not None and from_micros >= to_micros:
        raise RequestError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "'from' is not before 'to', so no interval can match",
            f"from={from_}&to={to}",
            "Give a 'to' after 'from'; it is not part of the range.",
        )
    return from_micros, to_micros


def parse_intervals(from_: str | None, to: str | None, *, late: bool) -> tuple[int | None, int | None]:
    """Return both ends as `parse_range` does; raises RequestError (422) also where `late` is asked with either."""
    ends = parse_range(from_, to)
    if late and ends != (None, None):
        raise RequestError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "'late' goes with no range of time: what came too late is of no interval any more",
            f"late=true&from={from_ or ''}&to={to or ''}",
            "Leave 'from' and 'to' away for totals, or 'late' for intervals.",
        )
    return ends


_Page = Annotated[Window, Depends(_window)]
_Tenant = Annotated[str | None, Query(description="only this tenant")]
_Queue = Annotated[str | None, Query(description="only this human queue")]
_Intent = Annotated[str | None, Query(description="only this intent")]
_By = Annotated[By | None, Query(description="only rows of all contacts together, of each queue, or of each intent")]
_Span = Annotated[TrendSpan | None, Query(description="only this span: the rolling five minutes, hour, day, ...")]
_Late = Annotated[
    bool, Query(description="also the totals of what came too late for its interval; not with a range of time")
]
_State = Annotated[BreakerState | None, Query(description="only breakers now in this state")]
_From = Annotated[
    str | None,
    Query(alias="from", description="only intervals that start then or later: ISO 8601 (UTC) or microseconds"),
]
_To = Annotated[
    str | None, Query(alias="to", description="only intervals that start before: ISO 8601 (UTC) or microseconds")
]


def create_api(views: Views, progress: Progress, *others: APIRouter) -> FastAPI:
    """Return the application that serves these views, and what `others` serve."""
    app = FastAPI(title="Trunkline live views", version="1", description=_DESCRIPTION, docs_url=None, redoc_url=None)
    app.include_router(_operations(progress))
    app.include_router(_wfm(views, progress))
    app.include_router(_containment(views, progress))
    app.include_router(_breakers(views, progress))
    for router in others:
        app.include_router(router)
    answer_problems(app)
    return app


def _v1(progress: Progress) -> APIRouter:
    async def rebuilt() -> None:
        if not progress.ready:
            raise RequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"the views are being rebuilt: {len(progress.waiting)} partitions are still to be read",
                "a request before the views are ready",
                "Repeat it in a second; /readyz shows what is left.",
            )

    problems: dict[int | str, dict[str, Any]] = {
        422: {"model": Problem, "description": "A parameter is malformed"},
        503: {"model": Problem, "description": "The views are still being rebuilt; see `Retry-After`"},
    }
    return APIRouter(prefix="/v1", dependencies=[Depends(rebuilt)], responses=problems)


def _wfm(views: Views, progress: Progress) -> APIRouter:
    router = _v1(progress)

    @router.get("/volume", response_model=page_of(VolumeRow), tags=["wfm"], summary="Volumes by interval")
    async def volume(
        *,
        window: _Page,
        tenant: _Tenant = None,
        queue: _Queue = None,
        intent: _Intent = None,
        from_: _From = None,
        to: _To = None,
        late: _Late = False,
    ) -> dict[str, Any]:
        """Contacts of each tenant, queue, intent, channel, language and 15-minute arrival interval.

        In every row offered = ai_contained + ai_assisted + ai_escalated + human_only + deflected + abandoned +
        in_progress. Rows with `late` are of no interval: what came more than seven days after its own had ended. Listed
        by interval, then tenant, queue, intent, channel and language; late ones first.
        """
        first, last = parse_intervals(from_, to, late=late)
        return window.page(
            views.volume.select(tenant=tenant, queue=queue, intent=intent, from_micros=first, to_micros=last, late=late)
        )

    @router.get(
        "/staffing",
        response_model=page_of(StaffingRequirement),
        tags=["wfm"],
        summary="People required now",
    )
    async def staffing(window: _Page, tenant: _Tenant = None, queue: _Queue = None) -> dict[str, Any]:
        """The standing recommendation of each queue: people required without and with the loss of AI capacity.

        Listed by tenant and queue.
        """
        return window.page(views.staffing.select(tenant=tenant, queue=queue))

    @router.get(
        "/capacity",
        response_model=page_of(CapacitySignal),
        tags=["wfm"],
        summary="AI capacity lost now",
    )
    async def capacity(window: _Page, tenant: _Tenant = None, queue: _Queue = None) -> dict[str, Any]:
        """Contacts per minute that AI no longer takes, by queue, with the endpoints that are out and for how long.

        Listed by tenant and queue.
        """
        return window.page(views.capacity.select(tenant=tenant, queue=queue))

    return router


def _containment(views: Views, progress: Progress) -> APIRouter:
    router = _v1(progress)

    @router.get("/containment", response_model=page_of(ContainmentRow), tags=["wfm"], summary="Containment trends")
    async def containment(
        *,
        window: _Page,
        tenant: _Tenant = None,
        by: _By = None,
        queue: _Queue = None,
        intent: _Intent = None,
        span: _Span = None,
        from_: _From = None,
        to: _To = None,
    ) -> dict[str, Any]:
        """Containment of AI contacts that ended, over five minutes, hour, day, week and month, with 95 % intervals.

        Of a tenant's contacts all together, of each queue and of each intent. In every row contacts = contained +
        assisted + escalated + abandoned. Listed by start, then tenant, queue, intent and span.
        """
        first, last = parse_range(from_, to)
        return window.page(
            views.containment.select(
                tenant=tenant, by=by, queue=queue, intent=intent, span=span, from_micros=first, to_micros=last
            )
        )

    return router


def _breakers(views: Views, progress: Progress) -> APIRouter:
    router = _v1(progress)
    page = page_of(Transition)

    @router.get("/breakers", response_model=page, tags=["breakers"], summary="State of every breaker")
    async def breakers(window: _Page, tenant: _Tenant = None, state: _State = None) -> dict[str, Any]:
        """The last transition of each AI endpoint's breaker: `to_state` is the state it is in.

        A breaker that never moved is closed, and not listed. Listed by tenant and endpoint.
        """
        return window.page(views.breakers.latest(tenant=tenant, state=state))

    @router.get(
        "/breakers/{tenant}/{endpoint:path}/history",
        response_model=page,
        tags=["breakers"],
        summary="Transitions of one breaker",
        responses={404: {"model": Problem, "description": "This breaker has never moved"}},
    )
    async def history(tenant: str, endpoint: str, window: _Page) -> dict[str, Any]:
        """Every transition of one breaker with its evidence, oldest first; the last 1,000 are kept."""
        known = views.breakers.history(tenant, endpoint)
        if known is None:
            raise RequestError(
                HTTPStatus.NOT_FOUND,
                f"no transition of endpoint {endpoint!r} of tenant {tenant!r} is known",
                f"{tenant}/{endpoint}",
                "See /v1/breakers for those that have moved; one that never did is closed.",
            )
        return window.page(known)

    return router


def _operations(progress: Progress) -> APIRouter:
    router = APIRouter(tags=["operations"])

    @router.get("/livez", summary="Is the process alive")
    async def livez() -> Liveness:
        """Answers as long as the event loop turns."""
        return Liveness(live=True)

    @router.get(
        "/readyz",
        summary="Are the views complete",
        responses={503: {"model": Readiness, "description": "Partitions are still to be read"}},
    )
    async def readyz(response: Response) -> Readiness:
        """200 once every followed partition has been read to the end it had at start, 503 before."""
        response.status_code = HTTPStatus.OK if progress.ready else HTTPStatus.SERVICE_UNAVAILABLE
        behind = [
            PartitionBehind(topic=b.place.topic, partition=b.place.partition, end=b.end, position=b.position)
            for b in progress.behind()
        ]
        return Readiness(ready=progress.ready, behind=behind)

    @router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
    async def metrics() -> Response:
        """Metrics of this process in the Prometheus text format."""
        body, content_type = exposition()
        return Response(body, media_type=content_type)

    return router
