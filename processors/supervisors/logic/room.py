"""Who may get another contact: the supervisors below their own limits, the one with the fewest contacts first.

Supervisors are spread over pages, each an entry: name -> contacts. `room` holds the first of each page. With 500
supervisors a page has 16 names, so a change writes some 300 bytes, and 800 more where it moves the first of its page.
"""

from __future__ import annotations

import zlib

from runtime.state import KeyedState

PAGES = 32
"""Pages of a tenant: about as many as there are names on a page at 1,000 supervisors, where the two entries cost the
same. At 10,000 a page has 300 names, 6 kB."""
_FIRST = "room"


class Room:
    """The index of a tenant, as one event finds it."""

    def __init__(self, state: KeyedState) -> None:
        self._state = state

    def first(self, limit: int) -> str | None:
        """Return who has the fewest contacts, below `limit`; of several the first by name. None where nobody is."""
        contacts, name = min(self._state.get(_FIRST, {}).values(), default=(limit, ""))
        return name if contacts < limit else None

    def put(self, name: str, contacts: int) -> None:
        """Note that a supervisor has so many contacts, and may have more."""
        page = self._state.get(_page(name), {})
        if page.get(name) != contacts:
            self._save(name, {**page, name: contacts})

    def drop(self, name: str) -> None:
        """Note that a supervisor may have no more; nothing happens where that is known."""
        page = self._state.get(_page(name), {})
        if name in page:
            self._save(name, {other: contacts for other, contacts in page.items() if other != name})

    def _save(self, name: str, page: dict[str, int]) -> None:
        firsts = self._state.get(_FIRST, {})
        number = str(_number(name))
        after = {other: first for other, first in firsts.items() if other != number}
        if page:
            self._state.set(_page(name), page)
            after[number] = list(min((contacts, each) for each, contacts in page.items()))
        else:
            self._state.delete(_page(name))
        if after != firsts:
            self._state.set(_FIRST, after)


def _number(name: str) -> int:
    return zlib.crc32(name.encode()) % PAGES


def _page(name: str) -> str:
    return f"{_FIRST}\x1f{_number(name)}"
