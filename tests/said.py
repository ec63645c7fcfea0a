"""What sessions say of a contact of the simulated centre, for tests in which the words are the test's own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from schemas.agents import ProbeRequest
from schemas.conversations import AnswerRefused, Assignment, Handoff, Moved, Side
from schemas.fields import Channel, Pool
from schemas.supervision import SupervisionRequest, SupervisionResult, VerdictKind
from schemas.triggers import Trigger, Triggered
from tests.centre import SECOND, START, decision


def hit(trigger: Trigger = Trigger.PERSON_ASKED) -> Triggered:
    return Triggered(trigger=trigger, epoch=0, occurred_at=START)


def packet(name: str, epoch: int = 1, **changes: Any) -> Handoff:
    """A warm transfer to the people of `technical`."""
    fields: dict[str, Any] = {
        "handoff_id": f"h-{name}-{epoch}",
        "interaction_id": name,
        "tenant": "demo",
        "epoch": epoch,
        "decision_id": f"d-{name}",
        "trigger": hit(),
        "queue": "technical",
        "channel": Channel.CHAT,
        "language": "en",
        "segment": "standard",
        "intent": "internet_fault",
        "offered_at": START,
        "occurred_at": START,
    }
    return Handoff(**{**fields, **changes})


def moved(name: str, epoch: int, to_pool: Pool = Pool.HUMAN_EXCLUSIVE) -> Moved:
    """A contact is elsewhere now."""
    fields = {"from_pool": Pool.AI_CONTAINED, "trigger": hit(), "queue": "technical", "occurred_at": START}
    return Moved(interaction_id=name, tenant="demo", epoch=epoch, to_pool=to_pool, **fields)


def released(name: str, trigger: Trigger = Trigger.RELEASED, queue: str = "technical") -> Moved:
    """A contact is held no more."""
    people = Pool.HUMAN_EXCLUSIVE
    fields = {"from_pool": people, "to_pool": people, "trigger": hit(trigger), "queue": queue, "occurred_at": START}
    return Moved(interaction_id=name, tenant="demo", epoch=0, **fields)


def probe(number: str | int = 1, seconds: float = 30.0, **changes: Any) -> ProbeRequest:
    """A wish for a call of support-bot, good for so many seconds."""
    fields: dict[str, Any] = {
        "tenant": "demo",
        "provider": "lumen-ai",
        "endpoint": "support-bot",
        "version": "5.0.3",
        "probe_id": f"probe-{number}",
        "breaker_epoch": 7,
        "expires_at": START + round(seconds * SECOND),
        "occurred_at": START,
    }
    return ProbeRequest(**{**fields, **changes})


def request(name: str, epoch: int = 0, turn: int = 1, **changes: Any) -> SupervisionRequest:
    """An answer waits for ann."""
    fields: dict[str, Any] = {"queue": "technical", "intent": "internet_fault", "endpoint": "support-bot"}
    about = {"interaction_id": name, "tenant": "demo", "epoch": epoch, "turn": turn, "supervisor": "ann"}
    return SupervisionRequest(**{**fields, **about, "due_at": START, "occurred_at": START, **changes})


def result(name: str, epoch: int = 0, turn: int = 1, kind: VerdictKind = VerdictKind.APPROVE) -> SupervisionResult:
    """An answer waits no more."""
    about = {"interaction_id": name, "tenant": "demo", "epoch": epoch, "turn": turn}
    return SupervisionResult(**about, verdict=kind, by="ann", occurred_at=START)


def assigned(name: str, race: int = 0) -> Assignment:
    """The agent of a parallel position has won."""
    won = {"winner": Side.AI, "claimant": "support-bot", "released": Side.PEOPLE, "reason": "claimed"}
    return Assignment(interaction_id=name, tenant="demo", round=race, occurred_at=START, **won)


def refused(name: str, epoch: int) -> AnswerRefused:
    """An answer came too late."""
    about = {"interaction_id": name, "tenant": "demo", "endpoint": "support-bot", "epoch": epoch, "turn": 1}
    return AnswerRefused(**about, session_epoch=epoch + 1, occurred_at=START)


WORDS: dict[str, Callable[[str, int], Any]] = {
    "packet": packet,
    "other agent": lambda name, epoch: decision(name, session_epoch=epoch + 1, endpoint="care-bot"),
    "no other agent": lambda name, epoch: decision(name, session_epoch=epoch + 1, endpoint=None),
    "to people": moved,
    "watched": lambda name, epoch: moved(name, epoch, Pool.AI_ASSISTED),
    "not watched": lambda name, epoch: moved(name, epoch, Pool.AI_CONTAINED),
    "request": request,
    "result": result,
    "taken over": lambda name, epoch: result(name, epoch, kind=VerdictKind.TAKE_OVER),
    "rejected": lambda name, epoch: result(name, epoch, kind=VerdictKind.REJECT),
    "assigned": assigned,
    "refused": refused,
    "released": lambda name, _epoch: released(name),
    "hold ended": lambda name, _epoch: released(name, Trigger.HOLD_ENDED, "care"),
    "probe wanted": lambda name, epoch: probe(f"{name}-{epoch}"),
}
"""All that they may say, of an epoch."""
