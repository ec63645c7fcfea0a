"""The HTTP side of the live views: JSON pages, an OpenAPI document, problems that name their remedy."""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from pydantic import BaseModel, Field

from runtime.keys import Scope
from runtime.metrics import exposition
from schemas.agents import Transition
from schemas.analytics import QualityRow
from schemas.wfm import CapacitySignal, ContainmentRow, StaffingRequirement, VolumeRow
from wfm_bridge.access import NO_KEYS, REFUSALS, Admission, Keys, admission, within
from wfm_bridge.handle_time import HandleTimes, merged, place_of
from wfm_bridge.models import Problem, page_of
from wfm_bridge.pages import Page
from wfm_bridge.parameters import (
    Apart,
    Ended,
    From,
    Intent,
    Late,
    Queue,
    State,
    Tenant,
    Through,
    To,
    Trend,
    parse_intervals,
)
from wfm_bridge.problems import RequestError, answer_problems
from wfm_bridge.progress import Progress
from wfm_bridge.store import Views
from wfm_bridge.tagged import TAGGED, Tagged, conditional

_DESCRIPTION = """
What Trunkline tells workforce management, as it stands now, and what it is told by it; and single contacts.

Keys: `Authorization: Bearer KEY` or `X-API-Key: KEY`, each of one tenant and of one or more scopes. `write:wfm` says
how many people there are and what is planned, `read:sessions` looks contacts up, and `read:wfm` reads all else, which
where the bridge is set so needs no key. Answers to GET have a strong `ETag`; `If-None-Match` answers 304 while it is
still so. Follow `next` through the pages of a list.

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


def create_api(
    views: Views, progress: Progress, *others: APIRouter, keys: Keys = NO_KEYS, require_keys: bool = False
) -> FastAPI:
    """Return the application that serves these views, and what `others` serve.

    require_keys: to holders of a key alone; without, whoever has none sees all.
    """
    app = FastAPI(title="Trunkline live views", version="1", description=_DESCRIPTION, docs_url=None, redoc_url=None)
    app.include_router(_operations(progress))
    v1 = _v1(progress, admission(keys, Scope.READ_WFM, required=require_keys))
    _add_wfm(v1, views)
    _add_handle_time(v1, views)
    _add_trends(v1, views)
    _add_breakers(v1, views)
    for router in (v1, *others):
        app.include_router(router)
    answer_problems(app)
    return app


def _v1(progress: Progress, reading: Admission) -> APIRouter:
    async def rebuilt() -> None:
        if not progress.ready:
            raise RequestError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                f"the views are being rebuilt: {len(progress.waiting)} partitions are still to be read",
                "a request before the views are ready",
                "Repeat it in a second; /readyz shows what is left.",
            )

    answers: dict[int | str, dict[str, Any]] = {
        **REFUSALS,
        **TAGGED,
        422: {"model": Problem, "description": "A parameter is malformed"},
        503: {"model": Problem, "description": "The views are still being rebuilt; see `Retry-After`"},
    }
    needs = [Depends(reading), Depends(rebuilt), Depends(conditional)]
    return APIRouter(prefix="/v1", dependencies=needs, responses=answers, route_class=Tagged)


def _add_wfm(router: APIRouter, views: Views) -> None:
    @router.get("/volume", response_model=page_of(VolumeRow), tags=["wfm"], summary="Volumes by interval")
    async def volume(
        *,
        window: Page,
        tenant: Tenant,
        queue: Queue = None,
        intent: Intent = None,
        from_: From = None,
        to: To = None,
        late: Late = False,
    ) -> dict[str, Any]:
        """Contacts of each tenant, queue, intent, channel, language and 15-minute arrival interval.

        In every row offered = ai_contained + ai_assisted + ai_escalated + human_only + deflected + abandoned +
        in_progress. Rows with `late` are of no interval: what came more than seven days after its own had ended. Listed
        by interval, then tenant, queue, intent, channel and language; late ones first.
        """
        first, last = parse_intervals(from_, to, late=late)
        return window.page(
            views.volume.select(
                tenant=tenant, queue=queue, intent=intent, from_micros=first, to_micros=last, late=late
            ),
            views.volume.place,
        )

    @router.get(
        "/staffing",
        response_model=page_of(StaffingRequirement),
        tags=["wfm"],
        summary="People required now",
    )
    async def staffing(window: Page, tenant: Tenant, queue: Queue = None) -> dict[str, Any]:
        """The standing recommendation of each queue: people required without and with the loss of AI capacity.

        Listed by tenant and queue.
        """
        return window.page(views.staffing.select(tenant=tenant, queue=queue), views.staffing.place)

    @router.get(
        "/capacity",
        response_model=page_of(CapacitySignal),
        tags=["wfm"],
        summary="AI capacity lost now",
    )
    async def capacity(window: Page, tenant: Tenant, queue: Queue = None) -> dict[str, Any]:
        """Contacts per minute that AI no longer takes, by queue, with the endpoints that are out and for how long.

        Listed by tenant and queue.
        """
        return window.page(views.capacity.select(tenant=tenant, queue=queue), views.capacity.place)


def _add_trends(router: APIRouter, views: Views) -> None:
    @router.get("/containment", response_model=page_of(ContainmentRow), tags=["wfm"], summary="Containment trends")
    async def containment(window: Page, wanted: Trend) -> dict[str, Any]:
        """Containment of AI contacts that ended, over five minutes, hour, day, week and month, with 95 % intervals.

        Of a tenant's contacts all together, of each queue and of each intent. In every row contacts = contained +
        assisted + escalated + abandoned. Listed by start, then tenant, queue, intent and span.
        """
        return window.page(views.containment.select(**wanted._asdict()), views.containment.place)

    @router.get("/quality", response_model=page_of(QualityRow), tags=["wfm"], summary="Quality and cost")
    async def quality(window: Page, wanted: Trend) -> dict[str, Any]:
        """How contacts ended over the same spans, what customers and QA found, and what they cost: AI's and people's.

        Of a tenant's contacts all together, of each queue and of each intent. What cannot be known is null. Listed by
        start, then tenant, queue, intent and span.
        """
        return window.page(views.quality.select(**wanted._asdict()), views.quality.place)


def _add_handle_time(router: APIRouter, views: Views) -> None:
    @router.get("/handle-time", response_model=page_of(HandleTimes), tags=["wfm"], summary="Handle times")
    async def handle_time(
        *,
        window: Page,
        tenant: Tenant,
        queue: Queue = None,
        channel: Through = None,
        handling: Ended = None,
        by: Apart = None,
        from_: From = None,
        to: To = None,
        late: Late = False,
    ) -> dict[str, Any]:
        """Where the time of contacts went that arrived in these intervals, by each component: sum, mean, quantiles.

        Merged over all that `by` does not tell apart; quantiles are those of all contacts together, within the relative
        accuracy. Listed by time where that is told apart, then tenant, queue, channel and handling.
        """
        first, last = parse_intervals(from_, to, late=late)
        rows = views.handle_time.select(
            tenant=tenant, queue=queue, channel=channel, handling=handling, from_micros=first, to_micros=last, late=late
        )
        # In a thread: a week of many queues takes seconds, and the views must follow meanwhile.
        return window.page(await asyncio.to_thread(merged, rows, by or ()), lambda row: place_of(row, by or ()))


def _add_breakers(router: APIRouter, views: Views) -> None:
    page = page_of(Transition)

    @router.get("/breakers", response_model=page, tags=["breakers"], summary="State of every breaker")
    async def breakers(window: Page, tenant: Tenant, state: State = None) -> dict[str, Any]:
        """The last transition of each AI endpoint's breaker: `to_state` is the state it is in.

        A breaker that never moved is closed, and not listed. Listed by tenant and endpoint.
        """
        return window.page(views.breakers.latest(tenant=tenant, state=state), views.breakers.place)

    @router.get(
        "/breakers/{tenant}/{endpoint:path}/history",
        response_model=page,
        tags=["breakers"],
        summary="Transitions of one breaker",
        responses={404: {"model": Problem, "description": "This breaker has never moved"}},
    )
    async def history(request: Request, tenant: str, endpoint: str, window: Page) -> dict[str, Any]:
        """Every transition of one breaker with its evidence, oldest first; the last 1,000 are kept."""
        within(request, tenant)
        known = views.breakers.history(tenant, endpoint)
        if known is None:
            raise RequestError(
                HTTPStatus.NOT_FOUND,
                f"no transition of endpoint {endpoint!r} of tenant {tenant!r} is known",
                f"{tenant}/{endpoint}",
                "See /v1/breakers for those that have moved; one that never did is closed.",
            )
        return window.page(known, lambda transition: (transition.epoch,))


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
