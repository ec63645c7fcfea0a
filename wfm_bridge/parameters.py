"""What requests may ask for: parameters with their descriptions, ranges of time."""

from __future__ import annotations

import datetime as dt
from http import HTTPStatus
from typing import Annotated, NamedTuple

from fastapi import Depends, Query, Request

from schemas.fields import BreakerState, Channel, Handling
from schemas.wfm import TrendSpan
from wfm_bridge.access import within
from wfm_bridge.handle_time import GroupBy
from wfm_bridge.models import to_micros
from wfm_bridge.problems import RequestError
from wfm_bridge.store import MAX_MICROS
from wfm_bridge.trends import By


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


async def _tenant(
    request: Request, tenant: Annotated[str | None, Query(description="only this tenant")] = None
) -> str | None:
    return within(request, tenant)


Tenant = Annotated[str | None, Depends(_tenant)]
Queue = Annotated[str | None, Query(description="only this human queue")]
Intent = Annotated[str | None, Query(description="only this intent")]
Ended = Annotated[Handling | None, Query(description="only contacts that ended so")]
Through = Annotated[Channel | None, Query(description="only this channel")]
Apart = Annotated[
    list[GroupBy] | None, Query(description="what to tell apart, given once for each; all else is merged")
]
Of = Annotated[By | None, Query(description="only rows of all contacts together, of each queue, or of each intent")]
Span = Annotated[TrendSpan | None, Query(description="only this span: the rolling five minutes, hour, day, ...")]
Late = Annotated[
    bool, Query(description="also the totals of what came too late for its interval; not with a range of time")
]
State = Annotated[BreakerState | None, Query(description="only breakers now in this state")]
From = Annotated[
    str | None,
    Query(alias="from", description="only intervals that start then or later: ISO 8601 (UTC) or microseconds"),
]
To = Annotated[
    str | None, Query(alias="to", description="only intervals that start before: ISO 8601 (UTC) or microseconds")
]


class Trends(NamedTuple):
    """Which rows of a trend to answer."""

    tenant: str | None
    by: By | None
    queue: str | None
    intent: str | None
    span: TrendSpan | None
    from_micros: int | None
    to_micros: int | None


def _trends(
    *,
    tenant: Tenant,
    by: Of = None,
    queue: Queue = None,
    intent: Intent = None,
    span: Span = None,
    from_: From = None,
    to: To = None,
) -> Trends:
    return Trends(tenant, by, queue, intent, span, *parse_range(from_, to))


Trend = Annotated[Trends, Depends(_trends)]
