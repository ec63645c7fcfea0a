"""Quantities that one issuer grants to all routers: so many per partition of `interactions.offered`.

A router spends only the shares of the partitions that it owns: so all of them together never spend more.
"""

from __future__ import annotations

from collections.abc import Sequence

from schemas.errors import TrunklineError
from schemas.topics import OFFERED

KEEP = 3
"""One permit in so many is kept for who comes first."""


def shares(total: int, partitions: int, first: int) -> tuple[int, ...]:
    """Share `total` among partitions (index = partition): each gets the whole part, the rest go out from `first` on."""
    each, rest = divmod(total, partitions)
    return tuple(each + ((partition - first) % partitions < rest) for partition in range(partitions))


def kept_of(permits: Sequence[int], before: int) -> tuple[int, ...]:
    """Return how many of each partition's permits are kept for who comes first: the third, sixth, ninth that it gets.

    Partitions begin to count at different places, so that of few permits in a row a third is kept as well.

    Args:
        permits: as `shares` deals them, beginning with partition `before` % partitions.
        before: permits dealt until then, all together; counting may begin anew at `cycle`.
    """
    partitions = len(permits)
    begins = (partition + (before - partition + partitions - 1) // partitions for partition in range(partitions))
    return tuple((begin + given) // KEEP - begin // KEEP for begin, given in zip(begins, permits, strict=True))


def cycle(partitions: int) -> int:
    """Return after how many permits it is as at the beginning which partition is next, and which are kept."""
    return KEEP * partitions


def check_partitions(partitions: int) -> None:
    """Raise TrunklineError where there is nothing to share among."""
    if partitions < 1:
        raise TrunklineError(
            f"offered_partitions is {partitions}: pass the number of partitions of {OFFERED.name}, at least 1"
        )
