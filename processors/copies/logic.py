"""What records of `sessions.views` make of the copies: folded, so that each field is written once a batch.

Each field of a copy follows one key of the topic, and a key lies on one partition, in order. So a copy is right in
whatever order the partitions are read: a tombstone takes the field of its own key and no other. When a contact is
removed its header and its turns all get tombstones, in one transaction; whichever comes first, the last one leaves no
hash behind, and a contact that has the same id anew loses nothing to tombstones of the old one that come late.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

import msgspec

from runtime.copies import NOWHERE, VIEW, Change
from schemas.views import SessionView, TurnView

View = SessionView | TurnView
Place = tuple[str, str]
"""A contact, and the field of its hash."""

_encode = msgspec.json.Encoder().encode


def changes_of(records: Iterable[tuple[str, View | None]]) -> list[Change]:
    """Return what records of one partition, in their order, make of the copies; one change a field.

    records: key and event, None for a tombstone. Of several revisions since the last tombstone the highest stands.
    """
    last: dict[Place, View | None] = {}
    cleared: set[Place] = set()
    for key, event in records:
        if event is None:
            place = place_of_key(key)
            cleared.add(place)
            last[place] = None
            continue
        place = _place(event)
        known = last.get(place)
        if known is None or event.revision > known.revision:
            last[place] = event
    return [
        Change(*place, NOWHERE, b"", cleared=True)
        if event is None
        else Change(*place, event.revision, _encode(event), place in cleared)
        for place, event in last.items()
    ]


def place_of_key(key: str) -> Place:
    """Return what a tombstone under this key removes."""
    contact, _, turn = key.partition("/")
    return unquote(contact), turn or VIEW


def _place(event: View) -> Place:
    if isinstance(event, TurnView):
        return event.interaction_id, f"turn-{event.exchange.epoch}-{event.exchange.turn}"
    return event.interaction_id, VIEW
