"""Supervision: who watches a contact, answers that wait for a verdict, and what supervisors change."""

from __future__ import annotations

import msgspec

from processors.sessions.logic import effects, transfer
from processors.sessions.logic.book import REMARK_KEPT, Kept, Wait
from processors.sessions.logic.case import Case, cut
from processors.sessions.logic.triggers import met
from schemas.errors import RecordError
from schemas.fields import MICROS_PER_SECOND, Supervision, TurnResult
from schemas.interactions import Turn
from schemas.supervision import Override, SupervisionRequest, SupervisionResult, SupervisorGiven, Verdict, VerdictKind
from schemas.topics import SUPERVISION_REQUESTS, Effect
from schemas.triggers import Trigger, Triggered

_WATCHED = (Supervision.FULL, Supervision.SEMI)
OVERRIDES_KEPT = 64
"""Overrides of one contact that stay on its record."""


def begin(case: Case, at: int) -> None:
    """Ask for a supervisor, where AI is watched and Trunkline assigns them."""
    limit = case.supervision.sessions_per_supervisor
    if limit is None or case.session.supervision not in _WATCHED or case.story.wanted:
        return
    case.write_story().wanted = True
    case.out.append(effects.supervision_wanted(case.interaction_id, case.session, limit, at))


def given(case: Case, event: SupervisorGiven) -> None:
    """Take note of who watches; without anybody people take the contact."""
    story = case.story
    if event.sequence <= story.sequence:
        return
    story = case.write_story()
    story.sequence = event.sequence
    case.changed = True
    if not story.wanted:
        return
    story.supervisor = event.supervisor
    case.view(event.occurred_at)
    if event.supervisor is None:
        if case.progress.closed is None:
            hit = transfer.triggered(case, Trigger.NO_SUPERVISOR, "nobody is free", event.occurred_at)
            transfer.to_people(case, [hit])
        return
    for number in story.waiting:
        _request(case, number)


def review(case: Case, turn: Turn, kept: Kept) -> Kept:
    """Return a turn that was applied; where its answer must wait for a verdict, it does from now on."""
    session = case.session
    if session.supervision not in _WATCHED or turn.result is not TurnResult.OK or case.progress.closed is not None:
        return kept
    why: tuple[Triggered, ...] = ()
    if session.supervision is Supervision.SEMI:
        if session.approve is None:
            return kept
        why = tuple(met(session.approve, turn, session, case.progress, case.policy))
        if not why:
            return kept
    case.write_story().waiting.append(turn.number)
    if Wait.VERDICT not in case.progress.waits:
        case.wait(Wait.VERDICT, case.now + _micros(case.supervision.verdict_seconds))
    return msgspec.structs.replace(kept, why=why)


def ask(case: Case, number: int) -> None:
    """Ask for the verdict on an answer that waits, once it is known of whom."""
    if Wait.VERDICT not in case.progress.waits:
        return
    story = case.story
    if number in story.waiting and (story.supervisor is not None or not story.wanted):
        _request(case, number)


def _request(case: Case, number: int) -> None:
    kept, session = case.kept_turn(case.progress.epoch, number), case.session
    if kept is None:
        return
    request = SupervisionRequest(
        interaction_id=case.interaction_id,
        tenant=session.tenant,
        epoch=case.progress.epoch,
        turn=number,
        supervisor=case.story.supervisor,
        queue=session.queue_now,
        intent=session.intent_now,
        endpoint=kept.endpoint,
        why=kept.why,
        customer_text=kept.customer_text,
        agent_text=kept.agent_text,
        due_at=kept.occurred_at + _micros(case.supervision.verdict_seconds),
        occurred_at=kept.occurred_at,
    )
    case.out.append(Effect(SUPERVISION_REQUESTS, request))


def judged(case: Case, event: Verdict) -> None:
    """Do what a supervisor says of an answer. The first word on it stands."""
    epoch, number = event.epoch, event.turn
    kept = case.kept_turn(epoch, number) if epoch <= case.progress.epoch else None
    if kept is None:
        raise RecordError(
            "no_such_answer",
            f"verdict on turn {number} of epoch {epoch} of contact {event.interaction_id}: there is no such turn; give "
            "epoch and turn as the request in supervision.requests has them",
        )
    if kept.verdict is not None:
        return
    case.keep_turn(epoch, number, msgspec.structs.replace(kept, verdict=event.verdict), revision=2)
    case.changed = True
    case.out.append(Effect(SUPERVISION_REQUESTS, _result(event)))
    _answered(case, epoch, number)
    if event.verdict is not VerdictKind.APPROVE:
        _overridden(case, event)


def _result(event: Verdict) -> SupervisionResult:
    return SupervisionResult(
        interaction_id=event.interaction_id,
        tenant=event.tenant,
        epoch=event.epoch,
        turn=event.turn,
        verdict=event.verdict,
        by=event.by,
        text=event.text,
        occurred_at=event.occurred_at,
    )


def _answered(case: Case, epoch: int, number: int) -> None:
    """An answer waits no more."""
    if epoch != case.progress.epoch or number not in case.story.waiting:
        return
    story = case.write_story()
    story.waiting.remove(number)
    until = case.progress.waits.get(Wait.VERDICT)
    oldest = case.kept_turn(epoch, story.waiting[0]) if story.waiting else None
    if oldest is None:
        case.wait_no_more(Wait.VERDICT)
    elif until is not None:
        case.wait(Wait.VERDICT, max(until, oldest.occurred_at + _micros(case.supervision.verdict_seconds)))


def _overridden(case: Case, event: Verdict) -> None:
    override = Override(
        epoch=event.epoch,
        turn=event.turn,
        verdict=event.verdict,
        by=event.by,
        why=cut(event.why, REMARK_KEPT),
        occurred_at=event.occurred_at,
        text=None if event.text is None else cut(event.text, REMARK_KEPT),
    )
    overrides = case.write_story().overrides
    overrides.append(override)
    overrides.sort(key=lambda each: (each.epoch, each.turn))
    del overrides[OVERRIDES_KEPT:]
    case.view(event.occurred_at)
    if event.verdict is VerdictKind.TAKE_OVER and event.epoch == case.progress.epoch and case.with_ai:
        told = f"{event.by}: {event.why}" if event.why else event.by
        transfer.to_people(case, [transfer.triggered(case, Trigger.TAKEN_OVER, told, event.occurred_at, event.turn)])


def waited(case: Case, at: int) -> None:
    """The customer has waited long enough for a verdict: people take the contact."""
    if case.with_ai:
        seconds = case.supervision.verdict_seconds
        hit = transfer.triggered(case, Trigger.NO_VERDICT, f"none within {seconds:g} s", at)
        transfer.to_people(case, [hit])


def _micros(seconds: float) -> int:
    return round(seconds * MICROS_PER_SECOND)
