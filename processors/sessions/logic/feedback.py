"""What QA, the platform and the customer find of a contact: told of the AI agent that had it, each finding once.

Who had the contact is known when it has ended: what comes before waits until then, what comes later is told at once.
"""

from __future__ import annotations

import msgspec

from processors.sessions.logic import health
from processors.sessions.logic.book import Grade
from processors.sessions.logic.case import Case
from schemas.errors import RecordError
from schemas.interactions import Feedback

GRADES_KEPT = 32
"""Findings of one contact that are told apart: far above a review, a survey, and what a platform flags."""


def given(case: Case, event: Feedback) -> None:
    """Take what somebody found. The same again is nothing new; of people's contacts nothing is told.

    Raises RecordError (`feedback_full`) where the contact has too many already.
    """
    grade, over = Grade.of(event), case.progress.closed is not None
    agent = health.agent_that_had(case.session, case.progress)
    if grade in case.story.grades or (over and agent is None):
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
    if over and agent is not None:
        case.out.append(health.graded(case.interaction_id, case.session, agent, grade))


def at_the_end(case: Case) -> None:
    """Tell what was found before the contact ended, now that it is known who had it."""
    if not case.story.grades:
        return
    agent = health.agent_that_had(case.session, case.progress)
    if agent is None:
        case.write_story().grades = []
        return
    case.out += [health.graded(case.interaction_id, case.session, agent, grade) for grade in case.story.grades]
