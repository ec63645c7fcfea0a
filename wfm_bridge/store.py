"""The view tables: rows by key, the latest revision of each. Pure; no clock, no broker."""

from __future__ import annotations

import typing
from bisect import bisect_left
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import msgspec

from schemas import topics
from schemas.agents import Transition
from schemas.analytics import HandleTimeRow, QualityRow
from schemas.errors import RecordError
from schemas.fields import Event, Micros
from schemas.topics import Topic
from schemas.wfm import CapacitySignal, ContainmentRow, StaffingRequirement, VolumeRow
from wfm_bridge.intervals import IntervalView
from wfm_bridge.trends import TrendView
from wfm_bridge.verdict import Verdict

FOLLOWED: tuple[Topic, ...] = (
    topics.VOLUME,
    topics.HANDLE_TIME,
    topics.CONTAINMENT,
    topics.QUALITY,
    topics.STAFFING,
    topics.CAPACITY,
    topics.TRANSITIONS,
)
"""The topics that the views are made of."""

MAX_MICROS = 253_402_300_799_999_999
"""9999-12-31T23:59:59.999999Z, the last instant that ISO 8601 writes with four digits of a year."""

HISTORY_LENGTH = 1000
"""Transitions kept of one breaker: at one a second, the fastest it can move, 16 minutes; at the
usual few a day, years."""


class Revised(typing.Protocol):
    """A row of one queue, replaced as a whole."""

    @property
    def tenant(self) -> str:
        """Tenant."""

    @property
    def queue(self) -> str:
        """Human queue."""

    @property
    def revision(self) -> int:
        """Grows with every change of the row."""

    @property
    def cause_endpoint(self) -> str:
        """AI agent of which it tells."""

    @property
    def occurred_at(self) -> int:
        """When it was said, UTC microseconds."""

    @property
    def starts_at(self) -> int | None:
        """When it will be so; null: it is so."""


R = TypeVar("R", bound=Revised)


class QueueView(Generic[R]):
    """One row per tenant and queue, the standing recommendation or loss of capacity, and those that are forecast.

    A forecast (`starts_at` given) is shown beside what stands, until something is said of the queue at its time or
    later, or of its agent.
    """

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str], R] = {}
        self._by_cause: dict[tuple[str, str, str], R] = {}

    def __len__(self) -> int:
        return len(self.select())

    def apply(self, row: R) -> Verdict:
        """Take a row, unless one of a higher revision is there: of the queue, or of the agent whose plan it tells."""
        cause = (row.tenant, row.queue, row.cause_endpoint)
        verdict = _put(self._by_cause, cause, row)
        return verdict if row.starts_at is not None else _put(self._rows, cause[:2], row)

    def select(self, *, tenant: str | None = None, queue: str | None = None) -> list[R]:
        """Return the rows that match, by tenant and queue; forecasts after what stands, by their start."""
        matching = [
            row
            for row in (*self._rows.values(), *filter(self._is_ahead, self._by_cause.values()))
            if (tenant is None or row.tenant == tenant) and (queue is None or row.queue == queue)
        ]
        return sorted(matching, key=self.place)

    @staticmethod
    def place(row: R) -> tuple[str, str, int, str]:
        """Return what rows are listed by."""
        return row.tenant, row.queue, row.starts_at or 0, row.cause_endpoint

    def _is_ahead(self, row: R) -> bool:
        """Return whether a row is a forecast, and nothing that was said later is of its time."""
        if row.starts_at is None:
            return False
        standing = self._rows.get((row.tenant, row.queue))
        return standing is None or standing.revision < row.revision or standing.occurred_at < row.starts_at


def _put(rows: dict[Any, R], key: tuple[str, ...], row: R) -> Verdict:
    known = rows.get(key)
    if known is not None and row.revision < known.revision:
        return Verdict.OLDER
    rows[key] = row
    return Verdict.APPLIED


