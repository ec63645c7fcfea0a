"""The whole story of one contact, from the topics: decisions, turns, transfers, holds, feedback, versions, in order.

Read from the one partition of each topic on which the contact lies. What people said is in the inbox as it was said:
it is redacted here before anyone sees it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import msgspec

from processors.sessions.logic.cleaning import Cleans, cleaned
from runtime.kafka import Reader, partitions_of
from runtime.partitioner import partition_of
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.conversations import (
    AgentLost,
    AnswerRefused,
    Assignment,
    ChannelSwitched,
    Claim,
    Handoff,
    HandoffAck,
    Moved,
    MoveRequest,
)
from schemas.envelope import iso_time
from schemas.errors import RecordError
from schemas.fields import Event
from schemas.interactions import Closed, Completed, Decision, Feedback, Released, Turn
from schemas.supervision import SupervisionRequest, SupervisionResult, SupervisorGiven, Verdict
from schemas.topics import ASSIGNMENTS, CLOSED, HANDOFFS, INTERACTION_EVENTS, ROUTED, SUPERVISION_REQUESTS
from schemas.triggers import Triggered

TOPICS = (ROUTED, INTERACTION_EVENTS, ASSIGNMENTS, HANDOFFS, SUPERVISION_REQUESTS, CLOSED)
_READ_RECORDS = 5_000


class Chapter(NamedTuple):
    """One thing that happened. `said`: lines that belong to it, such as what was said."""

    at: int
    what: str
    detail: str
    said: tuple[str, ...]
    event: Event

    def as_json(self) -> dict[str, Any]:
        """Return it as JSON data, with the event that it is from."""
        return {
            "at": iso_time(self.at),
            "what": self.what,
            "detail": self.detail,
            "type": type(self.event).__name__,
            "event": msgspec.to_builtins(self.event),
        }


def read_story(settings: Settings, interaction_id: str, redactor: Cleans, codec: Codec) -> list[Chapter]:
    """Return what the topics hold of a contact; nothing where they do not know it.

    Raises KafkaUnavailableError.
    """
    key = interaction_id.encode()
    partition = partition_of(key, len(partitions_of(settings, [INTERACTION_EVENTS.name])))
    reader = Reader(settings, [topic.name for topic in TOPICS], start="beginning", partition=partition)
    found: dict[bytes, Event] = {}
    try:
        while not reader.at_end():
            for record in reader.read(_READ_RECORDS, 0.2):
                if record.key == key and record.value:
                    _take(record.value, record.topic, codec, found)
    finally:
        reader.close()
    return told(cleaned(event, redactor) for event in found.values())


def _take(value: bytes, topic: str, codec: Codec, found: dict[bytes, Event]) -> None:
    """Keep an event, once however often it was written."""
    try:
        event = codec.decode(value)
    except RecordError:
        return  # it is a dead letter, and tells nothing of the contact
    if isinstance(event, Decision) and topic == INTERACTION_EVENTS.name:
        return  # the same is on interactions.routed
    if type(event) in _TELLERS:
        found[value] = event


def told(events: Iterable[Event]) -> list[Chapter]:
    """Return the chapters of a contact's events, in the order in which they happened."""
    chapters = [_TELLERS[type(event)](event) for event in events]
    ranks = {kind: rank for rank, kind in enumerate(_TELLERS)}
    return sorted(chapters, key=lambda chapter: (chapter.at, ranks[type(chapter.event)]))


def lines(chapters: Iterable[Chapter]) -> Iterator[str]:
    """Yield a story as lines of text, for a terminal."""
    for chapter in chapters:
        yield f"{iso_time(chapter.at):<27} {chapter.what:<12} {chapter.detail}".rstrip()
        yield from (f"{'':<27} {'':<12} {line}" for line in chapter.said)


def _decision(event: Decision) -> Chapter:
    whom = f"{event.endpoint} {event.endpoint_version}, " if event.endpoint else ""
    where = f"{event.pool or event.disposition}: {whom}queue {event.queue}"
    about = f"intent {event.intent} at {event.confidence:.3f} by {event.model or 'the offer'}"
    epochs = ", ".join(f"{name} {epoch}" for name, epoch in event.epochs.items() if epoch >= 0)
    said = [f"because {', '.join(_reason(each.code, each.detail) for each in event.reasons)}"] if event.reasons else []
    said += [f"supervision {event.supervision}"] if event.supervision else []
    said += [f"held until {iso_time(event.hold_until)} at most, priority {event.priority}"] if event.hold_until else []
    said += [f"notice {event.notice}"] if event.notice else []
    said += [f"by {epochs}; decision {event.decision_id}"]
    what = "decided" if not event.session_epoch else f"decided/{event.session_epoch}"
    return Chapter(event.decided_at, what, f"{where}; {about}", tuple(said), event)


def _reason(code: str, detail: str) -> str:
    return f"{code} ({detail})" if detail else code


def _turn(event: Turn) -> Chapter:
    marks = [f"{event.latency_ms:.0f} ms", f"version {event.version}"]
    marks += [f"sentiment {event.sentiment:g}"] if event.sentiment is not None else []
    marks += [f"amount {event.amount:g}"] if event.amount is not None else []
    marks += [f"now about {event.intent}"] if event.intent else []
    marks += ["no progress"] if event.no_progress else []
    said = [f"customer: {event.customer_text}"] if event.customer_text else []
    said += [f"agent:    {event.agent_text}"] if event.agent_text else []
    said += [f"assessed: {event.assessment}"] if event.assessment else []
    said += [f"tried:    {', '.join(event.tried)}"] if event.tried else []
    what = f"turn {event.epoch}.{event.number}"
    return Chapter(event.occurred_at, what, f"{event.endpoint}: {event.result}, {', '.join(marks)}", tuple(said), event)


