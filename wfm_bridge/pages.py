"""Pages of rows: where the next one begins is told by the last row of this one, so none moves as rows come and go.

Views are listed by what names a row. The cursor `after` is that name of the last row shown: pages that follow it miss
no row that stays and show none twice. With `offset` alone a row that comes in between moves all that follow.
"""

from __future__ import annotations

import base64
from bisect import bisect_right
from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Any, NamedTuple, TypeVar

import msgspec
from fastapi import Depends, Query, Request

from schemas.fields import Event
from wfm_bridge.models import to_answer
from wfm_bridge.problems import RequestError

DEFAULT_LIMIT = 500
MAX_LIMIT = 5000
"""5,000 volume rows are 2 MB of JSON."""

Place = tuple[str | int | float, ...]
"""What names a row in its view, and orders the view."""
E = TypeVar("E", bound=Event)


class Window(NamedTuple):
    """Which rows of the matching ones to answer: those after a place, then so many left out, then at most a limit.

    `path` and `parameters`: what was asked, for the link to the next page.
    """

    limit: int
    offset: int
    after: str | None
    request: Request

    def page(self, rows: Sequence[E], place: Callable[[E], Place]) -> dict[str, Any]:
        """Return one page of rows, which are sorted by `place`, as data for its response model.

        Raises RequestError (422) where `after` names no place of this view.
        """

        def plain(row: E) -> Place:
            return tuple(str(part) if isinstance(part, str) else part for part in place(row))

        start = self.offset
        if self.after is not None and rows:
            start += bisect_right(rows, _place(self.after, plain(rows[0])), key=plain)
        end = start + self.limit
        shown = rows[start:end]
        return {
            "items": [to_answer(row) for row in shown],
            "total": len(rows),
            "limit": self.limit,
            "offset": start,
            "next_offset": end if end < len(rows) else None,
            "next": self._link(plain(shown[-1])) if end < len(rows) else None,
        }

    def _link(self, last: Place) -> str:
        cursor = base64.urlsafe_b64encode(msgspec.json.encode(last)).decode().rstrip("=")
        url = self.request.url.remove_query_params(["offset", "after"]).include_query_params(after=cursor)
        return f"{url.path}?{url.query}"


async def _window(
    request: Request,
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT, description="rows to answer at most")] = DEFAULT_LIMIT,
    offset: Annotated[int, Query(ge=0, description="rows to skip, after those that `after` leaves out")] = 0,
    after: Annotated[
        str | None, Query(max_length=4096, description="only rows after this place: as `next` of a page has it")
    ] = None,
) -> Window:
    return Window(limit, offset, after, request)


Page = Annotated[Window, Depends(_window)]


def _place(cursor: str, like: Place) -> Place:
    """Return the place that a cursor names; raises RequestError (422) where it is none of a view of such places."""
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        given: Place = tuple(msgspec.json.decode(text, type=list[str | int | float]))
    except (ValueError, msgspec.MsgspecError):
        given = ()
    if [type(part) for part in given] != [type(part) for part in like]:
        raise RequestError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            "'after' is no place in this view",
            f"after={cursor}",
            "Follow 'next' of a page as it is, or leave 'after' away to begin at the first row.",
        )
    return given
