"""An independent witness of a run: reads committed records from the topics, and believes nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from runtime.clock import real_now
from runtime.kafka import Reader, Record
from runtime.settings import Settings
from schemas.agents import Transition
from schemas.codec import Codec
from schemas.conversations import Alert, AlertKind, Handoff
from schemas.fields import BreakerState, Disposition, Event
from schemas.interactions import Closed, Decision, Offered
from schemas.topics import ALERTS, CLOSED, HANDOFFS, OFFERED, ROUTED, STAFFING, TOPICS, TRANSITIONS, VOLUME
from schemas.wfm import StaffingRequirement, VolumeRow

WATCHED = (OFFERED, ROUTED, HANDOFFS, ALERTS, CLOSED, TRANSITIONS, STAFFING, VOLUME)


class Witness:
    """What the topics say, as it becomes visible. Times are UTC microseconds."""

    def __init__(self, settings: Settings) -> None:
        dead = [topic.dead_letter_name for topic in TOPICS if topic.dead_letters]
        self._reader = Reader(settings, [*(topic.name for topic in WATCHED), *dead], start="beginning")
        self._codec = Codec()
        self.offered: dict[str, int] = {}
        self.decisions: dict[str, list[Decision]] = {}
        self.repeats = 0
        self.transfers: dict[str, str] = {}
        """Warm transfers by their id: what triggered each."""
        self.unacknowledged = 0
        self.closed: Counter[str] = Counter()
        self.pools: Counter[str] = Counter()
        self.rows: dict[bytes, VolumeRow] = {}
        self.transitions: list[Transition] = []
        self.staffing: list[tuple[int, StaffingRequirement]] = []
        self.dead_letters: Counter[str] = Counter()
        self.latencies_ms: list[float] = []
        self.latest_decision_at = 0

    def look(self, timeout_seconds: float) -> None:
        """Take what has become visible, waiting up to the timeout for the first record."""
        records = self._reader.read(2000, timeout_seconds)
        seen_at = real_now()
        for record in records:
            if record.topic.endswith(".dlq"):
                self.dead_letters[dict(record.headers).get("dlq_reason", b"?").decode()] += 1
            elif record.value is not None:
                self._note(record, self._codec.decode(record.value), seen_at)

    def close(self) -> None:
        """Close the connection."""
        self._reader.close()

    def _note(self, record: Record, event: Event, seen_at: int) -> None:
        match event:
            case Offered():
                self.offered.setdefault(event.interaction_id, event.occurred_at)
            case Decision():
                self._note_decision(event, seen_at)
            case Handoff():
                self.transfers[event.handoff_id] = event.trigger.trigger
            case Alert(alert=AlertKind.HANDOFF_UNACKNOWLEDGED):
                self.unacknowledged += 1
            case Closed():
                self.closed[event.interaction_id] += 1
            case VolumeRow():
                known = self.rows.get(record.key or b"")
                if known is None or event.revision >= known.revision:
                    self.rows[record.key or b""] = event
            case Transition():
                self.transitions.append(event)
            case StaffingRequirement():
                self.staffing.append((seen_at, event))

    def _note_decision(self, decision: Decision, seen_at: int) -> None:
        if decision.disposition is Disposition.REPEAT:
            self.repeats += 1
            return
        if decision.session_epoch:
            return  # of a contact that is under way: volumes know its first decision alone
        self.decisions.setdefault(decision.interaction_id, []).append(decision)
        self.latest_decision_at = max(self.latest_decision_at, decision.decided_at)
        self.pools[str(decision.pool)] += 1
        self.latencies_ms.append((seen_at - decision.offered_at) / 1000)

    @property
    def decided(self) -> int:
        """Contacts with a decision."""
        return len(self.decisions)

    @property
    def lost(self) -> int:
        """Contacts offered and never decided."""
        return sum(1 for interaction_id in self.offered if interaction_id not in self.decisions)

    @property
    def duplicated(self) -> int:
        """Decisions and closings beyond the first of their contact."""
        decisions = sum(len(made) - 1 for made in self.decisions.values())
        return decisions + sum(count - 1 for count in self.closed.values())

    @property
    def volume_total(self) -> int:
        """Sum of `offered` over the last revision of each row."""
        return sum(row.offered for row in self.rows.values())

    @property
    def volume_open(self) -> int:
        """Sum of `in_progress` over the last revision of each row."""
        return sum(row.in_progress for row in self.rows.values())

    def breaker_states(self) -> dict[str, BreakerState]:
        """Return endpoint -> latest state, for those that ever moved."""
        return {transition.endpoint: transition.to_state for transition in self.transitions}

    def path_of(self, endpoint: str) -> list[str]:
        """Return the states that an endpoint's breaker went through, in order."""
        steps = [transition for transition in self.transitions if transition.endpoint == endpoint]
        return [str(step.from_state) for step in steps[:1]] + [str(step.to_state) for step in steps]

    def standing(self) -> dict[str, StaffingRequirement]:
        """Return queue -> the standing recommendation."""
        out: dict[str, StaffingRequirement] = {}
        for _, requirement in self.staffing:
            known = out.get(requirement.queue)
            if known is None or requirement.revision >= known.revision:
                out[requirement.queue] = requirement
        return out


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least this share of the values does not exceed."""
    if not values:
        return None
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
