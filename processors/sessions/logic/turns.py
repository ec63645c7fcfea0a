"""Turns of AI agents: reported in any order, applied by number, refused where their agent has lost the contact.

reported -> outcome for the health monitor, mostly at once (`outcomes`)
         -> of the present epoch: applied when those before it are, or when the wait for them is over
         -> of an epoch before: refused
"""

from __future__ import annotations

import msgspec

from processors.sessions.logic import outcomes, oversight, race, transfer
from processors.sessions.logic.book import REMARK_KEPT, Kept, Stage, Wait
from processors.sessions.logic.case import Case, cut
from processors.sessions.logic.outcomes import TURNS_WAIT_MICROS
from processors.sessions.logic.triggers import TONE_TURNS, met
from schemas.conversations import AnswerRefused
from schemas.errors import RecordError
from schemas.fields import TurnResult
from schemas.interactions import Fact, Turn
from schemas.topics import ASSIGNMENTS, Effect
from schemas.triggers import Trigger

HELD_LIMIT = 64
"""Turns held per contact."""
HELD_BYTES = 600_000
"""Bytes held per contact, as JSON: an entry stays below what a broker takes."""
FINDINGS_KEPT = 64
"""Facts of a turn, and things tried in it, that are kept."""
TURN_LIMIT = 1_000
"""Highest turn number: a turn every 90 s over the 24 h of a session would give 960."""


def check_number(turn: Turn) -> None:
    """Raise RecordError (`turn_number`) where a turn's number is absurd."""
    if turn.number > TURN_LIMIT:
        raise RecordError(
            "turn_number",
            f"turn {turn.number} of contact {turn.interaction_id}: count turns from 1 to {TURN_LIMIT} in each contact",
        )


def reported(case: Case, turn: Turn) -> None:
    """Take a turn."""
    _check_agent(case, turn)
    progress = case.progress
    if progress.has_turn(turn.epoch, turn.number):
        return
    if turn.epoch == progress.epoch and progress.closed is None and turn.number > progress.applied + 1:
        _check_room(case, turn)
    progress.note_turn(turn.epoch, turn.number, turn.cost)
    case.changed = True
    outcomes.reported(case, turn)
    if turn.epoch < progress.epoch:
        _refuse(case, turn)
    elif progress.closed is not None or turn.number <= progress.applied:
        _late(case, turn)
    elif turn.number == progress.applied + 1:
        outcomes.spoken(case, turn)
        _apply(case, turn)
        drain(case)
    else:
        case.hold(sorted([*case.held, turn], key=_number))
        if Wait.TURNS not in progress.waits:
            case.wait(Wait.TURNS, case.now + TURNS_WAIT_MICROS)


def apply_all(case: Case) -> None:
    """Apply all that is held, whatever is missing before it."""
    while case.held:
        first, *others = case.held
        case.hold(others)
        _apply_or_refuse(case, first)


def finish(case: Case) -> None:
    """Apply all that is held when a contact ends; what turns that are missing may change is told when they come."""
    progress = case.progress
    epoch, applied = progress.epoch, progress.applied
    while case.held:
        first, *others = case.held
        case.hold(others)
        if first.epoch < progress.epoch:
            _refuse(case, first)
        else:
            outcomes.put_off(case, first)
            _apply(case, first)
    if progress.epoch > epoch:
        outcomes.give_up(case)
        applied = progress.answer = 0
    progress.applied = applied


def drain(case: Case) -> None:
    """Apply what is held, as far as nothing is missing before it; refuse what is of an epoch that is over."""
    while case.held:
        first, *others = case.held
        if first.epoch == case.progress.epoch and first.number != case.progress.applied + 1:
            return
        case.hold(others)
        _apply_or_refuse(case, first)
    if case.progress.completed is None and not case.progress.untold:
        case.wait_no_more(Wait.TURNS)


def _apply_or_refuse(case: Case, turn: Turn) -> None:
    if turn.epoch < case.progress.epoch:
        _refuse(case, turn)
    else:
        outcomes.spoken(case, turn)
        _apply(case, turn)


def _check_agent(case: Case, turn: Turn) -> None:
    """Raise RecordError where a turn is not the session's: `turn_number`, `epoch_ahead`, `wrong_endpoint`."""
    check_number(turn)
    if turn.epoch > case.progress.epoch:
        raise RecordError(
            "epoch_ahead",
            f"turn {turn.number} of contact {turn.interaction_id} is of epoch {turn.epoch}, the session of "
            f"{case.progress.epoch}: put the `session_epoch` of your decision on it",
        )
    agent = case.session.agents[turn.epoch]
    if agent is None or turn.endpoint != agent.endpoint:
        whom = agent.endpoint if agent else "people"
        raise RecordError(
            "wrong_endpoint",
            f"turn {turn.number} of contact {turn.interaction_id} came from endpoint {turn.endpoint}, but decision "
            f"{case.session.decision_now} sent the contact to {whom}: report turns of that one only",
        )


