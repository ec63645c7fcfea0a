"""When a message is tried again, and when it is given up. Pure.

The wait grows from half a second, so that a receiver that was restarted is told within seconds, to five minutes, so
that one that is down for a night is asked some 140 times for each key, and not 57,600. Jitter takes at most half of a
wait, so that it never hammers.
"""

from __future__ import annotations

import datetime as dt
import email.utils
from typing import Protocol

FIRST_SECONDS = 0.5
LONGEST_SECONDS = 300.0
LONGEST_ASKED_SECONDS = 3600.0
"""Of what a receiver asks for by Retry-After, so much is granted: one that says a year is tried in an hour."""
REFUSED_ATTEMPTS = 5
"""Of a message that the receiver calls malformed (400, 413, 422): the next ones of its key wait behind it."""
LEAST_ATTEMPTS = 3
"""Of any message, however old: after a long absence of the sender the first failure is not the end of a backlog."""


class Limits(Protocol):
    """When a message is given up (`schemas.webhooks.WebhookSubscription`)."""

    @property
    def max_age_seconds(self) -> float:
        """Age of the event's record."""

    @property
    def max_attempts(self) -> int:
        """Attempts."""


def delay_seconds(failures: int, draw: float, asked_seconds: float | None = None) -> float:
    """Return how long to wait after so many failures (1 or more).

    draw: uniform in [0, 1). asked_seconds: what the receiver asked for.
    """
    full = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(failures - 1, 20))
    return max(full * (0.5 + 0.5 * draw), min(asked_seconds or 0.0, LONGEST_ASKED_SECONDS))


def is_given_up(failures: int, age_seconds: float, limits: Limits, *, refused: bool) -> bool:
    """Return whether a message that failed so often is a dead letter. refused: the receiver says it is malformed."""
    if failures >= limits.max_attempts or (refused and failures >= REFUSED_ATTEMPTS):
        return True
    return failures >= LEAST_ATTEMPTS and age_seconds >= limits.max_age_seconds


def asked_seconds(retry_after: str, now: dt.datetime) -> float | None:
    """Return the seconds that a Retry-After header asks for (RFC 9110, 10.2.3), None where it makes no sense."""
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        until = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = until if until.tzinfo is not None else until.replace(tzinfo=dt.UTC)
    return max(0.0, (aware - now).total_seconds())
