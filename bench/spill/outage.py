"""The run: contacts arrive, AI goes out at the peak and comes back, people work; event by event, in virtual time."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from bench.spill.day import Brought, Days, contacts, hour_of, peak, staffed
from bench.spill.people import Contact, Fate, LostContactError, People, Place
from bench.spill.product import Trunkline
from bench.spill.setting import CONFIDENCE, QUEUE, TENANT, Measure, Setting
from schemas.fields import MICROS_PER_SECOND, BreakerState, Disposition, Handling, Pool
from schemas.interactions import Classification, Decision, Offered, Released
from schemas.wfm import Held, VolumeDelta

_QUARTER = 900 * MICROS_PER_SECOND
SAMPLE_SECONDS = 10
"""How often lines are measured: fine against patience, and coarse enough to keep."""
_CARRIED_SECONDS = 300.0
"""AI's load at the outage is taken over so long, as the health monitor takes it."""
_HALF_HOUR_SECONDS = 1800.0


class Sample(NamedTuple):
    """How many wait at an instant (UTC microseconds): in the line, in Trunkline's buffer, for a callback."""

    at: int
    line: int
    buffer: int
    callbacks: int

    @property
    def waiting(self) -> int:
        """How many customers wait on the line or in the chat."""
        return self.line + self.buffer


class Outcome(NamedTuple):
    """What a run gave. `out_at`: AI goes out; `back_at`: its breakers close. Instants in UTC microseconds."""

    contacts: list[Contact]
    samples: list[Sample]
    out_at: int
    back_at: int


