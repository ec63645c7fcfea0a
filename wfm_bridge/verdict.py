"""What becomes of a record that comes to a view."""

from __future__ import annotations

import enum


class Verdict(enum.Enum):
    """What became of a record."""

    APPLIED = "applied"
    OLDER = "older"
    """A row of a higher revision is already there."""
