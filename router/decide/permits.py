"""Permits: whoever issues contacts says so many per partition of the inbox, and a router spends only its own.

One mechanism for probes of a breaker in HALF_OPEN and for room among people (`wfm.spare`). What was spent is remembered
per grant, issue and partition, and stands from the commit on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple


class Grant(NamedTuple):
    """Contacts that may be given, one quantity per partition of the inbox, until they expire.

    `name`: what it is for; of all grants with one name only the latest `epoch` counts. `kept`: how many of each
    quantity are for contacts that come first, none where nothing is said.
    """

    name: str
    epoch: int
    quantities: tuple[int, ...]
    expires_at: int
    kept: tuple[int, ...] = ()

    def of(self, partition: int) -> int:
        """Return the quantity of a partition; none where none was issued."""
        return self.quantities[partition] if partition < len(self.quantities) else 0

    def kept_of(self, partition: int) -> int:
        """Return how many of a partition's quantity are kept."""
        return self.kept[partition] if partition < len(self.kept) else 0


class _Place(NamedTuple):
    """Where permits are spent."""

    name: str
    partition: int
    epoch: int


class _Spent(NamedTuple):
    """So many permits of the latest issue."""

    epoch: int
    permits: int


_NOTHING = _Spent(-1, 0)


class PermitLedger:
    """Counts the permits spent by this router. A partition that moves starts anew at its next owner.

    The successor may spend its share once more: at most as many contacts again as the partition has permits.
    """

    def __init__(self) -> None:
        self._spent: dict[tuple[str, int], _Spent] = {}
        self._sealed: Counter[_Place] = Counter()
        self._pending: Counter[_Place] = Counter()
        self._stepped: Counter[_Place] = Counter()

    def begin(self) -> None:
        """Forget what was not sealed."""
        self._pending.clear()
        self._stepped.clear()

    def aborted(self) -> None:
        """Forget what was not committed."""
        self._sealed.clear()
        self.begin()

    def left(self, grants: Sequence[Grant], partition: int, now: int) -> int:
        """Return how many contacts all of some grants still leave to this partition; 0 where there is no grant."""
        return min((self._left(grant, partition, now) for grant in grants), default=0)

    def _left(self, grant: Grant, partition: int, now: int) -> int:
        if now >= grant.expires_at:
            return 0
        place = _Place(grant.name, partition, grant.epoch)
        before = self._spent.get(place[:2], _NOTHING)
        spent = before.permits if before.epoch == grant.epoch else 0
        return grant.of(partition) - spent - self._sealed[place] - self._pending[place] - self._stepped[place]

    def spend(self, grants: Sequence[Grant], partition: int) -> None:
        """Note a contact, under each of some grants."""
        for grant in grants:
            self._stepped[_Place(grant.name, partition, grant.epoch)] += 1

    def kept(self) -> None:
        """The contacts noted since the last time are in the transaction."""
        self._pending += self._stepped
        self._stepped.clear()

    def sealed(self) -> None:
        """The transaction is complete; what is kept from now on belongs to the next."""
        self._sealed, self._pending = self._pending, Counter()

    def committed(self) -> None:
        """What was sealed is spent; the epoch before is forgotten."""
        for place, count in self._sealed.items():
            before = self._spent.get(place[:2], _NOTHING)
            same = before.permits if before.epoch == place.epoch else 0
            self._spent[place[:2]] = _Spent(place.epoch, same + count)
        self._sealed.clear()

    def dropped(self, partitions: frozenset[int]) -> None:
        """Forget partitions that are no longer ours."""
        self._spent = {place: spent for place, spent in self._spent.items() if place[1] not in partitions}
