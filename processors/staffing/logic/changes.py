"""Changes of a centre that a planner may suppose: what AI contains, how it is watched, what it can have. Pure.

Each makes another centre (`what_if`); several are laid one on top of the other.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import NamedTuple, TypeAlias

from processors.staffing.logic.what_if import Cell, Centre
from runtime.errors import SettingsError

_LEAST_SECONDS = 1.0
"""Rounding and small samples must not make AI's contacts take no time."""

Change: TypeAlias = Callable[[Centre], Centre]
"""Makes another centre. Raises SettingsError where it names a queue or an intent that there is not."""


def after(centre: Centre, changes: Iterable[Change]) -> Centre:
    """Return the centre with changes, one on top of the other, in their order."""
    for change in changes:
        centre = change(centre)
    return centre


class Scope(NamedTuple):
    """Some contacts: of these queues, of these intents; none named for all."""

    queues: Collection[str] = ()
    intents: Collection[str] = ()

    def holds(self, cell: Cell) -> bool:
        """Return whether a cell is in it."""
        return (not self.queues or cell.queue in self.queues) and (not self.intents or cell.intent in self.intents)

    def check(self, centre: Centre) -> None:
        """Raise SettingsError for a name that the centre does not have, or where no contacts have all names."""
        _known("queue", self.queues, {each.queue for each in centre.queues})
        _known("intent", self.intents, {cell.intent for cell in centre.cells})
        if not any(map(self.holds, centre.cells)):
            raise SettingsError(
                f"no contacts of intent {', '.join(self.intents)} come to queue {', '.join(self.queues)}: name another"
            )


def _known(what: str, names: Collection[str], there: Collection[str]) -> None:
    for name in names:
        if name not in there:
            raise SettingsError(f"there is no {what} {name!r}: there is {', '.join(sorted(there)) or 'none'}")


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """What a version of an agent does with one queue's contacts of an intent, in place of what did it before.

    share: of AI's contacts there. containment_by and seconds_by: how much more it contains of these (less than 0:
    less), and how much longer it takes.
    """

    share: float
    containment_by: float
    seconds_by: float


@dataclasses.dataclass(frozen=True, slots=True)
class Replace:
    """Another version of an agent has its contacts. By queue and intent; where nothing is said nothing changes."""

    of: Mapping[tuple[str, str], Version]

    def __call__(self, centre: Centre) -> Centre:
        """Return the centre with it."""
        return _with_cells(centre, (self._replaced(cell) for cell in centre.cells))

    def _replaced(self, cell: Cell) -> Cell:
        found = self.of.get((cell.queue, cell.intent))
        if found is None:
            return cell
        return dataclasses.replace(
            cell,
            containment=_share(cell.containment + found.share * found.containment_by),
            ai_seconds=max(cell.ai_seconds + found.share * found.seconds_by, _LEAST_SECONDS),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Contain:
    """AI contains another share of some contacts: `share`, or, where it is null, `by` more (0.1 for 10 points)."""

    scope: Scope
    share: float | None = None
    by: float = 0.0

    def __call__(self, centre: Centre) -> Centre:
        """Return the centre with it."""
        self.scope.check(centre)
        return _with_cells(centre, (self._contained(cell) for cell in centre.cells))

    def _contained(self, cell: Cell) -> Cell:
        if not self.scope.holds(cell):
            return cell
        share = cell.containment + self.by if self.share is None else self.share
        return dataclasses.replace(cell, containment=_share(share))


@dataclasses.dataclass(frozen=True, slots=True)
class Watch:
    """A person watches this share of AI's contacts of some intents; all intents where none is named."""

    intents: Collection[str]
    share: float

    def __call__(self, centre: Centre) -> Centre:
        """Return the centre with it."""
        scope = Scope(intents=self.intents)
        scope.check(centre)
        return _with_cells(
            centre,
            (dataclasses.replace(cell, watched=self.share) if scope.holds(cell) else cell for cell in centre.cells),
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Limit:
    """AI can have so many contacts: `at_once`, or `share` of those of now; or takes `per_minute`. One of the three."""

    at_once: int | None = None
    share: float | None = None
    per_minute: float | None = None

    def __call__(self, centre: Centre) -> Centre:
        """Return the centre with it. Raises SettingsError for a share of nobody knows what."""
        if self.per_minute is not None:
            return dataclasses.replace(centre, ai_most_per_minute=self.per_minute)
        if self.share is None:
            return dataclasses.replace(centre, ai_at_once=self.at_once)
        if centre.ai_at_once is None:
            raise SettingsError(
                f"how many contacts AI can have at once is not known, so neither are {self.share:.0%} of them: "
                "give --ai-capacity as a number of contacts at once, or as 30/min"
            )
        # 29 % of 100 are 29, in floating point 28.999999999999996.
        return dataclasses.replace(centre, ai_at_once=math.floor(centre.ai_at_once * self.share + 1e-9))


def _share(number: float) -> float:
    return min(max(number, 0.0), 1.0)


def _with_cells(centre: Centre, cells: Iterable[Cell]) -> Centre:
    return dataclasses.replace(centre, cells=tuple(cells))
