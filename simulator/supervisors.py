"""Supervisors at their desks: they come, judge the answers that are put to them, and go."""

from __future__ import annotations

from schemas.control import Policy
from schemas.supervision import SupervisionRequest, SupervisorPresence, Verdict, VerdictKind
from schemas.topics import INTERACTION_EVENTS, SUPERVISION_EVENTS
from simulator.agenda import micros
from simulator.centre import Centre
from simulator.ledger import Ledger

# Durations in virtual seconds at pace 1: time to read an answer of two sentences.
LEAST_SECONDS, MOST_SECONDS = 2.0, 8.0
WRONG_OVERRIDDEN = 0.8
"""Share of wrong answers that a supervisor does not let pass."""
RIGHT_OVERRIDDEN = 0.04
"""Share of right answers that are put in other words, or refused, all the same."""
EDIT_SHARE = 0.5
_WHY = {
    True: "it does not answer the question",
    False: "it can be said more clearly",
}
_INSTEAD = "Let me put that more clearly: I will see to it, and confirm it in writing."


class Supervisors:
    """Those of a centre, who come where its policy has Trunkline assign them; else the ACD asks whom it likes."""

    def __init__(self, ledger: Ledger, centre: Centre) -> None:
        self._ledger = ledger
        self._centre = centre
        self._wanted = False
        self._there = False

    def install(self, policy: Policy) -> None:
        """Take from a policy whether Trunkline assigns supervisors."""
        self._wanted = policy.supervision.sessions_per_supervisor is not None

    def come(self, at: int) -> None:
        """Announce all, once, where they are wanted."""
        if self._wanted and not self._there:
            self._there = True
            self._announce(at, available=True)

    def go(self, at: int) -> None:
        """Announce that those who came go."""
        if self._there:
            self._there = False
            self._announce(at, available=False)

    def asked(self, at: int, request: SupervisionRequest) -> None:
        """Have an answer judged in a while."""
        ledger = self._ledger
        seconds = ledger.rng.uniform(LEAST_SECONDS, MOST_SECONDS) * self._centre.pace
        ledger.agenda.push(at + micros(seconds), self._judge, request)

    def _judge(self, at: int, request: SupervisionRequest) -> None:
        contact = self._ledger.contacts.get(request.interaction_id)
        if contact is None:
            return  # it is over
        stint = contact.stint
        wrong = stint is not None and stint.answer is not None and stint.answer.wrong
        kind = self._kind(wrong=wrong)
        self._ledger.tally.verdicts += 1
        verdict = Verdict(
            interaction_id=contact.name,
            tenant=contact.tenant,
            epoch=request.epoch,
            turn=request.turn,
            verdict=kind,
            by=request.supervisor or f"{request.queue}-supervisor",
            why="" if kind is VerdictKind.APPROVE else _WHY[wrong],
            text=_INSTEAD if kind is VerdictKind.EDIT else None,
            occurred_at=at,
        )
        self._ledger.emit(INTERACTION_EVENTS, verdict)

    def _kind(self, *, wrong: bool) -> VerdictKind:
        rng = self._ledger.rng
        if rng.random() >= (WRONG_OVERRIDDEN if wrong else RIGHT_OVERRIDDEN):
            return VerdictKind.APPROVE
        return VerdictKind.EDIT if rng.random() < EDIT_SHARE else VerdictKind.REJECT

    def _announce(self, at: int, *, available: bool) -> None:
        for number in range(1, self._centre.supervisors + 1):
            presence = SupervisorPresence(
                tenant=self._centre.tenant,
                supervisor=f"{self._centre.run_id}-supervisor-{number:03d}",
                available=available,
                occurred_at=at,
            )
            self._ledger.emit(SUPERVISION_EVENTS, presence)