def _check_room(case: Case, turn: Turn) -> None:
    """Raise RecordError (`held_full`) where a turn cannot be held."""
    held = [*case.held, turn]
    if len(held) > HELD_LIMIT or len(msgspec.json.encode(held)) > HELD_BYTES:
        raise RecordError(
            "held_full",
            f"turn {turn.number} of contact {turn.interaction_id}: {len(case.held)} turns wait for earlier ones "
            f"already, of {HELD_LIMIT} with {HELD_BYTES} bytes at most; report turns without gaps",
        )


def _apply(case: Case, turn: Turn) -> None:
    """Apply a turn in its order: remember it, and see whether it calls for a person, another agent or a verdict."""
    progress = case.progress
    progress.applied, progress.had = turn.number, turn.epoch
    if progress.stage is Stage.RACING or Wait.CLAIM in progress.waits:
        race.spoken(case, turn)
    _feel(case, turn)
    if turn.channel is not None:
        case.switch(turn.channel, turn.occurred_at)
    kept = _kept(turn, case)
    escalate = case.session.escalate
    hits = met(escalate, turn, case.session, progress, case.policy) if escalate is not None else []
    moves = turn.intent is not None and turn.intent != case.session.intent_now
    if not hits and not moves:
        kept = oversight.review(case, turn, kept)
    case.keep_turn(turn.epoch, turn.number, kept)
    if hits:
        transfer.to_people(case, hits)
    elif moves and turn.intent is not None:
        told = f"{case.session.intent_now} -> {turn.intent}"
        hit = transfer.triggered(case, Trigger.OTHER_INTENT, told, turn.occurred_at, turn.number)
        transfer.to_other_agent(case, hit, turn.intent, turn.intent_confidence)
    else:
        oversight.ask(case, turn.number)


def _feel(case: Case, turn: Turn) -> None:
    progress = case.progress
    if turn.result is not TurnResult.CALLER_FAULT:
        progress.failures = 0 if turn.result is TurnResult.OK else progress.failures + 1
    if turn.sentiment is not None:
        progress.tone = [*progress.tone, turn.sentiment][-TONE_TURNS:]


def _late(case: Case, turn: Turn) -> None:
    """Remember a turn that changes nothing any more: its contact is closed, or went on without it."""
    if case.progress.closed is None:
        outcomes.beside(case, turn)
    else:
        outcomes.after_the_end(case, turn)
    case.keep_turn(turn.epoch, turn.number, _kept(turn, case))
    case.view(turn.occurred_at)


def _refuse(case: Case, turn: Turn) -> None:
    """Refuse the answer of an agent that has lost the contact."""
    outcomes.beside(case, turn)
    answered = turn.result is TurnResult.OK
    kept = msgspec.structs.replace(_kept(turn, case), refused=answered, fenced=True)
    case.keep_turn(turn.epoch, turn.number, kept)
    case.changed = True
    if not answered:
        return
    case.progress.refused += 1
    case.view(turn.occurred_at)
    refused = AnswerRefused(
        interaction_id=case.interaction_id,
        tenant=case.session.tenant,
        endpoint=turn.endpoint,
        epoch=turn.epoch,
        turn=turn.number,
        session_epoch=turn.epoch + 1,
        occurred_at=turn.occurred_at,
    )
    case.out.append(Effect(ASSIGNMENTS, refused))


def _kept(turn: Turn, case: Case) -> Kept:
    return Kept(
        endpoint=turn.endpoint,
        channel=turn.channel or case.session.channel,
        result=turn.result,
        occurred_at=turn.occurred_at,
        customer_text=None if turn.customer_text is None else cut(turn.customer_text),
        agent_text=None if turn.agent_text is None else cut(turn.agent_text),
        sentiment=turn.sentiment,
        assessment=None if turn.assessment is None else cut(turn.assessment),
        tried=tuple(cut(each, REMARK_KEPT) for each in turn.tried[:FINDINGS_KEPT]),
        facts=tuple(Fact(name=each.name, value=cut(each.value, REMARK_KEPT)) for each in turn.facts[:FINDINGS_KEPT]),
    )


def _number(turn: Turn) -> int:
    return turn.number