class BreakerView:
    """Transitions of every breaker by epoch: the latest is its state, all of an endpoint's its history.

    A version of an endpoint may have a breaker of its own; all of them draw their epochs from one count.
    A transition read twice replaces itself, so reading the topic again changes nothing.
    """

    def __init__(self, history_length: int = HISTORY_LENGTH) -> None:
        self._length = history_length
        self._history: dict[tuple[str, str], list[Transition]] = {}
        self._latest: dict[tuple[str, str, str], Transition] = {}

    def __len__(self) -> int:
        return len(self._latest)

    def apply(self, transition: Transition) -> Verdict:
        """Put a transition in its place by epoch; the oldest ones beyond the length are dropped."""
        history = self._history.setdefault((transition.tenant, transition.endpoint), [])
        place = bisect_left(history, transition.epoch, key=_epoch)
        breaker = self.place(transition)
        known = self._latest.get(breaker)
        is_latest = known is None or transition.epoch >= known.epoch
        if is_latest:
            self._latest[breaker] = transition
        if place < len(history) and history[place].epoch == transition.epoch:
            history[place] = transition
        else:
            history.insert(place, transition)
            del history[: -self._length]
        return Verdict.APPLIED if is_latest else Verdict.OLDER

    def latest(self, *, tenant: str | None = None, state: str | None = None) -> list[Transition]:
        """Return the last transition of each breaker that matches, by tenant, endpoint and version."""
        return [
            last
            for _, last in sorted(self._latest.items(), key=lambda item: item[0])
            if (tenant is None or last.tenant == tenant) and (state is None or last.to_state == state)
        ]

    @staticmethod
    def place(transition: Transition) -> tuple[str, str, str]:
        """Return what breakers are listed by."""
        return transition.tenant, transition.endpoint, transition.version or ""

    def history(self, tenant: str, endpoint: str) -> list[Transition] | None:
        """Return the transitions of an endpoint's breakers by epoch, oldest first; None where none is known."""
        known = self._history.get((tenant, endpoint))
        return None if known is None else list(known)


def _epoch(transition: Transition) -> int:
    return transition.epoch


class Views:
    """All tables, and the way of a record into its own."""

    def __init__(self) -> None:
        self.volume: IntervalView[VolumeRow] = IntervalView("tenant", "queue", "intent", "channel", "language")
        self.handle_time: IntervalView[HandleTimeRow] = IntervalView("tenant", "queue", "channel", "handling")
        self.containment: TrendView[ContainmentRow] = TrendView()
        self.quality: TrendView[QualityRow] = TrendView()
        self.staffing: QueueView[StaffingRequirement] = QueueView()
        self.capacity: QueueView[CapacitySignal] = QueueView()
        self.breakers = BreakerView()
        self._of: dict[type[Event], Any] = {
            VolumeRow: self.volume,
            HandleTimeRow: self.handle_time,
            ContainmentRow: self.containment,
            QualityRow: self.quality,
            StaffingRequirement: self.staffing,
            CapacitySignal: self.capacity,
            Transition: self.breakers,
        }

    def apply(self, event: Event) -> Verdict:
        """Put an event into its table.

        Raises RecordError (`invalid_fields`) where a time lies beyond the year 9999, or where no view
        shows such an event (`unexpected_type`).
        """
        check_times(event)
        view = self._of.get(type(event))
        if view is None:
            names = ", ".join(topic.name for topic in FOLLOWED)
            raise RecordError(
                "unexpected_type", f"no view shows a {type(event).__name__}: write only what belongs on {names}"
            )
        verdict: Verdict = view.apply(event)
        return verdict

    def sizes(self) -> Iterable[tuple[str, int]]:
        """Return (view, rows) of each view."""
        return (
            ("volume", len(self.volume)),
            ("handle_time", len(self.handle_time)),
            ("containment", len(self.containment)),
            ("quality", len(self.quality)),
            ("staffing", len(self.staffing)),
            ("capacity", len(self.capacity)),
            ("breakers", len(self.breakers)),
        )


def time_fields(kind: type[Event]) -> tuple[str, ...]:
    """Return the names of an event's own fields that are instants in UTC microseconds."""
    hints = typing.get_type_hints(kind, include_extras=True)
    return tuple(f.name for f in msgspec.structs.fields(kind) if is_micros(hints[f.name]))


def is_micros(hint: Any) -> bool:
    """Return whether a type hint is `Micros` or `Micros | None`."""
    return hint == Micros or Micros in typing.get_args(hint)


_TIMES: dict[type[Event], tuple[str, ...]] = {kind: time_fields(kind) for topic in FOLLOWED for kind in topic.types}


def check_times(event: Event) -> None:
    """Raise RecordError (`invalid_fields`) where a time cannot be written as ISO 8601."""
    for name in _TIMES.get(type(event), ()):
        micros = getattr(event, name)
        if micros is not None and micros > MAX_MICROS:
            raise RecordError(
                "invalid_fields",
                f"{type(event).__name__}.{name} is {micros}, beyond the year 9999: give UTC microseconds",
            )
