"""The centre as it is, which changes are laid on: from options, or from what the topics hold. Pure."""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from processors.staffing.logic.erlang import Targets
from processors.staffing.logic.plan import targets_of
from processors.staffing.logic.what_if import SESSIONS_PER_SUPERVISOR, Cell, Centre, Staffed
from processors.staffing.options import Goals
from runtime.plans import Planned, Plans
from runtime.snapshot import Snapshot
from schemas.control import Availability, HumanQueue, Policy
from schemas.fields import MICROS_PER_SECOND
from schemas.topics import AVAILABILITY, POLICY, queue_key
from wfm_bridge.history.kept import Kept, Span
from wfm_bridge.history.mix import Mix, Times, mix_by_cell, times_by_queue

GIVEN_QUEUE, GIVEN_INTENT = "queue", "any"
"""Of a load that options give, which has no names."""
_NO_TIMES = Times()
_NO_MIX = Mix()


class Basis(enum.StrEnum):
    """What a figure is from."""

    MEASURED = "measured"
    PLAN = "plan"
    POLICY = "policy"
    GIVEN = "given"
    DEFAULT = "default"


class Source(NamedTuple):
    """What some figures are from."""

    basis: Basis
    figures: str


class Base(NamedTuple):
    """A centre as it is. `available`: people in seats by queue, where WFM says."""

    title: str
    centre: Centre
    sources: Sequence[Source]
    available: Mapping[str, float]
    policy: Policy | None


class Given(NamedTuple):
    """A load, as options give it; `sources` says which of these were given."""

    contacts: float
    interval_minutes: float
    aht_seconds: float
    containment: float
    watched: float
    ai_seconds: float
    sessions_per_supervisor: int
    goals: Goals
    sources: Sequence[Source]


def given(load: Given) -> Base:
    """Return the centre of one queue that options give: AI begins all contacts."""
    goals = load.goals
    cell = Cell(
        GIVEN_QUEUE,
        GIVEN_INTENT,
        ai_per_minute=load.contacts / load.interval_minutes,
        containment=load.containment,
        ai_seconds=load.ai_seconds,
        watched=load.watched,
    )
    people = Staffed(GIVEN_QUEUE, load.aht_seconds, goals.targets(), goals.shrinkage, goals.patience, goals.concurrency)
    centre = Centre(
        (cell,),
        (people,),
        sessions_per_supervisor=load.sessions_per_supervisor,
        supervisor_shrinkage=goals.shrinkage,
    )
    title = (
        f"{load.contacts:g} contacts in {load.interval_minutes:g} minutes, of which AI contains {load.containment:.1%}"
    )
    return Base(title, centre, load.sources, {}, None)


class Seen(NamedTuple):
    """What the topics hold of a tenant. `span`: when the contacts came that are kept.

    now: as of when WFM's word on the people there counts; null where the span is past, and nobody knows any more.
    planned_at: an instant to come, of which the plan is wanted; null for the mean of the span. Both UTC microseconds.
    ai_seconds: how long AI has a contact, where that was not measured.
    """

    tenant: str
    control: Snapshot
    kept: Kept
    span: Span
    now: int | None
    planned_at: int | None
    ai_seconds: float

    @property
    def policy(self) -> Policy | None:
        """The tenant's."""
        policy: Policy | None = self.control.of(POLICY).get(self.tenant)
        return policy


def seen(what: Seen, title: str) -> Base:
    """Return the centre that the topics know."""
    times, policy = times_by_queue(what.kept), what.policy
    mixes = mix_by_cell(what.kept, times)
    of_policy = policy.queues if policy else ()
    cells = {(each.queue, intent) for each in of_policy for intent in each.intents} | mixes.keys()
    names = sorted({queue for queue, _ in cells} | {each.queue for each in of_policy})
    queues = [
        _Queue(
            what, queue, times.get(queue, _NO_TIMES), {i: mixes.get((q, i), _NO_MIX) for q, i in cells if q == queue}
        )
        for queue in names
    ]
    centre = Centre(
        tuple(cell for queue in queues for cell in queue.cells()),
        tuple(queue.staffed() for queue in queues),
        ai_at_once=sum(each.max_concurrent for each in policy.endpoints) if policy and policy.endpoints else None,
        sessions_per_supervisor=_at_once(policy) or SESSIONS_PER_SUPERVISOR,
        supervisor_shrinkage=HumanQueue(queue="any", intents=()).shrinkage,
    )
    sources = [_of_mixes(mixes.values(), what.span), *(source for queue in queues for source in queue.sources())]
    available = {queue.name: there for queue in queues if (there := queue.available()) is not None}
    return Base(title, centre, [*sources, *_of_ai(centre, policy)], available, policy)


