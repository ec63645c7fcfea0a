"""The one place where what customers and agents say is cleaned, before it is stored, written or logged."""

from runtime.redaction.choice import redaction_key, redactor_of
from runtime.redaction.kinds import Kind, Redacted
from runtime.redaction.redactor import Redactor

__all__ = ["Kind", "Redacted", "Redactor", "redaction_key", "redactor_of"]