class Outage:
    """One day with one measure and one seed."""

    def __init__(self, measure: Measure, setting: Setting, days: Days, seed: int) -> None:
        self._setting = setting
        self._out_at = peak(days.intervals, setting.outage_seconds)
        self._opens_at = self._out_at + _micros(setting.detect_seconds)
        self._back_at = self._out_at + _micros(setting.outage_seconds)
        self._began = self._out_at - _micros(setting.warm_seconds)
        self._until = self._back_at + _micros(setting.after_seconds)
        self._arrivals = contacts(days.intervals, setting, seed, self._began, self._until)
        self._luck = random.Random(f"self-service {seed}")
        self._people = People()
        self._product = Trunkline(measure.spillover, setting, self._began)
        self._agenda: list[tuple[int, int, Callable[..., None], tuple[Any, ...]]] = []
        self._planned = 0
        self._contacts: dict[str, Contact] = {}
        self._buffer: dict[str, Contact] = {}
        self._with_ai: dict[str, Contact] = {}
        self._talking: dict[str, Contact] = {}
        self._fates: Counter[Fate] = Counter()
        self._offered = self._came_again = self._to_come_again = 0
        self._given: deque[tuple[int, str, str]] = deque()
        self._is_out = False
        self._samples: list[Sample] = []
        for at, people in _until_then(staffed(days.intervals, setting), self._began):
            self._plan(at, self._staff, people)
        self._plan(self._began, self._tick)
        self._plan(self._out_at, self._goes_out)
        self._plan(self._opens_at, self._breakers_open)
        self._plan(self._back_at, self._breakers_close)
        self._expect_arrival()

    def run(self) -> Outcome:
        """Let the time pass; raises LostContactError where a contact was lost or counted twice."""
        while self._agenda and self._agenda[0][0] < self._until:
            at, _, act, given = heapq.heappop(self._agenda)
            act(at, *given)
        self.check()
        return Outcome(list(self._contacts.values()), self._samples, self._out_at, self._back_at)

    def check(self) -> None:
        """Raise LostContactError unless each contact offered has one fate, or is where somebody will find it."""
        found = len(self._people.line) + len(self._people.callbacks)
        found += len(self._buffer) + len(self._with_ai) + len(self._talking)
        if self._offered != self._fates.total() + found:
            raise LostContactError(f"{self._offered} offered, but {dict(self._fates)} and {found} under way")
        if self._fates[Fate.CAME_AGAIN] != self._came_again + self._to_come_again:
            raise LostContactError(
                f"{self._fates[Fate.CAME_AGAIN]} were to come again, {self._came_again} did, {self._to_come_again} will"
            )

    # -- time

    def _plan(self, at: int, act: Callable[..., None], *given: Any) -> None:
        self._planned += 1
        heapq.heappush(self._agenda, (at, self._planned, act, given))

    def _tick(self, now: int) -> None:
        self._released(self._product.tick(now), now)
        opens, closes = self._setting.callback_hours
        if now >= self._back_at and opens <= hour_of(now) < closes:
            while (contact := self._people.next_callback(self._setting.callback_reserve)) is not None:
                self._answer(contact, Fate.CALLED_BACK, now)
        if (now - self._began) // MICROS_PER_SECOND % SAMPLE_SECONDS == 0:
            lines = len(self._people.line), len(self._buffer), len(self._people.callbacks)
            self._samples.append(Sample(now, *lines))
        self._plan(now + MICROS_PER_SECOND, self._tick)

    def _staff(self, now: int, people: int) -> None:
        self._people.seated = people
        self._product.staff(people, now, now + _micros(_HALF_HOUR_SECONDS))
        self._serve(now)

    # -- contacts

    def _expect_arrival(self) -> None:
        brought = next(self._arrivals, None)
        if brought is not None:
            self._plan(brought.arrives_at, self._arrive, brought)

    def _arrive(self, now: int, brought: Brought) -> None:
        self._expect_arrival()
        self._offer(now, brought)

    def _come_again(self, now: int, earlier: Contact) -> None:
        self._to_come_again -= 1
        self._came_again += 1
        self._offer(now, earlier.brought._replace(arrives_at=now), earlier.customer)

    def _offer(self, now: int, brought: Brought, customer: str = "") -> None:
        self._offered += 1
        name = f"c-{self._offered}"
        contact = Contact(name, brought, customer or name)
        self._contacts[contact.id] = contact
        decision = self._product.decide(_offer_of(contact), now)
        contact.priority, contact.displaced = decision.priority, decision.displaced
        self._feed(_delta(contact, decision.pool, None, Handling.IN_PROGRESS, now), now)
        self._obey(contact, decision, now)

    def _obey(self, contact: Contact, decision: Decision, now: int) -> None:
        """Do with a contact what the decision says."""
        if decision.endpoint is not None:
            self._to_ai(contact, decision.endpoint, now)
            return
        match decision.disposition:
            case Disposition.DEFLECT:
                self._deflect(contact, now)
            case Disposition.CALLBACK:
                self._offer_callback(contact, now)
            case Disposition.HOLD:
                self._hold(contact, decision.hold_until, now)
            case _:
                self._to_people(contact, now)

    def _end(self, contact: Contact, fate: Fate, handling: Handling, now: int, talk_seconds: float = 0.0) -> None:
        """Give a contact its fate, and tell staffing."""
        contact.end(fate, now)
        self._fates[fate] += 1
        pool = Pool.HUMAN_EXCLUSIVE if not contact.endpoint else Pool.AI_CONTAINED
        self._feed(_delta(contact, pool, Handling.IN_PROGRESS, handling, now, talk_seconds), now)

    # -- AI

    def _to_ai(self, contact: Contact, endpoint: str, now: int) -> None:
        contact.move(Place.WITH_AI)
        contact.endpoint = endpoint
        self._with_ai[contact.id] = contact
        self._given.append((now, endpoint, contact.brought.intent))
        if not self._is_out:
            self._plan(now + _micros(contact.brought.ai_seconds), self._ai_is_done, contact, contact.token)

    def _ai_is_done(self, now: int, contact: Contact, token: int) -> None:
        if contact.token == token and not self._is_out:
            del self._with_ai[contact.id]
            self._end(contact, Fate.AI, Handling.AI_CONTAINED, now)

    def _goes_out(self, _now: int) -> None:
        self._is_out = True

    def _breakers_open(self, now: int) -> None:
        """Shut AI out. Conversations that it had go to people at once, by warm transfer: no router is asked."""
        since = self._out_at - _micros(_CARRIED_SECONDS)
        counts = Counter((agent, intent) for at, agent, intent in self._given if since <= at < self._out_at)
        carried = [(*which, count / (_CARRIED_SECONDS / 60.0)) for which, count in sorted(counts.items())]
        self._released(self._product.moves(BreakerState.OPEN, 1, carried, now), now)
        had, self._with_ai = self._with_ai, {}
        for contact in had.values():
            contact.handed_over = contact.displaced = True
            self._to_people(contact, now)

    def _breakers_close(self, now: int) -> None:
        self._is_out = False
        self._released(self._product.moves(BreakerState.CLOSED, 2, (), now), now)

    # -- people

    def _to_people(self, contact: Contact, now: int) -> None:
        self._people.line.enter(contact)
        self._be_patient(contact, now)
        self._serve(now)

    def _be_patient(self, contact: Contact, now: int) -> None:
        if contact.sought_at is None:
            contact.sought_at = now
            self._plan(now + _micros(contact.brought.patience_seconds), self._lose_patience, contact)

    def _lose_patience(self, now: int, contact: Contact) -> None:
        if contact.place in (Place.LINE, Place.BUFFER) and contact.fate is None:
            self._leave_buffer(contact, now)
            self._end(contact, Fate.ABANDONED, Handling.ABANDONED, now)

    def _serve(self, now: int) -> None:
        while (contact := self._people.next()) is not None:
            self._answer(contact, Fate.ANSWERED, now)

    def _answer(self, contact: Contact, fate: Fate, now: int) -> None:
        contact.answered_at = now
        contact.move(Place.TALKING)
        self._talking[contact.id] = contact
        self._plan(now + _micros(contact.brought.handle_seconds), self._is_served, contact, fate)

    def _is_served(self, now: int, contact: Contact, fate: Fate) -> None:
        self._people.busy -= 1
        del self._talking[contact.id]
        handling = Handling.AI_ESCALATED if contact.handed_over else Handling.HUMAN_ONLY
        self._end(contact, fate, handling, now, contact.brought.handle_seconds)
        self._serve(now)

    # -- what people have no room for

    def _deflect(self, contact: Contact, now: int) -> None:
        """Send a contact to self-service: it is settled there, or its customer comes again."""
        if self._luck.random() < self._setting.resolved_by_self_service:
            self._end(contact, Fate.RESOLVED, Handling.DEFLECTED, now)
            return
        self._end(contact, Fate.CAME_AGAIN, Handling.DEFLECTED, now)
        self._to_come_again += 1
        seconds = self._luck.expovariate(1.0 / self._setting.again_seconds)
        self._plan(now + _micros(seconds), self._come_again, contact)

    def _offer_callback(self, contact: Contact, now: int) -> None:
        if contact.brought.declines < self._setting.callback_declined:
            self._end(contact, Fate.DECLINED, Handling.ABANDONED, now)
            return
        self._people.callbacks.enter(contact)
        contact.callback_since = now

    def _hold(self, contact: Contact, hold_until: int | None, now: int) -> None:
        """Put a contact into Trunkline's buffer. The decision says until when: without that it would wait for ever."""
        if hold_until is None:
            raise LostContactError(f"contact {contact.id} is to be held, and the decision does not say until when")
        contact.move(Place.BUFFER)
        contact.held = True
        self._buffer[contact.id] = contact
        self._be_patient(contact, now)
        self._plan(hold_until, self._hold_ends, contact)
        self._feed(_held(contact, hold_until, now), now)

    def _hold_ends(self, now: int, contact: Contact) -> None:
        if contact.place is Place.BUFFER:
            self._leave_buffer(contact, now)
            self._to_people(contact, now)

    def _released(self, told: Sequence[Released], now: int) -> None:
        """Send to people what staffing lets out of the buffer."""
        for each in told:
            contact = self._buffer.get(each.interaction_id)
            if contact is not None:
                self._leave_buffer(contact, now)
                self._to_people(contact, now)

    def _leave_buffer(self, contact: Contact, now: int) -> None:
        if self._buffer.pop(contact.id, None) is not None:
            self._feed(_held(contact, now, now, over=True), now)

    def _feed(self, event: VolumeDelta | Held, now: int) -> None:
        """Tell staffing; what it releases upon it goes on."""
        self._released(self._product.feed(event, now), now)


