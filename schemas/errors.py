"""The root of the one error tree; `runtime/errors.py` draws the whole of it."""

from __future__ import annotations


class TrunklineError(Exception):
    """Base of every error that Trunkline raises on purpose.

    The message says what was wrong, with which input, and what to do about it.
    """


class RecordError(TrunklineError):
    """A record cannot be used; its place is the dead-letter topic.

    `reason` is a short stable code, fit for a metric label and a header.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class DecodeError(RecordError):
    """Bytes are not a record of a known schema.

    Reasons: `empty`, `unknown_framing`, `unknown_schema`, `truncated`,
    `invalid_fields`, `unexpected_type`.
    """


class EncodeError(RecordError):
    """An event cannot be written under its own schema (reason `unencodable`)."""


class SchemaError(TrunklineError):
    """A schema file and its event type disagree, or a change would break readers."""
