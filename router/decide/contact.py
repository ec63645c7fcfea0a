"""A contact as a decision sees it."""

from __future__ import annotations

import msgspec

from schemas.interactions import Classification, Offered


class Contact(msgspec.Struct, frozen=True, gc=False):
    """An offer with the place it was read from and its intent."""

    offered: Offered
    partition: int
    offset: int
    classification: Classification
