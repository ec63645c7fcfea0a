"""The parallel position: agent and people both reach for a contact, and the first valid claim in the log has it.

A claim is void where nothing follows it in time. Of an agent's the race is opened again, a few times; of a person's
the contact goes to the queue.
"""

from __future__ import annotations

from processors.sessions.logic import transfer
from processors.sessions.logic.book import Stage, Wait
from processors.sessions.logic.case import Case
from schemas.conversations import Assignment, Claim, Side
from schemas.errors import RecordError
from schemas.fields import MICROS_PER_SECOND
from schemas.interactions import Turn
from schemas.rules import Parallel
from schemas.topics import ASSIGNMENTS, Effect
from schemas.triggers import Trigger

ROUNDS_MOST = 3
"""An agent that claims so often and never speaks is out."""
_DEFAULT = Parallel()


def begin(case: Case) -> None:
    """Wait for claims."""
    case.progress.stage = Stage.RACING
    case.wait(Wait.CLAIM, case.now + _micros(case))


def claimed(case: Case, event: Claim) -> None:
    """Take a claim: the first valid one of a round wins."""
    if case.progress.stage is not Stage.RACING or case.progress.closed is not None or event.round != case.story.round:
        return
    agent = case.session.agent
    if event.side is Side.AI and (agent is None or agent.endpoint != event.claimant):
        raise RecordError(
            "wrong_claimant",
            f"claim of {event.claimant} for AI on contact {event.interaction_id}: decision "
            f"{case.session.decision_now} names {agent.endpoint if agent else 'nobody'}; claim as that endpoint",
        )
    _win(case, event.side, event.claimant, event.occurred_at)


def spoken(case: Case, turn: Turn) -> None:
    """Take a turn of the agent: it claims the contact where nobody has yet, and confirms its claim where it has."""
    if case.progress.stage is Stage.RACING:
        _win(case, Side.AI, turn.endpoint, turn.occurred_at)
    case.wait_no_more(Wait.CLAIM)


def _win(case: Case, side: Side, claimant: str, at: int) -> None:
    story = case.write_story()
    story.claimed = side
    case.out.append(
        Effect(
            ASSIGNMENTS,
            Assignment(
                interaction_id=case.interaction_id,
                tenant=case.session.tenant,
                round=story.round,
                winner=side,
                claimant=claimant,
                released=Side.PEOPLE if side is Side.AI else Side.AI,
                reason="claimed",
                expires_at=at + _micros(case),
                occurred_at=at,
            ),
        )
    )
    if side is Side.AI:
        case.progress.stage = Stage.AI
    else:
        transfer.to_claimant(case, transfer.triggered(case, Trigger.PERSON_CLAIMED, claimant, at))
    case.wait(Wait.CLAIM, case.now + _micros(case))
    case.view(at)


def expired(case: Case, at: int) -> None:
    """Nothing followed: nobody claimed the contact, or who did is not there."""
    progress = case.progress
    if progress.closed is not None:
        return
    story = case.write_story()
    if progress.stage is not Stage.AI or story.round + 1 >= ROUNDS_MOST:
        what = "nobody claimed it" if progress.stage is Stage.RACING else f"the claim of {story.claimed} is void"
        transfer.to_people(case, [transfer.triggered(case, Trigger.UNCLAIMED, what, at)])
        return
    story.round, story.claimed = story.round + 1, None
    case.out.append(
        Effect(
            ASSIGNMENTS,
            Assignment(
                interaction_id=case.interaction_id,
                tenant=case.session.tenant,
                round=story.round,
                reason="claim_expired",
                occurred_at=at,
            ),
        )
    )
    begin(case)
    case.view(at)


def _micros(case: Case) -> int:
    """Return how long a claim holds."""
    policy = case.policy
    parallel = _DEFAULT if policy is None or policy.parallel is None else policy.parallel
    return round(parallel.claim_seconds * MICROS_PER_SECOND)
