"""What is wrong with a subscription."""

from __future__ import annotations

from schemas.errors import TrunklineError


class WebhookError(TrunklineError):
    """A subscription cannot be as it was asked for, is not known, or cannot be delivered; the message says which."""
