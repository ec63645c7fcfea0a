"""What can go wrong with a model or its corpus. Classifying a text never fails."""

from __future__ import annotations

from schemas.errors import TrunklineError


class ModelError(TrunklineError):
    """A model file is damaged or foreign, or a corpus cannot train a model."""
