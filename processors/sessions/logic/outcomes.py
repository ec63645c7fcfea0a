"""Outcomes of AI turns, told as soon as nothing can change them, so that any order of the same turns gives the same.

An answer that is the one before it over again is looping, as is a turn of which the platform says so. A failure, a turn
without words and one without progress need nothing to compare with: their outcomes are told when they are reported. Any
other answer's is told in its order: it waits for turns before it that are not there yet, for `TURNS_WAIT_MICROS` at
most. What was refused was never said, and is compared with nothing.
"""

from __future__ import annotations

import zlib

import msgspec

from processors.sessions.logic import health
from processors.sessions.logic.book import Untold, Wait
from processors.sessions.logic.case import Case, cut
from schemas.agents import Outcome
from schemas.fields import TurnResult
from schemas.interactions import Turn
from schemas.topics import AGENT_EVENTS, Effect

TURNS_WAIT_MICROS = 30 * 1_000_000
"""Longest wait of a completion, or of a turn, for turns that come before it: 30 s, above a platform's usual retries."""
_SPACES = bytes(code for code in range(128) if chr(code).isspace())
UNTOLD_LIMIT = 64
"""Turns of a contact that has ended which wait for others; a platform that counts wrongly reports a few."""


def reported(case: Case, turn: Turn) -> None:
    """Tell the outcome of a turn, unless it is to be compared with what was said before."""
    if not _compares(turn):
        _tell(case, _outcome(case, turn, looping=turn.no_progress))


def spoken(case: Case, turn: Turn) -> None:
    """Tell the outcome of an answer in its order, and know it for the next."""
    if turn.result is not TurnResult.OK:
        return
    answer = _words(turn)
    if _compares(turn):
        _tell(case, _outcome(case, turn, looping=answer != 0 and answer == case.progress.answer))
    case.progress.answer = answer


def beside(case: Case, turn: Turn) -> None:
    """Tell the outcome of an answer that has no place in the conversation: refused, or no longer waited for."""
    if _compares(turn):
        _tell(case, _outcome(case, turn, looping=False))


def after_the_end(case: Case, turn: Turn) -> None:
    """Tell the outcome of an answer that is reported when the contact has ended: in its order, too."""
    progress = case.progress
    if turn.number <= progress.applied:
        beside(case, turn)
    elif turn.number == progress.applied + 1:
        progress.applied = turn.number
        spoken(case, turn)
        _follow(case)
    else:
        put_off(case, turn)


def put_off(case: Case, turn: Turn) -> None:
    """Wait with the outcome of an answer for the turns before it, the contact having ended."""
    if len(case.untold) >= UNTOLD_LIMIT:
        beside(case, turn)
        return
    outcome = _outcome(case, turn, looping=False) if _compares(turn) else None
    each = Untold(number=turn.number, answer=_words(turn) if turn.result is TurnResult.OK else None, outcome=outcome)
    case.put_off(sorted([*case.untold, each], key=lambda untold: untold.number))
    if Wait.TURNS not in case.progress.waits:
        case.wait(Wait.TURNS, case.now + TURNS_WAIT_MICROS)


def give_up(case: Case) -> None:
    """Tell all that was put off, whatever is missing before it."""
    for each in case.untold:
        _told(case, each)
    case.put_off([])


def _follow(case: Case) -> None:
    """Tell what was put off, as far as nothing is missing before it."""
    untold = case.untold
    while untold and untold[0].number == case.progress.applied + 1:
        _told(case, untold[0])
        untold = untold[1:]
    if len(untold) < len(case.untold):
        case.put_off(untold)
    if not untold:
        case.wait_no_more(Wait.TURNS)


def _told(case: Case, each: Untold) -> None:
    progress = case.progress
    progress.applied = each.number
    if each.outcome is not None:
        _tell(case, msgspec.structs.replace(each.outcome, looping=each.answer != 0 and each.answer == progress.answer))
    if each.answer is not None:
        progress.answer = each.answer


def _compares(turn: Turn) -> bool:
    """Tell whether the outcome of a turn depends on the one before it."""
    return turn.result is TurnResult.OK and not turn.no_progress and bool(turn.agent_text)


def _words(turn: Turn) -> int:
    """Return what stands for the words of an answer, whatever their case and spaces; 0 where there are none.

    A checksum of 32 bits: two answers in a row that differ are taken for one once in 4 10^9 times. Each turn pays for
    it, so plain text, which most is, loses its spaces as bytes: 0.8 us for 85 characters, where splitting takes 1.4 us.
    """
    words = cut(turn.agent_text or "").casefold()
    if words.isascii():
        return zlib.crc32(words.encode().translate(None, _SPACES))
    return zlib.crc32("".join(words.split()).encode())


def _outcome(case: Case, turn: Turn, *, looping: bool) -> Outcome:
    agent = case.session.agents[turn.epoch]
    assert agent is not None  # noqa: S101 - it was checked when the turn was reported
    return health.outcome(turn, case.session, agent, looping=looping)


def _tell(case: Case, outcome: Outcome) -> None:
    case.out.append(Effect(AGENT_EVENTS, outcome))