def _completed(event: Completed) -> Chapter:
    return Chapter(event.occurred_at, "completed", f"by {event.finished_by}, {event.ai_turns} AI turns", (), event)


def _switched(event: ChannelSwitched) -> Chapter:
    return Chapter(event.occurred_at, "channel", f"to {event.to}{_by(event.by)}", (), event)


def _claim(event: Claim) -> Chapter:
    return Chapter(event.occurred_at, "claim", f"{event.side}: {event.claimant}, round {event.round}", (), event)


def _ack(event: HandoffAck) -> Chapter:
    return Chapter(event.occurred_at, "acknowledged", f"epoch {event.epoch}{_by(event.by)}", (), event)


def _verdict(event: Verdict) -> Chapter:
    said = (f"instead:  {event.text}",) if event.text else ()
    detail = f"{event.verdict} turn {event.epoch}.{event.turn}{_by(event.by)}{_why(event.why)}"
    return Chapter(event.occurred_at, "verdict", detail, said, event)


def _asked(event: MoveRequest) -> Chapter:
    return Chapter(event.occurred_at, "asked", f"for {event.to}{_by(event.by)}{_why(event.why)}", (), event)


def _lost(event: AgentLost) -> Chapter:
    return Chapter(event.occurred_at, "agent lost", f"{event.agent}, breaker epoch {event.breaker_epoch}", (), event)


def _given(event: SupervisorGiven) -> Chapter:
    return Chapter(event.occurred_at, "supervisor", event.supervisor or "nobody is free", (), event)


def _room(event: Released) -> Chapter:
    return Chapter(event.occurred_at, "hold over", f"room in {event.queue}: {event.reason}", (), event)


def _feedback(event: Feedback) -> Chapter:
    found = [
        yes if value else no
        for value, yes, no in (
            (event.resolved, "resolved", "not resolved"),
            (event.hallucination, "said what is not so", "said nothing that is not so"),
            (event.repeat_contact, "came again for it", "did not come again"),
        )
        if value is not None
    ]
    found += [f"satisfaction {event.csat} of 5"] if event.csat is not None else []
    return Chapter(event.occurred_at, "feedback", f"by {event.by}: {', '.join(found) or 'nothing'}", (), event)


def _assignment(event: Assignment) -> Chapter:
    won = f"{event.winner} ({event.claimant}) has it, {event.released} released" if event.winner else "open again"
    return Chapter(event.occurred_at, "race", f"round {event.round}: {won}, {event.reason}", (), event)


def _moved(event: Moved) -> Chapter:
    ends = [f"{pool}{f' ({agent})' if agent else ''}" for pool, agent in
            ((event.from_pool, event.from_endpoint), (event.to_pool, event.to_endpoint))]  # fmt: skip
    detail = f"{ends[0]} -> {ends[1]}, queue {event.queue}, epoch {event.epoch}: {_trigger(event.trigger)}"
    return Chapter(event.occurred_at, "moved", detail, (), event)


def _handoff(event: Handoff) -> Chapter:
    cut = f" ({event.history_cut} left out)" if event.history_cut else ""
    said = [f"trigger:  {_trigger(each)}" for each in event.triggers]
    said += [f"assessed: {event.assessment}"] if event.assessment else []
    said += [f"tried:    {', '.join(event.tried)}"] if event.tried else []
    said += [f"facts:    {', '.join(f'{fact.name} = {fact.value}' for fact in event.facts)}"] if event.facts else []
    detail = f"{event.handoff_id} to {event.queue}, attempt {event.attempt}, {len(event.history)} turns{cut}"
    return Chapter(event.occurred_at, "transfer", detail, tuple(said), event)


def _trigger(trigger: Triggered) -> str:
    return _reason(trigger.trigger, trigger.detail)


def _refused(event: AnswerRefused) -> Chapter:
    detail = f"turn {event.epoch}.{event.turn} of {event.endpoint}: the contact had left it"
    return Chapter(event.occurred_at, "refused", detail, (), event)


def _request(event: SupervisionRequest) -> Chapter:
    whom = event.supervisor or "any supervisor"
    why = f": {', '.join(_trigger(each) for each in event.why)}" if event.why else ""
    return Chapter(event.occurred_at, "waits", f"turn {event.epoch}.{event.turn} for {whom}{why}", (), event)


def _result(event: SupervisionResult) -> Chapter:
    return Chapter(event.occurred_at, "released", f"turn {event.epoch}.{event.turn}: {event.verdict}", (), event)


def _closed(event: Closed) -> Chapter:
    seconds = f"AI {event.ai_seconds:g} s, wait {event.wait_seconds:g} s, talk {event.talk_seconds:g} s"
    return Chapter(event.closed_at, "closed", f"{event.handling}; {seconds}", (), event)


def _by(who: str) -> str:
    return f" by {who}" if who else ""


def _why(why: str) -> str:
    return f": {why}" if why else ""


_TELLERS: dict[type[Event], Callable[[Any], Chapter]] = {
    Decision: _decision,
    SupervisorGiven: _given,
    Claim: _claim,
    Assignment: _assignment,
    ChannelSwitched: _switched,
    Turn: _turn,
    SupervisionRequest: _request,
    Verdict: _verdict,
    SupervisionResult: _result,
    AgentLost: _lost,
    Released: _room,
    MoveRequest: _asked,
    Moved: _moved,
    Handoff: _handoff,
    HandoffAck: _ack,
    AnswerRefused: _refused,
    Completed: _completed,
    Closed: _closed,
    Feedback: _feedback,
}
"""How each event is told; at one instant, in this order."""
