"""AI agents and their platforms at work: they answer turn by turn, wait where they must, and stop when told."""

from __future__ import annotations

from schemas.control import Policy
from schemas.conversations import Moved
from schemas.fields import FinishedBy, Pool, Supervision
from schemas.interactions import Decision
from schemas.rules import SupervisionPolicy
from schemas.supervision import SupervisionResult, VerdictKind
from simulator import talk
from simulator.agenda import micros
from simulator.centre import Centre
from simulator.contact import Contact, Phase
from simulator.fleet import ESCALATION_SHARE, Answer, Fleet
from simulator.floor import WORD_SECONDS, Floor
from simulator.ledger import Ledger
from simulator.stint import Awaits, Stint
from simulator.talk import Says

FAILURES_TO_GIVE_UP = 2
"""Failing turns in a row after which the ACD gives the contact to people, where the policy does not say."""
LATE_SHARE = 0.2
"""Share of agents which, at work when they lose a contact, report an answer all the same."""


class Agents:
    """Handles the contacts of AI. A contact that leaves goes to the people of `floor`."""

    def __init__(self, ledger: Ledger, fleet: Fleet, floor: Floor, centre: Centre) -> None:
        self._ledger = ledger
        self._fleet = fleet
        self._floor = floor
        self._centre = centre
        self._policy: Policy | None = None

    def install(self, policy: Policy) -> None:
        """Take a policy: for how long answers wait, and what is approved."""
        self._policy = policy

    def begin(self, at: int, contact: Contact, decision: Decision) -> None:
        """Let the agent of a decision, which the fleet has, go on with a contact."""
        ledger, rng = self._ledger, self._ledger.rng
        endpoint = self._fleet.endpoint(decision.endpoint)
        version = decision.endpoint_version or (endpoint.version if endpoint else "")
        contact.leave_ai(at)
        self._floor.give_back(at, contact)
        contact.queue = decision.queue
        stint = contact.stint = Stint(decision, version, at)
        contact.watched = contact.watched or decision.pool is Pool.AI_ASSISTED
        ledger.move(contact, Phase.WITH_AI)
        stint.answers_left = self._fleet.answers_needed(rng)
        if rng.random() < ESCALATION_SHARE:
            stint.asks_with_left = rng.randrange(stint.answers_left)
        if rng.random() < self._centre.change_matter:
            stint.changes_with_left = rng.randrange(1, stint.answers_left)
        if contact.turns == 0:
            contact.mood = round(rng.uniform(talk.CALM, talk.CONTENT), 2)
        self._listen(contact, stint, Says.OPENS if contact.turns == 0 else Says.RESUMES)
        self._call(at, contact, stint)

    def lose(self, at: int, contact: Contact, queue: str) -> None:
        """Take a contact from its agent, who has lost it, and give it to the people of a queue."""
        ledger, stint = self._ledger, contact.stint
        if stint is not None and stint.awaits is None and ledger.rng.random() < LATE_SHARE:
            answer = self._fleet.call(stint.endpoint, ledger.rng)
            ledger.agenda.push(at + micros(answer.seconds), self._answer_late, (contact, stint, answer))
        self._to_people(at, contact, queue)

    def watch(self, contact: Contact, moved: Moved) -> None:
        """Have the agent that has a contact watched from now on, or no more."""
        stint, policy = contact.stint, self._policy
        if stint is None or moved.epoch != stint.epoch:
            return
        if moved.to_pool is Pool.AI_CONTAINED:
            stint.supervision = Supervision.AUTONOMOUS
        elif moved.to_pool is Pool.AI_ASSISTED and stint.supervision in (None, Supervision.AUTONOMOUS):
            stint.supervision = Supervision.SEMI
            rules = policy.intents if policy else ()
            own = next((rule.approve for rule in rules if rule.intent == stint.intent), None)
            stint.approve = own or (policy.supervision.approve if policy else None)
            contact.watched = True

    def judged(self, at: int, contact: Contact, result: SupervisionResult) -> None:
        """Do as a supervisor says with the answer that waits."""
        stint = contact.stint
        if stint is None or stint.awaits is not Awaits.VERDICT:
            return
        if (result.epoch, result.turn) != (stint.epoch, stint.turns):
            return
        stint.awaits = None
        if result.verdict is VerdictKind.TAKE_OVER:
            self._await(at, contact, Awaits.HANDOFF)
        elif result.verdict is VerdictKind.REJECT:
            stint.take_back()
            self._call(at, contact, stint)
        else:
            self._said(at, contact, stint, edited=result.verdict is VerdictKind.EDIT)

    # -- turn by turn

    def _listen(self, contact: Contact, stint: Stint, says: Says) -> None:
        """Let the customer say something."""
        rng = self._ledger.rng
        others = [each for each in self._fleet.intents() if each != stint.intent] if says is Says.CHANGES else []
        if says is Says.CHANGES and not others:
            says = Says.GOES_ON
        stint.says = stint.then = says
        if others:
            stint.intent = rng.choice(others)
            contact.opening = talk.opening_of(stint.intent, self._centre.utterances, rng)
        stint.words = talk.customer_text(says, contact.opening, rng)

    def _call(self, at: int, contact: Contact, stint: Stint) -> None:
        stint.answer = self._fleet.call(stint.endpoint, self._ledger.rng)
        self._ledger.plan(contact, at + micros(stint.answer.seconds), self._answered)

    def _ask(self, at: int, contact: Contact) -> None:
        stint = _stint_of(contact)
        self._listen(contact, stint, stint.then)
        self._call(at, contact, stint)

    def _retry(self, at: int, contact: Contact) -> None:
        self._call(at, contact, _stint_of(contact))

    def _answered(self, at: int, contact: Contact) -> None:
        stint = _stint_of(contact)
        answer = stint.answer
        assert answer is not None  # noqa: S101 - set by the call that ends here
        if not answer.failed:
            stint.failures = 0
            stint.then = self._what_then(stint, answer)
        turn = self._ledger.report(at, contact, stint, answer)
        if stint.says is Says.ASKS:
            self._person_asked(at, contact, stint)
        elif answer.failed:
            self._failed(at, contact, stint, answer)
        elif stint.says is Says.CHANGES:
            self._await(at, contact, Awaits.AGENT)
        elif stint.must_wait(turn, contact.decided_at):
            self._await(at, contact, Awaits.VERDICT)
        else:
            self._said(at, contact, stint)

    def _what_then(self, stint: Stint, answer: Answer) -> Says:
        """Return what the customer will say to an answer, which brings the end nearer unless it leads nowhere."""
        if stint.goes_round(answer):
            stint.loops += 1
            return Says.ASKS if self._fleet.wearies(stint.loops, self._ledger.rng) else Says.DOUBTS
        stint.loops = 0
        stint.answers_left -= 1
        left = stint.answers_left
        if self._fleet.asks_for_person(answer, self._ledger.rng) or left == stint.asks_with_left:
            return Says.ASKS
        if left == stint.changes_with_left:
            return Says.CHANGES
        return Says.DOUBTS if answer.wrong else Says.GOES_ON

    def _said(self, at: int, contact: Contact, stint: Stint, *, edited: bool = False) -> None:
        """The answer, or what a supervisor made of it, has reached the customer, who replies unless all is done."""
        answer = stint.answer
        assert answer is not None  # noqa: S101 - it is what reached the customer
        change = talk.AFTER_RIGHT
        if not edited:
            contact.misled = contact.misled or answer.wrong
            change = talk.AFTER_LOOP if stint.goes_round(answer) else change
            change = talk.AFTER_WRONG if answer.wrong else change
        contact.mood = talk.mood(contact.mood, change)
        if stint.answers_left == 0 and stint.then is not Says.ASKS:
            contact.leave_ai(at)
            self._ledger.close(at, contact, FinishedBy.AI)
        else:
            self._ledger.plan(contact, at + micros(self._fleet.gap_seconds(self._ledger.rng)), self._ask)

    def _person_asked(self, at: int, contact: Contact, stint: Stint) -> None:
        if stint.escalate.person_asked:
            self._await(at, contact, Awaits.HANDOFF)
        else:
            self._to_people(at, contact, contact.queue)

    def _failed(self, at: int, contact: Contact, stint: Stint, answer: Answer) -> None:
        """Try again, as often as the policy bears, whose transfer then comes; else as often as the ACD does."""
        stint.failures += 1
        contact.mood = talk.mood(contact.mood, talk.AFTER_FAILURE)
        most = stint.escalate.failures_over
        if most is not None and stint.failures > most:
            self._await(at, contact, Awaits.HANDOFF)
        elif most is None and (stint.failures >= FAILURES_TO_GIVE_UP or self._fleet.is_out(stint.endpoint)):
            self._to_people(at, contact, contact.queue)
        else:
            self._ledger.plan(contact, at + micros(self._fleet.retry_seconds(answer)), self._retry)

    # -- what ends it

    def _await(self, at: int, contact: Contact, what: Awaits) -> None:
        _stint_of(contact).awaits = what
        seconds = WORD_SECONDS
        if what is Awaits.VERDICT:
            said = self._policy.supervision if self._policy else SupervisionPolicy()
            seconds += said.verdict_seconds
        self._ledger.plan(contact, at + micros(seconds), self._overdue)

    def _overdue(self, at: int, contact: Contact) -> None:
        """No word came: the ACD moves the contact by itself."""
        self._to_people(at, contact, contact.queue)

    def _answer_late(self, at: int, late: tuple[Contact, Stint, Answer]) -> None:
        contact, stint, answer = late
        if contact.name in self._ledger.contacts:
            self._ledger.report(at, contact, stint, answer)

    def _to_people(self, at: int, contact: Contact, queue: str) -> None:
        self._ledger.agenda.cancel(contact.due)
        contact.leave_ai(at)
        self._floor.receive(at, contact, queue)


def _stint_of(contact: Contact) -> Stint:
    assert contact.stint is not None  # noqa: S101 - what is due to a contact is cancelled when its agent loses it
    return contact.stint