@dataclasses.dataclass(frozen=True)
class _Queue:
    """What is known of one queue."""

    what: Seen
    name: str
    times: Times
    mixes: Mapping[str, Mix]

    @property
    def targets(self) -> HumanQueue:
        return targets_of(self.what.control, self.what.tenant, self.name)

    @property
    def planned(self) -> Planned | None:
        """WFM's plan, where it is asked for."""
        at = self.what.planned_at
        return None if at is None else Plans().at(self.what.control, self.what.tenant, self.name, at)

    def cells(self) -> list[Cell]:
        """Return the contacts by intent; in the plan's number, where there is one, and mixed as they came."""
        minutes = (self.what.span.end - self.what.span.start) / (60 * MICROS_PER_SECOND)
        seconds = self.times.mean_ai_seconds or self.what.ai_seconds
        cells = [
            Cell(
                self.name, intent, mix.alone / minutes, mix.ai / minutes, mix.containment, mix.reaching, seconds,
                mix.watched,
            )
            for intent, mix in sorted(self.mixes.items())
        ]  # fmt: skip
        wanted = None if self.planned is None else self.planned.contacts_per_minute
        if wanted is None:
            return cells
        came = sum(cell.people_per_minute() for cell in cells)
        if not came:
            return [*cells, Cell(self.name, "planned", alone_per_minute=wanted)]
        times = wanted / came
        return [
            dataclasses.replace(
                cell, alone_per_minute=cell.alone_per_minute * times, ai_per_minute=cell.ai_per_minute * times
            )
            for cell in cells
        ]

    def staffed(self) -> Staffed:
        """Return how its people work, and what they owe."""
        owed = self.targets
        targets = Targets(owed.service_level_target, owed.service_level_seconds, owed.max_occupancy)
        return Staffed(self.name, self._aht()[1], targets, owed.shrinkage)

    def available(self) -> float | None:
        """Return the people planned, where the plan is asked for; else those there; null where WFM says nothing."""
        if self.what.planned_at is not None:
            return None if self.planned is None else self.planned.agents
        at, said = self.what.now, self.what.control.of(AVAILABILITY).get(queue_key(self.what.tenant, self.name))
        if at is None or not isinstance(said, Availability) or not said.starts_at <= at < said.expires_at:
            return None
        return said.agents_available

    def sources(self) -> Iterator[Source]:
        """Yield what its figures are from."""
        basis, aht = self._aht()
        counted = f", {self.times.people.handled:,} contacts" if basis is Basis.MEASURED else ""
        yield Source(basis, f"handle time in {self.name} ({aht:.4g} s{counted})")
        mean = self.times.mean_ai_seconds
        if mean is not None:
            yield Source(Basis.MEASURED, f"AI's time with contacts of {self.name} ({mean:.4g} s)")
        elif any(mix.ai for mix in self.mixes.values()):
            yield Source(Basis.DEFAULT, f"AI's time with contacts of {self.name} ({self.what.ai_seconds:.4g} s)")
        if self.planned is not None and self.planned.contacts_per_minute is not None:
            yield Source(Basis.PLAN, f"contacts of {self.name} ({self.planned.contacts_per_minute:.4g} a minute)")
        elif self.what.planned_at is not None:
            yield Source(Basis.MEASURED, f"contacts of {self.name}, of which no plan says anything (their mean)")

    def _aht(self) -> tuple[Basis, float]:
        if self.planned is not None and self.planned.aht_seconds:
            return Basis.PLAN, self.planned.aht_seconds
        if self.times.aht_seconds is not None:
            return Basis.MEASURED, self.times.aht_seconds
        is_named = self.what.policy is not None and any(each.queue == self.name for each in self.what.policy.queues)
        return (Basis.POLICY if is_named else Basis.DEFAULT), self.targets.aht_seconds


def _of_mixes(mixes: Iterable[Mix], span: Span) -> Source:
    over, open_ = 0.0, 0
    for mix in mixes:
        over += mix.ai + mix.alone
        open_ += mix.in_progress
    hours = (span.end - span.start) / (3600 * MICROS_PER_SECOND)
    under_way = f"; {open_:,} under way are in no figure" if open_ else ""
    return Source(
        Basis.MEASURED,
        f"contacts, containment and share watched by queue and intent ({over:,.0f} contacts of {hours:g} h{under_way})",
    )


def _of_ai(centre: Centre, policy: Policy | None) -> Iterator[Source]:
    basis = Basis.POLICY if _at_once(policy) else Basis.DEFAULT
    yield Source(basis, f"AI sessions that a person watches at once ({centre.sessions_per_supervisor})")
    yield Source(Basis.DEFAULT, f"shrinkage of people who watch ({centre.supervisor_shrinkage:g})")
    if centre.ai_at_once is not None:
        yield Source(
            Basis.POLICY, f"contacts that AI can have at once ({centre.ai_at_once:,}, max_concurrent of all agents)"
        )


def _at_once(policy: Policy | None) -> int | None:
    return None if policy is None else policy.supervision.sessions_per_supervisor
