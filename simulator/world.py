"""The contact centre as a pure fold: virtual-time events and decisions in, effects out.

A heap holds what will happen and when. `step` lets everything happen that is due, then takes what
came from outside; `wakes_at` says when the next thing is due. How often it is woken changes
nothing: each event bears the instant at which it was due, not the one at which it was noticed.

Two random generators keep apart what depends on decisions (`handling`) and what does not
(`arrivals`), so that one seed always offers the same contacts at the same instants.
"""

from __future__ import annotations

import dataclasses
import heapq
import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

from schemas.control import Fault, Policy
from schemas.fields import MICROS_PER_SECOND, Disposition, Event, FinishedBy, Pool
from schemas.interactions import Decision, Offered
from schemas.topics import INTERACTION_EVENTS, OFFERED, Effect, Topic
from simulator.contact import Contact, Phase, offer
from simulator.fleet import ESCALATION_SHARE, Fleet
from simulator.people import Desk, Durations
from simulator.report import Progress, Tally
from simulator.utterances import Utterance

Input = Decision | Fault | Policy
"""What reaches the world from outside."""

_AI_POOLS = (Pool.AI_CONTAINED, Pool.AI_ASSISTED)
_REPEAT_SECONDS = (0.05, 3.0)
"""An ACD repeats an offer that it thinks lost within seconds (virtual, whatever the pace)."""
_FAILURES_TO_GIVE_UP = 2
"""Failing turns in a row after which the ACD gives the contact to people."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Centre:
    """What a world is made of. `people`: per queue, by name, else `people_per_queue`.

    `pace` scales every duration of handling; `offer_twice` is a share of contacts, 0 to 1.
    """

    tenant: str
    run_id: str
    utterances: Sequence[Utterance]
    pace: float = 1.0
    people_per_queue: int = 50
    people: Mapping[str, int] = dataclasses.field(default_factory=dict)
    offer_twice: float = 0.0


Happening = Callable[[int, Any], None]
"""What the heap holds: called with its instant and its subject."""


class World:
    """Offers contacts of a schedule and handles each as its decision says. All instants in UTC microseconds."""

    def __init__(
        self,
        centre: Centre,
        schedule: Iterator[int],
        arrivals: random.Random,
        handling: random.Random,
        faults: Iterable[tuple[int, Fault]] = (),
    ) -> None:
        self.tally = Tally()
        self.applied_faults: list[tuple[int, Fault]] = []
        self._centre = centre
        self._schedule = schedule
        self._arrivals = arrivals
        self._handling = handling
        self._fleet = Fleet(centre.pace)
        self._durations = Durations(centre.pace)
        self._desks: dict[str, Desk[Contact]] = {}
        self._contacts: dict[str, Contact] = {}
        self._phases: Counter[Phase] = Counter()
        self._heap: list[tuple[int, int, Happening, Any]] = []
        self._pushed = 0
        self._offering = True
        self._repeats_due = 0
        self._now = 0
        self._effects: list[Effect] = []
        for at, fault in faults:
            self._push(at, self._fault, fault)
        self._expect_arrival()

    def step(self, now: int, inputs: Iterable[Input] = ()) -> list[Effect]:
        """Let happen what is due by `now`, take the inputs as of `now`, and return what is to be written.

        Unknown contacts, second decisions and repeats are ignored. A `now` before an earlier one counts as that one.
        """
        self._now = now = max(now, self._now)
        heap = self._heap
        while heap and heap[0][0] <= now:
            at, _, happening, subject = heapq.heappop(heap)
            happening(at, subject)
        for item in inputs:
            if isinstance(item, Decision):
                self._decided(now, item)
            elif isinstance(item, Fault):
                self._fault(now, item)
            else:
                self._install(item)
        effects, self._effects = self._effects, []
        return effects

    def wakes_at(self) -> int | None:
        """Return when `step` next has something to do without input, or None."""
        return self._heap[0][0] if self._heap else None

    @property
    def offering(self) -> bool:
        """Return whether contacts, or repeats of them, are still to be offered."""
        return self._offering or self._repeats_due > 0

    @property
    def finished(self) -> bool:
        """Return whether everything has been offered and closed."""
        return not self.offering and not self._contacts

    def progress(self, malformed: int = 0) -> Progress:
        """Return where the run stands; `malformed` is passed on."""
        tally, phases = self.tally, self._phases
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
            waiting={queue: desk.waiting for queue, desk in self._desks.items()},
            pools=dict(tally.pools),
            malformed=malformed,
        )

    def undecided(self, limit: int) -> list[str]:
        """Return ids of contacts without a decision, the oldest first, no more than `limit`."""
        names = (contact.name for contact in self._contacts.values() if contact.phase is Phase.UNDECIDED)
        return [name for name, _ in zip(names, range(limit), strict=False)]

    # -- arrivals

    def _expect_arrival(self) -> None:
        at = next(self._schedule, None)
        if at is None:
            self._offering = False
        else:
            self._push(at, self._arrive, None)

    def _arrive(self, at: int, _subject: None) -> None:
        rng, centre = self._arrivals, self._centre
        self.tally.offered += 1
        name = f"{centre.run_id}-{self.tally.offered:06d}"
        offered = offer(name, centre.tenant, at, centre.utterances, rng)
        self._contacts[name] = Contact(name, centre.tenant)
        self._phases[Phase.UNDECIDED] += 1
        self._emit(OFFERED, offered)
        twice, delay_seconds = rng.random() < centre.offer_twice, rng.uniform(*_REPEAT_SECONDS)
        if twice:
            self._repeats_due += 1
            self._push(at + _micros(delay_seconds), self._repeat, offered)
        self._expect_arrival()

    def _repeat(self, _at: int, offered: Offered) -> None:
        self._repeats_due -= 1
        self.tally.repeats += 1
        self._emit(OFFERED, offered)

    # -- from outside

    def _install(self, policy: Policy) -> None:
        if policy.tenant != self._centre.tenant:
            return
        self._fleet.install(policy)
        for queue in policy.queues:
            self._desk(queue.queue)

    def _fault(self, at: int, fault: Fault) -> None:
        self._fleet.apply(fault)
        self.applied_faults.append((at, fault))

    def _decided(self, now: int, decision: Decision) -> None:
        contact = self._contacts.get(decision.interaction_id)
        if contact is None or contact.phase is not Phase.UNDECIDED or decision.disposition is Disposition.REPEAT:
            return
        self.tally.decided += 1
        self.tally.pools[decision.pool or decision.disposition] += 1
        contact.queue = decision.queue
        endpoint = self._fleet.endpoint(decision.endpoint)
        if decision.disposition is Disposition.DEFLECT:
            self._close(now, contact, FinishedBy.SELF_SERVICE)
        elif decision.disposition is Disposition.ROUTE and decision.pool in _AI_POOLS and endpoint is not None:
            contact.endpoint = endpoint.endpoint
            contact.version = decision.endpoint_version or endpoint.version
            contact.watched = decision.pool is Pool.AI_ASSISTED
            self._begin_with_ai(now, contact)
        else:
            self._to_people(now, contact)

    # -- with AI

    def _begin_with_ai(self, at: int, contact: Contact) -> None:
        self._move(contact, Phase.WITH_AI)
        contact.ai_began_at = at
        contact.answers_left = self._fleet.answers_needed(self._handling)
        if self._handling.random() < ESCALATION_SHARE:
            contact.escalates_with_left = self._handling.randrange(contact.answers_left)
        self._ask(at, contact)

    def _ask(self, at: int, contact: Contact) -> None:
        contact.answer = self._fleet.call(contact.endpoint, self._handling)
        self._push(at + _micros(contact.answer.seconds), self._answered, contact)

    def _answered(self, at: int, contact: Contact) -> None:
        answer = contact.answer
        assert answer is not None  # noqa: S101 - set by the call that ends here
        contact.turns += 1
        self.tally.turns += 1
        self._emit(INTERACTION_EVENTS, contact.turn(at, answer))
        if answer.failed:
            self._failed(at, contact)
            return
        contact.failures = 0
        contact.answers_left -= 1
        wants_person = contact.answers_left == contact.escalates_with_left
        if self._fleet.asks_for_person(answer, self._handling) or wants_person:
            self._escalate(at, contact)
        elif contact.answers_left == 0:
            contact.leave_ai(at)
            self._close(at, contact, FinishedBy.AI)
        else:
            self._push(at + _micros(self._fleet.gap_seconds(self._handling)), self._ask, contact)

    def _failed(self, at: int, contact: Contact) -> None:
        contact.failures += 1
        if contact.failures >= _FAILURES_TO_GIVE_UP or self._fleet.is_out(contact.endpoint):
            self._escalate(at, contact)
        else:
            self._push(at + _micros(self._fleet.retry_seconds()), self._ask, contact)

    def _escalate(self, at: int, contact: Contact) -> None:
        contact.leave_ai(at)
        self._to_people(at, contact)

    # -- with people

    def _to_people(self, at: int, contact: Contact) -> None:
        contact.waits_since = at
        if self._desk(contact.queue).arrive(contact.name, contact):
            self._talk(at, contact)
        else:
            self._move(contact, Phase.WAITING)
            self._push(at + _micros(self._durations.patience_seconds(self._handling)), self._lose_patience, contact)

    def _talk(self, at: int, contact: Contact) -> None:
        self._move(contact, Phase.WITH_PEOPLE)
        contact.leave_line(at)
        contact.talk_seconds = self._durations.talk_seconds(self._handling)
        contact.wrap_seconds = self._durations.wrap_seconds(self._handling)
        self._push(at + _micros(contact.talk_seconds + contact.wrap_seconds), self._finish, contact)

    def _finish(self, at: int, contact: Contact) -> None:
        self._close(at, contact, FinishedBy.HUMAN)
        following = self._desk(contact.queue).release()
        if following is not None:
            self._talk(at, following)

    def _lose_patience(self, at: int, contact: Contact) -> None:
        if self._desk(contact.queue).leave(contact.name):
            contact.leave_line(at)
            self._close(at, contact, FinishedBy.CUSTOMER)

    def _desk(self, queue: str) -> Desk[Contact]:
        desk = self._desks.get(queue)
        if desk is None:
            desk = self._desks[queue] = Desk(self._centre.people.get(queue, self._centre.people_per_queue))
        return desk

    # -- shared

    def _close(self, at: int, contact: Contact, by: FinishedBy) -> None:
        self._phases[contact.phase] -= 1
        del self._contacts[contact.name]
        self.tally.completed[by] += 1
        self._emit(INTERACTION_EVENTS, contact.completed(at, by))

    def _move(self, contact: Contact, phase: Phase) -> None:
        self._phases[contact.phase] -= 1
        self._phases[phase] += 1
        contact.phase = phase

    def _push(self, at: int, happening: Happening, subject: Any) -> None:
        self._pushed += 1  # orders what is due at one instant, so that nothing else is compared
        heapq.heappush(self._heap, (at, self._pushed, happening, subject))

    def _emit(self, topic: Topic, event: Event) -> None:
        self._effects.append(Effect(topic, event))


def _micros(seconds: float) -> int:
    return int(seconds * MICROS_PER_SECOND)
