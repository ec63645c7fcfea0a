"""The session manager as a process."""

from __future__ import annotations

from processors.sessions.logic import step
from processors.sessions.logic.cleaning import Cleans, cleaned
from runtime.quix import run_stateful
from runtime.redaction import redactor_of
from runtime.service import Process
from runtime.settings import Settings
from runtime.snapshot import Snapshot
from runtime.state import KeyedState
from schemas.fields import Event
from schemas.topics import INTERACTION_EVENTS, POLICY, Effect

SERVICE = "sessions"


class Sessions:
    """The step of sessions behind the redaction seam."""

    def __init__(self, redactor: Cleans) -> None:
        """Redact by `redactor`."""
        self._redactor = redactor

    def step(self, event: Event, state: KeyedState, snapshot: Snapshot, now: int) -> list[Effect]:
        """Apply an event with its texts redacted (see `processors.sessions.logic.step`)."""
        return step(cleaned(event, self._redactor), state, snapshot, now)


def run(settings: Settings, process: Process) -> None:
    """Follow contacts from their decision to their end."""
    run_stateful(settings, SERVICE, INTERACTION_EVENTS, Sessions(redactor_of(settings)).step, (POLICY,), process)
