"""Logs without customers' values: whatever is logged, messages of exceptions and their tracebacks included."""

from __future__ import annotations

import logging

from runtime.redaction.redactor import Redactor


class RedactingFormatter(logging.Formatter):
    """A formatter whose whole output has passed `Redactor.log_line`."""

    def __init__(self, redactor: Redactor, fmt: str | None = None, datefmt: str | None = None) -> None:
        super().__init__(fmt, datefmt)
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """Return the record as text, its traceback and stack included, without values."""
        return self._redactor.log_line(super().format(record))
