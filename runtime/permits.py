"""Quantities that one issuer grants to all routers: so many per partition of `interactions.offered`.

A router spends only the shares of the partitions that it owns: so all of them together never spend more.
"""

from __future__ import annotations

from schemas.errors import TrunklineError
from schemas.topics import OFFERED


def shares(total: int, partitions: int, first: int) -> tuple[int, ...]:
    """Share `total` among partitions (index = partition): each gets the whole part, the rest go out from `first` on."""
    each, rest = divmod(total, partitions)
    return tuple(each + ((partition - first) % partitions < rest) for partition in range(partitions))


def check_partitions(partitions: int) -> None:
    """Raise TrunklineError where there is nothing to share among."""
    if partitions < 1:
        raise TrunklineError(
            f"offered_partitions is {partitions}: pass the number of partitions of {OFFERED.name}, at least 1"
        )
