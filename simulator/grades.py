"""What becomes known of a contact after its end: labels of QA, some time later, and ratings of customers, at once."""

from __future__ import annotations

import random

from schemas.fields import FinishedBy, GradedBy
from schemas.interactions import Feedback
from schemas.topics import INTERACTION_EVENTS
from simulator import talk
from simulator.agenda import micros
from simulator.centre import Centre
from simulator.contact import Contact
from simulator.ledger import Ledger

UNRESOLVED_SHARE = 0.02
"""Share of contacts whose matter QA finds unsettled although every answer was right: well within the 5 % that the
product's default target bears."""
HALLUCINATED_SHARE = 0.5
"""Share of contacts with a wrong answer in which QA finds something said that is not so; in the others it was beside
the point."""
SATISFIED, SATISFIED_AFTER_TROUBLE = 0.85, 0.40
"""Share of customers who give a 4 or a 5: of those who were in no worse a mood at the end than at the start (`talk`),
and of those whom wrong answers, failures or loops have annoyed."""
DELIGHTED_SHARE = 0.6
"""Share of those who are satisfied that give a 5."""
LEAST_SATISFIED = 4


class Grades:
    """Of the contacts of a world that AI had. `rng` is its own, so that grading changes nothing of the handling."""

    def __init__(self, ledger: Ledger, centre: Centre, rng: random.Random) -> None:
        self._ledger = ledger
        self._centre = centre
        self._rng = rng

    def ended(self, at: int, contact: Contact, by: FinishedBy) -> None:
        """Have a contact that has just ended rated and labelled, as far as it falls into the samples."""
        if contact.turns == 0:
            return
        rng, centre = self._rng, self._centre
        if rng.random() < centre.rated_share and by is not FinishedBy.CUSTOMER:
            self._rate(at, contact)
        if by is FinishedBy.AI and rng.random() < centre.qa_share:
            label = self._label(at + micros(centre.qa_after_seconds), contact)
            self._ledger.tally.grading.labels_due += 1
            self._ledger.agenda.push(label.occurred_at, self._tell, label)

    def _rate(self, at: int, contact: Contact) -> None:
        rng, grading = self._rng, self._ledger.tally.grading
        satisfied = rng.random() < (SATISFIED if contact.mood >= talk.CALM else SATISFIED_AFTER_TROUBLE)
        csat = LEAST_SATISFIED + (rng.random() < DELIGHTED_SHARE) if satisfied else rng.randrange(1, LEAST_SATISFIED)
        grading.ratings += 1
        grading.satisfied += satisfied
        rating = Feedback(
            interaction_id=contact.name, tenant=contact.tenant, by=GradedBy.CUSTOMER, csat=csat, occurred_at=at
        )
        self._ledger.emit(INTERACTION_EVENTS, rating)

    def _label(self, at: int, contact: Contact) -> Feedback:
        """Return what QA will find: a wrong answer that reached the customer leaves the matter unsettled."""
        rng = self._rng
        unresolved, hallucinated = rng.random() < UNRESOLVED_SHARE, rng.random() < HALLUCINATED_SHARE
        return Feedback(
            interaction_id=contact.name,
            tenant=contact.tenant,
            by=GradedBy.QA,
            resolved=not (contact.misled or unresolved),
            hallucination=contact.misled and hallucinated,
            occurred_at=at,
        )

    def _tell(self, _at: int, label: Feedback) -> None:
        grading = self._ledger.tally.grading
        grading.labels_due -= 1
        grading.labels += 1
        grading.unresolved += not label.resolved
        self._ledger.emit(INTERACTION_EVENTS, label)