def _micros(seconds: float) -> int:
    return round(seconds * MICROS_PER_SECOND)


def _until_then(staffing: Sequence[tuple[int, int]], began: int) -> list[tuple[int, int]]:
    """Return who is there from `began` on: what stands then, and what comes later."""
    standing = [people for at, people in staffing if at <= began]
    return [(began, standing[-1]), *((at, people) for at, people in staffing if at > began)]


def _offer_of(contact: Contact) -> Offered:
    brought = contact.brought
    return Offered(
        interaction_id=contact.id,
        tenant=TENANT,
        channel=brought.channel,
        text="",
        segment=brought.segment,
        classification=Classification(intent=brought.intent, confidence=CONFIDENCE, model="spillover"),
        occurred_at=brought.arrives_at,
    )


def _delta(
    contact: Contact, pool: Pool | None, before: Handling | None, after: Handling, now: int, talk_seconds: float = 0.0
) -> VolumeDelta:
    """Return what sessions tell of a contact that was decided, or is over."""
    brought = contact.brought
    return VolumeDelta(
        tenant=TENANT,
        interaction_id=contact.id,
        queue=QUEUE,
        intent=brought.intent,
        channel=brought.channel,
        language="en",
        interval_start=brought.arrives_at - brought.arrives_at % _QUARTER,
        pool=pool or Pool.HUMAN_EXCLUSIVE,
        from_handling=before,
        to_handling=after,
        wait_seconds=contact.waited_seconds() or 0.0,
        talk_seconds=talk_seconds,
        occurred_at=now,
        displaced=contact.displaced and not contact.handed_over,
    )


def _held(contact: Contact, until: int, now: int, *, over: bool = False) -> Held:
    return Held(
        tenant=TENANT,
        interaction_id=contact.id,
        queue=QUEUE,
        priority=contact.priority,
        offered_at=contact.brought.arrives_at,
        hold_until=until,
        over=over,
        occurred_at=now,
    )
