"""The contact centre as a pure fold: virtual-time events and what sessions and the router say in, effects out.

An agenda holds what will happen and when. `step` lets everything happen that is due, then takes what came from outside;
`wakes_at` says when the next thing is due. How often it is woken changes nothing: each event bears the instant at which
it was due, not the one at which it was noticed.

Three random generators keep apart what depends on decisions (`handling`), what does not (`arrivals`), and what is known
only beside or after contacts (`beside`), so that one seed always offers the same contacts at the same instants, and
handles them alike however many are graded and probed.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator

from schemas.agents import ProbeRequest
from schemas.control import Fault, Policy
from schemas.conversations import AnswerRefused, Assignment, Handoff, Moved
from schemas.fields import Disposition, FinishedBy, Pool
from schemas.interactions import Decision, Offered
from schemas.supervision import SupervisionRequest, SupervisionResult
from schemas.topics import INTERACTION_EVENTS, OFFERED, Effect
from simulator.agenda import micros
from simulator.agents import Agents
from simulator.centre import Centre
from simulator.contact import Contact, Phase, offer
from simulator.fleet import Fleet
from simulator.floor import Floor
from simulator.grades import Grades
from simulator.ledger import Ledger
from simulator.probing import Probing
from simulator.report import Progress, Tally
from simulator.supervisors import Supervisors

Told = Handoff | Moved | Assignment | AnswerRefused | SupervisionRequest | SupervisionResult
"""What sessions tell of a contact. An Assignment asks nothing of a centre that keeps nobody back for a race: its agents
claim by speaking."""
Input = Decision | Fault | ProbeRequest | Policy | Told
"""What reaches the world from outside."""

_AI_POOLS = (Pool.AI_CONTAINED, Pool.AI_ASSISTED)
_REPEAT_SECONDS = (0.05, 3.0)
"""An ACD repeats an offer that it thinks lost within seconds (virtual, whatever the pace)."""


class World:
    """Offers contacts of a schedule and handles each as it is told. All instants in UTC microseconds."""

    def __init__(
        self,
        centre: Centre,
        schedule: Iterator[int],
        arrivals: random.Random,
        handling: random.Random,
        beside: random.Random,
        faults: Iterable[tuple[int, Fault]] = (),
    ) -> None:
        self.applied_faults: list[tuple[int, Fault]] = []
        self._centre = centre
        self._schedule = schedule
        self._arrivals = arrivals
        self._ledger = Ledger(handling)
        self._agenda = self._ledger.agenda
        self._fleet = Fleet(centre.pace)
        self._floor = Floor(self._ledger, centre)
        self._agents = Agents(self._ledger, self._fleet, self._floor, centre)
        self._supervisors = Supervisors(self._ledger, centre)
        self._probing = Probing(self._ledger, self._fleet, centre, beside)
        self._ledger.after_close = Grades(self._ledger, centre, beside).ended
        self._offering = True
        self._repeats_due = 0
        self._now = 0
        for at, fault in faults:
            self._agenda.push(at, self._fault, fault)
        self._expect_arrival()

    def step(self, now: int, inputs: Iterable[Input] = ()) -> list[Effect]:
        """Let happen what is due by `now`, take the inputs as of `now`, and return what is to be written.

        Unknown contacts, second decisions and repeats are ignored. A `now` before an earlier one counts as that one.
        """
        self._now = now = max(now, self._now)
        self._agenda.run(now)
        for item in inputs:
            if isinstance(item, Decision):
                self._decided(now, item)
            elif isinstance(item, Fault):
                self._fault(now, item)
            elif isinstance(item, ProbeRequest):
                self._probing.asked(now, item)
            elif isinstance(item, Policy):
                self._install(item)
            else:
                self._told(now, item)
        return self._ledger.taken()

    def ended(self, now: int) -> list[Effect]:
        """Return what is to be written when the run is over: supervisors go home."""
        self._supervisors.go(max(now, self._now))
        return self._ledger.taken()

    def wakes_at(self) -> int | None:
        """Return when `step` next has something to do without input, or None."""
        return self._agenda.next_at()

    @property
    def tally(self) -> Tally:
        """What was counted so far."""
        return self._ledger.tally

    @property
    def offering(self) -> bool:
        """Return whether contacts, or repeats of them, are still to be offered."""
        return self._offering or self._repeats_due > 0

    @property
    def finished(self) -> bool:
        """Return whether everything has been offered and closed."""
        return not self.offering and not self._ledger.contacts

    def progress(self, malformed: int = 0) -> Progress:
        """Return where the run stands; `malformed` is passed on."""
        tally, phases = self.tally, self._ledger.phases
        return Progress(
            now=self._now,
            offering=self.offering,
            offered=tally.offered,
            repeats=tally.repeats,
            decided=tally.decided,
            completed=tally.completed.total(),
            undecided=phases[Phase.UNDECIDED],
            with_ai=phases[Phase.WITH_AI],
            with_people=phases[Phase.WITH_PEOPLE],
            waiting=self._floor.waiting(),
            pools=dict(tally.pools),
            malformed=malformed,
            held=phases[Phase.HELD],
            to_call_back=phases[Phase.PROMISED],
        )

    def undecided(self, limit: int) -> list[str]:
        """Return ids of contacts without a decision, the oldest first, no more than `limit`."""
        names = (contact.name for contact in self._ledger.contacts.values() if contact.phase is Phase.UNDECIDED)
        return [name for name, _ in zip(names, range(limit), strict=False)]

    # -- arrivals

    def _expect_arrival(self) -> None:
        at = next(self._schedule, None)
        if at is None:
            self._offering = False
        else:
            self._agenda.push(at, self._arrive)

    def _arrive(self, at: int, _subject: None) -> None:
        rng, centre, ledger = self._arrivals, self._centre, self._ledger
        self._supervisors.come(at)
        ledger.tally.offered += 1
        name = f"{centre.run_id}-{ledger.tally.offered:06d}"
        offered = offer(name, centre.tenant, at, centre.utterances, rng)
        ledger.open(Contact(offered))
        ledger.emit(OFFERED, offered)
        twice, delay_seconds = rng.random() < centre.offer_twice, rng.uniform(*_REPEAT_SECONDS)
        if twice:
            self._repeats_due += 1
            self._agenda.push(at + micros(delay_seconds), self._repeat, offered)
        self._expect_arrival()

    def _repeat(self, _at: int, offered: Offered) -> None:
        self._repeats_due -= 1
        self.tally.repeats += 1
        self._ledger.emit(OFFERED, offered)

    # -- from operators and the router

    def _install(self, policy: Policy) -> None:
        if policy.tenant != self._centre.tenant:
            return
        self._fleet.install(policy)
        self._agents.install(policy)
        self._supervisors.install(policy)
        self._floor.staff(queue.queue for queue in policy.queues)

    def _fault(self, at: int, fault: Fault) -> None:
        self._fleet.apply(fault)
        self.applied_faults.append((at, fault))

    def _decided(self, now: int, decision: Decision) -> None:
        contact = self._ledger.contacts.get(decision.interaction_id)
        if contact is None or decision.disposition is Disposition.REPEAT:
            return
        if decision.session_epoch:
            self._decided_again(now, contact, decision)
        elif contact.phase is Phase.UNDECIDED:
            self._decided_first(now, contact, decision)

    def _decided_first(self, now: int, contact: Contact, decision: Decision) -> None:
        self.tally.decided += 1
        self.tally.pools[decision.pool or decision.disposition] += 1
        contact.decided_at = decision.decided_at
        spill = self.tally.spill
        spill.notices += decision.notice is not None
        if decision.disposition is Disposition.DEFLECT:
            spill.deflected += 1
            self._ledger.close(now, contact, FinishedBy.SELF_SERVICE)
        elif self._is_for_ai(decision) and not contact.fence:
            self._agents.begin(now, contact, decision)
        elif decision.disposition is Disposition.CALLBACK and not contact.released:
            spill.callbacks += 1
            self._floor.call_back(now, contact, decision.queue)
        elif decision.disposition is Disposition.HOLD and decision.hold_until is not None:
            self._hold(now, contact, decision.queue, decision.hold_until)
        else:  # a hold without an end is none of Trunkline's buffer: the line of the queue holds the contact
            self._floor.receive(now, contact, decision.queue)

    def _hold(self, now: int, contact: Contact, queue: str, until: int) -> None:
        self.tally.spill.held += 1
        if contact.released:
            self.tally.spill.released += 1
            self._floor.receive(now, contact, queue)
        else:
            self._floor.hold(now, contact, queue, until)

    def _decided_again(self, now: int, contact: Contact, decision: Decision) -> None:
        """Let another agent go on with a contact. Where there is none, its warm transfer follows."""
        epoch = decision.session_epoch
        if contact.phase is Phase.UNDECIDED or epoch <= max(contact.epoch, contact.fence):
            return
        contact.epoch = epoch
        if self._is_for_ai(decision):
            self.tally.handovers += 1
            self._agents.begin(now, contact, decision)

    def _is_for_ai(self, decision: Decision) -> bool:
        with_ai = decision.disposition is Disposition.ROUTE and decision.pool in _AI_POOLS
        return with_ai and self._fleet.endpoint(decision.endpoint) is not None

    # -- from sessions

    def _told(self, now: int, told: Told) -> None:
        contact = self._ledger.contacts.get(told.interaction_id)
        if isinstance(told, AnswerRefused):
            self.tally.refused += 1
        if contact is None:
            return
        match told:
            case Handoff():
                self._handed_off(now, contact, told)
            case Moved() if told.to_pool is Pool.HUMAN_EXCLUSIVE:
                self._lost_by_ai(now, contact, told.epoch, told.queue)
            case Moved():
                self._agents.watch(contact, told)
            case SupervisionRequest():
                self._supervisors.asked(now, told)
            case SupervisionResult():
                self._agents.judged(now, contact, told)

    def _handed_off(self, now: int, contact: Contact, packet: Handoff) -> None:
        """Acknowledge a packet, also one that was sent again, or whose contact people have already."""
        self.tally.transfers += packet.attempt == 1
        self.tally.acknowledged += 1
        self._lost_by_ai(now, contact, packet.epoch, packet.queue)
        self._ledger.emit(INTERACTION_EVENTS, contact.acknowledged(now, packet.epoch))

    def _lost_by_ai(self, now: int, contact: Contact, epoch: int, queue: str) -> None:
        """People have a contact from this epoch on; where its decision is still to come, they get it with that."""
        contact.fence = max(contact.fence, epoch)
        contact.released = True
        contact.queue = contact.queue or queue  # for who acknowledges a packet that is ahead of the decision
        if contact.phase is Phase.WITH_AI and epoch > contact.epoch:
            self._agents.lose(now, contact, queue)
        elif contact.phase is Phase.HELD:
            self.tally.spill.released += 1
            self._floor.go_on(now, contact, queue)
