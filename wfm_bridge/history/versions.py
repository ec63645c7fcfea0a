"""What versions of an AI agent have done with their contacts, as `interactions.closed` tells it. Pure."""

from __future__ import annotations

from collections import defaultdict
from typing import NamedTuple

from schemas.fields import CONTAINED, Handling, Pool
from schemas.interactions import Closed
from wfm_bridge.history.kept import Span

LEAST_CONTACTS = 30
"""Of an intent, for its own figures: containment is then right to 18 points at most (1.96 / 2 / sqrt(30)). With fewer
the version's over all intents."""
_AI = (Pool.AI_CONTAINED, Pool.AI_ASSISTED)
_COUNTED = CONTAINED | {Handling.AI_ESCALATED, Handling.ABANDONED}


class Done(NamedTuple):
    """Contacts that AI had and that are over, those of them that it contained, and the seconds of those timed."""

    contacts: int = 0
    contained: int = 0
    timed: int = 0
    seconds: float = 0.0

    @property
    def containment(self) -> float:
        """Share contained; 0 of none."""
        return self.contained / self.contacts if self.contacts else 0.0

    @property
    def mean_seconds(self) -> float | None:
        """How long AI had one, null where none was timed."""
        return self.seconds / self.timed if self.timed else None

    def plus(self, other: Done) -> Done:
        """Return both together."""
        return Done(
            self.contacts + other.contacts,
            self.contained + other.contained,
            self.timed + other.timed,
            self.seconds + other.seconds,
        )


class Versions:
    """Contacts of a tenant's agent: of every version for as long as the topic reaches back, and of a span by cell."""

    def __init__(self, tenant: str, endpoint: str, span: Span) -> None:
        self._tenant = tenant
        self._endpoint = endpoint
        self._span = span
        self._ever: dict[tuple[str, str], Done] = defaultdict(Done)
        self._in_span: dict[tuple[str, str, bool, str], Done] = defaultdict(Done)

    def take(self, closed: Closed) -> None:
        """Count a contact, counted in containment, of the tenant."""
        if closed.tenant != self._tenant or closed.pool not in _AI or closed.handling not in _COUNTED:
            return
        is_own = closed.endpoint == self._endpoint
        version = closed.endpoint_version or ""
        timed = closed.ai_seconds > 0
        one = Done(1, int(closed.handling in CONTAINED), int(timed), closed.ai_seconds)
        if is_own:
            ever = version, closed.intent
            self._ever[ever] = self._ever[ever].plus(one)
        if self._span.start <= closed.offered_at < self._span.end:
            place = closed.queue, closed.intent, is_own, version
            self._in_span[place] = self._in_span[place].plus(one)

    def names(self) -> list[str]:
        """Return the versions that had contacts."""
        return sorted({version for version, _ in self._ever})

    def ever(self, version: str, intent: str | None = None) -> Done:
        """Return what a version has done, of an intent or of all."""
        found = Done()
        for (name, of), done in self._ever.items():
            if name == version and intent in (None, of):
                found = found.plus(done)
        return found

    def expected(self, version: str, intent: str) -> Done:
        """Return what a version has done with an intent, or with all where that were too few contacts to go by."""
        own = self.ever(version, intent)
        return own if own.contacts >= LEAST_CONTACTS else self.ever(version)

    def others_in_span(self, version: str) -> int:
        """Return the contacts of the span that other versions of the agent had."""
        places = self._in_span.items()
        return sum(done.contacts for (_, _, is_own, name), done in places if is_own and name != version)

    def others(self, queue: str, intent: str, version: str) -> tuple[float, Done]:
        """Return the share of AI's contacts of a cell and the span that other versions of the agent had, and these."""
        every, others = Done(), Done()
        for (its_queue, its_intent, is_own, its_version), done in self._in_span.items():
            if (its_queue, its_intent) == (queue, intent):
                every = every.plus(done)
                others = others.plus(done) if is_own and its_version != version else others
        return (others.contacts / every.contacts if every.contacts else 0.0), others
