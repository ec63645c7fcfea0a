"""People required as AI is, and as it might be: a centre, another one, and the difference between them.

Nothing here is a model of its own: people are `required` and `scheduled` (erlang), watchers `supervisors_required`, and
what AI has no room for is `erlang_b`. Of each queue and intent, contacts per minute:

    to people = alone + AI's * (e + lost * (1 - e)),  e = (1 - containment) * reaching

`alone`: that AI never has. `reaching`: share of those whom AI did not contain that come to people; the others leave.
`lost`: share of AI's contacts for which it has no room any more. Measured contacts are those that AI had room for, so
`lost` is what its room is less than before: 1 - (share with room after) / (share with room before), nothing where it
is more. All agents of AI are taken for one group, and its contacts for offered ones.

Handle time of people is one per queue, as in `wfm.staffing`. Whoever watches takes nothing over: who is handed to
people is in the queue's contacts already.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from processors.staffing.logic.erlang import ErlangInputError, Load, Targets, erlang_b, required, scheduled
from processors.staffing.logic.erlang.supervision import Watched, supervisors_required

SESSIONS_PER_SUPERVISOR = 5
"""Where the policy says nothing: the middle of the 3 to 8 that `erlang.supervision` gives."""
SUPERVISION = "supervision"
"""Name of the row of people who watch."""


@dataclasses.dataclass(frozen=True, slots=True)
class Cell:
    """Contacts of one queue and intent.

    alone_per_minute: that people get without AI. ai_per_minute: that AI begins. containment: share of these that no
    person has to finish. reaching: share of the others that come to people. ai_seconds: how long AI has one, above 0.
    watched: share of AI's that a person watches.
    """

    queue: str
    intent: str
    alone_per_minute: float = 0.0
    ai_per_minute: float = 0.0
    containment: float = 0.0
    reaching: float = 1.0
    ai_seconds: float = 180.0
    watched: float = 0.0

    def people_per_minute(self, lost: float = 0.0) -> float:
        """Return the contacts that come to people, where AI has no room for a share `lost` of its own."""
        escaped = (1.0 - self.containment) * self.reaching
        return self.alone_per_minute + self.ai_per_minute * (escaped + lost * (1.0 - escaped))


@dataclasses.dataclass(frozen=True, slots=True)
class Staffed:
    """How the people of one queue work, and what they owe."""

    queue: str
    aht_seconds: float
    targets: Targets
    shrinkage: float
    patience_seconds: float = math.inf
    concurrency: int = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Centre:
    """Contacts, people and AI. Every cell is of one of the queues.

    ai_at_once: contacts that AI can have at once, ai_most_per_minute: that it takes in a minute; null for any number.
    """

    cells: Sequence[Cell]
    queues: Sequence[Staffed]
    ai_at_once: int | None = None
    ai_most_per_minute: float | None = None
    sessions_per_supervisor: int = SESSIONS_PER_SUPERVISOR
    supervisor_shrinkage: float = 0.3

    @property
    def ai_per_minute(self) -> float:
        """Contacts that AI begins."""
        return math.fsum(cell.ai_per_minute for cell in self.cells)

    @property
    def ai_erlangs(self) -> float:
        """Contacts that AI has at once, on average."""
        return math.fsum(cell.ai_per_minute * cell.ai_seconds for cell in self.cells) / 60.0

    def share_with_room(self) -> float:
        """Return the share of AI's contacts that it takes: within its rate, and of those Erlang B."""
        most, coming = self.ai_most_per_minute, self.ai_per_minute
        let_in = 1.0 if most is None or coming <= most else most / coming
        if self.ai_at_once is None:
            return let_in
        return float(let_in * (1.0 - erlang_b(self.ai_erlangs * let_in, self.ai_at_once)))


class Row(NamedTuple):
    """People for some contacts, before and after. Of supervision the contacts are those watched, and not people's."""

    queue: str
    contacts_per_minute_before: float
    contacts_per_minute_after: float
    agents_before: int
    agents_after: int
    scheduled_before: int
    scheduled_after: int

    @property
    def difference(self) -> int:
        """How many more agents are required; less than 0: fewer."""
        return self.agents_after - self.agents_before


class Answer(NamedTuple):
    """People by queue, people who watch, and share of AI's contacts for which it has no room any more."""

    queues: Sequence[Row]
    supervision: Row
    ai_lost: float

    @property
    def total(self) -> Row:
        """All queues together, without who watches."""
        return _added("all queues", self.queues)

    @property
    def people(self) -> Row:
        """All queues, and who watches."""
        total = self.total
        both = _added("all people", (total, self.supervision))
        return both._replace(
            contacts_per_minute_before=total.contacts_per_minute_before,
            contacts_per_minute_after=total.contacts_per_minute_after,
        )


def _added(name: str, rows: Sequence[Row]) -> Row:
    return Row(
        name,
        contacts_per_minute_before=math.fsum(row.contacts_per_minute_before for row in rows),
        contacts_per_minute_after=math.fsum(row.contacts_per_minute_after for row in rows),
        agents_before=sum(row.agents_before for row in rows),
        agents_after=sum(row.agents_after for row in rows),
        scheduled_before=sum(row.scheduled_before for row in rows),
        scheduled_after=sum(row.scheduled_after for row in rows),
    )


def compare(before: Centre, changed: Centre) -> Answer:
    """Return the people that a centre requires, and that it would require.

    The queues and their people are those of `before`. Raises ErlangInputError, with the queue's name, where no
    number of agents does.
    """
    lost = _lost(before, changed)
    rows = [
        _row(people, _for_people(before, people.queue, 0.0), _for_people(changed, people.queue, lost))
        for people in before.queues
    ]
    return Answer(rows, _supervision(before, changed, lost), lost)


def _lost(before: Centre, changed: Centre) -> float:
    had = before.share_with_room()
    return max(0.0, 1.0 - changed.share_with_room() / had) if had > 0 else 0.0


def _for_people(centre: Centre, queue: str, lost: float) -> float:
    return math.fsum(cell.people_per_minute(lost) for cell in centre.cells if cell.queue == queue)


def _row(people: Staffed, before: float, changed: float) -> Row:
    load = Load(np.array([before, changed]), people.aht_seconds, people.patience_seconds, people.concurrency)
    try:
        agents = required(load, people.targets)
        paid = scheduled(agents, people.shrinkage)
    except ErlangInputError as problem:
        raise ErlangInputError(f"no number of agents can be computed for queue {people.queue}: {problem}") from problem
    return Row(people.queue, before, changed, *agents.tolist(), *paid.tolist())


def _supervision(before: Centre, changed: Centre, lost: float) -> Row:
    rates: list[float] = []
    people: list[int] = []
    for centre, kept in ((before, 1.0), (changed, 1.0 - lost)):
        watched = [(cell.ai_per_minute * cell.watched * kept, cell.ai_seconds) for cell in centre.cells]
        rates.append(math.fsum(rate for rate, _ in watched))
        # As sessions of one minute: Erlang B knows rate times length alone.
        minutes = math.fsum(rate * seconds / 60.0 for rate, seconds in watched)
        people.append(int(supervisors_required(Watched(minutes, 60.0, centre.sessions_per_supervisor))))
    paid = scheduled(np.array(people), before.supervisor_shrinkage)
    return Row(SUPERVISION, rates[0], rates[1], people[0], people[1], *paid.tolist())
