"""What QA, the platform and the customer find of a contact, told once each: to WFM, and of the AI agent that had it.

How the contact was handled, and by whom, is known when it has ended: what comes before waits until then, what comes
later is told at once.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from processors.sessions.logic import effects, health
from processors.sessions.logic.book import Grade
from processors.sessions.logic.case import Case
from schemas.errors import RecordError
from schemas.interactions import Feedback

GRADES_KEPT = 32
"""Findings of one contact that are told apart: far above a review, a survey, and what a platform flags."""


def given(case: Case, event: Feedback) -> None:
    """Take what somebody found. The same again is nothing new.

    Raises RecordError (`feedback_full`) where the contact has too many already.
    """
    grade = Grade.of(event)
    if grade in case.story.grades:
        return
    if len(case.story.grades) >= GRADES_KEPT:
        raise RecordError(
            "feedback_full",
            f"feedback by {event.by} on contact {event.interaction_id}: {GRADES_KEPT} others are known already, the "
            "most that are kept; report one for each review or survey",
        )
    story = case.write_story()
    story.grades = sorted([*story.grades, grade], key=msgspec.json.encode)
    case.changed = True
    _tell(case, [grade])


def at_the_end(case: Case) -> None:
    """Tell what was found before the contact ended, now that it is known how."""
    _tell(case, case.story.grades)


def _tell(case: Case, grades: Iterable[Grade]) -> None:
    handling = case.progress.closed
    if handling is None:
        return
    agent = health.agent_that_had(case.session, case.progress)
    for grade in grades:
        case.out.append(effects.finding(case.interaction_id, case.session, handling, grade))
        if agent is not None:
            case.out.append(health.graded(case.interaction_id, case.session, agent, grade))
