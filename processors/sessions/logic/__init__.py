"""Pure logic of sessions: one contact from its decision to its close.

`step` is the fold, `book` what a session remembers, `effects` what it tells others.
"""

from processors.sessions.logic.step import step

__all__ = ["step"]
